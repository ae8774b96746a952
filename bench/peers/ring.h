/* SPDX-License-Identifier: MIT */
/*
 * The ring: N socket pairs, or eventfds, in random order, and A bytes that travel. Each event
 * reads one byte and writes it to the next pair. A program registers the pairs, and runs its
 * loop until ring_move says that enough events were seen; the loop may see a few more.
 *
 * At most one byte is to come to a pair between two waits, or in edge mode it is stuck: a
 * wait must have room for A events.
 */
#ifndef POLLUX_BENCH_RING_H
#define POLLUX_BENCH_RING_H

#include "peer.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct pair {
    int in;  /* where this pair's byte is read */
    int out; /* where it goes: the writing end of the next pair */
};

static struct ring {
    struct pair *pairs;
    int *ends; /* the writing end of each pair */
    size_t width;
    int64_t left; /* events until the loop is to end */
} ring;

static inline void ring_open(int argc, char **argv, const char *system)
{
    struct peer defaults = {.workload = "ring", .system = system, .n = 1000, .a = 100, .events = 400000};
    peer_open(argc, argv, defaults, (struct peer){.n = 100, .a = 10, .events = 4000});
    if (peer.a > peer.n)
        peer_cannot("more bytes than pairs");
    if (!bench_descriptors((peer.eventfd ? 1 : 2) * peer.n + 32))
        peer_cannot("the limit of open descriptors is too low");
    ring.width = peer.eventfd ? 8 : 1;
    ring.pairs = bench_array(peer.n, sizeof *ring.pairs);
    ring.ends = bench_array(peer.n, sizeof *ring.ends);
    int *order = bench_array(peer.n, sizeof *order);

    for (int i = 0; i < peer.n; i++) {
        int ends[2];
        if (peer.eventfd)
            ends[0] = ends[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
        else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
            ends[0] = -1;
        if (ends[0] < 0)
            bench_die("socketpair or eventfd", errno);
        ring.pairs[i].in = ends[0];
        ring.ends[i] = ends[1];
        order[i] = i;
    }

    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (int i = peer.n - 1; i > 0; i--) {
        int j = (int)(bench_random(&seed) % (uint64_t)(i + 1));
        int swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (int i = 0; i < peer.n; i++)
        ring.pairs[order[i]].out = ring.ends[order[(i + 1) % peer.n]];
    free(order);
}

/* Makes that many pairs ready, spread over all. */
static inline void ring_fill(int active)
{
    uint64_t message = 1;
    for (int i = 0; i < active; i++)
        if (write(ring.ends[(int64_t)i * peer.n / active], &message, ring.width) != (ssize_t)ring.width)
            bench_die("write", errno);
}

/* What an event does. True: end the loop. */
static inline bool ring_move(const struct pair *pair)
{
    uint64_t message;
    if (read(pair->in, &message, ring.width) != (ssize_t)ring.width)
        bench_die("an event, but nothing to read", errno);
    if (write(pair->out, &message, ring.width) != (ssize_t)ring.width)
        bench_die("write", errno);
    return --ring.left <= 0;
}

/* run is the loop, until a ring_move of its ended it. */
static inline void ring_measure(void (*run)(void))
{
    ring_fill(peer.a);
    ring.left = peer.events / 8;
    run();
    ring.left = peer.events;
    struct peer_times start = peer_now();
    run();
    struct peer_times used = peer_since(start);
    double events = (double)(peer.events - ring.left);

    line_begin();
    line_text("mode", peer_modes[peer.mode]);
    line_number("n", peer.n);
    line_number("a", peer.a);
    line_text("kind", peer.eventfd ? "eventfd" : "socket");
    line_number("events", events);
    line_number("cpu_ns", used.cpu / events);
    line_number("wall_ns", used.wall / events);
    line_end();
}

#endif
