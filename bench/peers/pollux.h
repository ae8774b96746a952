/* SPDX-License-Identifier: MIT */
/* Pollux' programs have a backend to choose: epoll, unless --backend names another. */
#ifndef POLLUX_BENCH_PEERS_POLLUX_H
#define POLLUX_BENCH_PEERS_POLLUX_H

#include "peer.h"

#include <pollux.h>

static inline plx_backend peer_backend(void)
{
    if (!peer.backend)
        peer.backend = "epoll";
    if (strcmp(peer.backend, "epoll") == 0)
        return PLX_BACKEND_EPOLL;
    if (strcmp(peer.backend, "io_uring") == 0)
        return PLX_BACKEND_IO_URING;
    if (strcmp(peer.backend, "poll") == 0)
        return PLX_BACKEND_POLL;
    fprintf(stderr, "backends: epoll io_uring poll\n");
    exit(2);
}

static inline plx_poller *peer_poller(const plx_allocator *allocator)
{
    plx_poller *poller;
    int rc = plx_poller_open(&poller, &(plx_options){.backend = peer_backend(), .allocator = allocator});
    if (rc == -ENOTSUP)
        peer_cannot("this backend is not to be had here");
    bench_need(rc, "plx_poller_open");
    return poller;
}

#endif
