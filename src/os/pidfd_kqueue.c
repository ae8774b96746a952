/* SPDX-License-Identifier: MIT */
/*
 * Processes by EVFILT_PROC, in a kqueue of its own: nobody takes the event, so it stays
 * readable. Of a process that has ended some kernels know nothing (ESRCH), also while it is a
 * zombie; of another user's some say nothing (EACCES). The event may come before the zombie. It
 * is a number that is asked, and it may have been given to another process by then.
 */
#include "os/config.h"

#include "os/process.h"

#if PLX__HAS_KQUEUE
#include "os/kqueue.h"
#include "os/process_wait.h"

#include <sched.h>

/* How often a process that has ended, and is no zombie yet, is looked at: longer than it can take. */
enum { PIDFD_LOOKS = 10000 };

static int pidfd_watch(int kq, plx_pid pid)
{
    struct kevent change;
    plx_exit status;

    EV_SET(&change, pid, EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0, 0);
    int rc = plx__kqueue_change(kq, &change);
    if (rc == -EACCES || rc == -EPERM)
        return -ENOTSUP;
    if (rc == -ESRCH && plx__process_look(pid, &status) >= 0)
        return -ENOTSUP;
    return rc;
}

int plx__pidfd_open(plx_pid pid, plx_fd *pidfd)
{
    int kq = plx__kqueue_open();
    int rc = kq < 0 ? kq : pidfd_watch(kq, pid);

    if (rc < 0 && kq >= 0)
        plx__close(kq);
    if (rc >= 0)
        *pidfd = kq;
    return rc < 0 ? rc : 0;
}

void plx__pidfd_close(plx_fd pidfd)
{
    plx__close(pidfd);
}

int plx__pidfd_look(plx_fd pidfd, plx_pid pid, plx_exit *status)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int over;

    do
        over = plx__poll(&ended, 1, 0);
    while (over == -EINTR);
    int rc = plx__process_wait(P_PID, (id_t)pid, WNOWAIT, status);
    for (int i = 0; rc == 0 && over > 0 && i < PIDFD_LOOKS; i++) {
        (void)sched_yield();
        rc = plx__process_wait(P_PID, (id_t)pid, WNOWAIT, status);
    }
    if (rc == -ECHILD || (rc == 0 && over > 0)) /* no child, or another that has got the number */
        return over > 0 ? -ECHILD : over;
    return rc;
}

bool plx__pidfd_reap(plx_fd pidfd, plx_pid pid)
{
    (void)pidfd;
    return plx__process_reap(pid);
}

#endif
