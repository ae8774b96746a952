/* SPDX-License-Identifier: MIT */
/*
 * Durations that are rounded, clamped and saturated; and how often a wait reads the clock:
 * never if it need not know the time, and twice at most if it sleeps until it is up.
 */
#include "os/config.h"

#include "../backends.h"

#if PLX__HAS_POSIX
#include "../seam.h"
#else
#include "../tools.h"
#endif

#include "backend/backend.h"
#include "os/clock.h"

static void milliseconds_are_rounded_up_and_clamped(void)
{
    CHECK_EQ(plx__clock_milliseconds(PLX_FOREVER), -1);
    CHECK_EQ(plx__clock_milliseconds(INT64_MIN), -1);
    CHECK_EQ(plx__clock_milliseconds(0), 0);
    CHECK_EQ(plx__clock_milliseconds(1), 1);
    CHECK_EQ(plx__clock_milliseconds(PLX_MSEC(1) - 1), 1);
    CHECK_EQ(plx__clock_milliseconds(PLX_MSEC(1)), 1);
    CHECK_EQ(plx__clock_milliseconds(PLX_MSEC(1) + 1), 2);
    CHECK_EQ(plx__clock_milliseconds(PLX_MSEC(INT32_MAX) - 1), INT32_MAX);
    CHECK_EQ(plx__clock_milliseconds(PLX_MSEC(INT32_MAX)), INT32_MAX);
    CHECK_EQ(plx__clock_milliseconds(PLX_MSEC(INT32_MAX) + 1), INT32_MAX);
    CHECK_EQ(plx__clock_milliseconds(PLX_MSEC(1) << 32), INT32_MAX);
    CHECK_EQ(plx__clock_milliseconds(INT64_MAX - 1), INT32_MAX);
    CHECK_EQ(plx__clock_milliseconds(INT64_MAX), INT32_MAX);
}

static void sums_end_at_the_end_of_time(void)
{
    CHECK_EQ(plx__clock_add(0, 0), 0);
    CHECK_EQ(plx__clock_add(5, 7), 12);
    CHECK_EQ(plx__clock_add(-5, 7), 2);
    CHECK_EQ(plx__clock_add(INT64_MAX - 7, 6), INT64_MAX - 1);
    CHECK_EQ(plx__clock_add(INT64_MAX - 7, 7), INT64_MAX);
    CHECK_EQ(plx__clock_add(INT64_MAX - 7, 8), INT64_MAX);
    CHECK_EQ(plx__clock_add(1, INT64_MAX), INT64_MAX);
    CHECK_EQ(plx__clock_add(INT64_MAX, INT64_MAX), INT64_MAX);
    CHECK_EQ(plx__clock_add(0, INT64_MAX), INT64_MAX);
}

/* ---- Readings ---------------------------------------------------------------------- */

#if PLX__HAS_POSIX

static plx_poller *poller;

/* The readings of one wait, which must return `expected`. */
static long readings(plx_nanos timeout, int expected)
{
    plx_event events[8];

    seam_reset();
    CHECK_RC(plx_poller_wait(poller, events, 8, timeout), expected);
    return atomic_load(&seam.made[SEAM_CLOCK]);
}

static void the_clock_is_read_only_for_a_finite_wait(const plx__backend *backend)
{
    plx_options options = {.backend = backend->id};
    int ends[2];

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    plx_registry *registry = plx_poller_registry(poller);
    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);

    CHECK_EQ(readings(0, 0), 0);
    CHECK(readings(1, 0) >= 2); /* the seam does count */
    put_byte(ends[1]);
    CHECK_EQ(readings(0, 1), 0);
    CHECK_EQ(readings(PLX_FOREVER, 1), 0);
    CHECK_EQ(readings(PLX_SEC(10), 1), 1);
    CHECK_RC(plx_post(registry, 2, 0), 0);
    CHECK_EQ(readings(0, 2), 0);
    CHECK_RC(plx_post(registry, 2, 0), 0);
    CHECK_EQ(readings(PLX_FOREVER, 2), 0);
    CHECK_RC(plx_notify(registry), 0);
    CHECK_EQ(readings(PLX_FOREVER, 1), 0);
    drain(ends[0]);
    CHECK_RC(plx_post(registry, 2, 0), 0);
    CHECK_EQ(readings(PLX_FOREVER, 1), 0);
    CHECK_RC(plx_notify(registry), 0);
    CHECK_EQ(readings(PLX_FOREVER, 0), 0);
    CHECK_EQ(readings(0, 0), 0);

    for (int i = 1; i <= 20; i++) { /* a kernel that is early now and then may cost a third */
        int extra = 0;
        for (int again = 0; again < 5; again++)
            extra += readings(PLX_USEC(300) * i + i, 0) > 2;
        CHECK(extra < 5);
    }
    plx_poller_close(poller);
    close_pair(ends);
}

static void count_readings(void)
{
    seam_install();
    for (size_t i = 0; backends_here()[i]; i++) {
        check_note("%s", backends_here()[i]->name);
        the_clock_is_read_only_for_a_finite_wait(backends_here()[i]);
    }
}

#else

static void count_readings(void)
{
    printf("readings are counted on POSIX\n");
}

#endif

int main(void)
{
    watchdog(60);
    milliseconds_are_rounded_up_and_clamped();
    sums_end_at_the_end_of_time();
    count_readings();
    return 0;
}
