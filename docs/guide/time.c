/* SPDX-License-Identifier: MIT */
/*
 * A tick each second, and a guard that ends the program when nothing was heard for 2.5. A clock
 * that stands still unless it is moved makes it a test of itself: `time real` takes the seconds.
 */
#include <pollux.h>
#include <stdio.h>

enum { TICK = 1, GUARD };

static const plx_nanos patience = PLX_MSEC(2500);

int main(int argc, char **argv)
{
    (void)argv;
    bool real = argc > 1;
    plx_options options = {.clock = real ? PLX_CLOCK_MONOTONIC : PLX_CLOCK_MANUAL};
    plx_poller *poller;
    int rc = plx_poller_open(&poller, &options);
    if (rc < 0)
        return fprintf(stderr, "no poller: %s\n", plx_strerror(rc)), 1;
    plx_registry *registry = plx_poller_registry(poller);

    plx_timer tick, guard;
    plx_nanos begin = plx_poller_now(poller);
    rc = plx_timer_start(registry, TICK, PLX_SEC(1), PLX_SEC(1), &tick);
    if (rc == 0)
        rc = plx_timer_start(registry, GUARD, patience, 0, &guard);

    int heard = 0;
    for (bool over = false; !over && rc >= 0;) {
        plx_event events[4];
        rc = plx_poller_wait(poller, events, 4, PLX_FOREVER);
        if (rc == 0)
            plx_poller_advance(poller, PLX_MSEC(100)); /* nothing, for ever: this clock stands still */
        for (int i = 0; i < rc; i++) {
            double seconds = (double)(plx_poller_now(poller) - begin) / PLX_SEC(1);
            if (events[i].token == TICK) {
                printf("%.1f s: tick\n", seconds);
                if (++heard <= 2) /* something was heard: from now, all of it again */
                    plx_timer_restart(registry, guard, patience, 0);
            } else {
                printf("%.1f s: nothing was heard for too long\n", seconds);
                over = true;
            }
        }
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", plx_strerror(rc));
    plx_timer_cancel(registry, tick);
    plx_poller_close(poller);
    return rc < 0;
}
