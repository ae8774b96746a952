/* SPDX-License-Identifier: MIT */
/* Pollux in the timers benchmark, in three ways: see timers.c. */
#include "subject.h"

static struct bench_memory pollux_memory;
static plx_poller *pollux_poller;
static plx_registry *pollux_registry;
static plx_timer *pollux_timers;

static bool pollux_open_clock(int count, plx_clock clock)
{
    plx_allocator allocator = {bench_allocate, bench_reallocate, bench_release, &pollux_memory};
    plx_options options = {.clock = clock, .allocator = &allocator};
    bench_need(plx_poller_open(&pollux_poller, &options), "plx_poller_open");
    pollux_registry = plx_poller_registry(pollux_poller);
    pollux_timers = bench_array(count, sizeof *pollux_timers);
    return true;
}

static bool pollux_open(int count)
{
    return pollux_open_clock(count, PLX_CLOCK_MONOTONIC);
}

static bool pollux_open_manual(int count)
{
    return pollux_open_clock(count, PLX_CLOCK_MANUAL);
}

static void pollux_start_at(const struct pass *pass)
{
    plx_nanos now = plx_poller_now(pollux_poller);
    for (int k = 0; k < pass->count; k++) {
        uint32_t i = pass->order[k];
        bench_need(plx_timer_start_at(pollux_registry, i, now + pass->delays[k].nanos, 0, &pollux_timers[i]),
                   "plx_timer_start_at");
    }
}

static void pollux_start(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++) {
        uint32_t i = pass->order[k];
        bench_need(plx_timer_start(pollux_registry, i, pass->delays[k].nanos, 0, &pollux_timers[i]),
                   "plx_timer_start");
    }
}

static void pollux_restart(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        bench_need(
            plx_timer_restart(pollux_registry, pollux_timers[pass->order[k]], pass->delays[k].nanos, 0),
            "plx_timer_restart");
}

static void pollux_cancel(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        bench_need(plx_timer_cancel(pollux_registry, pollux_timers[pass->order[k]]), "plx_timer_cancel");
}

static int pollux_fire(void)
{
    plx_event events[256];
    int fired = 0, count;
    do {
        count = plx_poller_wait(pollux_poller, events, 256, 0);
        bench_need(count, "plx_poller_wait");
        for (int i = 0; i < count; i++)
            fired += (events[i].flags & PLX_TIMER) != 0;
    } while (count == 256);
    return fired;
}

static int pollux_fire_manual(void)
{
    bench_need(plx_poller_advance(pollux_poller, PLX_MSEC(1)), "plx_poller_advance");
    return pollux_fire();
}

static void pollux_close(void)
{
    plx_poller_close(pollux_poller);
    free(pollux_timers);
}

static const struct subject pollux = {
    .name = "pollux",
    .own = sizeof *pollux_timers,
    .delay = delay_nanos,
    .open = pollux_open,
    .start = pollux_start_at,
    .restart = pollux_restart,
    .cancel = pollux_cancel,
    .fire = pollux_fire,
    .close = pollux_close,
    .memory = &pollux_memory,
};

static const struct subject pollux_reading = {
    .name = "pollux, start",
    .own = sizeof *pollux_timers,
    .delay = delay_nanos,
    .open = pollux_open,
    .start = pollux_start,
    .restart = pollux_restart,
    .cancel = pollux_cancel,
    .fire = pollux_fire,
    .close = pollux_close,
    .memory = &pollux_memory,
};

static const struct subject pollux_manual = {
    .name = "pollux, manual",
    .own = sizeof *pollux_timers,
    .delay = delay_nanos,
    .open = pollux_open_manual,
    .start = pollux_start,
    .restart = pollux_restart,
    .cancel = pollux_cancel,
    .fire = pollux_fire_manual,
    .close = pollux_close,
    .memory = &pollux_memory,
    .manual = true,
};
