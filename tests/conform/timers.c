/* SPDX-License-Identifier: MIT */
/* Timers: when they are due, in which order they come, and what ends them. */
#include "support.h"

static plx_timer start(plx_poller *poller, plx_token token, plx_nanos first, plx_nanos interval)
{
    plx_timer timer = 0;
    CHECK_RC(plx_timer_start(plx_poller_registry(poller), token, first, interval, &timer), 0);
    CHECK(timer != 0);
    return timer;
}

static plx_poller *open_clock(plx_clock clock)
{
    plx_poller *poller;
    plx_options options = {.backend = backend_id(), .clock = clock};
    int rc = plx_poller_open(&poller, &options);
    if (rc == -ENOTSUP && clock == PLX_CLOCK_BOOTTIME)
        return NULL;
    CHECK_RC(rc, 0);
    return poller;
}

/* Both clocks that run by themselves; the second may be missing. */
static void on_each_running_clock(void (*body)(plx_poller *poller))
{
    static const plx_clock clocks[] = {PLX_CLOCK_MONOTONIC, PLX_CLOCK_BOOTTIME};
    for (int i = 0; i < 2; i++) {
        plx_poller *poller = open_clock(clocks[i]);
        check_note("%s clock", i ? "boot-time" : "monotonic");
        if (!poller)
            SKIP("this system has no boot-time clock");
        body(poller);
        plx_poller_close(poller);
    }
}

/* The next wait returns this timer alone. */
static void expect_timer(plx_poller *poller, plx_token token, uint64_t times)
{
    plx_event events[8];
    CHECK_RC(plx_poller_wait(poller, events, 8, PATIENCE), 1);
    CHECK_EQ(events[0].token, token);
    CHECK_EQ(events[0].flags, PLX_TIMER);
    CHECK_EQ(events[0].native, 0);
    if (times)
        CHECK_EQ(events[0].data, times);
}

static void fires_once(plx_poller *poller)
{
    for (int i = 0; i < 5; i++) {
        plx_nanos before = plx_poller_now(poller);
        plx_timer timer = start(poller, 7, PLX_MSEC(2 * i), 0);
        CHECK_EQ(stats_of(poller).timers, 1);
        expect_timer(poller, 7, 1);
        plx_nanos took = plx_poller_now(poller) - before;
        CHECK(took >= PLX_MSEC(2 * i) && took < PLX_SEC(5));
        CHECK_RC(plx_timer_cancel(plx_poller_registry(poller), timer), -ENOENT);
        CHECK_RC(plx_timer_restart(plx_poller_registry(poller), timer, 0, 0), -ENOENT);
        CHECK_EQ(stats_of(poller).timers, 0);
        EXPECT_REST(poller, PLX_MSEC(5));
    }
}

CASE(one_shot_timer_fires_once_and_is_gone)
{
    on_each_running_clock(fires_once);
}

