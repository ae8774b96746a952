/* SPDX-License-Identifier: MIT */
/* A nested poller's descriptor becomes readable when a timer is due, and not before. */
#include "support.h"

static plx_poller *open_nested(plx_clock clock, plx_fd *own)
{
    plx_poller *poller;
    plx_options options = {.backend = backend_id(), .clock = clock};
    int rc = plx_poller_open(&poller, &options);
    if (rc == -ENOTSUP && clock == PLX_CLOCK_BOOTTIME)
        SKIP("this system has no boot-time clock");
    CHECK_RC(rc, 0);
    *own = descriptor_of(poller);
    return poller;
}

static plx_timer start(plx_poller *poller, plx_token token, plx_nanos first, plx_nanos interval)
{
    plx_timer timer;
    CHECK_RC(plx_timer_start(plx_poller_registry(poller), token, first, interval, &timer), 0);
    return timer;
}

/* Readable, and a wait that does not sleep has this timer. */
static void expect_through(plx_poller *poller, plx_fd own, plx_token token)
{
    plx_event event;
    CHECK(is_readable_within(own, PATIENCE));
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 1);
    CHECK(event.token == token && event.flags == PLX_TIMER);
}

static void expect_quiet(plx_poller *poller, plx_fd own)
{
    EXPECT_SILENCE(poller, 0);
    CHECK(!is_readable_within(own, PLX_MSEC(20)));
}

static void on_each_running_clock(void (*body)(plx_poller *poller, plx_fd own))
{
    for (int clock = 0; clock < 2; clock++) {
        plx_fd own;
        plx_poller *poller = open_nested(clock ? PLX_CLOCK_BOOTTIME : PLX_CLOCK_MONOTONIC, &own);
        check_note("%s clock", clock ? "boot-time" : "monotonic");
        body(poller, own);
        plx_poller_close(poller);
    }
}

/* One after the other: each is later than the one before. */
static void each_is_heard(plx_poller *poller, plx_fd own)
{
    for (int i = 0; i < 12; i++) {
        plx_nanos before = plx_poller_now(poller);
        start(poller, (plx_token)i, PLX_MSEC(2 * i), 0);
        if (i >= 5)
            CHECK(!is_readable(own) || plx_poller_now(poller) - before >= PLX_MSEC(2 * i));
        expect_through(poller, own, (plx_token)i);
        CHECK(plx_poller_now(poller) - before >= PLX_MSEC(2 * i));
        if (i % 3 == 0)
            expect_quiet(poller, own);
    }
}

CASE(a_due_timer_makes_the_descriptor_readable)
{
    on_each_running_clock(each_is_heard);
}

static void interval_is_heard(plx_poller *poller, plx_fd own)
{
    plx_event event;
    plx_nanos before = plx_poller_now(poller);
    plx_timer timer = start(poller, 1, PLX_MSEC(3), PLX_MSEC(3));
    uint64_t times = 0;
    while (times < 10) {
        CHECK(is_readable_within(own, PATIENCE));
        int count = plx_poller_wait(poller, &event, 1, 0);
        CHECK(count >= 0);
        times += count ? event.data : 0;
        CHECK(plx_poller_now(poller) - before >= (plx_nanos)times * PLX_MSEC(3));
    }
    CHECK_RC(plx_timer_cancel(plx_poller_registry(poller), timer), 0);
    expect_quiet(poller, own);
}

CASE(an_interval_makes_the_descriptor_readable_each_time)
{
    on_each_running_clock(interval_is_heard);
}

CASE(descriptor_knows_of_timers_that_were_there_before)
{
    for (int due = 0; due < 2; due++) {
        plx_poller *poller = open_poller();
        start(poller, 1, due ? 0 : PLX_MSEC(15), 0);
        plx_fd own = descriptor_of(poller);
        if (due)
            CHECK(is_readable(own));
        expect_through(poller, own, 1);
        expect_quiet(poller, own);
        plx_poller_close(poller);
    }
}

static void restarts_and_cancels(plx_poller *poller, plx_fd own)
{
    plx_registry *registry = plx_poller_registry(poller);
    plx_timer timer = start(poller, 1, PLX_SEC(1000), 0);
    CHECK_RC(plx_timer_restart(registry, timer, PLX_MSEC(5), 0), 0); /* earlier */
    expect_through(poller, own, 1);

    timer = start(poller, 2, PLX_MSEC(30), 0);
    plx_nanos before = plx_poller_now(poller);
    CHECK_RC(plx_timer_restart(registry, timer, PLX_MSEC(80), 0), 0); /* later */
    CHECK(is_readable_within(own, PATIENCE));
    CHECK(plx_poller_now(poller) - before >= PLX_MSEC(80));
    expect_through(poller, own, 2);
    EXPECT_SILENCE(poller, 0);

    timer = start(poller, 3, PLX_MSEC(20), 0);
    before = plx_poller_now(poller);
    plx_timer other = start(poller, 4, PLX_MSEC(60), 0);
    CHECK_RC(plx_timer_cancel(registry, timer), 0);
    CHECK(is_readable_within(own, PATIENCE));
    CHECK(plx_poller_now(poller) - before >= PLX_MSEC(60));
    expect_through(poller, own, 4);
    CHECK_RC(plx_timer_cancel(registry, other), -ENOENT);
    EXPECT_SILENCE(poller, 0);

    timer = start(poller, 5, PLX_MSEC(20), 0);
    CHECK_RC(plx_timer_cancel(registry, timer), 0); /* the last of all */
    CHECK(!is_readable_within(own, PLX_MSEC(50)));
    expect_quiet(poller, own);
    start(poller, 6, PLX_MSEC(30), 0); /* and it is heard again */
    expect_through(poller, own, 6);
}

