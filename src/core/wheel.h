/* SPDX-License-Identifier: MIT */
/*
 * Timers by deadline: a hierarchical wheel whose present is sorted exactly. It knows no
 * clock; callers pass the time. Start, restart and cancel touch one timer and one slot,
 * whatever their number. Under its owner's lock.
 *
 *     level 0   256 slots of 8 microseconds, from now on
 *     level 1   256 slots of 2 milliseconds
 *     level 2   256 slots of half a second             ... to level 6, 292 years
 *
 * A timer's level is the highest digit, to base 256, in which its deadline differs from the
 * wheel's time; so all of a level are due before any of the next. When time enters a slot of
 * a higher level, its timers move to lower ones; those of a slot of level 0 are sorted into
 * the list of the present, from whose head they fire.
 */
#ifndef PLX__WHEEL_H
#define PLX__WHEEL_H

#include "core/pages.h"

#include <pollux.h>

enum {
    PLX__WHEEL_TICK = 13, /* bits of a slot of level 0, in nanoseconds */
    PLX__WHEEL_BITS = 8,
    PLX__WHEEL_SLOTS = 1 << PLX__WHEEL_BITS,
    PLX__WHEEL_LEVELS = 7,
};

/* 40 bytes. Timers are linked by index, 0 for none. */
typedef struct plx__timer {
    plx_nanos deadline;
    plx_nanos interval; /* 0: once */
    plx_token token;
    uint32_t next, prev;
    uint32_t generation;
    uint16_t place; /* level << 8 | slot, or one of the places in wheel.c */
} plx__timer;

typedef struct plx__wheel_slot {
    plx_nanos earliest; /* no timer of the slot is due before */
    uint32_t first;
    bool inexact; /* the earliest has left: there may be none due until later */
} plx__wheel_slot;

typedef struct plx__level {
    uint64_t occupied[PLX__WHEEL_SLOTS / 64];
    plx__wheel_slot slots[PLX__WHEEL_SLOTS];
} plx__level;

typedef struct plx__wheel {
    const plx_allocator *memory;
    plx__pages timers;
    plx__level *levels;   /* made with the first timer */
    uint32_t used, spare; /* indices ever used; the first of the free ones */
    uint64_t count;       /* outstanding timers */
    plx_nanos now;        /* start of the present tick */
    uint32_t present;     /* due within the present tick or before, sorted by deadline */
    uint32_t latest;      /* the last of them */
    uint32_t arrivals;    /* the same, not sorted in yet */
    uint32_t populated;   /* a bit for each level with timers */
    uint32_t entered;     /* the slot that time has entered and that is not empty yet: place + 1 */
} plx__wheel;

void plx__wheel_init(plx__wheel *wheel, const plx_allocator *memory, plx_nanos now);
void plx__wheel_fini(plx__wheel *wheel);

/* `deadline` INT64_MAX: never. 0 or -ENOMEM. */
int plx__wheel_start(plx__wheel *wheel, plx_token token, plx_nanos deadline, plx_nanos interval, plx_timer *handle);

/*
 * 0, or -ENOENT for a timer that has fired its last, was cancelled or never was. restart
 * exchanges deadline and interval with those given.
 */
int plx__wheel_restart(plx__wheel *wheel, plx_timer handle, plx_nanos *deadline, plx_nanos *interval);
int plx__wheel_cancel(plx__wheel *wheel, plx_timer handle);

/*
 * Writes up to `room` events of timers due at `now`, in the order of their deadlines. *more
 * tells that it stopped after `budget` moves of timers from slot to slot: call it again.
 */
int plx__wheel_fire(plx__wheel *wheel, plx_nanos now, plx_event *events, int room, int budget, bool *more);

/*
 * A time before which nothing more fires; INT64_MAX if there is none. After a plx__wheel_fire
 * without *more it is exact, but for a crowded slot that lost its earliest timer.
 */
plx_nanos plx__wheel_next(plx__wheel *wheel);

#endif