static void fires_again_and_again(plx_poller *poller)
{
    plx_event event;
    plx_nanos first = plx_poller_now(poller);
    plx_timer timer = start(poller, PLX_TOKEN_MAX, PLX_MSEC(3), PLX_MSEC(4));
    uint64_t times = 0;
    while (times < 12) {
        CHECK_RC(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
        CHECK(event.token == PLX_TOKEN_MAX && event.flags == PLX_TIMER && event.data >= 1);
        times += event.data;
        CHECK(plx_poller_now(poller) >= first + PLX_MSEC(3) + (plx_nanos)(times - 1) * PLX_MSEC(4));
    }
    CHECK_EQ(stats_of(poller).timers, 1);
    CHECK_RC(plx_timer_cancel(plx_poller_registry(poller), timer), 0);
    CHECK_RC(plx_timer_cancel(plx_poller_registry(poller), timer), -ENOENT);
    EXPECT_REST(poller, PLX_MSEC(10));
}

CASE(interval_timer_fires_until_it_is_cancelled)
{
    on_each_running_clock(fires_again_and_again);
}

/* A program that was busy hears once how often it was due; the grid stays where it was. */
static void misses_and_goes_on(plx_poller *poller)
{
    plx_event events[8];
    plx_nanos begin = plx_poller_now(poller);
    plx_timer timer = start(poller, 1, PLX_MSEC(10), PLX_MSEC(10));
    plx_nanos late = plx_poller_now(poller);
    sleep_for(PLX_MSEC(100));
    CHECK_RC(plx_poller_wait(poller, events, 8, PATIENCE), 1);
    CHECK(events[0].data >= 9);
    uint64_t times = events[0].data;
    for (int i = 0; i < 5; i++) {
        CHECK_RC(plx_poller_wait(poller, events, 8, PATIENCE), 1);
        times += events[0].data;
        plx_nanos now = plx_poller_now(poller);
        CHECK(now >= begin + (plx_nanos)times * PLX_MSEC(10)); /* never early */
        if (now - late < (plx_nanos)times * PLX_MSEC(10))
            CHECK(now >= begin); /* and as many as fit */
    }
    CHECK_RC(plx_timer_cancel(plx_poller_registry(poller), timer), 0);
}

CASE(missed_expirations_are_counted_in_one_event)
{
    on_each_running_clock(misses_and_goes_on);
}

CASE(relative_timers_start_at_the_call)
{
    plx_poller *poller = open_poller();
    CHECK_RC(plx_poller_wait(poller, &(plx_event){0}, 1, 0), 0);
    sleep_for(PLX_MSEC(60));
    plx_nanos before = plx_now();
    start(poller, 1, PLX_MSEC(50), 0);
    expect_timer(poller, 1, 1);
    CHECK(plx_now() - before >= PLX_MSEC(50));
    plx_poller_close(poller);
}

static void is_never_early(plx_poller *poller)
{
    uint64_t word = (uint64_t)plx_now() | 1;
    plx_registry *registry = plx_poller_registry(poller);
    enum { TOGETHER = 50 };
    int lives = rounds(backend_is("poll") ? 20 : 60);
    for (int life = 0; life < lives; life++) {
        plx_nanos deadlines[TOGETHER], last = INT64_MIN;
        plx_event events[7];
        for (int i = 0; i < TOGETHER; i++) {
            plx_timer timer;
            word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            plx_nanos span = (plx_nanos)((word >> 33) % 1000000);
            deadlines[i] = plx_poller_now(poller) + span;
            if (i % 2)
                CHECK_RC(plx_timer_start(registry, (plx_token)i, span, 0, &timer), 0);
            else
                CHECK_RC(plx_timer_start_at(registry, (plx_token)i, deadlines[i], 0, &timer), 0);
        }
        for (int left = TOGETHER; left > 0;) {
            int count = plx_poller_wait(poller, events, 1 + left % 7, PATIENCE);
            plx_nanos now = plx_poller_now(poller);
            CHECK(count > 0);
            for (int i = 0; i < count; i++, left--) {
                CHECK(events[i].flags == PLX_TIMER && events[i].token < TOGETHER);
                plx_nanos deadline = deadlines[events[i].token];
                CHECK(now >= deadline);
                CHECK(deadline != INT64_MAX);
                deadlines[events[i].token] = INT64_MAX; /* no other event of it */
                if (events[i].token % 2 == 0) {
                    CHECK(deadline >= last);
                    last = deadline;
                }
            }
        }
    }
}

CASE(no_timer_is_early_nor_out_of_order)
{
    on_each_running_clock(is_never_early);
}

static void ends_before_a_later_timer(plx_poller *poller)
{
    plx_event event;
    start(poller, 1, PLX_SEC(1000), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_MSEC(5)), 0);
    CHECK_RC(plx_poller_wait_until(poller, &event, 1, plx_poller_now(poller) + PLX_MSEC(5)), 0);
}

CASE(a_wait_does_not_outlast_its_time_for_a_later_timer)
{
    on_each_running_clock(ends_before_a_later_timer);
}

