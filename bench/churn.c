/* SPDX-License-Identifier: MIT */
/*
 * What Pollux costs beyond epoll_ctl: registering and deregistering descriptors, one at
 * once after the other or in a batch, and changing registered ones. Direct runs twice
 * in a round; its ratio to itself is the noise.
 *
 * io_uring hands a registration to the kernel with the next wait, and never if it is gone by
 * then. So two works wait as well, and both sides then do and undo the same in the kernel:
 * one waits once for a batch that is not ready, the other until each was told once.
 */
#include "bench.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends.h"

enum { GROUP = 256 }; /* are registered before a wait */

struct competitor {
    void (*add)(int fd, uint64_t token, int once);
    void (*modify)(int fd, uint64_t token, int on);
    void (*remove)(int fd);
    int (*wait)(void); /* returns at once: how many events, of GROUP at most */
};

static int epoll;
static plx_poller *poller;
static plx_registry *registry;

static void direct_control(int operation, int fd, uint64_t token, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.u64 = token};
    if (epoll_ctl(epoll, operation, fd, &event) < 0)
        bench_die("epoll_ctl", errno);
}

static void direct_add(int fd, uint64_t token, int once)
{
    direct_control(EPOLL_CTL_ADD, fd, token, once ? EPOLLIN | EPOLLONESHOT : EPOLLIN);
}

static void direct_modify(int fd, uint64_t token, int on)
{
    direct_control(EPOLL_CTL_MOD, fd, token, on ? EPOLLIN : 0);
}

static void direct_remove(int fd)
{
    direct_control(EPOLL_CTL_DEL, fd, 0, 0);
}

static int direct_wait(void)
{
    struct epoll_event events[GROUP];
    int count = epoll_wait(epoll, events, GROUP, 0);
    if (count < 0)
        bench_die("epoll_wait", errno);
    return count;
}

static void pollux_add(int fd, uint64_t token, int once)
{
    bench_need(plx_register(registry, fd, token, once ? PLX_READABLE | PLX_ONESHOT : PLX_READABLE),
               "plx_register");
}

static void pollux_modify(int fd, uint64_t token, int on)
{
    bench_need(plx_reregister(registry, fd, token, on ? PLX_READABLE : 0), "plx_reregister");
}

static void pollux_remove(int fd)
{
    bench_need(plx_deregister(registry, fd), "plx_deregister");
}

static int pollux_wait(void)
{
    plx_event events[GROUP];
    int count = plx_poller_wait(poller, events, GROUP, 0);
    bench_need(count, "plx_poller_wait");
    return count;
}

static const struct competitor direct = {direct_add, direct_modify, direct_remove, direct_wait};
static const struct competitor pollux = {pollux_add, pollux_modify, pollux_remove, pollux_wait};

/* ---- The works ---- */

/* Descriptors, ready or not as the work needs them. */
struct set {
    int *fds;
    int count;
};

static void set_make_ready(const struct set *set, int ready)
{
    uint64_t value = 1;
    for (int i = 0; i < set->count; i++)
        if ((ready ? write(set->fds[i], &value, sizeof value) : read(set->fds[i], &value, sizeof value)) < 0)
            bench_die("eventfd", errno);
}

static void add_all(const struct competitor *who, const struct set *set, int once)
{
    for (int i = 0; i < set->count; i++)
        who->add(set->fds[i], (uint64_t)i, once);
}

static void remove_all(const struct competitor *who, const struct set *set)
{
    for (int i = 0; i < set->count; i++)
        who->remove(set->fds[i]);
}

static void do_batch(const struct competitor *who, const struct set *set)
{
    add_all(who, set, 0);
    remove_all(who, set);
}

static void do_at_once(const struct competitor *who, const struct set *set)
{
    for (int i = 0; i < set->count; i++) {
        who->add(set->fds[i], (uint64_t)i, 0);
        who->remove(set->fds[i]);
    }
}

static void do_modify(const struct competitor *who, const struct set *set)
{
    for (int i = 0; i < set->count; i++) {
        who->modify(set->fds[i], (uint64_t)i, 0);
        who->modify(set->fds[i], (uint64_t)i, 1);
    }
}

/* The set in groups; what is registered oneshot is ready, and waited for until all of it was told. */
static void do_groups(const struct competitor *who, const struct set *set, int once)
{
    for (int first = 0; first < set->count; first += GROUP) {
        struct set group = {set->fds + first, set->count - first < GROUP ? set->count - first : GROUP};
        add_all(who, &group, once);
        int told = who->wait();
        while (once && told < group.count)
            told += who->wait();
        if (told != (once ? group.count : 0))
            bench_die("more events than descriptors that are ready", 0);
        remove_all(who, &group);
    }
}

