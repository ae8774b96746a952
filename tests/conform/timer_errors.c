/* SPDX-License-Identifier: MIT */
/* Timers: arguments without meaning, no memory, a poller that is closed or the parent's. */
#include "support.h"

CASE(wrong_timer_arguments_are_einval)
{
    plx_timer timer = 4711, good;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    errno = 4712;
    CHECK_RC(plx_timer_start(NULL, 1, 0, 0, &timer), -EINVAL);
    CHECK_RC(plx_timer_start(registry, 1, 0, 0, NULL), -EINVAL);
    CHECK_RC(plx_timer_start(registry, PLX_TOKEN_MAX + 1, 0, 0, &timer), -EINVAL);
    CHECK_RC(plx_timer_start(registry, 1, -2, 0, &timer), -EINVAL);
    CHECK_RC(plx_timer_start(registry, 1, INT64_MIN, 0, &timer), -EINVAL);
    CHECK_RC(plx_timer_start(registry, 1, 0, PLX_FOREVER, &timer), -EINVAL);
    CHECK_RC(plx_timer_start(registry, 1, 0, INT64_MIN, &timer), -EINVAL);
    CHECK_RC(plx_timer_start_at(NULL, 1, 0, 0, &timer), -EINVAL);
    CHECK_RC(plx_timer_start_at(registry, 1, 0, 0, NULL), -EINVAL);
    CHECK_RC(plx_timer_start_at(registry, PLX_TOKEN_MAX + 1, 0, 0, &timer), -EINVAL);
    CHECK_RC(plx_timer_start_at(registry, 1, 0, -1, &timer), -EINVAL);
    CHECK_EQ(timer, 4711);
    EXPECT_SILENCE(poller, 0);
    CHECK_EQ(stats_of(poller).timers, 0);

    CHECK_RC(plx_timer_start(registry, 1, 0, 0, &good), 0);
    CHECK_RC(plx_timer_restart(NULL, good, 0, 0), -EINVAL);
    CHECK_RC(plx_timer_restart(registry, good, -2, 0), -EINVAL);
    CHECK_RC(plx_timer_restart(registry, good, PLX_SEC(9), -1), -EINVAL);
    CHECK_RC(plx_timer_restart(registry, good, PLX_SEC(9), INT64_MIN), -EINVAL);
    CHECK_RC(plx_timer_cancel(NULL, good), -EINVAL);
    CHECK_EQ(errno, 4712);
    plx_event event;
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 1); /* it is as it was */
    CHECK(event.token == 1 && event.flags == PLX_TIMER && event.data == 1);
    plx_poller_close(poller);
}

