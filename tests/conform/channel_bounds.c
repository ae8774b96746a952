/* SPDX-License-Identifier: MIT */
/* Channels that hold so many messages at most, or none: who waits for room, and for how long. */
#include "channels.h"

CASE(exactly_as_many_messages_fit_as_the_bound_says)
{
    static const int bounds[] = {1, 2, 3, 1000};
    plx_poller *poller = open_poller();
    for (int k = 0; k < 4; k++) {
        int bound = bounds[k];
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        check_note("bound %d", bound);
        for (int lap = 0; lap < 3; lap++) {
            for (int i = 0; i < bound; i++)
                CHECK_RC(try_number(c.sender, i), 0);
            for (int i = 0; i < 3; i++)
                CHECK_RC(try_number(c.sender, -1), -EAGAIN);
            EXPECT_NUMBER(c.receiver, 0);
            CHECK_RC(try_number(c.sender, bound), 0);
            CHECK_RC(try_number(c.sender, -1), -EAGAIN);
            for (int i = 1; i <= bound; i++)
                EXPECT_NUMBER(c.receiver, i);
            EXPECT_SILENCE(poller, 0);
        }
        channel_close(&c);
    }
    plx_poller_close(poller);
}

CASE(an_enormous_bound_is_no_error)
{
    channel c;
    plx_poller *poller = open_poller();
    CHECK_RC(plx_channel_open_bounded(plx_poller_registry(poller), 7, 8, SIZE_MAX, &c.sender, &c.receiver), 0);
    for (int i = 0; i < 1000; i++)
        CHECK_RC(try_number(c.sender, i), 0);
    for (int i = 0; i < 1000; i++)
        EXPECT_NUMBER(c.receiver, i);
    channel_close(&c);
    plx_poller_close(poller);
}

CASE(send_waits_for_room_and_goes_on)
{
    static blocked b;
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, sizeof(int64_t), 2);
    CHECK_RC(send_number(c.sender, 0), 0);
    CHECK_RC(send_number(c.sender, 1), 0);
    for (int i = 2; i < 8; i++) {
        blocked_start_asleep(&b, c.sender, i);
        EXPECT(poller, 7, PLX_CHANNEL);
        EXPECT_NUMBER(c.receiver, i - 2);
        CHECK_RC(blocked_join(&b), 0);
        CHECK_RC(try_number(c.sender, -1), -EAGAIN); /* its message has the room */
    }
    EXPECT_NUMBER(c.receiver, 6);
    EXPECT_NUMBER(c.receiver, 7);
    EXPECT_SILENCE(poller, 0);
    channel_close(&c);
    plx_poller_close(poller);
}

static void wait_in_order(plx_poller *poller, int bound)
{
    enum { WAITING = 5 };
    static blocked b[WAITING];
    channel c = channel_open(poller, 7, sizeof(int64_t), bound);
    check_note("bound %d", bound);
    for (int i = 0; i < bound; i++)
        CHECK_RC(send_number(c.sender, i), 0);
    for (int i = 0; i < WAITING; i++)
        blocked_start_asleep(&b[i], c.sender, bound + i);
    for (int i = 0; i < bound + WAITING; i++) {
        EXPECT(poller, 7, PLX_CHANNEL);
        EXPECT_NUMBER(c.receiver, i);
        if (i < WAITING) { /* one message more is gone: one sender more is */
            CHECK_RC(blocked_join(&b[i]), 0);
            for (int k = i + 1; k < WAITING; k++)
                CHECK_EQ(atomic_load(&b[k].done), 0);
        }
    }
    EXPECT_SILENCE(poller, 0);
    channel_close(&c);
}

CASE(waiting_senders_go_on_in_their_order)
{
    plx_poller *poller = open_poller();
    wait_in_order(poller, 0);
    wait_in_order(poller, 1);
    wait_in_order(poller, 3);
    plx_poller_close(poller);
}

/* All of those that wait are served by one call. */
CASE(recv_many_serves_all_that_wait)
{
    enum { WAITING = 4 };
    static blocked b[WAITING];
    int64_t numbers[16];
    plx_poller *poller = open_poller();
    for (int bound = 0; bound <= WAITING; bound += WAITING) {
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        check_note("bound %d", bound);
        for (int i = 0; i < bound; i++)
            CHECK_RC(send_number(c.sender, i), 0);
        for (int i = 0; i < WAITING; i++)
            blocked_start_asleep(&b[i], c.sender, bound + i);
        CHECK_RC(plx_receiver_recv_many(c.receiver, numbers, 16), 4);
        for (int i = 0; i < WAITING; i++)
            CHECK_RC(blocked_join(&b[i]), 0);
        if (bound) {
            EXPECT(poller, 7, PLX_CHANNEL);
            CHECK_RC(plx_receiver_recv_many(c.receiver, numbers + 4, 12), 4);
        }
        for (int i = 0; i < bound + WAITING; i++)
            CHECK_EQ(numbers[i], i);
        EXPECT_SILENCE(poller, 0);
        channel_close(&c);
    }
    plx_poller_close(poller);
}

/* ---- Deadlines ---------------------------------------------------------------------------- */

