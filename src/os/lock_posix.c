/* SPDX-License-Identifier: MIT */
/* Locks and conditions, by POSIX threads. Conditions are timed by the monotonic clock. */
#include "os/config.h"

#include "os/lock.h"

#if PLX__HAS_POSIX && !PLX__HAS_FUTEX

#include <time.h>

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
    rc = -pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = -pthread_cond_init(&condition->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    return rc;
}

void plx__condition_fini(plx__condition *condition)
{
    pthread_cond_destroy(&condition->cond);
}

void plx__condition_wait(plx__condition *condition, plx__lock *lock)
{
    pthread_cond_wait(&condition->cond, &lock->mutex);
}

void plx__condition_wait_until(plx__condition *condition, plx__lock *lock, plx_nanos deadline)
{
    if (deadline < 0)
        deadline = 0;
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000)};
    pthread_cond_timedwait(&condition->cond, &lock->mutex, &until);
}

void plx__condition_signal(plx__condition *condition)
{
    pthread_cond_signal(&condition->cond);
}

void plx__condition_broadcast(plx__condition *condition)
{
    pthread_cond_broadcast(&condition->cond);
}

#endif
