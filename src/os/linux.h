/* SPDX-License-Identifier: MIT */
/* The system calls of Linux alone, behind a table as in posix.h. */
#ifndef PLX__LINUX_H
#define PLX__LINUX_H

#include "os/config.h"

#include <pollux.h>

#include <sys/epoll.h>

typedef struct plx__linux_calls {
    int (*epoll_create)(void);
    int (*epoll_control)(int epoll, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epoll, struct epoll_event *events, int capacity, int milliseconds);
    int (*epoll_wait_nanos)(int epoll, struct epoll_event *events, int capacity, plx_nanos timeout);
    int (*eventfd)(void);
    int (*replace)(int from, int onto); /* dup3, close-on-exec */
} plx__linux_calls;

extern PLX__SEAM plx__linux_calls plx__linux;

#endif
