/* SPDX-License-Identifier: MIT */
/*
 * A descriptor that becomes readable at a point in time, also if the machine slept through
 * it (boot time). And the boot-time clock itself.
 */
#ifndef PLX__ALARM_H
#define PLX__ALARM_H

#include <pollux.h>

/* -ENOTSUP where the system has no such clock. */
int plx__clock_boottime(plx_nanos *now);

/* The descriptor; -ENOTSUP where there is none; -EMFILE, -ENFILE, -ENOMEM. */
int  plx__alarm_open(bool boottime);
void plx__alarm_close(int alarm);

/* Sets it to a deadline on its clock and makes it unreadable until then; INT64_MAX: never. */
int plx__alarm_set(int alarm, plx_nanos deadline);

#endif
