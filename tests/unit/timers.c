/* SPDX-License-Identifier: MIT */
/* What timers cost in readings of the clock, and what they do when the kernel's calls fail. */
#include "os/config.h"

#include "../backends.h"
#include "../tools.h"

#include "backend/backend.h"
#include "core/core.h"
#include "os/posix.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#if PLX__HAS_EPOLL
#include "os/linux.h"

#include <sys/timerfd.h>
#endif
#if PLX__HAS_KQUEUE
#include "os/kqueue.h"
#endif
#if PLX__HAS_EVENT_PORTS
#include "os/ports.h"
#endif

static plx__posix_calls real;
static atomic_long readings;
static atomic_int failing; /* the errno value of every call of the kernel that wakes or sets, or 0 */

static int counted_clock(clockid_t clock, struct timespec *now)
{
    atomic_fetch_add(&readings, 1);
    return real.clock_gettime(clock, now);
}

static bool fails(void)
{
    int error = atomic_load(&failing);

    if (error)
        errno = error;
    return error != 0;
}

static ssize_t failing_write(int fd, const void *buffer, size_t size)
{
    return fails() ? -1 : real.write(fd, buffer, size);
}

#if PLX__HAS_KQUEUE

static plx__kqueue_calls kqueue_calls;

static int failing_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events, int capacity,
                          const struct timespec *timeout)
{
#ifdef PLX__KQUEUE_USER
    bool wakes = change_count == 1 && changes->fflags & NOTE_TRIGGER;
#else
    bool wakes = change_count == 1 && changes->filter == EVFILT_READ;
#endif

    if (wakes && fails())
        return -1;
    return kqueue_calls.kevent(kq, changes, change_count, events, capacity, timeout);
}

#endif

#if PLX__HAS_EVENT_PORTS

static plx__ports_calls ports;

static int failing_send(int port, int events, void *user)
{
    return fails() ? -1 : ports.port_send(port, events, user);
}

#endif

static plx_poller *open_backend(const plx__backend *backend, plx_clock clock)
{
    plx_poller *poller;
    plx_options options = {.backend = backend->id, .clock = clock};

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    return poller;
}

static plx_timer start(plx_poller *poller, plx_nanos first, plx_nanos interval)
{
    plx_timer timer;

    CHECK_RC(plx_timer_start(plx_poller_registry(poller), 1, first, interval, &timer), 0);
    return timer;
}

static uint64_t timers_of(plx_poller *poller)
{
    plx_stats stats;

    plx_poller_stats(poller, &stats);
    return stats.timers;
}

