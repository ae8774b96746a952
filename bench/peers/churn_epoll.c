/* SPDX-License-Identifier: MIT */
/* Registrations on epoll directly. */
#include "churn.h"

#include <sys/epoll.h>

static int epoll;

static void add(int first, int count)
{
    for (int i = first; i < first + count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, churn_fds[i], &event) < 0)
            bench_die("epoll_ctl ADD", errno);
    }
}

static void wait_once(void)
{
    struct epoll_event events[GROUP];
    if (epoll_wait(epoll, events, GROUP, 0) != 0)
        bench_die("epoll_wait", errno);
}

static void drop(int first, int count)
{
    for (int i = first; i < first + count; i++)
        if (epoll_ctl(epoll, EPOLL_CTL_DEL, churn_fds[i], NULL) < 0)
            bench_die("epoll_ctl DEL", errno);
}

int main(int argc, char **argv)
{
    churn_open(argc, argv, "epoll");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        bench_die("epoll_create1", errno);
    churn_measure(&(struct churn){add, wait_once, drop});
    return 0;
}
