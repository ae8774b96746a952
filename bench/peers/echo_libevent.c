/* SPDX-License-Identifier: MIT */
/* The server of `echo` and `accept` on libevent's events; its bufferevents would cost more. */
#include "server.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct event_base *base;

static void serve(evutil_socket_t fd, short what, void *argument)
{
    struct event *event = argument;
    (void)what;
    if (!connection_echo(fd))
        return;
    event_del(event);
    close(fd);
    free(event);
    if (connection_done())
        event_base_loopbreak(base);
}

static void accept_some(evutil_socket_t listener, short what, void *argument)
{
    int fd;
    (void)listener, (void)what, (void)argument;
    while ((fd = server_accept()) >= 0) {
        struct event *event = bench_array(1, sizeof *event);
        event_assign(event, base, fd, EV_READ | EV_PERSIST, serve, event);
        if (event_add(event, NULL) < 0)
            bench_die("event_add", 0);
    }
}

int main(int argc, char **argv)
{
    struct event listener;
    server_open(argc, argv, "libevent");
    base = event_base_new();
    if (!base)
        bench_die("event_base_new", 0);
    event_assign(&listener, base, server.listener, EV_READ | EV_PERSIST, accept_some, NULL);
    event_add(&listener, NULL);
    server_start_client();
    event_base_dispatch(base);
    server_await_client();
    event_base_free(base);
    return 0;
}
