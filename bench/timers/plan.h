/* SPDX-License-Identifier: MIT */
/* The timers benchmark's passes over one subject, and their CPU time: the head of ../timers.c says which. */
#ifndef POLLUX_BENCH_PLAN_H
#define POLLUX_BENCH_PLAN_H

#include "subject.h"

enum operation { START, RESTART, PUT_OFF, CANCEL, FIRE, OPERATIONS };

/* ---- What is done in which order ---- */

struct plan {
    int count, rounds;
    bool shuffled;
    uint32_t *order;
    plx_nanos *first, *second, *soon; /* delays */
    union delay *delays;
};

static inline void plan_open(struct plan *plan, int count, int rounds, bool shuffled)
{
    uint64_t seed = 0x9e3779b97f4a7c15u;
    /*
     * None fires before all are started: that takes up to 4 microseconds each with a descriptor for
     * each, of which there are at most 20,000, and half a microsecond without, at 1,000,000.
     */
    plx_nanos lead = PLX_MSEC(2) + PLX_USEC(5) * (count < 20000 ? count : 20000) + PLX_USEC(1) * count;
    *plan = (struct plan){.count = count, .rounds = rounds, .shuffled = shuffled};
    plan->order = bench_array(count, sizeof *plan->order);
    plan->first = bench_array(count, sizeof *plan->first);
    plan->second = bench_array(count, sizeof *plan->second);
    plan->soon = bench_array(count, sizeof *plan->soon);
    plan->delays = bench_array(count, sizeof *plan->delays);
    for (int i = 0; i < count; i++) {
        plan->order[i] = (uint32_t)i;
        plan->first[i] = PLX_SEC(1) + (plx_nanos)(bench_random(&seed) % (uint64_t)PLX_SEC(59));
        plan->second[i] = PLX_SEC(1) + (plx_nanos)(bench_random(&seed) % (uint64_t)PLX_SEC(59));
        plan->soon[i] = lead + (plx_nanos)(bench_random(&seed) % ((uint64_t)count * (uint64_t)PLX_USEC(1)));
    }
    for (int i = count - 1; shuffled && i > 0; i--) {
        int j = (int)(bench_random(&seed) % (uint64_t)(i + 1));
        uint32_t swap = plan->order[i];
        plan->order[i] = plan->order[j];
        plan->order[j] = swap;
    }
}

static inline void plan_close(struct plan *plan)
{
    free(plan->order);
    free(plan->first);
    free(plan->second);
    free(plan->soon);
    free(plan->delays);
}

static inline double cpu(void)
{
    return bench_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* One pass over all timers, with those delays, or 61 s each without: its CPU time. */
static inline double run_pass(const struct plan *plan, const struct subject *subject,
                              void (*work)(const struct pass *pass), const plx_nanos *delays)
{
    for (int i = 0; i < plan->count; i++)
        plan->delays[i] = subject->delay(delays ? delays[i] : PLX_SEC(61));
    double begin = cpu();
    work(&(struct pass){.order = plan->order, .delays = plan->delays, .count = plan->count});
    return cpu() - begin;
}

/* The CPU time in which all fire. */
static inline double run_fire(const struct plan *plan, const struct subject *subject)
{
    double used = 0;
    plx_nanos next = plx_now(), limit = next + PLX_SEC(60);
    int left = plan->count;
    while (left > 0) {
        next += PLX_MSEC(1);
        struct timespec until = {.tv_sec = (time_t)(next / 1000000000), .tv_nsec = (long)(next % 1000000000)};
        if (!subject->manual)
            while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
                ;
        double begin = cpu();
        int fired = subject->fire();
        if (fired > 0) /* not the steps before the first */
            used += cpu() - begin;
        left -= fired;
        if (plx_now() > limit)
            bench_die("timers that do not fire", 0);
    }
    return used;
}

/* Adds up CPU time for each operation; the bytes per timer. False: it cannot have so many. */
static inline bool run(const struct plan *plan, const struct subject *subject, double *used, double *bytes)
{
    if (!subject->open(plan->count))
        return false;
    size_t empty = subject->memory->bytes;
    run_pass(plan, subject, subject->start, plan->first);
    *bytes = (double)(subject->memory->bytes - empty) / plan->count;
    run_pass(plan, subject, subject->cancel, plan->first);
    used[START] += run_pass(plan, subject, subject->start, plan->first);
    used[RESTART] += run_pass(plan, subject, subject->restart, plan->second);
    used[PUT_OFF] += run_pass(plan, subject, subject->restart, NULL);
    used[CANCEL] += run_pass(plan, subject, subject->cancel, plan->first);
    run_pass(plan, subject, subject->start, plan->soon);
    used[FIRE] += run_fire(plan, subject);
    subject->close();
    return true;
}

#endif
