/* SPDX-License-Identifier: MIT */
/*
 * No locks, where there is one thread. A condition is never signalled: to wait for it is to
 * sleep, or, for ever, a deadlock.
 */
#include "os/config.h"

#include "os/clock.h"
#include "os/lock.h"

#if !PLX__HAS_THREADS
#include "os/posix.h"

int plx__lock_init(plx__lock *lock)
{
    (void)lock;
    return 0;
}

void plx__lock_fini(plx__lock *lock)
{
    (void)lock;
}

int plx__condition_init(plx__condition *condition)
{
    (void)condition;
    return 0;
}

void plx__condition_fini(plx__condition *condition)
{
    (void)condition;
}

int plx__condition_wait(plx__condition *condition, plx__lock *lock)
{
    (void)condition;
    (void)lock;
    return -EDEADLK;
}

void plx__condition_wait_until(plx__condition *condition, plx__lock *lock, plx_nanos deadline)
{
    plx_nanos now = plx__clock_now();

    (void)condition;
    (void)lock;
    if (deadline > now)
        (void)plx__poll(NULL, 0, plx__clock_milliseconds(deadline - now));
}

void plx__condition_signal(plx__condition *condition)
{
    (void)condition;
}

void plx__condition_broadcast(plx__condition *condition)
{
    (void)condition;
}

#endif
