/* SPDX-License-Identifier: MIT */
/*
 * What Pollux costs beyond epoll itself: N socket pairs in a ring, in random order,
 * and A bytes that travel. Each event reads one byte and writes it to the next pair.
 *
 * The program stands here twice, as an expert would write it: on epoll directly and on
 * Pollux. They take turns on the same pairs, in rounds; each round opens its poller,
 * registers all pairs and runs warm before the clock starts. The direct program runs
 * twice in a round: its ratio to itself is the noise of the machine. (CPU time is the
 * default, because no wait blocks here and other programs may use the machine.)
 *
 * No byte ever merges with another or gets stuck, in any mode: a wait takes every pair
 * that is ready (capacity > A), each takes one byte, and each pair has one predecessor.
 * So at most one byte comes to a pair between two waits. (A wait on io_uring may take less,
 * and then a byte may find another; in edge mode it would be stuck, and events per wait, a
 * column of the table, would fall below A for good.)
 */
#include "bench.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends.h"

/* ---- The ring ---- */

enum mode { LEVEL, EDGE, ONESHOT };

static const char *const mode_names[] = {"level", "edge", "oneshot"};

struct pair {
    int in;  /* where this pair's byte is read */
    int out; /* where it goes: the writing end of the next pair */
};

struct ring {
    struct pair *pairs;
    int *ends; /* the writing end of each pair */
    int count;
    int active;
    size_t width; /* of what travels: 1 in sockets, 8 in eventfds */
};

