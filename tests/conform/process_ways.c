/* SPDX-License-Identifier: MIT */
/* The one place of the conformance cases that reaches inside: to take pidfds away. */
#include "os/config.h"

#include "processes.h"

#if PLX__HAS_PIDFD
#include "os/linux.h"

static int no_pidfd(pid_t pid, unsigned flags)
{
    static atomic_int calls;
    (void)pid;
    (void)flags;
    errno = atomic_fetch_add(&calls, 1) % 2 ? ENOSYS : EPERM;
    return -1;
}

void in_each_way(void (*body)(void))
{
    body();
    plx__linux.pidfd_open = no_pidfd;
    body();
}

#else

void in_each_way(void (*body)(void))
{
    body();
}

#endif
