/* SPDX-License-Identifier: MIT */
/* Channels beside all that a poller serves otherwise, inside another loop, and in great numbers. */
#include "channels.h"

/* ---- Fairness ------------------------------------------------------------------------------ */

enum { CHANNEL, DESCRIPTOR, TIMER, POST, WAKER, KINDS };

typedef struct scene {
    plx_poller   *poller;
    plx_registry *registry;
    channel       c[3];
    plx_fd        ends[2];
    plx_waker    *waker;
    int           since[KINDS]; /* waits since one of them was reported */
} scene;

/* Whatever is reported is there again at once. */
static void serve(scene *s, const plx_event *event)
{
    plx_timer timer;
    if (event->flags & PLX_TIMER)
        CHECK_RC(plx_timer_start(s->registry, TIMER, 0, 0, &timer), 0);
    if (event->flags & PLX_POST)
        CHECK_RC(plx_post(s->registry, POST, 0), 0);
    if (event->flags & PLX_WAKER)
        CHECK_RC(plx_waker_wake(s->waker), 0);
    s->since[event->token] = 0;
}

CASE(channels_that_are_never_empty_and_the_others_take_turns)
{
    static const int capacities[] = {1, 2, 3, 64};
    static scene s;
    plx_event events[64];
    plx_timer timer;
    s.poller = open_poller();
    s.registry = plx_poller_registry(s.poller);
    for (int i = 0; i < 3; i++) {
        s.c[i] = channel_open(s.poller, CHANNEL, sizeof(int64_t), i ? 4 : UNBOUNDED);
        CHECK_RC(send_number(s.c[i].sender, i), 0);
    }
    open_stream(s.ends);
    CHECK_RC(plx_register(s.registry, s.ends[0], DESCRIPTOR, PLX_WRITABLE), 0);
    CHECK_RC(plx_waker_open(s.registry, WAKER, &s.waker), 0);
    CHECK_RC(plx_waker_wake(s.waker), 0);
    CHECK_RC(plx_post(s.registry, POST, 0), 0);
    CHECK_RC(plx_timer_start(s.registry, TIMER, 0, 0, &timer), 0);
    for (int k = 0; k < 4; k++) {
        memset(s.since, 0, sizeof s.since);
        for (int i = 0; i < 600; i++) {
            check_note("capacity %d, wait %d", capacities[k], i);
            int count = plx_poller_wait(s.poller, events, capacities[k], PLX_FOREVER);
            CHECK(count > 0);
            for (int kind = 0; kind < KINDS; kind++)
                s.since[kind]++;
            for (int e = 0; e < count; e++)
                serve(&s, &events[e]);
            for (int kind = 0; kind < KINDS; kind++) /* three kinds, five sources of one kind, with some slack */
                CHECK(s.since[kind] <= (capacities[k] < 3 ? 30 : capacities[k] < 64 ? 12 : 2));
        }
    }
    plx_waker_release(s.waker);
    for (int i = 0; i < 3; i++)
        channel_close(&s.c[i]);
    plx_poller_close(s.poller);
    close_pair(s.ends);
}

CASE(full_channels_take_turns)
{
    enum { CHANNELS = 20 };
    static const int capacities[] = {1, 2, 3, 7};
    static channel c[CHANNELS];
    plx_event events[8];
    plx_poller *poller = open_poller();
    for (int i = 0; i < CHANNELS; i++) {
        c[i] = channel_open(poller, (plx_token)i, sizeof(int64_t), UNBOUNDED);
        CHECK_RC(send_number(c[i].sender, i), 0);
    }
    for (int k = 0; k < 4; k++) {
        int seen[CHANNELS] = {0}, total = 0;
        check_note("capacity %d", capacities[k]);
        while (total < 20 * CHANNELS) {
            int count = plx_poller_wait(poller, events, capacities[k], PLX_FOREVER);
            CHECK(count > 0);
            for (int i = 0; i < count; i++)
                seen[events[i].token]++;
            total += count;
        }
        for (int i = 0; i < CHANNELS; i++)
            CHECK(seen[i] >= 19 && seen[i] <= 21);
    }
    for (int i = 0; i < CHANNELS; i++)
        channel_close(&c[i]);
    plx_poller_close(poller);
}

/* ---- Inside another loop --------------------------------------------------------------------- */

