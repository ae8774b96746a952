/* SPDX-License-Identifier: MIT */
/*
 * Locks and conditions: one holder at a time under contention, nobody left asleep, timed
 * waits that never end early, and who is woken by a signal and by a broadcast.
 */
#include "os/config.h"

#include "../tools.h"

#include "os/clock.h"
#include "os/lock.h"

enum { THREADS = 4 };

static plx__lock lock;
static plx__condition condition;
static long guarded, tried; /* under the lock, and no atomics: TSan watches */

/* Every other time with something to do outside, so that the lock is met free and held. */
static void *count_up(void *argument)
{
    long *own = argument;
    random_state random = {(uintptr_t)argument};
    plx_nanos end = plx__clock_now() + PLX_SEC(2); /* on a busy machine each yield is long */

    for (int i = 0; i < ROUNDS(300000) && (i % 64 || plx__clock_now() < end); i++) {
        if (random_below(&random, 8) == 0) {
            if (!plx__lock_try(&lock))
                continue;
            tried++;
        } else {
            plx__lock_take(&lock);
        }
        long before = guarded;
        if (random_below(&random, 64) == 0)
            sched_yield();
        guarded = before + 1;
        plx__lock_drop(&lock);
        ++*own;
    }
    return NULL;
}

static void one_thread_at_a_time_holds_a_lock(void)
{
    pthread_t threads[THREADS];
    long own[THREADS] = {0}, sum = 0;

    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(count_up, &own[i]);
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
        sum += own[i];
    }
    CHECK_EQ(guarded, sum);
    CHECK(sum >= tried);
    CHECK(plx__lock_try(&lock));
    CHECK(!plx__lock_try(&lock));
    plx__lock_drop(&lock);
}

/* The holder sleeps, so that the others do: each drop must wake one of them. */
static void *hold_long(void *unused)
{
    for (int i = 0; i < 20; i++) {
        plx__lock_take(&lock);
        sleep_for(PLX_USEC(300));
        plx__lock_drop(&lock);
    }
    return unused;
}

static void those_that_sleep_for_a_lock_get_it(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(hold_long, NULL);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
}

static void timed_waits_are_never_early_and_end(void)
{
    random_state random = random_start();

    plx__lock_take(&lock);
    for (int i = 0; i < 200; i++) {
        plx_nanos deadline = plx__clock_now() + (plx_nanos)random_below(&random, 2000000);
        while (plx__clock_now() < deadline) {
            plx_nanos before = plx__clock_now();
            plx__condition_wait_until(&condition, &lock, deadline);
            CHECK(plx__clock_now() - before < PLX_SEC(10));
        }
    }
    plx_nanos start = plx__clock_now(), deadline = start + PLX_MSEC(50);
    int returns = 0;
    while (plx__clock_now() < deadline) {
        plx__condition_wait_until(&condition, &lock, deadline);
        returns++;
    }
    CHECK(returns < 100);                             /* it slept, and did not turn in circles */
    plx__condition_wait_until(&condition, &lock, -1); /* the distant past: at once */
    plx__condition_wait_until(&condition, &lock, 0);
    CHECK(!plx__lock_try(&lock)); /* held again */
    plx__lock_drop(&lock);
}

/* ---- Signals and broadcasts ------------------------------------------------------ */

static int sleeping, permits, gone; /* under the lock */

static void *wait_for_permit(void *argument)
{
    bool endless = argument == NULL;

    plx__lock_take(&lock);
    sleeping++;
    while (permits == 0)
        if (endless)
            plx__condition_wait(&condition, &lock);
        else
            plx__condition_wait_until(&condition, &lock, INT64_MAX);
    permits--;
    gone++;
    plx__lock_drop(&lock);
    return NULL;
}

static void await_under_lock(const int *value, int expected)
{
    for (;;) {
        plx__lock_take(&lock);
        int now = *value;
        plx__lock_drop(&lock);
        CHECK(now <= expected);
        if (now == expected)
            return;
        sleep_for(PLX_USEC(100));
    }
}

static void signals_wake_one_and_broadcasts_all(void)
{
    for (int round = 0; round < 20; round++) {
        pthread_t threads[THREADS];
        sleeping = permits = gone = 0;
        for (int i = 0; i < THREADS; i++)
            threads[i] = thread_start(wait_for_permit, i % 2 ? &permits : NULL);
        await_under_lock(&sleeping, THREADS);
        plx__lock_take(&lock);
        permits = 1;
        plx__condition_signal(&condition);
        plx__lock_drop(&lock);
        await_under_lock(&gone, 1);
        plx__lock_take(&lock);
        permits = THREADS - 1;
        plx__condition_broadcast(&condition);
        plx__lock_drop(&lock);
        await_under_lock(&gone, THREADS);
        for (int i = 0; i < THREADS; i++)
            thread_join(threads[i]);
    }
}

/* A signal between the look at the condition and the sleep is not lost. */
static int turns; /* under the lock */

static void *take_every_other(void *argument)
{
    int mine = argument != NULL;

    for (int i = 0; i < ROUNDS(20000); i++) {
        plx__lock_take(&lock);
        while (turns % 2 != mine)
            plx__condition_wait(&condition, &lock);
        turns++;
        plx__condition_signal(&condition);
        plx__lock_drop(&lock);
    }
    return NULL;
}

static void no_signal_is_lost(void)
{
    pthread_t one = thread_start(take_every_other, NULL), other = thread_start(take_every_other, &lock);

    thread_join(one);
    thread_join(other);
    CHECK_EQ(turns, 2 * ROUNDS(20000));
}

static void everything(void)
{
    CHECK_EQ(plx__lock_init(&lock), 0);
    CHECK_EQ(plx__condition_init(&condition), 0);
    one_thread_at_a_time_holds_a_lock();
    those_that_sleep_for_a_lock_get_it();
    timed_waits_are_never_early_and_end();
    signals_wake_one_and_broadcasts_all();
    no_signal_is_lost();
    plx__condition_fini(&condition);
    plx__lock_fini(&lock);
}

#if PLX__HAS_POSIX && !PLX__HAS_FUTEX
#include "os/posix.h"

static int refuse_clock(pthread_condattr_t *attributes, clockid_t clock)
{
    (void)attributes;
    (void)clock;
    return EINVAL;
}

/* As where conditions cannot be timed by the monotonic clock. */
static void everything_in_slices(void)
{
    guarded = tried = 0;
    turns = 0;
    plx__posix.condattr_setclock = refuse_clock;
    everything();
}

#else

static void everything_in_slices(void)
{
}

#endif

int main(void)
{
    watchdog(100);
    everything();
    everything_in_slices();
    return 0;
}
