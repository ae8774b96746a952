/* SPDX-License-Identifier: MIT */
/* No kind of source starves another, and within a kind the sources take turns. */
#include "support.h"

enum { SOURCES = 60 };

typedef struct scene {
    plx_poller   *poller;
    plx_registry *registry;
    plx_fd        ends[SOURCES][2];
} scene;

/* Tokens 0 to SOURCES - 1, all of them always writable. */
static void scene_open(scene *s)
{
    s->poller = open_poller();
    s->registry = plx_poller_registry(s->poller);
    for (int i = 0; i < SOURCES; i++) {
        open_stream(s->ends[i]);
        CHECK_RC(plx_register(s->registry, s->ends[i][0], (plx_token)i, PLX_WRITABLE), 0);
    }
}

static void scene_close(scene *s)
{
    plx_poller_close(s->poller);
    for (int i = 0; i < SOURCES; i++)
        close_pair(s->ends[i]);
}

static int count_kind(const plx_event *events, int count, uint32_t flag)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += (events[i].flags & flag) != 0;
    return found;
}

CASE(each_kind_has_a_place_in_every_wait)
{
    static const int capacities[] = {2, 3, 8, 64};
    static scene s;
    plx_event events[64];
    scene_open(&s);
    for (size_t k = 0; k < 4; k++) {
        int capacity = capacities[k];
        check_note("capacity %d", capacity);
        for (int i = 0; i < 40 * capacity; i++)
            CHECK_RC(plx_post(s.registry, 1000, 0), 0);
        for (int i = 0; i < 20; i++) {
            int count = plx_poller_wait(s.poller, events, capacity, PLX_FOREVER);
            CHECK(count >= 2);
            CHECK(count_kind(events, count, PLX_WRITABLE) >= 1);
            CHECK(count_kind(events, count, PLX_POST) >= 1);
        }
        while (count_kind(events, plx_poller_wait(s.poller, events, 64, 0), PLX_POST) > 0)
            continue;
    }
    scene_close(&s);
}

/* With one place the kinds have to take turns from wait to wait. */
CASE(no_kind_starves_when_there_is_one_place)
{
    static scene s;
    plx_event event;
    int since_post = 0, since_ready = 0;
    scene_open(&s);
    for (int i = 0; i < 500; i++)
        CHECK_RC(plx_post(s.registry, 1000, 0), 0);
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(plx_poller_wait(s.poller, &event, 1, PLX_FOREVER), 1);
        since_post = event.flags & PLX_POST ? 0 : since_post + 1;
        since_ready = event.flags & PLX_WRITABLE ? 0 : since_ready + 1;
        CHECK(since_post <= 4 && since_ready <= 4);
    }
    scene_close(&s);
}

/* A place that one kind leaves empty goes to the other. */
CASE(a_batch_is_filled_by_whoever_has_something)
{
    static scene s;
    plx_event events[64];
    scene_open(&s);
    CHECK_RC(plx_post(s.registry, 1000, 0), 0);
    int count = plx_poller_wait(s.poller, events, 64, PLX_FOREVER);
    CHECK_EQ(count, SOURCES + 1);
    for (int i = 0; i < SOURCES; i++)
        CHECK_RC(plx_reregister(s.registry, s.ends[i][0], (plx_token)i, i == 0 ? PLX_WRITABLE : 0), 0);
    for (int i = 0; i < 100; i++)
        CHECK_RC(plx_post(s.registry, 1000, 0), 0);
    count = plx_poller_wait(s.poller, events, 64, PLX_FOREVER);
    CHECK_EQ(count_kind(events, count, PLX_WRITABLE), 1);
    CHECK(count_kind(events, count, PLX_POST) >= 32);
    scene_close(&s);
}

