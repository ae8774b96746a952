/* SPDX-License-Identifier: MIT */
/*
 * The system calls of the library, counted, and one of them made to fail: the entries of its
 * tables are replaced by these. Include os/config.h before.
 */
#ifndef TESTS_SEAM_H
#define TESTS_SEAM_H

#include "tools.h"

#include "os/posix.h"
#if PLX__HAS_EPOLL
#include "os/linux.h"
#endif
#if PLX__HAS_KQUEUE
#include "os/kqueue.h"
#endif
#if PLX__HAS_EVENT_PORTS
#include "os/ports.h"
#endif

enum seam_call {
    SEAM_CLOSE,
    SEAM_READ,
    SEAM_WRITE,
    SEAM_PIPE,
    SEAM_FSTAT,
    SEAM_GETFL,
    SEAM_POLL,
    SEAM_RECV,
    SEAM_GETSOCKOPT,
    SEAM_CLOCK,
    SEAM_SETCLOCK,
    SEAM_SIGACTION,
    SEAM_WAITID,
    SEAM_KILL,
    SEAM_OPEN,
    SEAM_FSTATAT,
    SEAM_GETCWD,
    SEAM_FDOPENDIR,
    SEAM_READDIR,
    SEAM_CLOSEDIR,
    SEAM_EPOLL_CREATE,
    SEAM_EPOLL_CTL,
    SEAM_EPOLL_WAIT,
    SEAM_EPOLL_PWAIT2,
    SEAM_EVENTFD,
    SEAM_DUP3,
    SEAM_PIDFD_OPEN,
    SEAM_TIMERFD_CREATE,
    SEAM_TIMERFD_SETTIME,
    SEAM_MEMBARRIER,
    SEAM_INOTIFY_INIT,
    SEAM_INOTIFY_ADD,
    SEAM_INOTIFY_REMOVE,
    SEAM_FIONREAD,
    SEAM_GETDENTS,
    SEAM_URING_SETUP,
    SEAM_URING_ENTER,
    SEAM_URING_REGISTER,
    SEAM_MMAP,
    SEAM_MUNMAP,
    SEAM_KQUEUE,
    SEAM_KEVENT,
    SEAM_KEVENT_WAKE, /* those that wake */
    SEAM_PORT_CREATE,
    SEAM_PORT_ASSOCIATE,
    SEAM_PORT_DISSOCIATE,
    SEAM_PORT_GETN,
    SEAM_PORT_SEND,
    SEAM_PORT_ALERT,
    SEAM_CALLS
};

static const char *const seam_names[SEAM_CALLS] = {
    [SEAM_CLOSE] = "close",
    [SEAM_READ] = "read",
    [SEAM_WRITE] = "write",
    [SEAM_PIPE] = "pipe",
    [SEAM_FSTAT] = "fstat",
    [SEAM_GETFL] = "fcntl(F_GETFL)",
    [SEAM_POLL] = "poll",
    [SEAM_RECV] = "recv",
    [SEAM_GETSOCKOPT] = "getsockopt",
    [SEAM_CLOCK] = "clock_gettime",
    [SEAM_SETCLOCK] = "pthread_condattr_setclock",
    [SEAM_SIGACTION] = "sigaction",
    [SEAM_WAITID] = "waitid",
    [SEAM_KILL] = "kill",
    [SEAM_OPEN] = "open",
    [SEAM_FSTATAT] = "fstatat",
    [SEAM_GETCWD] = "getcwd",
    [SEAM_FDOPENDIR] = "fdopendir",
    [SEAM_READDIR] = "readdir",
    [SEAM_CLOSEDIR] = "closedir",
    [SEAM_EPOLL_CREATE] = "epoll_create1",
    [SEAM_EPOLL_CTL] = "epoll_ctl",
    [SEAM_EPOLL_WAIT] = "epoll_wait",
    [SEAM_EPOLL_PWAIT2] = "epoll_pwait2",
    [SEAM_EVENTFD] = "eventfd",
    [SEAM_DUP3] = "dup3",
    [SEAM_PIDFD_OPEN] = "pidfd_open",
    [SEAM_TIMERFD_CREATE] = "timerfd_create",
    [SEAM_TIMERFD_SETTIME] = "timerfd_settime",
    [SEAM_MEMBARRIER] = "membarrier",
    [SEAM_INOTIFY_INIT] = "inotify_init1",
    [SEAM_INOTIFY_ADD] = "inotify_add_watch",
    [SEAM_INOTIFY_REMOVE] = "inotify_rm_watch",
    [SEAM_FIONREAD] = "ioctl(FIONREAD)",
    [SEAM_GETDENTS] = "getdents64",
    [SEAM_URING_SETUP] = "io_uring_setup",
    [SEAM_URING_ENTER] = "io_uring_enter",
    [SEAM_URING_REGISTER] = "io_uring_register",
    [SEAM_MMAP] = "mmap",
    [SEAM_MUNMAP] = "munmap",
    [SEAM_KQUEUE] = "kqueue",
    [SEAM_KEVENT] = "kevent",
    [SEAM_KEVENT_WAKE] = "kevent(NOTE_TRIGGER)",
    [SEAM_PORT_CREATE] = "port_create",
    [SEAM_PORT_ASSOCIATE] = "port_associate",
    [SEAM_PORT_DISSOCIATE] = "port_dissociate",
    [SEAM_PORT_GETN] = "port_getn",
    [SEAM_PORT_SEND] = "port_send",
    [SEAM_PORT_ALERT] = "port_alert",
};