static void do_watched(const struct competitor *who, const struct set *set)
{
    do_groups(who, set, 0);
}

static void do_fired(const struct competitor *who, const struct set *set)
{
    do_groups(who, set, 1);
}

static const struct work {
    const char *name;
    void (*run)(const struct competitor *who, const struct set *set);
    int registered; /* all of the set before the clock starts, and until after it */
    int ready;
} works[] = {
    {"add all, remove all", do_batch, 0, 0},
    {"add and remove", do_at_once, 0, 0},
    {"modify off and on", do_modify, 1, 0},
    {"add, wait, remove", do_watched, 0, 0},
    {"add, fire once, remove", do_fired, 0, 1},
};

/* ns of CPU time for each descriptor. */
static double measure_once(const struct competitor *who, const struct work *work, const struct set *set)
{
    if (work->registered)
        add_all(who, set, 0);
    double start = bench_clock(CLOCK_THREAD_CPUTIME_ID);
    work->run(who, set);
    double nanos = (bench_clock(CLOCK_THREAD_CPUTIME_ID) - start) / set->count;
    if (work->registered)
        remove_all(who, set);
    return nanos;
}

static void measure(const struct work *work, const struct set *set, int rounds)
{
    const struct competitor *slots[3] = {&direct, &pollux, &direct};
    double *values = bench_array(rounds, 5 * sizeof *values);
    if (work->ready)
        set_make_ready(set, 1);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 3; i++) {
            int slot = bench_turn(round, i, 3);
            values[slot * rounds + round] = measure_once(slots[slot], work, set);
        }
        values[3 * rounds + round] = values[rounds + round] / values[round];
        values[4 * rounds + round] = values[2 * rounds + round] / values[round];
    }
    if (work->ready)
        set_make_ready(set, 0);
    struct bench_quartiles q[5];
    for (int i = 0; i < 5; i++)
        q[i] = bench_quartiles(values + i * rounds, rounds);
    printf("%-22s %6.0f (%6.0f %6.0f)  %6.0f (%6.0f %6.0f)  %6.3f  %6.3f (%.3f %.3f)  %6.3f (%.3f %.3f)\n",
           work->name, q[0].median, q[0].low, q[0].high, q[1].median, q[1].low, q[1].high,
           q[1].median / q[0].median, q[3].median, q[3].low, q[3].high, q[4].median, q[4].low, q[4].high);
    fflush(stdout);
    free(values);
}

int main(int argc, char **argv)
{
    int count = 16 * GROUP, rounds = 201, waits_only = 0;
    plx_backend backend = PLX_BACKEND_EPOLL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0)
            count = 100, rounds = 5;
        else if (strcmp(argv[i], "--backend") == 0)
            backend = bench_backend(argc, argv, &i);
        else if (strcmp(argv[i], "--waits") == 0)
            waits_only = 1;
        else if (strcmp(argv[i], "--count") == 0)
            count = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_argument(argc, argv, &i);
        else {
            fprintf(stderr, "churn [--smoke] [--backend epoll|io_uring|poll] [--waits] [--count DESCRIPTORS] "
                            "[--rounds R]\n");
            return 2;
        }
    }
    if (!bench_backend_is_here(backend, "churn"))
        return 77;
    if (!bench_descriptors(count + 32))
        bench_die("the limit of open descriptors is too low", 0);
    struct set set = {bench_array(count, sizeof(int)), count};
    for (int i = 0; i < count; i++)
        if ((set.fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
            bench_die("eventfd", errno);

    bench_need(plx_poller_open(&poller, &(plx_options){.backend = backend}), "plx_poller_open");
    registry = plx_poller_registry(poller);
    if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        bench_die("epoll_create1", errno);

    printf("%d eventfds, %d rounds, pollux on %s; ns of CPU time per two calls and what is between, quartiles in "
           "brackets\n",
           count, rounds, plx_poller_backend(poller));
    printf("%-22s %-22s  %-22s  %6s  %-20s  %-20s\n", "", "direct", "pollux", "ratio", "paired ratio",
           "direct to itself");
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (!waits_only || works[i].run == do_watched || works[i].run == do_fired)
            measure(&works[i], &set, rounds);
    if (backend != PLX_BACKEND_EPOLL && !waits_only)
        printf("The first three never wait, so %s asks the kernel to watch nothing in them.\n",
               plx_poller_backend(poller));

    plx_poller_close(poller);
    close(epoll);
    for (int i = 0; i < count; i++)
        close(set.fds[i]);
    free(set.fds);
    return 0;
}