CASE(cancelled_timer_is_silent_though_it_was_due)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_timer due = start(poller, 1, 0, 0), every = start(poller, 2, 0, 1);
    plx_timer soon = start(poller, 3, PLX_MSEC(1), 0);
    sleep_for(PLX_MSEC(3));
    CHECK_EQ(stats_of(poller).timers, 3);
    CHECK_RC(plx_timer_cancel(registry, due), 0);
    CHECK_RC(plx_timer_cancel(registry, every), 0);
    CHECK_RC(plx_timer_cancel(registry, soon), 0);
    CHECK_RC(plx_timer_cancel(registry, soon), -ENOENT);
    CHECK_EQ(stats_of(poller).timers, 0);
    EXPECT_REST(poller, PLX_MSEC(5));
    plx_poller_close(poller);
}

CASE(unknown_timers_are_enoent)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    static const plx_timer unknown[] = {0, 1, 2, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    for (int with = 0; with < 2; with++) {
        for (int i = 0; i < 6; i++) {
            CHECK_RC(plx_timer_cancel(registry, unknown[i]), -ENOENT);
            CHECK_RC(plx_timer_restart(registry, unknown[i], 0, 0), -ENOENT);
        }
        start(poller, 1, PLX_SEC(100), 0);
    }
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
}

CASE(handles_are_never_given_twice)
{
    enum { LIVES = 2000, TOGETHER = 5 };
    static plx_timer seen[LIVES * TOGETHER];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    int count = 0;
    for (int life = 0; life < LIVES; life++) {
        for (int i = 0; i < TOGETHER; i++)
            seen[count++] = start(poller, 1, i == 0 ? 0 : PLX_SEC(9), 0);
        for (int i = 1; i < TOGETHER; i++)
            CHECK_RC(plx_timer_cancel(registry, seen[count - i]), 0);
        expect_timer(poller, 1, 1);
        for (int i = 0; i < TOGETHER; i++)
            CHECK_RC(plx_timer_cancel(registry, seen[count - 1 - i]), -ENOENT);
    }
    for (int i = 0; i < count; i += 97)
        for (int k = i + 1; k < count; k++)
            CHECK(seen[i] != seen[k]);
    plx_poller_close(poller);
}

static void restarts(plx_poller *poller)
{
    plx_registry *registry = plx_poller_registry(poller);
    plx_nanos before = plx_poller_now(poller);
    plx_timer timer = start(poller, 1, PLX_SEC(1000), 0);
    CHECK_RC(plx_timer_restart(registry, timer, PLX_MSEC(3), 0), 0); /* earlier */
    expect_timer(poller, 1, 1);
    CHECK(plx_poller_now(poller) - before >= PLX_MSEC(3));

    timer = start(poller, 2, PLX_MSEC(1), 0);
    before = plx_poller_now(poller);
    CHECK_RC(plx_timer_restart(registry, timer, PLX_MSEC(20), 0), 0); /* later */
    expect_timer(poller, 2, 1);
    CHECK(plx_poller_now(poller) - before >= PLX_MSEC(20));

    timer = start(poller, 3, 0, PLX_MSEC(1));
    sleep_for(PLX_MSEC(5));
    CHECK_RC(plx_timer_restart(registry, timer, PLX_FOREVER, PLX_MSEC(1)), 0); /* never */
    EXPECT_REST(poller, PLX_MSEC(5));
    CHECK_EQ(stats_of(poller).timers, 1);
    CHECK_RC(plx_timer_restart(registry, timer, PLX_MSEC(2), PLX_SEC(1000)), 0);
    expect_timer(poller, 3, 1); /* what was not reported is forgotten */
    for (int i = 0; i < 5; i++) { /* from its own event: an interval timer is still there */
        CHECK_RC(plx_timer_restart(registry, timer, PLX_USEC(300), PLX_SEC(1000)), 0);
        expect_timer(poller, 3, 1);
    }
    CHECK_RC(plx_timer_restart(registry, timer, PLX_USEC(300), 0), 0);
    expect_timer(poller, 3, 1);
    CHECK_RC(plx_timer_restart(registry, timer, 0, 0), -ENOENT);
}

CASE(restart_replaces_time_and_interval)
{
    on_each_running_clock(restarts);
}