static struct seam {
    plx__posix_calls posix; /* the real ones */
#if PLX__HAS_EPOLL
    plx__linux_calls system;
#endif
#if PLX__HAS_KQUEUE
    plx__kqueue_calls kqueue;
#endif
#if PLX__HAS_EVENT_PORTS
    plx__ports_calls ports;
#endif
    atomic_long made[SEAM_CALLS];
    atomic_int fail_call;  /* which is to fail; SEAM_CALLS: none */
    atomic_long fail_at;   /* at its call of this number, from 1 */
    atomic_long fail_each; /* and at each multiple of this; 0: not */
    atomic_int fail_error;
    atomic_long failed; /* how many did */
    atomic_int last_eventfd;
    atomic_int last_pipe; /* its writing end */
} seam;

static _Thread_local long seam_met;  /* how many of this thread's did */
static _Thread_local int seam_lasts; /* and so many of its calls behind that one do */

static inline bool seam_fails(enum seam_call call)
{
    long number = atomic_fetch_add(&seam.made[call], 1) + 1;

    if (atomic_load(&seam.fail_call) != (int)call)
        return false;
    long at = atomic_load(&seam.fail_at), each = atomic_load(&seam.fail_each);
    if (number != at && !(each && number % each == 0) && !(number > at && number <= at + seam_lasts))
        return false;
    atomic_fetch_add(&seam.failed, 1);
    seam_met++;
    errno = atomic_load(&seam.fail_error);
    return true;
}

/* Whatever close says, the number is free afterwards: so it is on Linux. */
static inline int seam_close(int fd)
{
    bool fails = seam_fails(SEAM_CLOSE);
    int error = errno;
    int rc = seam.posix.close(fd);

    if (!fails)
        return rc;
    errno = error;
    return -1;
}

static inline ssize_t seam_read(int fd, void *buffer, size_t size)
{
    return seam_fails(SEAM_READ) ? -1 : seam.posix.read(fd, buffer, size);
}

static inline ssize_t seam_write(int fd, const void *buffer, size_t size)
{
    return seam_fails(SEAM_WRITE) ? -1 : seam.posix.write(fd, buffer, size);
}

static inline int seam_pipe(int fds[2])
{
    int rc = seam_fails(SEAM_PIPE) ? -1 : seam.posix.pipe(fds);

    if (rc == 0)
        atomic_store(&seam.last_pipe, fds[1]);
    return rc;
}

static inline int seam_fstat(int fd, struct stat *status)
{
    return seam_fails(SEAM_FSTAT) ? -1 : seam.posix.fstat(fd, status);
}

static inline int seam_getfl(int fd)
{
    return seam_fails(SEAM_GETFL) ? -1 : seam.posix.getfl(fd);
}

static inline int seam_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    return seam_fails(SEAM_POLL) ? -1 : seam.posix.poll(fds, count, milliseconds);
}

static inline ssize_t seam_recv(int fd, void *buffer, size_t size, int flags)
{
    return seam_fails(SEAM_RECV) ? -1 : seam.posix.recv(fd, buffer, size, flags);
}

static inline int seam_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return seam_fails(SEAM_GETSOCKOPT) ? -1 : seam.posix.getsockopt(fd, level, name, value, size);
}

static inline int seam_clock(clockid_t clock, struct timespec *now)
{
    return seam_fails(SEAM_CLOCK) ? -1 : seam.posix.clock_gettime(clock, now);
}

