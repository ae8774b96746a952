/* SPDX-License-Identifier: MIT */
/*
 * What the programs here share: arguments, cores, clocks, and the one line of JSON that each
 * prints. A program that cannot do what is asked for says why on stderr and ends with 77.
 */
#ifndef POLLUX_BENCH_PEER_H
#define POLLUX_BENCH_PEER_H

#include "../bench.h"
#include "../cores.h"

#include <stdbool.h>

enum peer_mode { LEVEL, EDGE, ONESHOT };

static const char *const peer_modes[] = {"level", "edge", "oneshot"};

/* The arguments; 0 where none was given and the workload has no default. */
static struct peer {
    const char *workload, *system, *backend;
    bool smoke, eventfd, shuffled;
    enum peer_mode mode;
    int n, a, events, senders, connections, cores;
    double seconds;
} peer;

/* The program ends: this is not to be had. */
static inline _Noreturn void peer_cannot(const char *reason)
{
    fprintf(stderr, "%s_%s: %s\n", peer.workload, peer.system, reason);
    exit(77);
}

/* ---- Arguments ---- */

static inline void peer_set_mode(const char *name)
{
    for (int mode = LEVEL; mode <= ONESHOT; mode++)
        if (strcmp(name, peer_modes[mode]) == 0) {
            peer.mode = (enum peer_mode)mode;
            return;
        }
    fprintf(stderr, "modes: level edge oneshot\n");
    exit(2);
}

static inline double peer_seconds(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (*end == '\0' && seconds > 0 && seconds <= 1000) /* a million latencies in each: an int */
        return seconds;
    fprintf(stderr, "--seconds wants a number above 0, and 1,000 at most\n");
    exit(2);
}

static inline int *peer_number(const char *option)
{
    const struct {
        const char *name;
        int *number;
    } numbers[] = {
        {"--n", &peer.n},
        {"--a", &peer.a},
        {"--events", &peer.events},
        {"--senders", &peer.senders},
        {"--connections", &peer.connections},
        {"--cores", &peer.cores},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(option, numbers[i].name) == 0)
            return numbers[i].number;
    return NULL;
}

/* Those of `defaults`, unless they are given; with --smoke those of `smoke`. */
static inline void peer_open(int argc, char **argv, struct peer defaults, struct peer smoke)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--smoke") == 0) {
            smoke.workload = defaults.workload;
            smoke.system = defaults.system;
            defaults = smoke;
            defaults.smoke = true;
        }
    peer = defaults;
    find_cores();
    for (int i = 1; i < argc; i++) {
        int *number = peer_number(argv[i]);
        if (number)
            *number = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--mode") == 0 && i + 1 < argc)
            peer_set_mode(argv[++i]);
        else if (strcmp(argv[i], "--backend") == 0 && i + 1 < argc)
            peer.backend = argv[++i];
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            peer.seconds = peer_seconds(argv[++i]);
        else if (strcmp(argv[i], "--eventfd") == 0)
            peer.eventfd = true;
        else if (strcmp(argv[i], "--shuffled") == 0)
            peer.shuffled = true;
        else if (strcmp(argv[i], "--smoke") != 0) {
            fprintf(stderr,
                    "%s_%s [--smoke] [--mode level|edge|oneshot] [--eventfd] [--n N] [--a A] [--events E]\n"
                    "    [--backend NAME] [--senders S] [--connections C] [--seconds S] [--cores 1|2]\n"
                    "    [--shuffled]\n",
                    peer.workload, peer.system);
            exit(2);
        }
    }
    if (peer.cores > 2) {
        fprintf(stderr, "--cores wants 1 or 2\n");
        exit(2);
    }
    if (peer.backend && strcmp(peer.system, "pollux") != 0)
        peer_cannot("Pollux alone has backends to choose from");
}

/* ---- Clocks ---- */

/* CPU time of this thread, and time by the wall. */
struct peer_times {
    double cpu, wall;
};

static inline struct peer_times peer_now(void)
{
    return (struct peer_times){bench_clock(CLOCK_THREAD_CPUTIME_ID), bench_clock(CLOCK_MONOTONIC)};
}

static inline struct peer_times peer_since(struct peer_times start)
{
    struct peer_times now = peer_now();
    return (struct peer_times){now.cpu - start.cpu, now.wall - start.wall};
}

/* ---- The line ---- */

static inline void line_text(const char *name, const char *text)
{
    printf(",\"%s\":\"%s\"", name, text);
}

static inline void line_number(const char *name, double number)
{
    printf(",\"%s\":%.10g", name, number);
}

static inline void line_begin(void)
{
    printf("{\"workload\":\"%s\",\"system\":\"%s\"", peer.workload, peer.system);
    if (peer.backend)
        line_text("backend", peer.backend);
}

static inline void line_end(void)
{
    printf("}\n");
    fflush(stdout);
}

#endif
