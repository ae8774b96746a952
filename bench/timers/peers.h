/* SPDX-License-Identifier: MIT */
/*
 * The other libraries in the timers benchmark, as far as they were found when it was built,
 * and a timerfd for each timer. Their timers are structures of the program, here in an array.
 */
#include "subject.h"

/* libev first: its enumerators bear names that libevent makes macros. */
#ifdef BENCH_LIBEV
#include <ev.h>
#endif
#ifdef BENCH_LIBEVENT
#include <event2/event.h>
#include <event2/event_struct.h>
#endif
#ifdef BENCH_LIBUV
#include <uv.h>
#endif

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int peer_fired;

/* How many have fired since the last call. */
static inline int peer_count(void)
{
    int fired = peer_fired;
    peer_fired = 0;
    return fired;
}

/* ---- libev: the loop's time is cached; ev_timer_again as its manual advises ---- */

#ifdef BENCH_LIBEV
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
    peer_fired++;
}

static union delay libev_delay(plx_nanos nanos)
{
    return (union delay){.seconds = (double)nanos * 1e-9};
}

static bool libev_open(int count)
{
    ev_set_allocator(libev_allocate);
    libev_loop = ev_loop_new(EVBACKEND_EPOLL);
    libev_timers = subject_array(count, sizeof *libev_timers);
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
    return peer_count();
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
#endif

/* ---- libevent: its time is cached within a callback, so the passes run in one ---- */

#ifdef BENCH_LIBEVENT
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
    peer_fired++;
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
    libevent_timers = subject_array(count, sizeof *libevent_timers);
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
    return peer_count();
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
#endif

/* ---- libuv: the loop's time is cached ---- */

#ifdef BENCH_LIBUV
static struct bench_memory libuv_memory;
static uv_loop_t libuv_loop;
static uv_timer_t *libuv_timers;
static int libuv_count;

static void libuv_fired(uv_timer_t *timer)
{
    (void)timer;
    peer_fired++;
}

static union delay libuv_delay(plx_nanos nanos)
{
    return (union delay){.milliseconds = (uint64_t)nanos / 1000000};
}

static bool libuv_open(int count)
{
    libuv_timers = subject_array(count, sizeof *libuv_timers);
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
    return peer_count();
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
#endif

/* ---- A timerfd for each timer, on epoll ---- */

static struct bench_memory timerfd_memory;
static int timerfd_epoll, *timerfd_fds;

static union delay timerfd_delay(plx_nanos nanos)
{
    return (union delay){
        .spec = {.tv_sec = (time_t)(nanos / 1000000000), .tv_nsec = (long)(nanos % 1000000000)}};
}

static bool timerfd_open(int count)
{
    if (!bench_descriptors(count + 32) || (timerfd_epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return false;
    timerfd_fds = subject_array(count, sizeof *timerfd_fds);
    return true;
}

static void timerfd_restart(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++) {
        struct itimerspec time = {.it_value = pass->delays[k].spec};
        if (timerfd_settime(timerfd_fds[pass->order[k]], 0, &time, NULL) < 0)
            bench_die("timerfd_settime", errno);
    }
}

static void timerfd_start(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++) {
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = pass->order[k]};
        struct itimerspec time = {.it_value = pass->delays[k].spec};
        if (fd < 0 || epoll_ctl(timerfd_epoll, EPOLL_CTL_ADD, fd, &event) < 0 ||
            timerfd_settime(fd, 0, &time, NULL) < 0)
            bench_die("timerfd", errno);
        timerfd_fds[pass->order[k]] = fd;
    }
}

static void timerfd_cancel(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        close(timerfd_fds[pass->order[k]]);
}

static int timerfd_fire(void)
{
    struct epoll_event events[256];
    int fired = 0, count;
    do {
        count = epoll_wait(timerfd_epoll, events, 256, 0);
        if (count < 0)
            bench_die("epoll_wait", errno);
        for (int i = 0; i < count; i++) {
            uint64_t times;
            int fd = timerfd_fds[events[i].data.u32];
            fired += read(fd, &times, sizeof times) == sizeof times;
            close(fd);
        }
    } while (count == 256);
    return fired;
}

static void timerfd_close(void)
{
    close(timerfd_epoll);
    free(timerfd_fds);
}

static const struct subject timerfd = {
    .name = "timerfd each",
    .own = sizeof *timerfd_fds,
    .delay = timerfd_delay,
    .open = timerfd_open,
    .start = timerfd_start,
    .restart = timerfd_restart,
    .cancel = timerfd_cancel,
    .fire = timerfd_fire,
    .close = timerfd_close,
    .memory = &timerfd_memory,
    .most = 19000,
};
