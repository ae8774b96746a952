/* SPDX-License-Identifier: MIT */
/*
 * Eight threads that send as fast as they can to three channels of one poller, one of them
 * unbounded, one bounded and one a rendezvous, and waiters without a time limit who take; with
 * the system's barrier, without it, and with one that is taken away in the middle. Then they
 * stop, or the receivers close under them, or the poller does. Every message that was sent
 * comes once, those of one sender in order; a hang says who waits for what.
 */
#include "os/config.h"

#include "../backends.h"

#if PLX__HAS_POSIX
#include "../seam.h"
#else
#include "../tools.h"
#endif

#include "backend/backend.h"

enum { SENDERS = 8, WAITERS = 2, CHANNELS = 3, BATCH = 32 };

enum barrier { THERE, MISSING, TAKEN_AWAY, BARRIERS };
enum ending { SENDERS_STOP, RECEIVERS_CLOSE, POLLER_CLOSES, ENDINGS };

static const char *const barrier_names[BARRIERS] = {"there", "missing", "taken away"};
static const char *const ending_names[ENDINGS] = {"senders stop", "receivers close", "poller closes"};
static const char *const channel_names[CHANNELS] = {"unbounded", "bounded", "rendezvous"};

struct message {
    uint32_t sender, serial;
};

struct channel {
    pthread_mutex_t lock; /* of the receiver */
    plx_sender *sender;
    plx_receiver *receiver;
    uint32_t next[SENDERS];
    bool last;  /* PLX_READ_CLOSED was told: no event follows the last message */
    bool ended; /* -EPIPE was seen, or it is closed */
};

struct sender {
    pthread_t thread;
    random_state random;
    plx_sender *to[CHANNELS];
    uint32_t sent[CHANNELS];
    atomic_int doing; /* a channel + 1, 0 between, for the report */
};

static struct channel channels[CHANNELS];
static struct sender senders[SENDERS];
static atomic_int waiting[WAITERS];
static plx_poller *poller;
static counted_memory memory;
static atomic_bool over;
static atomic_int ended; /* channels whose senders are gone */
static atomic_long total;

static void report(void)
{
    for (int i = 0; i < SENDERS; i++) {
        int doing = atomic_load(&senders[i].doing);
        fprintf(stderr, "sender %d: %s;", i, doing ? channel_names[doing - 1] : "between");
        for (int k = 0; k < CHANNELS; k++)
            fprintf(stderr, " %u of %u", channels[k].next[i], senders[i].sent[k]);
        fprintf(stderr, "\n");
    }
    for (int i = 0; i < WAITERS; i++)
        fprintf(stderr, "waiter %d %s\n", i, atomic_load(&waiting[i]) ? "waits" : "takes");
}

/* ---- Senders -------------------------------------------------------------------------- */

static int send_somehow(struct sender *self, int which)
{
    struct message message = {(uint32_t)(self - senders), self->sent[which]};

    switch (random_below(&self->random, 4)) {
    case 0: return plx_sender_try_send(self->to[which], &message);
    case 1: return plx_sender_send_until(self->to[which], &message, plx_now() + random_below(&self->random, 60000));
    default: return plx_sender_send(self->to[which], &message);
    }
}

/* References come and go, the last of a channel with the last of its senders. */
static void *send_along(void *argument)
{
    struct sender *self = argument;
    bool gone = false;

    while (!gone && !atomic_load_explicit(&over, memory_order_relaxed)) {
        int which = random_below(&self->random, 8) ? 0 : 1 + (int)random_below(&self->random, 2);
        for (uint32_t i = random_below(&self->random, 32); i > 0 && !gone; i--) {
            atomic_store_explicit(&self->doing, which + 1, memory_order_relaxed);
            int rc = send_somehow(self, which);
            atomic_store_explicit(&self->doing, 0, memory_order_relaxed);
            CHECK(rc == 0 || rc == -EAGAIN || rc == -ETIMEDOUT || rc == -EPIPE || rc == -PLX_ESHUTDOWN);
            self->sent[which] += rc == 0;
            gone = rc == -EPIPE || rc == -PLX_ESHUTDOWN;
        }
        if (random_below(&self->random, 4) == 0) {
            plx_sender *another = plx_sender_retain(self->to[which]);
            plx_sender_release(self->to[which]);
            self->to[which] = another;
        }
        if (random_below(&self->random, 64) == 0)
            sleep_for(PLX_USEC(1)); /* lets the waiters fall asleep */
    }
    for (int i = 0; i < CHANNELS; i++)
        plx_sender_release(self->to[i]);
    return NULL;
}

/* ---- Who takes ------------------------------------------------------------------------- */

/* What recv_many returned in the end. Under the channel's lock. */
static int take_all(struct channel *channel, size_t most)
{
    struct message messages[BATCH];
    int count;

    while ((count = plx_receiver_recv_many(channel->receiver, messages, BATCH)) > 0) {
        for (int i = 0; i < count; i++) {
            CHECK(messages[i].sender < SENDERS);
            CHECK_EQ(messages[i].serial, channel->next[messages[i].sender]++);
        }
        atomic_fetch_add(&total, count);
        if ((size_t)count >= most)
            return 0; /* the rest comes with the next event */
        most -= (size_t)count;
    }
    CHECK(count == -EAGAIN || count == -EPIPE);
    return count;
}

static void take_from(struct channel *channel, uint32_t flags, random_state *random)
{
    pthread_mutex_lock(&channel->lock);
    channel->last |= (flags & PLX_READ_CLOSED) != 0;
    size_t most = channel->last ? SIZE_MAX : 1 + random_below(random, 500);
    if (!channel->ended && take_all(channel, most) == -EPIPE) {
        channel->ended = true;
        atomic_fetch_add(&ended, 1);
    }
    pthread_mutex_unlock(&channel->lock);
}

