/* SPDX-License-Identifier: MIT */
/* The server of `echo` and `accept` on epoll directly, level-triggered. */
#include "server.h"

#include <sys/epoll.h>

enum { CAPACITY = 1024 };

static int epoll;

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_die("epoll_ctl ADD", errno);
}

static void accept_some(void)
{
    int fd;
    while ((fd = server_accept()) >= 0)
        watch(fd);
}

/* To close is to deregister. True: it was the last. */
static bool serve(int fd)
{
    if (!connection_echo(fd))
        return false;
    close(fd);
    return connection_done();
}

int main(int argc, char **argv)
{
    struct epoll_event events[CAPACITY];
    bool done = false;
    server_open(argc, argv, "epoll");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        bench_die("epoll_create1", errno);
    watch(server.listener);
    server_start_client();
    while (!done) {
        int count = epoll_wait(epoll, events, CAPACITY, -1);
        if (count < 0 && errno != EINTR)
            bench_die("epoll_wait", errno);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == server.listener)
                accept_some();
            else
                done |= serve(events[i].data.fd);
    }
    server_await_client();
    return 0;
}
