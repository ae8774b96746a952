/* SPDX-License-Identifier: MIT */
/* A channel's event is a level: it comes for as long as messages are left, and never after. */
#include "channels.h"

CASE(channel_reports_while_messages_are_left)
{
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, sizeof(int64_t), UNBOUNDED);
    EXPECT_SILENCE(poller, PLX_MSEC(1));
    for (int lap = 0; lap < 3; lap++) {
        for (int i = 0; i < 3; i++)
            CHECK_RC(send_number(c.sender, i), 0);
        for (int i = 0; i < 3; i++) {
            plx_event event = EXPECT(poller, 7, PLX_CHANNEL);
            CHECK(event.data == 0 && event.native == 0);
            EXPECT(poller, 7, PLX_CHANNEL);
            EXPECT_NUMBER(c.receiver, i);
        }
        EXPECT_SILENCE(poller, 0); /* nobody met an empty channel: the last message was the last */
        CHECK_RC(recv_any(c.receiver), -EAGAIN);
        EXPECT_REST(poller, PLX_MSEC(2));
    }
    channel_close(&c);
    plx_poller_close(poller);
}

CASE(messages_taken_before_any_wait_make_no_event)
{
    int64_t numbers[8];
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, sizeof(int64_t), UNBOUNDED);
    for (int i = 0; i < 3; i++)
        CHECK_RC(send_number(c.sender, i), 0);
    CHECK_RC(plx_receiver_recv_many(c.receiver, numbers, 8), 3);
    EXPECT_SILENCE(poller, PLX_MSEC(1));
    CHECK_RC(send_number(c.sender, 3), 0);
    EXPECT(poller, 7, PLX_CHANNEL);
    EXPECT_NUMBER(c.receiver, 3);
    CHECK_RC(send_number(c.sender, 4), 0);
    EXPECT(poller, 7, PLX_CHANNEL);
    EXPECT_NUMBER(c.receiver, 4);
    EXPECT_SILENCE(poller, PLX_MSEC(1));
    channel_close(&c);
    plx_poller_close(poller);
}

/* Whatever is sent and taken between two waits, the event says whether something is left. */
CASE(no_event_is_stale_and_none_is_missing)
{
    plx_event event;
    uint32_t random = 12345;
    plx_poller *poller = open_poller();
    for (int bound = UNBOUNDED; bound <= 5; bound += 3) {
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        int64_t sent = 0, taken = 0;
        for (int step = 0; step < 5000; step++) {
            random = random * 1664525 + 1013904223;
            check_note("bound %d, step %d", bound, step);
            if (random >> 30 & 1) {
                int full = bound != UNBOUNDED && sent - taken == bound;
                CHECK_RC(try_number(c.sender, sent), full ? -EAGAIN : 0);
                sent += !full;
            } else if (taken < sent) {
                EXPECT_NUMBER(c.receiver, taken++);
            } else {
                CHECK_RC(recv_any(c.receiver), -EAGAIN);
            }
            if (random >> 28 & 1)
                CHECK_EQ(plx_poller_wait(poller, &event, 1, 0), taken < sent);
        }
        channel_close(&c);
    }
    plx_poller_close(poller);
}

CASE(many_channels_report_each_with_its_token)
{
    enum { CHANNELS = 50 };
    static channel c[CHANNELS];
    plx_event events[64];
    plx_poller *poller = open_poller();
    for (int i = 0; i < CHANNELS; i++)
        c[i] = channel_open(poller, 100 + (plx_token)i, sizeof(int64_t), i % 3 ? UNBOUNDED : 2);
    for (int i = 0; i < CHANNELS; i++)
        CHECK_RC(send_number(c[i].sender, i), 0);
    CHECK_EQ(plx_poller_wait(poller, events, 64, 0), CHANNELS);
    for (int i = 0; i < CHANNELS; i++) {
        CHECK_EQ(events[i].flags, PLX_CHANNEL);
        CHECK_EQ(events[i].token, 100 + i); /* the oldest first */
    }
    for (int i = 0; i < CHANNELS; i += 2)
        EXPECT_NUMBER(c[i].receiver, i);
    CHECK_EQ(plx_poller_wait(poller, events, 64, 0), CHANNELS / 2);
    for (int i = 0; i < CHANNELS / 2; i++)
        CHECK_EQ(events[i].token % 2, 1);
    for (int i = 0; i < CHANNELS; i++)
        channel_close(&c[i]);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
}

