/* SPDX-License-Identifier: MIT */
/* libev in the timers benchmark: its time is cached in the loop; ev_timer_again as its manual advises. */
#include "subject.h"

#include <ev.h>

static struct bench_memory libev_memory;
static struct ev_loop *libev_loop;
static ev_timer *libev_timers;

static void *libev_allocate(void *pointer, long size)
{
    if (size)
        return bench_reallocate(&libev_memory, pointer, (size_t)size);
    bench_release(&libev_memory, pointer);
    return NULL;
}

static void libev_fired(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)timer, (void)events;
    subject_fired++;
}

static union delay libev_delay(plx_nanos nanos)
{
    return (union delay){.seconds = (double)nanos * 1e-9};
}

static bool libev_open(int count)
{
    ev_set_allocator(libev_allocate);
    libev_loop = ev_loop_new(EVBACKEND_EPOLL);
    libev_timers = bench_array(count, sizeof *libev_timers);
    for (int i = 0; i < count; i++)
        ev_init(&libev_timers[i], libev_fired);
    return libev_loop != NULL;
}

static void libev_start(const struct pass *pass)
{
    ev_now_update(libev_loop);
    for (int k = 0; k < pass->count; k++) {
        ev_timer *timer = &libev_timers[pass->order[k]];
        ev_timer_set(timer, pass->delays[k].seconds, 0.);
        ev_timer_start(libev_loop, timer);
    }
}

static void libev_restart(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++) {
        ev_timer *timer = &libev_timers[pass->order[k]];
        timer->repeat = pass->delays[k].seconds;
        ev_timer_again(libev_loop, timer);
    }
}

static void libev_cancel(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        ev_timer_stop(libev_loop, &libev_timers[pass->order[k]]);
}

static int libev_fire(void)
{
    ev_run(libev_loop, EVRUN_NOWAIT);
    return subject_count();
}

static void libev_close(void)
{
    ev_loop_destroy(libev_loop);
    free(libev_timers);
}

static const struct subject libev = {
    .name = "libev",
    .own = sizeof *libev_timers,
    .delay = libev_delay,
    .open = libev_open,
    .start = libev_start,
    .restart = libev_restart,
    .cancel = libev_cancel,
    .fire = libev_fire,
    .close = libev_close,
    .memory = &libev_memory,
};
