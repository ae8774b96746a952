/* SPDX-License-Identifier: MIT */
/*
 * The interface of kqueue(2), for the double in kqueue.c. The numbers are its own. With
 * DOUBLE_PLAIN what some systems do not have is no macro, and is not found.
 */
#ifndef DOUBLES_SYS_EVENT_H
#define DOUBLES_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    int64_t data;
    void *udata;
    uint64_t ext[4];
};

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)                                        \
    do {                                                                                                      \
        struct kevent *set_ = (event);                                                                        \
        set_->ident = (uintptr_t)(ident_);                                                                    \
        set_->filter = (short)(filter_);                                                                      \
        set_->flags = (unsigned short)(flags_);                                                               \
        set_->fflags = (unsigned)(fflags_);                                                                   \
        set_->data = (int64_t)(data_);                                                                        \
        set_->udata = (udata_);                                                                               \
    } while (0)

enum {
    EVFILT_READ = -1,
    EVFILT_WRITE = -2,
    EVFILT_VNODE = -4,
    EVFILT_PROC = -5,
    EVFILT_TIMER = -7,
    EVFILT_USER = -11,
    EVFILT_EXCEPT = -15
};
enum { NOTE_OOB = 0x0008, NOTE_NSECONDS = 0x0010 }; /* EXCEPT; TIMER */
#ifndef DOUBLE_PLAIN
#define EVFILT_USER   EVFILT_USER
#define EVFILT_EXCEPT EVFILT_EXCEPT
#define NOTE_OOB      NOTE_OOB
#define NOTE_NSECONDS NOTE_NSECONDS
#endif

#define EV_ADD      0x0001
#define EV_DELETE   0x0002
#define EV_ENABLE   0x0004
#define EV_DISABLE  0x0008
#define EV_ONESHOT  0x0010
#define EV_CLEAR    0x0020
#define EV_RECEIPT  0x0040
#define EV_DISPATCH 0x0080
#define EV_ERROR    0x4000
#define EV_EOF      0x8000

#define NOTE_LOWAT   0x0001 /* READ: data is the least that reports; here any means "no data does" */
#define NOTE_TRIGGER 0x01000000 /* USER */

#define NOTE_DELETE 0x0001 /* VNODE */
#define NOTE_WRITE  0x0002
#define NOTE_EXTEND 0x0004
#define NOTE_ATTRIB 0x0008
#define NOTE_LINK   0x0010
#define NOTE_RENAME 0x0020
#define NOTE_REVOKE 0x0040

#define NOTE_EXIT 0x80000000u /* PROC */

#define NOTE_SECONDS  0x0001 /* TIMER; without any: milliseconds */
#define NOTE_USECONDS 0x0004

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events, int capacity,
           const struct timespec *timeout);

#endif
