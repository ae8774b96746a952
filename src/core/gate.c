/* SPDX-License-Identifier: MIT */
/*
 * Senders that wait for room. No wake-up is lost: a sender counts itself in `waiting`, then
 * looks at `room`; whoever makes room adds to it, then looks at `waiting`; all four are
 * sequentially consistent, so that one of the two sees the other, and fills the room under
 * the lock.
 */
#include "os/config.h"

#include "core/gate.h"
#include "os/clock.h"

enum { OFFER_OPEN = 1 };

int plx__gates_init(plx__gates *gates)
{
    return plx__lock_init(&gates->lock);
}

void plx__gates_fini(plx__gates *gates)
{
    plx__lock_fini(&gates->lock);
}

void plx__gates_close(plx__gates *gates)
{
    plx__lock_take(&gates->lock);
    gates->closed = true;
    for (plx__gate *gate = gates->first; gate; gate = gate->next)
        plx__gate_close(gate, -PLX_ESHUTDOWN);
    plx__lock_drop(&gates->lock);
}

int plx__gate_init(plx__gate *gate, size_t bound, plx__gates *gates)
{
    int rc = plx__lock_init(&gate->lock);

    if (rc < 0)
        return rc;
    atomic_init(&gate->room, bound);
    gate->rendezvous = bound == 0;
    plx__lock_take(&gates->lock);
    gate->over = gates->closed ? -PLX_ESHUTDOWN : 0;
    gate->next = gates->first;
    gate->link = &gates->first;
    if (gate->next)
        gate->next->link = &gate->next;
    gates->first = gate;
    plx__lock_drop(&gates->lock);
    return 0;
}

void plx__gate_fini(plx__gate *gate, plx__gates *gates)
{
    plx__lock_take(&gates->lock);
    *gate->link = gate->next;
    if (gate->next)
        gate->next->link = gate->link;
    plx__lock_drop(&gates->lock);
    plx__lock_fini(&gate->lock);
}

/* ---- Under the gate's lock ------------------------------------------------- */

static void gate_append(plx__gate *gate, plx__offer *offer)
{
    if (gate->first)
        gate->last->next = offer;
    else
        gate->first = offer;
    gate->last = offer;
    atomic_fetch_add_explicit(&gate->waiting, 1, PLX__SEQ_CST);
}

static void gate_remove(plx__gate *gate, plx__offer *offer)
{
    plx__offer *before = NULL;

    for (plx__offer *at = gate->first; at != offer; at = at->next)
        before = at;
    *(before ? &before->next : &gate->first) = offer->next;
    if (gate->last == offer)
        gate->last = before;
    atomic_fetch_sub_explicit(&gate->waiting, 1, PLX__SEQ_CST);
}

/* The oldest offer is over. Its sender may be gone with it as soon as the lock is dropped. */
static void gate_decide(plx__gate *gate, int result)
{
    plx__offer *offer = gate->first;

    gate_remove(gate, offer);
    offer->result = result;
    plx__condition_signal(&offer->decided);
}

/* The oldest offer goes into the queue, or has no memory for it: true if it took its place. */
static bool gate_move(plx__gate *gate, plx__queue *queue)
{
    int rc = plx__queue_put(queue, gate->first->message);

    gate_decide(gate, rc);
    return rc == 0;
}

static bool gate_fill(plx__gate *gate, plx__queue *queue)
{
    bool filled = false;

    while (gate->first && plx__gate_enter(gate)) {
        bool moved = gate_move(gate, queue);
        if (!moved)
            atomic_fetch_add_explicit(&gate->room, 1, PLX__SEQ_CST);
        filled |= moved;
    }
    return filled;
}

/* ---- Any thread ------------------------------------------------------------ */

/* Those that wait already come before those that would find the room. */
bool plx__gate_leave(plx__gate *gate, plx__queue *queue, size_t places)
{
    bool filled = false;

    if (plx__gate_any(gate)) {
        plx__lock_take(&gate->lock);
        while (places > 0 && gate->first)
            if (gate_move(gate, queue)) {
                filled = true;
                places--;
            }
        plx__lock_drop(&gate->lock);
    }
    if (places == 0)
        return filled;
    atomic_fetch_add_explicit(&gate->room, places, PLX__SEQ_CST);
    if (plx__gate_any(gate)) {
        plx__lock_take(&gate->lock);
        filled |= gate_fill(gate, queue);
        plx__lock_drop(&gate->lock);
    }
    return filled;
}

size_t plx__gate_take(plx__gate *gate, size_t size, void *messages, size_t count)
{
    unsigned char *to = messages;
    size_t done = 0;

    if (!plx__gate_any(gate))
        return 0;
    plx__lock_take(&gate->lock);
    for (; done < count && gate->first; done++) {
        if (size > 0)
            plx__queue_copy(to + done * size, gate->first->message, size);
        gate_decide(gate, 0);
    }
    plx__lock_drop(&gate->lock);
    return done;
}

int plx__gate_offer(plx__gate *gate, plx__queue *queue, plx__offer *offer, const void *message)
{
    int rc = plx__condition_init(&offer->decided);

    if (rc < 0)
        return rc;
    offer->next = NULL;
    offer->message = message;
    offer->result = OFFER_OPEN;
    plx__lock_take(&gate->lock);
    if (gate->over)
        offer->result = gate->over;
    else
        gate_append(gate, offer);
    (void)gate_fill(gate, queue);
    plx__lock_drop(&gate->lock);
    return 0;
}

int plx__gate_await(plx__gate *gate, plx__offer *offer, plx_nanos deadline)
{
    int rc = 0;

    plx__lock_take(&gate->lock);
    while (offer->result == OFFER_OPEN) {
        if (deadline == PLX_FOREVER) {
            rc = plx__condition_wait(&offer->decided, &gate->lock);
        } else if (plx__clock_now() < deadline) {
            plx__condition_wait_until(&offer->decided, &gate->lock, deadline);
        } else {
            rc = -ETIMEDOUT;
        }
        if (rc < 0) {
            gate_remove(gate, offer);
            offer->result = rc;
        }
    }
    plx__lock_drop(&gate->lock);
    plx__condition_fini(&offer->decided);
    return offer->result;
}

void plx__gate_close(plx__gate *gate, int result)
{
    plx__lock_take(&gate->lock);
    if (!gate->over)
        gate->over = result;
    while (gate->first)
        gate_decide(gate, gate->over);
    plx__lock_drop(&gate->lock);
}
