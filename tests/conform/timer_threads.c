/* SPDX-License-Identifier: MIT */
/* Timers and several threads: started during a wait, and one of several waiters keeps time. */
#include "support.h"

static plx_timer start(plx_poller *poller, plx_token token, plx_nanos first, plx_nanos interval)
{
    plx_timer timer;
    CHECK_RC(plx_timer_start(plx_poller_registry(poller), token, first, interval, &timer), 0);
    return timer;
}

static plx_poller *open_clock(plx_clock clock)
{
    plx_poller *poller;
    plx_options options = {.backend = backend_id(), .clock = clock};
    int rc = plx_poller_open(&poller, &options);
    if (rc == -ENOTSUP && clock == PLX_CLOCK_BOOTTIME)
        SKIP("this system has no boot-time clock");
    CHECK_RC(rc, 0);
    return poller;
}

static void expect_waiter_timer(waiter *w, plx_token token)
{
    CHECK_RC(waiter_join(w), 1);
    CHECK_EQ(w->events[0].token, token);
    CHECK_EQ(w->events[0].flags, PLX_TIMER);
}

/* Earlier than whatever the waiter sleeps until; also by restart. */
CASE(timer_started_during_a_wait_is_in_time)
{
    for (int i = 0; i < rounds(24); i++) {
        waiter w;
        plx_poller *poller = open_clock(i % 2 ? PLX_CLOCK_BOOTTIME : PLX_CLOCK_MONOTONIC);
        plx_timer timer = 0;
        check_note("round %d", i);
        if (i % 3)
            timer = start(poller, 1, PLX_SEC(1000), 0);
        waiter_start_asleep(&w, poller);
        plx_nanos before = plx_poller_now(poller);
        plx_nanos span = PLX_MSEC(i % 5);
        if (i % 3 == 2)
            CHECK_RC(plx_timer_restart(plx_poller_registry(poller), timer, span, 0), 0);
        else
            start(poller, 1, span, 0);
        expect_waiter_timer(&w, 1);
        plx_nanos took = plx_poller_now(poller) - before;
        CHECK(took >= span && took < PLX_SEC(5));
        plx_poller_close(poller);
    }
}

CASE(cancel_and_putting_off_act_on_a_blocked_wait)
{
    waiter w;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_timer first = start(poller, 1, PLX_MSEC(30), 0), second = start(poller, 2, PLX_MSEC(30), 0);
    waiter_start(&w, poller, 0, PLX_FOREVER);
    if (plx_timer_cancel(registry, first) == 0 && plx_timer_restart(registry, second, PLX_MSEC(90), 0) == 0)
        expect_waiter_timer(&w, 2);
    else
        CHECK(waiter_join(&w) >= 1); /* this machine was busy */
    plx_poller_close(poller);
}

/*
 * Of several waiters one keeps time. It is sent away with other work, which only one thread
 * gets, and the timer must be in time for those that are left.
 */
enum { WAITERS = 3 };

static void keeper_is_sent_away(plx_clock clock, int round, bool by_post)
{
    waiter w[WAITERS];
    plx_fd ends[2];
    plx_poller *poller = open_clock(clock);
    plx_registry *registry = plx_poller_registry(poller);
    bool timer_first = round % 2;
    plx_nanos span = PLX_MSEC(25);
    plx_nanos before = 0;
    open_stream(ends);
    CHECK_RC(plx_register(registry, ends[0], 2, PLX_READABLE | PLX_ONESHOT), 0);
    if (timer_first) {
        before = plx_poller_now(poller);
        start(poller, 1, span, 0);
    }
    for (int i = 0; i < WAITERS; i++) {
        waiter_start(&w[i], poller, 1, PLX_FOREVER);
        if (!timer_first || round % 4 == 1)
            thread_await_asleep(w[i].thread);
    }
    if (!timer_first) {
        before = plx_poller_now(poller);
        start(poller, 1, span, 0);
        sleep_for(PLX_USEC(300 * (round % 3)));
    }
    if (by_post) {
        CHECK_RC(plx_post(registry, 2, 0), 0);
    } else {
        put(ends[1], 1);
    }
    int timers = 0, others = 0;
    plx_nanos limit = before + PLX_SEC(10);
    while (timers == 0 || others == 0) { /* two come home, one stays */
        CHECK(plx_poller_now(poller) < limit);
        timers = others = 0;
        for (int i = 0; i < WAITERS; i++)
            if (atomic_load(&w[i].done)) {
                CHECK_RC(w[i].rc, 1);
                *(w[i].events[0].flags & PLX_TIMER ? &timers : &others) += 1;
            }
        sleep_for(PLX_USEC(200));
    }
    CHECK(plx_poller_now(poller) - before >= span);
    CHECK(timers == 1 && others == 1);
    CHECK_RC(plx_post(registry, 3, 0), 0);
    for (int i = 0; i < WAITERS; i++)
        CHECK_RC(waiter_join(&w[i]), 1);
    plx_poller_close(poller);
    close_pair(ends);
}

CASE(another_waiter_keeps_time_when_a_descriptor_sends_the_keeper_away)
{
    for (int round = 0; round < rounds(12); round++) {
        check_note("round %d", round);
        keeper_is_sent_away(round % 3 == 2 ? PLX_CLOCK_BOOTTIME : PLX_CLOCK_MONOTONIC, round, false);
    }
}

