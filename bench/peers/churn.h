/* SPDX-License-Identifier: MIT */
/*
 * Registering and deregistering N eventfds that are not ready, in groups of 256 with one wait
 * that does not block between the two: what a loop does to a connection, without its bytes.
 * Where a library has a structure for each descriptor, it was initialised before.
 */
#ifndef POLLUX_BENCH_CHURN_H
#define POLLUX_BENCH_CHURN_H

#include "peer.h"

#include <sys/eventfd.h>
#include <unistd.h>

enum { GROUP = 256 };

/* Descriptors first to first + count of those of the program. */
struct churn {
    void (*add)(int first, int count);
    void (*wait)(void);
    void (*remove)(int first, int count);
};

static int *churn_fds;

static inline void churn_open(int argc, char **argv, const char *system)
{
    struct peer defaults = {.workload = "churn", .system = system, .n = 4096, .events = 400000};
    peer_open(argc, argv, defaults, (struct peer){.n = 300, .events = 3000});
    if (!bench_descriptors(peer.n + 32))
        peer_cannot("the limit of open descriptors is too low");
    churn_fds = bench_array(peer.n, sizeof *churn_fds);
    for (int i = 0; i < peer.n; i++)
        if ((churn_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
            bench_die("eventfd", errno);
}

static inline void churn_pass(const struct churn *churn)
{
    for (int first = 0; first < peer.n; first += GROUP) {
        int count = peer.n - first < GROUP ? peer.n - first : GROUP;
        churn->add(first, count);
        churn->wait();
        churn->remove(first, count);
    }
}

/* One pass over all to warm up, then as many as make --events pairs. */
static inline void churn_measure(const struct churn *churn)
{
    int passes = peer.events / peer.n + 1;
    churn_pass(churn);
    struct peer_times start = peer_now();
    for (int i = 0; i < passes; i++)
        churn_pass(churn);
    struct peer_times used = peer_since(start);
    double pairs = (double)passes * peer.n;

    line_begin();
    line_number("n", peer.n);
    line_number("cpu_ns", used.cpu / pairs);
    line_number("wall_ns", used.wall / pairs);
    line_end();
}

#endif
