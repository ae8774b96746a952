/* SPDX-License-Identifier: MIT */
/*
 * Channels: a queue of messages, perhaps a gate before it, and a source on the poller's ready
 * queue.
 *
 * The level says what there is to report. Sender: claim a cell of the queue; fill it; load the
 * level; if it says MESSAGES, that is all, else set it, and put the source on the ready queue.
 * Waiter, when its turn comes: if every claimed cell was taken, clear MESSAGES, and look at the
 * claims again. All four are sequentially consistent, so that a sender that did not see the
 * level cleared has a claim that the waiter sees. A receiver that follows close behind its
 * senders clears nothing, and so costs them nothing.
 *
 * A cell that is claimed and not full would be reported for as long as its sender is held up.
 * A receiver that meets one therefore clears MESSAGES as well, and looks at the cell again:
 * either it is full, or its sender will see the level cleared. For this the filling must be
 * visible before the sender's load of the level, which takes a fence, which would be most of
 * what a send costs. Where the system has a barrier for all threads (os/barrier.h), the
 * receiver makes that instead, between the two steps; elsewhere senders are `fenced`.
 */
#include "os/config.h"

#include "core/core.h"
#include "core/gate.h"
#include "core/queue.h"
#include "os/barrier.h"
#include "os/clock.h"

#include <limits.h>

enum {
    CHANNEL_MESSAGES = 1, /* the source is on the ready queue, or about to be */
    CHANNEL_CLOSING = 2,  /* no event has said yet that the last sender is gone */
    CHANNEL_ORPHANED = 4, /* the last sender is gone */
    CHANNEL_UNHEARD = 8   /* the wake for it failed: the next sender tries again */
};

/* Looks at a claimed cell before a barrier is made: its sender is usually about to fill it. */
enum { CHANNEL_LOOKS = 200 };

/* plx_registry.barrier: whether there is a barrier for all threads. */
enum { BARRIER_UNKNOWN, BARRIER_THERE, BARRIER_MISSING };

struct plx_sender {
    plx__source source; /* first: a source is its channel */
    plx_token token;
    _Atomic(uint32_t) senders;  /* references; acq_rel: who sees 0 sees what they sent */
    _Atomic(uint32_t) holds;    /* on the memory: the senders', the receiver's, the ready queue's */
    char apart[64];             /* each wait writes to the source; what follows is what a send reads */
    plx_registry *registry;
    plx__gate *gate; /* NULL: it always takes another message */
    _Atomic(uint32_t) level;    /* seq_cst, paired with the queue's tail */
    _Atomic(bool) fenced;       /* senders make a fence; relaxed: set for good, before a barrier */
    _Atomic(bool) closed;       /* there is no receiver any more; release, acquire */
    plx__queue queue;
};

typedef struct plx_sender plx__channel;

/* The other view of the same object. */
struct plx_receiver {
    plx__channel channel;
};

static const plx__source_kind channel_kind;

/* ---- Its life -------------------------------------------------------------- */

static void channel_free(plx__channel *channel)
{
    const plx_allocator *memory = &channel->registry->memory;

    if (channel->gate && !plx__forked(channel->registry))
        plx__gate_fini(channel->gate, &channel->registry->gates);
    plx__queue_fini(&channel->queue);
    plx__memory_put(memory, channel->gate);
    plx__memory_put(memory, channel);
}

static void channel_drop_hold(plx__channel *channel)
{
    if (atomic_fetch_sub_explicit(&channel->holds, 1, PLX__ACQ_REL) == 1)
        channel_free(channel);
}

/* Whether the system has a barrier for all threads; asked once for each poller. */
static bool channel_barrier(plx_registry *registry)
{
    uint32_t known = atomic_load_explicit(&registry->barrier, PLX__RELAXED);

    if (known == BARRIER_UNKNOWN) {
        known = plx__barrier_prepare() ? BARRIER_THERE : BARRIER_MISSING;
        atomic_store_explicit(&registry->barrier, known, PLX__RELAXED);
    }
    return known == BARRIER_THERE;
}

