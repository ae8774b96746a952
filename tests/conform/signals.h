/* SPDX-License-Identifier: MIT */
/* What the cases of signals and processes share. */
#ifndef CONFORM_SIGNALS_H
#define CONFORM_SIGNALS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A case that needs what macOS and OpenBSD lack. */
#ifndef SIGRTMIN
#define NO_REALTIME_SIGNALS(name) \
    CASE(name) \
    { \
        SKIP("real-time signals are missing"); \
    }
#endif

#ifdef SIGRTMIN
/* As many may be pending as all programs of the user share. */
static inline void send_value(int number, int value)
{
    while (sigqueue(getpid(), number, (union sigval){.sival_int = value}) != 0) {
        CHECK_EQ(errno, EAGAIN);
        sched_yield();
    }
}
#endif

static inline plx_signals *watch(plx_poller *poller, plx_token token, const int *numbers, int count)
{
    plx_signals *signals;
    CHECK_RC(plx_signals_open(plx_poller_registry(poller), token, numbers, count, &signals), 0);
    return signals;
}

static inline plx_signals *watch_one(plx_poller *poller, plx_token token, int number)
{
    return watch(poller, token, &number, 1);
}

/* The oldest, which must have this number. */
static inline plx_signal_info next_of(plx_signals *signals, int number)
{
    plx_signal_info info = {0};
    CHECK_RC(plx_signals_next(signals, &info), 0);
    CHECK_EQ(info.number, number);
    return info;
}

static inline void expect_none(plx_signals *signals)
{
    plx_signal_info info = {.number = 4711};
    CHECK_RC(plx_signals_next(signals, &info), -EAGAIN);
    CHECK_EQ(info.number, 4711);
}

/* With one thread it is handled when this returns. */
static inline void send_self(int number)
{
    CHECK(kill(getpid(), number) == 0);
}

static inline void hear_nothing(int number)
{
    (void)number;
}

/* SA_NOCLDWAIT, which a user-mode emulator does not pass on. */
static inline void need_ignored_children_to_vanish(void)
{
    struct sigaction before, ignore = {.sa_handler = hear_nothing, .sa_flags = SA_NOCLDWAIT | SA_RESTART};
    CHECK(sigemptyset(&ignore.sa_mask) == 0 && sigaction(SIGCHLD, &ignore, &before) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(0);
    bool kept = waitpid(child, NULL, 0) == child; /* else it is gone when this returns */
    CHECK(sigaction(SIGCHLD, &before, NULL) == 0);
    if (kept)
        SKIP("ignored children stay until they are waited for here");
}

static inline bool is_default(int number)
{
    struct sigaction now;
    CHECK(sigaction(number, NULL, &now) == 0);
    return !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL;
}

#endif
