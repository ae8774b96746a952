/* SPDX-License-Identifier: MIT */
/*
 * Meets every probe, and prints how often: a descriptor is registered, changed, readable and
 * deregistered; a sleeper is woken, one that is awake too; timers fire. With an argument it goes
 * on for so many seconds.
 */
#include "os/config.h"

#include "../tools.h"

enum { READY = 1, WOKEN, TIMED };

static plx_poller *poller;
static plx_registry *registry;
static plx_waker *waker;
static int pair[2];

static void expect(plx_token token)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(10)), 1);
    CHECK_EQ(event.token, token);
}

static void *wake_later(void *unused)
{
    sleep_for(PLX_MSEC(1));
    CHECK_RC(plx_waker_wake(waker), 0);
    return unused;
}

static void meet_each(void)
{
    plx_timer timer;

    pthread_t thread = thread_start(wake_later, NULL);
    expect(WOKEN);
    thread_join(thread);
    CHECK_RC(plx_waker_wake(waker), 0);
    expect(WOKEN);
    CHECK_RC(plx_timer_start(registry, TIMED, PLX_USEC(100), 0, &timer), 0);
    expect(TIMED);
}

int main(int argc, char **argv)
{
    plx_nanos end = plx_now() + PLX_SEC(argc > 1 ? atoi(argv[1]) : 0);
    int rounds = 0;
    plx_stats stats;

    watchdog(60);
    CHECK_RC(plx_poller_open(&poller, NULL), 0);
    registry = plx_poller_registry(poller);
    CHECK_RC(plx_waker_open(registry, WOKEN, &waker), 0);
    open_pair(pair);
    CHECK_RC(plx_register(registry, pair[0], READY, PLX_READABLE | PLX_EDGE), 0);
    CHECK_RC(plx_reregister(registry, pair[0], READY, PLX_READABLE | PLX_ONESHOT), 0);
    put_byte(pair[1]);
    expect(READY);
    CHECK_RC(plx_deregister(registry, pair[0]), 0);
    for (; rounds < 50 || plx_now() < end; rounds++)
        meet_each();
    close_pair(pair);
    plx_poller_stats(poller, &stats);
    printf("deregistered 1\nevent %ju\nregistered 1\nreregistered 1\ntimer_fired %d\n", (uintmax_t)stats.events,
           rounds);
    printf("wait_begin %ju\nwait_end %ju\nwake_elided %ju\nwake_sent %ju\n", (uintmax_t)stats.waits,
           (uintmax_t)stats.waits, (uintmax_t)stats.wakes_elided, (uintmax_t)stats.wakes_sent);
    CHECK(stats.wakes_sent > 0 && stats.wakes_elided > 0);
    plx_waker_release(waker);
    plx_poller_close(poller);
    return 0;
}
