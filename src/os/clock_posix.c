/* SPDX-License-Identifier: MIT */
/* The monotonic clock, by POSIX. */
#include "os/config.h"

#include "os/clock.h"

#if PLX__HAS_POSIX
#include "os/posix.h"

plx_nanos plx__clock_now(void)
{
    struct timespec now;

    (void)plx__posix.clock_gettime(CLOCK_MONOTONIC, &now);
    return (plx_nanos)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
