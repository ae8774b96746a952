/* SPDX-License-Identifier: MIT */
/* The monotonic clock, on Windows: what stands still while the machine sleeps, as its waits do. */
#include "os/config.h"

#include "os/clock.h"

#if !PLX__HAS_POSIX
#include "os/win32.h"

/* The counter goes on during sleep; it is for systems that have nothing better. */
static plx_nanos clock_counter(void)
{
    LARGE_INTEGER frequency, counter;

    (void)QueryPerformanceFrequency(&frequency);
    (void)QueryPerformanceCounter(&counter);
    plx_nanos seconds = counter.QuadPart / frequency.QuadPart;
    plx_nanos rest = counter.QuadPart % frequency.QuadPart;
    return seconds * 1000000000 + rest * 1000000000 / frequency.QuadPart;
}

plx_nanos plx__clock_now(void)
{
    ULONGLONG ticks; /* of 100 ns */

    return plx__win32.QueryUnbiasedInterruptTimePrecise(&ticks) ? (plx_nanos)ticks * 100 : clock_counter();
}

#endif
