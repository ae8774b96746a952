/* SPDX-License-Identifier: MIT */
/*
 * Alarms by EVFILT_TIMER, in a kqueue of its own: nobody takes the event, so it stays readable.
 * Timers are set by how long they take from now on, so that the deadline is rounded up.
 */
#include "os/config.h"

#include "os/alarm.h"

#if PLX__HAS_KQUEUE
#include "os/clock.h"
#include "os/kqueue.h"

#ifdef NOTE_NSECONDS
#define ALARM_UNIT      1
#define ALARM_UNIT_NOTE NOTE_NSECONDS
#else
#define ALARM_UNIT      1000000
#define ALARM_UNIT_NOTE 0
#endif

/* Darwin lets others wait until it suits. */
#ifdef NOTE_CRITICAL
#define ALARM_NOTES (ALARM_UNIT_NOTE | NOTE_CRITICAL)
#else
#define ALARM_NOTES ALARM_UNIT_NOTE
#endif

int plx__clock_boottime(plx_nanos *now)
{
    (void)now;
    return -ENOTSUP;
}

int plx__alarm_open(bool boottime)
{
    return boottime ? -ENOTSUP : plx__kqueue_open();
}

void plx__alarm_close(int alarm)
{
    plx__close(alarm);
}

/* What is far away goes off early, and is set again then. */
int plx__alarm_set(int alarm, plx_nanos deadline)
{
    const plx_nanos most = PLX_SEC(10000000);
    struct kevent changes[2];
    plx_nanos now = plx__clock_now();
    plx_nanos left = deadline > now ? deadline - now : 1;

    if (left > most)
        left = most;
    EV_SET(&changes[0], 1, EVFILT_TIMER, EV_DELETE, 0, 0, 0);
    EV_SET(&changes[1], 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, ALARM_NOTES, left / ALARM_UNIT + (left % ALARM_UNIT != 0),
           0);
    int count = deadline == INT64_MAX ? 1 : 2;
    int rc = plx__kqueue_changes(alarm, changes, count);
    if (rc < 0)
        return rc;
    return count == 1 ? 0 : -(int)changes[1].data;
}

#endif
