/* SPDX-License-Identifier: MIT */
/* The server of `echo` and `accept` on Pollux, level-triggered; a token is the descriptor. */
#include "server.h"

#include "pollux.h"

enum { CAPACITY = 1024 };

static plx_registry *registry;

static void watch(int fd)
{
    bench_need(plx_register(registry, fd, (plx_token)fd, PLX_READABLE), "plx_register");
}

static void accept_some(void)
{
    int fd;
    while ((fd = server_accept()) >= 0)
        watch(fd);
}

/* True: it was the last. */
static bool serve(int fd)
{
    if (!connection_echo(fd))
        return false;
    bench_need(plx_deregister(registry, fd), "plx_deregister");
    close(fd);
    return connection_done();
}

int main(int argc, char **argv)
{
    plx_event events[CAPACITY];
    bool done = false;
    server_open(argc, argv, "pollux");
    plx_poller *poller = peer_poller(NULL);
    registry = plx_poller_registry(poller);
    watch(server.listener);
    server_start_client();
    while (!done) {
        int count = plx_poller_wait(poller, events, CAPACITY, PLX_FOREVER);
        bench_need(count, "plx_poller_wait");
        for (int i = 0; i < count; i++)
            if ((int)events[i].token == server.listener)
                accept_some();
            else
                done |= serve((int)events[i].token);
    }
    server_await_client();
    plx_poller_close(poller);
    return 0;
}
