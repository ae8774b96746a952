/* SPDX-License-Identifier: MIT */
/*
 * Processes by pidfd. It is readable from the end of the process on, also when the zombie is
 * gone. A sandbox may deny it (EPERM), an old kernel not know it (ENOSYS), or know it and not
 * wait for it (EINVAL, Linux 5.3). The number of a thread is EINVAL, later ENOENT.
 */
#include "os/config.h"

#include "os/process.h"

#if PLX__HAS_EPOLL
#include "os/linux.h"
#include "os/process_wait.h"

/* P_PIDFD, which older C libraries do not name. */
#define PIDFD_TYPE ((idtype_t)3)

int plx__pidfd_open(plx_pid pid, plx_fd *pidfd)
{
    int saved = errno;
    int rc = plx__result(plx__linux.pidfd_open(pid, 0), saved);

    if (rc == -ENOSYS || rc == -EPERM || rc == -ENODEV)
        return -ENOTSUP;
    if (rc < 0)
        return rc == -EINVAL || rc == -ENOENT ? -ESRCH : rc;
    *pidfd = rc;
    return 0;
}

void plx__pidfd_close(plx_fd pidfd)
{
    plx__close(pidfd);
}

static int pidfd_wait(plx_fd pidfd, plx_pid pid, int options, plx_exit *status)
{
    int rc = plx__process_wait(PIDFD_TYPE, (id_t)pidfd, options, status);

    return rc == -EINVAL ? plx__process_wait(P_PID, (id_t)pid, options, status) : rc;
}

int plx__pidfd_look(plx_fd pidfd, plx_pid pid, plx_exit *status)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int rc = pidfd_wait(pidfd, pid, WNOWAIT, status);

    if (rc != -ECHILD)
        return rc;
    do
        rc = plx__poll(&ended, 1, 0);
    while (rc == -EINTR);
    return rc > 0 ? -ECHILD : rc;
}

bool plx__pidfd_reap(plx_fd pidfd, plx_pid pid)
{
    plx_exit status;
    int rc = pidfd_wait(pidfd, pid, 0, &status);

    return rc == 1 || rc == -ECHILD;
}

#endif
