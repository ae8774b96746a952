/* SPDX-License-Identifier: MIT */
/* A wake-up by Pollux' waker. */
#include "wake.h"

#include "pollux.h"

static plx_poller *pollers[2];
static plx_waker *wakers[2];

static void wake(int side)
{
    bench_need(plx_waker_wake(wakers[side]), "plx_waker_wake");
}

static void run(int side)
{
    plx_event events[16];
    do
        bench_need(plx_poller_wait(pollers[side], events, 16, PLX_FOREVER), "plx_poller_wait");
    while (!wake_caught(side));
}

int main(int argc, char **argv)
{
    wake_open(argc, argv, "pollux");
    for (int side = 0; side < 2; side++) {
        pollers[side] = peer_poller(NULL);
        bench_need(plx_waker_open(plx_poller_registry(pollers[side]), 7, &wakers[side]), "plx_waker_open");
    }
    wake_measure(&(struct wake){wake, run});
    for (int side = 0; side < 2; side++) {
        plx_waker_release(wakers[side]);
        plx_poller_close(pollers[side]);
    }
    return 0;
}
