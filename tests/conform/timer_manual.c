/* SPDX-License-Identifier: MIT */
/* The manual clock: a program's time, told and not slept. And what it shows of intervals exactly. */
#include "support.h"

static plx_poller *open_manual(void)
{
    plx_options options = {.clock = PLX_CLOCK_MANUAL};
    plx_poller *poller = open_with(&options);
    CHECK_EQ(plx_poller_now(poller), 0);
    return poller;
}

static plx_timer start(plx_poller *poller, plx_token token, plx_nanos first, plx_nanos interval)
{
    plx_timer timer;
    CHECK_RC(plx_timer_start(plx_poller_registry(poller), token, first, interval, &timer), 0);
    return timer;
}

static void advance(plx_poller *poller, plx_nanos by)
{
    CHECK_RC(plx_poller_advance(poller, by), 0);
}

static void expect_timer(plx_poller *poller, plx_token token, uint64_t times)
{
    plx_event events[8];
    CHECK_RC(plx_poller_wait(poller, events, 8, 0), 1);
    CHECK(events[0].token == token && events[0].flags == PLX_TIMER);
    CHECK_EQ(events[0].data, times);
    CHECK_RC(plx_poller_wait(poller, events, 8, 0), 0);
}

static void expect_nothing(plx_poller *poller)
{
    plx_event event;
    plx_nanos before = plx_now();
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(1000)), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 0);
    CHECK_RC(plx_poller_wait_until(poller, &event, 1, PLX_FOREVER), 0);
    CHECK_RC(plx_poller_wait_until(poller, &event, 1, INT64_MAX), 0);
    CHECK_RC(plx_poller_wait_until(poller, &event, 1, 5), 0);
    CHECK(plx_now() - before < PLX_SEC(5));
}

CASE(manual_time_moves_only_when_told)
{
    plx_poller *poller = open_manual();
    start(poller, 1, 100, 0);
    expect_nothing(poller);
    sleep_for(PLX_MSEC(2));
    CHECK_EQ(plx_poller_now(poller), 0);
    advance(poller, 99);
    CHECK_EQ(plx_poller_now(poller), 99);
    expect_nothing(poller);
    advance(poller, 0);
    expect_nothing(poller);
    advance(poller, 1);
    expect_timer(poller, 1, 1);
    expect_nothing(poller);
    plx_poller_close(poller);
}

CASE(manual_time_saturates)
{
    plx_poller *poller = open_manual();
    start(poller, 1, INT64_MAX - 1, 0);
    start(poller, 2, INT64_MAX, 0);
    advance(poller, INT64_MAX - 2);
    expect_nothing(poller);
    advance(poller, 1);
    expect_timer(poller, 1, 1);
    for (int i = 0; i < 3; i++) {
        advance(poller, INT64_MAX);
        CHECK_EQ(plx_poller_now(poller), INT64_MAX);
    }
    expect_nothing(poller); /* 292 years: never */
    plx_timer timer;
    CHECK_RC(plx_timer_start_at(plx_poller_registry(poller), 3, 7, 10, &timer), 0);
    expect_timer(poller, 3, (uint64_t)(INT64_MAX - 7) / 10 + 1);
    expect_nothing(poller);
    plx_poller_close(poller);
}

CASE(advance_of_the_wrong_kind_is_einval)
{
    plx_poller *manual = open_manual(), *other = open_poller();
    CHECK_RC(plx_poller_advance(NULL, 1), -EINVAL);
    CHECK_RC(plx_poller_advance(other, 1), -EINVAL);
    CHECK_RC(plx_poller_advance(other, 0), -EINVAL);
    CHECK_RC(plx_poller_advance(manual, -1), -EINVAL);
    CHECK_RC(plx_poller_advance(manual, INT64_MIN), -EINVAL);
    CHECK_EQ(plx_poller_now(manual), 0);
    CHECK_RC(plx_poller_wait(manual, &(plx_event){0}, 1, -2), -EINVAL);
    plx_poller_close(manual);
    plx_poller_close(other);
}

