/* SPDX-License-Identifier: MIT */
/* The monotonic clock, by POSIX. */
#include "os/config.h"

#include "os/clock.h"
#include "os/posix.h"

plx_nanos plx__clock_now(void)
{
    struct timespec now;

    (void)plx__posix.clock_gettime(CLOCK_MONOTONIC, &now);
    return (plx_nanos)now.tv_sec * 1000000000 + now.tv_nsec;
}

int plx__clock_milliseconds(plx_nanos duration)
{
    if (duration < 0)
        return -1;
    plx_nanos whole = duration / 1000000 + (duration % 1000000 != 0);
    return whole > INT32_MAX ? INT32_MAX : (int)whole;
}
