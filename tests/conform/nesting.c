/* SPDX-License-Identifier: MIT */
/* plx_poller_descriptor: readable whenever a wait would return events, and only then. */
#include "support.h"

typedef struct scene {
    plx_poller   *poller;
    plx_registry *registry;
    plx_fd        own;
    plx_fd        ends[2];
} scene;

static scene scene_open(void)
{
    scene s;
    s.poller = open_poller();
    s.registry = plx_poller_registry(s.poller);
    int own = plx_poller_descriptor(s.poller);
    if (own == -ENOTSUP) {
        CHECK(backend_is("poll") || backend_is("iocp"));
        CHECK_RC(plx_poller_descriptor(s.poller), -ENOTSUP);
        plx_poller_close(s.poller);
        SKIP("%s has no descriptor to wait for", conform_backend);
    }
    CHECK(own >= 0);
    s.own = own;
    open_stream(s.ends);
    return s;
}

static void scene_close(scene *s)
{
    plx_poller_close(s->poller);
    close_pair(s->ends);
}

static void drain_poller(plx_poller *poller)
{
    plx_event events[16];
    while (plx_poller_wait(poller, events, 16, 0) > 0)
        continue;
}

CASE(descriptor_is_one_and_the_same)
{
    scene s = scene_open();
    for (int i = 0; i < 3; i++)
        CHECK_EQ(plx_poller_descriptor(s.poller), s.own);
    CHECK(descriptor_closes_on_exec(s.own));
    CHECK(!is_readable(s.own));
    plx_poller_close(s.poller);
    CHECK(!descriptor_is_open(s.own));
    close_pair(s.ends);
}

CASE(readiness_makes_the_descriptor_readable)
{
    scene s = scene_open();
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_READABLE), 0);
    for (int i = 0; i < 3; i++) {
        CHECK(!is_readable(s.own));
        put(s.ends[1], 1);
        CHECK(is_readable(s.own));
        EXPECT(s.poller, 1, PLX_READABLE);
        CHECK(is_readable(s.own)); /* level: there is more */
        CHECK_EQ(drain(s.ends[0]), 1);
        EXPECT_SILENCE(s.poller, 0);
    }
    CHECK(!is_readable(s.own));
    scene_close(&s);
}

CASE(posts_make_the_descriptor_readable_to_the_last)
{
    plx_event event;
    scene s = scene_open();
    for (int i = 0; i < 3; i++) {
        CHECK(!is_readable(s.own));
        for (int k = 0; k < 3; k++)
            CHECK_RC(plx_post(s.registry, 1, 0), 0);
        for (int k = 0; k < 3; k++) {
            CHECK(is_readable(s.own));
            CHECK_EQ(plx_poller_wait(s.poller, &event, 1, 0), 1);
        }
        EXPECT_SILENCE(s.poller, 0);
    }
    CHECK(!is_readable(s.own));
    scene_close(&s);
}

CASE(wakers_make_the_descriptor_readable)
{
    plx_waker *waker;
    scene s = scene_open();
    CHECK_RC(plx_waker_open(s.registry, 2, &waker), 0);
    for (int i = 0; i < 5; i++) {
        CHECK(!is_readable(s.own));
        CHECK_RC(plx_waker_wake(waker), 0);
        CHECK(is_readable(s.own));
        EXPECT(s.poller, 2, PLX_WAKER);
        EXPECT_SILENCE(s.poller, 0);
    }
    CHECK_RC(plx_waker_wake(waker), 0);
    plx_waker_release(waker);
    EXPECT_SILENCE(s.poller, 0);
    CHECK(!is_readable(s.own));
    scene_close(&s);
}

CASE(notify_makes_the_descriptor_readable)
{
    scene s = scene_open();
    for (int i = 0; i < 5; i++) {
        CHECK(!is_readable(s.own));
        CHECK_RC(plx_notify(s.registry), 0);
        CHECK(is_readable(s.own));
        CHECK_RC(plx_poller_wait(s.poller, &(plx_event){0}, 1, PLX_FOREVER), 0);
        EXPECT_SILENCE(s.poller, 0);
    }
    CHECK(!is_readable(s.own));
    scene_close(&s);
}

