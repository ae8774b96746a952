/* SPDX-License-Identifier: MIT */
/* What a way to send messages must do to take part in the channels benchmark. */
#ifndef POLLUX_BENCH_SUBJECT_H
#define POLLUX_BENCH_SUBJECT_H

#include "../bench.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

struct subject {
    const char *name;
    bool denied;                                  /* in a process that may not call membarrier */
    void (*open)(size_t size, size_t bound);      /* 8 or 64 bytes; 0: no bound */
    void (*send)(uint64_t first, uint64_t count); /* numbered letters; any thread */
    void (*receive)(uint64_t count);              /* until so many more were taken */
    uint64_t (*calls)(void);                      /* system calls that the library counted; or NULL */
    void (*close)(void);
};

/* What is sent, or its first word alone. */
struct letter {
    uint64_t words[8];
};

/* There are two sizes, so that nobody calls memcpy for them. */
static inline void letter_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, sizeof(struct letter));
}

/* ---- What the receiver does with them ---- */

static struct receiver {
    alignas(128) _Atomic uint64_t taken; /* senders may spin on it */
    alignas(128) uint64_t count, sum;
    double *delays; /* if not NULL, letters are stamps, and each is answered */
    sem_t answer;
} receiver;

static inline void receiver_answer(uint64_t stamp)
{
    receiver.delays[receiver.count] = bench_clock(CLOCK_MONOTONIC) - (double)stamp;
    sem_post(&receiver.answer);
}

static inline void receiver_take(const void *letters, size_t stride, uint64_t count)
{
    const char *at = letters;
    for (uint64_t i = 0; i < count; i++, at += stride) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        receiver.sum += word;
        if (receiver.delays)
            receiver_answer(word);
        receiver.count++;
    }
    atomic_store_explicit(&receiver.taken, receiver.count, memory_order_release);
}

#endif
