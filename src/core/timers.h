/* SPDX-License-Identifier: MIT */
/*
 * The timers of a poller: the wheel behind a lock, the clock it runs on, and who keeps time.
 *
 * Of several waiting threads one, the keeper, sleeps no longer than the next timer allows.
 * Who starts an earlier timer dismisses it and wakes a sleeper, whichever the kernel picks,
 * to be the next. When the keeper leaves with other work while others sleep, it wakes one.
 *
 * Where the kernel's timeout is not enough, an alarm (a timerfd among the watched
 * descriptors) is set as well: on the boot-time clock, whose deadlines pass while the
 * machine sleeps, and when another loop watches the poller's descriptor.
 */
#ifndef PLX__TIMERS_H
#define PLX__TIMERS_H

#include "core/wheel.h"
#include "os/lock.h"

typedef struct plx__timers {
    plx_clock clock;
    _Atomic(plx_nanos) manual; /* the manual clock */
    _Atomic(bool) any;         /* timers are outstanding; seq_cst, paired with the wake word as the
                                  ready queue is */
    _Atomic(uint64_t) keeper;  /* number of the keeper, 0: there is none; written under the lock */
    _Atomic(bool) ticks;       /* there was a tick, whose events are nobody's; set before it is started */
    plx__lock lock;            /* what follows */
    plx__wheel wheel;
    uint64_t keepers;          /* numbers given out */
    plx_nanos until;           /* what it sleeps until; INT64_MAX without one */
    int alarm;                 /* a descriptor, or -1 */
    plx_nanos alarmed;         /* what it is set to; INT64_MAX: to nothing */
    uint64_t calls;            /* system calls made to set it */
    plx_timer tick;            /* 0: there is none */
} plx__timers;

struct plx_registry;

int  plx__timers_init(plx__timers *timers, plx_clock clock, const plx_allocator *memory);
void plx__timers_fini(plx__timers *timers);

plx_nanos plx__timers_now(const plx__timers *timers);

/* Whether a waiter has to look at them. */
static inline bool plx__timers_any(const plx__timers *timers)
{
    return atomic_load_explicit(&timers->any, PLX__SEQ_CST);
}

static inline bool plx__timers_kept(const plx__timers *timers)
{
    return atomic_load_explicit(&timers->keeper, PLX__SEQ_CST) != 0;
}

/* Makes the alarm and has the backend watch it; once. Under the registry's lock. */
int plx__timers_arm(struct plx_registry *registry);
/* Under the registry's lock; a start in another thread may be about to set the alarm. */
void plx__timers_disarm(struct plx_registry *registry);

/* Writes events of timers that are due at `now`. */
int plx__timers_fire(plx__timers *timers, plx_nanos now, plx_event *events, int room);

/*
 * Before the kernel's wait, announced as a sleeper: how long it may take, at most `remaining`,
 * at `now`. The number of the caller, if it is the keeper until plx__timers_leave, else 0.
 */
uint64_t plx__timers_keep(plx__timers *timers, plx_nanos now, plx_nanos *remaining);
void     plx__timers_leave(plx__timers *timers, uint64_t keeper);

/*
 * At the end of a wait, or when somebody begins to watch the descriptor: sets the alarm of a
 * nested poller. True if timers are due that nobody has taken, or if it could not be set: who
 * is woken for that tries again.
 */
bool plx__timers_settle(plx__timers *timers, plx_nanos now);

/* The library's own interval, with this token, which is no caller's: started, if there is none, and ended. */
#define PLX__TICK UINT64_MAX

int  plx__timers_tick(struct plx_registry *registry, plx_nanos interval);
void plx__timers_untick(struct plx_registry *registry);

int  plx__timers_advance(struct plx_registry *registry, plx_nanos by);
void plx__timers_stats(struct plx_registry *registry, plx_stats *stats);

#endif
