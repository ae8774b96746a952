/* SPDX-License-Identifier: MIT */
/* libuv in the timers benchmark: its time is cached in the loop. */
#include "subject.h"

#include <uv.h>

static struct bench_memory libuv_memory;
static uv_loop_t libuv_loop;
static uv_timer_t *libuv_timers;
static int libuv_count;

static void libuv_fired(uv_timer_t *timer)
{
    (void)timer;
    subject_fired++;
}

static union delay libuv_delay(plx_nanos nanos)
{
    return (union delay){.milliseconds = (uint64_t)nanos / 1000000};
}

static bool libuv_open(int count)
{
    libuv_timers = bench_array(count, sizeof *libuv_timers);
    libuv_count = count;
    if (uv_loop_init(&libuv_loop) < 0)
        return false;
    for (int i = 0; i < count; i++)
        uv_timer_init(&libuv_loop, &libuv_timers[i]);
    return true;
}

static void libuv_start(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        uv_timer_start(&libuv_timers[pass->order[k]], libuv_fired, pass->delays[k].milliseconds, 0);
}

static void libuv_start_now(const struct pass *pass)
{
    uv_update_time(&libuv_loop);
    libuv_start(pass);
}

static void libuv_cancel(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        uv_timer_stop(&libuv_timers[pass->order[k]]);
}

static int libuv_fire(void)
{
    uv_run(&libuv_loop, UV_RUN_NOWAIT);
    return subject_count();
}

static void libuv_close(void)
{
    for (int i = 0; i < libuv_count; i++)
        uv_close((uv_handle_t *)&libuv_timers[i], NULL);
    uv_run(&libuv_loop, UV_RUN_DEFAULT);
    uv_loop_close(&libuv_loop);
    free(libuv_timers);
}

static const struct subject libuv = {
    .name = "libuv",
    .own = sizeof *libuv_timers,
    .delay = libuv_delay,
    .open = libuv_open,
    .start = libuv_start_now,
    .restart = libuv_start,
    .cancel = libuv_cancel,
    .fire = libuv_fire,
    .close = libuv_close,
    .memory = &libuv_memory,
};
