/* SPDX-License-Identifier: MIT */
/* No forks, on systems that have none. */
#include "os/config.h"

#include "os/fork.h"

#if !PLX__HAS_POSIX || !PLX__HAS_PROCESSES

_Atomic(uint32_t) plx__fork_generation;

int plx__fork_call(_Atomic(bool) *watched, void (*in_child)(void))
{
    (void)watched;
    (void)in_child;
    return 0;
}

int plx__fork_watch(void)
{
    return 0;
}

#endif
