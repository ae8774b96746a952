/* SPDX-License-Identifier: MIT */
/* What the process holds, as the kernel counts it. */
#ifndef POLLUX_BENCH_PROCESS_H
#define POLLUX_BENCH_PROCESS_H

#include "bench.h"

#include <dirent.h>
#include <unistd.h>

/* Bytes of the resident set. */
static inline double process_resident(void)
{
    unsigned long pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &all, &pages) != 2)
        bench_die("/proc/self/statm", errno);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* The folder's own descriptor is one of them, in each count. */
static inline int process_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        bench_die("/proc/self/fd", errno);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

#endif