static void ring_open(struct ring *ring, int count, int eventfds)
{
    *ring = (struct ring){.count = count, .width = eventfds ? 8 : 1};
    ring->pairs = bench_array(count, sizeof *ring->pairs);
    ring->ends = bench_array(count, sizeof *ring->ends);
    int *order = bench_array(count, sizeof *order);
    for (int i = 0; i < count; i++) {
        int ends[2];
        if (eventfds)
            ends[0] = ends[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
        else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
            ends[0] = -1;
        if (ends[0] < 0)
            bench_die("socketpair or eventfd", errno);
        ring->pairs[i].in = ends[0];
        ring->ends[i] = ends[1];
        order[i] = i;
    }

    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (int i = count - 1; i > 0; i--) {
        int j = (int)(bench_random(&seed) % (uint64_t)(i + 1));
        int swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (int i = 0; i < count; i++)
        ring->pairs[order[i]].out = ring->ends[order[(i + 1) % count]];
    free(order);
}

static void ring_close(struct ring *ring)
{
    for (int i = 0; i < ring->count; i++) {
        close(ring->pairs[i].in);
        if (ring->ends[i] != ring->pairs[i].in)
            close(ring->ends[i]);
    }
    free(ring->pairs);
    free(ring->ends);
}

/* Leaves exactly active bytes in the ring, spread over it. */
static void ring_fill(struct ring *ring, int active)
{
    uint64_t message = 1;
    for (int i = 0; i < ring->count; i++)
        while (read(ring->pairs[i].in, &message, ring->width) > 0)
            ;
    message = 1;
    for (int i = 0; i < active; i++) {
        int at = (int)((int64_t)i * ring->count / active);
        if (write(ring->ends[at], &message, ring->width) != (ssize_t)ring->width)
            bench_die("write", errno);
    }
    ring->active = active;
}

static inline void ring_move(const struct ring *ring, uint32_t index)
{
    const struct pair *pair = &ring->pairs[index];
    uint64_t message;
    if (read(pair->in, &message, ring->width) != (ssize_t)ring->width)
        bench_die("an event, but nothing to read", errno);
    if (write(pair->out, &message, ring->width) != (ssize_t)ring->width)
        bench_die("write", errno);
}

/* ---- The competitors ---- */

struct tally {
    uint64_t events, waits, kernel_calls;
};

struct competitor {
    const char *name;
    void *(*open)(const struct ring *ring, enum mode mode, int capacity);
    struct tally (*run)(void *self, uint64_t events);
    void (*close)(void *self);
};

/* Directly on epoll */

struct direct {
    const struct ring *ring;
    struct epoll_event *events;
    int fd;
    int capacity;
    enum mode mode;
    uint32_t interest;
};

static void *direct_open(const struct ring *ring, enum mode mode, int capacity)
{
    static const uint32_t flags[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};
    struct direct *self = malloc(sizeof *self);
    if (!self)
        bench_die("direct", ENOMEM);
    *self = (struct direct){.ring = ring, .capacity = capacity, .mode = mode, .interest = flags[mode]};
    self->events = bench_array(capacity, sizeof *self->events);
    self->fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->fd < 0)
        bench_die("epoll_create1", errno);
    for (int i = 0; i < ring->count; i++) {
        struct epoll_event event = {.events = self->interest, .data.u32 = (uint32_t)i};
        if (epoll_ctl(self->fd, EPOLL_CTL_ADD, ring->pairs[i].in, &event) < 0)
            bench_die("epoll_ctl ADD", errno);
    }
    return self;
}

static struct tally direct_run(void *pointer, uint64_t events)
{
    struct direct *self = pointer;
    struct tally tally = {0};
    while (tally.events < events) {
        int count = epoll_wait(self->fd, self->events, self->capacity, -1);
        if (count < 0) {
            if (errno == EINTR)
                continue;
            bench_die("epoll_wait", errno);
        }
        for (int i = 0; i < count; i++) {
            struct epoll_event *event = &self->events[i];
            if (!(event->events & EPOLLIN))
                bench_die("epoll: not readable", 0);
            uint32_t index = event->data.u32;
            ring_move(self->ring, index);
            if (self->mode == ONESHOT) {
                struct epoll_event again = {.events = self->interest, .data.u32 = index};
                if (epoll_ctl(self->fd, EPOLL_CTL_MOD, self->ring->pairs[index].in, &again) < 0)
                    bench_die("epoll_ctl MOD", errno);
            }
        }
        tally.events += (uint64_t)count;
        tally.waits++;
    }
    tally.kernel_calls = tally.waits + (self->mode == ONESHOT ? tally.events : 0);
    return tally;
}

static void direct_close(void *pointer)
{
    struct direct *self = pointer;
    close(self->fd);
    free(self->events);
    free(self);
}

/* On Pollux */

struct pollux {
    const struct ring *ring;
    plx_event *events;
    plx_poller *poller;
    plx_registry *registry;
    int capacity;
    enum mode mode;
    uint32_t interest;
};

static struct pollux *pollux_open(const struct ring *ring, enum mode mode, int capacity,
                                  const plx_options *options)
{
    static const uint32_t flags[] = {PLX_READABLE, PLX_READABLE | PLX_EDGE, PLX_READABLE | PLX_ONESHOT};
    struct pollux *self = malloc(sizeof *self);
    if (!self)
        bench_die("pollux", ENOMEM);
    *self = (struct pollux){.ring = ring, .capacity = capacity, .mode = mode, .interest = flags[mode]};
    self->events = bench_array(capacity, sizeof *self->events);
    bench_need(plx_poller_open(&self->poller, options), "plx_poller_open");
    self->registry = plx_poller_registry(self->poller);
    return self;
}

static void pollux_register(struct pollux *self)
{
    for (int i = 0; i < self->ring->count; i++)
        bench_need(plx_register(self->registry, self->ring->pairs[i].in, (plx_token)i, self->interest),
                   "plx_register");
}

static void *pollux_open_on(plx_backend backend, const struct ring *ring, enum mode mode, int capacity)
{
    struct pollux *self = pollux_open(ring, mode, capacity, &(plx_options){.backend = backend});
    pollux_register(self);
    return self;
}

static void *pollux_epoll_open(const struct ring *ring, enum mode mode, int capacity)
{
    return pollux_open_on(PLX_BACKEND_EPOLL, ring, mode, capacity);
}

static void *pollux_uring_open(const struct ring *ring, enum mode mode, int capacity)
{
    return pollux_open_on(PLX_BACKEND_IO_URING, ring, mode, capacity);
}

static void *pollux_poll_open(const struct ring *ring, enum mode mode, int capacity)
{
    return pollux_open_on(PLX_BACKEND_POLL, ring, mode, capacity);
}

static struct tally pollux_run(void *pointer, uint64_t events)
{
    struct pollux *self = pointer;
    struct tally tally = {0};
    plx_stats before, after;
    plx_poller_stats(self->poller, &before);
    while (tally.events < events) {
        int count = plx_poller_wait(self->poller, self->events, self->capacity, PLX_FOREVER);
        if (count < 0)
            bench_die("plx_poller_wait", count);
        for (int i = 0; i < count; i++) {
            plx_event *event = &self->events[i];
            if (!(event->flags & PLX_READABLE))
                bench_die("pollux: not readable", 0);
            uint32_t index = plx_token_index(event->token);
            ring_move(self->ring, index);
            if (self->mode == ONESHOT) {
                int rc =
                    plx_reregister(self->registry, self->ring->pairs[index].in, event->token, self->interest);
                if (rc < 0)
                    bench_die("plx_reregister", rc);
            }
        }
        tally.events += (uint64_t)count;
        tally.waits++;
    }
    plx_poller_stats(self->poller, &after);
    if (after.waits - before.waits != tally.waits || after.events - before.events != tally.events)
        bench_die("plx_poller_stats disagrees with what was returned", 0);
    tally.kernel_calls = after.kernel_calls - before.kernel_calls;
    return tally;
}

static void pollux_close(void *pointer)
{
    struct pollux *self = pointer;
    plx_poller_close(self->poller);
    free(self->events);
    free(self);
}

static const struct competitor competitors[] = {
    {"direct", direct_open, direct_run, direct_close},
    {"pollux", pollux_epoll_open, pollux_run, pollux_close},
    {"pollux-uring", pollux_uring_open, pollux_run, pollux_close},
    {"pollux-poll", pollux_poll_open, pollux_run, pollux_close},
};

enum { DIRECT, POLLUX, POLLUX_URING, POLLUX_POLL, COMPETITORS };

/* ---- Measuring ---- */

struct plan {
    int rounds;
    int events; /* per round and competitor */
    int capacity;
    int eventfds;
    clockid_t clock;
};

/* A wait must have a place for every byte, and Pollux may keep one for its own kinds. */
static int plan_capacity(const struct plan *plan, int active)
{
    return plan->capacity > active ? plan->capacity : active + 1;
}

struct result {
    double nanos;       /* per event */
    struct tally tally; /* of the last slice */
};

/* A round's figure is the median of its slices, so that an interrupt spoils one of them alone. */
enum { SLICES = 15 };

static struct result measure_once(const struct plan *plan, const struct ring *ring, enum mode mode,
                                  const struct competitor *competitor)
{
    double slices[SLICES];
    struct result result;
    void *self = competitor->open(ring, mode, plan_capacity(plan, ring->active));
    competitor->run(self, (uint64_t)plan->events / 8 + 1);
    for (int i = 0; i < SLICES; i++) {
        double start = bench_clock(plan->clock);
        result.tally = competitor->run(self, (uint64_t)plan->events / SLICES + 1);
        slices[i] = (bench_clock(plan->clock) - start) / (double)result.tally.events;
    }
    competitor->close(self);
    result.nanos = bench_quartiles(slices, SLICES).median;
    return result;
}

/* values: direct in its mode, the subject in its own, the ratios of the two, and those of direct to itself. */
static void print_row(const struct ring *ring, enum mode mode, enum mode base, const char *subject,
                      const struct tally *tally, double *values[4], int rounds)
{
    struct bench_quartiles q[4];
    double waits = (double)tally->waits, events = (double)tally->events;

    for (int i = 0; i < 4; i++)
        q[i] = bench_quartiles(values[i], rounds);
    printf("%5d %5d %-7s %-12s %-7s  %6.0f (%6.0f %6.0f)  %6.0f (%6.0f %6.0f)  %6.3f  %6.3f (%.3f %.3f)  "
           "%6.3f (%.3f %.3f)  %8.2f %8.2f %8.2f\n",
           ring->count, ring->active, mode_names[mode], subject, mode_names[base], q[0].median, q[0].low,
           q[0].high, q[1].median, q[1].low, q[1].high, q[1].median / q[0].median, q[2].median, q[2].low,
           q[2].high, q[3].median, q[3].low, q[3].high, events / waits, (double)tally->kernel_calls / waits,
           1 + (mode == ONESHOT ? events / waits : 0));
    fflush(stdout);
}

enum { BASE, SUBJECT, AGAIN, LEVEL_BASE, SLOTS };

/*
 * Direct, the subject, and direct again, in an order that changes with each round. An edge on
 * io_uring is also set against direct level: a program that comes from there has to know both.
 */
static void measure(const struct plan *plan, const struct ring *ring, enum mode mode,
                    const struct competitor *subject)
{
    int rounds = plan->rounds;
    int slots = mode == EDGE && subject == &competitors[POLLUX_URING] ? SLOTS : SLOTS - 1;
    double *values = bench_array(rounds, 2 * SLOTS * sizeof *values);
    double *nanos[SLOTS], *ratio = values + SLOTS * rounds, *noise = ratio + rounds, *level = noise + rounds;
    struct tally tally = {0};

    for (int i = 0; i < SLOTS; i++)
        nanos[i] = values + i * rounds;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < slots; i++) {
            int slot = bench_turn(round, i, slots);
            struct result result = measure_once(plan, ring, slot == LEVEL_BASE ? LEVEL : mode,
                                                slot == SUBJECT ? subject : &competitors[DIRECT]);
            nanos[slot][round] = result.nanos;
            if (slot == SUBJECT)
                tally = result.tally;
        }
        ratio[round] = nanos[SUBJECT][round] / nanos[BASE][round];
        noise[round] = nanos[AGAIN][round] / nanos[BASE][round];
        level[round] = nanos[SUBJECT][round] / nanos[LEVEL_BASE][round];
    }
    print_row(ring, mode, mode, subject->name, &tally, (double *[]){nanos[BASE], nanos[SUBJECT], ratio, noise},
              rounds);
    if (slots == SLOTS)
        print_row(ring, mode, LEVEL, subject->name, &tally,
                  (double *[]){nanos[LEVEL_BASE], nanos[SUBJECT], level, noise}, rounds);
    free(values);
}

