/* SPDX-License-Identifier: MIT */
/* No descriptors of processes, on systems that have none. */
#include "os/config.h"

#include "os/process.h"

#if !PLX__HAS_PIDFD

int plx__pidfd_open(plx_pid pid, plx_fd *pidfd)
{
    (void)pid;
    (void)pidfd;
    return -ENOTSUP;
}

void plx__pidfd_close(plx_fd pidfd)
{
    (void)pidfd;
}

int plx__pidfd_look(plx_fd pidfd, plx_pid pid, plx_exit *status)
{
    (void)pidfd;
    return plx__process_look(pid, status);
}

bool plx__pidfd_reap(plx_fd pidfd, plx_pid pid)
{
    (void)pidfd;
    return plx__process_reap(pid);
}

#endif