CASE(a_send_that_times_out_is_not_early_and_leaves_nothing)
{
    plx_poller *poller = open_poller();
    for (int bound = 0; bound <= 2; bound++) {
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        int64_t late = -1;
        check_note("bound %d", bound);
        for (int i = 0; i < bound; i++)
            CHECK_RC(send_number(c.sender, i), 0);
        for (int i = 0; i < 4; i++) {
            plx_nanos deadline = plx_now() + PLX_USEC(300) * i;
            CHECK_RC(plx_sender_send_until(c.sender, &late, deadline), -ETIMEDOUT);
            CHECK(plx_now() >= deadline);
        }
        CHECK_RC(plx_sender_send_until(c.sender, &late, 0), -ETIMEDOUT);
        CHECK_RC(plx_sender_send_until(c.sender, &late, INT64_MIN), -ETIMEDOUT);
        if (bound == 0)
            EXPECT_SILENCE(poller, PLX_MSEC(1));
        for (int i = 0; i < bound; i++) {
            EXPECT(poller, 7, PLX_CHANNEL);
            EXPECT_NUMBER(c.receiver, i);
        }
        CHECK_RC(recv_any(c.receiver), -EAGAIN);
        EXPECT_SILENCE(poller, PLX_MSEC(1));
        for (int i = 0; i < bound; i++)
            CHECK_RC(try_number(c.sender, i), 0); /* nor did it keep a place */
        channel_close(&c);
    }
    plx_poller_close(poller);
}

CASE(a_send_that_finds_room_succeeds_whatever_its_deadline)
{
    plx_poller *poller = open_poller();
    for (int bound = UNBOUNDED; bound <= 3; bound += 4) {
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        for (int64_t i = 0; i < 3; i++)
            CHECK_RC(plx_sender_send_until(c.sender, &i, i == 0 ? 0 : i == 1 ? INT64_MIN : plx_now() - 1), 0);
        for (int i = 0; i < 3; i++)
            EXPECT_NUMBER(c.receiver, i);
        channel_close(&c);
    }
    plx_poller_close(poller);
}

/* In time, though it had a time limit; and one without, or with one that never comes. */
CASE(a_send_with_a_distant_deadline_is_ended_by_room)
{
    static const plx_nanos deadlines[] = {PLX_FOREVER, INT64_MAX, PLX_SEC(1000000)};
    static blocked b;
    plx_poller *poller = open_poller();
    for (int bound = 0; bound <= 1; bound++)
        for (int i = 0; i < 3; i++) {
            channel c = channel_open(poller, 7, sizeof(int64_t), bound);
            if (bound)
                CHECK_RC(send_number(c.sender, 5), 0);
            blocked_start(&b, c.sender, 6, i == 2 ? plx_now() + deadlines[i] : deadlines[i]);
            thread_await_asleep(b.thread);
            if (bound)
                EXPECT_NUMBER(c.receiver, 5);
            EXPECT(poller, 7, PLX_CHANNEL);
            EXPECT_NUMBER(c.receiver, 6);
            CHECK_RC(blocked_join(&b), 0);
            EXPECT_SILENCE(poller, 0);
            channel_close(&c);
        }
    plx_poller_close(poller);
}

/* Those in front and behind are served, and in their order. */
CASE(a_sender_that_gives_up_leaves_the_others_their_places)
{
    static blocked b[3];
    plx_poller *poller = open_poller();
    for (int bound = 0; bound <= 1; bound++) {
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        if (bound)
            CHECK_RC(send_number(c.sender, 9), 0);
        blocked_start_asleep(&b[0], c.sender, 0);
        blocked_start(&b[1], c.sender, 1, plx_now() + PLX_MSEC(30));
        if (!atomic_load(&b[1].done))
            thread_await_asleep(b[1].thread);
        blocked_start_asleep(&b[2], c.sender, 2);
        CHECK_RC(blocked_join(&b[1]), -ETIMEDOUT);
        if (bound)
            EXPECT_NUMBER(c.receiver, 9);
        EXPECT_NUMBER(c.receiver, 0);
        EXPECT(poller, 7, PLX_CHANNEL);
        if (bound)
            CHECK_RC(blocked_join(&b[0]), 0);
        EXPECT_NUMBER(c.receiver, 2);
        if (!bound)
            CHECK_RC(blocked_join(&b[0]), 0);
        CHECK_RC(blocked_join(&b[2]), 0);
        EXPECT_SILENCE(poller, 0);
        channel_close(&c);
    }
    plx_poller_close(poller);
}

/* ---- Rendezvous ------------------------------------------------------------------------------- */

CASE(a_rendezvous_returns_once_the_message_is_taken)
{
    static blocked b;
    static waiter w;
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, sizeof(int64_t), 0);
    CHECK_RC(try_number(c.sender, 1), -EAGAIN);
    EXPECT_SILENCE(poller, 0);
    for (int i = 0; i < 5; i++) {
        waiter_start_asleep(&w, poller);
        blocked_start_asleep(&b, c.sender, i);
        CHECK_RC(waiter_join(&w), 1);
        CHECK(w.events[0].token == 7 && w.events[0].flags == PLX_CHANNEL);
        EXPECT(poller, 7, PLX_CHANNEL);
        CHECK_RC(try_number(c.sender, -1), -EAGAIN); /* also while the receiver is about to take one */
        CHECK_EQ(atomic_load(&b.done), 0);
        EXPECT_NUMBER(c.receiver, i);
        CHECK_RC(blocked_join(&b), 0);
        EXPECT_SILENCE(poller, 0);
    }
    channel_close(&c);
    plx_poller_close(poller);
}

CASE(a_rendezvous_of_no_size_is_a_handshake)
{
    static blocked b;
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, 0, 0);
    CHECK_RC(plx_sender_try_send(c.sender, NULL), -EAGAIN);
    blocked_start_asleep(&b, c.sender, 0);
    CHECK_RC(plx_receiver_recv(c.receiver, NULL), 0);
    CHECK_RC(blocked_join(&b), 0);
    CHECK_RC(plx_receiver_recv(c.receiver, NULL), -EAGAIN);
    EXPECT_SILENCE(poller, 0);
    channel_close(&c);
    plx_poller_close(poller);
}
