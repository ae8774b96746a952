/* SPDX-License-Identifier: MIT */
/*
 * Signals and children. Real-time signals carry a number, and fewer are unread than are kept:
 * each comes, in order. SIGUSR1 and SIGUSR2 merge in the kernel and beyond what is kept: they
 * come as often as they were sent or less, and once at least after the last. Children exit with a
 * status or are killed.
 */
#ifndef TESTS_SOAK_SYSTEM_H
#define TESTS_SOAK_SYSTEM_H

#include "subject.h"

#include <sys/prctl.h>
#include <sys/wait.h>

enum { SIGNALS_UNREAD = 1000, SIGNALS_AT_ONCE = 8, CHILDREN = 32 };

struct child {
    pid_t pid; /* 0: no child */
    plx_process *process;
    plx_exit status; /* as it will be */
    bool waits;      /* to be killed */
};

static plx_signals *counted, *merged;
static atomic_int counted_sent, counted_told;
static atomic_long merged_sent, merged_told;

static struct child children[CHILDREN];
static random_state child_random;
static uint32_t children_alive;
static uint64_t children_ended;
static plx_nanos next_child;

/* ---- Signals ----------------------------------------------------------------------------- */

static void signals_open(void)
{
    CHECK_RC(plx_signals_open(registry, token_of(COUNTED, 0, 0), (int[]){SIGRTMIN}, 1, &counted), 0);
    CHECK_RC(plx_signals_open(registry, token_of(MERGED, 0, 0), (int[]){SIGUSR1, SIGUSR2}, 2, &merged), 0);
}

/* One thread. The process may have as many pending as the system lets it. */
static void signal_feed(random_state *random)
{
    if (counted_sent - counted_told < SIGNALS_UNREAD) {
        int rc = sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = counted_sent});
        CHECK(rc == 0 || errno == EAGAIN);
        counted_sent += rc == 0;
    }
    CHECK(kill(getpid(), random_below(random, 2) ? SIGUSR1 : SIGUSR2) == 0);
    merged_sent++;
}

static void signals_event(const plx_event *event)
{
    plx_signals *signals = kind_of(event->token) == COUNTED ? counted : merged;
    plx_signal_info info;
    int rc = 0;

    CHECK_EQ(event->flags, PLX_SIGNAL);
    for (int i = 0; i < SIGNALS_AT_ONCE && (rc = plx_signals_next(signals, &info)) == 0; i++) {
        CHECK_EQ(info.pid, getpid());
        if (signals == counted) {
            CHECK_EQ(info.number, SIGRTMIN);
            CHECK_EQ(info.status, counted_told++);
        } else {
            CHECK(info.number == SIGUSR1 || info.number == SIGUSR2);
            merged_told++;
        }
    }
    CHECK(rc == 0 || rc == -EAGAIN);
}

static bool signals_owed(void)
{
    plx_signal_info info;
    bool unread = plx_signals_next(merged, &info) == 0;

    merged_told += unread;
    CHECK(merged_told <= merged_sent);
    return unread || counted_told != counted_sent;
}

/* ---- Children ---------------------------------------------------------------------------- */

_Noreturn static void child_live(const struct child *self, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (self->waits && getppid() == parent)
        pause();
    _Exit(self->status.code);
}

static void child_start(struct child *self)
{
    pid_t parent = getpid();

    *self = (struct child){.waits = random_below(&child_random, 2)};
    if (self->waits)
        self->status.signal = random_below(&child_random, 2) ? SIGKILL : SIGTERM;
    else
        self->status.code = (int)random_below(&child_random, 256);
    self->pid = fork();
    CHECK(self->pid >= 0);
    if (self->pid == 0)
        child_live(self, parent);
    CHECK_RC(plx_process_open(registry, token_of(CHILD, 0, (uint32_t)(self - children)), self->pid, &self->process),
             0);
    children_alive++;
}

/* Between two waits: one may begin, one may be killed. */
static void children_tend(bool start)
{
    struct child *self = &children[random_below(&child_random, CHILDREN)];

    if (start && plx_now() < next_child)
        return;
    next_child = plx_now() + PLX_MSEC(20);
    if (!self->pid && start)
        child_start(self);
    else if (self->pid && self->waits)
        CHECK(kill(self->pid, self->status.signal) == 0);
}

static void child_event(const plx_event *event)
{
    struct child *self = &children[plx_token_index(event->token)];
    plx_exit status;

    CHECK_EQ(event->flags, PLX_PROCESS);
    CHECK_RC(plx_process_status(self->process, &status), 0);
    CHECK_EQ(status.code, self->status.code);
    CHECK_EQ(status.signal, self->status.signal);
    plx_process_close(self->process);
    CHECK(waitpid(self->pid, NULL, WNOHANG) < 0 && errno == ECHILD);
    self->pid = 0;
    children_alive--;
    children_ended++;
}

#endif
