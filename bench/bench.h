/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks share: clocks, medians, arguments, an allocator that counts.
 * Included before every other header, because it asks for the GNU names.
 */
#ifndef POLLUX_BENCH_H
#define POLLUX_BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* Ends the program; code is an errno value or what a plx function returned, 0 for neither. */
static inline _Noreturn void bench_die(const char *what, int code)
{
    if (code != 0)
        fprintf(stderr, "%s: %s\n", what, strerror(code < 0 ? -code : code));
    else
        fprintf(stderr, "%s\n", what);
    exit(1);
}

static inline void bench_need(int rc, const char *what)
{
    if (rc < 0)
        bench_die(what, rc);
}

static inline double bench_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- Numbers ---- */

struct bench_quartiles {
    double low, median, high;
};

static inline int bench_compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the values in place. */
static inline struct bench_quartiles bench_quartiles(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, bench_compare);
    double middle = count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
    return (struct bench_quartiles){values[count / 4], middle, values[count - 1 - count / 4]};
}

/* xorshift; the seed is the caller's and never 0. */
static inline uint64_t bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Whose turn it is in a round, as the at-th of `slots`: forwards for `slots` rounds, then backwards. */
static inline int bench_turn(int round, int at, int slots)
{
    return (round / slots % 2 ? slots - at + round : at + round) % slots;
}

/* The number after an option: argv[*at + 1], from 1 to 10^9. Moves on to it. */
static inline int bench_argument(int argc, char **argv, int *at)
{
    char *end = NULL;
    long value = *at + 1 < argc ? strtol(argv[*at + 1], &end, 10) : 0;
    if (!end || *end != '\0' || value < 1 || value > 1000000000) {
        fprintf(stderr, "%s wants a number of 1 or more\n", argv[*at]);
        exit(2);
    }
    (*at)++;
    return (int)value;
}

static inline void *bench_array(int count, size_t size)
{
    void *array = calloc((size_t)count, size);
    if (!array)
        bench_die("calloc", ENOMEM);
    return array;
}

/* Raises the soft limit of descriptors; says whether that many are to be had. */
static inline int bench_descriptors(int wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_max >= (rlim_t)wanted;
}

/* ---- An allocator that counts; for one thread ---- */

struct bench_memory {
    size_t bytes;   /* held now */
    uint64_t calls; /* of allocate and reallocate */
};

/* The size stands in front of each block. */
union bench_header {
    size_t size;
    max_align_t align;
};

static inline void *bench_reallocate(void *context, void *pointer, size_t size)
{
    struct bench_memory *memory = context;
    union bench_header *old = pointer ? (union bench_header *)pointer - 1 : NULL;
    size_t before = old ? old->size : 0;
    union bench_header *block = realloc(old, sizeof *block + size);
    if (!block)
        return NULL;
    block->size = size;
    memory->bytes += size - before;
    memory->calls++;
    return block + 1;
}

static inline void *bench_allocate(void *context, size_t size)
{
    return bench_reallocate(context, NULL, size);
}

static inline void bench_release(void *context, void *pointer)
{
    struct bench_memory *memory = context;
    if (!pointer)
        return;
    union bench_header *block = (union bench_header *)pointer - 1;
    memory->bytes -= block->size;
    free(block);
}

#endif
