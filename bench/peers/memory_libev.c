/* SPDX-License-Identifier: MIT */
/* `memory` and `size` on libev: watchers of the program's, and a locked queue for each channel. */
#include "peer.h"

#include <ev.h> /* before keep.h: the linker's header makes a macro of an enumerator of it */

#include "keep.h"

static struct ev_loop *loop;

static void ready(struct ev_loop *self, ev_io *watcher, int events)
{
    (void)self, (void)watcher, (void)events;
}

static void due(struct ev_loop *self, ev_timer *timer, int events)
{
    (void)self, (void)timer, (void)events;
}

static void woken(struct ev_loop *self, ev_async *async, int events)
{
    (void)self, (void)async, (void)events;
}

static void open_loop(void)
{
    loop = ev_loop_new(EVBACKEND_EPOLL);
    if (!loop)
        bench_die("ev_loop_new", 0);
}

static void descriptors(const int *fds, int count)
{
    ev_io *watchers = bench_array(count, sizeof *watchers);
    for (int i = 0; i < count; i++) {
        ev_io_init(&watchers[i], ready, fds[i], EV_READ);
        ev_io_start(loop, &watchers[i]);
    }
}

static void timers(int count)
{
    ev_timer *all = bench_array(count, sizeof *all);
    for (int i = 0; i < count; i++) {
        ev_timer_init(&all[i], due, HOUR, 0.);
        ev_timer_start(loop, &all[i]);
    }
}

static void channels(int count)
{
    struct channel {
        struct queue queue;
        ev_async wake;
    } *all = bench_array(count, sizeof *all);
    for (int i = 0; i < count; i++) {
        queue_open(&all[i].queue, CHANNEL_ROOM);
        ev_async_init(&all[i].wake, woken);
        ev_async_start(loop, &all[i].wake);
    }
}

static void turn(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

int main(int argc, char **argv)
{
    return keep_main(argc, argv, "libev",
                     &(struct keep){.library = "libev.",
                                    .open = open_loop,
                                    .descriptors = descriptors,
                                    .timers = timers,
                                    .channels = channels,
                                    .turn = turn});
}