static int channel_open(plx_registry *registry, plx_token token, size_t size, const size_t *bound,
                        plx_sender **sender, plx_receiver **receiver)
{
    int rc = plx__registry_check(registry);

    if (rc == 0 && (!sender || !receiver || token > PLX_TOKEN_MAX))
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    plx__channel *channel = plx__memory_get(&registry->memory, sizeof *channel);
    if (!channel)
        return -ENOMEM;
    rc = plx__queue_init(&channel->queue, &registry->memory, size) ? 0 : -EINVAL;
    if (rc < 0)
        goto free_channel;
    if (bound) {
        channel->gate = plx__memory_get(&registry->memory, sizeof *channel->gate);
        rc = channel->gate ? plx__gate_init(channel->gate, *bound, &registry->gates) : -ENOMEM;
        if (rc < 0)
            goto free_gate;
    }
    channel->source.kind = &channel_kind;
    channel->token = token;
    atomic_init(&channel->senders, 1);
    atomic_init(&channel->holds, 2);
    channel->registry = plx_registry_retain(plx_registry_retain(registry)); /* for each side */
    atomic_init(&channel->fenced, !channel_barrier(registry));
    *sender = channel;
    *receiver = (plx_receiver *)channel;
    return 0;

free_gate:
    plx__memory_put(&registry->memory, channel->gate);
free_channel:
    plx__memory_put(&registry->memory, channel);
    return rc;
}

int plx_channel_open(plx_registry *registry, plx_token token, size_t size, plx_sender **sender,
                     plx_receiver **receiver)
{
    return channel_open(registry, token, size, NULL, sender, receiver);
}

int plx_channel_open_bounded(plx_registry *registry, plx_token token, size_t size, size_t bound,
                             plx_sender **sender, plx_receiver **receiver)
{
    return channel_open(registry, token, size, &bound, sender, receiver);
}

plx_sender *plx_sender_retain(plx_sender *sender)
{
    if (sender)
        atomic_fetch_add_explicit(&sender->senders, 1, PLX__RELAXED);
    return sender;
}

/* ---- Its event ------------------------------------------------------------- */

/*
 * Says that there is something, and puts the source on the ready queue. UNHEARD is cleared
 * before the wake, so that a later one that fails is not forgotten.
 */
static void channel_signal(plx__channel *channel, uint32_t what)
{
    plx_registry *registry = channel->registry;

    atomic_fetch_or_explicit(&channel->level, what, PLX__SEQ_CST);
    if (plx__source_claim(&channel->source)) {
        atomic_fetch_add_explicit(&channel->holds, 1, PLX__RELAXED);
        plx__ready_push(&registry->ready, &channel->source);
    }
    atomic_fetch_and_explicit(&channel->level, ~(uint32_t)CHANNEL_UNHEARD, PLX__SEQ_CST);
    if (plx__wake_send(registry) < 0)
        atomic_fetch_or_explicit(&channel->level, CHANNEL_UNHEARD, PLX__SEQ_CST);
}

/* After a message was put or offered. */
static inline void channel_sent(plx__channel *channel)
{
    if (atomic_load_explicit(&channel->fenced, PLX__RELAXED))
        plx__fence();
    else
        atomic_signal_fence(PLX__SEQ_CST); /* the receiver's barrier is one for processors, not for the compiler */
    uint32_t level = atomic_load_explicit(&channel->level, PLX__SEQ_CST);
    if ((level & (CHANNEL_MESSAGES | CHANNEL_UNHEARD)) != CHANNEL_MESSAGES)
        channel_signal(channel, CHANNEL_MESSAGES);
}

static bool channel_rendezvous(const plx__channel *channel)
{
    return channel->gate && channel->gate->rendezvous;
}

/* Whether messages may be left: certainly not, if false. Any thread. */
static bool channel_left(plx__channel *channel)
{
    return channel_rendezvous(channel) ? plx__gate_any(channel->gate) : plx__queue_left(&channel->queue);
}

/* After every thread's stores are visible, or their senders fenced from now on. */
static void channel_make_barrier(plx__channel *channel)
{
    atomic_fetch_add_explicit(&channel->registry->wake_calls, 1, PLX__RELAXED);
    if (plx__barrier_all())
        return;
    atomic_store_explicit(&channel->registry->barrier, BARRIER_MISSING, PLX__RELAXED);
    atomic_store_explicit(&channel->fenced, true, PLX__RELAXED);
    (void)plx__barrier_all(); /* for those that had not seen that */
}

