/* SPDX-License-Identifier: MIT */
/* Signals and processes as Windows has them: console events, and handles. */
#include "os/config.h"

#include "support.h"

#if !PLX__HAS_POSIX

#include "os/sources_win32.h"

#include <signal.h>

/* ---- Console events ------------------------------------------------------------- */

/* What the library has installed, for the cases that take the system's place and call it. */
static PHANDLER_ROUTINE installed;
static int installs, removals;

static BOOL WINAPI keep_handler(PHANDLER_ROUTINE handler, BOOL add)
{
    CHECK(add ? !installed : installed == handler);
    installed = add ? handler : NULL;
    installs += add != 0;
    removals += !add;
    return TRUE;
}

static BOOL WINAPI refuse_handler(PHANDLER_ROUTINE handler, BOOL add)
{
    (void)handler, (void)add;
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return FALSE;
}

static const int all_numbers[] = {SIGINT, SIGBREAK, SIGTERM};

static plx_signals *watch(plx_poller *poller, plx_token token, int count)
{
    plx_signals *signals;
    CHECK_RC(plx_signals_open(plx_poller_registry(poller), token, all_numbers, count, &signals), 0);
    return signals;
}

static void expect_next(plx_signals *signals, int number, DWORD event)
{
    plx_signal_info info = {0};
    CHECK_RC(plx_signals_next(signals, &info), 0);
    CHECK_EQ(info.number, number);
    CHECK_EQ(info.code, event);
    CHECK(info.pid == 0 && info.uid == 0 && info.status == 0);
}

static void expect_none(plx_signals *signals)
{
    plx_signal_info info;
    CHECK_RC(plx_signals_next(signals, &info), -EAGAIN);
}

