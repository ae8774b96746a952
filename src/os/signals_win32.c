/* SPDX-License-Identifier: MIT */
/*
 * Console events as signals, by Windows: Ctrl+C is SIGINT, Ctrl+Break SIGBREAK, and SIGTERM
 * is what ends the process whatever it does: a closed console, a log-off, a shutdown.
 *
 * The system calls handlers in a thread that it makes for each event, the latest installed
 * first, until one returns TRUE; at the end of the list is the one that exits. So this one
 * may take a lock, and returns TRUE if somebody watches, FALSE if nobody does any more.
 *
 * The traps: the system holds a lock of its own over the handlers, which SetConsoleCtrlHandler
 * takes too, so it is never called under the lock that the handler takes. And after an event
 * of the last kind the process is ended as soon as the handler returns: it does not, and the
 * program has what time the system grants (5 s for a closed console). Its own exit ends this
 * thread too. From then on the handler cannot be removed, and nobody tries.
 */
#include "os/config.h"

#include "os/lock.h"
#include "os/signals.h"

#if PLX__HAS_IOCP
#include "os/sources_win32.h"

#include <signal.h>

const int plx__signal_child = 0; /* there is none */

static plx__lock signals_changes = PLX__LOCK_INITIALIZER; /* the next two; never taken by the handler */
static bool signals_installed;
static int signals_count;

static plx__lock signals_lock = PLX__LOCK_INITIALIZER; /* the rest; taken last, held while lists are told */
static plx__signal_watch *signals_first[PLX__SIGNALS];
static bool signals_ending; /* a handler never returns */

static int signals_number(DWORD event)
{
    switch (event) {
    case CTRL_C_EVENT:
        return SIGINT;
    case CTRL_BREAK_EVENT:
        return SIGBREAK;
    case CTRL_CLOSE_EVENT:
    case CTRL_LOGOFF_EVENT:
    case CTRL_SHUTDOWN_EVENT:
        return SIGTERM;
    default:
        return 0;
    }
}

static plx__signal_watch *signals_next(plx__signal_watch *watch)
{
    return atomic_load_explicit(&watch->next, PLX__RELAXED); /* under the lock, as all of the list */
}

static BOOL WINAPI signals_handle(DWORD event)
{
    plx_signal_info info = {.number = signals_number(event), .code = (int)event};
    bool told = false;

    plx__lock_take(&signals_lock);
    for (plx__signal_watch *watch = signals_first[info.number]; watch; watch = signals_next(watch)) {
        watch->tell(watch, &info);
        told = true;
    }
    bool ending = told && info.number == SIGTERM;
    signals_ending |= ending;
    plx__lock_drop(&signals_lock);
    if (ending)
        Sleep(INFINITE);
    return told;
}

bool plx__signals_valid(int number)
{
    return number == SIGINT || number == SIGBREAK || number == SIGTERM;
}

static int signals_install(void)
{
    if (signals_installed)
        return 0;
    if (!plx__win32_sources.SetConsoleCtrlHandler(signals_handle, TRUE))
        return plx__win32_failed();
    signals_installed = true;
    return 0;
}

static void signals_link(plx__signal_watch *watch)
{
    plx__signal_watch **first = &signals_first[watch->number];

    atomic_store_explicit(&watch->next, *first, PLX__RELAXED);
    *first = watch;
}

static void signals_unlink(plx__signal_watch *watch)
{
    plx__signal_watch *before = signals_first[watch->number];

    if (before == watch) {
        signals_first[watch->number] = signals_next(watch);
        return;
    }
    while (signals_next(before) != watch)
        before = signals_next(before);
    atomic_store_explicit(&before->next, signals_next(watch), PLX__RELAXED);
}

int plx__signals_add(plx__signal_watch *watches, int count)
{
    for (int i = 0; i < count; i++)
        if (!plx__signals_valid(watches[i].number)) /* processes ask for plx__signal_child */
            return -ENOTSUP;
    plx__lock_take(&signals_changes);
    int rc = signals_install();
    if (rc == 0) {
        plx__lock_take(&signals_lock);
        for (int i = 0; i < count; i++)
            signals_link(&watches[i]);
        plx__lock_drop(&signals_lock);
        signals_count += count;
    }
    plx__lock_drop(&signals_changes);
    return rc;
}

void plx__signals_remove(plx__signal_watch *watches, int count)
{
    plx__lock_take(&signals_changes);
    plx__lock_take(&signals_lock);
    for (int i = 0; i < count; i++)
        signals_unlink(&watches[i]);
    bool ending = signals_ending;
    plx__lock_drop(&signals_lock);
    signals_count -= count;
    if (signals_count == 0 && !ending) {
        (void)plx__win32_sources.SetConsoleCtrlHandler(signals_handle, FALSE);
        signals_installed = false;
    }
    plx__lock_drop(&signals_changes);
}

#endif
