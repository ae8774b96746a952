/* SPDX-License-Identifier: MIT */
/* The system calls of Linux alone. */
#include "os/config.h"

#include "os/descriptor.h"

#if PLX__HAS_EPOLL

#include "os/linux.h"
#include "os/posix.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Not by the C library: not each has it, and 32-bit ones give it their own timespec. */
static int linux_epoll_pwait2(int epoll, struct epoll_event *events, int capacity, const plx__timespec64 *timeout)
{
#ifdef SYS_epoll_pwait2
    return (int)syscall(SYS_epoll_pwait2, epoll, events, capacity, timeout, NULL, (size_t)0);
#else /* headers from before Linux 5.11 */
    (void)epoll, (void)events, (void)capacity, (void)timeout;
    errno = ENOSYS;
    return -1;
#endif
}

static int linux_membarrier(int command)
{
#ifdef SYS_membarrier
    return (int)syscall(SYS_membarrier, command, 0, 0);
#else /* headers from before Linux 4.3 */
    (void)command;
    errno = ENOSYS;
    return -1;
#endif
}

/* Not by the C library either: few have it. */
static int linux_pidfd_open(pid_t pid, unsigned flags)
{
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, pid, flags);
#else /* headers from before Linux 5.3 */
    (void)pid, (void)flags;
    errno = ENOSYS;
    return -1;
#endif
}

#if PLX__HAS_IO_URING

static int linux_io_uring_setup(uint32_t entries, struct io_uring_params *params)
{
    return (int)syscall(SYS_io_uring_setup, entries, params);
}

static int linux_io_uring_enter(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how,
                                size_t size)
{
    return (int)syscall(SYS_io_uring_enter, ring, submit, least, flags, how, size);
}

static int linux_io_uring_register(int ring, uint32_t what, void *argument, uint32_t count)
{
    return (int)syscall(SYS_io_uring_register, ring, what, argument, count);
}

#endif

static int linux_fionread(int fd, int *bytes)
{
    return ioctl(fd, FIONREAD, bytes);
}

/* Not by opendir, which takes memory from the C library. */
static long linux_getdents64(int folder, void *buffer, size_t size)
{
    return syscall(SYS_getdents64, folder, buffer, size);
}

PLX__SEAM plx__linux_calls plx__linux = {
    .epoll_create1 = epoll_create1,
    .epoll_ctl = epoll_ctl,
    .epoll_wait = epoll_wait,
    .epoll_pwait2 = linux_epoll_pwait2,
    .eventfd = eventfd,
    .dup3 = dup3,
    .pidfd_open = linux_pidfd_open,
    .timerfd_create = timerfd_create,
    .timerfd_settime = timerfd_settime,
    .membarrier = linux_membarrier,
#if PLX__HAS_IO_URING
    .io_uring_setup = linux_io_uring_setup,
    .io_uring_enter = linux_io_uring_enter,
    .io_uring_register = linux_io_uring_register,
    .mmap = mmap,
    .munmap = munmap,
#endif
    .inotify_init1 = inotify_init1,
    .inotify_add_watch = inotify_add_watch,
    .inotify_rm_watch = inotify_rm_watch,
    .fionread = linux_fionread,
    .getdents64 = linux_getdents64,
};

int plx__epoll_create(void)
{
    int saved = errno;
    return plx__result(plx__linux.epoll_create1(EPOLL_CLOEXEC), saved);
}

int plx__eventfd(void)
{
    int saved = errno;
    return plx__result(plx__linux.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), saved);
}

int plx__eventfd_signal(int event, uint32_t *calls)
{
    uint64_t number = 1;
    int rc;

    while ((rc = plx__write(event, &number, sizeof number)) == -EINTR || rc == -EAGAIN) {
        ++*calls;
        if (rc == -EAGAIN) {
            uint64_t drained;
            (void)plx__read(event, &drained, sizeof drained);
            ++*calls;
        }
    }
    ++*calls;
    return rc < 0 ? rc : 0;
}

int plx__descriptor_replace(int from, int onto)
{
    int saved = errno;
    return plx__result(plx__linux.dup3(from, onto, O_CLOEXEC), saved);
}

int plx__inotify_open(void)
{
    int saved = errno;
    return plx__result(plx__linux.inotify_init1(IN_CLOEXEC | IN_NONBLOCK), saved);
}

int plx__inotify_add(int inotify, const char *path, uint32_t mask)
{
    int saved = errno;
    return plx__result(plx__linux.inotify_add_watch(inotify, path, mask), saved);
}

int plx__inotify_remove(int inotify, int watch)
{
    int saved = errno;
    return plx__result(plx__linux.inotify_rm_watch(inotify, watch), saved);
}

int plx__inotify_queued(int inotify)
{
    int saved = errno;
    int bytes = 0;
    int rc = plx__result(plx__linux.fionread(inotify, &bytes), saved);

    return rc < 0 ? rc : bytes;
}

int plx__folder_read(int folder, void *buffer, size_t size)
{
    int saved = errno;
    return plx__result(plx__linux.getdents64(folder, buffer, size), saved);
}

#endif
