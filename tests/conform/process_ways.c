/* SPDX-License-Identifier: MIT */
/* The one place of the conformance cases that reaches inside: to take pidfds away. */
#include "os/config.h"

#include "support.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
#include "os/process.h"
#include "processes.h"

#if PLX__HAS_EPOLL
#include "os/linux.h"
#include "os/posix.h"

static int no_pidfd(pid_t pid, unsigned flags)
{
    static atomic_int calls;
    (void)pid;
    (void)flags;
    errno = atomic_fetch_add(&calls, 1) % 2 ? ENOSYS : EPERM;
    return -1;
}

/* As on Linux 5.3, which has pidfds and does not wait for them. */
static int no_wait_for_pidfd(idtype_t type, id_t id, siginfo_t *info, int options)
{
    if (type == (idtype_t)3) {
        errno = EINVAL;
        return -1;
    }
    return waitid(type, id, info, options);
}

void in_each_way(void (*body)(void))
{
    body();
    plx__posix.waitid = no_wait_for_pidfd;
    body();
    plx__linux.pidfd_open = no_pidfd;
    body();
}

#elif PLX__HAS_KQUEUE
#include "os/kqueue.h"

static plx__kqueue_calls real;

/* As of another user's processes. */
static int no_processes(int kq, const struct kevent *changes, int change_count, struct kevent *events, int capacity,
                        const struct timespec *timeout)
{
    if (change_count > 0 && changes->filter == EVFILT_PROC) {
        errno = EACCES;
        return -1;
    }
    return real.kevent(kq, changes, change_count, events, capacity, timeout);
}

void in_each_way(void (*body)(void))
{
    body();
    real = plx__kqueue;
    plx__kqueue.kevent = no_processes;
    body();
}

#else

void in_each_way(void (*body)(void))
{
    body();
}

#endif

bool processes_have_descriptors(void)
{
    return PLX__PIDFD_NAMES;
}

#endif