static void print_head(const struct plan *plan)
{
    printf("%s, read + write per event, capacity %d, %d rounds of %d events; ns per event (%s), quartiles in "
           "brackets\n",
           plan->eventfds ? "eventfds" : "socket pairs", plan->capacity, plan->rounds, plan->events,
           plan->clock == CLOCK_MONOTONIC ? "wall clock" : "CPU time");
    printf("%5s %5s %-7s %-12s %-7s  %-22s  %-22s  %6s  %-20s  %-20s  %8s %8s %8s\n", "N", "A", "mode",
           "subject", "against", "direct", "subject", "ratio", "paired ratio", "direct to itself", "events/",
           "calls/", "needed/");
    printf("%144s %8s %8s\n", "wait", "wait", "wait");
}

/* What N registrations take from the allocator, and that a run takes nothing. */
static void print_memory(const struct plan *plan, const struct ring *ring, plx_backend backend)
{
    struct bench_memory memory = {0};
    plx_allocator allocator = {bench_allocate, bench_reallocate, bench_release, &memory};
    plx_options options = {.backend = backend, .allocator = &allocator};
    struct pollux *self = pollux_open(ring, LEVEL, plan_capacity(plan, ring->active), &options);
    size_t fixed = memory.bytes;
    pollux_register(self);
    size_t held = memory.bytes;
    uint64_t calls = memory.calls;
    pollux_run(self, (uint64_t)plan->events);
    uint64_t waiting = memory.calls - calls;
    pollux_close(self);

    double beyond = held - fixed > 65536 ? (double)(held - fixed - 65536) : 0;
    printf("memory: %zu bytes open, %zu more with %d registered (highest descriptor %d): %.1f each, %.1f "
           "beyond 64 KiB; "
           "allocations while waiting: %llu; left after close: %zu bytes\n\n",
           fixed, held - fixed, ring->count, ring->pairs[ring->count - 1].in,
           (double)(held - fixed) / (double)ring->count, beyond / (double)ring->count,
           (unsigned long long)waiting, memory.bytes);
}