/* The kernel may send a wait back early; then it has to look once more. */
static void a_wait_reads_the_clock_seldom(const plx__backend *backend)
{
    enum { WAITS = 50 };
    plx_event event;
    plx_poller *poller = open_backend(backend, PLX_CLOCK_MONOTONIC);

    start(poller, PLX_MSEC(1), PLX_MSEC(1));
    long least = 1000;
    for (int i = 0; i < WAITS; i++) {
        atomic_store(&readings, 0);
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
        long mine = atomic_load(&readings);
        CHECK(mine <= 6);
        least = mine < least ? mine : least;
    }
    CHECK(least <= 2);
    plx_poller_close(poller);

    poller = open_backend(backend, PLX_CLOCK_MONOTONIC);
    CHECK_RC(plx_post(plx_poller_registry(poller), 1, 1), 0);
    atomic_store(&readings, 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_EQ(atomic_load(&readings), 0); /* none without timers, nor a time limit */
    plx_timer timer = start(poller, PLX_SEC(100), 0);
    CHECK_EQ(atomic_load(&readings), 1);
    CHECK_RC(plx_timer_cancel(plx_poller_registry(poller), timer), 0);
    CHECK_EQ(atomic_load(&readings), 1);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0); /* finds that it was the last */
    atomic_store(&readings, 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_EQ(atomic_load(&readings), 0);
    plx_poller_close(poller);
}

#if PLX__HAS_EPOLL

static plx__linux_calls system_calls;

static int failing_create(int clock, int flags)
{
    return fails() ? -1 : system_calls.timerfd_create(clock, flags);
}

static int failing_settime(int timer, int flags, const struct itimerspec *when, struct itimerspec *was)
{
    return fails() ? -1 : system_calls.timerfd_settime(timer, flags, when, was);
}

static void an_alarm_that_cannot_be_made_is_an_error(const plx__backend *backend)
{
    plx_poller *mark = (plx_poller *)(void *)&real, *poller = mark;
    plx_options options = {.backend = backend->id, .clock = PLX_CLOCK_BOOTTIME};

    atomic_store(&failing, EMFILE);
    CHECK_RC(plx_poller_open(&poller, &options), -EMFILE);
    atomic_store(&failing, ENOSYS);
    CHECK_RC(plx_poller_open(&poller, &options), -ENOTSUP);
    CHECK(poller == mark);
    atomic_store(&failing, 0);
    poller = open_backend(backend, PLX_CLOCK_MONOTONIC);
    atomic_store(&failing, EMFILE);
    int rc = plx_poller_descriptor(poller);
    CHECK(rc == -EMFILE || rc == -ENOTSUP);
    atomic_store(&failing, 0);
    start(poller, 0, 0);
    CHECK_RC(plx_poller_wait(poller, &(plx_event){0}, 1, PLX_FOREVER), 1);
    plx_poller_close(poller);
}

/* For whoever watches the descriptor the alarm must be set, or the timer is not started. */
static void an_alarm_that_cannot_be_set_starts_nothing(const plx__backend *backend)
{
    plx_timer timer = 4711;
    plx_event event;
    plx_poller *poller = open_backend(backend, PLX_CLOCK_MONOTONIC);
    plx_registry *registry = plx_poller_registry(poller);

    if (plx_poller_descriptor(poller) >= 0) {
        plx_nanos due = plx_now() + PLX_SEC(1);
        plx_timer old = start(poller, PLX_SEC(1), 0);
        atomic_store(&failing, EIO);
        CHECK_RC(plx_timer_start(registry, 2, PLX_MSEC(1), 0, &timer), -EIO);
        CHECK_EQ(timer, 4711);
        CHECK_RC(plx_timer_restart(registry, old, PLX_MSEC(1), PLX_MSEC(1)), -EIO);
        CHECK_EQ(timers_of(poller), 1);
        atomic_store(&failing, 0);
        int rc = plx_poller_wait(poller, &event, 1, PLX_MSEC(5));
        CHECK(rc == 0 || plx_now() >= due); /* the machine may have been busy elsewhere */
        if (rc == 0)
            CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
        CHECK(event.token == 1 && event.data == 1);
        CHECK_RC(plx_timer_cancel(registry, old), -ENOENT); /* once, as it was */
    }
    plx_poller_close(poller);
}

#endif

typedef struct sleeper {
    plx_poller *poller;
    plx_event event;
    int rc;
} sleeper;

static void *sleep_for_ever(void *argument)
{
    sleeper *self = argument;

    self->rc = plx_poller_wait(self->poller, &self->event, 1, PLX_FOREVER);
    return NULL;
}

/* A sleeper that cannot be woken would sleep through the timer. */
static void a_wake_that_fails_starts_nothing(const plx__backend *backend)
{
    plx_timer timer = 4711;
    pthread_t thread;
    sleeper self = {.poller = open_backend(backend, PLX_CLOCK_MONOTONIC)};
    plx_registry *registry = plx_poller_registry(self.poller);

    plx_timer old = start(self.poller, PLX_SEC(100), 0);
    CHECK(pthread_create(&thread, NULL, sleep_for_ever, &self) == 0);
    while (!plx__timers_kept(&registry->timers))
        sleep_for(PLX_USEC(100));
    sleep_for(PLX_MSEC(20));
    atomic_store(&failing, EIO);
    CHECK_RC(plx_timer_start(registry, 2, 0, 0, &timer), -EIO);
    CHECK_EQ(timer, 4711);
    CHECK_RC(plx_timer_restart(registry, old, 0, 0), -EIO);
    CHECK_EQ(timers_of(self.poller), 1);
    atomic_store(&failing, 0);
    CHECK_RC(plx_timer_start(registry, 3, PLX_MSEC(1), 0, &timer), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_RC(self.rc, 1);
    CHECK_EQ(self.event.token, 3);
    CHECK_RC(plx_timer_cancel(registry, old), 0);
    plx_poller_close(self.poller);
}

int main(void)
{
    real = plx__posix;
    plx__posix.clock_gettime = counted_clock;
    plx__posix.write = failing_write;
#if PLX__HAS_EPOLL
    system_calls = plx__linux;
    plx__linux.timerfd_create = failing_create;
    plx__linux.timerfd_settime = failing_settime;
#endif
#if PLX__HAS_KQUEUE
    kqueue_calls = plx__kqueue;
    plx__kqueue.kevent = failing_kevent;
#endif
#if PLX__HAS_EVENT_PORTS
    ports = plx__ports;
    plx__ports.port_send = failing_send;
#endif
    for (size_t i = 0; backends_here()[i]; i++) {
        check_note("%s", backends_here()[i]->name);
        a_wait_reads_the_clock_seldom(backends_here()[i]);
#if PLX__HAS_EPOLL
        an_alarm_that_cannot_be_made_is_an_error(backends_here()[i]);
        an_alarm_that_cannot_be_set_starts_nothing(backends_here()[i]);
#endif
        a_wake_that_fails_starts_nothing(backends_here()[i]);
    }
    return 0;
}
