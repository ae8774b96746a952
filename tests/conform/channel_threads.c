/* SPDX-License-Identifier: MIT */
/* Channels between threads: who is woken, at what price, and that nothing is lost on the way. */
#include "os/config.h"

#include "channels.h"

#include "os/lock.h"

CASE(a_send_ends_a_blocked_wait)
{
    static waiter w;
    plx_poller *poller = open_poller();
    for (int bound = UNBOUNDED; bound <= 4; bound += 5) {
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        for (int i = 0; i < 5; i++) {
            waiter_start_asleep(&w, poller);
            CHECK_RC(send_number(c.sender, i), 0);
            CHECK_RC(waiter_join(&w), 1);
            CHECK(w.events[0].token == 7 && w.events[0].flags == PLX_CHANNEL);
            EXPECT_NUMBER(c.receiver, i);
            EXPECT_SILENCE(poller, 0);
        }
        channel_close(&c);
    }
    plx_poller_close(poller);
}

/* While the poller is awake no send makes a call; to a sleeper the first one does, and no other. */
CASE(sends_make_no_system_call_without_need)
{
    static waiter w;
    plx_poller *poller = open_poller();
    for (int bound = UNBOUNDED; bound <= 2000; bound += 2001) {
        channel c = channel_open(poller, 7, sizeof(int64_t), bound);
        EXPECT_SILENCE(poller, 0);
        plx_stats before = stats_of(poller);
        for (int i = 0; i < 1000; i++)
            CHECK_RC(send_number(c.sender, i), 0);
        for (int i = 0; i < 1000; i++)
            EXPECT_NUMBER(c.receiver, i);
        plx_stats after = stats_of(poller);
        CHECK_EQ(after.wakes_sent, before.wakes_sent);
        CHECK_EQ(after.kernel_calls, before.kernel_calls);
        EXPECT_SILENCE(poller, 0);

        waiter_start_asleep(&w, poller);
        before = stats_of(poller);
        for (int i = 0; i < 1000; i++)
            CHECK_RC(send_number(c.sender, i), 0);
        CHECK_EQ(stats_of(poller).wakes_sent, before.wakes_sent + 1);
        CHECK_RC(waiter_join(&w), 1);
        before = stats_of(poller);
        for (int i = 0; i < 500; i++)
            CHECK_RC(send_number(c.sender, 1000 + i), 0);
        after = stats_of(poller);
        CHECK_EQ(after.wakes_sent, before.wakes_sent);
        CHECK_EQ(after.kernel_calls, before.kernel_calls);
        for (int i = 0; i < 1500; i++)
            EXPECT_NUMBER(c.receiver, i);
        EXPECT_SILENCE(poller, 0);
        channel_close(&c);
    }
    plx_poller_close(poller);
}

/* ---- Many senders --------------------------------------------------------------------------- */

enum { SENDERS = 8 };

typedef struct stream {
    plx_sender  *sender;
    int64_t      own;
    int          count;
    test_thread *thread;
} stream;

static void send_stream(void *argument)
{
    stream *self = argument;
    for (int i = 0; i < self->count; i++)
        CHECK_RC(send_number(self->sender, (int64_t)i * SENDERS + self->own), 0);
    plx_sender_release(self->sender);
}

/* All waits are without a time limit: one lost wake-up, and this hangs. */
static void streams_arrive_in_order(int bound, size_t batch, int count)
{
    static int64_t numbers[64];
    static stream streams[SENDERS];
    int64_t next[SENDERS] = {0};
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, sizeof(int64_t), bound);
    check_note("bound %d, %zu at once", bound, batch);
    for (int i = 0; i < SENDERS; i++) {
        streams[i] = (stream){plx_sender_retain(c.sender), i, count, NULL};
        streams[i].thread = thread_start(send_stream, &streams[i]);
    }
    plx_sender_release(c.sender);
    for (int taken = 0; taken != -EPIPE;) {
        plx_event event;
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
        CHECK(event.token == 7 && event.flags & PLX_CHANNEL);
        while ((taken = plx_receiver_recv_many(c.receiver, numbers, batch)) > 0)
            for (int i = 0; i < taken; i++)
                CHECK_EQ(numbers[i] / SENDERS, next[numbers[i] % SENDERS]++);
        CHECK(taken == -EAGAIN || taken == -EPIPE);
    }
    for (int i = 0; i < SENDERS; i++) {
        thread_join(streams[i].thread);
        CHECK_EQ(next[i], count);
    }
    plx_receiver_close(c.receiver);
    plx_poller_close(poller);
}

