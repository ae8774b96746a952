/* SPDX-License-Identifier: MIT */
/*
 * What threads send: channels, every second one bounded, posts, and a waker. Nobody sends more
 * than the receiver is behind by some dozens of messages, so that memory has a bound. Senders
 * end channels now and then; the receiver must have had every message, and opens another.
 */
#ifndef TESTS_SOAK_QUEUED_H
#define TESTS_SOAK_QUEUED_H

#include "subject.h"

enum { BOUND = 16, CREDIT = 64, WORDS = 16, TAKEN_AT_ONCE = 4, POSTS_UNREAD = 256 };

struct channel {
    pthread_mutex_t lock; /* of what the senders use */
    plx_sender *sender;   /* NULL: the end is to come */
    uint64_t sent;
    plx_receiver *receiver;
    atomic_uint_fast64_t taken;
    uint32_t generation;
};

static struct channel *channels;
static uint32_t channel_count;
static atomic_uint_fast64_t messages_taken, channels_ended, channels_full;

static pthread_mutex_t posting = PTHREAD_MUTEX_INITIALIZER;
static uint64_t posts_sent; /* under that lock */
static atomic_uint_fast64_t posts_taken;
static plx_waker *waker;
static atomic_uint_fast64_t asked, answered;

/* ---- Channels ---------------------------------------------------------------------------- */

/* In words: a serial number, and up to fifteen times the channel's. */
static size_t channel_words(const struct channel *self)
{
    return 1 + (size_t)(self - channels) % WORDS;
}

static void channel_open(struct channel *self)
{
    plx_sender *sender;
    uint32_t index = (uint32_t)(self - channels);
    plx_token token = token_of(CHANNEL, ++self->generation, index);
    size_t size = channel_words(self) * sizeof(uint64_t);

    if (index % 2)
        CHECK_RC(plx_channel_open_bounded(registry, token, size, BOUND, &sender, &self->receiver), 0);
    else
        CHECK_RC(plx_channel_open(registry, token, size, &sender, &self->receiver), 0);
    pthread_mutex_lock(&self->lock);
    self->taken = 0;
    self->sent = 0;
    self->sender = sender;
    pthread_mutex_unlock(&self->lock);
}

static void channels_open(uint32_t count)
{
    channel_count = count;
    CHECK((channels = calloc(count, sizeof *channels)) != NULL);
    for (uint32_t i = 0; i < count; i++) {
        channels[i].lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        channel_open(&channels[i]);
    }
}

/* Under the lock. Where it is bounded, now and then with patience. */
static int channel_send(struct channel *self, random_state *random)
{
    uint64_t message[WORDS];

    for (size_t i = 0; i < WORDS; i++)
        message[i] = i ? (uint64_t)(self - channels) : self->sent;
    if (self->sent - self->taken >= CREDIT)
        return -EAGAIN;
    if (random_below(random, 64) == 0)
        return plx_sender_send_until(self->sender, message, plx_now() + PLX_USEC(50));
    return plx_sender_try_send(self->sender, message);
}

/* Any thread. Whether there was something to do. */
static bool channel_feed(struct channel *self, random_state *random)
{
    int rc = -EPIPE;

    if (pthread_mutex_trylock(&self->lock) != 0)
        return false;
    if (self->sender) {
        rc = channel_send(self, random);
        CHECK(rc == 0 || rc == -EAGAIN || rc == -ETIMEDOUT);
        self->sent += rc == 0;
        channels_full += rc != 0;
        if (random_below(random, 10000) == 0) {
            plx_sender_release(self->sender);
            self->sender = NULL;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return rc == 0;
}

/* How many, or as plx_receiver_recv_many says. */
static int channel_take(struct channel *self)
{
    uint64_t messages[TAKEN_AT_ONCE * WORDS];
    size_t words = channel_words(self);
    int count = plx_receiver_recv_many(self->receiver, messages, TAKEN_AT_ONCE);

    for (int i = 0; i < count; i++) {
        const uint64_t *message = messages + (size_t)i * words;
        CHECK_EQ(message[0], self->taken + (uint64_t)i);
        CHECK(words == 1 || message[words - 1] == (uint64_t)(self - channels));
    }
    CHECK(count > 0 || count == -EAGAIN || count == -EPIPE);
    if (count > 0) {
        self->taken += (uint64_t)count;
        messages_taken += (uint64_t)count;
    }
    return count;
}

static void channel_end(struct channel *self)
{
    pthread_mutex_lock(&self->lock);
    CHECK(self->sender == NULL);
    CHECK_EQ(self->taken, self->sent);
    pthread_mutex_unlock(&self->lock);
    plx_receiver_close(self->receiver);
    channels_ended++;
}

/* Of the last sender's release there is one event: then all is taken. */
static void channel_event(const plx_event *event)
{
    struct channel *self = &channels[plx_token_index(event->token)];
    int count;

    CHECK_EQ(event->token, token_of(CHANNEL, self->generation, plx_token_index(event->token)));
    CHECK(event->flags & PLX_CHANNEL);
    do
        count = channel_take(self);
    while (event->flags & PLX_READ_CLOSED && count > 0);
    CHECK(!(event->flags & PLX_READ_CLOSED) || count == -EPIPE);
    if (count == -EPIPE) {
        channel_end(self);
        channel_open(self);
    }
}

/* How many have something that was not taken. No sender is left. */
static uint32_t channels_owed(void)
{
    uint32_t owed = 0;

    for (uint32_t i = 0; i < channel_count; i++)
        owed += channels[i].taken != channels[i].sent || !channels[i].sender;
    return owed;
}

static void channels_close(void)
{
    for (uint32_t i = 0; i < channel_count; i++) {
        plx_sender_release(channels[i].sender);
        channels[i].sender = NULL;
        CHECK_RC(channel_take(&channels[i]), -EPIPE);
        channel_end(&channels[i]);
    }
    free(channels);
}

/* ---- Posts and a waker ------------------------------------------------------------------- */

static bool post_feed(void)
{
    bool room = false;

    if (pthread_mutex_trylock(&posting) != 0)
        return false;
    if (posts_sent - posts_taken < POSTS_UNREAD) {
        CHECK_RC(plx_post(registry, token_of(POST, 0, 0), posts_sent), 0);
        posts_sent++;
        room = true;
    }
    pthread_mutex_unlock(&posting);
    return room;
}

static void post_event(const plx_event *event)
{
    CHECK_EQ(event->flags, PLX_POST);
    CHECK_EQ(event->data, posts_taken++);
}

/* A number, and a wake to have it read. */
static void waker_feed(void)
{
    asked++;
    CHECK_RC(plx_waker_wake(waker), 0);
}

static void waker_event(const plx_event *event)
{
    CHECK_EQ(event->flags, PLX_WAKER);
    answered = asked;
}

#endif
