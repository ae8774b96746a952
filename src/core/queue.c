/* SPDX-License-Identifier: MIT */
/*
 * The slow parts of a channel's queue: blocks are made, put behind the last, and used again
 * once they are empty. All of it without a lock; what allocates waits for the allocator.
 *
 * A block is in one place at a time: in the hands of one thread, between `taken` and `tail`,
 * or among the spares. No thread reads a block that it has no claim in, so a block may be
 * freed as soon as the taker has left it.
 */
#include "os/config.h"

#include "core/queue.h"

#include <errno.h>

enum {
    QUEUE_BLOCK_BYTES = 16384, /* a block's, about */
    QUEUE_BLOCK_CELLS = 256,   /* at most */
    QUEUE_KEPT = 4             /* spare blocks that keep their memory */
};

static uint64_t queue_position(uint32_t number, uint32_t index)
{
    return (uint64_t)number << 32 | index;
}

bool plx__queue_init(plx__queue *queue, const plx_allocator *memory, size_t size)
{
    if (size > SIZE_MAX / 2 - sizeof(plx__block) - sizeof(plx__cell))
        return false;
    const size_t aligned = _Alignof(plx__cell);
    queue->memory = memory;
    queue->size = size;
    queue->stride = sizeof(plx__cell) + (size + aligned - 1) / aligned * aligned;
    size_t cells = QUEUE_BLOCK_BYTES / queue->stride;
    queue->cells = cells > QUEUE_BLOCK_CELLS ? QUEUE_BLOCK_CELLS : cells > 0 ? (uint32_t)cells : 1;
    atomic_init(&queue->first, PLX__QUEUE_NONE);
    atomic_init(&queue->tail, queue_position(PLX__QUEUE_NONE, queue->cells));
    atomic_init(&queue->taken, queue_position(PLX__QUEUE_NONE, queue->cells));
    return true;
}

void plx__queue_fini(plx__queue *queue)
{
    uint32_t numbers = atomic_load_explicit(&queue->numbers, PLX__RELAXED);

    for (uint32_t number = 0; number < numbers; number++)
        plx__memory_put(queue->memory, atomic_load_explicit(&plx__queue_name(queue, number)->block, PLX__RELAXED));
    for (int i = 0; i < PLX__QUEUE_TABLES; i++)
        plx__memory_put(queue->memory, atomic_load_explicit(&queue->table[i], PLX__RELAXED));
}

/* ---- Numbers --------------------------------------------------------------- */

static void queue_put_spare(plx__queue *queue, uint32_t number)
{
    plx__block_name *name = plx__queue_name(queue, number);
    uint64_t head = atomic_load_explicit(&queue->spares, PLX__RELAXED);

    do
        atomic_store_explicit(&name->spare, (uint32_t)head, PLX__RELAXED);
    while (!atomic_compare_exchange_weak_explicit(&queue->spares, &head,
                                                  queue_position((uint32_t)(head >> 32) + 1, number + 1),
                                                  PLX__ACQ_REL, PLX__RELAXED));
}

/* False if there is none. The count in the word tells a spare that went and came back. */
static bool queue_take_spare(plx__queue *queue, uint32_t *number)
{
    uint64_t head = atomic_load_explicit(&queue->spares, PLX__ACQUIRE);
    uint32_t rest;

    do {
        if ((uint32_t)head == 0)
            return false;
        *number = (uint32_t)head - 1;
        rest = atomic_load_explicit(&plx__queue_name(queue, *number)->spare, PLX__RELAXED);
    } while (!atomic_compare_exchange_weak_explicit(&queue->spares, &head,
                                                    queue_position((uint32_t)(head >> 32) + 1, rest), PLX__ACQ_REL,
                                                    PLX__ACQUIRE));
    return true;
}

