/* SPDX-License-Identifier: MIT */
/* A barrier for all threads, by membarrier(2). */
#include "os/config.h"

#include "os/barrier.h"

#if PLX__HAS_MEMBARRIER

#include "os/linux.h"

/* Of linux/membarrier.h, which has them from Linux 4.14 on. */
enum { BARRIER_ALL = 8, BARRIER_PREPARE = 16 };

static int barrier_call(int command)
{
    int saved = errno;
    return plx__result(plx__linux.membarrier(command), saved);
}

bool plx__barrier_prepare(void)
{
    return barrier_call(BARRIER_PREPARE) == 0;
}

bool plx__barrier_all(void)
{
    if (barrier_call(BARRIER_ALL) == 0)
        return true;
    (void)plx__poll(NULL, 0, 1);
    return false;
}

#endif