CASE(a_channels_token_may_be_anothers)
{
    plx_event events[8];
    plx_poller *poller = open_poller();
    channel a = channel_open(poller, PLX_TOKEN_MAX, 8, UNBOUNDED), b = channel_open(poller, PLX_TOKEN_MAX, 8, 1);
    CHECK_RC(send_number(a.sender, 1), 0);
    CHECK_RC(send_number(b.sender, 2), 0);
    CHECK_RC(plx_post(plx_poller_registry(poller), PLX_TOKEN_MAX, 3), 0);
    CHECK_EQ(plx_poller_wait(poller, events, 8, 0), 3);
    for (int i = 0; i < 3; i++)
        CHECK(events[i].token == PLX_TOKEN_MAX && events[i].flags == (i < 2 ? PLX_CHANNEL : PLX_POST));
    channel_close(&a);
    channel_close(&b);
    plx_poller_close(poller);
}

/* ---- Messages ---------------------------------------------------------------------------- */

static void send_and_take(plx_poller *poller, size_t size, int bound)
{
    static unsigned char out[20000], in[3 * 20000 + 1];
    channel c = channel_open(poller, 7, size, bound);
    check_note("size %zu, bound %d", size, bound);
    for (int lap = 0; lap < 200; lap++) {
        for (int i = 0; i < 3; i++) {
            memset(out, lap * 3 + i, size);
            CHECK_RC(plx_sender_send(c.sender, out), 0);
            memset(out, 0xee, size); /* the message was copied */
        }
        in[3 * size] = 0x5a;
        CHECK_RC(plx_receiver_recv_many(c.receiver, in, 3), 3);
        for (size_t i = 0; i < 3 * size; i++)
            CHECK_EQ(in[i], (unsigned char)(lap * 3 + (int)(i / size)));
        CHECK_EQ(in[3 * size], 0x5a);
    }
    channel_close(&c);
}

CASE(messages_of_every_size_come_as_they_went)
{
    static const size_t sizes[] = {1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 64, 100, 5000, 20000};
    plx_poller *poller = open_poller();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        send_and_take(poller, sizes[i], UNBOUNDED);
        send_and_take(poller, sizes[i], 3);
    }
    plx_poller_close(poller);
}

CASE(messages_of_no_size_are_counted)
{
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, 0, UNBOUNDED);
    for (int i = 0; i < 1000; i++)
        CHECK_RC(plx_sender_send(c.sender, NULL), 0);
    EXPECT(poller, 7, PLX_CHANNEL);
    CHECK_RC(plx_receiver_recv_many(c.receiver, NULL, 999), 999);
    EXPECT(poller, 7, PLX_CHANNEL);
    CHECK_RC(plx_receiver_recv(c.receiver, NULL), 0);
    CHECK_RC(plx_receiver_recv(c.receiver, NULL), -EAGAIN);
    EXPECT_SILENCE(poller, 0);
    channel_close(&c);
    plx_poller_close(poller);
}

CASE(recv_many_takes_what_there_is_up_to_the_count)
{
    static int64_t numbers[1000];
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, sizeof(int64_t), UNBOUNDED);
    CHECK_RC(plx_receiver_recv_many(c.receiver, numbers, 10), -EAGAIN);
    for (int i = 0; i < 1000; i++)
        CHECK_RC(send_number(c.sender, i), 0);
    CHECK_RC(plx_receiver_recv_many(c.receiver, numbers, 0), -EINVAL);
    CHECK_RC(plx_receiver_recv_many(c.receiver, NULL, 1), -EINVAL);
    CHECK_RC(plx_receiver_recv_many(c.receiver, numbers, 1), 1);
    CHECK_RC(plx_receiver_recv_many(c.receiver, numbers + 1, 700), 700);
    CHECK_RC(plx_receiver_recv_many(c.receiver, numbers + 701, SIZE_MAX), 299); /* there is room for those */
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(numbers[i], i);
    CHECK_RC(plx_receiver_recv_many(c.receiver, numbers, 1), -EAGAIN);
    EXPECT_SILENCE(poller, 0);
    channel_close(&c);
    plx_poller_close(poller);
}