/* What was posted before anybody asked for the descriptor was not worth a system call then. */
CASE(descriptor_knows_of_what_was_there_before)
{
    for (int kind = 0; kind < 3; kind++) {
        plx_waker *waker = NULL;
        plx_poller *poller = open_poller();
        plx_registry *registry = plx_poller_registry(poller);
        if (kind == 0) {
            CHECK_RC(plx_post(registry, 1, 0), 0);
        } else if (kind == 1) {
            CHECK_RC(plx_waker_open(registry, 2, &waker), 0);
            CHECK_RC(plx_waker_wake(waker), 0);
        } else {
            CHECK_RC(plx_notify(registry), 0);
        }
        int own = plx_poller_descriptor(poller);
        check_note("kind %d", kind);
        if (own == -ENOTSUP)
            SKIP("%s has no descriptor to wait for", conform_backend);
        CHECK(is_readable(own));
        drain_poller(poller);
        EXPECT_SILENCE(poller, 0);
        CHECK(!is_readable(own));
        plx_waker_release(waker);
        plx_poller_close(poller);
    }
}

CASE(descriptor_is_not_readable_for_what_is_silent)
{
    scene s = scene_open();
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_WRITABLE | PLX_ONESHOT), 0);
    CHECK(is_readable(s.own));
    EXPECT(s.poller, 1, PLX_WRITABLE);
    EXPECT_SILENCE(s.poller, 0);
    CHECK(!is_readable(s.own));
    shut(s.ends[1], SHUT_BOTH); /* disarmed, then hung up */
    EXPECT_SILENCE(s.poller, 0);
    CHECK(!is_readable(s.own));
    CHECK_RC(plx_reregister(s.registry, s.ends[0], 1, 0), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK(!is_readable(s.own));
    CHECK_RC(plx_reregister(s.registry, s.ends[0], 1, PLX_READABLE), 0);
    CHECK(is_readable(s.own));
    CHECK_RC(plx_deregister(s.registry, s.ends[0]), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK(!is_readable(s.own));
    scene_close(&s);
}

CASE(timeouts_and_waits_leave_the_descriptor_quiet)
{
    static waiter w;
    scene s = scene_open();
    for (int i = 0; i < 5; i++) {
        EXPECT_SILENCE(s.poller, PLX_USEC(100));
        CHECK(!is_readable(s.own));
        waiter_start_asleep(&w, s.poller);
        CHECK_RC(plx_post(s.registry, 1, 0), 0);
        CHECK_RC(waiter_join(&w), 1);
        EXPECT_SILENCE(s.poller, 0);
        CHECK(!is_readable(s.own));
    }
    scene_close(&s);
}

/* ---- A poller as a source of another ----------------------------------------------------------- */

CASE(a_poller_is_a_source_of_another)
{
    plx_waker *waker;
    scene s = scene_open();
    plx_poller *outer = open_poller();
    CHECK_RC(plx_waker_open(s.registry, 2, &waker), 0);
    CHECK_RC(plx_register(plx_poller_registry(outer), s.own, 7, PLX_READABLE), 0);
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_READABLE), 0);
    for (int i = 0; i < 5; i++) {
        EXPECT_SILENCE(outer, 0);
        CHECK_RC(plx_waker_wake(waker), 0);
        EXPECT(outer, 7, PLX_READABLE);
        EXPECT(s.poller, 2, PLX_WAKER);
        EXPECT_SILENCE(s.poller, 0);
        EXPECT_SILENCE(outer, 0);
        put(s.ends[1], 1);
        EXPECT(outer, 7, PLX_READABLE);
        EXPECT(s.poller, 1, PLX_READABLE);
        CHECK_EQ(drain(s.ends[0]), 1);
        if (backend_is("event_ports"))
            EXPECT_SILENCE(s.poller, 0); /* a port's queue has what was ready before the drain */
        EXPECT_SILENCE(outer, 0);
        CHECK_RC(plx_post(s.registry, 3, 0), 0);
        CHECK_RC(plx_post(s.registry, 3, 0), 0);
        EXPECT(outer, 7, PLX_READABLE);
        CHECK_EQ(plx_poller_wait(s.poller, &(plx_event){0}, 1, 0), 1);
        EXPECT(outer, 7, PLX_READABLE); /* one is left */
        EXPECT(s.poller, 3, PLX_POST);
        EXPECT_SILENCE(s.poller, 0);
    }
    plx_waker_release(waker);
    plx_poller_close(outer);
    scene_close(&s);
}

