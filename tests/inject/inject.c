/* SPDX-License-Identifier: MIT */
/* The seam of the system calls, and one of the allocators. */
#include "os/config.h"

#include "../seam_errors.h"
#include "inject.h"

#include "core/memory.h"

#include <pthread.h>

enum { ALLOCATION = SEAM_CALLS, ALLOCATORS = 64 };

_Static_assert((int)SEAM_CALLS < (int)INJECT_CALLS && (int)SEAM_ERRORS <= (int)INJECT_ERRORS, "a report has room for them");

static inject_report *reported;
static inject_fault injected;
static int descriptors_before;

/* ---- Allocations ------------------------------------------------------------------------ */

/* Counts, and refuses, in front of another. */
typedef struct inject_memory {
    plx_allocator outer, inner;
} inject_memory;

static atomic_long asked, refuse_at, live;
static atomic_bool refused;

static bool memory_refuses(void)
{
    long number = atomic_fetch_add(&asked, 1) + 1, at = atomic_load(&refuse_at);

    if (!at || (number != at && !(number > at && number <= at + seam_lasts)))
        return false;
    atomic_store(&refused, true);
    seam_met++;
    return true;
}

static void *memory_allocate(void *context, size_t size)
{
    const inject_memory *memory = context;
    void *pointer = memory_refuses() ? NULL : memory->inner.allocate(memory->inner.context, size);

    if (pointer)
        atomic_fetch_add(&live, 1);
    return pointer;
}

static void *memory_reallocate(void *context, void *pointer, size_t size)
{
    const inject_memory *memory = context;
    void *moved = memory_refuses() ? NULL : memory->inner.reallocate(memory->inner.context, pointer, size);

    if (moved && !pointer)
        atomic_fetch_add(&live, 1);
    return moved;
}

static void memory_release(void *context, void *pointer)
{
    const inject_memory *memory = context;

    atomic_fetch_sub(&live, 1);
    memory->inner.release(memory->inner.context, pointer);
}

static bool memory_same(const plx_allocator *one, const plx_allocator *other)
{
    return one->allocate == other->allocate && one->reallocate == other->reallocate &&
           one->release == other->release && one->context == other->context;
}

/* In front of each allocator once; they are few in a case, and stay. */
const plx_allocator *inject_allocator(const plx_allocator *inner)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static inject_memory all[ALLOCATORS];
    static int count;
    int i = 0;

    if (!inner)
        inner = &plx__memory_default;
    if (!inner->allocate || !inner->reallocate || !inner->release)
        return inner;
    pthread_mutex_lock(&lock);
    while (i < count && !memory_same(&all[i].inner, inner))
        i++;
    CHECK(i < ALLOCATORS);
    if (i == count) {
        all[count++] = (inject_memory){
            .outer = {memory_allocate, memory_reallocate, memory_release, &all[i]},
            .inner = *inner,
        };
    }
    pthread_mutex_unlock(&lock);
    return &all[i].outer;
}

/* ---- The fault ---------------------------------------------------------------------------- */

int inject_calls(void)
{
    return SEAM_CALLS + 1;
}

const char *inject_name(int call)
{
    return call == ALLOCATION ? "allocation" : seam_names[call];
}

const int *inject_errors(int call)
{
    static const int no_memory[SEAM_ERRORS] = {ENOMEM};

    return call == ALLOCATION ? no_memory : seam_errors[call];
}

#if PLX__HAS_EPOLL
/* What a set has can be taken from it: that needs nothing. */
static int control_epoll(int epoll, int operation, int fd, struct epoll_event *event)
{
    return operation == EPOLL_CTL_DEL ? seam.system.epoll_ctl(epoll, operation, fd, event)
                                      : seam_epoll_ctl(epoll, operation, fd, event);
}
#endif

void inject_begin(const inject_fault *fault, inject_report *report)
{
    reported = report;
    descriptors_before = descriptors_open();
    seam_install();
#if PLX__HAS_EPOLL
    plx__linux.epoll_ctl = control_epoll;
#endif
    injected = *fault;
    if (fault->call == ALLOCATION)
        atomic_store(&refuse_at, fault->number);
    else
        seam_fail((enum seam_call)fault->call, fault->number, fault->error);
}

void inject_end(void)
{
    for (int call = 0; call < SEAM_CALLS; call++)
        reported->made[call] = atomic_load(&seam.made[call]);
    reported->made[ALLOCATION] = atomic_load(&asked);
    reported->live = atomic_load(&live);
    reported->descriptors = descriptors_open() - descriptors_before;
    reported->paths = atomic_load(&seam.made[SEAM_INOTIFY_INIT]) > 0;
    reported->met = atomic_load(&seam.failed) > 0 || atomic_load(&refused);
}

long inject_met(void)
{
    return seam_met;
}

void inject_begin_call(bool quiet)
{
    seam_lasts = injected.lasts && !(quiet && injected.call == SEAM_WRITE) ? INJECT_AGAIN : 0;
}

void inject_end_call(void)
{
    seam_lasts = 0;
}

bool inject_refused(void)
{
    return atomic_load(&refused);
}

void inject_told(void)
{
    if (atomic_load(&seam.failed) == 0 && !atomic_load(&refused))
        return;
    reported->met = reported->told = true;
    check_stop(0);
}