/* Of a program with thousands of timers each allocation fails once, and nothing comes of it. */
CASE(timers_without_memory_are_enomem_and_leave_nothing)
{
    enum { TIMERS = 20000 };
    counting memory;
    plx_event events[64];
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_poller_registry(poller);
    int refused = 0;
    for (int i = 0; i < TIMERS; i++) {
        plx_timer timer = 4711;
        for (long nth = 1;; nth++) {
            counting_refuse(&memory, nth);
            int rc = plx_timer_start(registry, (plx_token)i, 0, 0, &timer);
            if (rc == 0)
                break;
            refused++;
            CHECK_RC(rc, -ENOMEM);
            CHECK_EQ(timer, 4711);
            CHECK_EQ(stats_of(poller).timers, i);
        }
        CHECK(timer != 4711);
    }
    CHECK(refused > TIMERS / 2000);
    counting_refuse(&memory, 1);
    long calls = atomic_load(&memory.calls);
    int total = 0;
    for (int count; (count = plx_poller_wait(poller, events, 64, 0)) > 0;)
        total += count;
    CHECK_EQ(total, TIMERS);
    CHECK_EQ(atomic_load(&memory.calls), calls); /* firing needs none */
    for (int i = 0; i < TIMERS; i++) {           /* and what is there is used again */
        plx_timer timer;
        CHECK_RC(plx_timer_start(registry, 1, PLX_SEC(9), 0, &timer), 0);
        CHECK_RC(plx_timer_restart(registry, timer, PLX_SEC(8), 0), 0);
        if (i % 2)
            CHECK_RC(plx_timer_cancel(registry, timer), 0);
    }
    CHECK_EQ(atomic_load(&memory.calls), calls);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

CASE(timers_of_a_closed_poller_say_so)
{
    counting memory;
    plx_timer timer, mark = 4711;
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
    CHECK_RC(plx_timer_start(registry, 1, 0, PLX_MSEC(1), &timer), 0);
    plx_poller_close(poller);
    for (int i = 0; i < 2; i++) {
        CHECK_RC(plx_timer_start(registry, 1, 0, 0, &mark), -PLX_ESHUTDOWN);
        CHECK_RC(plx_timer_start_at(registry, 1, 0, 0, &mark), -PLX_ESHUTDOWN);
        CHECK_RC(plx_timer_restart(registry, timer, 0, 0), -PLX_ESHUTDOWN);
        CHECK_RC(plx_timer_cancel(registry, timer), -PLX_ESHUTDOWN);
    }
    CHECK_EQ(mark, 4711);
    plx_registry_release(registry);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

typedef struct family {
    counting   memory;
    plx_poller *poller;
    plx_timer   timer;
    long        live;
} family;

static void use_timers(void *argument)
{
    family *f = argument;
    plx_registry *registry = plx_poller_registry(f->poller);
    plx_timer mark = 4711;
    CHECK_RC(plx_timer_start(registry, 1, 0, 0, &mark), -ECHILD);
    CHECK_RC(plx_timer_start_at(registry, 1, 0, 0, &mark), -ECHILD);
    CHECK_RC(plx_timer_restart(registry, f->timer, 0, 0), -ECHILD);
    CHECK_RC(plx_timer_cancel(registry, f->timer), -ECHILD);
    CHECK_EQ(mark, 4711);
    plx_poller_close(f->poller);
    CHECK_EQ(atomic_load(&f->memory.live), 0);
}

CASE(timers_in_a_child_are_echild_and_the_parents_go_on)
{
    for (int clock = 0; clock < 3; clock++) {
        family f;
        counting_init(&f.memory);
        plx_options options = {.backend = backend_id(), .clock = (plx_clock)clock, .allocator = &f.memory.allocator};
        check_note("clock %d", clock);
        int rc = plx_poller_open(&f.poller, &options);
        if (rc == -ENOTSUP && clock == PLX_CLOCK_BOOTTIME)
            continue;
        CHECK_RC(rc, 0);
        CHECK_RC(plx_timer_start(plx_poller_registry(f.poller), 1, PLX_MSEC(30), 0, &f.timer), 0);
        CHECK_EQ(in_child(use_timers, &f), 0);
        plx_event event;
        if (clock == PLX_CLOCK_MANUAL)
            CHECK_RC(plx_poller_advance(f.poller, PLX_MSEC(30)), 0);
        CHECK_RC(plx_poller_wait(f.poller, &event, 1, PATIENCE), 1);
        CHECK(event.token == 1 && event.flags == PLX_TIMER);
        plx_poller_close(f.poller);
    }
}

CASE(timers_cost_no_descriptor)
{
    int before = descriptors_open();
    for (int clock = 0; clock < 3; clock++) {
        plx_poller *poller;
        plx_options options = {.backend = backend_id(), .clock = (plx_clock)clock};
        int rc = plx_poller_open(&poller, &options);
        if (rc == -ENOTSUP && clock == PLX_CLOCK_BOOTTIME)
            continue;
        CHECK_RC(rc, 0);
        if (plx_poller_descriptor(poller) < 0)
            check_note("without a descriptor to wait for");
        for (int i = 0; i < 10000; i++) {
            plx_timer timer;
            CHECK_RC(plx_timer_start(plx_poller_registry(poller), 1, PLX_MSEC(i), PLX_MSEC(i), &timer), 0);
        }
        CHECK_EQ(stats_of(poller).timers, 10000);
        if (before >= 0)
            CHECK(descriptors_open() - before <= 3);
        plx_poller_close(poller);
        CHECK_EQ(descriptors_open(), before);
    }
}
