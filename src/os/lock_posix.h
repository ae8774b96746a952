/* SPDX-License-Identifier: MIT */
/* Locks by POSIX threads: what lock.h needs inline. */
#ifndef PLX__LOCK_POSIX_H
#define PLX__LOCK_POSIX_H

#include <pollux.h>

#include <pthread.h>

typedef struct plx__lock {
    pthread_mutex_t mutex;
} plx__lock;

/* For a lock that lives as long as the process. */
#define PLX__LOCK_INITIALIZER {PTHREAD_MUTEX_INITIALIZER}

typedef struct plx__condition {
    pthread_cond_t cond;
    bool sliced;      /* it cannot be timed by the monotonic clock */
    uint32_t signals; /* so far; under the lock */
} plx__condition;

static inline void plx__lock_take(plx__lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
}

static inline bool plx__lock_try(plx__lock *lock)
{
    return pthread_mutex_trylock(&lock->mutex) == 0;
}

static inline void plx__lock_drop(plx__lock *lock)
{
    pthread_mutex_unlock(&lock->mutex);
}

#endif
