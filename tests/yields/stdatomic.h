/* SPDX-License-Identifier: MIT */
/*
 * Stands before the compiler's <stdatomic.h> in a build for tests: before each operation the
 * thread may be made to wait, so that others come in between where they hardly ever do by
 * themselves. What the operations do, and in which order, stays the same.
 */
#ifndef TESTS_YIELDS_STDATOMIC_H
#define TESTS_YIELDS_STDATOMIC_H

#pragma GCC system_header

#include_next <stdatomic.h>

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

/* Once in so many operations; each counts as those below it, too. */
enum { YIELDS_SPIN = 8, YIELDS_YIELD = 64, YIELDS_SLEEP = 2048 };

static _Thread_local uint64_t yields_random;

/* Also from signal handlers: nothing here is for threads alone. */
static inline void yields_maybe(void)
{
    uint64_t word = yields_random ? yields_random : (uintptr_t)&yields_random | 1;
    int error = errno;

    word ^= word << 13;
    word ^= word >> 7;
    word ^= word << 17;
    yields_random = word;
    word >>= 20;
    if (word % YIELDS_SLEEP == 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL); /* and what a sleep takes anyhow */
    else if (word % YIELDS_YIELD == 0)
        sched_yield();
    else if (word % YIELDS_SPIN == 0)
        for (volatile int left = (int)(word >> 16 & 255); left > 0; left--) {
        }
    errno = error;
}

/* What the compiler's header is made of; a macro does not expand itself. First gcc's, then clang's. */
#define __atomic_load(...)                        (yields_maybe(), __atomic_load(__VA_ARGS__))
#define __atomic_store(...)                       (yields_maybe(), __atomic_store(__VA_ARGS__))
#define __atomic_exchange(...)                    (yields_maybe(), __atomic_exchange(__VA_ARGS__))
#define __atomic_compare_exchange(...)            (yields_maybe(), __atomic_compare_exchange(__VA_ARGS__))
#define __atomic_fetch_add(...)                   (yields_maybe(), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...)                   (yields_maybe(), __atomic_fetch_sub(__VA_ARGS__))
#define __atomic_fetch_or(...)                    (yields_maybe(), __atomic_fetch_or(__VA_ARGS__))
#define __atomic_fetch_and(...)                   (yields_maybe(), __atomic_fetch_and(__VA_ARGS__))

#define __c11_atomic_load(...)                    (yields_maybe(), __c11_atomic_load(__VA_ARGS__))
#define __c11_atomic_store(...)                   (yields_maybe(), __c11_atomic_store(__VA_ARGS__))
#define __c11_atomic_exchange(...)                (yields_maybe(), __c11_atomic_exchange(__VA_ARGS__))
#define __c11_atomic_compare_exchange_strong(...) (yields_maybe(), __c11_atomic_compare_exchange_strong(__VA_ARGS__))
#define __c11_atomic_compare_exchange_weak(...)   (yields_maybe(), __c11_atomic_compare_exchange_weak(__VA_ARGS__))
#define __c11_atomic_fetch_add(...)               (yields_maybe(), __c11_atomic_fetch_add(__VA_ARGS__))
#define __c11_atomic_fetch_sub(...)               (yields_maybe(), __c11_atomic_fetch_sub(__VA_ARGS__))
#define __c11_atomic_fetch_or(...)                (yields_maybe(), __c11_atomic_fetch_or(__VA_ARGS__))
#define __c11_atomic_fetch_and(...)               (yields_maybe(), __c11_atomic_fetch_and(__VA_ARGS__))

#undef atomic_thread_fence
#define atomic_thread_fence(order) (yields_maybe(), __atomic_thread_fence(order))

#endif
