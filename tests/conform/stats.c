/* SPDX-License-Identifier: MIT */
/* The counters: exact, so that a test can hold the library to its promises about cost. */
#include "support.h"

typedef struct scene {
    plx_poller   *poller;
    plx_registry *registry;
    plx_fd        ends[2];
} scene;

static scene scene_open(void)
{
    scene s;
    s.poller = open_poller();
    s.registry = plx_poller_registry(s.poller);
    open_stream(s.ends);
    return s;
}

static void scene_close(scene *s)
{
    plx_poller_close(s->poller);
    close_pair(s->ends);
}

CASE(new_poller_has_counted_nothing)
{
    plx_poller *poller = open_poller();
    plx_stats stats = stats_of(poller);
    CHECK_EQ(stats.waits, 0);
    CHECK_EQ(stats.events, 0);
    CHECK_EQ(stats.wakes_sent, 0);
    CHECK_EQ(stats.wakes_elided, 0);
    CHECK_EQ(stats.registered, 0);
    CHECK_EQ(stats.timers, 0);
    plx_poller_close(poller);
}

CASE(waits_and_events_are_counted)
{
    static waiter w;
    plx_event events[8];
    scene s = scene_open();
    for (int i = 0; i < 10; i++)
        CHECK_RC(plx_poller_wait(s.poller, events, 8, i % 2 ? 0 : PLX_USEC(10)), 0);
    CHECK_EQ(stats_of(s.poller).waits, 10);
    CHECK_EQ(stats_of(s.poller).events, 0);
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_WRITABLE), 0);
    for (int i = 0; i < 7; i++)
        CHECK_RC(plx_post(s.registry, 2, 0), 0);
    CHECK_EQ(plx_poller_wait(s.poller, events, 8, 0), 8);
    CHECK_EQ(plx_poller_wait_until(s.poller, events, 8, 0), 1);
    CHECK_EQ(stats_of(s.poller).waits, 12);
    CHECK_EQ(stats_of(s.poller).events, 9);
    CHECK_RC(plx_deregister(s.registry, s.ends[0]), 0);
    waiter_start_asleep(&w, s.poller);
    CHECK_EQ(stats_of(s.poller).waits, 12); /* that one has not returned */
    CHECK_RC(plx_notify(s.registry), 0);
    CHECK_RC(waiter_join(&w), 0);
    CHECK_EQ(stats_of(s.poller).waits, 13);
    CHECK_EQ(stats_of(s.poller).events, 9);
    scene_close(&s);
}

typedef struct busy {
    plx_poller *poller;
    int         rounds;
    uint64_t    events; /* that it was given */
} busy;

static void wait_often(void *argument)
{
    busy *self = argument;
    plx_event events[2];
    for (int i = 0; i < self->rounds; i++) {
        int count = plx_poller_wait(self->poller, events, 2, 0);
        CHECK(count >= 0);
        self->events += (uint64_t)count;
    }
}

/* Each counter has one thread that writes it, or is added to. */
CASE(waits_of_several_threads_are_all_counted)
{
    enum { THREADS = 3 };
    busy all[THREADS];
    test_thread *threads[THREADS];
    uint64_t waits = 0, events = 0;
    scene s = scene_open();
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_WRITABLE), 0);
    for (int i = 0; i < THREADS; i++) {
        all[i] = (busy){.poller = s.poller, .rounds = rounds(backend_is("iocp") ? 5000 : 20000)};
        threads[i] = thread_start(wait_often, &all[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
        waits += (uint64_t)all[i].rounds;
        events += all[i].events;
    }
    CHECK_EQ(stats_of(s.poller).waits, waits);
    CHECK_EQ(stats_of(s.poller).events, events);
    scene_close(&s);
}

CASE(registered_counts_what_is_registered_now)
{
    scene s = scene_open();
    for (int round = 0; round < 3; round++) {
        CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_WRITABLE), 0);
        CHECK_EQ(stats_of(s.poller).registered, 1);
        CHECK_RC(plx_register(s.registry, s.ends[1], 1, 0), 0);
        CHECK_EQ(stats_of(s.poller).registered, 2);
        CHECK_RC(plx_reregister(s.registry, s.ends[0], 1, PLX_READABLE | PLX_ONESHOT), 0);
        CHECK_RC(plx_disable(s.registry, s.ends[0], PLX_READABLE), 0);
        CHECK_RC(plx_register(s.registry, s.ends[0], 1, 0), -EEXIST);
        CHECK_RC(plx_register(s.registry, NO_FD, 1, 0), -EBADF);
        CHECK_EQ(stats_of(s.poller).registered, 2);
        CHECK_RC(plx_deregister(s.registry, s.ends[0]), 0);
        CHECK_RC(plx_deregister(s.registry, s.ends[0]), -ENOENT);
        CHECK_EQ(stats_of(s.poller).registered, 1);
        CHECK_RC(plx_deregister(s.registry, s.ends[1]), 0);
        CHECK_EQ(stats_of(s.poller).registered, 0);
    }
    scene_close(&s);
}

