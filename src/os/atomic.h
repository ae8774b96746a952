/* SPDX-License-Identifier: MIT */
/*
 * Atomics, by C11. Short names for the memory orders, so that each use can say its own.
 */
#ifndef PLX__ATOMIC_H
#define PLX__ATOMIC_H

#include <stdatomic.h>

#define PLX__RELAXED memory_order_relaxed
#define PLX__ACQUIRE memory_order_acquire
#define PLX__RELEASE memory_order_release
#define PLX__ACQ_REL memory_order_acq_rel
#define PLX__SEQ_CST memory_order_seq_cst

#ifdef __has_feature /* clang */
#define PLX__THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define PLX__THREAD_SANITIZER 0
#endif

/*
 * A full fence. Thread sanitizers do not know fences; an exchange orders as much on the
 * machines they run on.
 */
static inline void plx__fence(void)
{
#if defined(__SANITIZE_THREAD__) || PLX__THREAD_SANITIZER
    _Atomic(int) any = 0;
    atomic_exchange_explicit(&any, 1, PLX__SEQ_CST);
#else
    atomic_thread_fence(PLX__SEQ_CST);
#endif
}

#endif
