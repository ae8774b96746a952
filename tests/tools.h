/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the inside share: random numbers with a printed seed, memory that is
 * counted and can be refused, threads, sleep, a watchdog. What is the system's own is in
 * tools_posix.h and tools_win32.h. Include os/config.h before.
 */
#ifndef TESTS_TOOLS_H
#define TESTS_TOOLS_H

#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define TOOLS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TOOLS_TSAN 1
#endif
#endif
#ifndef TOOLS_TSAN
#define TOOLS_TSAN 0
#endif

/* A number of rounds that suits a machine at full speed, and what is left of it under TSan or Wine. */
#define ROUNDS(usual) (TOOLS_TSAN || !PLX__HAS_POSIX ? ((usual) + 3) / 4 : (usual))

/* ---- Random numbers --------------------------------------------------------- */

typedef struct random_state {
    uint64_t word;
} random_state;

static inline uint64_t random_next(random_state *random)
{
    uint64_t mixed = random->word += UINT64_C(0x9e3779b97f4a7c15); /* never stuck, whatever the seed */

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

static inline uint32_t random_below(random_state *random, uint32_t limit)
{
    return (uint32_t)(random_next(random) % limit);
}

/* From POLLUX_SEED if that is set, so that a failure can be seen again; printed in any case. */
static inline random_state random_start(void)
{
    const char *text = getenv("POLLUX_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)plx_now();

    printf("POLLUX_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return (random_state){seed};
}

/* ---- Memory ----------------------------------------------------------------- */

typedef struct counted_memory {
    plx_allocator allocator;
    atomic_long live;   /* blocks handed out and not released */
    atomic_long calls;  /* requests so far */
    atomic_long refuse; /* the request of this number, from 1, gets nothing */
    atomic_long refused;
} counted_memory;

static inline bool counted_refuses(counted_memory *memory)
{
    bool refuses = atomic_fetch_add(&memory->calls, 1) + 1 == atomic_load(&memory->refuse);

    if (refuses)
        atomic_fetch_add(&memory->refused, 1);
    return refuses;
}

static inline void *counted_allocate(void *context, size_t size)
{
    counted_memory *memory = context;
    void *pointer = counted_refuses(memory) ? NULL : malloc(size);

    if (pointer)
        atomic_fetch_add(&memory->live, 1);
    return pointer;
}

static inline void *counted_reallocate(void *context, void *pointer, size_t size)
{
    counted_memory *memory = context;
    void *moved = counted_refuses(memory) ? NULL : realloc(pointer, size);

    if (moved && !pointer)
        atomic_fetch_add(&memory->live, 1);
    return moved;
}

static inline void counted_release(void *context, void *pointer)
{
    counted_memory *memory = context;

    CHECK(pointer != NULL);
    CHECK(atomic_fetch_sub(&memory->live, 1) > 0);
    free(pointer);
}

static inline void counted_init(counted_memory *memory)
{
    memory->allocator = (plx_allocator){
        .allocate = counted_allocate,
        .reallocate = counted_reallocate,
        .release = counted_release,
        .context = memory,
    };
    atomic_init(&memory->live, 0);
    atomic_init(&memory->calls, 0);
    atomic_init(&memory->refuse, 0);
    atomic_init(&memory->refused, 0);
}

/* ---- Descriptors, threads, the watchdog --------------------------------------- */

static void (*watchdog_report)(void); /* prints who waits; may be NULL */

#if PLX__HAS_POSIX
#include "tools_posix.h"
#else
#include "tools_win32.h"
#endif

static inline void close_pair(const plx_fd ends[2])
{
    close_fd(ends[0]);
    close_fd(ends[1]);
}

static inline void thread_join(pthread_t thread)
{
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* Waits until a thread has brought the counter this far. */
static inline void await_count(atomic_int *count, int least)
{
    while (atomic_load(count) < least)
        sleep_for(PLX_USEC(100));
}

#endif
