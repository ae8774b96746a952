/* SPDX-License-Identifier: MIT */
/* Locks by futex: what lock.h needs inline. */
#ifndef PLX__LOCK_FUTEX_H
#define PLX__LOCK_FUTEX_H

#include "os/atomic.h"

#include <pollux.h>

enum { PLX__LOCK_FREE, PLX__LOCK_HELD, PLX__LOCK_AWAITED };

typedef struct plx__lock {
    _Atomic(uint32_t) state; /* acquire when taken, release when dropped */
} plx__lock;

typedef struct plx__condition {
    _Atomic(uint32_t) signals; /* changed under the lock; the futex that waiters sleep on */
    uint32_t sleepers;         /* under the lock */
} plx__condition;

/* For a lock that lives as long as the process. */
#define PLX__LOCK_INITIALIZER {PLX__LOCK_FREE}

void plx__lock_take_slow(plx__lock *lock);
void plx__lock_wake(plx__lock *lock);

static inline bool plx__lock_try(plx__lock *lock)
{
    uint32_t expected = PLX__LOCK_FREE;

    return atomic_compare_exchange_strong_explicit(&lock->state, &expected, PLX__LOCK_HELD, PLX__ACQUIRE,
                                                   PLX__RELAXED);
}

static inline void plx__lock_take(plx__lock *lock)
{
    if (!plx__lock_try(lock))
        plx__lock_take_slow(lock);
}

static inline void plx__lock_drop(plx__lock *lock)
{
    if (atomic_exchange_explicit(&lock->state, PLX__LOCK_FREE, PLX__RELEASE) == PLX__LOCK_AWAITED)
        plx__lock_wake(lock);
}

#endif