/* A number that was closed while registered: the next registration is in the place of the last. */
CASE(a_number_closed_and_registered_again_counts_once)
{
    scene s = scene_open();
    for (int round = 0; round < 3; round++) {
        CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_READABLE), 0);
        CHECK_EQ(stats_of(s.poller).registered, 1);
        close_pair(s.ends);
        open_stream_as(s.ends[0], s.ends);
    }
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_READABLE), 0);
    CHECK_RC(plx_deregister(s.registry, s.ends[0]), 0);
    CHECK_EQ(stats_of(s.poller).registered, 0);
    scene_close(&s);
}

CASE(statistics_cost_no_system_call)
{
    scene s = scene_open();
    uint64_t calls = stats_of(s.poller).kernel_calls;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(stats_of(s.poller).kernel_calls, calls);
        CHECK(plx_poller_now(s.poller) > 0);
        CHECK_RC(plx_lookup(s.registry, s.ends[0], NULL, NULL), -ENOENT);
    }
    scene_close(&s);
}

/* ---- Wakes ----------------------------------------------------------------------------------- */

CASE(wakes_cost_nothing_while_nobody_waits)
{
    plx_waker *waker;
    plx_event events[64];
    scene s = scene_open();
    CHECK_RC(plx_waker_open(s.registry, 1, &waker), 0);
    uint64_t calls = stats_of(s.poller).kernel_calls;
    for (int i = 0; i < 100; i++) {
        CHECK_RC(plx_post(s.registry, 2, 0), 0);
        CHECK_RC(plx_waker_wake(waker), 0);
        CHECK_RC(plx_notify(s.registry), 0);
    }
    plx_stats stats = stats_of(s.poller);
    CHECK_EQ(stats.kernel_calls, calls);
    CHECK_EQ(stats.wakes_sent, 0);
    CHECK_EQ(stats.wakes_elided, 300);
    while (plx_poller_wait(s.poller, events, 64, 0) > 0)
        continue;
    plx_waker_release(waker);
    scene_close(&s);
}

/* Whoever is woken once need not be woken twice. */
CASE(a_sleeping_waiter_is_woken_by_one_call)
{
    static waiter w;
    scene s = scene_open();
    for (int round = 1; round <= 5; round++) {
        plx_stats before = stats_of(s.poller);
        waiter_start_asleep(&w, s.poller);
        CHECK_RC(plx_post(s.registry, 2, 0), 0);
        CHECK_RC(waiter_join(&w), 1);
        plx_stats after = stats_of(s.poller);
        CHECK_EQ(after.wakes_sent - before.wakes_sent, 1);
        CHECK_EQ(after.wakes_elided, before.wakes_elided);
        if (backend_is("epoll")) /* to wait, and to wake */
            CHECK_EQ(after.kernel_calls - before.kernel_calls, 2);
    }
    scene_close(&s);
}

typedef struct waking {
    scene     *s;
    plx_waker *waker;
    int        rounds;
} waking;

static void wake_in_all_ways(void *argument)
{
    waking *self = argument;
    for (int i = 0; i < self->rounds; i++) {
        CHECK_RC(plx_post(self->s->registry, 2, 0), 0);
        CHECK_RC(plx_waker_wake(self->waker), 0);
        CHECK_RC(plx_notify(self->s->registry), 0);
    }
}

