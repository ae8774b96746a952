/* SPDX-License-Identifier: MIT */
/* Alarms where there are event ports: illumos has Linux' timerfd, of the monotonic clock. */
#include "os/config.h"

#include "os/alarm.h"

#if PLX__HAS_EVENT_PORTS && PLX__HAS_ALARM
#include "os/alarm_timerfd.h"
#include "os/ports.h"

int plx__clock_boottime(plx_nanos *now)
{
    (void)now;
    return -ENOTSUP;
}

/* EPERM: the clock takes a privilege. */
int plx__alarm_open(bool boottime)
{
    int saved = errno;

    if (boottime)
        return -ENOTSUP;
    int rc = plx__result(plx__ports.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), saved);
    return rc == -ENOSYS || rc == -EPERM || rc == -EINVAL ? -ENOTSUP : rc;
}

void plx__alarm_close(int alarm)
{
    plx__close(alarm);
}

int plx__alarm_set(int alarm, plx_nanos deadline)
{
    struct itimerspec when = plx__alarm_when(deadline);
    int saved = errno;

    return plx__result(plx__ports.timerfd_settime(alarm, TFD_TIMER_ABSTIME, &when, NULL), saved);
}

#endif
