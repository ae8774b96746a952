/* SPDX-License-Identifier: MIT */
/* No alarms, on systems that have none. */
#include "os/config.h"

#include "os/alarm.h"

#if !PLX__HAS_ALARM

int plx__clock_boottime(plx_nanos *now)
{
    (void)now;
    return -ENOTSUP;
}

int plx__alarm_open(bool boottime)
{
    (void)boottime;
    return -ENOTSUP;
}

void plx__alarm_close(int alarm)
{
    (void)alarm;
}

int plx__alarm_set(int alarm, plx_nanos deadline)
{
    (void)alarm;
    (void)deadline;
    return -ENOTSUP;
}

#endif
