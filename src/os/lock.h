/* SPDX-License-Identifier: MIT */
/* Mutual exclusion, and waiting for a condition under it. */
#ifndef PLX__LOCK_H
#define PLX__LOCK_H

#include "os/config.h"

#include <pollux.h>

#include <pthread.h>

typedef struct plx__lock {
    pthread_mutex_t mutex;
} plx__lock;

typedef struct plx__condition {
    pthread_cond_t cond;
} plx__condition;

int  plx__lock_init(plx__lock *lock);
void plx__lock_fini(plx__lock *lock);
void plx__lock_take(plx__lock *lock);
bool plx__lock_try(plx__lock *lock);
void plx__lock_drop(plx__lock *lock);

/* A condition is waited for and signalled under the lock that guards it. */
int  plx__condition_init(plx__condition *condition);
void plx__condition_fini(plx__condition *condition);
void plx__condition_wait(plx__condition *condition, plx__lock *lock);
/* The same until `deadline` on the monotonic clock; may return early. */
void plx__condition_wait_until(plx__condition *condition, plx__lock *lock, plx_nanos deadline);
void plx__condition_signal(plx__condition *condition);
void plx__condition_broadcast(plx__condition *condition);

#endif