static inline int seam_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    int saved = errno;
    int rc = seam_fails(SEAM_SETCLOCK) ? errno : seam.posix.condattr_setclock(attributes, clock);

    errno = saved;
    return rc;
}

static inline int seam_sigaction(int number, const struct sigaction *action, struct sigaction *was)
{
    return seam_fails(SEAM_SIGACTION) ? -1 : seam.posix.sigaction(number, action, was);
}

static inline int seam_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    return seam_fails(SEAM_WAITID) ? -1 : seam.posix.waitid(type, id, info, options);
}

static inline int seam_kill(pid_t pid, int number)
{
    return seam_fails(SEAM_KILL) ? -1 : seam.posix.kill(pid, number);
}

static inline int seam_open(const char *path, int flags)
{
    return seam_fails(SEAM_OPEN) ? -1 : seam.posix.open(path, flags);
}

static inline int seam_fstatat(int folder, const char *path, struct stat *status, int flags)
{
    return seam_fails(SEAM_FSTATAT) ? -1 : seam.posix.fstatat(folder, path, status, flags);
}

static inline char *seam_getcwd(char *buffer, size_t size)
{
    return seam_fails(SEAM_GETCWD) ? NULL : seam.posix.getcwd(buffer, size);
}

static inline DIR *seam_fdopendir(int fd)
{
    return seam_fails(SEAM_FDOPENDIR) ? NULL : seam.posix.fdopendir(fd);
}

static inline struct dirent *seam_readdir(DIR *folder)
{
    return seam_fails(SEAM_READDIR) ? NULL : seam.posix.readdir(folder);
}

/* Whatever it says, the descriptor is closed, as with close. */
static inline int seam_closedir(DIR *folder)
{
    bool fails = seam_fails(SEAM_CLOSEDIR);
    int error = errno;
    int rc = seam.posix.closedir(folder);

    if (!fails)
        return rc;
    errno = error;
    return -1;
}

#if PLX__HAS_EPOLL

static inline int seam_inotify_init(int flags)
{
    return seam_fails(SEAM_INOTIFY_INIT) ? -1 : seam.system.inotify_init1(flags);
}

static inline int seam_inotify_add(int inotify, const char *path, uint32_t mask)
{
    return seam_fails(SEAM_INOTIFY_ADD) ? -1 : seam.system.inotify_add_watch(inotify, path, mask);
}

static inline int seam_inotify_remove(int inotify, int watch)
{
    return seam_fails(SEAM_INOTIFY_REMOVE) ? -1 : seam.system.inotify_rm_watch(inotify, watch);
}

static inline int seam_fionread(int fd, int *bytes)
{
    return seam_fails(SEAM_FIONREAD) ? -1 : seam.system.fionread(fd, bytes);
}

static inline long seam_getdents(int folder, void *buffer, size_t size)
{
    return seam_fails(SEAM_GETDENTS) ? -1 : seam.system.getdents64(folder, buffer, size);
}

static inline int seam_epoll_create(int flags)
{
    return seam_fails(SEAM_EPOLL_CREATE) ? -1 : seam.system.epoll_create1(flags);
}

static inline int seam_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    return seam_fails(SEAM_EPOLL_CTL) ? -1 : seam.system.epoll_ctl(epoll, operation, fd, event);
}

static inline int seam_epoll_wait(int epoll, struct epoll_event *events, int capacity, int milliseconds)
{
    return seam_fails(SEAM_EPOLL_WAIT) ? -1 : seam.system.epoll_wait(epoll, events, capacity, milliseconds);
}

static inline int seam_epoll_pwait2(int epoll, struct epoll_event *events, int capacity,
                                    const plx__timespec64 *timeout)
{
    return seam_fails(SEAM_EPOLL_PWAIT2) ? -1 : seam.system.epoll_pwait2(epoll, events, capacity, timeout);
}

static inline int seam_eventfd(unsigned value, int flags)
{
    int fd = seam_fails(SEAM_EVENTFD) ? -1 : seam.system.eventfd(value, flags);

    if (fd >= 0)
        atomic_store(&seam.last_eventfd, fd);
    return fd;
}

static inline int seam_dup3(int from, int onto, int flags)
{
    return seam_fails(SEAM_DUP3) ? -1 : seam.system.dup3(from, onto, flags);
}

