/* SPDX-License-Identifier: MIT */
/*
 * The messages of a channel: any thread puts, without a lock; one at a time takes.
 *
 * Messages lie in blocks of cells. One word, the tail, names the last block and how many of
 * its cells were claimed: a fetch-and-add claims the next one and tells in which block it
 * is, however many blocks came meanwhile. Blocks are named by numbers, not addresses, so
 * that both fit in the word.
 *
 *     tail ------------------------------+
 *     number | claimed                   v
 *                  +-------+     +-------+
 *     taken -----> | block | --> | block |      lap: what marks its full cells; changes
 *     number | index  lap  |next |  lap  |           each time the block is used again
 *                  +-------+     +-------+
 *
 * A claim beyond the end of a block is void: whoever makes one puts another block behind, or
 * has no memory and leaves no trace.
 */
#ifndef PLX__QUEUE_H
#define PLX__QUEUE_H

#include "core/memory.h"
#include "os/atomic.h"
#include "os/bits.h"

#include <string.h>

#define PLX__QUEUE_TABLES 13
#define PLX__QUEUE_NONE   UINT32_MAX /* a number that no block has */

/* Of the first blocks, which are small, so that a quiet channel is; they are not used again. */
#define PLX__QUEUE_SMALL 4

typedef struct plx__cell {
    _Atomic(uint32_t) lap; /* its block's when it is full; release by put, acquire by take */
    unsigned char message[];
} plx__cell;

typedef struct plx__block {
    uint32_t lap;           /* written before the block is put behind another */
    _Atomic(uint32_t) next; /* the number of the block behind; release by put, acquire by take */
    unsigned char cells[];
} plx__block;

typedef struct plx__block_name {
    _Atomic(plx__block *) block;
    _Atomic(uint32_t) spare; /* the next spare number; relaxed, read again by compare-and-swap of the first */
} plx__block_name;

typedef struct plx__queue {
    const plx_allocator *memory;
    size_t size;      /* of a message */
    size_t stride;    /* from cell to cell */
    uint32_t cells;   /* of a block that is not small */
    _Atomic(plx__block_name *) table[PLX__QUEUE_TABLES]; /* of blocks by number; release and acquire */
    _Atomic(uint32_t) numbers;  /* given out */
    _Atomic(uint32_t) first;    /* the number of the first block; release by put, acquire by take */
    _Atomic(uint64_t) spares;   /* the first spare number + 1, and above it a count of changes; acq_rel */
    _Atomic(uint32_t) kept;     /* spares that have memory; relaxed: a guess */
    char apart[64];             /* who puts and who takes share no cache line */
    _Atomic(uint64_t) tail;     /* seq_cst: paired with the level of a channel */
    char apart_too[64];
    _Atomic(uint64_t) taken;    /* what is before it was; written by the taker, release */
    _Atomic(uint32_t) advances; /* of the taker from block to block; release, between `taken` and the block's reuse */
    plx__block *head;           /* its block, the taker's, as the next */
    uint32_t head_cells;
} plx__queue;

/* False if a message of this size is too large for any memory. */
bool plx__queue_init(plx__queue *queue, const plx_allocator *memory, size_t size);
/* Nobody else may use it any more. */
void plx__queue_fini(plx__queue *queue);

/* How many messages were taken to `messages`; NULL drops them. The taker alone. */
size_t plx__queue_take(plx__queue *queue, void *messages, size_t count);

/* Whether a take would find a message. The taker alone. */
bool plx__queue_any(plx__queue *queue);

/* Whether a message may be left: certainly not, if false. Any thread. */
bool plx__queue_left(const plx__queue *queue);

static inline uint32_t plx__queue_cells(const plx__queue *queue, uint32_t number)
{
    uint32_t small = number < PLX__QUEUE_SMALL ? 16u << number : UINT32_MAX;

    return small < queue->cells ? small : queue->cells;
}

/* Of a number that was given out. Tables grow by four: 16, 48, 192 numbers and so on. */
static inline plx__block_name *plx__queue_name(const plx__queue *queue, uint32_t number)
{
    unsigned table = plx__highest_bit(number | 15) / 2 - 1;
    uint32_t first = table ? 4u << 2 * table : 0;

    return atomic_load_explicit(&queue->table[table], PLX__ACQUIRE) + (number - first);
}

static inline plx__cell *plx__queue_cell(const plx__queue *queue, plx__block *block, uint32_t index)
{
    return (plx__cell *)(void *)(block->cells + index * queue->stride);
}

/* The usual size is a pointer's, and a call of memcpy is dear for that. */
static inline void plx__queue_copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else if (size > 0)
        memcpy(to, from, size);
}

/* A put begins with a claim. */
static inline uint64_t plx__queue_claim(plx__queue *queue)
{
    return atomic_fetch_add_explicit(&queue->tail, 1, PLX__SEQ_CST);
}

/* Whether the claim is not beyond the end of its block. */
static inline bool plx__queue_valid(const plx__queue *queue, uint64_t claim)
{
    return (uint32_t)claim < plx__queue_cells(queue, (uint32_t)(claim >> 32));
}

/* Into a cell whose claim is valid. */
static inline void plx__queue_fill(plx__queue *queue, uint64_t claim, const void *message, size_t size)
{
    plx__block_name *name = plx__queue_name(queue, (uint32_t)(claim >> 32));
    plx__block *block = atomic_load_explicit(&name->block, PLX__RELAXED); /* seen through the tail */
    plx__cell *cell = plx__queue_cell(queue, block, (uint32_t)claim);

    plx__queue_copy(cell->message, message, size);
    atomic_store_explicit(&cell->lap, block->lap, PLX__RELEASE);
}

/* The usual put: a valid claim, a message of the usual size. False if it is not that: then plx__queue_put_at. */
static inline bool plx__queue_put_word(plx__queue *queue, uint64_t claim, const void *message)
{
    if (!plx__queue_valid(queue, claim) || queue->size != sizeof(uint64_t))
        return false;
    plx__queue_fill(queue, claim, message, sizeof(uint64_t));
    return true;
}

/* With any claim: 0 or -ENOMEM, and then nothing was put. */
int plx__queue_put_at(plx__queue *queue, uint64_t claim, const void *message);

static inline int plx__queue_put(plx__queue *queue, const void *message)
{
    return plx__queue_put_at(queue, plx__queue_claim(queue), message);
}

#endif
