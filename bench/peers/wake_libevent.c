/* SPDX-License-Identifier: MIT */
/* A wake-up by libevent's event_active, which other threads may call if it was told of threads. */
#include "wake.h"

#include <event2/event.h>
#include <event2/thread.h>

static struct event_base *bases[2];
static struct event *events[2];

static void wake(int side)
{
    event_active(events[side], EV_READ, 0);
}

static void woken(evutil_socket_t fd, short what, void *argument)
{
    int side = argument == &bases[1];
    (void)fd, (void)what;
    if (wake_caught(side))
        event_base_loopbreak(bases[side]);
}

static void run(int side)
{
    event_base_loop(bases[side], EVLOOP_NO_EXIT_ON_EMPTY);
}

int main(int argc, char **argv)
{
    wake_open(argc, argv, "libevent");
    if (evthread_use_pthreads() < 0)
        bench_die("evthread_use_pthreads", 0);
    for (int side = 0; side < 2; side++) {
        bases[side] = event_base_new();
        if (!bases[side])
            bench_die("event_base_new", 0);
        events[side] = event_new(bases[side], -1, EV_PERSIST, woken, &bases[side]);
    }
    wake_measure(&(struct wake){wake, run});
    for (int side = 0; side < 2; side++) {
        event_free(events[side]);
        event_base_free(bases[side]);
    }
    return 0;
}