struct filter {
    int count, active, mode; /* 0, 0, -1: the defaults */
    plx_backend backend;     /* AUTO: each in turn */
};

static void run_table(const struct plan *plan, const struct filter *filter, int count, const int *actives,
                      const struct competitor *subject)
{
    struct ring ring;
    if (!bench_descriptors(2 * count + 32)) {
        printf("%5d skipped: the limit of open descriptors is too low\n", count);
        return;
    }
    ring_open(&ring, count, plan->eventfds);
    for (const int *active = actives; *active; active++) {
        ring_fill(&ring, *active);
        for (int mode = LEVEL; mode <= ONESHOT; mode++)
            if (mode == filter->mode ||
                (filter->mode < 0 && !(mode == EDGE && subject == &competitors[POLLUX_POLL])))
                measure(plan, &ring, (enum mode)mode, subject);
    }
    if (subject != &competitors[POLLUX_POLL])
        print_memory(plan, &ring, subject == &competitors[POLLUX] ? PLX_BACKEND_EPOLL : PLX_BACKEND_IO_URING);
    ring_close(&ring);
}

static void run_epoll(const struct plan *plan, const struct filter *filter, int smoke)
{
    static const int few[] = {1, 10, 40, 0}, many[] = {1, 100, 1000, 0};
    run_table(plan, filter, smoke ? 40 : 1000, smoke ? few : many, &competitors[POLLUX]);
    if (!smoke)
        run_table(plan, filter, 9000, many, &competitors[POLLUX]);
}

