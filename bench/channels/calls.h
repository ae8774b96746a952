/* SPDX-License-Identifier: MIT */
/*
 * Counts the system calls of a thread by the kernel's own tracepoint. That needs tracefs
 * (mount -t tracefs none /sys/kernel/tracing) and the right to use it, and makes each call
 * a little slower, so the rounds that count are not timed.
 */
#ifndef POLLUX_BENCH_CALLS_H
#define POLLUX_BENCH_CALLS_H

#include "../bench.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A counter of this thread's, that counts from now on; negative if it is not to be had. */
static inline int calls_open(void)
{
    FILE *file = fopen("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "r");
    unsigned long long id;
    if (!file)
        return -1;
    int found = fscanf(file, "%llu", &id);
    fclose(file);
    struct perf_event_attr event = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof event, .config = id};
    return found == 1 ? (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC) : -1;
}

/* The calls between two readings are one fewer than their difference: the reading is a call. */
static inline uint64_t calls_read(int counter)
{
    uint64_t count = 0;
    if (read(counter, &count, sizeof count) != (ssize_t)sizeof count)
        bench_die("read of a counter", errno);
    return count;
}

#endif
