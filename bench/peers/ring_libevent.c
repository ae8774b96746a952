/* SPDX-License-Identifier: MIT */
/*
 * The ring on libevent. An event without EV_PERSIST is a oneshot, and is added again.
 *
 * libevent begins with room for 32 events from a wait and doubles it when it was full, up to
 * 4,096. In edge mode bytes would meet and be stuck meanwhile, so pairs that are made ready
 * and only emptied come first, until the room is enough.
 */
#include "ring.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;
static struct event *events;
static bool growing;

enum { MOST = 4096 };

static void ready(evutil_socket_t fd, short what, void *argument)
{
    struct pair *pair = argument;
    uint64_t message;
    (void)what;
    if (growing) {
        if (read(fd, &message, ring.width) < 0)
            bench_die("read", errno);
        return;
    }
    bool done = ring_move(pair);
    if (peer.mode == ONESHOT && event_add(&events[pair - ring.pairs], NULL) < 0)
        bench_die("event_add", 0);
    if (done)
        event_base_loopbreak(base);
}

static void grow(void)
{
    growing = true;
    for (int room = 32; room <= peer.a; room *= 2) {
        ring_fill(room);
        event_base_loop(base, EVLOOP_ONCE);
    }
    growing = false;
}

static void run(void)
{
    event_base_dispatch(base);
}

int main(int argc, char **argv)
{
    static const short flags[] = {EV_READ | EV_PERSIST, EV_READ | EV_PERSIST | EV_ET, EV_READ};
    ring_open(argc, argv, "libevent");
    if (peer.mode == EDGE && peer.a > MOST)
        peer_cannot("libevent takes at most 4,096 events from a wait");
    base = event_base_new();
    events = bench_array(peer.n, sizeof *events);
    if (!base)
        bench_die("event_base_new", 0);
    for (int i = 0; i < peer.n; i++) {
        event_assign(&events[i], base, ring.pairs[i].in, flags[peer.mode], ready, &ring.pairs[i]);
        if (event_add(&events[i], NULL) < 0)
            bench_die("event_add", 0);
    }
    if (peer.mode == EDGE)
        grow();
    ring_measure(run);
    event_base_free(base);
    free(events);
    return 0;
}
