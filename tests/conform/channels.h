/* SPDX-License-Identifier: MIT */
/* What the cases of channels share: a channel of numbers, and senders in threads. */
#ifndef CONFORM_CHANNELS_H
#define CONFORM_CHANNELS_H

#include "support.h"

enum { UNBOUNDED = -1 };

typedef struct channel {
    plx_sender   *sender;
    plx_receiver *receiver;
} channel;

/* Of messages of this size; a bound of 0 is a rendezvous. */
static inline channel channel_open(plx_poller *poller, plx_token token, size_t size, int bound)
{
    plx_registry *registry = plx_poller_registry(poller);
    channel made = {NULL, NULL};
    int rc = bound == UNBOUNDED
        ? plx_channel_open(registry, token, size, &made.sender, &made.receiver)
        : plx_channel_open_bounded(registry, token, size, (size_t)bound, &made.sender, &made.receiver);
    CHECK_RC(rc, 0);
    CHECK(made.sender != NULL && made.receiver != NULL);
    return made;
}

static inline void channel_close(channel *self)
{
    plx_sender_release(self->sender);
    plx_receiver_close(self->receiver);
}

static inline int send_number(plx_sender *sender, int64_t number)
{
    return plx_sender_send(sender, &number);
}

static inline int try_number(plx_sender *sender, int64_t number)
{
    return plx_sender_try_send(sender, &number);
}

/* The next message is this number. */
#define EXPECT_NUMBER(receiver, number) expect_number_at(__FILE__, __LINE__, check_noted(), receiver, number)

static inline void expect_number_at(const char *file, int line, const char *note, plx_receiver *receiver,
                                    int64_t number)
{
    int64_t message = 0;
    check_rc(file, line, note, "plx_receiver_recv", plx_receiver_recv(receiver, &message), 0);
    check_eq(file, line, note, "the message", message, number);
}

static inline int recv_any(plx_receiver *receiver)
{
    int64_t message;
    return plx_receiver_recv(receiver, &message);
}

/* A thread that sends one number. */
typedef struct blocked {
    plx_sender  *sender;
    int64_t      number;
    plx_nanos    deadline;
    int          rc;
    atomic_int   done;
    test_thread *thread;
} blocked;

static inline void blocked_run(void *argument)
{
    blocked *self = argument;
    self->rc = plx_sender_send_until(self->sender, &self->number, self->deadline);
    atomic_store(&self->done, 1);
}

static inline void blocked_start(blocked *self, plx_sender *sender, int64_t number, plx_nanos deadline)
{
    self->sender = sender;
    self->number = number;
    self->deadline = deadline;
    atomic_store(&self->done, 0);
    self->thread = thread_start(blocked_run, self);
}

/* Returns once it sleeps, which it does in the send. */
static inline void blocked_start_asleep(blocked *self, plx_sender *sender, int64_t number)
{
    blocked_start(self, sender, number, PLX_FOREVER);
    thread_await_asleep(self->thread);
    CHECK_EQ(atomic_load(&self->done), 0);
}

static inline int blocked_join(blocked *self)
{
    thread_join(self->thread);
    return self->rc;
}

#endif