/*
 * A cell is claimed, and not full. False if it is still not, and its sender will see the level
 * when it is.
 */
static bool channel_await_cell(plx__channel *channel)
{
    for (int looks = 0; looks < CHANNEL_LOOKS; looks++)
        if (plx__queue_any(&channel->queue))
            return true;
    atomic_fetch_and_explicit(&channel->level, ~(uint32_t)(CHANNEL_MESSAGES | CHANNEL_UNHEARD), PLX__SEQ_CST);
    if (!atomic_load_explicit(&channel->fenced, PLX__RELAXED))
        channel_make_barrier(channel);
    if (!plx__queue_any(&channel->queue))
        return false;
    channel_signal(channel, CHANNEL_MESSAGES);
    return true;
}

/* What there is to report. */
static uint32_t channel_pending(plx__channel *channel)
{
    if (atomic_load_explicit(&channel->closed, PLX__ACQUIRE))
        return 0;
    uint32_t level = atomic_load_explicit(&channel->level, PLX__SEQ_CST);
    if (level & CHANNEL_MESSAGES && !channel_left(channel)) {
        level = atomic_fetch_and_explicit(&channel->level, ~(uint32_t)CHANNEL_MESSAGES, PLX__SEQ_CST);
        level &= ~(uint32_t)CHANNEL_MESSAGES;
        if (channel_left(channel))
            level = atomic_fetch_or_explicit(&channel->level, CHANNEL_MESSAGES, PLX__SEQ_CST) | CHANNEL_MESSAGES;
    }
    return level & (CHANNEL_MESSAGES | CHANNEL_CLOSING);
}

static void channel_report(plx__channel *channel, plx_event *event)
{
    const uint32_t said = CHANNEL_CLOSING | CHANNEL_UNHEARD;
    uint32_t level = atomic_load_explicit(&channel->level, PLX__SEQ_CST);

    if (level & said) /* no write otherwise: senders read it */
        level = atomic_fetch_and_explicit(&channel->level, ~said, PLX__SEQ_CST);
    *event = (plx_event){.token = channel->token, .flags = PLX_CHANNEL};
    if (level & CHANNEL_ORPHANED)
        event->flags |= PLX_READ_CLOSED;
}

static plx__taken channel_take(plx__source *source, plx_event *event)
{
    plx__channel *channel = (plx__channel *)source;
    uint32_t pending = channel_pending(channel);
    bool reported = pending != 0;

    if (reported)
        channel_report(channel, event);
    if (pending & CHANNEL_MESSAGES)
        return PLX__TOOK_ONE;
    plx__source_unclaim(source);
    if (channel_pending(channel) && plx__source_claim(source)) {
        if (!reported)
            channel_report(channel, event);
        return PLX__TOOK_ONE;
    }
    channel_drop_hold(channel);
    return reported ? PLX__TOOK_ALL : PLX__TOOK_NOTHING;
}

static void channel_drop(plx__source *source)
{
    channel_drop_hold((plx__channel *)source);
}

static const plx__source_kind channel_kind = {.take = channel_take, .drop = channel_drop};

/* ---- Sending --------------------------------------------------------------- */

static inline int sender_check(const plx_sender *sender, const void *message)
{
    if (!sender || (!message && sender->queue.size > 0))
        return -EINVAL;
    if (plx__forked(sender->registry))
        return -ECHILD;
    if (atomic_load_explicit(&sender->registry->closed, PLX__ACQUIRE))
        return -PLX_ESHUTDOWN;
    return atomic_load_explicit(&sender->closed, PLX__ACQUIRE) ? -EPIPE : 0;
}

/* The claim is void, or the message is not a word. */
PLX__APART static int sender_put_at(plx_sender *sender, uint64_t claim, const void *message)
{
    int rc = plx__queue_put_at(&sender->queue, claim, message);

    if (rc == 0 || (sender->gate && plx__gate_leave(sender->gate, &sender->queue, 1)))
        channel_sent(sender);
    return rc;
}

/*
 * With a place, if the channel is bounded. The claim waits for all stores before it, so that
 * each register saved by the usual send costs the next one time: calls are at its ends alone.
 */
