/* SPDX-License-Identifier: MIT */
/*
 * One thread at a time in a kernel wait that takes one. Who comes while another is inside
 * sleeps here; who leaves lets the next one in.
 */
#ifndef PLX__TURN_H
#define PLX__TURN_H

#include "os/lock.h"

typedef struct plx__turn {
    plx__lock lock;
    plx__condition freed;
    bool taken;
    bool closed;
} plx__turn;

int  plx__turn_init(plx__turn *turn);
void plx__turn_fini(plx__turn *turn);

/*
 * Waits for the turn until `deadline` on the monotonic clock (INT64_MAX: for ever,
 * INT64_MIN: not at all); *waited says whether time passed. False if it did not come, or the poller is being closed.
 */
bool plx__turn_take(plx__turn *turn, plx_nanos deadline, bool *waited);
void plx__turn_drop(plx__turn *turn);

/* Sends home whoever waits for the turn. */
void plx__turn_close(plx__turn *turn);

#endif
