/* SPDX-License-Identifier: MIT */
/*
 * Locks and conditions, by POSIX threads. Conditions are timed by the monotonic clock. Where
 * they can only be timed by the time of day, which may be set back by hours while somebody
 * waits, a timed wait is a number of short sleeps instead.
 */
#include "os/config.h"

#include "os/clock.h"
#include "os/lock.h"

#if PLX__HAS_POSIX && PLX__HAS_THREADS && !PLX__HAS_FUTEX

#include "os/posix.h"

#include <time.h>

/* A sleep lasts as long as those before it together, and no longer than this. */
#define LOCK_SLICE PLX_MSEC(5)

int plx__lock_init(plx__lock *lock)
{
    return -pthread_mutex_init(&lock->mutex, NULL);
}

void plx__lock_fini(plx__lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

int plx__condition_init(plx__condition *condition)
{
    pthread_condattr_t attributes;
    int rc = -pthread_condattr_init(&attributes);

    if (rc < 0)
        return rc;
    condition->sliced = plx__posix.condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0;
    condition->signals = 0;
    rc = -pthread_cond_init(&condition->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    return rc;
}

void plx__condition_fini(plx__condition *condition)
{
    pthread_cond_destroy(&condition->cond);
}

int plx__condition_wait(plx__condition *condition, plx__lock *lock)
{
    pthread_cond_wait(&condition->cond, &lock->mutex);
    return 0;
}

static void condition_sleep(plx__lock *lock, plx_nanos duration)
{
    struct timespec slice = {.tv_nsec = (long)duration};
    int saved = errno;

    plx__lock_drop(lock);
    (void)nanosleep(&slice, NULL);
    plx__lock_take(lock);
    errno = saved;
}

static void condition_wait_sliced(plx__condition *condition, plx__lock *lock, plx_nanos deadline)
{
    uint32_t signals = condition->signals;
    plx_nanos slice = PLX_USEC(20);

    /* cppcheck-suppress knownConditionTrueFalse ; others signal while condition_sleep has dropped the lock */
    for (plx_nanos now; signals == condition->signals && (now = plx__clock_now()) < deadline;) {
        condition_sleep(lock, deadline - now < slice ? deadline - now : slice);
        slice = slice < LOCK_SLICE ? slice * 2 : LOCK_SLICE;
    }
}

void plx__condition_wait_until(plx__condition *condition, plx__lock *lock, plx_nanos deadline)
{
    if (condition->sliced) {
        condition_wait_sliced(condition, lock, deadline);
        return;
    }
    if (deadline < 0)
        deadline = 0;
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000)};
    pthread_cond_timedwait(&condition->cond, &lock->mutex, &until);
}

void plx__condition_signal(plx__condition *condition)
{
    condition->signals++;
    pthread_cond_signal(&condition->cond);
}

void plx__condition_broadcast(plx__condition *condition)
{
    condition->signals++;
    pthread_cond_broadcast(&condition->cond);
}

#endif