CASE(another_waiter_keeps_time_when_a_post_sends_the_keeper_away)
{
    for (int round = 0; round < rounds(12); round++) {
        check_note("round %d", round);
        keeper_is_sent_away(round % 3 == 2 ? PLX_CLOCK_BOOTTIME : PLX_CLOCK_MONOTONIC, round, true);
    }
}

/* The keeper's own time is up first. */
CASE(another_waiter_keeps_time_when_the_keepers_is_up)
{
    for (int round = 0; round < rounds(6); round++) {
        waiter brief, patient;
        plx_poller *poller = open_poller();
        plx_nanos before = plx_now();
        start(poller, 1, PLX_MSEC(400), 0); /* long after the other, also on a busy machine */
        waiter_start(&brief, poller, 1, PLX_MSEC(5));
        thread_await_asleep(brief.thread);
        waiter_start(&patient, poller, 1, PLX_FOREVER);
        bool late = waiter_join(&brief) == 1; /* on a machine that stood still it takes the timer */
        if (late) {
            CHECK_RC(plx_notify(plx_poller_registry(poller)), 0);
            CHECK_RC(waiter_join(&patient), 0);
        } else {
            CHECK_RC(brief.rc, 0);
            expect_waiter_timer(&patient, 1);
        }
        CHECK(plx_now() - before >= PLX_MSEC(400) && plx_now() - before < PLX_SEC(15));
        plx_poller_close(poller);
    }
}

/* One keeps time for a distant timer; the kernel may wake another, who is to keep it from then on. */
CASE(an_earlier_timer_reaches_whichever_waiter_is_woken)
{
    for (int round = 0; round < rounds(6); round++) {
        waiter w[WAITERS];
        plx_poller *poller = open_poller();
        start(poller, 1, PLX_SEC(1000), 0);
        for (int i = 0; i < WAITERS; i++) {
            waiter_start(&w[i], poller, 1, PLX_FOREVER);
            thread_await_asleep(w[i].thread);
        }
        plx_nanos before = plx_now();
        for (int i = 0; i < WAITERS; i++)
            start(poller, 2, PLX_MSEC(1 + 2 * i), 0);
        for (int i = 0; i < WAITERS; i++)
            expect_waiter_timer(&w[i], 2);
        CHECK(plx_now() - before < PLX_SEC(15));
        plx_poller_close(poller);
    }
}

/* ---- Everybody at once ------------------------------------------------------------ */

typedef struct crowd {
    plx_poller *poller;
    atomic_int  fired, cancelled, late, gone;
    atomic_bool over;
} crowd;

static void wait_along(void *argument)
{
    crowd *all = argument;
    plx_event events[3];
    while (!atomic_load(&all->over)) {
        int count = plx_poller_wait(all->poller, events, 3, PLX_FOREVER);
        CHECK(count >= 0);
        for (int i = 0; i < count; i++)
            if (events[i].flags == PLX_TIMER) {
                CHECK((plx_nanos)events[i].token <= plx_poller_now(all->poller));
                atomic_fetch_add(&all->fired, 1);
            }
    }
    atomic_fetch_add(&all->gone, 1);
}

static void start_many(void *argument)
{
    enum { TIMERS = 1500 };
    crowd *all = argument;
    plx_registry *registry = plx_poller_registry(all->poller);
    uint64_t word = (uint64_t)plx_now();
    for (int i = 0; i < TIMERS; i++) {
        plx_timer timer;
        word = word * UINT64_C(6364136223846793005) + 1;
        plx_nanos span = (plx_nanos)((word >> 40) % 2000000), now = plx_poller_now(all->poller);
        CHECK_RC(plx_timer_start_at(registry, (plx_token)(now + span), now + span, 0, &timer), 0);
        if (i % 3 == 0 && plx_timer_cancel(registry, timer) == 0)
            atomic_fetch_add(&all->cancelled, 1);
        if (i % 3 == 1) /* later: the token is a lower bound */
            (void)plx_timer_restart(registry, timer, span + PLX_MSEC(2), 0);
        if (i % 50 == 0)
            sleep_for(PLX_USEC(500));
    }
}

/* Each timer is either cancelled or reported, once, and nobody sleeps through one. */
CASE(timers_from_all_threads_each_end_once)
{
    enum { STARTERS = 2, TIMERS = 1500 };
    test_thread *starters[STARTERS], *waiters[WAITERS];
    crowd all = {.poller = open_poller()};
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = thread_start(wait_along, &all);
    for (int i = 0; i < STARTERS; i++)
        starters[i] = thread_start(start_many, &all);
    for (int i = 0; i < STARTERS; i++)
        thread_join(starters[i]);
    plx_nanos limit = plx_now() + PLX_SEC(10);
    while (atomic_load(&all.fired) + atomic_load(&all.cancelled) < STARTERS * TIMERS) {
        CHECK(plx_now() < limit);
        sleep_for(PLX_MSEC(1));
    }
    CHECK_EQ(atomic_load(&all.fired) + atomic_load(&all.cancelled), STARTERS * TIMERS);
    CHECK_EQ(stats_of(all.poller).timers, 0);
    atomic_store(&all.over, true);
    while (atomic_load(&all.gone) < WAITERS) { /* several notifies may be one */
        CHECK_RC(plx_notify(plx_poller_registry(all.poller)), 0);
        sleep_for(PLX_MSEC(1));
    }
    for (int i = 0; i < WAITERS; i++)
        thread_join(waiters[i]);
    plx_poller_close(all.poller);
}
