/* SPDX-License-Identifier: MIT */
/*
 * Locks and conditions by futex. A lock is free, held, or held and awaited; who waits marks
 * it awaited, and whoever drops an awaited lock wakes one. A condition is a counter: who
 * waits for it sleeps only while it is what it was under the lock.
 */
#include "os/config.h"

#include "os/clock.h"
#include "os/lock.h"

#if PLX__HAS_FUTEX

#include <limits.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of linux/futex.h, which does not come with every C library; all of them private to the process. */
enum { FUTEX_WAKE_ONE_OR_MORE = 1 | 128, FUTEX_WAIT_UNTIL = 9 | 128 };
#define FUTEX_ANYBODY 0xffffffffu

enum { FUTEX_SPINS = 64 };

/* The old call takes the machine's own word for seconds; further ahead counts as for ever. */
struct futex_timespec {
    long seconds;
    long nanoseconds;
};

static void futex_wait(_Atomic(uint32_t) *word, uint32_t value, const struct futex_timespec *deadline)
{
    int saved = errno;

    (void)syscall(SYS_futex, word, FUTEX_WAIT_UNTIL, value, deadline, NULL, FUTEX_ANYBODY);
    errno = saved;
}

static void futex_wake(_Atomic(uint32_t) *word, int count)
{
    int saved = errno;

    (void)syscall(SYS_futex, word, FUTEX_WAKE_ONE_OR_MORE, count, NULL, NULL, 0);
    errno = saved;
}

int plx__lock_init(plx__lock *lock)
{
    atomic_init(&lock->state, PLX__LOCK_FREE);
    return 0;
}

void plx__lock_fini(plx__lock *lock)
{
    (void)lock;
}

/* The sections are short: a look or two is cheaper than a sleep. */
void plx__lock_take_slow(plx__lock *lock)
{
    for (int i = 0; i < FUTEX_SPINS; i++)
        if (atomic_load_explicit(&lock->state, PLX__RELAXED) == PLX__LOCK_FREE && plx__lock_try(lock))
            return;
    while (atomic_exchange_explicit(&lock->state, PLX__LOCK_AWAITED, PLX__ACQUIRE) != PLX__LOCK_FREE)
        futex_wait(&lock->state, PLX__LOCK_AWAITED, NULL);
}

void plx__lock_wake(plx__lock *lock)
{
    futex_wake(&lock->state, 1);
}

int plx__condition_init(plx__condition *condition)
{
    *condition = (plx__condition){0};
    return 0;
}

void plx__condition_fini(plx__condition *condition)
{
    (void)condition;
}

static void condition_sleep(plx__condition *condition, plx__lock *lock, const struct futex_timespec *deadline)
{
    uint32_t signals = atomic_load_explicit(&condition->signals, PLX__RELAXED);

    condition->sleepers++;
    plx__lock_drop(lock);
    futex_wait(&condition->signals, signals, deadline);
    plx__lock_take(lock);
    condition->sleepers--;
}

int plx__condition_wait(plx__condition *condition, plx__lock *lock)
{
    condition_sleep(condition, lock, NULL);
    return 0;
}

void plx__condition_wait_until(plx__condition *condition, plx__lock *lock, plx_nanos deadline)
{
    plx_nanos seconds = deadline < 0 ? 0 : deadline / 1000000000;
    struct futex_timespec until = {
        .seconds = seconds > LONG_MAX ? LONG_MAX : (long)seconds,
        .nanoseconds = deadline < 0 ? 0 : (long)(deadline % 1000000000),
    };

    condition_sleep(condition, lock, &until);
}

static void condition_wake(plx__condition *condition, int count)
{
    if (condition->sleepers == 0)
        return;
    atomic_fetch_add_explicit(&condition->signals, 1, PLX__RELAXED);
    futex_wake(&condition->signals, count);
}

void plx__condition_signal(plx__condition *condition)
{
    condition_wake(condition, 1);
}

void plx__condition_broadcast(plx__condition *condition)
{
    condition_wake(condition, INT_MAX);
}

#endif
