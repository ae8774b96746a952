/* SPDX-License-Identifier: MIT */
/*
 * The system calls of kqueue. A child of fork has no kqueue of its parent's, so nobody can come
 * between the call that makes one and the call that has exec close it.
 */
#include "os/config.h"

#include "os/descriptor.h"

#if PLX__HAS_KQUEUE
#include "os/kqueue.h"

#include <fcntl.h>
#include <unistd.h>

static int kqueue_open(void)
{
    int kq = kqueue();

    if (kq < 0 || fcntl(kq, F_SETFD, FD_CLOEXEC) == 0)
        return kq;
    int error = errno;
    close(kq);
    errno = error;
    return -1;
}

/* Counts have another type on some systems. */
static int kqueue_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events, int capacity,
                         const struct timespec *timeout)
{
    return kevent(kq, changes, (PLX__KEVENT_COUNT)change_count, events, (PLX__KEVENT_COUNT)capacity, timeout);
}

PLX__SEAM plx__kqueue_calls plx__kqueue = {
    .kqueue = kqueue_open,
    .kevent = kqueue_kevent,
};

int plx__kqueue_open(void)
{
    int saved = errno;
    return plx__result(plx__kqueue.kqueue(), saved);
}

/* Older Darwins refuse more than a hundred million seconds; a wait may return early. */
int plx__kqueue_wait(int kq, struct kevent *events, int capacity, plx_nanos timeout)
{
    int saved = errno;
    plx_nanos most = timeout < PLX_SEC(10000000) ? timeout : PLX_SEC(10000000);
    struct timespec limit = {.tv_sec = (time_t)(most / 1000000000), .tv_nsec = (long)(most % 1000000000)};

    return plx__result(plx__kqueue.kevent(kq, NULL, 0, events, capacity, timeout < 0 ? NULL : &limit), saved);
}

int plx__kqueue_change(int kq, const struct kevent *change)
{
    int saved = errno;
    return plx__result(plx__kqueue.kevent(kq, change, 1, NULL, 0, NULL), saved);
}

int plx__kqueue_changes(int kq, struct kevent *changes, int count)
{
    int saved = errno;

    for (int i = 0; i < count; i++)
        changes[i].flags |= EV_RECEIPT;
    return plx__result(plx__kqueue.kevent(kq, changes, count, changes, count, NULL), saved);
}

#endif
