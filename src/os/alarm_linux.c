/* SPDX-License-Identifier: MIT */
/* Alarms by timerfd. */
#include "os/config.h"

#include "os/alarm.h"

#if PLX__HAS_EPOLL
#include "os/alarm_timerfd.h"
#include "os/linux.h"

int plx__clock_boottime(plx_nanos *now)
{
    struct timespec time;
    int saved = errno;
    int rc = plx__result(plx__posix.clock_gettime(CLOCK_BOOTTIME, &time), saved);

    if (rc < 0)
        return -ENOTSUP;
    *now = (plx_nanos)time.tv_sec * 1000000000 + time.tv_nsec;
    return 0;
}

int plx__alarm_open(bool boottime)
{
    int saved = errno;
    int clock = boottime ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
    int rc = plx__result(plx__linux.timerfd_create(clock, TFD_CLOEXEC | TFD_NONBLOCK), saved);

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

    return plx__result(plx__linux.timerfd_settime(alarm, TFD_TIMER_ABSTIME, &when, NULL), saved);
}

#endif
