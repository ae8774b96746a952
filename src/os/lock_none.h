/* SPDX-License-Identifier: MIT */
/* Locks where there is one thread: what lock.h needs inline. A lock that is free is all there is. */
#ifndef PLX__LOCK_NONE_H
#define PLX__LOCK_NONE_H

#include <pollux.h>

typedef struct plx__lock {
    bool unused;
} plx__lock;

/* For a lock that lives as long as the process. */
#define PLX__LOCK_INITIALIZER {false}

typedef struct plx__condition {
    bool unused;
} plx__condition;

static inline void plx__lock_take(plx__lock *lock)
{
    (void)lock;
}

static inline bool plx__lock_try(plx__lock *lock)
{
    (void)lock;
    return true;
}

static inline void plx__lock_drop(plx__lock *lock)
{
    (void)lock;
}

#endif