CASE(the_messages_of_each_sender_come_in_order)
{
    streams_arrive_in_order(UNBOUNDED, 64, rounds(20000));
    streams_arrive_in_order(UNBOUNDED, 1, rounds(10000));
}

CASE(the_messages_of_each_blocked_sender_come_in_order)
{
    streams_arrive_in_order(0, 64, rounds(500));
    streams_arrive_in_order(1, 1, rounds(1000));
    streams_arrive_in_order(100, 64, rounds(5000));
}

enum { BRIEF = 400 };

static void send_one_to_each(void *argument)
{
    plx_sender **senders = argument;
    for (int i = 0; i < BRIEF; i++) {
        CHECK_RC(send_number(senders[i], i), 0);
        plx_sender_release(senders[i]);
    }
}

/* A receiver that sees that the last sender is gone has seen what it sent. */
CASE(the_end_of_a_channel_comes_behind_its_last_message)
{
    static plx_sender *senders[BRIEF];
    static plx_receiver *receivers[BRIEF];
    plx_poller *poller = open_poller();
    for (int round = 0; round < rounds(20); round++) {
        for (int i = 0; i < BRIEF; i++) {
            channel c = channel_open(poller, 7, sizeof(int64_t), UNBOUNDED);
            senders[i] = c.sender;
            receivers[i] = c.receiver;
        }
        test_thread *thread = thread_start(send_one_to_each, senders);
        for (int i = 0; i < BRIEF; i++) {
            int64_t number = -1;
            int rc;
            while ((rc = plx_receiver_recv(receivers[i], &number)) == -EAGAIN)
                continue;
            CHECK_RC(rc, 0);
            CHECK_EQ(number, i);
        }
        thread_join(thread);
        for (int i = 0; i < BRIEF; i++) {
            CHECK_RC(recv_any(receivers[i]), -EPIPE);
            plx_receiver_close(receivers[i]);
        }
    }
    plx_poller_close(poller);
}

/* ---- Several waiting threads ------------------------------------------------------------------ */

typedef struct crowd {
    plx_poller     *poller;
    plx_receiver   *receiver;
    plx__lock       lock;
    int64_t         next[SENDERS];
    bool            over;
} crowd;

static void take_along(void *argument)
{
    crowd *self = argument;
    plx_event events[4];
    int64_t numbers[16];
    for (bool over = false; !over;) {
        int count = plx_poller_wait(self->poller, events, 4, PLX_FOREVER);
        CHECK(count >= 0);
        plx__lock_take(&self->lock);
        int taken;
        while ((taken = plx_receiver_recv_many(self->receiver, numbers, 16)) > 0)
            for (int i = 0; i < taken; i++)
                CHECK_EQ(numbers[i] / SENDERS, self->next[numbers[i] % SENDERS]++);
        over = self->over = self->over || taken == -EPIPE;
        plx__lock_drop(&self->lock);
    }
    CHECK_RC(plx_notify(plx_poller_registry(self->poller)), 0); /* for the next of the crowd */
}

CASE(several_waiters_lose_and_double_nothing)
{
    enum { TAKERS = 3 };
    static crowd all = {.lock = PLX__LOCK_INITIALIZER};
    static stream streams[SENDERS];
    test_thread *takers[TAKERS];
    int count = rounds(4000);
    all.poller = open_poller();
    channel c = channel_open(all.poller, 7, sizeof(int64_t), UNBOUNDED);
    all.receiver = c.receiver;
    for (int i = 0; i < TAKERS; i++)
        takers[i] = thread_start(take_along, &all);
    for (int i = 0; i < SENDERS; i++) {
        streams[i] = (stream){plx_sender_retain(c.sender), i, count, NULL};
        streams[i].thread = thread_start(send_stream, &streams[i]);
    }
    plx_sender_release(c.sender);
    for (int i = 0; i < SENDERS; i++)
        thread_join(streams[i].thread);
    for (int i = 0; i < TAKERS; i++)
        thread_join(takers[i]);
    for (int i = 0; i < SENDERS; i++)
        CHECK_EQ(all.next[i], count);
    plx_receiver_close(c.receiver);
    plx_poller_close(all.poller);
}

