/* SPDX-License-Identifier: MIT */
/*
 * The object behind both a poller and its registry: the poller is the owner's view of it,
 * and one of its references.
 */
#ifndef PLX__CORE_H
#define PLX__CORE_H

#include "backend/backend.h"
#include "core/gate.h"
#include "core/attach.h"
#include "core/ready.h"
#include "core/table.h"
#include "core/timers.h"
#include "core/turn.h"
#include "core/wake.h"
#include "os/fork.h"
#include "os/lock.h"

#include <pollux.h>

/*
 * Counters of waits. The waiter that came while nobody was inside has a set to itself and
 * needs no locked instruction; those that come meanwhile share another.
 */
typedef struct plx__tally {
    _Atomic(uint64_t) waits, events, calls;
} plx__tally;

/* The queue of plx_post. The list is guarded by the ready queue's lock. */
typedef struct plx__post plx__post;

typedef struct plx__posts {
    plx__source source;
    const plx_allocator *memory;
    plx__post *first, *last;
    uint64_t serials;
} plx__posts;

struct plx_registry {
    _Atomic(uint32_t) references;
    uint32_t fork_generation;
    plx_allocator memory;
    bool return_on_signal;
    _Atomic(bool) closed; /* as the wake word says, which each wait writes; release, acquire by senders */
    const plx__backend *backend;
    void *state; /* the backend's; gone after close */

    plx__lock lock;           /* changes of the table and of the kernel's set; close */
    plx__condition departed;  /* somebody left while the poller closes */
    plx__table table;
    uint64_t registered;      /* under the lock, as the next */
    uint64_t lock_calls;      /* system calls made under the lock */
    _Atomic(bool) suspect;    /* the kernel may hold what the table has not; written under the lock */
    _Atomic(uint32_t) epoch;  /* rebuilds of the kernel's set */

    plx__attachment *attached;    /* under the lock */

    plx__ready ready;
    plx__posts posts;
    plx__timers timers;
    plx__wake wake;
    _Atomic(uint64_t) wake_calls; /* system calls made to wake */
    plx__gates gates;
    _Atomic(uint32_t) barrier;    /* channel.c's; relaxed */
    plx__turn turn;
    plx__tally alone, others;
    _Atomic(uint32_t) vain;       /* wait.c's: looks for more that found nothing; relaxed, a guess */
    _Atomic(uint64_t) tokens;     /* given out by plx_registry_new_token */
    _Atomic(uint32_t) sharing;    /* whose turn it is in an array for fewer than there are kinds */
};

struct plx_poller {
    struct plx_registry registry;
};

/* Whether this process was forked off after the poller was opened. */
static inline bool plx__forked(const plx_registry *registry)
{
    return registry->fork_generation != atomic_load_explicit(&plx__fork_generation, PLX__RELAXED);
}

/* 0 if calls may be made: -EINVAL, -ECHILD or -PLX_ESHUTDOWN. */
static inline int plx__registry_check(const plx_registry *registry)
{
    if (!registry)
        return -EINVAL;
    if (plx__forked(registry))
        return -ECHILD;
    return plx__wake_word(&registry->wake) & PLX__CLOSED ? -PLX_ESHUTDOWN : 0;
}

/* The lock, and with it the promise that the poller is not closed before it is dropped. */
static inline int plx__registry_lock(plx_registry *registry)
{
    if (plx__forked(registry))
        return -ECHILD;
    plx__lock_take(&registry->lock);
    if (!(plx__wake_word(&registry->wake) & PLX__CLOSED))
        return 0;
    plx__lock_drop(&registry->lock);
    return -PLX_ESHUTDOWN;
}

static inline void plx__registry_unlock(plx_registry *registry)
{
    plx__lock_drop(&registry->lock);
}

void plx__posts_init(plx__posts *posts, const plx_allocator *memory);
void plx__posts_fini(plx__posts *posts);

#endif
