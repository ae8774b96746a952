/* SPDX-License-Identifier: MIT */
/*
 * What `memory` and `size` share: a program that opens a loop and keeps descriptors, timers and
 * channels in it, its own structures for them included.
 *
 * memory  bytes for each of 9,000 descriptors, 100,000 timers and 1,000 channels, as malloc
 *         counts them, and as the resident set grows
 * size    (built with PEER_SIZE) bytes of the library's code and constants, about as size(1)
 *         counts them in the shared library; descriptors that an open loop has, and that 1,000 timers and
 *         1,000 channels add
 */
#ifndef POLLUX_BENCH_KEEP_H
#define POLLUX_BENCH_KEEP_H

#include "../process.h"
#include "../queue.h"
#include "peer.h"

#include <link.h>
#include <malloc.h>
#include <sys/eventfd.h>

#ifdef PEER_SIZE
#define KEEP_WORKLOAD "size"
#else
#define KEEP_WORKLOAD "memory"
#endif

enum { CHANNEL_ROOM = 16, HOUR = 3600 };

struct keep {
    const char *library; /* how the file names of its shared libraries begin; NULL: it has none */
    int most_timers;     /* 0: no limit */
    void (*open)(void);
    void (*descriptors)(const int *fds, int count); /* to be read */
    void (*timers)(int count);                      /* due in an hour */
    void (*channels)(int count);                    /* or what goes for one, with its queue */
    void (*turn)(void);                             /* a wait that does not block */
};

/* ---- What there is ---- */

static inline double keep_allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd);
}

struct keep_library {
    const char *name;
    double text;
};

static inline int keep_add_library(struct dl_phdr_info *info, size_t size, void *pointer)
{
    struct keep_library *library = pointer;
    const char *name = strrchr(info->dlpi_name, '/');
    (void)size;
    if (!name || strncmp(name + 1, library->name, strlen(library->name)) != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && !(info->dlpi_phdr[i].p_flags & PF_W))
            library->text += (double)info->dlpi_phdr[i].p_memsz;
    return 0;
}

/* ---- Both workloads ---- */

static inline void keep_memory(const struct keep *keep)
{
    int counts[] = {peer.n, peer.events, 1000};
    static const char *const names[] = {"descriptor", "timer", "channel"};
    int *fds = bench_array(peer.n, sizeof *fds);
    if (keep->most_timers && counts[1] > keep->most_timers)
        counts[1] = keep->most_timers;
    if (!bench_descriptors(counts[0] + (keep->most_timers ? counts[1] + counts[2] : 0) + 32))
        peer_cannot("the limit of open descriptors is too low");
    for (int i = 0; i < peer.n; i++)
        if ((fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
            bench_die("eventfd", errno);
    keep->open();
    keep->turn();
    process_resident(); /* stdio's memory comes before */

    line_begin();
    for (int kind = 0; kind < 3; kind++) {
        char name[64];
        double allocated = keep_allocated(), resident = process_resident();
        if (kind == 0)
            keep->descriptors(fds, counts[kind]);
        else if (kind == 1)
            keep->timers(counts[kind]);
        else
            keep->channels(counts[kind]);
        keep->turn();
        snprintf(name, sizeof name, "%s_bytes", names[kind]);
        line_number(name, (keep_allocated() - allocated) / counts[kind]);
        snprintf(name, sizeof name, "%s_resident_bytes", names[kind]);
        line_number(name, (process_resident() - resident) / counts[kind]);
    }
    line_end();
    free(fds);
}

static inline void keep_size(const struct keep *keep)
{
    struct keep_library library = {.name = keep->library};
    if (keep->library)
        dl_iterate_phdr(keep_add_library, &library);
    if (keep->library && library.text == 0)
        bench_die("there is no such shared library in this program", 0);
    if (!bench_descriptors(2100))
        peer_cannot("the limit of open descriptors is too low");
    int none = process_descriptors();
    keep->open();
    keep->turn();
    int loop = process_descriptors();
    keep->timers(1000);
    keep->turn();
    int timers = process_descriptors();
    keep->channels(1000);
    keep->turn();

    line_begin();
    line_number("text_bytes", library.text);
    line_number("loop_fds", loop - none);
    line_number("timer_fds", timers - loop);
    line_number("channel_fds", process_descriptors() - timers);
    line_end();
}

/* What is kept ends with the program. */
static inline int keep_main(int argc, char **argv, const char *system, const struct keep *keep)
{
    struct peer defaults = {.workload = KEEP_WORKLOAD, .system = system, .n = 9000, .events = 100000};
    peer_open(argc, argv, defaults, (struct peer){.n = 500, .events = 1000});
    if (strcmp(KEEP_WORKLOAD, "size") == 0)
        keep_size(keep);
    else
        keep_memory(keep);
    return 0;
}

#endif
