/* SPDX-License-Identifier: MIT */
/* A barrier for all threads, by FlushProcessWriteBuffers. In Wine 8 that does nothing. */
#include "os/config.h"

#include "os/barrier.h"

#if !PLX__HAS_POSIX
#include "os/win32.h"

bool plx__barrier_prepare(void)
{
    return !plx__win32_is_wine();
}

bool plx__barrier_all(void)
{
    FlushProcessWriteBuffers();
    return true;
}

#endif