CASE(a_post_reaches_a_wait_on_the_outer_poller)
{
    static waiter w;
    scene s = scene_open();
    plx_poller *outer = open_poller();
    CHECK_RC(plx_register(plx_poller_registry(outer), s.own, 7, PLX_READABLE), 0);
    for (int i = 0; i < 10; i++) {
        waiter_start_asleep(&w, outer);
        if (i % 2)
            CHECK_RC(plx_notify(s.registry), 0);
        else
            CHECK_RC(plx_post(s.registry, 1, 0), 0);
        CHECK_RC(waiter_join(&w), 1);
        CHECK_EQ(w.events[0].token, 7);
        drain_poller(s.poller);
        EXPECT_SILENCE(s.poller, 0);
    }
    plx_poller_close(outer);
    scene_close(&s);
}

typedef struct supply {
    plx_registry *registry;
    int           count;
} supply;

static void post_supply(void *argument)
{
    supply *self = argument;
    for (int i = 0; i < self->count; i++)
        CHECK_RC(plx_post(self->registry, 1, (uint64_t)i), 0);
}

/* The inner poller is never waited on for longer than no time: the outer one alone sleeps. */
CASE(no_post_is_lost_between_two_pollers)
{
    plx_event events[4];
    scene s = scene_open();
    plx_poller *outer = open_poller();
    CHECK_RC(plx_register(plx_poller_registry(outer), s.own, 7, PLX_READABLE), 0);
    supply supplied = {s.registry, rounds(10000)};
    test_thread *thread = thread_start(post_supply, &supplied);
    for (int next = 0; next < supplied.count;) {
        CHECK_EQ(plx_poller_wait(outer, events, 4, PLX_FOREVER), 1);
        int count = plx_poller_wait(s.poller, events, 4, 0);
        CHECK(count >= 0);
        for (int i = 0; i < count; i++)
            CHECK_EQ(events[i].data, next++);
    }
    thread_join(thread);
    plx_poller_close(outer);
    scene_close(&s);
}

CASE(circles_and_towers_of_pollers_are_eloop)
{
    enum { HEIGHT = 8 };
    plx_poller *tower[HEIGHT];
    int refused = 0;
    scene s = scene_open();
    if (!backend_is("epoll")) {
        scene_close(&s);
        SKIP("%s does not look for circles", conform_backend);
    }
    for (int i = 0; i < HEIGHT; i++) {
        tower[i] = open_poller();
        if (i == 0)
            continue;
        int rc = plx_register(plx_poller_registry(tower[i]), plx_poller_descriptor(tower[i - 1]), 1,
                              PLX_READABLE);
        CHECK(rc == 0 || rc == -ELOOP);
        refused += rc == -ELOOP;
        CHECK_EQ(stats_of(tower[i]).registered, rc == 0);
    }
    CHECK(refused > 0);
    CHECK_RC(plx_register(plx_poller_registry(tower[0]), plx_poller_descriptor(tower[1]), 1, PLX_READABLE),
             -ELOOP);
    CHECK_RC(plx_lookup(plx_poller_registry(tower[0]), plx_poller_descriptor(tower[1]), NULL, NULL),
             -ENOENT);
    CHECK_RC(plx_post(plx_poller_registry(tower[0]), 1, 0), 0);
    EXPECT(tower[1], 1, PLX_READABLE); /* what was built before still stands */
    for (int i = 0; i < HEIGHT; i++)
        plx_poller_close(tower[i]);
    scene_close(&s);
}

CASE(descriptor_survives_the_silencing_of_an_old_file)
{
    plx_fd old[2];
    scene s = scene_open();
    CHECK_RC(plx_register(s.registry, s.ends[0], 1, PLX_READABLE), 0);
    for (int i = 0; i < 5; i++) {
        open_stream(old);
        plx_fd copy = dup_fd(old[0]);
        CHECK_RC(plx_register(s.registry, old[0], 9, PLX_WRITABLE), 0);
        close_fd(old[0]);
        CHECK_RC(plx_deregister(s.registry, old[0]), 0);
        EXPECT_SILENCE(s.poller, 0);
        CHECK_EQ(plx_poller_descriptor(s.poller), s.own);
        CHECK(!is_readable(s.own));
        put(s.ends[1], 1);
        CHECK(is_readable(s.own));
        CHECK_EQ(drain(s.ends[0]), 1);
        EXPECT_SILENCE(s.poller, 0);
        CHECK_RC(plx_post(s.registry, 2, 0), 0);
        CHECK(is_readable(s.own));
        EXPECT(s.poller, 2, PLX_POST);
        EXPECT_SILENCE(s.poller, 0);
        close_fd(copy);
        close_fd(old[1]);
    }
    scene_close(&s);
}