static void run_uring(const struct plan *plan, const struct filter *filter, int smoke)
{
    static const int few[] = {1, 40, 0}, many[] = {1, 100, 1000, 0};
    run_table(plan, filter, smoke ? 40 : 1000, smoke ? few : many, &competitors[POLLUX_URING]);
}

static void run_poll(const struct plan *plan, const struct filter *filter, int smoke)
{
    static const int actives[] = {1, 10, 0};
    struct plan few = *plan;
    few.events = plan->events / 4 + 1;
    few.rounds = plan->rounds / 3 + 1;
    printf("for information, with %d rounds of %d events:\n", few.rounds, few.events);
    run_table(&few, filter, smoke ? 10 : 100, actives, &competitors[POLLUX_POLL]);
}

/* One row, or one for each mode. */
static void run_some(const struct plan *plan, const struct filter *filter, const struct competitor *subject)
{
    int count = filter->count ? filter->count : 1000;
    int actives[2] = {filter->active ? filter->active : 100, 0};
    if (actives[0] > count)
        bench_die("--active: at most one byte per pair", 0);
    run_table(plan, filter, count, actives, subject);
}

static void run_all(const struct plan *plan, const struct filter *filter, int smoke)
{
    static const struct {
        plx_backend backend;
        int competitor;
        void (*run)(const struct plan *plan, const struct filter *filter, int smoke);
    } tables[] = {{PLX_BACKEND_EPOLL, POLLUX, run_epoll},
                  {PLX_BACKEND_IO_URING, POLLUX_URING, run_uring},
                  {PLX_BACKEND_POLL, POLLUX_POLL, run_poll}};
    int some = filter->count || filter->active;
    plx_backend only = some && filter->backend == PLX_BACKEND_AUTO ? PLX_BACKEND_EPOLL : filter->backend;

    print_head(plan);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const struct competitor *subject = &competitors[tables[i].competitor];
        if ((only != PLX_BACKEND_AUTO && only != tables[i].backend) ||
            !bench_backend_is_here(tables[i].backend, subject->name))
            continue;
        if (some)
            run_some(plan, filter, subject);
        else
            tables[i].run(plan, filter, smoke);
    }
}

