/* SPDX-License-Identifier: MIT */
/* The ring on Pollux. */
#include "ring.h"

#include "pollux.h"

static plx_poller *poller;
static plx_registry *registry;
static plx_event *events;
static int capacity;
static uint32_t interest;

static void run(void)
{
    while (ring.left > 0) {
        int count = plx_poller_wait(poller, events, capacity, PLX_FOREVER);
        bench_need(count, "plx_poller_wait");
        for (int i = 0; i < count; i++) {
            uint32_t index = plx_token_index(events[i].token);
            ring_move(&ring.pairs[index]);
            if (peer.mode == ONESHOT)
                bench_need(plx_reregister(registry, ring.pairs[index].in, index, interest), "plx_reregister");
        }
    }
}

int main(int argc, char **argv)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_EDGE, PLX_ONESHOT};
    ring_open(argc, argv, "pollux");
    poller = peer_poller(NULL);
    registry = plx_poller_registry(poller);
    interest = PLX_READABLE | modes[peer.mode];
    if (!plx_poller_supports(poller, interest))
        peer_cannot("this backend does not have this mode");
    /* A place more: Pollux may keep one for its own kinds of event. */
    capacity = peer.a < 256 ? 256 : peer.a + 1;
    events = bench_array(capacity, sizeof *events);
    for (int i = 0; i < peer.n; i++)
        bench_need(plx_register(registry, ring.pairs[i].in, (plx_token)i, interest), "plx_register");
    ring_measure(run);
    plx_poller_close(poller);
    return 0;
}
