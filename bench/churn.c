/* SPDX-License-Identifier: MIT */
/*
 * What Pollux costs beyond epoll_ctl: registering and deregistering descriptors, one at
 * once after the other or in a batch, and changing registered ones. Direct runs twice
 * in a round; its ratio to itself is the noise.
 */
#include "bench.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <pollux.h>

struct competitor {
    void (*add)(int fd, uint64_t token);
    void (*modify)(int fd, uint64_t token, int on);
    void (*remove)(int fd);
};

static int epoll;
static plx_registry *registry;

static void direct_control(int operation, int fd, uint64_t token, uint32_t interest)
{
    struct epoll_event event = {.events = interest, .data.u64 = token};
    if (epoll_ctl(epoll, operation, fd, &event) < 0)
        bench_die("epoll_ctl", errno);
}

static void direct_add(int fd, uint64_t token)
{
    direct_control(EPOLL_CTL_ADD, fd, token, EPOLLIN);
}

static void direct_modify(int fd, uint64_t token, int on)
{
    direct_control(EPOLL_CTL_MOD, fd, token, on ? EPOLLIN : 0);
}

static void direct_remove(int fd)
{
    direct_control(EPOLL_CTL_DEL, fd, 0, 0);
}

static void pollux_add(int fd, uint64_t token)
{
    bench_need(plx_register(registry, fd, token, PLX_READABLE), "plx_register");
}

static void pollux_modify(int fd, uint64_t token, int on)
{
    bench_need(plx_reregister(registry, fd, token, on ? PLX_READABLE : 0), "plx_reregister");
}

static void pollux_remove(int fd)
{
    bench_need(plx_deregister(registry, fd), "plx_deregister");
}

static const struct competitor direct = {direct_add, direct_modify, direct_remove};
static const struct competitor pollux = {pollux_add, pollux_modify, pollux_remove};

enum work { BATCH, AT_ONCE, MODIFY, WORKS };

static const char *const work_names[] = {"add all, remove all", "add and remove", "modify off and on"};

/* ns of CPU time for each pair of calls. */
static double run(const struct competitor *competitor, enum work work, const int *fds, int count)
{
    if (work == MODIFY)
        for (int i = 0; i < count; i++)
            competitor->add(fds[i], (uint64_t)i);
    double start = bench_clock(CLOCK_THREAD_CPUTIME_ID);
    if (work == BATCH) {
        for (int i = 0; i < count; i++)
            competitor->add(fds[i], (uint64_t)i);
        for (int i = 0; i < count; i++)
            competitor->remove(fds[i]);
    } else if (work == AT_ONCE) {
        for (int i = 0; i < count; i++) {
            competitor->add(fds[i], (uint64_t)i);
            competitor->remove(fds[i]);
        }
    } else {
        for (int i = 0; i < count; i++) {
            competitor->modify(fds[i], (uint64_t)i, 0);
            competitor->modify(fds[i], (uint64_t)i, 1);
        }
    }
    double nanos = (bench_clock(CLOCK_THREAD_CPUTIME_ID) - start) / count;
    if (work == MODIFY)
        for (int i = 0; i < count; i++)
            competitor->remove(fds[i]);
    return nanos;
}

static void measure(enum work work, const int *fds, int count, int rounds)
{
    const struct competitor *slots[3] = {&direct, &pollux, &direct};
    double *values = calloc((size_t)rounds * 5, sizeof *values);
    if (!values)
        bench_die("churn", ENOMEM);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 3; i++) {
            int slot = ((round / 3) % 2 ? 3 - i + round : i + round) % 3;
            values[slot * rounds + round] = run(slots[slot], work, fds, count);
        }
        values[3 * rounds + round] = values[rounds + round] / values[round];
        values[4 * rounds + round] = values[2 * rounds + round] / values[round];
    }
    struct bench_quartiles q[5];
    for (int i = 0; i < 5; i++)
        q[i] = bench_quartiles(values + i * rounds, rounds);
    printf("%-20s %6.0f (%6.0f %6.0f)  %6.0f (%6.0f %6.0f)  %6.3f  %6.3f (%.3f %.3f)  %6.3f (%.3f %.3f)\n",
           work_names[work], q[0].median, q[0].low, q[0].high, q[1].median, q[1].low, q[1].high,
           q[1].median / q[0].median, q[3].median, q[3].low, q[3].high, q[4].median, q[4].low, q[4].high);
    free(values);
}

int main(int argc, char **argv)
{
    int count = 4000, rounds = 201;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0)
            count = 100, rounds = 5;
        else if (strcmp(argv[i], "--count") == 0)
            count = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_argument(argc, argv, &i);
        else {
            fprintf(stderr, "churn [--smoke] [--count DESCRIPTORS] [--rounds R]\n");
            return 2;
        }
    }
    if (!bench_descriptors(count + 32))
        bench_die("the limit of open descriptors is too low", 0);
    int *fds = calloc((size_t)count, sizeof *fds);
    if (!fds)
        bench_die("churn", ENOMEM);
    for (int i = 0; i < count; i++)
        if ((fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) < 0)
            bench_die("eventfd", errno);

    plx_poller *poller;
    bench_need(plx_poller_open(&poller, &(plx_options){.backend = PLX_BACKEND_EPOLL}), "plx_poller_open");
    registry = plx_poller_registry(poller);
    if ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        bench_die("epoll_create1", errno);

    printf("%d eventfds, %d rounds; ns of CPU time per two calls, quartiles in brackets\n", count, rounds);
    printf("%-20s %-22s  %-22s  %6s  %-20s  %-20s\n", "", "direct", "pollux", "ratio", "paired ratio",
           "direct to itself");
    for (int work = BATCH; work < WORKS; work++)
        measure((enum work)work, fds, count, rounds);

    plx_poller_close(poller);
    close(epoll);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    free(fds);
    return 0;
}