CASE(messages_make_the_descriptor_readable_to_the_last)
{
    plx_poller *poller = open_poller();
    channel before = channel_open(poller, 5, sizeof(int64_t), UNBOUNDED);
    CHECK_RC(send_number(before.sender, 0), 0);
    plx_fd own = descriptor_of(poller);
    CHECK(is_readable(own)); /* for what was sent before anybody asked */
    EXPECT(poller, 5, PLX_CHANNEL);
    EXPECT_NUMBER(before.receiver, 0);
    EXPECT_SILENCE(poller, 0);
    for (int bound = UNBOUNDED; bound <= 3; bound += 4) {
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        for (int lap = 0; lap < 3; lap++) {
            CHECK(!is_readable(own));
            for (int i = 0; i < 3; i++)
                CHECK_RC(send_number(c.sender, i), 0);
            for (int i = 0; i < 3; i++) {
                CHECK(is_readable(own));
                EXPECT(poller, 7, PLX_CHANNEL);
                CHECK(is_readable(own));
                EXPECT_NUMBER(c.receiver, i);
            }
            EXPECT_SILENCE(poller, 0);
        }
        CHECK(!is_readable(own));
        plx_sender_release(c.sender);
        CHECK(is_readable(own));
        EXPECT(poller, 7, PLX_CHANNEL | PLX_READ_CLOSED);
        EXPECT_SILENCE(poller, 0);
        CHECK(!is_readable(own));
        plx_receiver_close(c.receiver);
    }
    channel_close(&before);
    plx_poller_close(poller);
}

typedef struct supply {
    plx_sender *sender;
    int         count;
} supply;

static void send_supply(void *argument)
{
    supply *self = argument;
    for (int i = 0; i < self->count; i++)
        CHECK_RC(send_number(self->sender, i), 0);
}

CASE(no_message_is_lost_between_two_pollers)
{
    plx_event event;
    plx_poller *outer = open_poller(), *inner = open_poller();
    plx_fd own = descriptor_of(inner);
    CHECK_RC(plx_register(plx_poller_registry(outer), own, 7, PLX_READABLE), 0);
    channel c = channel_open(inner, 1, sizeof(int64_t), 10);
    supply supplied = {c.sender, rounds(10000)};
    test_thread *thread = thread_start(send_supply, &supplied);
    for (int64_t next = 0, number; next < supplied.count;) {
        CHECK_RC(plx_poller_wait(outer, &event, 1, PLX_FOREVER), 1);
        while (plx_poller_wait(inner, &event, 1, 0) > 0)
            while (plx_receiver_recv(c.receiver, &number) == 0)
                CHECK_EQ(number, next++);
    }
    thread_join(thread);
    channel_close(&c);
    plx_poller_close(outer);
    plx_poller_close(inner);
}

/* ---- Great numbers ------------------------------------------------------------------------------ */

/* A sanitizer's rounds are fewer: so are these. */
CASE(a_hundred_thousand_channels_cost_no_descriptor)
{
    int many = UNDER_THREAD_SANITIZER ? 10000 : 100000, seen = 0;
    static plx_event events[1024];
    channel *c = malloc((size_t)many * sizeof *c);
    unsigned char *told = calloc((size_t)many, 1);
    CHECK(c != NULL && told != NULL);
    int descriptors = descriptors_open();
    plx_poller *poller = open_poller();
    for (int i = 0; i < many; i++)
        c[i] = channel_open(poller, (plx_token)i, sizeof(int64_t), i % 4 ? UNBOUNDED : 2);
    for (int i = 0; i < many; i += 2)
        CHECK_RC(send_number(c[i].sender, i), 0);
    CHECK(descriptors < 0 || descriptors_open() <= descriptors + 3);
    while (seen < many / 2) {
        int count = plx_poller_wait(poller, events, 1024, PLX_FOREVER);
        CHECK(count > 0);
        for (int i = 0; i < count; i++, seen++) {
            CHECK(events[i].token % 2 == 0 && !told[events[i].token]++);
            EXPECT_NUMBER(c[events[i].token].receiver, (int64_t)events[i].token);
        }
    }
    EXPECT_SILENCE(poller, 0);
    for (int i = 0; i < many; i++)
        channel_close(&c[i]);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
    free(c);
    free(told);
}

CASE(a_million_timers_cost_no_descriptor)
{
    int many = UNDER_THREAD_SANITIZER ? 50000 : 1000000;
    static plx_event events[1024];
    plx_timer timer;
    int descriptors = descriptors_open();
    plx_poller *poller = open_with(&(plx_options){.clock = PLX_CLOCK_MANUAL});
    for (int i = 0; i < many; i++)
        CHECK_RC(plx_timer_start(plx_poller_registry(poller), (plx_token)i, PLX_MSEC(1 + i % 1000), 0, &timer), 0);
    CHECK(descriptors < 0 || descriptors_open() <= descriptors + 3);
    CHECK_EQ(stats_of(poller).timers, many);
    CHECK_RC(plx_poller_advance(poller, PLX_SEC(2)), 0);
    for (int seen = 0; seen < many;) {
        int count = plx_poller_wait(poller, events, 1024, PLX_FOREVER);
        CHECK(count > 0);
        seen += count;
    }
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
}
