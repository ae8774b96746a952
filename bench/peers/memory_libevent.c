/* SPDX-License-Identifier: MIT */
/* `memory` and `size` on libevent: events of the program's, and a locked queue for each channel. */
#include "keep.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>

static struct event_base *base;

static void ready(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what, (void)argument;
}

static void open_loop(void)
{
    if (evthread_use_pthreads() < 0 || !(base = event_base_new()))
        bench_die("libevent", 0);
}

static void descriptors(const int *fds, int count)
{
    struct event *events = bench_array(count, sizeof *events);
    for (int i = 0; i < count; i++) {
        event_assign(&events[i], base, fds[i], EV_READ | EV_PERSIST, ready, NULL);
        event_add(&events[i], NULL);
    }
}

static void timers(int count)
{
    struct event *events = bench_array(count, sizeof *events);
    for (int i = 0; i < count; i++) {
        evtimer_assign(&events[i], base, ready, NULL);
        evtimer_add(&events[i], &(struct timeval){.tv_sec = HOUR});
    }
}

static void channels(int count)
{
    struct channel {
        struct queue queue;
        struct event wake;
    } *all = bench_array(count, sizeof *all);
    for (int i = 0; i < count; i++) {
        queue_open(&all[i].queue, CHANNEL_ROOM);
        event_assign(&all[i].wake, base, -1, EV_PERSIST, ready, NULL);
    }
}

static void turn(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
}

int main(int argc, char **argv)
{
    return keep_main(argc, argv, "libevent",
                     &(struct keep){.library = "libevent",
                                    .open = open_loop,
                                    .descriptors = descriptors,
                                    .timers = timers,
                                    .channels = channels,
                                    .turn = turn});
}
