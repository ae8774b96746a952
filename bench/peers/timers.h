/* SPDX-License-Identifier: MIT */
/*
 * N timers on one system, by the passes of ../timers.c, in the order of their memory or with
 * --shuffled in a random one: what it takes to start, cancel, restart and fire one, and the bytes
 * that library and program keep for it.
 */
#ifndef POLLUX_BENCH_PEERS_TIMERS_H
#define POLLUX_BENCH_PEERS_TIMERS_H

#include "peer.h"

#include "../timers/plan.h"

static inline void timers_open(int argc, char **argv, const char *system)
{
    struct peer defaults = {.workload = "timers", .system = system, .n = 10000};
    peer_open(argc, argv, defaults, (struct peer){.n = 500});
}

/* A few are run several times, each in a new loop. */
static inline void timers_measure(const struct subject *subject)
{
    struct plan plan;
    double used[OPERATIONS] = {0}, bytes = 0;
    int times = peer.n < 100000 && !peer.smoke && !subject->most ? 100000 / peer.n : 1;
    if (times > 10)
        times = 10;
    if (subject->most && peer.n > subject->most)
        peer_cannot("a descriptor for each timer, and the limit is near 20,000");
    plan_open(&plan, peer.n, 1, peer.shuffled);
    for (int i = 0; i < times; i++)
        if (!run(&plan, subject, used, &bytes))
            peer_cannot("it cannot have so many timers");
    plan_close(&plan);

    double all = (double)times * peer.n;
    line_begin();
    line_number("n", peer.n);
    line_text("order", peer.shuffled ? "shuffled" : "sequential");
    line_number("start_ns", used[START] / all);
    line_number("cancel_ns", used[CANCEL] / all);
    line_number("restart_ns", used[RESTART] / all);
    line_number("fire_ns", used[FIRE] / all);
    line_number("bytes", bytes + (double)subject->own);
    line_end();
}

#endif