/* ---- Errors --------------------------------------------------------------------------------- */

CASE(wrong_channel_arguments_are_einval)
{
    plx_sender *sender = NULL;
    plx_receiver *receiver = NULL;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    int64_t number = 1;
    CHECK_RC(plx_channel_open(NULL, 1, 8, &sender, &receiver), -EINVAL);
    CHECK_RC(plx_channel_open(registry, 1, 8, NULL, &receiver), -EINVAL);
    CHECK_RC(plx_channel_open(registry, 1, 8, &sender, NULL), -EINVAL);
    CHECK_RC(plx_channel_open(registry, (plx_token)PLX_TOKEN_MAX + 1, 8, &sender, &receiver), -EINVAL);
    CHECK_RC(plx_channel_open(registry, 1, SIZE_MAX, &sender, &receiver), -EINVAL);
    CHECK_RC(plx_channel_open_bounded(registry, 1, SIZE_MAX / 2, 1, &sender, &receiver), -EINVAL);
    CHECK_RC(plx_channel_open_bounded(registry, (plx_token)PLX_TOKEN_MAX + 1, 8, 0, &sender, &receiver), -EINVAL);
    CHECK(sender == NULL && receiver == NULL);
    channel c = channel_open(poller, 7, sizeof number, UNBOUNDED);
    CHECK_RC(plx_sender_send(NULL, &number), -EINVAL);
    CHECK_RC(plx_sender_try_send(NULL, &number), -EINVAL);
    CHECK_RC(plx_sender_send_until(NULL, &number, 0), -EINVAL);
    CHECK_RC(plx_sender_send(c.sender, NULL), -EINVAL);
    CHECK_RC(plx_sender_try_send(c.sender, NULL), -EINVAL);
    CHECK_RC(plx_receiver_recv(NULL, &number), -EINVAL);
    CHECK_RC(plx_receiver_recv(c.receiver, NULL), -EINVAL);
    CHECK(plx_sender_retain(NULL) == NULL);
    plx_sender_release(NULL);
    plx_receiver_close(NULL);
    EXPECT_SILENCE(poller, 0);
    channel_close(&c);
    plx_poller_close(poller);
}

/* At each allocation of a channel's life once: a send that failed is as if it had never been. */
CASE(channels_without_memory_are_enomem_and_lose_nothing)
{
    static counting memory;
    for (int bound = UNBOUNDED; bound <= 2000; bound += 2001)
        for (long nth = 1, met = 1; met; nth++) {
            channel c = {NULL, NULL};
            int64_t sent = 0, refused = 0;
            plx_poller *poller = open_counting(&memory);
            plx_registry *registry = plx_poller_registry(poller);
            check_note("bound %d, allocation %ld", bound, nth);
            long live = atomic_load(&memory.live);
            counting_refuse(&memory, nth);
            int rc = bound == UNBOUNDED
                ? plx_channel_open(registry, 7, 8, &c.sender, &c.receiver)
                : plx_channel_open_bounded(registry, 7, 8, (size_t)bound, &c.sender, &c.receiver);
            CHECK(rc == 0 || rc == -ENOMEM);
            if (rc < 0) {
                CHECK_EQ(atomic_load(&memory.live), live);
                CHECK(c.sender == NULL && c.receiver == NULL);
                plx_poller_close(poller);
                continue;
            }
            while (sent < 1500) {
                rc = send_number(c.sender, sent);
                CHECK(rc == 0 || rc == -ENOMEM);
                sent += rc == 0;
                refused += rc != 0;
            }
            EXPECT(poller, 7, PLX_CHANNEL);
            for (int64_t i = 0; i < sent; i++)
                EXPECT_NUMBER(c.receiver, i);
            EXPECT_SILENCE(poller, 0);
            counting_refuse(&memory, 0);
            for (int i = 0; bound != UNBOUNDED && i < bound; i++) /* the place was given back */
                CHECK_RC(try_number(c.sender, i), 0);
            channel_close(&c);
            plx_poller_close(poller);
            CHECK_EQ(atomic_load(&memory.live), 0);
            CHECK(refused <= 1);
            met = refused != 0;
        }
}
