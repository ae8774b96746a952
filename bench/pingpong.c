/* SPDX-License-Identifier: MIT */
/*
 * Two threads, a poller each, and a ball that goes to and fro: what a wake costs, and
 * that none is lost. Nobody has a timeout, so a lost wake-up stops the game; a watchdog
 * notices and ends the program with 1.
 *
 * The ball is a plain variable when it goes by waker: the library promises that the one
 * who is woken sees it, and ThreadSanitizer checks that. Against it, the same game with
 * an eventfd in an epoll on either side, once level and read after each wait, once
 * edge-triggered and never read.
 */
#include "bench.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <pollux.h>

enum way { EVENTFD_READ, EVENTFD_EDGE, WAKER, POST, WAYS };

static const char *const way_names[] = {"eventfd, read", "eventfd, edge", "waker", "post"};
static const char *const way_short[] = {"eventfd-read", "eventfd-edge", "waker", "post"};

/* One side of the table, and how the other side reaches it. */
struct side {
    alignas(128) uint64_t ball; /* by waker: written before the wake, read after the wait */
    _Atomic uint64_t shared;    /* by eventfd: the same, with an order of its own */
    alignas(128) _Atomic uint64_t caught;
    _Atomic int waiting;
    enum way way;
    int epoll, eventfd;
    plx_poller *poller;
    plx_registry *registry;
    plx_waker *waker;
    uint64_t random;
    uint64_t calls; /* system calls of the eventfd games */
};

struct game {
    struct side sides[2];
    uint64_t rounds;
    int jitter;   /* the longest pause, in ns */
    double nanos; /* the whole game */
    atomic_int playing;
};

static void side_open(struct side *side, enum way way, uint64_t seed)
{
    memset(side, 0, sizeof *side);
    side->way = way;
    side->random = seed;
    side->epoll = side->eventfd = -1;
    if (way == WAKER || way == POST) {
        bench_need(plx_poller_open(&side->poller, NULL), "plx_poller_open");
        side->registry = plx_poller_registry(side->poller);
        if (way == WAKER)
            bench_need(plx_waker_open(side->registry, 7, &side->waker), "plx_waker_open");
        return;
    }
    struct epoll_event event = {.events = way == EVENTFD_EDGE ? EPOLLIN | EPOLLET : EPOLLIN};
    side->epoll = epoll_create1(EPOLL_CLOEXEC);
    side->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (side->epoll < 0 || side->eventfd < 0 ||
        epoll_ctl(side->epoll, EPOLL_CTL_ADD, side->eventfd, &event) < 0)
        bench_die("epoll and eventfd", errno);
}

static void side_close(struct side *side)
{
    plx_waker_release(side->waker);
    plx_poller_close(side->poller);
    if (side->epoll >= 0) {
        close(side->epoll);
        close(side->eventfd);
    }
}

/* Throws the ball to this side; counts what it costs the thrower. */
static void side_throw(struct side *to, struct side *from, uint64_t ball)
{
    uint64_t one = 1;
    switch (to->way) {
    case WAKER:
        to->ball = ball;
        bench_need(plx_waker_wake(to->waker), "plx_waker_wake");
        break;
    case POST:
        bench_need(plx_post(to->registry, 7, ball), "plx_post");
        break;
    default:
        atomic_store_explicit(&to->shared, ball, memory_order_release);
        if (write(to->eventfd, &one, sizeof one) != (ssize_t)sizeof one)
            bench_die("write to an eventfd", errno);
        from->calls++;
    }
}

static uint64_t side_catch_raw(struct side *side)
{
    struct epoll_event events[8];
    uint64_t count;
    while (epoll_wait(side->epoll, events, 8, -1) < 0)
        if (errno != EINTR)
            bench_die("epoll_wait", errno);
    side->calls++;
    if (side->way == EVENTFD_READ) {
        if (read(side->eventfd, &count, sizeof count) < 0)
            bench_die("read of an eventfd", errno);
        side->calls++;
    }
    return atomic_load_explicit(&side->shared, memory_order_acquire);
}

static uint64_t side_catch(struct side *side)
{
    if (side->way != WAKER && side->way != POST)
        return side_catch_raw(side);
    plx_event events[8];
    int count = plx_poller_wait(side->poller, events, 8, PLX_FOREVER);
    if (count < 0)
        bench_die("plx_poller_wait", count);
    if (count != 1 || events[0].token != 7 ||
        events[0].flags != (side->way == WAKER ? PLX_WAKER : PLX_POST)) {
        fprintf(stderr, "a wait without a limit gave %d events, token %llu, flags %#x\n", count,
                (unsigned long long)(count ? events[0].token : 0), count ? (unsigned)events[0].flags : 0u);
        exit(1);
    }
    return side->way == WAKER ? side->ball : events[0].data;
}

/* Pauses at random moments move the throw over every step of the catcher's way to sleep. */
static void side_pause(struct side *side, int jitter)
{
    if (!jitter)
        return;
    double until = bench_clock(CLOCK_MONOTONIC) + (double)(bench_random(&side->random) % (uint64_t)jitter);
    while (bench_clock(CLOCK_MONOTONIC) < until)
        ;
}

