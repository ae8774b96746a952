/* SPDX-License-Identifier: MIT */
/*
 * Two threads with a loop each, and a ball that goes to and fro: from before the call that wakes
 * the other thread until its loop has noticed. On two cores, which is mostly how long an idle
 * core takes to wake up, or with --cores 1 on one.
 */
#ifndef POLLUX_BENCH_WAKE_H
#define POLLUX_BENCH_WAKE_H

#include "peer.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <unistd.h>

/* Of side 0 or 1. */
struct wake {
    void (*wake)(int side); /* by the other side's thread */
    void (*run)(int side);  /* its loop, until wake_caught is true */
};

/* The stamp belongs to the round: it is written before, and read behind an acquire of it. */
static struct {
    alignas(128) _Atomic uint64_t round;
    double stamp;
    alignas(128) uint64_t caught; /* the side's own */
} wake_sides[2];

static const struct wake *wake_way;
static uint64_t wake_rounds;
static double *wake_delays;

static inline void wake_throw(int side, uint64_t round)
{
    wake_sides[side].stamp = bench_clock(CLOCK_MONOTONIC);
    atomic_store_explicit(&wake_sides[side].round, round, memory_order_release);
    wake_way->wake(side);
}

/* The loop of this side was woken, or returned for nothing. True: it is to end. */
static inline bool wake_caught(int side)
{
    double now = bench_clock(CLOCK_MONOTONIC);
    uint64_t round = atomic_load_explicit(&wake_sides[side].round, memory_order_acquire);
    if (round == wake_sides[side].caught)
        return false;
    wake_sides[side].caught = round;
    if (side == 0)
        wake_delays[round - 1] = now - wake_sides[0].stamp;
    if (side == 1)
        wake_throw(0, round);
    else if (round < wake_rounds)
        wake_throw(1, round + 1);
    return round == wake_rounds;
}

static inline void wake_open(int argc, char **argv, const char *system)
{
    struct peer defaults = {.workload = "wake", .system = system, .events = 50000, .cores = 2};
    peer_open(argc, argv, defaults, (struct peer){.events = 500, .cores = 2});
}

static inline void *wake_far(void *unused)
{
    pin(cores[peer.cores - 1]);
    wake_way->run(1);
    return unused;
}

static inline void wake_measure(const struct wake *way)
{
    int warm = peer.events / 8;
    pthread_t far;
    wake_way = way;
    wake_rounds = (uint64_t)(warm + peer.events);
    wake_delays = bench_array(warm + peer.events, sizeof *wake_delays);
    if (pthread_create(&far, NULL, wake_far, NULL) != 0)
        bench_die("pthread_create", EAGAIN);
    pin(cores[0]);
    wake_throw(1, 1);
    way->run(0);
    pthread_join(far, NULL);

    double *delays = wake_delays + warm;
    qsort(delays, (size_t)peer.events, sizeof *delays, bench_compare);
    line_begin();
    line_number("cores", peer.cores);
    line_number("p50_ns", delays[peer.events / 2]);
    line_number("p99_ns", delays[peer.events - 1 - peer.events / 100]);
    line_end();
    free(wake_delays);
}

#endif
