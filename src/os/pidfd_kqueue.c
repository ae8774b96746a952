/* SPDX-License-Identifier: MIT */
/*
 * Processes by EVFILT_PROC, in a kqueue of its own: nobody takes the event, so it stays
 * readable. Of a process that is on its way out, or a zombie, FreeBSD reports the end at once, and
 * the others know nothing (ESRCH). NetBSD tells of another user's nothing (EACCES). The event may
 * come before the zombie: on macOS always, on FreeBSD for what was on its way when it was asked
 * about. It is a number that is asked, and it may have been given to another process by then.
 */
#include "os/config.h"

#include "os/process.h"

#if PLX__HAS_KQUEUE
#include "os/kqueue.h"
#include "os/process_wait.h"

static int pidfd_watch(int kq, plx_pid pid)
{
    struct kevent change;

    EV_SET(&change, pid, EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0, 0);
    return plx__kqueue_change(kq, &change);
}

static int pidfd_is_over(int kq)
{
    struct pollfd ended = {.fd = kq, .events = POLLIN};
    int rc;

    do
        rc = plx__poll(&ended, 1, 0);
    while (rc == -EINTR);
    return rc;
}

int plx__pidfd_open(plx_pid pid, plx_fd *pidfd)
{
    plx_exit status;
    int kq = plx__kqueue_open();
    int rc = kq < 0 ? kq : pidfd_watch(kq, pid);

    if (rc == -EACCES || rc == -EPERM || (rc == -ESRCH && plx__process_look(pid, &status) >= 0))
        rc = -ENOTSUP;
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

/*
 * Whether a child that is no zombie is on its way out, or is another that has got the number: by
 * a new question (above). What cannot be asked counts as late.
 */
static bool pidfd_is_late(plx_pid pid)
{
    int kq = plx__kqueue_open();
    bool late = kq < 0 || pidfd_watch(kq, pid) < 0 || pidfd_is_over(kq) != 0;

    if (kq >= 0)
        plx__close(kq);
    return late;
}

/* In this order: what has ended by the first is a zombie by the second, or is late. */
int plx__pidfd_look(plx_fd pidfd, plx_pid pid, plx_exit *status)
{
    int over = pidfd_is_over(pidfd);
    int rc = plx__process_wait(P_PID, (id_t)pid, WNOWAIT, status);

    if (over < 0 && rc != 1)
        return over;
    if (rc == -ECHILD && over == 0) /* no child */
        return 0;
    return rc == 0 && over > 0 && !pidfd_is_late(pid) ? -ECHILD : rc;
}

bool plx__pidfd_reap(plx_fd pidfd, plx_pid pid)
{
    (void)pidfd;
    return plx__process_reap(pid);
}

#endif
