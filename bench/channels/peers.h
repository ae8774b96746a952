/* SPDX-License-Identifier: MIT */
/*
 * What Pollux' channels are measured against: a locked queue, of which the receiver takes all
 * that is there at once; a lock-free ring; and one with conditions, and no loop.
 */
#include "subject.h"

#include "../queue.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- An eventfd on epoll ---- */

static int peer_epoll, peer_eventfd;

static void eventfd_open(uint32_t events)
{
    struct epoll_event interest = {.events = events};
    peer_epoll = epoll_create1(EPOLL_CLOEXEC);
    peer_eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (peer_epoll < 0 || peer_eventfd < 0 ||
        epoll_ctl(peer_epoll, EPOLL_CTL_ADD, peer_eventfd, &interest) < 0)
        bench_die("epoll and eventfd", errno);
}

static void eventfd_close(void)
{
    close(peer_epoll);
    close(peer_eventfd);
}

static void eventfd_wake(void)
{
    uint64_t one = 1;
    if (write(peer_eventfd, &one, sizeof one) != (ssize_t)sizeof one)
        bench_die("write to an eventfd", errno);
}

static void eventfd_wait(void)
{
    struct epoll_event events[16];
    while (epoll_wait(peer_epoll, events, 16, -1) < 0)
        if (errno != EINTR)
            bench_die("epoll_wait", errno);
}

/* ---- A locked queue, an eventfd written when it was empty ---- */

static alignas(128) struct queue mutex_queue;
static size_t mutex_words; /* of a letter */

static void mutex_open(size_t size, size_t bound)
{
    (void)bound;
    mutex_words = size / sizeof(uint64_t);
    queue_open(&mutex_queue, 1024 * mutex_words);
    eventfd_open(EPOLLIN);
}

static void mutex_send(uint64_t first, uint64_t count)
{
    struct letter letter = {{0}};
    for (uint64_t i = 0; i < count; i++) {
        letter.words[0] = first + i;
        /* Two sizes that the compiler knows, as in letter_copy. */
        if (mutex_words == 1 ? queue_put(&mutex_queue, first + i)
                             : queue_put_words(&mutex_queue, letter.words, 8))
            eventfd_wake();
    }
}

static void mutex_receive(uint64_t count)
{
    for (uint64_t done = 0; done < count;) {
        uint64_t wakes;
        eventfd_wait();
        if (read(peer_eventfd, &wakes, sizeof wakes) < 0 && errno != EAGAIN)
            bench_die("read of an eventfd", errno);
        size_t found = queue_take(&mutex_queue) / mutex_words;
        receiver_take(mutex_queue.taken, mutex_words * sizeof(uint64_t), found);
        done += found;
    }
}

static void mutex_close(void)
{
    eventfd_close();
    queue_close(&mutex_queue);
}

static const struct subject mutex = {
    .name = "mutex, eventfd",
    .open = mutex_open,
    .send = mutex_send,
    .receive = mutex_receive,
    .close = mutex_close,
};

/* ---- A lock-free ring, a flag that says who sleeps, an edge-triggered eventfd that nobody reads ---- */

/* With fewer cells a receiver that lost its core for a moment finds the ring full, and senders yielding. */
enum { RING_CELLS = 65536 };

/* A cell's turn is its index while it is empty, and one more while it is full. */
static struct {
    alignas(128) _Atomic uint64_t tail;
    alignas(128) _Atomic bool asleep;
    alignas(128) uint64_t head;
    char *cells;
    size_t size, stride;
} ring;

static inline _Atomic uint64_t *ring_turn(uint64_t at)
{
    return (_Atomic uint64_t *)(void *)(ring.cells + at % RING_CELLS * ring.stride);
}

static void ring_open(size_t size, size_t bound)
{
    (void)bound;
    ring.size = size;
    ring.stride = sizeof(uint64_t) + size;
    ring.cells = bench_array(RING_CELLS, ring.stride);
    for (uint64_t i = 0; i < RING_CELLS; i++)
        atomic_init(ring_turn(i), i);
    eventfd_open(EPOLLIN | EPOLLET);
}

