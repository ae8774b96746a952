/* SPDX-License-Identifier: MIT */
/*
 * Locks by SRWLOCK: what lock.h needs inline. Both objects are one pointer that begins as NULL
 * and needs no end; the system's header is left to the file behind this.
 */
#ifndef PLX__LOCK_WIN32_H
#define PLX__LOCK_WIN32_H

#include <pollux.h>

typedef struct plx__lock {
    void *srw;
} plx__lock;

/* For a lock that lives as long as the process. */
#define PLX__LOCK_INITIALIZER {NULL}

typedef struct plx__condition {
    void *variable;
} plx__condition;

void plx__lock_enter(plx__lock *lock);
bool plx__lock_enter_free(plx__lock *lock);
void plx__lock_leave(plx__lock *lock);

static inline void plx__lock_take(plx__lock *lock)
{
    plx__lock_enter(lock);
}

static inline bool plx__lock_try(plx__lock *lock)
{
    return plx__lock_enter_free(lock);
}

static inline void plx__lock_drop(plx__lock *lock)
{
    plx__lock_leave(lock);
}

#endif
