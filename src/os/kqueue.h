/* SPDX-License-Identifier: MIT */
/* The system calls of kqueue, behind a table as in posix.h. */
#ifndef PLX__KQUEUE_H
#define PLX__KQUEUE_H

#include "os/posix.h"

#include <pollux.h>

#if PLX__HAS_KQUEUE
#include <string.h>
#include <sys/event.h>

typedef struct plx__kqueue_calls {
    int (*kqueue)(void); /* close-on-exec */
    int (*kevent)(int kq, const struct kevent *changes, int change_count, struct kevent *events, int capacity,
                  const struct timespec *timeout);
} plx__kqueue_calls;

extern PLX__SEAM plx__kqueue_calls plx__kqueue;

int plx__kqueue_open(void);

/* At most `capacity` events; the timeout as in backend.h. */
int plx__kqueue_wait(int kq, struct kevent *events, int capacity, plx_nanos timeout);

/* One change: 0, or what the kernel says of it. */
int plx__kqueue_change(int kq, const struct kevent *change);

/*
 * Several changes, each with a receipt, so that one that fails does not keep the kernel from
 * the others. 0, and in each change's data what the kernel says of it; or the call's own error.
 */
int plx__kqueue_changes(int kq, struct kevent *changes, int count);

/* Filters that some systems do not have, or not yet. */
#ifdef EVFILT_USER
#define PLX__KQUEUE_USER EVFILT_USER
#endif
#if defined(EVFILT_EXCEPT) && defined(NOTE_OOB)
#define PLX__KQUEUE_EXCEPT EVFILT_EXCEPT
#endif

#endif

#endif
