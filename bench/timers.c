/* SPDX-License-Identifier: MIT */
/*
 * What timers cost, against libev, libevent, libuv and a timerfd for each. CPU time of the
 * thread, per timer, with N of them. Each subject in each round, in a fresh loop:
 *
 *   start    N timers, due in 1 to 60 s at random; a pass of starts and cancels goes before,
 *            so that memory was touched
 *   restart  each with a new random time
 *   put off  each to 61 s from now: later than it was, as an idle timeout is
 *   cancel   all
 *   fire     N timers that are due at random over N/1000 ms of real time. Nobody's time can
 *            be faked, and nobody waits 60 s; so each loop is run once in a millisecond, never
 *            blocks, and finds about 1,000 due, its system calls and clock readings included.
 *
 * All work goes through the timers in one order: sequential is that of their memory,
 * shuffled is random, and then so is the order in which Pollux uses freed ones again.
 *
 * The peers keep their loop's time in a cache, and the passes run where it is valid.
 *   pollux          plx_timer_start_at, from one reading of the clock, as they do;
 *                   plx_timer_restart reads it each time
 *   pollux, start   plx_timer_start, which reads it each time; the rest as before: what they
 *                   differ by is noise
 *   pollux, manual  on the manual clock, which is read for nothing; fires by steps of 1 ms
 *
 * --late: a lone timer on an idle machine, in turn with a bare timerfd: how late the program
 * knows, and that it is never early. The kernel adds a thread's timer slack, 50 microseconds
 * by default, to how long a wait sleeps, but not to a timerfd; --slack sets it to 1 ns.
 */
#include "timers/subject.h"

#include "timers/peers.h"
#include "timers/plan.h"
#include "timers/pollux.h"

#include <sys/prctl.h>

static const struct subject *const subjects[] = {
    &pollux,   &pollux_reading, &pollux_manual,
#ifdef BENCH_LIBEV
    &libev,
#endif
#ifdef BENCH_LIBEVENT
    &libevent,
#endif
#ifdef BENCH_LIBUV
    &libuv,
#endif
    &timerfd,
};

enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

static const char *const operation_names[] = {"start", "restart", "put off", "cancel", "fire"};

/* ---- The table ---- */

static void print_row(const struct subject *subject, const struct plan *plan, double *values, double bytes,
                      double *reference)
{
    printf("%-15s", subject->name);
    for (int operation = START; operation < OPERATIONS; operation++) {
        double median = bench_quartiles(values + operation * plan->rounds, plan->rounds).median;
        if (subject == subjects[0])
            reference[operation] = median;
        printf("  %8.1f (%5.2f)", median, median / reference[operation]);
    }
    printf("  %6.1f + %zu\n", bytes, subject->own);
    fflush(stdout);
}

static void measure(int count, int rounds, bool shuffled, const char *only)
{
    struct plan plan;
    double *values[SUBJECTS], bytes[SUBJECTS], reference[OPERATIONS];
    bool able[SUBJECTS];
    int repeat = count < 100000 ? 100000 / count : 1;

    plan_open(&plan, count, rounds, shuffled);
    if (repeat > 10)
        repeat = 10;
    for (int i = 0; i < SUBJECTS; i++) {
        values[i] = bench_array(OPERATIONS * rounds, sizeof *values[i]);
        able[i] = (!only || i == 0 || strcmp(only, subjects[i]->name) == 0) &&
                  (!subjects[i]->most || count <= subjects[i]->most);
    }
    for (int round = 0; round < rounds; round++)
        for (int turn = 0; turn < SUBJECTS; turn++) {
            int i = (round % 2 ? SUBJECTS - 1 - turn + round : turn + round) % SUBJECTS;
            double used[OPERATIONS] = {0};
            int times = subjects[i]->most ? 1 : repeat; /* a timerfd is slow enough to measure once */
            for (int n = 0; able[i] && n < times; n++)
                able[i] = run(&plan, subjects[i], used, &bytes[i]);
            for (int operation = START; operation < OPERATIONS; operation++)
                values[i][operation * rounds + round] = used[operation] / times / count;
        }

    printf("%d timers, %s\n%-15s", count, shuffled ? "shuffled" : "sequential", "");
    for (int operation = START; operation < OPERATIONS; operation++)
        printf("  %16s", operation_names[operation]);
    printf("  bytes each: library + program\n");
    for (int i = 0; i < SUBJECTS; i++) {
        if (able[i])
            print_row(subjects[i], &plan, values[i], bytes[i], reference);
        else if (!only)
            printf("%-15s  not possible: a descriptor for each, and the limit is near 20,000\n",
                   subjects[i]->name);
        free(values[i]);
    }
    printf("\n");
    plan_close(&plan);
}

