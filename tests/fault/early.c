/* SPDX-License-Identifier: MIT */
/*
 * A kernel that returns early from a timed wait, now and then even at once, with nothing: the
 * library goes back to sleep until it is truly time.
 */
#include "os/config.h"

#include "../seam.h"

#include "backend/backend.h"

static int rounds_early; /* how often the kernel was asked */

/* Half of the time; what is nearly over is over at once. */
static void sleep_half(plx_nanos time)
{
    rounds_early++;
    if (time > PLX_USEC(50))
        sleep_for(time / 2);
}

static int early_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    if (milliseconds > 0) {
        sleep_half(rounds_early % 3 == 0 ? 0 : PLX_MSEC(milliseconds) - PLX_USEC(600));
        milliseconds = 0;
    }
    return seam.posix.poll(fds, count, milliseconds);
}

#if PLX__HAS_EPOLL

static int early_epoll_wait(int epoll, struct epoll_event *events, int capacity, int milliseconds)
{
    if (milliseconds > 0) {
        sleep_half(PLX_MSEC(milliseconds) - PLX_USEC(600));
        milliseconds = 0;
    }
    return seam.system.epoll_wait(epoll, events, capacity, milliseconds);
}

static int early_epoll_pwait2(int epoll, struct epoll_event *events, int capacity,
                              const plx__timespec64 *timeout)
{
    plx_nanos time = timeout->seconds * 1000000000 + timeout->nanoseconds;

    sleep_half(time);
    return seam.system.epoll_wait(epoll, events, capacity, 0);
}

static int absent_epoll_pwait2(int epoll, struct epoll_event *events, int capacity,
                               const plx__timespec64 *timeout)
{
    (void)epoll;
    (void)events;
    (void)capacity;
    (void)timeout;
    errno = ENOSYS;
    return -1;
}

#endif

static void no_wait_ends_early(plx_backend backend)
{
    plx_options options = {.backend = backend};
    random_state random = random_start();
    plx_poller *poller;
    plx_event event;

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    rounds_early = 0;
    for (int i = 0; i < 200; i++) {
        plx_nanos limit = (plx_nanos)random_below(&random, i % 8 ? 2000000 : 20000000);
        plx_nanos begun = plx_now();
        check_note("backend %d, limit %" PRId64, (int)backend, limit);
        if (i % 2)
            CHECK_RC(plx_poller_wait(poller, &event, 1, limit), 0);
        else
            CHECK_RC(plx_poller_wait_until(poller, &event, 1, begun + limit), 0);
        CHECK(plx_now() - begun >= limit);
    }
    CHECK(rounds_early > 150); /* a busy machine oversleeps some */
    CHECK_RC(plx_post(plx_poller_registry(poller), 1, 1), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(50)), 1);
    plx_poller_close(poller);
}

int main(void)
{
    watchdog(100);
    seam_install();
    plx__posix.poll = early_poll;
    no_wait_ends_early(PLX_BACKEND_POLL);
#if PLX__HAS_EPOLL
    plx__linux.epoll_wait = early_epoll_wait;
    plx__linux.epoll_pwait2 = early_epoll_pwait2;
    no_wait_ends_early(PLX_BACKEND_EPOLL);
    plx__linux.epoll_pwait2 = absent_epoll_pwait2;
    no_wait_ends_early(PLX_BACKEND_EPOLL);
#endif
    return 0;
}
