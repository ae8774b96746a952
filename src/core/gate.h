/* SPDX-License-Identifier: MIT */
/*
 * The gate of a bounded channel: how many more messages it has room for, and the senders
 * that wait for room. Each of them offers its message in its own memory. Whoever makes room
 * moves the oldest offers into the queue; at a rendezvous, which has no room ever, the
 * receiver takes them from where they are.
 */
#ifndef PLX__GATE_H
#define PLX__GATE_H

#include "core/queue.h"
#include "os/lock.h"

typedef struct plx__offer plx__offer;

typedef struct plx__gate {
    _Atomic(size_t) room;     /* seq_cst, paired with `waiting` */
    _Atomic(uint32_t) waiting; /* offers; seq_cst, paired with `room`, and with the channel's level */
    bool rendezvous;
    plx__lock lock;           /* what follows */
    plx__offer *first, *last;
    int over;                 /* what offers come to from now on, if not 0 */
    struct plx__gate *next;   /* of the poller's; under the lock of the list, as the next */
    struct plx__gate **link;
} plx__gate;

/* The gates of a poller: those who wait at them are sent home when it is closed. */
typedef struct plx__gates {
    plx__lock lock;
    plx__gate *first;
    bool closed;
} plx__gates;

int  plx__gates_init(plx__gates *gates);
void plx__gates_fini(plx__gates *gates);
/* All that wait, now and later, get -PLX_ESHUTDOWN. */
void plx__gates_close(plx__gates *gates);

int  plx__gate_init(plx__gate *gate, size_t bound, plx__gates *gates);
void plx__gate_fini(plx__gate *gate, plx__gates *gates);

/* Takes one place, if there is one. */
static inline bool plx__gate_enter(plx__gate *gate)
{
    size_t room = atomic_load_explicit(&gate->room, PLX__SEQ_CST);

    while (room > 0)
        if (atomic_compare_exchange_weak_explicit(&gate->room, &room, room - 1, PLX__SEQ_CST, PLX__SEQ_CST))
            return true;
    return false;
}

/* Whether somebody waits. */
static inline bool plx__gate_any(plx__gate *gate)
{
    return atomic_load_explicit(&gate->waiting, PLX__SEQ_CST) > 0;
}

/* Gives places back, and fills them with what is offered: true if there was such. Any thread. */
bool plx__gate_leave(plx__gate *gate, plx__queue *queue, size_t places);

/* At a rendezvous: how many offers were taken to `messages`. */
size_t plx__gate_take(plx__gate *gate, size_t size, void *messages, size_t count);

/*
 * An offer is made, then waited for; in between the receiver may be told. It is over when
 * the wait returns: 0 it was taken or put into the queue; -ETIMEDOUT; -EDEADLK, nobody could
 * take it; -ENOMEM; what the gate was closed with.
 */
struct plx__offer {
    plx__offer *next;
    const void *message;
    int result; /* under the lock; 1: not yet */
    plx__condition decided;
};

int plx__gate_offer(plx__gate *gate, plx__queue *queue, plx__offer *offer, const void *message);
int plx__gate_await(plx__gate *gate, plx__offer *offer, plx_nanos deadline);

/* All that wait, now and later, get this. */
void plx__gate_close(plx__gate *gate, int result);

#endif
