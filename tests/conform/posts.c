/* SPDX-License-Identifier: MIT */
/* Posts: one event per call, in order, never merged, and cheap. */
#include "support.h"

CASE(post_comes_back_as_it_was_given)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    static const uint64_t values[] = {0, 1, UINT64_MAX, (uint64_t)INT64_MAX + 1};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        CHECK_RC(plx_post(registry, 9 + i, values[i]), 0);
        plx_event event = EXPECT(poller, 9 + i, PLX_POST);
        CHECK(event.data == values[i]);
        CHECK_EQ(event.native, 0);
    }
    EXPECT_SILENCE(poller, PLX_MSEC(1));
    plx_poller_close(poller);
}

/* Takes posts until count have come; their data must be first, first + 1, and so on. */
static void take_in_order(plx_poller *poller, int capacity, uint64_t first, uint64_t count)
{
    plx_event events[64];
    for (uint64_t next = first; next < first + count;) {
        int taken = plx_poller_wait(poller, events, capacity, PATIENCE);
        CHECK(taken > 0 && taken <= capacity);
        for (int i = 0; i < taken; i++) {
            CHECK_EQ(events[i].flags, PLX_POST);
            CHECK_EQ(events[i].token, 5);
            CHECK_EQ(events[i].data, next++);
        }
    }
}

CASE(posts_keep_their_order_and_are_never_merged)
{
    static const int capacities[] = {1, 2, 3, 64};
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (size_t i = 0; i < 4; i++) {
        check_note("capacity %d", capacities[i]);
        for (uint64_t k = 0; k < 1000; k++)
            CHECK_RC(plx_post(registry, 5, k), 0);
        take_in_order(poller, capacities[i], 0, 1000);
        EXPECT_SILENCE(poller, 0);
    }
    for (int i = 0; i < 10; i++) /* alike in everything, and still ten */
        CHECK_RC(plx_post(registry, 1, 1), 0);
    plx_event events[16];
    CHECK_EQ(plx_poller_wait(poller, events, 16, PATIENCE), 10);
    plx_poller_close(poller);
}

CASE(a_hundred_thousand_posts_wait_their_turn)
{
    counting memory;
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_poller_registry(poller);
    for (uint64_t i = 0; i < 100000; i++)
        CHECK_RC(plx_post(registry, 5, i), 0);
    take_in_order(poller, 64, 0, 100000);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* Posts made while some are still queued come after them. */
CASE(posts_between_waits_join_the_end)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    uint64_t posted = 0, taken = 0;
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 7; i++)
            CHECK_RC(plx_post(registry, 5, posted++), 0);
        take_in_order(poller, 1, taken, 5);
        taken += 5;
    }
    take_in_order(poller, 3, taken, posted - taken);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
}

CASE(post_ends_a_blocked_wait)
{
    static waiter w;
    plx_poller *poller = open_poller();
    for (int i = 0; i < 5; i++) {
        waiter_start_asleep(&w, poller);
        CHECK_RC(plx_post(plx_poller_registry(poller), 5, 55), 0);
        CHECK_RC(waiter_join(&w), 1);
        CHECK_EQ(w.events[0].token, 5);
        CHECK_EQ(w.events[0].flags, PLX_POST);
        CHECK_EQ(w.events[0].data, 55);
        EXPECT_SILENCE(poller, 0);
    }
    plx_poller_close(poller);
}

CASE(unread_posts_are_dropped_with_the_poller)
{
    counting memory;
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
    for (uint64_t i = 0; i < 3000; i++)
        CHECK_RC(plx_post(registry, 5, i), 0);
    take_in_order(poller, 64, 0, 64);
    plx_poller_close(poller);
    CHECK_RC(plx_post(registry, 5, 0), -PLX_ESHUTDOWN);
    plx_registry_release(registry);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* ---- Threads --------------------------------------------------------------------------------- */

enum { POSTERS = 8 };

typedef struct poster {
    plx_registry *registry;
    plx_token     token;
    uint64_t      count;
    test_thread  *thread;
} poster;

static void post_many(void *argument)
{
    poster *self = argument;
    for (uint64_t i = 0; i < self->count; i++)
        CHECK_RC(plx_post(self->registry, self->token, i), 0);
}

static void start_posters(poster posters[POSTERS], plx_registry *registry, uint64_t count)
{
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (poster){registry, (plx_token)i, count, NULL};
        posters[i].thread = thread_start(post_many, &posters[i]);
    }
}

/* All waits are without a time limit: one lost wake-up, and this hangs. */
CASE(eight_threads_post_and_each_ones_order_is_kept)
{
    static const int capacities[] = {64, 1};
    plx_event events[64];
    plx_poller *poller = open_poller();
    for (size_t k = 0; k < 2; k++) {
        poster posters[POSTERS];
        uint64_t next[POSTERS] = {0}, count = (uint64_t)rounds(k ? 1000 : 5000), total = 0;
        start_posters(posters, plx_poller_registry(poller), count);
        while (total < POSTERS * count) {
            int taken = plx_poller_wait(poller, events, capacities[k], PLX_FOREVER);
            CHECK(taken > 0);
            for (int i = 0; i < taken; i++) {
                CHECK(events[i].token < POSTERS);
                CHECK_EQ(events[i].data, next[events[i].token]++);
            }
            total += (uint64_t)taken;
        }
        for (int i = 0; i < POSTERS; i++)
            thread_join(posters[i].thread);
        EXPECT_SILENCE(poller, 0);
    }
    plx_stats stats = stats_of(poller);
    CHECK_EQ(stats.wakes_sent + stats.wakes_elided, stats.events);
    plx_poller_close(poller);
}

/* The receiver sleeps before nearly every post, so that nearly every post has to wake it. */
CASE(posts_to_a_sleeping_thread_all_arrive)
{
    static waiter w;
    plx_poller *poller = open_poller();
    plx_event events[4];
    poster one = {plx_poller_registry(poller), 3, 1, NULL};
    for (int i = 0; i < 2000; i++) {
        test_thread *thread = i % 100 ? NULL : thread_start(post_many, &one);
        if (!thread)
            CHECK_RC(plx_post(one.registry, 3, 0), 0);
        CHECK_RC(plx_poller_wait(poller, events, 4, PLX_FOREVER), 1);
        if (thread)
            thread_join(thread);
    }
    waiter_start_asleep(&w, poller);
    post_many(&one);
    CHECK_RC(waiter_join(&w), 1);
    plx_poller_close(poller);
}

typedef struct echo {
    plx_poller   *own;
    plx_registry *other;
    int           rounds;
} echo;

static void echo_posts(void *argument)
{
    echo *self = argument;
    plx_event events[4];
    for (int i = 0; i < self->rounds; i++) {
        CHECK_RC(plx_poller_wait(self->own, events, 4, PLX_FOREVER), 1);
        CHECK_EQ(events[0].data, i);
        CHECK_RC(plx_post(self->other, 1, (uint64_t)i), 0);
    }
}

CASE(two_threads_answer_each_others_posts)
{
    plx_event events[4];
    plx_poller *here = open_poller(), *there = open_poller();
    echo e = {there, plx_poller_registry(here), rounds(5000)};
    test_thread *thread = thread_start(echo_posts, &e);
    for (int i = 0; i < e.rounds; i++) {
        CHECK_RC(plx_post(plx_poller_registry(there), 1, (uint64_t)i), 0);
        CHECK_RC(plx_poller_wait(here, events, 4, PLX_FOREVER), 1);
        CHECK_EQ(events[0].data, i);
    }
    thread_join(thread);
    plx_poller_close(here);
    plx_poller_close(there);
}
