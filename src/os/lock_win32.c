/* SPDX-License-Identifier: MIT */
/*
 * Locks and conditions, by SRWLOCK and CONDITION_VARIABLE. These sleep in milliseconds, rounded
 * up here: who waits for a deadline reads the clock again itself.
 */
#include "os/config.h"

#include "os/clock.h"
#include "os/lock.h"

#if !PLX__HAS_POSIX

#include <windows.h>

_Static_assert(sizeof(SRWLOCK) == sizeof(void *) && sizeof(CONDITION_VARIABLE) == sizeof(void *),
               "as lock_win32.h has them");

static SRWLOCK *lock_srw(plx__lock *lock)
{
    return (SRWLOCK *)(void *)&lock->srw;
}

static CONDITION_VARIABLE *lock_variable(plx__condition *condition)
{
    return (CONDITION_VARIABLE *)(void *)&condition->variable;
}

int plx__lock_init(plx__lock *lock)
{
    InitializeSRWLock(lock_srw(lock));
    return 0;
}

void plx__lock_fini(plx__lock *lock)
{
    (void)lock;
}

void plx__lock_enter(plx__lock *lock)
{
    AcquireSRWLockExclusive(lock_srw(lock));
}

bool plx__lock_enter_free(plx__lock *lock)
{
    return TryAcquireSRWLockExclusive(lock_srw(lock));
}

void plx__lock_leave(plx__lock *lock)
{
    ReleaseSRWLockExclusive(lock_srw(lock));
}

int plx__condition_init(plx__condition *condition)
{
    InitializeConditionVariable(lock_variable(condition));
    return 0;
}

void plx__condition_fini(plx__condition *condition)
{
    (void)condition;
}

static void lock_sleep(plx__condition *condition, plx__lock *lock, DWORD milliseconds)
{
    DWORD saved = GetLastError(); /* it is the caller's */

    (void)SleepConditionVariableSRW(lock_variable(condition), lock_srw(lock), milliseconds, 0);
    SetLastError(saved);
}

int plx__condition_wait(plx__condition *condition, plx__lock *lock)
{
    lock_sleep(condition, lock, INFINITE);
    return 0;
}

void plx__condition_wait_until(plx__condition *condition, plx__lock *lock, plx_nanos deadline)
{
    plx_nanos now = plx__clock_now();

    lock_sleep(condition, lock, deadline > now ? (DWORD)plx__clock_milliseconds(deadline - now) : 0);
}

void plx__condition_signal(plx__condition *condition)
{
    WakeConditionVariable(lock_variable(condition));
}

void plx__condition_broadcast(plx__condition *condition)
{
    WakeAllConditionVariable(lock_variable(condition));
}

#endif