CASE(ready_descriptors_take_turns)
{
    static const int capacities[] = {1, 2, 7, 32};
    static scene s;
    plx_event events[32];
    scene_open(&s);
    for (int with_posts = 0; with_posts < 2; with_posts++)
        for (size_t k = 0; k < 4; k++) {
            int seen[SOURCES] = {0}, total = 0;
            check_note("capacity %d, %s", capacities[k], with_posts ? "with posts" : "alone");
            while (total < 10 * SOURCES) {
                if (with_posts)
                    for (int i = 0; i < capacities[k]; i++)
                        CHECK_RC(plx_post(s.registry, 1000, 0), 0);
                int count = plx_poller_wait(s.poller, events, capacities[k], PLX_FOREVER);
                CHECK(count > 0);
                for (int i = 0; i < count; i++)
                    if (events[i].flags & PLX_WRITABLE) {
                        seen[events[i].token]++;
                        total++;
                    }
            }
            for (int i = 0; i < SOURCES; i++) /* ten turns each, give or take */
                CHECK(seen[i] >= 5 && seen[i] <= 15);
            plx_event rest[64];
            while (with_posts && count_kind(rest, plx_poller_wait(s.poller, rest, 64, 0), PLX_POST) > 0)
                continue;
        }
    scene_close(&s);
}

/* Every post is answered by another: the queue never ends, and the waker gets its turn. */
CASE(posts_without_end_do_not_starve_a_waker)
{
    static const int capacities[] = {1, 2, 64};
    plx_event events[64];
    plx_waker *waker;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    CHECK_RC(plx_waker_open(registry, 7, &waker), 0);
    for (int i = 0; i < 100; i++)
        CHECK_RC(plx_post(registry, 1000, 0), 0);
    for (size_t k = 0; k < 3; k++) {
        int passed = 0;
        CHECK_RC(plx_waker_wake(waker), 0);
        for (bool woken = false; !woken;) {
            int count = plx_poller_wait(poller, events, capacities[k], PLX_FOREVER);
            CHECK(count > 0);
            for (int i = 0; i < count; i++) {
                woken = woken || events[i].flags == PLX_WAKER;
                passed++;
                if (events[i].flags == PLX_POST)
                    CHECK_RC(plx_post(registry, 1000, 0), 0);
            }
            CHECK(passed <= 400);
        }
    }
    plx_waker_release(waker);
    plx_poller_close(poller);
}

/* And the other way round: wakers that are woken again at every event. */
CASE(wakers_without_end_take_turns_with_each_other_and_with_posts)
{
    enum { WAKERS = 10 };
    plx_waker *wakers[WAKERS];
    int seen[WAKERS] = {0}, posts = 0;
    plx_event events[3];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < WAKERS; i++) {
        CHECK_RC(plx_waker_open(registry, (plx_token)i, &wakers[i]), 0);
        CHECK_RC(plx_waker_wake(wakers[i]), 0);
    }
    CHECK_RC(plx_post(registry, 1000, 0), 0);
    for (int total = 0; total < 40 * WAKERS;) {
        int count = plx_poller_wait(poller, events, 3, PLX_FOREVER);
        CHECK(count > 0);
        total += count;
        for (int i = 0; i < count; i++)
            if (events[i].flags == PLX_WAKER) {
                seen[events[i].token]++;
                CHECK_RC(plx_waker_wake(wakers[events[i].token]), 0);
            } else {
                posts++;
            }
    }
    CHECK_EQ(posts, 1);
    for (int i = 0; i < WAKERS; i++) {
        CHECK(seen[i] >= 20);
        plx_waker_release(wakers[i]);
    }
    plx_poller_close(poller);
}

/* One source that is always ready, and another that seldom is. */
CASE(a_busy_descriptor_does_not_hide_a_quiet_one)
{
    plx_fd busy[2], quiet[2];
    plx_event event;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(busy);
    open_stream(quiet);
    CHECK_RC(plx_register(registry, busy[0], 1, PLX_WRITABLE), 0);
    CHECK_RC(plx_register(registry, quiet[0], 2, PLX_READABLE), 0);
    for (int round = 0; round < 50; round++) {
        int waits = 0;
        put(quiet[1], 1);
        do {
            CHECK_EQ(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
            CHECK(++waits <= 4);
        } while (event.token != 2);
        CHECK_EQ(drain(quiet[0]), 1);
    }
    plx_poller_close(poller);
    close_pair(busy);
    close_pair(quiet);
}
