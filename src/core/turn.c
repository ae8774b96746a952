/* SPDX-License-Identifier: MIT */
/* One thread at a time in a kernel wait that takes one. */
#include "os/config.h"

#include "core/turn.h"
#include "os/clock.h"

int plx__turn_init(plx__turn *turn)
{
    int rc = plx__lock_init(&turn->lock);

    if (rc < 0)
        return rc;
    rc = plx__condition_init(&turn->freed);
    if (rc < 0)
        plx__lock_fini(&turn->lock);
    return rc;
}

void plx__turn_fini(plx__turn *turn)
{
    plx__condition_fini(&turn->freed);
    plx__lock_fini(&turn->lock);
}

bool plx__turn_take(plx__turn *turn, plx_nanos deadline, bool *waited)
{
    *waited = false;
    plx__lock_take(&turn->lock);
    while (turn->taken && !turn->closed && deadline != INT64_MIN) {
        *waited = true;
        if (deadline == INT64_MAX)
            plx__condition_wait(&turn->freed, &turn->lock);
        else if (plx__clock_now() < deadline)
            plx__condition_wait_until(&turn->freed, &turn->lock, deadline);
        else
            break;
    }
    bool mine = !turn->taken && !turn->closed;
    if (mine)
        turn->taken = true;
    plx__lock_drop(&turn->lock);
    return mine;
}

void plx__turn_drop(plx__turn *turn)
{
    plx__lock_take(&turn->lock);
    turn->taken = false;
    plx__condition_signal(&turn->freed);
    plx__lock_drop(&turn->lock);
}

void plx__turn_close(plx__turn *turn)
{
    plx__lock_take(&turn->lock);
    turn->closed = true;
    plx__condition_broadcast(&turn->freed);
    plx__lock_drop(&turn->lock);
}
