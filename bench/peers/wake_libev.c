/* SPDX-License-Identifier: MIT */
/* A wake-up by libev's async watcher. */
#include "wake.h"

#include <ev.h>

static struct ev_loop *loops[2];
static ev_async asyncs[2];

static void wake(int side)
{
    ev_async_send(loops[side], &asyncs[side]);
}

static void woken(struct ev_loop *loop, ev_async *async, int events)
{
    (void)events;
    if (wake_caught(async == &asyncs[1]))
        ev_break(loop, EVBREAK_ONE);
}

static void run(int side)
{
    ev_run(loops[side], 0);
}

int main(int argc, char **argv)
{
    wake_open(argc, argv, "libev");
    for (int side = 0; side < 2; side++) {
        loops[side] = ev_loop_new(EVBACKEND_EPOLL);
        if (!loops[side])
            bench_die("ev_loop_new", 0);
        ev_async_init(&asyncs[side], woken);
        ev_async_start(loops[side], &asyncs[side]);
    }
    wake_measure(&(struct wake){wake, run});
    for (int side = 0; side < 2; side++)
        ev_loop_destroy(loops[side]);
    return 0;
}