/* ---- The program ---- */

static int mode_of(const char *name)
{
    for (int mode = LEVEL; mode <= ONESHOT; mode++)
        if (name && strcmp(name, mode_names[mode]) == 0)
            return mode;
    fprintf(stderr, "modes: level edge oneshot\n");
    exit(2);
}

/* One competitor alone, a fixed number of events, no clock: for counting instructions. */
static int run_one(const struct plan *plan, int argc, char **argv)
{
    const struct competitor *competitor = NULL;
    int at = 3;
    for (int i = 0; i < COMPETITORS; i++)
        if (argc == 7 && strcmp(argv[2], competitors[i].name) == 0)
            competitor = &competitors[i];
    if (!competitor) {
        fprintf(stderr, "ring --one direct|pollux|pollux-uring|pollux-poll level|edge|oneshot N A EVENTS\n");
        return 2;
    }
    enum mode mode = (enum mode)mode_of(argv[at]);
    int count = bench_argument(argc, argv, &at), active = bench_argument(argc, argv, &at);
    int events = bench_argument(argc, argv, &at);
    if (active > count || !bench_descriptors(2 * count + 32))
        bench_die("--one: A is above N, or the limit of open descriptors too low", 0);

    struct ring ring;
    ring_open(&ring, count, plan->eventfds);
    ring_fill(&ring, active);
    void *self = competitor->open(&ring, mode, plan_capacity(plan, active));
    struct tally tally = competitor->run(self, (uint64_t)events);
    competitor->close(self);
    ring_close(&ring);
    printf("%llu events %llu waits %llu calls\n", (unsigned long long)tally.events,
           (unsigned long long)tally.waits, (unsigned long long)tally.kernel_calls);
    return 0;
}

static _Noreturn void usage(void)
{
    fprintf(stderr,
            "ring [--smoke] [--backend epoll|io_uring|poll] [--pairs N] [--active A]\n"
            "     [--mode level|edge|oneshot] [--eventfd] [--wall] [--rounds R] [--events E] [--capacity C]\n"
            "ring --one direct|pollux|pollux-uring|pollux-poll level|edge|oneshot N A EVENTS\n");
    exit(2);
}

int main(int argc, char **argv)
{
    struct plan plan = {.rounds = 19, .events = 30000, .capacity = 1024, .clock = CLOCK_THREAD_CPUTIME_ID};
    struct filter filter = {.mode = -1, .backend = PLX_BACKEND_AUTO};
    int smoke = 0;

    if (argc > 1 && strcmp(argv[1], "--one") == 0)
        return run_one(&plan, argc, argv);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0)
            smoke = 1;
        else if (strcmp(argv[i], "--eventfd") == 0)
            plan.eventfds = 1;
        else if (strcmp(argv[i], "--wall") == 0)
            plan.clock = CLOCK_MONOTONIC;
        else if (strcmp(argv[i], "--backend") == 0)
            filter.backend = bench_backend(argc, argv, &i);
        else if (strcmp(argv[i], "--pairs") == 0)
            filter.count = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--active") == 0)
            filter.active = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--mode") == 0)
            filter.mode = mode_of(argv[++i]);
        else if (strcmp(argv[i], "--rounds") == 0)
            plan.rounds = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--events") == 0)
            plan.events = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--capacity") == 0)
            plan.capacity = bench_argument(argc, argv, &i);
        else
            usage();
    }
    if (smoke) {
        plan.rounds = 3;
        plan.events = 500;
    }
    run_all(&plan, &filter, smoke);
    return 0;
}
