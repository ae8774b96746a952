/* SPDX-License-Identifier: MIT */
/*
 * Fork detection by pthread_atfork. The handler takes no lock: whatever another thread
 * held at the fork stays held in the child.
 */
#include "os/config.h"

#include "os/fork.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
#include <pthread.h>

_Atomic(uint32_t) plx__fork_generation;

static void fork_child(void)
{
    atomic_fetch_add_explicit(&plx__fork_generation, 1, PLX__RELAXED);
}

/* Without a lock, which a fork could leave held: two handlers do as well as one. */
int plx__fork_call(_Atomic(bool) *watched, void (*in_child)(void))
{
    if (atomic_load_explicit(watched, PLX__ACQUIRE))
        return 0;
    int rc = -pthread_atfork(NULL, NULL, in_child);
    if (rc == 0)
        atomic_store_explicit(watched, true, PLX__RELEASE);
    return rc;
}

int plx__fork_watch(void)
{
    static _Atomic(bool) watched;

    return plx__fork_call(&watched, fork_child);
}

#endif