static void *wait_along(void *argument)
{
    random_state random = {(uintptr_t)argument};
    plx_event events[CHANNELS + 1];
    int count = 0;

    while (count >= 0 && atomic_load(&ended) < CHANNELS) {
        atomic_store(&waiting[(uintptr_t)argument], 1);
        count = plx_poller_wait(poller, events, 1 + (int)random_below(&random, CHANNELS + 1), PLX_FOREVER);
        atomic_store(&waiting[(uintptr_t)argument], 0);
        CHECK(count >= 0 || count == -ECANCELED);
        for (int i = 0; i < count; i++) {
            CHECK(events[i].token < CHANNELS && events[i].flags & PLX_CHANNEL);
            take_from(&channels[events[i].token], events[i].flags, &random);
        }
    }
    int rc = count >= 0 ? plx_notify(plx_poller_registry(poller)) : 0; /* for the other one */
    CHECK(rc == 0 || rc == -PLX_ESHUTDOWN);
    return NULL;
}

/* ---- Together ------------------------------------------------------------------------------ */

static void open_all(const plx__backend *backend)
{
    plx_options options = {.backend = backend->id, .allocator = &memory.allocator};

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < CHANNELS; i++) {
        struct channel *channel = &channels[i];
        *channel = (struct channel){.lock = PTHREAD_MUTEX_INITIALIZER};
        if (i == 0)
            CHECK_RC(plx_channel_open(registry, 0, sizeof(struct message), &channel->sender, &channel->receiver), 0);
        else
            CHECK_RC(plx_channel_open_bounded(registry, (plx_token)i, sizeof(struct message), i == 1 ? 20 : 0,
                                              &channel->sender, &channel->receiver), 0);
    }
}

static void start_senders(random_state *random)
{
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.random = {random_next(random)}};
        for (int k = 0; k < CHANNELS; k++)
            senders[i].to[k] = plx_sender_retain(channels[k].sender);
        senders[i].thread = thread_start(send_along, &senders[i]);
    }
    for (int k = 0; k < CHANNELS; k++)
        plx_sender_release(channels[k].sender);
}

static void close_receiver(struct channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    if (!channel->ended)
        atomic_fetch_add(&ended, 1);
    channel->ended = true;
    plx_receiver_close(channel->receiver);
    channel->receiver = NULL;
    pthread_mutex_unlock(&channel->lock);
}

#if PLX__HAS_POSIX

static void begin_with_barrier(void)
{
    seam_reset();
}

static void take_barrier(void)
{
    atomic_store(&seam.fail_each, 1);
    atomic_store(&seam.fail_error, EPERM);
    atomic_store(&seam.fail_call, SEAM_MEMBARRIER);
}

#else /* it cannot fail */

static void begin_with_barrier(void) {}
static void take_barrier(void) {}

#endif

static const int barriers = PLX__HAS_POSIX ? BARRIERS : THERE + 1;

static void run(const plx__backend *backend, enum barrier barrier, enum ending ending, plx_nanos time,
                random_state *random)
{
    pthread_t waiters[WAITERS];

    check_note("%s, barrier %s, %s", backend->name, barrier_names[barrier], ending_names[ending]);
    watchdog(40);
    begin_with_barrier();
    counted_init(&memory);
    atomic_store(&over, false);
    atomic_store(&ended, 0);
    if (barrier == MISSING)
        take_barrier();
    open_all(backend);
    start_senders(random);
    for (uintptr_t i = 0; i < WAITERS; i++)
        waiters[i] = thread_start(wait_along, (void *)i);

    sleep_for(time / 2);
    if (barrier == TAKEN_AWAY)
        take_barrier();
    sleep_for(time / 2);
    if (ending == SENDERS_STOP)
        atomic_store(&over, true);
    for (int i = 0; ending == RECEIVERS_CLOSE && i < CHANNELS; i++)
        close_receiver(&channels[(i + 1) % CHANNELS]);
    if (ending == POLLER_CLOSES)
        plx_poller_close(poller);
    else if (ending == RECEIVERS_CLOSE)
        CHECK_RC(plx_notify(plx_poller_registry(poller)), 0);
    for (int i = 0; i < SENDERS; i++)
        thread_join(senders[i].thread);
    for (int i = 0; i < WAITERS; i++)
        thread_join(waiters[i]);

    for (int k = 0; k < CHANNELS; k++) {
        if (ending == POLLER_CLOSES)
            CHECK_RC(take_all(&channels[k], SIZE_MAX), -EPIPE);
        for (int i = 0; i < SENDERS; i++) {
            if (ending == RECEIVERS_CLOSE)
                CHECK(channels[k].next[i] <= senders[i].sent[k]);
            else
                CHECK_EQ(channels[k].next[i], senders[i].sent[k]);
        }
        plx_receiver_close(channels[k].receiver);
    }
    if (ending != POLLER_CLOSES)
        plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

int main(void)
{
    random_state random = random_start();

#if PLX__HAS_POSIX
    seam_install();
#endif
    watchdog_report = report;
    for (size_t i = 0; backends_here()[i]; i++) {
        atomic_store(&total, 0);
        for (int barrier = 0; barrier < barriers; barrier++)
            for (int ending = 0; ending < ENDINGS; ending++)
                for (int lap = 0; lap < 8; lap++)
                    run(backends_here()[i], (enum barrier)barrier, (enum ending)ending, PLX_MSEC(lap ? 5 : 100), &random);
        printf("%s: %ld messages\n", backends_here()[i]->name, atomic_load(&total));
    }
    return 0;
}
