/* SPDX-License-Identifier: MIT */
/* Alarms by timerfd, which Linux has and illumos took over: what both set. */
#ifndef PLX__ALARM_TIMERFD_H
#define PLX__ALARM_TIMERFD_H

#include "os/config.h"

#include <pollux.h>

#if PLX__HAS_EPOLL || (PLX__HAS_EVENT_PORTS && PLX__HAS_ALARM)
#include <sys/timerfd.h>

/* A value of zero would disarm it: what is past is set to the first nanosecond of the clock. */
static inline struct itimerspec plx__alarm_when(plx_nanos deadline)
{
    struct itimerspec when = {.it_interval = {0}};

    if (deadline != INT64_MAX) {
        plx_nanos due = deadline > 0 ? deadline : 1;
        when.it_value.tv_sec = (time_t)(due / 1000000000);
        when.it_value.tv_nsec = (long)(due % 1000000000);
    }
    return when;
}

#endif

#endif
