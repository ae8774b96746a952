/* SPDX-License-Identifier: MIT */
/*
 * The ready queue: sources that have something to report and that the kernel does not
 * know. Any thread pushes, without a lock; waiters take, under one. A source is on the
 * queue once at most, however often it is pushed.
 */
#ifndef PLX__READY_H
#define PLX__READY_H

#include "os/atomic.h"
#include "os/lock.h"

#include <pollux.h>

typedef enum plx__taken {
    PLX__TOOK_NOTHING, /* there was nothing to report after all */
    PLX__TOOK_ALL,     /* an event was written, and the source has no more */
    PLX__TOOK_ONE      /* an event was written, and the source stays on the queue */
} plx__taken;

typedef struct plx__source plx__source;

typedef struct plx__source_kind {
    /* Writes an event, under the queue's lock. The source is off the queue unless it stays. */
    plx__taken (*take)(plx__source *source, plx_event *event);
    /* The source is off the queue for good: the registry is going away. */
    void (*drop)(plx__source *source);
    /* May give several events to one wait. */
    bool repeats;
} plx__source_kind;

struct plx__source {
    const plx__source_kind *kind;
    plx__source *next;        /* on the queue; owned by it while queued */
    _Atomic(uint32_t) queued; /* 1 from the push to the take: exchanged by both, so that what a
                                 pusher wrote before is visible to the taker */
    uint64_t round;           /* the wait that reported it last; under the lock. A take that finds nothing
                                 now, and may find something in the same wait, puts it back to 0 */
};

typedef struct plx__sources {
    plx__source *first, *last;
} plx__sources;

typedef struct plx__ready {
    _Atomic(plx__source *) pushed; /* newest first; seq_cst, paired with the wake word */
    _Atomic(bool) left;            /* the list below has something; seq_cst, likewise */
    plx__lock lock;                /* what follows */
    plx__sources list;             /* oldest first */
    uint64_t rounds;
} plx__ready;

int  plx__ready_init(plx__ready *ready);
void plx__ready_fini(plx__ready *ready);

/* Drops what is on the queue. Nobody else may use it any more. */
void plx__ready_clear(plx__ready *ready);

/* Claims the right to push: true for the one caller that makes an idle source queued. */
static inline bool plx__source_claim(plx__source *source)
{
    return atomic_exchange_explicit(&source->queued, 1, PLX__SEQ_CST) == 0;
}

/* The taker's side of the claim: from here on a new push counts. */
static inline void plx__source_unclaim(plx__source *source)
{
    atomic_exchange_explicit(&source->queued, 0, PLX__ACQ_REL);
}

/* Puts a claimed source on the queue. */
void plx__ready_push(plx__ready *ready, plx__source *source);

/* Whether a take would find a source. */
static inline bool plx__ready_any(plx__ready *ready)
{
    return atomic_load_explicit(&ready->pushed, PLX__SEQ_CST) != NULL ||
           atomic_load_explicit(&ready->left, PLX__SEQ_CST);
}

/*
 * Takes up to `room` events. `round` is 0 at a wait's first take and names the wait from
 * then on: a source that does not repeat reports once in it.
 */
int plx__ready_take(plx__ready *ready, plx_event *events, int room, uint64_t *round);

#endif
