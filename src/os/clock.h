/* SPDX-License-Identifier: MIT */
/* The monotonic clock, and durations that do not overflow. */
#ifndef PLX__CLOCK_H
#define PLX__CLOCK_H

#include <pollux.h>

plx_nanos plx__clock_now(void);

/* The point in time that lies `duration` after `start`, or the end of time. */
static inline plx_nanos plx__clock_add(plx_nanos start, plx_nanos duration)
{
    return start > INT64_MAX - duration ? INT64_MAX : start + duration;
}

/* Milliseconds for a kernel that counts in them: rounded up, at most INT32_MAX, -1 for ever. */
static inline int plx__clock_milliseconds(plx_nanos duration)
{
    if (duration < 0)
        return -1;
    plx_nanos whole = duration / 1000000 + (duration % 1000000 != 0);
    return whole > INT32_MAX ? INT32_MAX : (int)whole;
}

#endif
