/* SPDX-License-Identifier: MIT */
/*
 * What an old file reports through its duplicate cannot be deleted on epoll: the kernel's set
 * is renewed without it. Here is what else was registered, woken and waiting at that moment.
 */
#include "support.h"

typedef struct scene {
    plx_poller   *poller;
    plx_registry *registry;
} scene;

static scene scene_open(void)
{
    scene s;
    s.poller = open_poller();
    s.registry = plx_poller_registry(s.poller);
    return s;
}

CASE(other_registrations_outlive_the_silencing)
{
    enum { LEVEL, ARMED, DISARMED, SILENT, EDGE, EXCLUSIVE, KINDS };
    scene s = scene_open();
    plx_fd ends[KINDS][2];
    uint32_t interests[KINDS] = {
        [LEVEL] = PLX_READABLE, [ARMED] = PLX_READABLE | PLX_ONESHOT,
        [DISARMED] = PLX_WRITABLE | PLX_ONESHOT, [SILENT] = 0,
        [EDGE] = PLX_READABLE | PLX_EDGE, [EXCLUSIVE] = PLX_READABLE | PLX_EXCLUSIVE,
    };
    for (int i = 0; i < KINDS; i++) {
        open_stream(ends[i]);
        if (!plx_poller_supports(s.poller, interests[i]))
            interests[i] = PLX_READABLE;
        CHECK_RC(plx_register(s.registry, ends[i][0], (plx_token)i, interests[i]), 0);
    }
    EXPECT(s.poller, DISARMED, PLX_WRITABLE);
    for (int round = 0; round < 5; round++) {
        check_note("round %d", round);
        ghost g = make_ghost(s.registry, 99, PLX_READABLE | PLX_WRITABLE);
        CHECK_RC(plx_deregister(s.registry, g.number), 0);
        put(g.peer, 1);
        EXPECT_REST(s.poller, PLX_MSEC(5)); /* above all, the disarmed one stays silent */
        for (int i = 0; i < KINDS; i++)
            put(ends[i][1], 1);
        plx_event events[16];
        int seen = 0, count = plx_poller_wait(s.poller, events, 16, PATIENCE);
        for (int i = 0; i < count; i++) {
            CHECK_EQ(events[i].flags, PLX_READABLE);
            seen |= 1 << events[i].token;
        }
        CHECK_EQ(seen, 1 << LEVEL | 1 << ARMED | 1 << EDGE | 1 << EXCLUSIVE);
        for (int i = 0; i < KINDS; i++)
            CHECK_EQ(drain(ends[i][0]), 1);
        CHECK_RC(plx_enable(s.registry, ends[ARMED][0], 0), 0);
        EXPECT_REST(s.poller, 0);
        end_ghost(&g);
    }
    CHECK_RC(plx_enable(s.registry, ends[DISARMED][0], 0), 0);
    EXPECT(s.poller, DISARMED, PLX_WRITABLE);
    CHECK_EQ(stats_of(s.poller).registered, KINDS);
    plx_poller_close(s.poller);
    for (int i = 0; i < KINDS; i++)
        close_pair(ends[i]);
}

CASE(wakes_outlive_the_silencing)
{
    static waiter w;
    scene s = scene_open();
    plx_waker *waker;
    CHECK_RC(plx_waker_open(s.registry, 5, &waker), 0);
    for (int round = 0; round < 5; round++) {
        ghost g = make_ghost(s.registry, 99, PLX_WRITABLE);
        CHECK_RC(plx_deregister(s.registry, g.number), 0);
        EXPECT_REST(s.poller, PLX_MSEC(1));
        waiter_start_asleep(&w, s.poller);
        CHECK_RC(plx_waker_wake(waker), 0);
        CHECK_RC(waiter_join(&w), 1);
        CHECK_EQ(w.events[0].token, 5);
        waiter_start_asleep(&w, s.poller);
        CHECK_RC(plx_notify(s.registry), 0);
        CHECK_RC(waiter_join(&w), 0);
        end_ghost(&g);
    }
    plx_waker_release(waker);
    plx_poller_close(s.poller);
}

/* One of three waiters meets the old file's event. The others may not be left in an old set. */
CASE(all_waiters_outlive_the_silencing)
{
    enum { WAITERS = 3 };
    for (int round = 0; round < 8; round++) {
        waiter waiters[WAITERS];
        plx_fd ends[WAITERS][2];
        scene s = scene_open();
        /* A oneshot is met by one waiter alone, a level event perhaps by all. */
        ghost g = make_ghost(s.registry, 99, round < 4 ? PLX_READABLE | PLX_ONESHOT : PLX_READABLE);
        bool by_posts = round % 2;
        check_note("round %d", round);
        CHECK_RC(plx_deregister(s.registry, g.number), 0);
        for (int i = 0; i < WAITERS; i++) {
            open_stream(ends[i]);
            waiter_start(&waiters[i], s.poller, 1, PLX_FOREVER);
        }
        for (int i = 0; i < WAITERS; i++)
            thread_await_asleep(waiters[i].thread);
        uint64_t before = stats_of(s.poller).kernel_calls;
        put(g.peer, 1);
        sleep_for(PLX_MSEC(20));
        CHECK(stats_of(s.poller).kernel_calls - before < 60);
        for (int i = 0; i < WAITERS; i++)
            CHECK_EQ(atomic_load(&waiters[i].done), 0);
        for (int i = 0; i < WAITERS; i++) {
            if (by_posts) {
                CHECK_RC(plx_post(s.registry, (plx_token)i, 0), 0);
                continue;
            }
            CHECK_RC(plx_register(s.registry, ends[i][0], (plx_token)i, PLX_READABLE | PLX_ONESHOT), 0);
            put(ends[i][1], 1);
        }
        for (int i = 0; i < WAITERS; i++) {
            CHECK_RC(waiter_join(&waiters[i]), 1);
            CHECK(waiters[i].events[0].token < WAITERS);
        }
        for (int i = 0; i < WAITERS; i++) /* not before: any of them may be another waiter's */
            close_pair(ends[i]);
        plx_poller_close(s.poller);
        end_ghost(&g);
    }
}

CASE(silencing_leaves_no_descriptor_behind)
{
    scene s = scene_open();
    plx_poller_descriptor(s.poller);
    int before = descriptors_open();
    int number = plx_poller_descriptor(s.poller);
    for (int round = 0; round < 20; round++) {
        ghost g = make_ghost(s.registry, 99, PLX_WRITABLE);
        CHECK_RC(plx_deregister(s.registry, g.number), 0);
        EXPECT_REST(s.poller, 0);
        end_ghost(&g);
    }
    CHECK_EQ(descriptors_open(), before);
    CHECK_EQ(plx_poller_descriptor(s.poller), number);
    if (number >= 0)
        CHECK(descriptor_closes_on_exec((plx_fd)number));
    plx_poller_close(s.poller);
}
