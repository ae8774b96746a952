/* SPDX-License-Identifier: MIT */
/*
 * Threads, children and memory of support.h, for Windows.
 *
 * Windows tells the state of a thread, Wine does not: that one is blocked is a guess of 100 ms.
 */
#include "os/config.h"
#include "support.h"

#if !PLX__HAS_POSIX

#include <windows.h>
#include <process.h>

/* ---- Threads ------------------------------------------------------------------ */

int threads_open(void);

struct test_thread {
    HANDLE     handle;
    void     (*body)(void *);
    void      *argument;
    atomic_int runs;
};

static unsigned __stdcall thread_main(void *argument)
{
    test_thread *self = argument;
    atomic_store(&self->runs, 1);
    self->body(self->argument);
    return 0;
}

static atomic_int started;

int threads_open(void)
{
    return atomic_load(&started);
}

test_thread *thread_start(void (*body)(void *), void *argument)
{
    test_thread *thread = malloc(sizeof *thread);
    CHECK(thread != NULL);
    thread->body = body;
    thread->argument = argument;
    atomic_init(&thread->runs, 0);
    thread->handle = (HANDLE)_beginthreadex(NULL, 0, thread_main, thread, 0, NULL);
    CHECK(thread->handle != NULL);
    atomic_fetch_add(&started, 1);
    return thread;
}

void thread_join(test_thread *thread)
{
    CHECK_EQ(WaitForSingleObject(thread->handle, INFINITE), WAIT_OBJECT_0);
    CHECK(CloseHandle(thread->handle));
    atomic_fetch_sub(&started, 1);
    free(thread);
}

void thread_await_asleep(test_thread *thread)
{
    await_count(&thread->runs, 1);
    sleep_for(PLX_MSEC(100));
}

bool threads_can_be_interrupted(void)
{
    return false;
}

void thread_interrupt(test_thread *thread)
{
    (void)thread;
    SKIP("a thread cannot be interrupted on Windows");
}

void thread_signal(test_thread *thread, int number)
{
    (void)thread, (void)number;
    SKIP("no thread is sent a signal on Windows");
}

int interrupts_handled(void)
{
    return 0;
}

/* Sleep counts ticks of the system, the first of which may be nearly over. */
void sleep_for(plx_nanos time)
{
    plx_nanos until = plx_now() + time;
    for (plx_nanos left = time; left > 0; left = until - plx_now())
        Sleep((DWORD)((left + PLX_MSEC(1) - 1) / PLX_MSEC(1)));
}

void await_count(atomic_int *count, int least)
{
    for (int i = 0; atomic_load(count) < least; i++) {
        if (i < 200)
            SwitchToThread();
        else
            Sleep(1);
    }
}

/* ---- Children ------------------------------------------------------------------ */

int in_child(void (*body)(void *), void *argument)
{
    (void)body, (void)argument;
    SKIP("Windows has no fork");
}

/* An empty value is the same as none. */
void set_variable(const char *name, const char *value)
{
    CHECK(_putenv_s(name, value ? value : "") == 0);
}

/* ---- Memory --------------------------------------------------------------------- */

void *reserve_room(size_t size)
{
    return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

long heap_in_use(void)
{
    return -1;
}

#endif
