/* SPDX-License-Identifier: MIT */
/* The ring on epoll directly. */
#include "ring.h"

#include <sys/epoll.h>

static int epoll, capacity;
static uint32_t interest;
static struct epoll_event *events;

static void control(int operation, int index)
{
    struct epoll_event event = {.events = interest, .data.u32 = (uint32_t)index};
    if (epoll_ctl(epoll, operation, ring.pairs[index].in, &event) < 0)
        bench_die("epoll_ctl", errno);
}

static void run(void)
{
    while (ring.left > 0) {
        int count = epoll_wait(epoll, events, capacity, -1);
        if (count < 0 && errno != EINTR)
            bench_die("epoll_wait", errno);
        for (int i = 0; i < count; i++) {
            uint32_t index = events[i].data.u32;
            ring_move(&ring.pairs[index]);
            if (peer.mode == ONESHOT)
                control(EPOLL_CTL_MOD, (int)index);
        }
    }
}

int main(int argc, char **argv)
{
    static const uint32_t flags[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};
    ring_open(argc, argv, "epoll");
    interest = flags[peer.mode];
    capacity = peer.a < 256 ? 256 : peer.a;
    events = bench_array(capacity, sizeof *events);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        bench_die("epoll_create1", errno);
    for (int i = 0; i < peer.n; i++)
        control(EPOLL_CTL_ADD, i);
    ring_measure(run);
    return 0;
}
