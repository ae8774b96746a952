/* SPDX-License-Identifier: MIT */
/* Wakers and plx_notify. */
#include "support.h"

typedef struct scene {
    plx_poller   *poller;
    plx_registry *registry;
    plx_waker    *waker; /* its token is 1 */
} scene;

static scene scene_open(void)
{
    scene s;
    s.poller = open_poller();
    s.registry = plx_poller_registry(s.poller);
    CHECK_RC(plx_waker_open(s.registry, 1, &s.waker), 0);
    return s;
}

static void scene_close(scene *s)
{
    plx_waker_release(s->waker);
    plx_poller_close(s->poller);
}

CASE(wake_before_the_wait_is_kept)
{
    scene s = scene_open();
    CHECK_RC(plx_waker_wake(s.waker), 0);
    plx_event event = EXPECT(s.poller, 1, PLX_WAKER);
    CHECK_EQ(event.native, 0);
    CHECK_EQ(event.data, 0);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    scene_close(&s);
}

CASE(many_wakes_are_one_event)
{
    scene s = scene_open();
    for (int i = 0; i < 1000; i++)
        CHECK_RC(plx_waker_wake(s.waker), 0);
    EXPECT(s.poller, 1, PLX_WAKER);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    for (int i = 0; i < 3; i++) {
        CHECK_RC(plx_waker_wake(s.waker), 0);
        EXPECT(s.poller, 1, PLX_WAKER);
    }
    EXPECT_SILENCE(s.poller, 0);
    scene_close(&s);
}

CASE(wake_ends_a_blocked_wait)
{
    static waiter w;
    scene s = scene_open();
    for (int i = 0; i < 5; i++) {
        waiter_start_asleep(&w, s.poller);
        CHECK_RC(plx_waker_wake(s.waker), 0);
        CHECK_RC(waiter_join(&w), 1);
        CHECK_EQ(w.events[0].token, 1);
        CHECK_EQ(w.events[0].flags, PLX_WAKER);
        EXPECT_SILENCE(s.poller, 0);
    }
    scene_close(&s);
}

CASE(each_of_many_wakers_reports_its_token)
{
    enum { COUNT = 1000 };
    static plx_waker *wakers[COUNT];
    static int seen[COUNT];
    plx_event events[64];
    scene s = scene_open();
    for (int i = 0; i < COUNT; i++)
        CHECK_RC(plx_waker_open(s.registry, (plx_token)i, &wakers[i]), 0);
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            CHECK_RC(plx_waker_wake(wakers[i]), 0);
            CHECK_RC(plx_waker_wake(wakers[COUNT - 1 - i]), 0);
        }
        for (int total = 0; total < COUNT;) {
            int count = plx_poller_wait(s.poller, events, 64, PATIENCE);
            CHECK(count > 0);
            total += count;
            for (int i = 0; i < count; i++) {
                CHECK(events[i].token < COUNT);
                CHECK_EQ(events[i].flags, PLX_WAKER);
                CHECK_EQ(++seen[events[i].token], round);
            }
        }
        EXPECT_SILENCE(s.poller, 0);
    }
    for (int i = 0; i < COUNT; i++)
        plx_waker_release(wakers[i]);
    scene_close(&s);
}

CASE(two_wakers_of_one_token_are_two_events)
{
    plx_waker *other;
    plx_event events[4];
    scene s = scene_open();
    CHECK_RC(plx_waker_open(s.registry, 1, &other), 0);
    CHECK_RC(plx_waker_wake(s.waker), 0);
    CHECK_RC(plx_waker_wake(other), 0);
    CHECK_EQ(plx_poller_wait(s.poller, events, 4, PATIENCE), 2);
    CHECK(events[0].token == 1 && events[1].token == 1);
    plx_waker_release(other);
    scene_close(&s);
}

