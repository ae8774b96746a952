/* SPDX-License-Identifier: MIT */
/* No signals, on systems where a process is alone. */
#include "os/config.h"

#include "os/signals.h"

#if !PLX__HAS_PROCESSES

const int plx__signal_child = 0; /* there is none */

/* Which numbers others have is not known here: none that may be one is a mistake. */
bool plx__signals_valid(int number)
{
    return number > 0 && number < PLX__SIGNALS;
}

int plx__signals_add(plx__signal_watch *watches, int count)
{
    (void)watches;
    (void)count;
    return -ENOTSUP;
}

void plx__signals_remove(plx__signal_watch *watches, int count)
{
    (void)watches;
    (void)count;
}

#endif
