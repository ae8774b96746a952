/* SPDX-License-Identifier: MIT */
/* Registrations on libevent, as event_base_new has it: without a list of changes. */
#include "churn.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;
static struct event *events;

static void ready(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what, (void)argument;
    bench_die("an event of an eventfd that is not ready", 0);
}

static void add(int first, int count)
{
    for (int i = first; i < first + count; i++)
        if (event_add(&events[i], NULL) < 0)
            bench_die("event_add", 0);
}

static void wait_once(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
}

static void drop(int first, int count)
{
    for (int i = first; i < first + count; i++)
        if (event_del(&events[i]) < 0)
            bench_die("event_del", 0);
}

int main(int argc, char **argv)
{
    churn_open(argc, argv, "libevent");
    base = event_base_new();
    events = bench_array(peer.n, sizeof *events);
    if (!base)
        bench_die("event_base_new", 0);
    for (int i = 0; i < peer.n; i++)
        event_assign(&events[i], base, churn_fds[i], EV_READ | EV_PERSIST, ready, NULL);
    churn_measure(&(struct churn){add, wait_once, drop});
    event_base_free(base);
    free(events);
    return 0;
}