static inline int seam_pidfd_open(pid_t pid, unsigned flags)
{
    return seam_fails(SEAM_PIDFD_OPEN) ? -1 : seam.system.pidfd_open(pid, flags);
}

static inline int seam_timerfd_create(int clock, int flags)
{
    return seam_fails(SEAM_TIMERFD_CREATE) ? -1 : seam.system.timerfd_create(clock, flags);
}

static inline int seam_timerfd_settime(int timer, int flags, const struct itimerspec *when, struct itimerspec *was)
{
    return seam_fails(SEAM_TIMERFD_SETTIME) ? -1 : seam.system.timerfd_settime(timer, flags, when, was);
}

static inline int seam_membarrier(int command)
{
    return seam_fails(SEAM_MEMBARRIER) ? -1 : seam.system.membarrier(command);
}

#if PLX__HAS_IO_URING

static inline int seam_uring_setup(uint32_t entries, struct io_uring_params *params)
{
    return seam_fails(SEAM_URING_SETUP) ? -1 : seam.system.io_uring_setup(entries, params);
}

static inline int seam_uring_enter(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how,
                                   size_t size)
{
    return seam_fails(SEAM_URING_ENTER) ? -1 : seam.system.io_uring_enter(ring, submit, least, flags, how, size);
}

static inline int seam_uring_register(int ring, uint32_t what, void *argument, uint32_t count)
{
    return seam_fails(SEAM_URING_REGISTER) ? -1 : seam.system.io_uring_register(ring, what, argument, count);
}

static inline void *seam_mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset)
{
    return seam_fails(SEAM_MMAP) ? (void *)-1 : seam.system.mmap(where, size, protection, flags, fd, offset);
}

static inline int seam_munmap(void *memory, size_t size)
{
    return seam_fails(SEAM_MUNMAP) ? -1 : seam.system.munmap(memory, size);
}

#endif

#endif

#if PLX__HAS_KQUEUE

static inline int seam_kqueue(void)
{
    return seam_fails(SEAM_KQUEUE) ? -1 : seam.kqueue.kqueue();
}

static inline bool seam_kevent_wakes(const struct kevent *changes, int change_count)
{
#ifdef PLX__KQUEUE_USER
    return change_count == 1 && changes->filter == PLX__KQUEUE_USER && changes->fflags & NOTE_TRIGGER;
#else /* an end that is looked at again */
    return change_count == 1 && changes->filter == EVFILT_READ && changes->flags == (EV_ADD | EV_CLEAR);
#endif
}

static inline int seam_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                              int capacity, const struct timespec *timeout)
{
    return seam_fails(seam_kevent_wakes(changes, change_count) ? SEAM_KEVENT_WAKE : SEAM_KEVENT)
               ? -1
               : seam.kqueue.kevent(kq, changes, change_count, events, capacity, timeout);
}

#endif

#if PLX__HAS_EVENT_PORTS

static inline int seam_port_create(void)
{
    return seam_fails(SEAM_PORT_CREATE) ? -1 : seam.ports.port_create();
}

static inline int seam_port_associate(int port, int source, uintptr_t object, int events, void *user)
{
    return seam_fails(SEAM_PORT_ASSOCIATE) ? -1 : seam.ports.port_associate(port, source, object, events, user);
}

static inline int seam_port_dissociate(int port, int source, uintptr_t object)
{
    return seam_fails(SEAM_PORT_DISSOCIATE) ? -1 : seam.ports.port_dissociate(port, source, object);
}

static inline int seam_port_getn(int port, port_event_t *events, unsigned most, unsigned *count,
                                 const struct timespec *timeout)
{
    return seam_fails(SEAM_PORT_GETN) ? -1 : seam.ports.port_getn(port, events, most, count, timeout);
}

static inline int seam_port_send(int port, int events, void *user)
{
    return seam_fails(SEAM_PORT_SEND) ? -1 : seam.ports.port_send(port, events, user);
}

static inline int seam_port_alert(int port, int flags, int events, void *user)
{
    return seam_fails(SEAM_PORT_ALERT) ? -1 : seam.ports.port_alert(port, flags, events, user);
}

#if PLX__HAS_ALARM

static inline int seam_timerfd_create(int clock, int flags)
{
    return seam_fails(SEAM_TIMERFD_CREATE) ? -1 : seam.ports.timerfd_create(clock, flags);
}

static inline int seam_timerfd_settime(int timer, int flags, const struct itimerspec *when, struct itimerspec *was)
{
    return seam_fails(SEAM_TIMERFD_SETTIME) ? -1 : seam.ports.timerfd_settime(timer, flags, when, was);
}

