/* SPDX-License-Identifier: MIT */
/* What a library must do to take part in the timers benchmark. One of each is open at a time. */
#ifndef POLLUX_BENCH_SUBJECT_H
#define POLLUX_BENCH_SUBJECT_H

#include "../bench.h"

#include <sys/time.h>

#include <pollux.h>

/* From now until a timer is due, in what the library takes. */
union delay {
    plx_nanos nanos;
    double seconds;
    uint64_t milliseconds;
    struct timeval time;
    struct timespec spec;
};

/* The k-th call is for timer order[k], with delays[k]. */
struct pass {
    const uint32_t *order;
    const union delay *delays;
    int count;
};

struct subject {
    const char *name;
    size_t own;  /* bytes that the program keeps for each timer */
    int most;    /* timers that it can have; 0: no limit */
    bool manual; /* its clock is moved by hand */
    union delay (*delay)(plx_nanos nanos);
    bool (*open)(int count); /* false: descriptors or memory are short */
    void (*start)(const struct pass *pass);
    void (*restart)(const struct pass *pass);
    void (*cancel)(const struct pass *pass);
    int (*fire)(void); /* what is due, without waiting: how many */
    void (*close)(void);
    struct bench_memory *memory; /* what the library holds */
};

/* Timers that fired, where each calls a function. */
static int subject_fired;

/* How many have since the last call. */
static inline int subject_count(void)
{
    int fired = subject_fired;
    subject_fired = 0;
    return fired;
}

static inline union delay delay_nanos(plx_nanos nanos)
{
    return (union delay){.nanos = nanos};
}

#endif
