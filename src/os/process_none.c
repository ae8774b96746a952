/* SPDX-License-Identifier: MIT */
/* No other processes, on systems where each is alone. */
#include "os/config.h"

#include "os/process.h"

#if !PLX__HAS_PROCESSES

int plx__process_look(plx_pid pid, plx_exit *status)
{
    (void)pid;
    (void)status;
    return -ENOTSUP;
}

bool plx__process_reap(plx_pid pid)
{
    (void)pid;
    return false;
}

#endif