/* Makes the table that a number's name is in; of two that do, one is kept. */
static bool queue_make_table(plx__queue *queue, uint32_t number)
{
    unsigned table = plx__highest_bit(number | 15) / 2 - 1;
    size_t names = table ? (size_t)12 << 2 * table : 16;

    if (table >= PLX__QUEUE_TABLES)
        return false;
    plx__block_name *seen = atomic_load_explicit(&queue->table[table], PLX__ACQUIRE);
    if (seen)
        return true;
    plx__block_name *made = plx__memory_get(queue->memory, names * sizeof *made);
    if (!made)
        return false;
    if (!atomic_compare_exchange_strong_explicit(&queue->table[table], &seen, made, PLX__ACQ_REL, PLX__ACQUIRE))
        plx__memory_put(queue->memory, made);
    return true;
}

static bool queue_new_number(plx__queue *queue, uint32_t *number)
{
    *number = atomic_load_explicit(&queue->numbers, PLX__RELAXED);
    do
        if (!queue_make_table(queue, *number))
            return false;
    while (!atomic_compare_exchange_weak_explicit(&queue->numbers, number, *number + 1, PLX__RELAXED, PLX__RELAXED));
    return true;
}

/* ---- Blocks ---------------------------------------------------------------- */

/* The number of an empty block, in the hands of the caller; NONE without memory. */
static uint32_t queue_get_block(plx__queue *queue)
{
    uint32_t number;

    if (!queue_take_spare(queue, &number) && !queue_new_number(queue, &number))
        return PLX__QUEUE_NONE;
    plx__block_name *name = plx__queue_name(queue, number);
    plx__block *block = atomic_load_explicit(&name->block, PLX__RELAXED);
    if (block) {
        atomic_fetch_sub_explicit(&queue->kept, 1, PLX__RELAXED);
    } else {
        block = plx__memory_get(queue->memory, sizeof *block + plx__queue_cells(queue, number) * queue->stride);
        atomic_store_explicit(&name->block, block, PLX__RELAXED);
        if (!block) {
            queue_put_spare(queue, number);
            return PLX__QUEUE_NONE;
        }
    }
    block->lap++;
    atomic_store_explicit(&block->next, PLX__QUEUE_NONE, PLX__RELAXED);
    return number;
}

/* Takes back a block that nobody has a claim in. */
static void queue_put_block(plx__queue *queue, uint32_t number)
{
    plx__block_name *name = plx__queue_name(queue, number);

    if (number >= PLX__QUEUE_SMALL && atomic_load_explicit(&queue->kept, PLX__RELAXED) < QUEUE_KEPT) {
        atomic_fetch_add_explicit(&queue->kept, 1, PLX__RELAXED);
    } else {
        plx__memory_put(queue->memory, atomic_exchange_explicit(&name->block, NULL, PLX__RELAXED));
    }
    if (number >= PLX__QUEUE_SMALL)
        queue_put_spare(queue, number);
}

/* Puts another block behind the last, which is full, and claims its first cell: 0 and the claim, or -ENOMEM. */
static int queue_extend(plx__queue *queue, uint64_t *claim)
{
    uint32_t made = PLX__QUEUE_NONE;
    uint64_t tail = atomic_load_explicit(&queue->tail, PLX__ACQUIRE);

    for (;;) {
        uint32_t number = (uint32_t)(tail >> 32);
        uint32_t cells = plx__queue_cells(queue, number);
        if ((uint32_t)tail < cells) { /* somebody was quicker */
            if (!atomic_compare_exchange_weak_explicit(&queue->tail, &tail, tail + 1, PLX__SEQ_CST, PLX__ACQUIRE))
                continue;
            *claim = tail;
            break;
        }
        if (made == PLX__QUEUE_NONE)
            made = queue_get_block(queue);
        if (made == PLX__QUEUE_NONE) { /* void claims are taken back, lest they add up to a number */
            if (atomic_compare_exchange_weak_explicit(&queue->tail, &tail, queue_position(number, cells),
                                                      PLX__SEQ_CST, PLX__ACQUIRE))
                return -ENOMEM;
            continue;
        }
        if (!atomic_compare_exchange_weak_explicit(&queue->tail, &tail, queue_position(made, 1), PLX__SEQ_CST,
                                                   PLX__ACQUIRE))
            continue;
        *claim = queue_position(made, 0);
        _Atomic(uint32_t) *next = number == PLX__QUEUE_NONE
            ? &queue->first
            : &atomic_load_explicit(&plx__queue_name(queue, number)->block, PLX__RELAXED)->next;
        atomic_store_explicit(next, made, PLX__RELEASE); /* the taker cannot have left `number` before */
        return 0;
    }
    if (made != PLX__QUEUE_NONE)
        queue_put_block(queue, made);
    return 0;
}