static void play(struct game *game, int first)
{
    struct side *me = &game->sides[!first], *other = &game->sides[first];
    for (uint64_t round = 1; round <= game->rounds; round++) {
        if (first) {
            side_pause(me, game->jitter);
            side_throw(other, me, round);
        }
        side_pause(me, game->jitter);
        atomic_store_explicit(&me->waiting, 1, memory_order_relaxed);
        uint64_t ball = side_catch(me);
        atomic_store_explicit(&me->waiting, 0, memory_order_relaxed);
        if (ball != round) {
            fprintf(stderr, "%s: ball %llu in round %llu\n", way_names[me->way], (unsigned long long)ball,
                    (unsigned long long)round);
            exit(1);
        }
        atomic_store_explicit(&me->caught, round, memory_order_relaxed);
        if (!first) {
            side_pause(me, game->jitter);
            side_throw(other, me, round);
        }
    }
}

static void *play_first(void *pointer)
{
    struct game *game = pointer;
    double start = bench_clock(CLOCK_MONOTONIC);
    play(game, 1);
    game->nanos = bench_clock(CLOCK_MONOTONIC) - start;
    atomic_fetch_sub(&game->playing, 1);
    return NULL;
}

static void *play_second(void *pointer)
{
    struct game *game = pointer;
    play(game, 0);
    atomic_fetch_sub(&game->playing, 1);
    return NULL;
}

/* Looks twenty times a second, without a signal: a signal would repair a lost wake-up. */
static void watch(struct game *game, int limit)
{
    uint64_t seen = 0;
    double since = bench_clock(CLOCK_MONOTONIC);
    while (atomic_load(&game->playing) > 0) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        uint64_t now = atomic_load_explicit(&game->sides[0].caught, memory_order_relaxed) +
                       atomic_load_explicit(&game->sides[1].caught, memory_order_relaxed);
        if (now != seen) {
            seen = now;
            since = bench_clock(CLOCK_MONOTONIC);
        } else if (bench_clock(CLOCK_MONOTONIC) - since > limit * 1e9) {
            fprintf(stderr, "%s: no progress for %d seconds of %llu rounds\n", way_names[game->sides[0].way],
                    limit, (unsigned long long)game->rounds);
            for (int i = 0; i < 2; i++)
                fprintf(stderr, "  side %d: %llu caught, %s\n", i,
                        (unsigned long long)atomic_load(&game->sides[i].caught),
                        atomic_load(&game->sides[i].waiting) ? "waits" : "does not wait");
            _exit(1);
        }
    }
}

struct score {
    double nanos;  /* per round trip */
    double calls;  /* system calls per message */
    double elided; /* wakes without a system call, per message */
};

static struct score play_game(enum way way, uint64_t rounds, int jitter, int limit, uint64_t seed)
{
    static struct game game;
    game.rounds = rounds;
    game.jitter = jitter;
    side_open(&game.sides[0], way, seed);
    side_open(&game.sides[1], way, seed * 3);
    atomic_store(&game.playing, 2);

    pthread_t threads[2];
    if (pthread_create(&threads[1], NULL, play_second, &game) ||
        pthread_create(&threads[0], NULL, play_first, &game))
        bench_die("pthread_create", EAGAIN);
    watch(&game, limit);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);

    double messages = 2 * (double)rounds;
    struct score score = {.nanos = game.nanos / (double)rounds};
    for (int i = 0; i < 2; i++) {
        plx_stats stats = {.kernel_calls = game.sides[i].calls};
        if (game.sides[i].poller)
            plx_poller_stats(game.sides[i].poller, &stats);
        score.calls += (double)stats.kernel_calls / messages;
        score.elided += (double)stats.wakes_elided / messages;
        side_close(&game.sides[i]);
    }
    return score;
}

static _Noreturn void usage(void)
{
    fprintf(stderr,
            "pingpong [--smoke] [--rounds R] [--repeat K] [--only eventfd-read|eventfd-edge|waker|post]...\n"
            "         [--jitter NANOSECONDS] [--watchdog SECONDS]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    int rounds = 100000, repeat = 5, jitter = 0, limit = 60, chosen = 0, wanted[WAYS] = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0)
            rounds = 1000, repeat = 2;
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--repeat") == 0)
            repeat = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--jitter") == 0)
            jitter = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--watchdog") == 0)
            limit = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--only") == 0 && ++i < argc) {
            int way = 0;
            while (way < WAYS && strcmp(argv[i], way_short[way]) != 0)
                way++;
            if (way == WAYS)
                usage();
            wanted[way] = chosen = 1;
        } else
            usage();
    }

    double *nanos = bench_array(repeat, WAYS * sizeof *nanos);
    struct score last[WAYS] = {{0}};
    for (int k = 0; k < repeat; k++)
        for (int i = 0; i < WAYS; i++) {
            int way = (i + k) % WAYS;
            if (chosen && !wanted[way])
                continue;
            last[way] =
                play_game((enum way)way, (uint64_t)rounds, jitter, limit, (uint64_t)(k * WAYS + way + 1));
            nanos[way * repeat + k] = last[way].nanos;
        }

    printf("%d games of %d round trips, two messages each%s\n", repeat, rounds,
           jitter ? ", with pauses" : "");
    printf("%-14s  %10s (%8s %8s)  %18s  %18s\n", "", "ns per", "quar-", "tiles", "system calls",
           "wakes elided");
    printf("%-14s  %10s %19s  %18s  %18s\n", "", "round trip", "", "per message", "per message");
    for (int way = 0; way < WAYS; way++) {
        if (chosen && !wanted[way])
            continue;
        struct bench_quartiles q = bench_quartiles(nanos + way * repeat, repeat);
        printf("%-14s  %10.0f (%8.0f %8.0f)  %18.3f  %18.3f\n", way_names[way], q.median, q.low, q.high,
               last[way].calls, last[way].elided);
    }
    free(nanos);
    return 0;
}