/* ---- How late ---- */

static void print_late(const char *name, double *values, int count, int early)
{
    struct bench_quartiles q = bench_quartiles(values, count);
    printf("%-8s  %8.0f  %8.0f  %8.0f  %8.0f  %8.0f  %7d\n", name, values[0], q.median,
           values[count - 1 - count / 10], values[count - 1 - count / 100], values[count - 1], early);
}

static int late(int count)
{
    double *values = bench_array(2 * count, sizeof *values);
    uint64_t seed = 0x9e3779b97f4a7c15u;
    int early[2] = {0, 0};
    plx_poller *poller;
    plx_event event;
    plx_timer timer;

    bench_need(plx_poller_open(&poller, NULL), "plx_poller_open");
    plx_registry *registry = plx_poller_registry(poller);
    struct epoll_event interest = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC),
        fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (epoll < 0 || fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest) < 0)
        bench_die("timerfd", errno);
    for (int i = 0; i < count; i++) {
        uint64_t times;
        plx_nanos ahead = PLX_USEC(20) + (plx_nanos)(bench_random(&seed) % (uint64_t)PLX_USEC(100));
        plx_nanos deadline = plx_poller_now(poller) + ahead;
        bench_need(plx_timer_start_at(registry, 1, deadline, 0, &timer), "plx_timer_start_at");
        if (plx_poller_wait(poller, &event, 1, PLX_FOREVER) != 1)
            bench_die("plx_poller_wait", 0);
        plx_nanos lateness = plx_poller_now(poller) - deadline;
        early[0] += lateness < 0;
        values[i] = (double)lateness;

        deadline = plx_now() + ahead;
        struct itimerspec time = {.it_value = {.tv_sec = (time_t)(deadline / 1000000000),
                                               .tv_nsec = (long)(deadline % 1000000000)}};
        if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &time, NULL) < 0 ||
            epoll_wait(epoll, &interest, 1, -1) != 1 || read(fd, &times, sizeof times) != sizeof times)
            bench_die("timerfd", errno);
        lateness = plx_now() - deadline;
        early[1] += lateness < 0;
        values[count + i] = (double)lateness;
    }
    printf("a lone timer, %d times, due in 20 to 120 microseconds: ns late\n", count);
    printf("%-8s  %8s  %8s  %8s  %8s  %8s  %7s\n", "", "least", "median", "p90", "p99", "most", "early");
    print_late("pollux", values, count, early[0]);
    print_late("timerfd", values + count, count, early[1]);
    free(values);
    close(fd);
    close(epoll);
    plx_poller_close(poller);
    return early[0] != 0;
}

/* ---- The program ---- */

static void print_missing(void)
{
#ifndef BENCH_LIBEV
    printf("libev was not found when this was built\n");
#endif
#ifndef BENCH_LIBEVENT
    printf("libevent was not found when this was built\n");
#endif
#ifndef BENCH_LIBUV
    printf("libuv was not found when this was built\n");
#endif
}

int main(int argc, char **argv)
{
    int count = 0, rounds = 9;
    bool smoke = false, lone = false, exact = false;
    const char *only = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0)
            smoke = true;
        else if (strcmp(argv[i], "--late") == 0)
            lone = true;
        else if (strcmp(argv[i], "--slack") == 0)
            exact = true;
        else if (strcmp(argv[i], "--count") == 0)
            count = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else {
            fprintf(stderr, "timers [--smoke] [--count TIMERS] [--rounds R] [--only SUBJECT]\n"
                            "timers --late [--slack] [--count TIMES]\n");
            return 2;
        }
    }
    if (exact && prctl(PR_SET_TIMERSLACK, 1UL) < 0)
        bench_die("prctl", errno);
    if (lone)
        return late(count ? count : 20000);
    print_missing();
    printf("ns of CPU time per timer, medians of %d rounds; in brackets the ratio to the first line\n\n",
           smoke ? 1 : rounds);
    if (smoke) {
        measure(500, 1, true, NULL);
        return late(50);
    }
    int sizes[] = {10000, 100000, 1000000};
    for (int i = 0; i < 3; i++)
        for (int shuffled = 0; shuffled < 2; shuffled++)
            if (!count || i == 0)
                measure(count ? count : sizes[i], rounds, shuffled, only);
    return 0;
}