int plx__queue_put_at(plx__queue *queue, uint64_t claim, const void *message)
{
    if (!plx__queue_valid(queue, claim) && queue_extend(queue, &claim) < 0)
        return -ENOMEM;
    plx__queue_fill(queue, claim, message, queue->size);
    return 0;
}

/* ---- Taking ---------------------------------------------------------------- */

/* The taker goes to the block behind its own, which is empty: false if there is none. */
static bool queue_advance(plx__queue *queue)
{
    uint32_t number = (uint32_t)(atomic_load_explicit(&queue->taken, PLX__RELAXED) >> 32);
    uint32_t next = atomic_load_explicit(queue->head ? &queue->head->next : &queue->first, PLX__ACQUIRE);

    if (next == PLX__QUEUE_NONE)
        return false;
    atomic_store_explicit(&queue->taken, queue_position(next, 0), PLX__RELEASE);
    atomic_fetch_add_explicit(&queue->advances, 1, PLX__RELEASE);
    if (queue->head) /* it may be the last one again at once: whoever asks what is left must not find us there */
        queue_put_block(queue, number);
    queue->head = atomic_load_explicit(&plx__queue_name(queue, next)->block, PLX__RELAXED);
    queue->head_cells = plx__queue_cells(queue, next);
    return true;
}

static bool queue_full(const plx__queue *queue, uint32_t index)
{
    plx__cell *cell = plx__queue_cell(queue, queue->head, index);

    return atomic_load_explicit(&cell->lap, PLX__ACQUIRE) == queue->head->lap;
}

size_t plx__queue_take(plx__queue *queue, void *messages, size_t count)
{
    unsigned char *to = messages;
    size_t done = 0;

    while (done < count) {
        uint64_t taken = atomic_load_explicit(&queue->taken, PLX__RELAXED);
        uint32_t index = (uint32_t)taken;
        if (!queue->head || index == queue->head_cells) {
            if (!queue_advance(queue))
                break;
            continue;
        }
        for (; done < count && index < queue->head_cells && queue_full(queue, index); done++, index++)
            if (to) {
                plx__queue_copy(to, plx__queue_cell(queue, queue->head, index)->message, queue->size);
                to += queue->size;
            }
        if (index == (uint32_t)taken)
            break;
        atomic_store_explicit(&queue->taken, (taken & ~(uint64_t)UINT32_MAX) | index, PLX__RELEASE);
    }
    return done;
}

bool plx__queue_any(plx__queue *queue)
{
    uint32_t index = (uint32_t)atomic_load_explicit(&queue->taken, PLX__RELAXED);

    if (!queue->head || index == queue->head_cells) {
        if (!queue_advance(queue))
            return false;
        index = 0;
    }
    return queue_full(queue, index);
}

/* The two places are of one moment only if the taker stayed in its block from the one load to the other. */
bool plx__queue_left(const plx__queue *queue)
{
    uint32_t advances = atomic_load_explicit(&queue->advances, PLX__ACQUIRE);
    uint64_t taken = atomic_load_explicit(&queue->taken, PLX__ACQUIRE);
    uint64_t tail = atomic_load_explicit(&queue->tail, PLX__SEQ_CST);
    uint32_t cells = plx__queue_cells(queue, (uint32_t)(tail >> 32));

    if ((uint32_t)tail > cells) /* void claims */
        tail = queue_position((uint32_t)(tail >> 32), cells);
    return taken != tail || advances != atomic_load_explicit(&queue->advances, PLX__RELAXED);
}
