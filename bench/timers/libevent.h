/* SPDX-License-Identifier: MIT */
/* libevent in the timers benchmark: its time is cached within a callback, so the passes run in one. */
#include "subject.h"

#include <event2/event.h>
#include <event2/event_struct.h>

static struct bench_memory libevent_memory;
static struct event_base *libevent_base;
static struct event *libevent_timers, libevent_trigger;
static const struct pass *libevent_pass;
static void (*libevent_work)(const struct pass *pass);

static void *libevent_allocate(size_t size)
{
    return bench_allocate(&libevent_memory, size);
}

static void *libevent_reallocate(void *pointer, size_t size)
{
    return bench_reallocate(&libevent_memory, pointer, size);
}

static void libevent_release(void *pointer)
{
    bench_release(&libevent_memory, pointer);
}

static void libevent_fired(evutil_socket_t fd, short events, void *argument)
{
    (void)fd, (void)events, (void)argument;
    subject_fired++;
}

static void libevent_triggered(evutil_socket_t fd, short events, void *argument)
{
    (void)fd, (void)events, (void)argument;
    libevent_work(libevent_pass);
}

static void libevent_within(void (*work)(const struct pass *pass), const struct pass *pass)
{
    libevent_work = work;
    libevent_pass = pass;
    event_active(&libevent_trigger, 1, 0);
    event_base_loop(libevent_base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static union delay libevent_delay(plx_nanos nanos)
{
    return (union delay){.time = {.tv_sec = (time_t)(nanos / 1000000000),
                                  .tv_usec = (suseconds_t)(nanos % 1000000000 / 1000)}};
}

static bool libevent_open(int count)
{
    static bool counted;
    if (!counted)
        event_set_mem_functions(libevent_allocate, libevent_reallocate, libevent_release);
    counted = true;
    /* libev has functions of the same names; linked in the wrong order, it would answer. */
    if (strncmp(event_get_version(), "2.", 2) != 0)
        bench_die("this is not libevent", 0);
    libevent_base = event_base_new();
    libevent_timers = bench_array(count, sizeof *libevent_timers);
    for (int i = 0; i < count; i++)
        evtimer_assign(&libevent_timers[i], libevent_base, libevent_fired, NULL);
    event_assign(&libevent_trigger, libevent_base, -1, 0, libevent_triggered, NULL);
    return libevent_base != NULL;
}

/* evtimer_add starts a timer, or exchanges its time. */
static void libevent_add(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        if (evtimer_add(&libevent_timers[pass->order[k]], &pass->delays[k].time) < 0)
            bench_die("evtimer_add", 0);
}

static void libevent_delete(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        evtimer_del(&libevent_timers[pass->order[k]]);
}

static void libevent_start(const struct pass *pass)
{
    libevent_within(libevent_add, pass);
}

static void libevent_cancel(const struct pass *pass)
{
    libevent_within(libevent_delete, pass);
}

static int libevent_fire(void)
{
    event_base_loop(libevent_base, EVLOOP_NONBLOCK);
    return subject_count();
}

static void libevent_close(void)
{
    event_base_free(libevent_base);
    free(libevent_timers);
}

static const struct subject libevent = {
    .name = "libevent",
    .own = sizeof *libevent_timers,
    .delay = libevent_delay,
    .open = libevent_open,
    .start = libevent_start,
    .restart = libevent_start,
    .cancel = libevent_cancel,
    .fire = libevent_fire,
    .close = libevent_close,
    .memory = &libevent_memory,
};
