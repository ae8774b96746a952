/* SPDX-License-Identifier: MIT */
/* The ring on libev, which is level-triggered. */
#include "ring.h"

#include <ev.h>

static struct ev_loop *loop;

static void ready(struct ev_loop *self, ev_io *watcher, int events)
{
    (void)events;
    if (ring_move(watcher->data))
        ev_break(self, EVBREAK_ONE);
}

static void run(void)
{
    ev_run(loop, 0);
}

int main(int argc, char **argv)
{
    ring_open(argc, argv, "libev");
    if (peer.mode != LEVEL)
        peer_cannot("libev knows level alone");
    loop = ev_loop_new(EVBACKEND_EPOLL);
    ev_io *watchers = bench_array(peer.n, sizeof *watchers);
    if (!loop)
        bench_die("ev_loop_new", 0);
    for (int i = 0; i < peer.n; i++) {
        ev_io_init(&watchers[i], ready, ring.pairs[i].in, EV_READ);
        watchers[i].data = &ring.pairs[i];
        ev_io_start(loop, &watchers[i]);
    }
    ring_measure(run);
    ev_loop_destroy(loop);
    free(watchers);
    return 0;
}
