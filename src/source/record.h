/* SPDX-License-Identifier: MIT */
/*
 * The record of unread signals: any number of handlers write, at once and inside one another,
 * without a lock and without waiting for each other; one reader at a time takes, oldest first.
 *
 *     slots   | 5 | 6 | 7 |   |   | 3 | 4 |     head 3, tail 8
 *     merged  SIGCHLD, after 7                  came when the slots were full
 *
 * A slot's turn says whose it is: `place` the writer's whose place it is, `place + 1` the
 * reader's. When all slots are unread, one signal of each number is kept in `merged`, and
 * stands for all of that number that come until it is read.
 */
#ifndef PLX__RECORD_H
#define PLX__RECORD_H

#include "os/atomic.h"
#include "os/signals.h"

#include <pollux.h>

#define PLX__RECORD_SLOTS 1024u

typedef struct plx__record_slot {
    _Atomic(uint32_t) turn; /* acquire and release: it guards the signal, for writer and reader */
    plx_signal_info info;
} plx__record_slot;

typedef enum plx__record_state {
    PLX__RECORD_EMPTY,
    PLX__RECORD_WRITING,
    PLX__RECORD_FULL
} plx__record_state;

typedef struct plx__record_merged {
    _Atomic(uint32_t) state; /* claimed by compare-and-swap; release when FULL or EMPTY again */
    uint32_t place;          /* the tail when it came: it follows what is in the slots up to there */
    uint32_t order;          /* among those of one place */
    plx_signal_info info;
} plx__record_merged;

typedef struct plx__record {
    _Atomic(uint32_t) tail;   /* the next writer's place; relaxed, the slot's turn orders */
    _Atomic(uint32_t) merges; /* begun, ever; counted before the signal is FULL */
    uint32_t head;            /* the reader's, as the next */
    uint32_t merges_read;
    plx__record_slot slot[PLX__RECORD_SLOTS];
    plx__record_merged merged[PLX__SIGNALS]; /* by number */
} plx__record;

void plx__record_init(plx__record *record);

/* In a handler. */
void plx__record_write(plx__record *record, const plx_signal_info *info);

/* By one thread at a time: the number of the oldest, or 0; and the oldest itself, if there is one. */
int  plx__record_oldest(plx__record *record);
bool plx__record_take(plx__record *record, plx_signal_info *info);

#endif