CASE(console_interrupt_is_told)
{
    plx_poller *poller = open_poller();
    plx_signals *signals = watch(poller, 7, 3);
    (void)FreeConsole(); /* others may sit at it */
    if (!AllocConsole())
        SKIP("no console to be had");
    EXPECT_SILENCE(poller, 0);
    CHECK(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
    plx_event event;
    CHECK_RC(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
    CHECK(event.token == 7 && event.flags == PLX_SIGNAL && event.data == SIGINT);
    expect_next(signals, SIGINT, CTRL_C_EVENT);
    EXPECT_SILENCE(poller, 0);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(console_events_have_the_numbers_of_signals)
{
    plx__win32_sources.SetConsoleCtrlHandler = keep_handler;
    plx_poller *poller = open_poller();
    plx_signals *one = watch(poller, 1, 3);
    plx_signals *other = watch(poller, 2, 1); /* SIGINT */
    CHECK(installed(CTRL_BREAK_EVENT));
    plx_event event = EXPECT(poller, 1, PLX_SIGNAL);
    CHECK_EQ(event.data, SIGBREAK);
    EXPECT(poller, 1, PLX_SIGNAL); /* it is unread */
    expect_next(one, SIGBREAK, CTRL_BREAK_EVENT);
    expect_none(one);
    expect_none(other);
    CHECK(installed(CTRL_C_EVENT) && installed(CTRL_C_EVENT));
    for (int i = 0; i < 2; i++) {
        expect_next(one, SIGINT, CTRL_C_EVENT);
        expect_next(other, SIGINT, CTRL_C_EVENT);
    }
    CHECK(!installed(4711)); /* what there may be one day goes on to others */
    plx_signals_close(one);
    CHECK(!installed(CTRL_BREAK_EVENT));
    CHECK(installed(CTRL_C_EVENT));
    expect_next(other, SIGINT, CTRL_C_EVENT);
    EXPECT_SILENCE(poller, 0);
    plx_signals_close(other);
    plx_poller_close(poller);
}

static atomic_int handler_returned;

static void close_the_console(void *argument)
{
    (void)argument;
    installed(CTRL_CLOSE_EVENT);
    atomic_store(&handler_returned, 1);
}

/* If it did, the system would end the process before it could react. */
CASE(closed_console_is_told_and_its_handler_never_returns)
{
    plx__win32_sources.SetConsoleCtrlHandler = keep_handler;
    plx_poller *poller = open_poller();
    plx_signals *signals = watch(poller, 7, 3);
    (void)thread_start(close_the_console, NULL);
    plx_event event;
    CHECK_RC(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
    CHECK_EQ(event.data, SIGTERM);
    expect_next(signals, SIGTERM, CTRL_CLOSE_EVENT);
    plx_signals_close(signals); /* and does not wait for the handler */
    plx_poller_close(poller);
    sleep_for(PLX_MSEC(50));
    CHECK(!atomic_load(&handler_returned));
    CHECK_EQ(removals, 0); /* it would wait for the handler */
}

CASE(handler_of_console_events_goes_with_the_last_watch)
{
    plx__win32_sources.SetConsoleCtrlHandler = keep_handler;
    plx_poller *poller = open_poller();
    for (int i = 1; i <= 3; i++) {
        plx_signals *one = watch(poller, 1, 3);
        plx_signals *other = watch(poller, 2, i);
        CHECK(installed != NULL && installs == i);
        plx_signals_close(i % 2 ? one : other);
        CHECK_EQ(removals, i - 1);
        plx_signals_close(i % 2 ? other : one);
        CHECK_EQ(removals, i);
    }
    plx_signals *last = watch(poller, 1, 1);
    plx_poller_close(poller);
    CHECK_EQ(removals, 4);
    plx_signals_close(last);
    CHECK_EQ(removals, 4);
}

CASE(signals_without_a_console_event_are_einval)
{
    static const int none[] = {0, -1, 1, SIGILL, SIGFPE, SIGSEGV, SIGABRT, 128, 129, 4711};
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_signals *signals = NULL;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CHECK_RC(plx_signals_open(registry, 1, (const int[]){SIGINT, none[i]}, 2, &signals), -EINVAL);
    plx__win32_sources.SetConsoleCtrlHandler = refuse_handler;
    CHECK_RC(plx_signals_open(registry, 1, all_numbers, 3, &signals), -ENOMEM);
    CHECK(signals == NULL);
    plx__win32_sources.SetConsoleCtrlHandler = keep_handler;
    signals = watch(poller, 1, 3);
    plx_signals_close(signals);
    CHECK(installs == 1 && removals == 1);
    plx_poller_close(poller);
}

/* ---- Processes ------------------------------------------------------------------- */

/* Ends with this process, whose output it would otherwise hold open, what is in it. */
static HANDLE open_job(void)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    HANDLE job = CreateJobObjectW(NULL, NULL);
    CHECK(job != NULL);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    CHECK(SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits));
    return job;
}

/* It runs nothing until it is ended. */
static PROCESS_INFORMATION child_start(void)
{
    static HANDLE job;
    wchar_t program[MAX_PATH];
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION child;
    job = job ? job : open_job();
    CHECK(GetModuleFileNameW(NULL, program, MAX_PATH) > 0);
    CHECK(CreateProcessW(program, NULL, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &startup, &child));
    CHECK(AssignProcessToJobObject(job, child.hProcess));
    CHECK(CloseHandle(child.hThread));
    return child;
}

static void child_end(PROCESS_INFORMATION *child, UINT code)
{
    CHECK(TerminateProcess(child->hProcess, code));
    CHECK_EQ(WaitForSingleObject(child->hProcess, INFINITE), WAIT_OBJECT_0);
}

static void child_forget(PROCESS_INFORMATION *child)
{
    CHECK(CloseHandle(child->hProcess));
}

static plx_process *follow(plx_poller *poller, plx_token token, DWORD pid)
{
    plx_process *process;
    CHECK_RC(plx_process_open(plx_poller_registry(poller), token, pid, &process), 0);
    return process;
}

static void expect_code(plx_process *process, UINT code)
{
    plx_exit status = {.signal = 4711};
    for (int i = 0; i < 2; i++) {
        CHECK_RC(plx_process_status(process, &status), 0);
        CHECK_EQ(status.code, (int)code);
        CHECK_EQ(status.signal, 0);
    }
}

/* 259 is what the system says of a process that runs, and 0xc0000005 how a crash ends. */
CASE(process_of_windows_reports_its_end_once_and_its_code)
{
    static const UINT codes[] = {0, 7, 259, 0xc0000005};
    plx_poller *poller = open_poller();
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        plx_exit status;
        PROCESS_INFORMATION child = child_start();
        plx_process *one = follow(poller, 1, child.dwProcessId);
        EXPECT_SILENCE(poller, PLX_MSEC(2));
        CHECK_RC(plx_process_status(one, &status), -EAGAIN);
        child_end(&child, codes[i]);
        plx_event event;
        CHECK_RC(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
        CHECK(event.token == 1 && event.flags == PLX_PROCESS);
        EXPECT_SILENCE(poller, PLX_MSEC(2));
        expect_code(one, codes[i]);
        plx_process *other = follow(poller, 2, child.dwProcessId); /* over already */
        CHECK_RC(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
        CHECK(event.token == 2 && event.flags == PLX_PROCESS);
        child_forget(&child); /* the number is held by those who watch it */
        expect_code(other, codes[i]);
        plx_process_close(one);
        plx_process_close(other);
    }
    plx_poller_close(poller);
}

CASE(processes_of_windows_that_are_none_are_errors)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_process *process = NULL;
    PROCESS_INFORMATION child = child_start();
    CHECK_RC(plx_process_open(registry, 1, 0, &process), -EINVAL);
    for (DWORD i = 1; i < 4; i++) /* which OpenProcess takes for the child's */
        CHECK_RC(plx_process_open(registry, 1, child.dwProcessId + i, &process), -ESRCH);
    CHECK_RC(plx_process_open(registry, 1, 0x7ffffffc, &process), -ESRCH);
    child_end(&child, 1);
    child_forget(&child);
    CHECK(process == NULL);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
}

static DWORD last_access;

/* As of somebody else's process. */
static HANDLE WINAPI open_to_wait(DWORD access, BOOL inherit, DWORD pid)
{
    last_access = access;
    if (access == SYNCHRONIZE)
        return OpenProcess(access, inherit, pid);
    SetLastError(ERROR_ACCESS_DENIED);
    return NULL;
}

CASE(process_that_hides_its_code_reports_its_end)
{
    plx_poller *poller = open_poller();
    plx_exit status = {.code = 4711};
    plx__win32_sources.OpenProcess = open_to_wait;
    PROCESS_INFORMATION child = child_start();
    plx_process *process = follow(poller, 1, child.dwProcessId);
    CHECK_EQ(last_access, SYNCHRONIZE);
    CHECK_RC(plx_process_status(process, &status), -EAGAIN);
    child_end(&child, 1);
    plx_event event;
    CHECK_RC(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
    CHECK_RC(plx_process_status(process, &status), -ECHILD);
    CHECK_EQ(status.code, 4711);
    child_forget(&child);
    plx_process_close(process);
    plx_poller_close(poller);
}

CASE(processes_of_windows_and_their_poller_end_in_any_order)
{
    plx_poller *poller = open_poller();
    plx_exit status;
    PROCESS_INFORMATION running = child_start(), over = child_start();
    plx_process *one = follow(poller, 1, running.dwProcessId);
    plx_process *other = follow(poller, 2, over.dwProcessId);
    child_end(&over, 3);
    plx_poller_close(poller);
    child_end(&running, 4);
    CHECK_RC(plx_process_status(one, &status), -PLX_ESHUTDOWN);
    expect_code(other, 3);
    plx_process_close(one);
    plx_process_close(other);
    child_forget(&running);
    child_forget(&over);
}

/* Some are over before they are watched, some are not; all are told, once. */
CASE(stress_ends_of_processes_of_windows_are_all_told_once)
{
    enum { AT_ONCE = 40 };
    static PROCESS_INFORMATION children[AT_ONCE];
    static plx_process *processes[AT_ONCE];
    plx_poller *poller = open_poller();
    int batches = (rounds(120) + AT_ONCE - 1) / AT_ONCE;
    for (int batch = 0; batch < batches; batch++) {
        int told[AT_ONCE] = {0};
        for (int i = 0; i < AT_ONCE; i++) {
            children[i] = child_start();
            if (i % 3 == 0)
                child_end(&children[i], (UINT)i);
            processes[i] = follow(poller, (plx_token)i, children[i].dwProcessId);
        }
        for (int i = 0; i < AT_ONCE; i++)
            if (i % 3)
                child_end(&children[i], (UINT)i);
        for (int left = AT_ONCE; left > 0;) {
            plx_event events[16];
            int count = plx_poller_wait(poller, events, 16, PATIENCE);
            CHECK(count > 0);
            for (int k = 0; k < count; k++, left--) {
                CHECK(events[k].flags == PLX_PROCESS && events[k].token < AT_ONCE);
                CHECK_EQ(++told[events[k].token], 1);
            }
        }
        EXPECT_SILENCE(poller, 0);
        for (int i = 0; i < AT_ONCE; i++) {
            expect_code(processes[i], (UINT)i);
            plx_process_close(processes[i]);
            child_forget(&children[i]);
        }
    }
    plx_poller_close(poller);
}

#else

#define NOT_HERE(name, limit) \
    CASE(name)                \
    {                         \
        SKIP(limit);          \
    }

#define NO_CONSOLE(name) NOT_HERE(name, "console events are Windows'")
#define NO_HANDLES(name) NOT_HERE(name, "handles of processes are Windows'")

NO_CONSOLE(console_interrupt_is_told)
NO_CONSOLE(console_events_have_the_numbers_of_signals)
NO_CONSOLE(closed_console_is_told_and_its_handler_never_returns)
NO_CONSOLE(handler_of_console_events_goes_with_the_last_watch)
NO_CONSOLE(signals_without_a_console_event_are_einval)
NO_HANDLES(process_of_windows_reports_its_end_once_and_its_code)
NO_HANDLES(processes_of_windows_that_are_none_are_errors)
NO_HANDLES(process_that_hides_its_code_reports_its_end)
NO_HANDLES(processes_of_windows_and_their_poller_end_in_any_order)
NO_HANDLES(stress_ends_of_processes_of_windows_are_all_told_once)

#endif
