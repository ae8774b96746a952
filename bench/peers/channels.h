/* SPDX-License-Identifier: MIT */
/*
 * Messages of 8 bytes from S threads to the loop of another, by the system's own way. Three
 * passes of E messages, the receiver on one core and all senders on the other: to warm up, timed,
 * and with the system calls counted. Then one message at a time, by a sender that sleeps until it
 * is answered, on one core (--cores 2: on two): from before the send until the loop has it.
 */
#ifndef POLLUX_BENCH_CHANNELS_H
#define POLLUX_BENCH_CHANNELS_H

#include "../queue.h"
#include "peer.h"

#include <semaphore.h>
#include <stdalign.h>

#include "../channels/calls.h"

struct channels {
    void (*send)(uint64_t first, uint64_t count); /* numbers; any thread */
    void (*receive)(void);                        /* runs the loop until channels_take is true */
};

/* The receiver's. */
static struct {
    alignas(128) uint64_t left;
    uint64_t sum;
    double *delays; /* if not NULL, messages are stamps, and each is answered */
    sem_t answer;
} inbox;

/* What the loop does with messages. True: it is to end. */
static inline bool channels_take(const uint64_t *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        inbox.sum += messages[i];
        if (inbox.delays) {
            *inbox.delays++ = bench_clock(CLOCK_MONOTONIC) - (double)messages[i];
            sem_post(&inbox.answer);
        }
    }
    inbox.left -= count;
    return inbox.left == 0;
}

/* The same for all that is in a queue. */
static inline bool channels_take_queue(struct queue *queue)
{
    size_t count = queue_take(queue);
    return channels_take(queue->taken, count);
}

static inline void channels_open(int argc, char **argv, const char *system)
{
    struct peer defaults = {
        .workload = "channels", .system = system, .senders = 1, .events = 1000000, .cores = 1};
    peer_open(argc, argv, defaults, (struct peer){.senders = 1, .events = 20000, .cores = 1});
}

/* ---- As fast as it goes ---- */

/* A thread of a pass. */
struct channels_side {
    const struct channels *channels;
    uint64_t first, count;
    uint64_t calls; /* that it made */
    double start;   /* when */
};

static pthread_barrier_t channels_line;
static bool channels_counting, channels_counted;

static inline int channels_counter(void)
{
    int counter = channels_counting ? calls_open() : -1;
    pthread_barrier_wait(&channels_line);
    return counter;
}

static inline void *channels_send(void *pointer)
{
    struct channels_side *side = pointer;
    pin(cores[1]);
    int counter = channels_counter();
    uint64_t before = counter < 0 ? 0 : calls_read(counter);
    side->start = bench_clock(CLOCK_MONOTONIC);
    side->channels->send(side->first, side->count);
    if (counter >= 0) {
        side->calls = calls_read(counter) - before - 1;
        close(counter);
    }
    return NULL;
}

/*
 * ns by the wall for each message, or system calls for each. Time runs from when the first of
 * all sides began: who sleeps at the barrier is behind those who came last to it.
 */
static inline double channels_pass(const struct channels *channels, uint64_t messages)
{
    struct channels_side *sides = bench_array(peer.senders, sizeof *sides);
    pthread_t *threads = bench_array(peer.senders, sizeof *threads);
    uint64_t each = messages / (uint64_t)peer.senders, calls = 0;
    messages = each * (uint64_t)peer.senders;
    inbox.left = messages;
    inbox.sum = 0;
    pthread_barrier_init(&channels_line, NULL, (unsigned)peer.senders + 1);
    for (int i = 0; i < peer.senders; i++) {
        sides[i] = (struct channels_side){.channels = channels, .first = (uint64_t)i * each, .count = each};
        if (pthread_create(&threads[i], NULL, channels_send, &sides[i]) != 0)
            bench_die("pthread_create", EAGAIN);
    }
    pin(cores[0]);
    int counter = channels_counter();
    uint64_t before = counter < 0 ? 0 : calls_read(counter);
    double start = bench_clock(CLOCK_MONOTONIC);
    channels->receive();
    double end = bench_clock(CLOCK_MONOTONIC);
    if (counter >= 0) {
        calls = calls_read(counter) - before - 1;
        close(counter);
    }
    channels_counted = counter >= 0;
    for (int i = 0; i < peer.senders; i++) {
        pthread_join(threads[i], NULL);
        calls += sides[i].calls;
        start = sides[i].start < start ? sides[i].start : start;
    }
    if (inbox.left != 0 || inbox.sum != messages * (messages - 1) / 2)
        bench_die("other messages came than were sent", 0);
    pthread_barrier_destroy(&channels_line);
    free(sides);
    free(threads);
    return (channels_counting ? (double)calls : end - start) / (double)messages;
}

/* ---- One at a time ---- */

static inline void *channels_ping(void *pointer)
{
    struct channels_side *side = pointer;
    pin(cores[peer.cores - 1]);
    for (uint64_t i = 0; i < side->count; i++) {
        side->channels->send((uint64_t)bench_clock(CLOCK_MONOTONIC), 1);
        while (sem_wait(&inbox.answer) < 0)
            ;
    }
    return NULL;
}

/* Sorted; that many, and the caller's. */
static inline double *channels_latency(const struct channels *channels, int count)
{
    int warm = count / 4;
    double *delays = bench_array(warm + count, sizeof *delays);
    struct channels_side side = {.channels = channels, .count = (uint64_t)(warm + count)};
    pthread_t thread;
    inbox.delays = delays;
    inbox.left = side.count;
    sem_init(&inbox.answer, 0, 0);
    if (pthread_create(&thread, NULL, channels_ping, &side) != 0)
        bench_die("pthread_create", EAGAIN);
    channels->receive();
    pthread_join(thread, NULL);
    memmove(delays, delays + warm, (size_t)count * sizeof *delays);
    qsort(delays, (size_t)count, sizeof *delays, bench_compare);
    return delays;
}

static inline void channels_measure(const struct channels *channels)
{
    uint64_t messages = (uint64_t)peer.events;
    int turns = peer.smoke ? 200 : 20000;
    channels_pass(channels, messages / 4 + (uint64_t)peer.senders);
    double nanos = channels_pass(channels, messages);
    channels_counting = true;
    double calls = channels_pass(channels, messages);
    double *delays = channels_latency(channels, turns);

    line_begin();
    line_number("senders", peer.senders);
    line_number("ns", nanos);
    line_number("latency_p50_ns", delays[turns / 2]);
    line_number("latency_p99_ns", delays[turns - 1 - turns / 100]);
    if (channels_counted)
        line_number("calls", calls);
    line_end();
    free(delays);
}

#endif
