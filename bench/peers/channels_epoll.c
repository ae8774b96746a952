/* SPDX-License-Identifier: MIT */
/*
 * A message on epoll directly: a locked queue, and an eventfd written when it was empty. It is
 * edge-triggered, and nobody reads it, because each write is an edge.
 */
#include "channels.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

static struct queue queue;
static int epoll, wake;

static void send_some(uint64_t first, uint64_t count)
{
    uint64_t one = 1;
    for (uint64_t i = 0; i < count; i++)
        if (queue_put(&queue, first + i) && write(wake, &one, sizeof one) < 0)
            bench_die("write to an eventfd", errno);
}

static void receive(void)
{
    struct epoll_event events[16];
    do
        if (epoll_wait(epoll, events, 16, -1) < 0 && errno != EINTR)
            bench_die("epoll_wait", errno);
    while (!channels_take_queue(&queue));
}

int main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    channels_open(argc, argv, "epoll");
    queue_open(&queue, 1024);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (epoll < 0 || wake < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) < 0)
        bench_die("epoll and eventfd", errno);
    channels_measure(&(struct channels){send_some, receive});
    queue_close(&queue);
    return 0;
}