static inline int sender_put(plx_sender *sender, const void *message)
{
    uint64_t claim = plx__queue_claim(&sender->queue);

    if (!plx__queue_put_word(&sender->queue, claim, message))
        return sender_put_at(sender, claim, message);
    channel_sent(sender);
    return 0;
}

/* Waits for room, or for the receiver. */
PLX__RARE static int sender_offer(plx_sender *sender, const void *message, plx_nanos deadline)
{
    plx__offer offer;
    int rc = deadline != PLX_FOREVER && deadline <= plx__clock_now() ? -ETIMEDOUT : 0;

    if (rc == 0)
        rc = plx__gate_offer(sender->gate, &sender->queue, &offer, message);
    if (rc < 0)
        return rc;
    channel_sent(sender);
    return plx__gate_await(sender->gate, &offer, deadline);
}

static inline int sender_send(plx_sender *sender, const void *message, plx_nanos deadline)
{
    int rc = sender_check(sender, message);

    if (rc < 0)
        return rc;
    if (sender->gate && !plx__gate_enter(sender->gate))
        return sender_offer(sender, message, deadline);
    return sender_put(sender, message);
}

int plx_sender_send(plx_sender *sender, const void *message)
{
    return sender_send(sender, message, PLX_FOREVER);
}

int plx_sender_try_send(plx_sender *sender, const void *message)
{
    int rc = sender_check(sender, message);

    if (rc == 0 && sender->gate && !plx__gate_enter(sender->gate))
        rc = -EAGAIN;
    return rc < 0 ? rc : sender_put(sender, message);
}

int plx_sender_send_until(plx_sender *sender, const void *message, plx_nanos deadline)
{
    return sender_send(sender, message, deadline);
}

void plx_sender_release(plx_sender *sender)
{
    if (!sender || atomic_fetch_sub_explicit(&sender->senders, 1, PLX__ACQ_REL) != 1)
        return;
    plx_registry *registry = sender->registry;
    if (plx__registry_check(registry) == 0 && !atomic_load_explicit(&sender->closed, PLX__ACQUIRE))
        channel_signal(sender, CHANNEL_CLOSING | CHANNEL_ORPHANED);
    channel_drop_hold(sender);
    plx_registry_release(registry);
}

/* ---- Receiving ------------------------------------------------------------- */

static size_t receiver_take(plx__channel *channel, void *messages, size_t count)
{
    if (channel_rendezvous(channel))
        return plx__gate_take(channel->gate, channel->queue.size, messages, count);
    size_t done = plx__queue_take(&channel->queue, messages, count);
    if (channel->gate && done > 0 && plx__gate_leave(channel->gate, &channel->queue, done))
        channel_sent(channel);
    return done;
}

int plx_receiver_recv_many(plx_receiver *receiver, void *messages, size_t count)
{
    plx__channel *channel = (plx__channel *)receiver;

    if (!receiver || count == 0 || (!messages && channel->queue.size > 0))
        return -EINVAL;
    if (plx__forked(channel->registry))
        return -ECHILD;
    bool orphaned = atomic_load_explicit(&channel->senders, PLX__ACQUIRE) == 0; /* before the look at the queue */
    size_t most = count < INT_MAX ? count : INT_MAX;
    size_t done = receiver_take(channel, messages, most);
    if (done == 0 && channel_left(channel) && !channel_rendezvous(channel) && channel_await_cell(channel))
        done = receiver_take(channel, messages, most);
    if (done > 0)
        return (int)done;
    return orphaned ? -EPIPE : -EAGAIN;
}

int plx_receiver_recv(plx_receiver *receiver, void *message)
{
    int rc = plx_receiver_recv_many(receiver, message, 1);

    return rc > 0 ? 0 : rc;
}

void plx_receiver_close(plx_receiver *receiver)
{
    if (!receiver)
        return;
    plx__channel *channel = (plx__channel *)receiver;
    plx_registry *registry = channel->registry;
    atomic_store_explicit(&channel->closed, true, PLX__SEQ_CST);
    if (!plx__forked(registry)) {
        if (channel->gate)
            plx__gate_close(channel->gate, -EPIPE);
        plx__queue_take(&channel->queue, NULL, SIZE_MAX);
    }
    channel_drop_hold(channel);
    plx_registry_release(registry);
}
