/* SPDX-License-Identifier: MIT */
/*
 * Signals and children, where there are any. Fewer signals are unread than are kept, so both
 * objects are told of each, and so is the handler from before. (Thread sanitizers merge what comes
 * while they hold a signal back: then of each that was delivered.) A child ends with a status that is known before.
 */
#ifndef TESTS_EVERYTHING_SYSTEM_H
#define TESTS_EVERYTHING_SYSTEM_H

#include "subject.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES && defined(SIGRTMIN)

#include <sys/wait.h>

enum { UNREAD = 500 };

static plx_signals *signals[SIGNALS];
static atomic_long signals_sent, signals_delivered, signals_told[SIGNALS];

static struct child {
    pthread_mutex_t lock; /* of what its event needs; it may come before plx_process_open returns */
    plx_process *process;
    pid_t pid; /* 0: none */
    int code;
    uint32_t number;
    atomic_bool ended;
} children[WORKERS];

static atomic_long children_ended;

/* ---- Signals ----------------------------------------------------------------------------- */

static void count_delivered(int number)
{
    (void)number;
    atomic_fetch_add(&signals_delivered, 1);
}

static void do_signal(thread *self)
{
    doing(self, "sends a signal", 0);
    for (int i = 0; i < SIGNALS; i++)
        if (atomic_load(TOOLS_TSAN ? &signals_delivered : &signals_sent) - atomic_load(&signals_told[i]) > UNREAD)
            return;
    int rc = sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 0});
    CHECK(rc == 0 || errno == EAGAIN);
    atomic_fetch_add(&signals_sent, rc == 0);
}

/* An object of one's own comes and goes. */
static void do_signals_object(thread *self)
{
    plx_signals *own;
    plx_signal_info info;

    doing(self, "watches signals for a moment", 0);
    if (!done(plx_signals_open(registry, token_of(SIGNAL_0, 1), (int[]){SIGRTMIN, SIGUSR1}, 2, &own)))
        return;
    int rc = plx_signals_next(own, &info);
    CHECK(rc == 0 || rc == -EAGAIN);
    plx_signals_close(own);
}

static void signal_event(int which, uint32_t number)
{
    plx_signal_info info;
    int rc;

    if (number != 0) /* one that is closed by now */
        return;
    while ((rc = plx_signals_next(signals[which], &info)) == 0) {
        CHECK_EQ(info.number, SIGRTMIN);
        CHECK_EQ(info.pid, getpid());
        atomic_fetch_add(&signals_told[which], 1);
    }
    CHECK_RC(rc, -EAGAIN);
}

/* ---- Children ---------------------------------------------------------------------------- */

static void child_finish(thread *self)
{
    struct child *child = &children[self->index];

    if (!child->pid)
        return;
    AWAIT(self, "awaits the end of a child", (int)child->pid, atomic_load(&child->ended));
    if (!atomic_load(&child->ended))
        return;
    plx_process_close(child->process);
    bury(CHILD_0 + self->index, ++child->number);
    CHECK(waitpid(child->pid, NULL, WNOHANG) < 0 && errno == ECHILD);
    child->pid = 0;
}

static void do_child(thread *self)
{
    struct child *child = &children[self->index];

    child_finish(self);
    if (child->pid)
        return;
    doing(self, "starts a child", 0);
    pthread_mutex_lock(&child->lock);
    child->code = (int)random_below(&self->random, 100);
    atomic_store(&child->ended, false);
    child->process = NULL;
    child->pid = fork();
    CHECK(child->pid >= 0);
    if (child->pid == 0)
        _Exit(child->code);
    done(plx_process_open(registry, token_of(CHILD_0 + self->index, child->number), child->pid, &child->process));
    pthread_mutex_unlock(&child->lock);
}

static void child_event(int worker, uint32_t number)
{
    struct child *child = &children[worker];
    plx_exit status;

    pthread_mutex_lock(&child->lock);
    CHECK_EQ(number, child->number);
    CHECK_RC(plx_process_status(child->process, &status), 0);
    CHECK_EQ(status.code, child->code);
    CHECK_EQ(status.signal, 0);
    CHECK(!atomic_exchange(&child->ended, true));
    atomic_fetch_add(&children_ended, 1);
    pthread_mutex_unlock(&child->lock);
}

/* ---- Both -------------------------------------------------------------------------------- */

static void system_open_all(void)
{
    struct sigaction action = {.sa_handler = count_delivered, .sa_flags = SA_RESTART};

    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0);
    atomic_store(&signals_sent, 0);
    atomic_store(&signals_delivered, 0);
    for (int i = 0; i < SIGNALS; i++) {
        atomic_store(&signals_told[i], 0);
        CHECK_RC(plx_signals_open(registry, token_of(SIGNAL_0 + i, 0), (int[]){SIGRTMIN}, 1, &signals[i]), 0);
    }
    for (int i = 0; i < WORKERS; i++)
        children[i] = (struct child){.lock = PTHREAD_MUTEX_INITIALIZER};
}

static bool system_all_came(void)
{
    long delivered = atomic_load(&signals_delivered);
    bool came = TOOLS_TSAN || delivered == atomic_load(&signals_sent);

    for (int i = 0; i < SIGNALS; i++)
        came = came && atomic_load(&signals_told[i]) == delivered;
    return came;
}

static void system_report(void)
{
    for (int i = 0; i < SIGNALS; i++)
        fprintf(stderr, "signals: %ld sent, %ld delivered, %ld told\n", atomic_load(&signals_sent),
                atomic_load(&signals_delivered), atomic_load(&signals_told[i]));
}

/* The poller is closed. */
static void system_close_all(void)
{
    for (int i = 0; i < SIGNALS; i++)
        plx_signals_close(signals[i]);
    for (int i = 0; i < WORKERS; i++) {
        if (!children[i].pid)
            continue;
        plx_process_close(children[i].process);
        CHECK(waitpid(children[i].pid, NULL, 0) == children[i].pid || errno == ECHILD);
    }
}

#else

static atomic_long children_ended;

static void do_signal(thread *self)
{
    (void)self;
}

static void do_signals_object(thread *self)
{
    (void)self;
}

static void do_child(thread *self)
{
    (void)self;
}

static void child_finish(thread *self)
{
    (void)self;
}

static void signal_event(int which, uint32_t number)
{
    (void)which, (void)number;
}

static void child_event(int worker, uint32_t number)
{
    (void)worker, (void)number;
}

static void system_open_all(void) {}
static void system_close_all(void) {}
static void system_report(void) {}

static bool system_all_came(void)
{
    return true;
}

#endif
#endif
