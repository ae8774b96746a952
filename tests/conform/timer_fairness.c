/* SPDX-License-Identifier: MIT */
/* Due timers, ready descriptors and posts: none starves another, whatever the capacity. */
#include "support.h"

enum { READY = 80, TIMERS = 80 };

static const int capacities[] = {1, 2, 3, 4, 64};

typedef struct scene {
    plx_poller *poller;
    plx_registry *registry;
    plx_fd ends[READY][2];
    bool posting;
} scene;

/* Sources that are ready and timers that are due, always; each kind as asked for. */
static void scene_open(scene *s, bool ready, bool timers, bool posts)
{
    s->poller = open_poller();
    s->registry = plx_poller_registry(s->poller);
    s->posting = posts;
    for (int i = 0; i < READY; i++) {
        open_stream(s->ends[i]);
        if (ready)
            CHECK_RC(plx_register(s->registry, s->ends[i][0], (plx_token)i, PLX_WRITABLE), 0);
    }
    for (int i = 0; timers && i < TIMERS; i++) {
        plx_timer timer;
        CHECK_RC(plx_timer_start(s->registry, (plx_token)i, 0, 1, &timer), 0);
    }
    for (int i = 0; posts && i < 200; i++)
        CHECK_RC(plx_post(s->registry, 1, 0), 0);
}

static void scene_close(scene *s)
{
    plx_poller_close(s->poller);
    for (int i = 0; i < READY; i++)
        close_pair(s->ends[i]);
}

/* How many events of each kind a wait had. */
static void wait_and_count(scene *s, int capacity, int counts[3])
{
    plx_event events[64];
    counts[0] = counts[1] = counts[2] = 0;
    int count = plx_poller_wait(s->poller, events, capacity, PLX_FOREVER);
    CHECK(count > 0 && count <= capacity);
    for (int i = 0; i < count; i++) {
        counts[events[i].flags == PLX_TIMER ? 1 : events[i].flags == PLX_POST ? 2 : 0]++;
        if (events[i].flags == PLX_POST && s->posting)
            CHECK_RC(plx_post(s->registry, 1, 0), 0);
    }
}

CASE(three_kinds_share_a_wait)
{
    for (int k = 0; k < 5; k++) {
        static scene s;
        int counts[3], since[3] = {0}, total[3] = {0};
        int capacity = capacities[k], longest = capacity >= 3 ? 0 : capacity == 2 ? 1 : 3;
        check_note("capacity %d", capacity);
        scene_open(&s, true, true, true);
        for (int i = 0; i < 300; i++) {
            wait_and_count(&s, capacity, counts);
            for (int kind = 0; kind < 3; kind++) {
                since[kind] = counts[kind] ? 0 : since[kind] + 1;
                total[kind] += counts[kind];
                CHECK(since[kind] <= longest);
            }
        }
        for (int kind = 0; kind < 3; kind++)
            CHECK(total[kind] >= 300 * capacity / 5);
        scene_close(&s);
    }
}

CASE(two_kinds_share_a_wait)
{
    for (int without = 0; without < 3; without++)
        for (int k = 0; k < 5; k++) {
            static scene s;
            int counts[3], since[3] = {0};
            int capacity = capacities[k], longest = capacity >= 2 ? 0 : 3;
            check_note("capacity %d, without kind %d", capacity, without);
            scene_open(&s, without != 0, without != 1, without != 2);
            for (int i = 0; i < 100; i++) {
                wait_and_count(&s, capacity, counts);
                for (int kind = 0; kind < 3; kind++) {
                    since[kind] = counts[kind] || kind == without ? 0 : since[kind] + 1;
                    CHECK(since[kind] <= longest);
                }
                CHECK_EQ(counts[without], 0);
            }
            scene_close(&s);
        }
}

/* The rest of the places goes to whoever can fill them. */
CASE(timers_alone_fill_the_whole_batch)
{
    static scene s;
    int counts[3];
    scene_open(&s, false, true, false);
    for (int i = 0; i < 20; i++) {
        wait_and_count(&s, 64, counts);
        CHECK_EQ(counts[1], 64);
    }
    scene_close(&s);
}

CASE(permanently_due_timers_take_turns)
{
    static scene s;
    int seen[TIMERS] = {0};
    plx_event events[7];
    scene_open(&s, true, true, true);
    for (int i = 0; i < 1200; i++) {
        int count = plx_poller_wait(s.poller, events, 7, PLX_FOREVER);
        CHECK(count > 0);
        for (int e = 0; e < count; e++)
            if (events[e].flags == PLX_TIMER)
                seen[events[e].token]++;
    }
    for (int i = 0; i < TIMERS; i++)
        CHECK(seen[i] >= 10);
    scene_close(&s);
}