static inline void ring_put(const struct letter *letter)
{
    uint64_t at = atomic_load_explicit(&ring.tail, memory_order_relaxed);
    for (;;) {
        uint64_t turn = atomic_load_explicit(ring_turn(at), memory_order_acquire);
        if (turn == at) {
            if (atomic_compare_exchange_weak_explicit(&ring.tail, &at, at + 1, memory_order_relaxed,
                                                      memory_order_relaxed))
                break;
            continue;
        }
        if ((int64_t)(turn - at) < 0)
            sched_yield(); /* full */
        at = atomic_load_explicit(&ring.tail, memory_order_relaxed);
    }
    letter_copy(ring_turn(at) + 1, letter, ring.size);
    atomic_store_explicit(ring_turn(at), at + 1, memory_order_release);
}

static void ring_send(uint64_t first, uint64_t count)
{
    struct letter letter = {{0}};
    for (uint64_t i = 0; i < count; i++) {
        letter.words[0] = first + i;
        ring_put(&letter);
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&ring.asleep, memory_order_relaxed) && atomic_exchange(&ring.asleep, false))
            eventfd_wake();
    }
}

static uint64_t ring_drain(void)
{
    uint64_t count = 0;
    while (atomic_load_explicit(ring_turn(ring.head), memory_order_acquire) == ring.head + 1) {
        receiver_take(ring_turn(ring.head) + 1, 0, 1);
        atomic_store_explicit(ring_turn(ring.head), ring.head + RING_CELLS, memory_order_release);
        ring.head++;
        count++;
    }
    return count;
}

static void ring_receive(uint64_t count)
{
    uint64_t done = 0;
    while ((done += ring_drain()) < count) {
        atomic_store_explicit(&ring.asleep, true, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(ring_turn(ring.head), memory_order_acquire) != ring.head + 1)
            eventfd_wait();
        atomic_store_explicit(&ring.asleep, false, memory_order_relaxed);
    }
}

static void ring_close(void)
{
    eventfd_close();
    free(ring.cells);
}

static const struct subject bare_ring = {
    .name = "bare ring",
    .open = ring_open,
    .send = ring_send,
    .receive = ring_receive,
    .close = ring_close,
};

/* ---- Bounded: a locked ring, a condition for either side ---- */

static struct {
    alignas(128) pthread_mutex_t lock;
    pthread_cond_t letters, places;
    char *cells;
    size_t size, bound, count;
    char *taken;
} conditions = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .letters = PTHREAD_COND_INITIALIZER,
    .places = PTHREAD_COND_INITIALIZER,
};

static void conditions_open(size_t size, size_t bound)
{
    conditions.size = size;
    conditions.bound = bound;
    conditions.cells = bench_array((int)bound, size);
    conditions.taken = bench_array((int)bound, size);
}

static void conditions_send(uint64_t first, uint64_t count)
{
    struct letter letter = {{0}};
    for (uint64_t i = 0; i < count; i++) {
        letter.words[0] = first + i;
        pthread_mutex_lock(&conditions.lock);
        while (conditions.count == conditions.bound)
            pthread_cond_wait(&conditions.places, &conditions.lock);
        letter_copy(conditions.cells + conditions.count * conditions.size, &letter, conditions.size);
        if (conditions.count++ == 0)
            pthread_cond_signal(&conditions.letters);
        pthread_mutex_unlock(&conditions.lock);
    }
}

/* All that is there at once: the other array has as many places. */
static void conditions_receive(uint64_t count)
{
    for (uint64_t done = 0; done < count;) {
        pthread_mutex_lock(&conditions.lock);
        while (conditions.count == 0)
            pthread_cond_wait(&conditions.letters, &conditions.lock);
        char *full = conditions.cells;
        size_t found = conditions.count;
        if (found == conditions.bound)
            pthread_cond_broadcast(&conditions.places);
        conditions.cells = conditions.taken;
        conditions.count = 0;
        pthread_mutex_unlock(&conditions.lock);
        conditions.taken = full;
        receiver_take(full, conditions.size, found);
        done += found;
    }
}

static void conditions_close(void)
{
    free(conditions.cells);
    free(conditions.taken);
}

static const struct subject two_conditions = {
    .name = "two conditions",
    .open = conditions_open,
    .send = conditions_send,
    .receive = conditions_receive,
    .close = conditions_close,
};