CASE(released_waker_with_an_event_pending_is_silent)
{
    scene s = scene_open();
    plx_waker *others[10];
    for (int i = 0; i < 10; i++) {
        CHECK_RC(plx_waker_open(s.registry, (plx_token)(10 + i), &others[i]), 0);
        CHECK_RC(plx_waker_wake(others[i]), 0);
    }
    CHECK_RC(plx_waker_wake(s.waker), 0);
    for (int i = 0; i < 10; i++)
        plx_waker_release(others[i]);
    EXPECT(s.poller, 1, PLX_WAKER);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    plx_waker *again; /* perhaps in the memory of the last */
    CHECK_RC(plx_waker_open(s.registry, 30, &again), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_RC(plx_waker_wake(again), 0);
    EXPECT(s.poller, 30, PLX_WAKER);
    plx_waker_release(again);
    scene_close(&s);
}

CASE(retained_waker_lives_until_its_last_release)
{
    scene s = scene_open();
    CHECK(plx_waker_retain(s.waker) == s.waker);
    CHECK(plx_waker_retain(NULL) == NULL);
    plx_waker_release(NULL);
    CHECK_RC(plx_waker_wake(s.waker), 0);
    plx_waker_release(s.waker);
    EXPECT(s.poller, 1, PLX_WAKER);
    CHECK_RC(plx_waker_wake(s.waker), 0);
    scene_close(&s);
}

/* A blocked wait outlives the release of its only waker. */
CASE(waker_released_during_a_wait)
{
    static waiter w;
    scene s = scene_open();
    waiter_start_asleep(&w, s.poller);
    plx_waker *other;
    CHECK_RC(plx_waker_open(s.registry, 2, &other), 0);
    plx_waker_release(other);
    CHECK_RC(plx_post(s.registry, 3, 0), 0);
    CHECK_RC(waiter_join(&w), 1);
    CHECK_EQ(w.events[0].token, 3);
    scene_close(&s);
}

/* ---- Threads ------------------------------------------------------------------------------- */

typedef struct player {
    plx_poller  *own;
    plx_waker   *other;   /* wakes the other player's poller */
    int          rounds;
    int         *ball;    /* plain memory: the wake itself has to make it visible */
    bool         serves;
} player;

static void play(void *argument)
{
    player *self = argument;
    plx_event events[2];
    if (self->serves)
        CHECK_RC(plx_waker_wake(self->other), 0);
    for (int i = 0; i < self->rounds; i++) {
        CHECK_RC(plx_poller_wait(self->own, events, 2, PLX_FOREVER), 1);
        CHECK_EQ(events[0].flags, PLX_WAKER);
        CHECK_EQ(*self->ball, 2 * i + (self->serves ? 1 : 0));
        ++*self->ball;
        if (!self->serves || i + 1 < self->rounds)
            CHECK_RC(plx_waker_wake(self->other), 0);
    }
}

/* One wake lost, and both sleep for ever. */
CASE(two_threads_play_ping_pong_with_wakers)
{
    int ball = 0, count = rounds(10000);
    scene a = scene_open(), b = scene_open();
    player first = {a.poller, b.waker, count, &ball, true};
    player second = {b.poller, a.waker, count, &ball, false};
    test_thread *thread = thread_start(play, &first);
    play(&second);
    thread_join(thread);
    CHECK_EQ(ball, 2 * count);
    scene_close(&a);
    scene_close(&b);
}

typedef struct hammer {
    plx_waker  *waker;
    int         count;
    atomic_int *work; /* more of it before each wake */
} hammer;

static void hammer_on(void *argument)
{
    hammer *self = argument;
    for (int i = 0; i < self->count; i++) {
        atomic_fetch_add(self->work, 1);
        CHECK_RC(plx_waker_wake(self->waker), 0);
    }
}

/* Whoever missed the last event would wait for ever for the last piece of work. */
CASE(the_last_of_many_wakes_is_never_lost)
{
    enum { THREADS = 4 };
    plx_event event;
    scene s = scene_open();
    int count = rounds(50);
    for (int round = 0; round < count; round++) {
        atomic_int work = 0;
        hammer h = {s.waker, 200, &work};
        test_thread *threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            threads[i] = thread_start(hammer_on, &h);
        while (atomic_load(&work) < THREADS * h.count) {
            CHECK_RC(plx_poller_wait(s.poller, &event, 1, PLX_FOREVER), 1);
            CHECK_EQ(event.token, 1);
        }
        for (int i = 0; i < THREADS; i++)
            thread_join(threads[i]);
        CHECK(plx_poller_wait(s.poller, &event, 1, 0) <= 1);
        EXPECT_SILENCE(s.poller, 0);
    }
    scene_close(&s);
}

typedef struct writer {
    plx_waker  *waker;
    int         written; /* plain memory, likewise */
    atomic_int *done;    /* relaxed: it is not to make anything visible */
} writer;

static void write_and_wake(void *argument)
{
    writer *self = argument;
    ++self->written;
    CHECK_RC(plx_waker_wake(self->waker), 0);
    atomic_fetch_add_explicit(self->done, 1, memory_order_relaxed);
}

/* Also a wake that finds the waker's event pending already. ThreadSanitizer sees it if not. */
CASE(each_wake_makes_what_was_written_before_it_visible)
{
    enum { WRITERS = 4 };
    scene s = scene_open();
    int count = rounds(20);
    for (int round = 0; round < count; round++) {
        writer writers[WRITERS];
        test_thread *threads[WRITERS];
        atomic_int done = 0;
        for (int i = 0; i < WRITERS; i++) {
            writers[i] = (writer){s.waker, round, &done};
            threads[i] = thread_start(write_and_wake, &writers[i]);
        }
        while (atomic_load_explicit(&done, memory_order_relaxed) < WRITERS)
            sleep_for(PLX_USEC(50));
        EXPECT(s.poller, 1, PLX_WAKER);
        for (int i = 0; i < WRITERS; i++)
            CHECK_EQ(writers[i].written, round + 1);
        for (int i = 0; i < WRITERS; i++)
            thread_join(threads[i]);
    }
    scene_close(&s);
}

/* ---- Notify ---------------------------------------------------------------------------------- */

CASE(notify_before_the_wait_ends_it_without_an_event)
{
    plx_event event = {1, 2, 3, 4};
    scene s = scene_open();
    CHECK_RC(plx_notify(s.registry), 0);
    CHECK_RC(plx_poller_wait(s.poller, &event, 1, PLX_FOREVER), 0);
    CHECK(event.token == 1 && event.flags == 2 && event.native == 3 && event.data == 4);
    scene_close(&s);
}

/* The only thing that proves a notify spent is a wait that lasts its full time. */
static void expect_full_wait(plx_poller *poller)
{
    plx_nanos before = plx_now();
    CHECK_RC(plx_poller_wait(poller, &(plx_event){0}, 1, PLX_MSEC(10)), 0);
    CHECK(plx_now() - before >= PLX_MSEC(10));
}

CASE(several_notifies_count_as_one)
{
    scene s = scene_open();
    for (int i = 0; i < 100; i++)
        CHECK_RC(plx_notify(s.registry), 0);
    CHECK_RC(plx_poller_wait(s.poller, &(plx_event){0}, 1, PLX_FOREVER), 0);
    expect_full_wait(s.poller);
    scene_close(&s);
}

CASE(notify_is_used_up_by_a_wait_with_events)
{
    plx_fd ends[2];
    scene s = scene_open();
    open_stream(ends);
    CHECK_RC(plx_notify(s.registry), 0);
    CHECK_RC(plx_post(s.registry, 5, 0), 0);
    EXPECT(s.poller, 5, PLX_POST);
    expect_full_wait(s.poller);
    CHECK_RC(plx_register(s.registry, ends[0], 6, PLX_WRITABLE | PLX_ONESHOT), 0);
    CHECK_RC(plx_notify(s.registry), 0);
    EXPECT(s.poller, 6, PLX_WRITABLE); /* the notify takes no event away */
    expect_full_wait(s.poller);
    scene_close(&s);
    close_pair(ends);
}

CASE(notify_is_used_up_by_a_wait_of_no_time)
{
    scene s = scene_open();
    CHECK_RC(plx_notify(s.registry), 0);
    CHECK_RC(plx_poller_wait(s.poller, &(plx_event){0}, 1, 0), 0);
    expect_full_wait(s.poller);
    scene_close(&s);
}

CASE(notify_ends_a_blocked_wait)
{
    static waiter w;
    scene s = scene_open();
    for (int i = 0; i < 5; i++) {
        waiter_start_asleep(&w, s.poller);
        CHECK_RC(plx_notify(s.registry), 0);
        CHECK_RC(waiter_join(&w), 0);
        expect_full_wait(s.poller);
    }
    scene_close(&s);
}
