/* SPDX-License-Identifier: MIT */
/*
 * A locked queue of 8-byte messages, for systems that can wake a loop and have no channel. Two
 * arrays that grow: senders fill one, the receiver has the other.
 */
#ifndef POLLUX_BENCH_QUEUE_H
#define POLLUX_BENCH_QUEUE_H

#include "peer.h"

#include <pthread.h>

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
static inline bool queue_put(struct queue *queue, uint64_t message)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->filled == queue->room) {
        queue->room *= 2;
        queue->filling = queue_array(queue->filling, queue->room);
    }
    queue->filling[queue->filled++] = message;
    bool empty = queue->filled == 1;
    pthread_mutex_unlock(&queue->lock);
    return empty;
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
