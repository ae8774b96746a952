/* SPDX-License-Identifier: MIT */
/* Two cores for the two sides of a benchmark. */
#ifndef POLLUX_BENCH_CORES_H
#define POLLUX_BENCH_CORES_H

#include "bench.h"

#include <sched.h>

static int cores[2];

/*
 * The first two that the program may use, or twice the only one: how many they are. Once, before
 * any thread is moved.
 */
static inline int find_cores(void)
{
    cpu_set_t set;
    int found = 0;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        bench_die("sched_getaffinity", errno);
    for (int core = 0; core < CPU_SETSIZE && found < 2; core++)
        if (CPU_ISSET((size_t)core, &set))
            cores[found++] = core;
    if (found < 2)
        cores[1] = cores[0];
    return found;
}

/* The same, and says so if `sides` must share one. */
static inline void choose_cores(const char *sides)
{
    if (find_cores() < 2)
        printf("there is one core: %s share it\n", sides);
}

static inline void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        bench_die("sched_setaffinity", errno);
}

#endif
