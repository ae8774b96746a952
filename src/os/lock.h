/* SPDX-License-Identifier: MIT */
/*
 * Mutual exclusion, and waiting for a condition under it: on Linux by futex, with a free
 * lock taken and dropped inline, on Windows by SRWLOCK, elsewhere by POSIX threads; none where
 * there is one thread.
 */
#ifndef PLX__LOCK_H
#define PLX__LOCK_H

#include "os/config.h"

#if !PLX__HAS_THREADS
#include "os/lock_none.h"
#elif PLX__HAS_FUTEX
#include "os/lock_futex.h"
#elif PLX__HAS_POSIX
#include "os/lock_posix.h"
#else
#include "os/lock_win32.h"
#endif

int  plx__lock_init(plx__lock *lock);
void plx__lock_fini(plx__lock *lock);
static inline void plx__lock_take(plx__lock *lock);
static inline bool plx__lock_try(plx__lock *lock);
static inline void plx__lock_drop(plx__lock *lock);

/*
 * A condition is waited for under a lock, and signalled under the same. A wait may return
 * without a signal.
 */
int  plx__condition_init(plx__condition *condition);
void plx__condition_fini(plx__condition *condition);
/* 0; -EDEADLK at once where there is no other thread, which could signal it. */
int  plx__condition_wait(plx__condition *condition, plx__lock *lock);
/* The same until `deadline` on the monotonic clock. */
void plx__condition_wait_until(plx__condition *condition, plx__lock *lock, plx_nanos deadline);
void plx__condition_signal(plx__condition *condition);
void plx__condition_broadcast(plx__condition *condition);

#endif