CASE(thousands_due_at_once_come_in_order_whatever_the_capacity)
{
    enum { TIMERS = 3000 };
    static const int capacities[] = {1, 2, 3, 64};
    static int order[TIMERS];
    plx_event events[64];
    for (int k = 0; k < 4; k++) {
        plx_poller *poller = open_poller();
        plx_nanos base = plx_poller_now(poller) + PLX_MSEC(5);
        check_note("capacity %d", capacities[k]);
        for (int i = 0; i < TIMERS; i++) {
            plx_timer timer;
            order[i] = (i * 1009) % TIMERS; /* each once */
            CHECK_RC(plx_timer_start_at(plx_poller_registry(poller), (plx_token)order[i], base + order[i] / 3, 0,
                                        &timer), 0);
        }
        CHECK_EQ(stats_of(poller).timers, TIMERS);
        static bool seen[TIMERS];
        memset(seen, 0, sizeof seen);
        plx_token last = 0;
        for (int total = 0; total < TIMERS;) {
            int count = plx_poller_wait(poller, events, capacities[k], PATIENCE);
            CHECK(count > 0);
            for (int i = 0; i < count; i++, total++) {
                CHECK(events[i].token < TIMERS && !seen[events[i].token]);
                CHECK(events[i].token / 3 >= last / 3);
                seen[last = events[i].token] = true;
            }
        }
        CHECK_EQ(stats_of(poller).timers, 0);
        EXPECT_SILENCE(poller, 0);
        plx_poller_close(poller);
    }
}

CASE(huge_durations_block_until_woken)
{
    static const plx_nanos spans[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2, PLX_SEC(100000001), PLX_FOREVER,
                                      PLX_MSEC(INT64_C(2147483648)), PLX_SEC(INT64_C(4294967297))};
    for (int clock = 0; clock < 2; clock++) {
        waiter w;
        plx_poller *poller = open_clock(clock ? PLX_CLOCK_BOOTTIME : PLX_CLOCK_MONOTONIC);
        if (!poller)
            SKIP("this system has no boot-time clock");
        for (int i = 0; i < 7; i++) {
            check_note("span %d, clock %d", i, clock);
            plx_timer timer = start(poller, 1, spans[i], i % 2 ? spans[0] : 0);
            EXPECT_REST(poller, PLX_MSEC(2));
            waiter_start_asleep(&w, poller);
            CHECK_RC(plx_post(plx_poller_registry(poller), 9, 9), 0);
            CHECK_RC(waiter_join(&w), 1);
            CHECK_EQ(w.events[0].flags, PLX_POST);
            CHECK_RC(plx_timer_cancel(plx_poller_registry(poller), timer), 0);
        }
        plx_timer past, distant;
        CHECK_RC(plx_timer_start_at(plx_poller_registry(poller), 2, INT64_MAX, 0, &distant), 0);
        CHECK_RC(plx_timer_start_at(plx_poller_registry(poller), 3, PLX_FOREVER, 0, &distant), 0);
        EXPECT_SILENCE(poller, PLX_MSEC(2));
        CHECK_RC(plx_timer_start_at(plx_poller_registry(poller), 4, INT64_MIN, 0, &past), 0);
        expect_timer(poller, 4, 1);
        CHECK_RC(plx_timer_start_at(plx_poller_registry(poller), 5, -2, INT64_MAX, &past), 0);
        expect_timer(poller, 5, 1);
        EXPECT_SILENCE(poller, 0);
        plx_poller_close(poller);
    }
}

CASE(timers_share_tokens_with_other_kinds)
{
    plx_fd ends[2];
    plx_event events[8];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    CHECK_RC(plx_register(registry, ends[0], 5, PLX_WRITABLE), 0);
    start(poller, 5, 0, 0);
    start(poller, 5, 0, 0);
    CHECK_RC(plx_post(registry, 5, 6), 0);
    CHECK_RC(plx_poller_wait(poller, events, 8, 0), 4);
    uint32_t kinds = 0;
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(events[i].token, 5);
        kinds |= events[i].flags;
    }
    CHECK_EQ(kinds, PLX_WRITABLE | PLX_TIMER | PLX_POST);
    plx_poller_close(poller);
    close_pair(ends);
}
