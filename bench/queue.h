/* SPDX-License-Identifier: MIT */
/*
 * A locked queue of messages of one word, or of several, for what can wake a loop and has no
 * channel. Two arrays that grow: senders fill one, the receiver has the other.
 */
#ifndef POLLUX_BENCH_QUEUE_H
#define POLLUX_BENCH_QUEUE_H

#include "bench.h"

#include <pthread.h>
#include <stdbool.h>

/* All sizes are in words. */
struct queue {
    pthread_mutex_t lock;
    uint64_t *filling;
    size_t filled, room;
    uint64_t *taken; /* the receiver's, until its next queue_take */
    size_t taken_room;
};

static inline uint64_t *queue_array(uint64_t *array, size_t room)
{
    array = realloc(array, room * sizeof *array);
    if (!array)
        bench_die("queue", ENOMEM);
    return array;
}

/* Room for a number of whole messages. */
static inline void queue_open(struct queue *queue, size_t room)
{
    *queue = (struct queue){.room = room, .taken_room = room};
    pthread_mutex_init(&queue->lock, NULL);
    queue->filling = queue_array(NULL, room);
    queue->taken = queue_array(NULL, room);
}

static inline void queue_close(struct queue *queue)
{
    pthread_mutex_destroy(&queue->lock);
    free(queue->filling);
    free(queue->taken);
}

/* Whether it was empty: then the receiver is to be woken. */
static inline bool queue_put_words(struct queue *queue, const uint64_t *words, size_t count)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->filled == queue->room) {
        queue->room *= 2;
        queue->filling = queue_array(queue->filling, queue->room);
    }
    memcpy(queue->filling + queue->filled, words, count * sizeof *words);
    bool empty = queue->filled == 0;
    queue->filled += count;
    pthread_mutex_unlock(&queue->lock);
    return empty;
}

static inline bool queue_put(struct queue *queue, uint64_t message)
{
    return queue_put_words(queue, &message, 1);
}

/* How many there were; they are in `taken`. */
static inline size_t queue_take(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    uint64_t *full = queue->filling;
    size_t count = queue->filled, room = queue->room;
    queue->filling = queue->taken;
    queue->room = queue->taken_room;
    queue->filled = 0;
    pthread_mutex_unlock(&queue->lock);
    queue->taken = full;
    queue->taken_room = room;
    return count;
}

#endif