#endif
#endif

/* Every call from here on fails no more, and counts from 0. */
static inline void seam_reset(void)
{
    atomic_store(&seam.fail_call, SEAM_CALLS);
    atomic_store(&seam.fail_at, 0);
    atomic_store(&seam.fail_each, 0);
    atomic_store(&seam.failed, 0);
    for (int i = 0; i < SEAM_CALLS; i++)
        atomic_store(&seam.made[i], 0);
}

/* Once, before there are threads. */
static inline void seam_install(void)
{
    seam.posix = plx__posix;
    plx__posix = (plx__posix_calls){
        .close = seam_close,
        .read = seam_read,
        .write = seam_write,
        .pipe = seam_pipe,
        .fstat = seam_fstat,
        .getfl = seam_getfl,
        .poll = seam_poll,
        .recv = seam_recv,
        .getsockopt = seam_getsockopt,
        .clock_gettime = seam_clock,
        .condattr_setclock = seam_setclock,
        .sigaction = seam_sigaction,
        .waitid = seam_waitid,
        .kill = seam_kill,
        .open = seam_open,
        .fstatat = seam_fstatat,
        .getcwd = seam_getcwd,
        .fdopendir = seam_fdopendir,
        .readdir = seam_readdir,
        .closedir = seam_closedir,
    };
#if PLX__HAS_EPOLL
    seam.system = plx__linux;
    plx__linux = (plx__linux_calls){
        .epoll_create1 = seam_epoll_create,
        .epoll_ctl = seam_epoll_ctl,
        .epoll_wait = seam_epoll_wait,
        .epoll_pwait2 = seam_epoll_pwait2,
        .eventfd = seam_eventfd,
        .dup3 = seam_dup3,
        .pidfd_open = seam_pidfd_open,
        .timerfd_create = seam_timerfd_create,
        .timerfd_settime = seam_timerfd_settime,
        .membarrier = seam_membarrier,
#if PLX__HAS_IO_URING
        .io_uring_setup = seam_uring_setup,
        .io_uring_enter = seam_uring_enter,
        .io_uring_register = seam_uring_register,
        .mmap = seam_mmap,
        .munmap = seam_munmap,
#endif
        .inotify_init1 = seam_inotify_init,
        .inotify_add_watch = seam_inotify_add,
        .inotify_rm_watch = seam_inotify_remove,
        .fionread = seam_fionread,
        .getdents64 = seam_getdents,
    };
#endif
#if PLX__HAS_KQUEUE
    seam.kqueue = plx__kqueue;
    plx__kqueue = (plx__kqueue_calls){.kqueue = seam_kqueue, .kevent = seam_kevent};
#endif
#if PLX__HAS_EVENT_PORTS
    seam.ports = plx__ports;
    plx__ports = (plx__ports_calls){
        .port_create = seam_port_create,
        .port_associate = seam_port_associate,
        .port_dissociate = seam_port_dissociate,
        .port_getn = seam_port_getn,
        .port_send = seam_port_send,
        .port_alert = seam_port_alert,
#if PLX__HAS_ALARM
        .timerfd_create = seam_timerfd_create,
        .timerfd_settime = seam_timerfd_settime,
#endif
    };
#endif
    seam_reset();
}

/* The call of this number from now on, of those to `call`, fails with this error; 0: none. */
static inline void seam_fail(enum seam_call call, long number, int error)
{
    atomic_store(&seam.fail_at, atomic_load(&seam.made[call]) + number);
    atomic_store(&seam.fail_error, error);
    atomic_store(&seam.failed, 0);
    atomic_store(&seam.fail_call, number ? (int)call : (int)SEAM_CALLS);
}

/* The call that a backend wakes its kernel with. */
static inline enum seam_call seam_wake(plx_backend backend)
{
    if (backend == PLX_BACKEND_KQUEUE)
        return SEAM_KEVENT_WAKE;
    return backend == PLX_BACKEND_EVENT_PORTS ? SEAM_PORT_SEND : SEAM_WRITE;
}

/* All that count as system calls: a clock is read without one, and conditions are the C library's. */
static inline long seam_total(void)
{
    long total = 0;

    for (int i = 0; i < SEAM_CALLS; i++)
        total += i == SEAM_CLOCK || i == SEAM_SETCLOCK ? 0 : atomic_load(&seam.made[i]);
    return total;
}

#endif
