/* SPDX-License-Identifier: MIT */
/*
 * What the tests of io_uring share: a poller on it, or a skip by the name of what is missing;
 * what it says of itself; its thread, seen from another; filters of the kernel that deny a call.
 */
#ifndef FAULT_URING_H
#define FAULT_URING_H

#include "../seam.h"

#if PLX__HAS_IO_URING

#include "core/core.h"
#include "os/uring.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static plx_poller *poller;
static plx_registry *registry;

/* ---- The poller ------------------------------------------------------------------------ */

static inline void uring_need(void)
{
    const char *obstacle = plx__ring_obstacle();

    if (obstacle)
        SKIP("no io_uring: %s", obstacle);
}

static inline void uring_open_with(const plx_allocator *memory)
{
    plx_options options = {.backend = PLX_BACKEND_IO_URING, .allocator = memory};

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    registry = plx_poller_registry(poller);
}

static inline void uring_open(void)
{
    uring_open_with(NULL);
}

static inline bool described(const plx_poller *which, const char *phrase)
{
    char text[600];

    CHECK(plx_poller_describe(which, text, sizeof text) < (int)sizeof text);
    return strstr(text, phrase) != NULL;
}

/* Whether the poller goes on with its epoll set. */
static inline bool uring_moved(void)
{
    return described(poller, "; by epoll");
}

/* ---- Entering it ----------------------------------------------------------------------- */

static atomic_int uring_asleep; /* calls that are to wait, begun and not ended */

static inline int uring_watched_enter(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how,
                                      size_t size)
{
    atomic_fetch_add(&uring_asleep, least > 0);
    int rc = seam_uring_enter(ring, submit, least, flags, how, size);
    int saved = errno;
    atomic_fetch_sub(&uring_asleep, least > 0);
    errno = saved;
    return rc;
}

/* After seam_install. */
static inline void uring_watch(void)
{
    plx__linux.io_uring_enter = uring_watched_enter;
}

/* The lock is free then: who comes now finds a thread in the ring. */
static inline void uring_await_sleeper(void)
{
    await_count(&uring_asleep, 1);
}

/* ---- The ring's thread ------------------------------------------------------------------- */

/* It does what it is told, one after the other. */
enum uring_order { URING_REST, URING_WAIT_NOW, URING_WAIT_LONG, URING_END };

static atomic_int uring_order; /* URING_REST: carried out */
static plx_event uring_events[16];
static int uring_count;        /* of the last wait's events */
static pthread_t uring_thread;
static bool uring_elsewhere;   /* it is not this one */

static inline void *uring_carry_out(void *unused)
{
    for (int now; (now = atomic_load(&uring_order)) != URING_END;) {
        if (now == URING_REST) {
            sleep_for(PLX_USEC(20));
            continue;
        }
        uring_count = plx_poller_wait(poller, uring_events, 16, now == URING_WAIT_NOW ? 0 : PLX_FOREVER);
        atomic_store(&uring_order, URING_REST);
    }
    return unused;
}

static inline void uring_await_rest(void)
{
    while (atomic_load(&uring_order) != URING_REST)
        sleep_for(PLX_USEC(20));
}

static inline void uring_begin(bool elsewhere)
{
    uring_elsewhere = elsewhere;
    atomic_store(&uring_order, URING_REST);
    if (elsewhere)
        uring_thread = thread_start(uring_carry_out, NULL);
}

static inline void uring_end(void)
{
    if (uring_elsewhere) {
        atomic_store(&uring_order, URING_END);
        thread_join(uring_thread);
    }
    uring_elsewhere = false;
}

/* One wait that does not sleep; how many events. */
static inline int uring_wait(void)
{
    if (!uring_elsewhere)
        return plx_poller_wait(poller, uring_events, 16, 0);
    atomic_store(&uring_order, URING_WAIT_NOW);
    uring_await_rest();
    return uring_count;
}

/* One that does; returns when the thread is in the ring. */
static inline void uring_sleep(void)
{
    atomic_store(&uring_order, URING_WAIT_LONG);
    uring_await_sleeper();
}

/* ---- Descriptors ----------------------------------------------------------------------- */

/* Room for so many more than a program has anyway, or a skip. */
static inline void descriptors_need(rlim_t count)
{
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_max < count + 64)
        SKIP("RLIMIT_NOFILE is %ju, and it takes %ju", (uintmax_t)limit.rlim_max, (uintmax_t)count + 64);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static inline int open_counter(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    CHECK(fd >= 0);
    return fd;
}

static inline void raise_counter(int fd)
{
    uint64_t one = 1;

    CHECK_EQ(write(fd, &one, sizeof one), (intmax_t)sizeof one);
}

static inline void lower_counter(int fd)
{
    uint64_t number;

    CHECK_EQ(read(fd, &number, sizeof number), (intmax_t)sizeof number);
}

/* A ring that was left to the kernel lets go of its files in some milliseconds; a machine may stand still. */
enum { LATER_MS = 10000 };

/*
 * Whether an end of a pair is told within so many milliseconds that the other is gone: an end of
 * file, or a reset if something was left unread there.
 */
static inline bool at_end(int fd, int milliseconds)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    char bytes[64];
    ssize_t count;

    if (poll(&look, 1, milliseconds) != 1)
        return false;
    while ((count = read(fd, bytes, sizeof bytes)) > 0) {
    }
    return count == 0 || errno == ECONNRESET;
}

/* ---- The kernel's own refusal ------------------------------------------------------------ */

static inline bool kernel_denies(int call, int error)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static inline void deny(int call, int error)
{
    if (!kernel_denies(call, error))
        SKIP("the kernel takes no seccomp filter: %s", strerror(errno));
}

/* ---- Children ---------------------------------------------------------------------------- */

static inline pid_t child_start(void)
{
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        watchdog(20);
    return pid;
}

/* A check that fails in it has printed why. */
static inline void child_end(pid_t pid)
{
    int status;

    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHECK_SKIPPED)
        check_stop(CHECK_SKIPPED);
    CHECK_EQ(WEXITSTATUS(status), 0);
}

#endif

#endif