CASE(every_wake_is_either_sent_or_elided)
{
    enum { THREADS = 3 };
    plx_event events[64];
    scene s = scene_open();
    waking w = {&s, NULL, 2000};
    test_thread *threads[THREADS];
    CHECK_RC(plx_waker_open(s.registry, 1, &w.waker), 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(wake_in_all_ways, &w);
    uint64_t posts = 0, waits = 0, taken = 0;
    while (posts < (uint64_t)THREADS * 2000) {
        int count = plx_poller_wait(s.poller, events, 64, PLX_FOREVER);
        CHECK(count >= 0);
        waits++;
        taken += (uint64_t)count;
        for (int i = 0; i < count; i++)
            posts += events[i].flags == PLX_POST;
    }
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    plx_stats stats = stats_of(s.poller);
    CHECK_EQ(stats.wakes_sent + stats.wakes_elided, THREADS * 2000 * 3);
    CHECK_EQ(stats.waits, waits);
    CHECK_EQ(stats.events, taken);
    plx_waker_release(w.waker);
    scene_close(&s);
}

/* ---- System calls ------------------------------------------------------------------------------ */

CASE(a_wait_is_one_system_call)
{
    plx_event events[8];
    scene s = scene_open();
    if (!backend_is("epoll"))
        SKIP("%s needs other calls to wait", conform_backend);
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_READABLE), 0);
    CHECK_RC(plx_poller_wait(s.poller, events, 8, 1), 0); /* finds out whether there is epoll_pwait2 */
    uint64_t calls = stats_of(s.poller).kernel_calls;
    for (int i = 0; i < 10; i++)
        CHECK_RC(plx_poller_wait(s.poller, events, 8, 0), 0);
    CHECK_EQ(stats_of(s.poller).kernel_calls - calls, 10);
    put(s.ends[1], 1);
    for (int i = 0; i < 10; i++)
        CHECK_RC(plx_poller_wait(s.poller, events, 8, i % 2 ? PLX_FOREVER : PLX_MSEC(100)), 1);
    CHECK_EQ(stats_of(s.poller).kernel_calls - calls, 20);
    for (int i = 0; i < 10; i++) { /* both kinds in one wait */
        CHECK_RC(plx_post(s.registry, 2, 0), 0);
        CHECK_RC(plx_poller_wait(s.poller, events, 8, PLX_FOREVER), 2);
    }
    CHECK_EQ(stats_of(s.poller).kernel_calls - calls, 30);
    scene_close(&s);
}

CASE(a_change_is_at_most_one_system_call)
{
    scene s = scene_open();
    if (!backend_is("epoll"))
        SKIP("%s needs other calls to register", conform_backend);
    uint64_t calls = stats_of(s.poller).kernel_calls;
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_READABLE), 0);
    CHECK(stats_of(s.poller).kernel_calls <= calls + 1);
    CHECK_RC(plx_reregister(s.registry, s.ends[0], 2, PLX_WRITABLE | PLX_ONESHOT), 0);
    CHECK(stats_of(s.poller).kernel_calls <= calls + 2);
    CHECK_RC(plx_enable(s.registry, s.ends[0], PLX_READABLE), 0);
    CHECK(stats_of(s.poller).kernel_calls <= calls + 3);
    CHECK_RC(plx_disable(s.registry, s.ends[0], PLX_READABLE), 0);
    CHECK(stats_of(s.poller).kernel_calls <= calls + 4);
    CHECK_RC(plx_deregister(s.registry, s.ends[0]), 0);
    CHECK(stats_of(s.poller).kernel_calls <= calls + 5);
    CHECK(stats_of(s.poller).kernel_calls > calls);
    scene_close(&s);
}

/* An idle wait sleeps: it does not look again and again. */
CASE(an_idle_wait_makes_few_system_calls)
{
    scene s = scene_open();
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_READABLE), 0);
    uint64_t calls = stats_of(s.poller).kernel_calls;
    EXPECT_SILENCE(s.poller, PLX_MSEC(100));
    CHECK(stats_of(s.poller).kernel_calls - calls <= 6);
    scene_close(&s);
}
