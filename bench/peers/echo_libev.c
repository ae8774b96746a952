/* SPDX-License-Identifier: MIT */
/* The server of `echo` and `accept` on libev. */
#include "server.h"

#include <ev.h>

static void serve(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)events;
    if (!connection_echo(watcher->fd))
        return;
    ev_io_stop(loop, watcher);
    close(watcher->fd);
    free(watcher);
    if (connection_done())
        ev_break(loop, EVBREAK_ONE);
}

static void accept_some(struct ev_loop *loop, ev_io *listener, int events)
{
    int fd;
    (void)listener, (void)events;
    while ((fd = server_accept()) >= 0) {
        ev_io *watcher = bench_array(1, sizeof *watcher);
        ev_io_init(watcher, serve, fd, EV_READ);
        ev_io_start(loop, watcher);
    }
}

int main(int argc, char **argv)
{
    ev_io listener;
    server_open(argc, argv, "libev");
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL);
    if (!loop)
        bench_die("ev_loop_new", 0);
    ev_io_init(&listener, accept_some, server.listener, EV_READ);
    ev_io_start(loop, &listener);
    server_start_client();
    ev_run(loop, 0);
    server_await_client();
    ev_loop_destroy(loop);
    return 0;
}
