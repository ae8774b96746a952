/* SPDX-License-Identifier: MIT */
/* A message to a loop of libevent: a locked queue, and event_active when it was empty. */
#include "channels.h"

#include <event2/event.h>
#include <event2/thread.h>

static struct queue queue;
static struct event_base *base;
static struct event *wake;

static void send_some(uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (queue_put(&queue, first + i))
            event_active(wake, EV_READ, 0);
}

static void woken(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what, (void)argument;
    if (channels_take_queue(&queue))
        event_base_loopbreak(base);
}

static void receive(void)
{
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
}

int main(int argc, char **argv)
{
    channels_open(argc, argv, "libevent");
    queue_open(&queue, 1024);
    if (evthread_use_pthreads() < 0 || !(base = event_base_new()))
        bench_die("libevent", 0);
    wake = event_new(base, -1, EV_PERSIST, woken, NULL);
    channels_measure(&(struct channels){send_some, receive});
    event_free(wake);
    event_base_free(base);
    queue_close(&queue);
    return 0;
}