CASE(descriptor_follows_restarts_and_cancels)
{
    on_each_running_clock(restarts_and_cancels);
}

/* With epoll the kernel's set is renewed, and the alarm belongs in the new one, too. */
static void heard_after_the_silencing(plx_poller *poller, plx_fd own)
{
    plx_registry *registry = plx_poller_registry(poller);
    plx_fd old[2];
    start(poller, 1, PLX_MSEC(1), 0);
    expect_through(poller, own, 1);
    open_stream(old);
    plx_fd copy = dup_fd(old[0]);
    CHECK_RC(plx_register(registry, old[0], 9, PLX_WRITABLE), 0);
    close_fd(old[0]);
    CHECK_RC(plx_deregister(registry, old[0]), 0);
    expect_quiet(poller, own);
    start(poller, 2, PLX_MSEC(1), 0);
    expect_through(poller, own, 2);
    close_fd(copy);
    close_fd(old[1]);
}

CASE(descriptor_hears_of_timers_after_the_silencing_of_an_old_file)
{
    on_each_running_clock(heard_after_the_silencing);
}

static void taken_one_by_one(plx_poller *poller, plx_fd own)
{
    plx_timer timer;
    for (int round = 0; round < 3; round++) {
        plx_nanos deadline = plx_poller_now(poller) + PLX_MSEC(round * 4);
        for (plx_token i = 0; i < 4; i++)
            CHECK_RC(plx_timer_start_at(plx_poller_registry(poller), 1, deadline, 0, &timer), 0);
        for (int i = 0; i < 4; i++)
            expect_through(poller, own, 1);
        expect_quiet(poller, own);
    }
}

CASE(timers_of_one_deadline_keep_the_descriptor_readable_to_the_last)
{
    on_each_running_clock(taken_one_by_one);
}

CASE(manual_clock_makes_the_descriptor_readable)
{
    plx_fd own;
    plx_timer timer;
    plx_poller *poller = open_nested(PLX_CLOCK_MANUAL, &own);
    for (int i = 0; i < 5; i++) {
        start(poller, 1, 10, 0);
        CHECK(!is_readable(own));
        CHECK_RC(plx_poller_advance(poller, 9), 0);
        CHECK(!is_readable(own));
        CHECK_RC(plx_poller_advance(poller, 1), 0);
        CHECK(is_readable(own));
        expect_through(poller, own, 1);
        EXPECT_SILENCE(poller, 0);
        CHECK(!is_readable(own));
        start(poller, 2, 0, 0); /* due already */
        CHECK(is_readable(own));
        expect_through(poller, own, 2);
        EXPECT_SILENCE(poller, 0);
        timer = start(poller, 3, 1000, 0);
        CHECK_RC(plx_timer_restart(plx_poller_registry(poller), timer, 0, 0), 0);
        CHECK(is_readable(own));
        expect_through(poller, own, 3);
        EXPECT_SILENCE(poller, 0);
    }
    plx_poller_close(poller);
}

/* 292 years on nothing is due that never is. (It was, to the descriptor.) */
CASE(manual_clock_at_its_end_leaves_the_descriptor_quiet)
{
    plx_fd own;
    plx_poller *poller = open_nested(PLX_CLOCK_MANUAL, &own);
    start(poller, 1, PLX_FOREVER, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_RC(plx_poller_advance(poller, INT64_MAX), 0);
        EXPECT_SILENCE(poller, 0);
        CHECK(!is_readable(own));
    }
    start(poller, 2, 0, 0); /* now is never, too */
    EXPECT_SILENCE(poller, 0);
    CHECK(!is_readable(own));
    plx_poller_close(poller);
}

/* Through two pollers, and with a thread in the outer one. */
CASE(timers_reach_a_wait_on_the_outer_poller)
{
    for (int i = 0; i < rounds(6); i++) {
        plx_fd own;
        waiter w;
        plx_poller *inner = open_nested(i % 2 ? PLX_CLOCK_BOOTTIME : PLX_CLOCK_MONOTONIC, &own);
        plx_poller *outer = open_poller();
        CHECK_RC(plx_register(plx_poller_registry(outer), own, 9, PLX_READABLE), 0);
        waiter_start_asleep(&w, outer);
        start(inner, 1, PLX_MSEC(5 * i), 0);
        CHECK_RC(waiter_join(&w), 1);
        CHECK_EQ(w.events[0].token, 9);
        expect_through(inner, own, 1);
        EXPECT_SILENCE(inner, 0);
        EXPECT_REST(outer, PLX_MSEC(5));
        plx_poller_close(outer);
        plx_poller_close(inner);
    }
}

/* A wait that ends early leaves the descriptor set for what it did not wait for. */
static void waits_in_between(plx_poller *poller, plx_fd own)
{
    start(poller, 1, PLX_SEC(1), 0);
    CHECK_RC(plx_poller_wait(poller, &(plx_event){0}, 1, PLX_MSEC(3)), 0);
    CHECK(!is_readable(own));
    plx_nanos due = plx_poller_now(poller) + PLX_MSEC(15);
    start(poller, 2, PLX_MSEC(15), 0);
    if (plx_poller_wait(poller, &(plx_event){0}, 1, 0) == 0)
        expect_through(poller, own, 2);
    else
        CHECK(plx_poller_now(poller) >= due); /* the machine was busy elsewhere */
    expect_through(poller, own, 1);
    expect_quiet(poller, own);
}

CASE(waits_in_between_leave_the_descriptor_set)
{
    on_each_running_clock(waits_in_between);
}
