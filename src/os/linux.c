/* SPDX-License-Identifier: MIT */
/* The system calls of Linux alone, with negative errno values for results. */
#include "os/config.h"

#include "os/linux.h"
#include "os/posix.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One number on every architecture; older headers do not name it. */
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* The kernel takes two 64-bit fields here, also on machines whose timespec has 32 bits. */
struct linux_timespec {
    int64_t seconds;
    int64_t nanoseconds;
};

static int linux_epoll_create(void)
{
    int saved = errno;
    return plx__posix_result(epoll_create1(EPOLL_CLOEXEC), saved);
}

static int linux_epoll_control(int epoll, int operation, int fd, struct epoll_event *event)
{
    int saved = errno;
    return plx__posix_result(epoll_ctl(epoll, operation, fd, event), saved);
}

static int linux_epoll_wait(int epoll, struct epoll_event *events, int capacity, int milliseconds)
{
    int saved = errno;
    return plx__posix_result(epoll_wait(epoll, events, capacity, milliseconds), saved);
}

static int linux_epoll_wait_nanos(int epoll, struct epoll_event *events, int capacity, plx_nanos timeout)
{
    int saved = errno;
    struct linux_timespec limit = {.seconds = timeout / 1000000000, .nanoseconds = timeout % 1000000000};
    return plx__posix_result(syscall(SYS_epoll_pwait2, epoll, events, capacity, &limit, NULL, (size_t)0), saved);
}

static int linux_eventfd(void)
{
    int saved = errno;
    return plx__posix_result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), saved);
}

static int linux_replace(int from, int onto)
{
    int saved = errno;
    return plx__posix_result(dup3(from, onto, O_CLOEXEC), saved);
}

PLX__SEAM plx__linux_calls plx__linux = {
    .epoll_create = linux_epoll_create,
    .epoll_control = linux_epoll_control,
    .epoll_wait = linux_epoll_wait,
    .epoll_wait_nanos = linux_epoll_wait_nanos,
    .eventfd = linux_eventfd,
    .replace = linux_replace,
};