CASE(intervals_keep_their_phase_exactly)
{
    plx_poller *poller = open_manual();
    plx_timer timer = start(poller, 1, 30, 7); /* due at 30, 37, 44, ... */
    advance(poller, 29);
    expect_nothing(poller);
    advance(poller, 1);
    expect_timer(poller, 1, 1);
    advance(poller, 6);
    expect_nothing(poller);
    advance(poller, 1);
    expect_timer(poller, 1, 1);
    advance(poller, 27); /* 64: 44, 51, 58 */
    expect_timer(poller, 1, 3);
    advance(poller, 1);
    expect_timer(poller, 1, 1);
    advance(poller, PLX_SEC(7));
    expect_timer(poller, 1, 1000000000);
    advance(poller, 6);
    expect_nothing(poller);
    CHECK_RC(plx_timer_restart(plx_poller_registry(poller), timer, 10, 100), 0);
    advance(poller, 9);
    expect_nothing(poller);
    advance(poller, 400);
    expect_timer(poller, 1, 4);
    advance(poller, 1);
    expect_timer(poller, 1, 1);
    plx_poller_close(poller);
}

/* The smallest interval is due again at once, yet each wait has it once. */
CASE(interval_timer_is_reported_once_per_wait)
{
    plx_event events[16];
    plx_poller *poller = open_manual();
    for (plx_token token = 0; token < 5; token++)
        start(poller, token, 1, 1);
    for (int i = 1; i < 50; i++) {
        advance(poller, i);
        CHECK_RC(plx_poller_wait(poller, events, 16, PLX_FOREVER), 5);
        plx_token seen = 0;
        for (int k = 0; k < 5; k++) {
            CHECK_EQ(events[k].data, i);
            seen |= UINT64_C(1) << events[k].token;
        }
        CHECK_EQ(seen, 31);
        CHECK_RC(plx_poller_wait(poller, events, 16, PLX_FOREVER), 0);
    }
    plx_poller_close(poller);
}

CASE(timers_of_a_manual_clock_come_in_order_within_and_across_waits)
{
    enum { TIMERS = 1000 };
    static const plx_nanos units[] = {1, 1000, PLX_MSEC(3), PLX_SEC(70), PLX_SEC(86400) * 40};
    static const int capacities[] = {1, 2, 3, 5, 64};
    plx_event events[64];
    for (int k = 0; k < 5; k++) {
        plx_poller *poller = open_manual();
        plx_token expected = 0;
        check_note("unit %d", k);
        for (int i = 0; i < TIMERS; i++) {
            plx_token place = (plx_token)(i * 617 % TIMERS);
            start(poller, place, (plx_nanos)place * units[k], 0);
        }
        while (expected < TIMERS) {
            int count;
            while ((count = plx_poller_wait(poller, events, capacities[k], PLX_FOREVER)) > 0)
                for (int i = 0; i < count; i++)
                    CHECK_EQ(events[i].token, expected++);
            CHECK_RC(count, 0);
            CHECK_EQ(expected, (plx_token)(plx_poller_now(poller) / units[k]) + 1 < TIMERS
                                   ? plx_poller_now(poller) / units[k] + 1 : TIMERS);
            advance(poller, units[k] * 37 + units[k] / 2);
        }
        plx_poller_close(poller);
    }
}

CASE(other_kinds_work_on_a_manual_clock)
{
    plx_fd ends[2];
    plx_event events[8];
    plx_poller *poller = open_manual();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    expect_nothing(poller);
    put(ends[1], 1);
    EXPECT(poller, 1, PLX_READABLE);
    CHECK_EQ(drain(ends[0]), 1);
    CHECK_RC(plx_post(registry, 2, 3), 0);
    EXPECT(poller, 2, PLX_POST);
    CHECK_RC(plx_notify(registry), 0);
    expect_nothing(poller);
    start(poller, 4, 0, 0);
    CHECK_RC(plx_poller_wait(poller, events, 8, PLX_FOREVER), 1);
    CHECK_EQ(events[0].flags, PLX_TIMER);
    plx_poller_close(poller);
    close_pair(ends);
}
