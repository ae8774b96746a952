/* SPDX-License-Identifier: MIT */
/* The system calls of Linux alone, behind a table as in posix.h. */
#ifndef PLX__LINUX_H
#define PLX__LINUX_H

#include "os/posix.h"

#include <pollux.h>

#if PLX__HAS_EPOLL
#include <sys/epoll.h>

#if PLX__HAS_IO_URING
struct io_uring_params;
#endif

/* The kernel takes two 64-bit fields here, also on machines whose timespec has 32 bits. */
typedef struct plx__timespec64 {
    int64_t seconds;
    int64_t nanoseconds;
} plx__timespec64;

typedef struct plx__linux_calls {
    int (*epoll_create1)(int flags);
    int (*epoll_ctl)(int epoll, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epoll, struct epoll_event *events, int capacity, int milliseconds);
    int (*epoll_pwait2)(int epoll, struct epoll_event *events, int capacity, const plx__timespec64 *timeout);
    int (*eventfd)(unsigned value, int flags);
    int (*dup3)(int from, int onto, int flags);
    int (*pidfd_open)(pid_t pid, unsigned flags);
    int (*timerfd_create)(int clock, int flags);
    int (*timerfd_settime)(int timer, int flags, const struct itimerspec *when, struct itimerspec *was);
    int (*membarrier)(int command);
#if PLX__HAS_IO_URING
    int (*io_uring_setup)(uint32_t entries, struct io_uring_params *params);
    int (*io_uring_enter)(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how, size_t size);
    int (*io_uring_register)(int ring, uint32_t what, void *argument, uint32_t count);
    void *(*mmap)(void *where, size_t size, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void *memory, size_t size);
#endif
    int (*inotify_init1)(int flags);
    int (*inotify_add_watch)(int inotify, const char *path, uint32_t mask);
    int (*inotify_rm_watch)(int inotify, int watch);
    int (*fionread)(int fd, int *bytes);
    long (*getdents64)(int folder, void *buffer, size_t size);
} plx__linux_calls;

extern PLX__SEAM plx__linux_calls plx__linux;

int plx__epoll_create(void);
int plx__eventfd(void);

/* Makes an eventfd readable once more, also one that is full: a write that fails is no edge. */
int plx__eventfd_signal(int event, uint32_t *calls);

/* Close-on-exec and non-blocking, as all of the library. */
int plx__inotify_open(void);
int plx__inotify_add(int inotify, const char *path, uint32_t mask);
int plx__inotify_remove(int inotify, int watch);
/* Bytes in the kernel's queue. */
int plx__inotify_queued(int inotify);

/* The next entries of an open folder, as the kernel writes them; 0 at its end. */
int plx__folder_read(int folder, void *buffer, size_t size);

/* dup3, close-on-exec. */
int plx__descriptor_replace(int from, int onto);

static inline int plx__epoll_control(int epoll, int operation, int fd, struct epoll_event *event)
{
    int saved = errno;
    return plx__result(plx__linux.epoll_ctl(epoll, operation, fd, event), saved);
}

static inline int plx__epoll_wait(int epoll, struct epoll_event *events, int capacity, int milliseconds)
{
    int saved = errno;
    return plx__result(plx__linux.epoll_wait(epoll, events, capacity, milliseconds), saved);
}

static inline int plx__epoll_wait_nanos(int epoll, struct epoll_event *events, int capacity, plx_nanos timeout)
{
    int saved = errno;
    plx__timespec64 limit = {.seconds = timeout / 1000000000, .nanoseconds = timeout % 1000000000};
    return plx__result(plx__linux.epoll_pwait2(epoll, events, capacity, &limit), saved);
}

#endif

#endif
