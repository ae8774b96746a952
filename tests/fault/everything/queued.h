/* SPDX-License-Identifier: MIT */
/*
 * Wakers, posts and channels. What was asked before a wake is answered by its event. Posts come
 * once each, and in order within a wait. Messages carry who sent them, a serial number, and which of
 * the channels that came one after the other they were sent to.
 */
#ifndef TESTS_EVERYTHING_QUEUED_H
#define TESTS_EVERYTHING_QUEUED_H

#include "subject.h"

/* ---- Wakers ------------------------------------------------------------------------------ */

static struct waker {
    plx_waker *waker;
    uint32_t number;
    _Atomic(uint32_t) asked, answered;
} wakers[WORKERS + 1];

static void waker_open(int which)
{
    struct waker *self = &wakers[which];

    if (!done(plx_waker_open(registry, token_of(WAKER_0 + which, self->number), &self->waker)))
        self->waker = NULL;
}

static void wake(thread *self, int which)
{
    doing(self, "wakes", which);
    atomic_fetch_add(&wakers[which].asked, 1);
    if (wakers[which].waker)
        done(plx_waker_wake(wakers[which].waker));
}

static void do_wake(thread *self)
{
    wake(self, random_below(&self->random, 2) ? self->index : WORKERS);
}

/* One's own: what it was woken for is not told any more. */
static void do_waker_renewal(thread *self)
{
    struct waker *own = &wakers[self->index];

    doing(self, "renews its waker", (int)own->number);
    plx_waker_release(own->waker);
    bury(WAKER_0 + self->index, ++own->number);
    raise_to(&own->answered, atomic_load(&own->asked));
    waker_open(self->index);
}

static void waker_event(int which)
{
    raise_to(&wakers[which].answered, atomic_load(&wakers[which].asked));
}

/* ---- Posts ------------------------------------------------------------------------------- */

static struct posts {
    _Atomic(uint64_t) posted, events, sum; /* sum: of the serial numbers that came */
} posts[WORKERS];

static void do_post(thread *self)
{
    struct posts *own = &posts[self->index];

    doing(self, "posts", 0);
    if (done(plx_post(registry, token_of(POST_0 + self->index, 0), atomic_load(&own->posted))))
        atomic_fetch_add(&own->posted, 1);
}

static void post_event(int worker, uint64_t serial)
{
    atomic_fetch_add(&posts[worker].sum, serial);
    atomic_fetch_add(&posts[worker].events, 1);
}

static bool posts_all_came(int worker)
{
    uint64_t posted = atomic_load(&posts[worker].posted), events = atomic_load(&posts[worker].events);

    CHECK(events <= posted);
    if (events != posted)
        return false;
    CHECK_EQ(atomic_load(&posts[worker].sum), posted ? posted * (posted - 1) / 2 : 0);
    return true;
}

/* ---- Channels ---------------------------------------------------------------------------- */

struct message {
    uint32_t number, worker, serial;
};

static struct channel {
    pthread_mutex_t lock; /* of all of it */
    plx_sender *sender;   /* NULL: the end is to come */
    plx_receiver *receiver;
    uint32_t number, sent[WORKERS], next[WORKERS];
} channels[CHANNELS];

static atomic_long messages;

/* Under the lock, as the next ones. */
static void channel_open(struct channel *self)
{
    int which = (int)(self - channels);
    plx_token token = token_of(CHANNEL_0 + which, self->number);
    size_t size = sizeof(struct message);

    memset(self->sent, 0, sizeof self->sent);
    memset(self->next, 0, sizeof self->next);
    self->sender = NULL;
    self->receiver = NULL;
    if (which == 0)
        done(plx_channel_open(registry, token, size, &self->sender, &self->receiver));
    else
        done(plx_channel_open_bounded(registry, token, size, which == 1 ? 4 : 0, &self->sender, &self->receiver));
}

static void channel_renew(struct channel *self)
{
    plx_receiver_close(self->receiver);
    bury(CHANNEL_0 + (int)(self - channels), ++self->number);
    channel_open(self);
}

static bool channel_all_came(struct channel *self)
{
    pthread_mutex_lock(&self->lock);
    bool came = self->sender && memcmp(self->sent, self->next, sizeof self->sent) == 0;
    pthread_mutex_unlock(&self->lock);
    return came;
}

static int send_somehow(plx_sender *sender, const struct message *message, random_state *random)
{
    switch (random_below(random, 4)) {
    case 0: return plx_sender_try_send(sender, message);
    case 1: return plx_sender_send_until(sender, message, plx_now() + random_below(random, 60000));
    default: return plx_sender_send(sender, message);
    }
}

