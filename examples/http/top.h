/* SPDX-License-Identifier: MIT */
/*
 * The figures of plx-top: what threads count, and the line that is made of it. Part of
 * http_server.c, which includes it once.
 *
 * A thread counts for itself, without a lock and without a locked instruction; whoever
 * makes a line adds up the counts of all. All of a line but the latencies are totals:
 * the page takes differences, and a line that a slow reader did not get leaves no hole.
 *
 * LATENCY is from the return of the wait that told of a request until the last byte of
 * the answer was the kernel's. It goes into a histogram of fixed size, 16 steps to each
 * doubling, so what is read from it is at most a sixteenth too large.
 */
#ifndef HTTP_TOP_H
#define HTTP_TOP_H

#include <inttypes.h>
#include <pollux.h>
#include <stdatomic.h>
#include <stdio.h>

enum {
    STEPS = 16,
    LATENCY_SLOTS = 34 * STEPS, /* up to 137 seconds */
    LINE_SIZE = 1024,
    KINDS = 9
};

static const char *const kind_names[KINDS] = {"readable", "writable", "timer",   "waker", "post",
                                              "channel",  "signal",   "process", "path"};

/* What one thread counts. It alone writes; no order with anything else is needed. */
struct tally {
    _Atomic uint64_t kinds[KINDS], requests, accepted, latency[LATENCY_SLOTS];
};

/* All that a line is made of. */
struct figures {
    uint64_t kinds[KINDS], requests, accepted, open, latency[LATENCY_SLOTS];
    plx_stats stats; /* of all pollers together */
};

static uint64_t tally_get(const _Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static void tally_add(_Atomic uint64_t *count, uint64_t more)
{
    atomic_store_explicit(count, tally_get(count) + more, memory_order_relaxed);
}

static void tally_event(struct tally *t, uint32_t flags)
{
    int kind = (flags & PLX_WRITABLE) != 0;
    if (flags >= PLX_TIMER) /* the kinds' bits are in the order of kind_names */
        for (kind = 2; kind < KINDS - 1 && (flags & PLX_TIMER << (kind - 2)) == 0;)
            kind++;
    tally_add(&t->kinds[kind], 1);
}

/*
 *     nanoseconds   0  1 .. 31 | 32 33 | 34 35 | .. 63 | 64 .. 67 | ..
 *     slot          0  1 .. 31 |    32 |    33 | .. 47 |       48 | ..
 */
static unsigned latency_slot(uint64_t nanos)
{
    unsigned shift = 0;
    while (nanos >> shift >= 2 * STEPS)
        shift++;
    uint64_t slot = shift * STEPS + (nanos >> shift);
    return slot < LATENCY_SLOTS ? (unsigned)slot : LATENCY_SLOTS - 1;
}

/* The largest that its slot stands for. */
static uint64_t latency_of(unsigned slot)
{
    unsigned shift = slot < 2 * STEPS ? 0 : slot / STEPS - 1;
    return ((uint64_t)(slot - shift * STEPS + 1) << shift) - 1;
}

static void figures_add_thread(struct figures *f, const struct tally *t)
{
    for (int i = 0; i < KINDS; i++)
        f->kinds[i] += tally_get(&t->kinds[i]);
    f->requests += tally_get(&t->requests);
    f->accepted += tally_get(&t->accepted);
    for (int i = 0; i < LATENCY_SLOTS; i++)
        f->latency[i] += tally_get(&t->latency[i]);
}

static void figures_add_poller(struct figures *f, const plx_poller *poller)
{
    plx_stats stats;
    plx_poller_stats(poller, &stats);
    f->stats.waits += stats.waits;
    f->stats.events += stats.events;
    f->stats.kernel_calls += stats.kernel_calls;
    f->stats.wakes_sent += stats.wakes_sent;
    f->stats.wakes_elided += stats.wakes_elided;
    f->stats.timers += stats.timers;
}

/* What `share` percent of the requests since `before` did not exceed; `count` is their number. */
static uint64_t percentile(const struct figures *f, const struct figures *before, uint64_t count,
                           unsigned share)
{
    uint64_t rank = (count * share + 99) / 100, seen = 0;
    unsigned slot = 0;
    while ((seen += f->latency[slot] - before->latency[slot]) < rank)
        slot++;
    return latency_of(slot);
}

/* Adds to a text that is cut where its room ends. */
#define APPEND(...) length += (size_t)snprintf(text + length, length < room ? room - length : 0, __VA_ARGS__)

/* Writes a line, an event of a text/event-stream. `constant` is what never changes. Returns its length. */
static size_t figures_write(char *text, size_t room, const struct figures *f, const struct figures *before,
                            plx_nanos up, const char *constant)
{
    size_t length = 0;
    APPEND("retry: 1000\ndata: {%s,\"up\":%.3f,\"kinds\":{", constant, (double)up / 1e9);
    for (int i = 0; i < KINDS; i++)
        APPEND("%s\"%s\":%" PRIu64, i > 0 ? "," : "", kind_names[i], f->kinds[i]);
    APPEND("},\"waits\":%" PRIu64 ",\"events\":%" PRIu64 ",\"calls\":%" PRIu64, f->stats.waits,
           f->stats.events, f->stats.kernel_calls);
    APPEND(",\"sent\":%" PRIu64 ",\"elided\":%" PRIu64 ",\"timers\":%" PRIu64, f->stats.wakes_sent,
           f->stats.wakes_elided, f->stats.timers);
    APPEND(",\"open\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"requests\":%" PRIu64, f->open, f->accepted,
           f->requests);

    uint64_t count = 0;
    for (int i = 0; i < LATENCY_SLOTS; i++)
        count += f->latency[i] - before->latency[i];
    if (count > 0)
        APPEND(",\"latency\":[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]",
               percentile(f, before, count, 50), percentile(f, before, count, 90),
               percentile(f, before, count, 99), percentile(f, before, count, 100));
    APPEND("}\n\n");
    return length < room ? length : room - 1;
}
#undef APPEND

#endif
