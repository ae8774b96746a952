/* SPDX-License-Identifier: MIT */
/* Registrations on libev, which tells the kernel with the next wait, and never of a removal. */
#include "churn.h"

#include <ev.h>

static struct ev_loop *loop;
static ev_io *watchers;

static void ready(struct ev_loop *self, ev_io *watcher, int events)
{
    (void)self, (void)watcher, (void)events;
    bench_die("an event of an eventfd that is not ready", 0);
}

static void add(int first, int count)
{
    for (int i = first; i < first + count; i++)
        ev_io_start(loop, &watchers[i]);
}

static void wait_once(void)
{
    ev_run(loop, EVRUN_NOWAIT);
}

static void drop(int first, int count)
{
    for (int i = first; i < first + count; i++)
        ev_io_stop(loop, &watchers[i]);
}

int main(int argc, char **argv)
{
    churn_open(argc, argv, "libev");
    loop = ev_loop_new(EVBACKEND_EPOLL);
    watchers = bench_array(peer.n, sizeof *watchers);
    if (!loop)
        bench_die("ev_loop_new", 0);
    for (int i = 0; i < peer.n; i++)
        ev_io_init(&watchers[i], ready, churn_fds[i], EV_READ);
    churn_measure(&(struct churn){add, wait_once, drop});
    ev_loop_destroy(loop);
    free(watchers);
    return 0;
}