/* A message that was sent is counted before its sender is released: who sees the end sees the count. */
static void do_send(thread *self)
{
    int which = (int)random_below(&self->random, CHANNELS), rc = 0;
    struct channel *channel = &channels[which];

    doing(self, "sends", which);
    pthread_mutex_lock(&channel->lock);
    plx_sender *sender = channel->sender ? plx_sender_retain(channel->sender) : NULL;
    struct message message = {channel->number, (uint32_t)self->index, channel->sent[self->index]};
    pthread_mutex_unlock(&channel->lock);

    for (uint32_t left = sender ? 1 + random_below(&self->random, 8) : 0; left > 0 && rc == 0; left--) {
        rc = send_somehow(sender, &message, &self->random);
        if (rc != -EAGAIN && rc != -ETIMEDOUT && rc != -EPIPE)
            done(rc);
        pthread_mutex_lock(&channel->lock);
        if (rc == 0 && message.number == channel->number)
            message.serial = ++channel->sent[self->index];
        else if (rc == 0) /* it was closed meanwhile, and this was not read */
            rc = -EPIPE;
        pthread_mutex_unlock(&channel->lock);
    }
    plx_sender_release(sender);
}

/* From one of its ends. */
static void do_channel_end(thread *self)
{
    int which = (int)random_below(&self->random, CHANNELS);
    struct channel *channel = &channels[which];

    doing(self, "ends a channel", which);
    pthread_mutex_lock(&channel->lock);
    if (channel->sender && random_below(&self->random, 2)) {
        plx_sender_release(channel->sender);
        channel->sender = NULL;
    } else if (channel->sender) {
        plx_sender_release(channel->sender);
        channel_renew(channel);
    }
    pthread_mutex_unlock(&channel->lock);
}

/* How plx_receiver_recv_many ends it. */
static int channel_take(struct channel *self, uint32_t most)
{
    struct message taken[8];
    int count = 0;

    for (uint32_t left = most; left > 0; left -= (uint32_t)count) {
        count = plx_receiver_recv_many(self->receiver, taken, left < 8 ? left : 8);
        if (count < 0)
            break;
        for (int i = 0; i < count; i++) {
            CHECK_EQ(taken[i].number, self->number);
            CHECK(taken[i].worker < WORKERS);
            CHECK_EQ(taken[i].serial, self->next[taken[i].worker]++);
        }
        atomic_fetch_add(&messages, count);
    }
    CHECK(count > 0 || count == -EAGAIN || count == -EPIPE);
    return count;
}

/* Of the end there is one event: then all is taken. */
static void channel_event(thread *self, int which, uint32_t number, uint32_t flags)
{
    struct channel *channel = &channels[which];
    bool last = flags & PLX_READ_CLOSED;

    CHECK(flags & PLX_CHANNEL);
    pthread_mutex_lock(&channel->lock);
    if (number == channel->number && channel->receiver) {
        int rc = channel_take(channel, last ? UINT32_MAX : 1 + random_below(&self->random, 8));
        CHECK(!last || rc == -EPIPE);
        if (rc == -EPIPE) {
            CHECK(channel->sender == NULL);
            CHECK(memcmp(channel->sent, channel->next, sizeof channel->sent) == 0);
            channel_renew(channel);
        }
    }
    pthread_mutex_unlock(&channel->lock);
}

/* ---- All of them ------------------------------------------------------------------------- */

static void queued_open_all(void)
{
    memset(wakers, 0, sizeof wakers);
    memset(posts, 0, sizeof posts);
    for (int i = 0; i <= WORKERS; i++)
        waker_open(i);
    for (int i = 0; i < CHANNELS; i++) {
        channels[i] = (struct channel){.lock = PTHREAD_MUTEX_INITIALIZER};
        channel_open(&channels[i]);
    }
}

static bool queued_all_came(thread *self)
{
    bool came = atomic_load(&wakers[self->index].answered) == atomic_load(&wakers[self->index].asked) &&
                atomic_load(&wakers[WORKERS].answered) == atomic_load(&wakers[WORKERS].asked) &&
                posts_all_came(self->index);

    for (int i = 0; i < CHANNELS; i++)
        came = channel_all_came(&channels[i]) && came;
    return came;
}

/* The poller is closed, and what was sent can still be received. */
static void queued_close_all(void)
{
    for (int i = 0; i <= WORKERS; i++)
        plx_waker_release(wakers[i].waker);
    for (int i = 0; i < CHANNELS; i++) {
        plx_sender_release(channels[i].sender);
        if (channels[i].receiver) {
            CHECK_RC(channel_take(&channels[i], UINT32_MAX), -EPIPE);
            CHECK(memcmp(channels[i].sent, channels[i].next, sizeof channels[i].sent) == 0);
        }
        plx_receiver_close(channels[i].receiver);
    }
}

#endif
