/* SPDX-License-Identifier: MIT */
/*
 * A wake-up on epoll directly: an eventfd, edge-triggered, that nobody reads, because each write
 * is an edge. The cheapest way that epoll has.
 */
#include "wake.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

static int epolls[2], eventfds[2];

static void wake(int side)
{
    uint64_t one = 1;
    if (write(eventfds[side], &one, sizeof one) < 0)
        bench_die("write to an eventfd", errno);
}

static void run(int side)
{
    struct epoll_event events[16];
    do
        if (epoll_wait(epolls[side], events, 16, -1) < 0 && errno != EINTR)
            bench_die("epoll_wait", errno);
    while (!wake_caught(side));
}

int main(int argc, char **argv)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    wake_open(argc, argv, "epoll");
    for (int side = 0; side < 2; side++) {
        epolls[side] = epoll_create1(EPOLL_CLOEXEC);
        eventfds[side] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (epolls[side] < 0 || eventfds[side] < 0 ||
            epoll_ctl(epolls[side], EPOLL_CTL_ADD, eventfds[side], &event) < 0)
            bench_die("epoll and eventfd", errno);
    }
    wake_measure(&(struct wake){wake, run});
    return 0;
}