/* With two asleep, one message wakes at least one of them, and after it was taken both rest. */
CASE(a_message_wakes_one_of_several)
{
    static waiter w[2];
    plx_poller *poller = open_poller();
    channel c = channel_open(poller, 7, sizeof(int64_t), UNBOUNDED);
    for (int i = 0; i < 10; i++) {
        waiter_start_asleep(&w[0], poller);
        waiter_start_asleep(&w[1], poller);
        CHECK_RC(send_number(c.sender, i), 0);
        while (!atomic_load(&w[0].done) && !atomic_load(&w[1].done))
            sleep_for(PLX_USEC(50));
        EXPECT_NUMBER(c.receiver, i);
        CHECK_RC(plx_notify(plx_poller_registry(poller)), 0);
        int events = waiter_join(&w[0]) + waiter_join(&w[1]);
        CHECK(events == 1 || events == 2);
        (void)plx_poller_wait(poller, &(plx_event){0}, 1, 0); /* the notify, if none of them had it */
        EXPECT_SILENCE(poller, 0);
    }
    channel_close(&c);
    plx_poller_close(poller);
}

/* Two threads, a channel each way: each message is answered before the next. */
typedef struct partner {
    plx_poller   *own;
    plx_receiver *from;
    plx_sender   *to;
    int           rounds;
} partner;

static void answer(void *argument)
{
    partner *self = argument;
    plx_event event;
    for (int i = 0; i < self->rounds; i++) {
        while (recv_any(self->from) != 0)
            CHECK_RC(plx_poller_wait(self->own, &event, 1, PLX_FOREVER), 1);
        CHECK_RC(send_number(self->to, i), 0);
    }
}

CASE(two_threads_answer_each_others_messages)
{
    plx_event event;
    int64_t number;
    plx_poller *here = open_poller(), *there = open_poller();
    channel to = channel_open(there, 1, sizeof(int64_t), UNBOUNDED), from = channel_open(here, 2, sizeof(int64_t), 1);
    partner p = {there, to.receiver, from.sender, rounds(3000)};
    test_thread *thread = thread_start(answer, &p);
    for (int i = 0; i < p.rounds; i++) {
        CHECK_RC(send_number(to.sender, i), 0);
        while (plx_receiver_recv(from.receiver, &number) != 0)
            CHECK_RC(plx_poller_wait(here, &event, 1, PLX_FOREVER), 1);
        CHECK_EQ(number, i);
    }
    thread_join(thread);
    channel_close(&to);
    channel_close(&from);
    plx_poller_close(here);
    plx_poller_close(there);
}

/* The event is for whoever waits; the messages may be taken in another thread meanwhile. */
static void receive_without_waiting(void *argument)
{
    crowd *self = argument;
    int64_t number;
    for (int rc = 0; rc != -EPIPE;) {
        rc = plx_receiver_recv(self->receiver, &number);
        if (rc == 0)
            CHECK_EQ(number / SENDERS, self->next[number % SENDERS]++);
    }
}

CASE(a_receiver_may_work_beside_the_waiting_thread)
{
    static crowd all;
    static stream streams[SENDERS];
    plx_event event;
    int count = rounds(2000);
    all.poller = open_poller();
    channel c = channel_open(all.poller, 7, sizeof(int64_t), 50);
    all.receiver = c.receiver;
    test_thread *receiver = thread_start(receive_without_waiting, &all);
    for (int i = 0; i < SENDERS; i++) {
        streams[i] = (stream){plx_sender_retain(c.sender), i, count, NULL};
        streams[i].thread = thread_start(send_stream, &streams[i]);
    }
    plx_sender_release(c.sender);
    do
        CHECK_RC(plx_poller_wait(all.poller, &event, 1, PLX_FOREVER), 1);
    while (!(event.flags & PLX_READ_CLOSED));
    thread_join(receiver);
    for (int i = 0; i < SENDERS; i++) {
        thread_join(streams[i].thread);
        CHECK_EQ(all.next[i], count);
    }
    EXPECT_SILENCE(all.poller, 0);
    plx_receiver_close(c.receiver);
    plx_poller_close(all.poller);
}
