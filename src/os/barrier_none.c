/* SPDX-License-Identifier: MIT */
/* No barrier for all threads, on systems that have none. */
#include "os/config.h"

#include "os/barrier.h"

#if PLX__HAS_POSIX && !PLX__HAS_MEMBARRIER

bool plx__barrier_prepare(void)
{
    return false;
}

bool plx__barrier_all(void)
{
    return false; /* nobody prepared for it */
}

#endif
