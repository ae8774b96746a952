/* SPDX-License-Identifier: MIT */
/* A message to a loop of libev: a locked queue, and ev_async_send when it was empty. */
#include "channels.h"

#include <ev.h>

static struct queue queue;
static struct ev_loop *loop;
static ev_async async;

static void send_some(uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (queue_put(&queue, first + i))
            ev_async_send(loop, &async);
}

static void woken(struct ev_loop *self, ev_async *watcher, int events)
{
    (void)watcher, (void)events;
    if (channels_take_queue(&queue))
        ev_break(self, EVBREAK_ONE);
}

static void receive(void)
{
    ev_run(loop, 0);
}

int main(int argc, char **argv)
{
    channels_open(argc, argv, "libev");
    queue_open(&queue, 1024);
    loop = ev_loop_new(EVBACKEND_EPOLL);
    if (!loop)
        bench_die("ev_loop_new", 0);
    ev_async_init(&async, woken);
    ev_async_start(loop, &async);
    channels_measure(&(struct channels){send_some, receive});
    ev_loop_destroy(loop);
    queue_close(&queue);
    return 0;
}
