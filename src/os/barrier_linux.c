/* SPDX-License-Identifier: MIT */
/* A barrier for all threads, by membarrier(2). */
#include "os/config.h"

#include "os/barrier.h"

#if PLX__HAS_MEMBARRIER

#include "os/linux.h"

#include <linux/membarrier.h>

static int barrier_call(int command)
{
    int saved = errno;
    return plx__result(plx__linux.membarrier(command), saved);
}

bool plx__barrier_prepare(void)
{
    return barrier_call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

bool plx__barrier_all(void)
{
    if (barrier_call(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
        return true;
    (void)plx__poll(NULL, 0, 1);
    return false;
}

#endif
