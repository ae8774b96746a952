/* SPDX-License-Identifier: MIT */
/*
 * Fork detection by pthread_atfork. The handler takes no lock: whatever another thread
 * held at the fork stays held in the child.
 */
#include "os/config.h"

#include "os/fork.h"

#include <pthread.h>
#include <stdbool.h>

_Atomic(uint32_t) plx__fork_generation;

static _Atomic(bool) fork_watched;

static void fork_child(void)
{
    atomic_fetch_add_explicit(&plx__fork_generation, 1, PLX__RELAXED);
}

/* Without a lock, which a fork could leave held: two handlers count as well as one. */
int plx__fork_watch(void)
{
    if (atomic_load_explicit(&fork_watched, PLX__ACQUIRE))
        return 0;
    int rc = -pthread_atfork(NULL, NULL, fork_child);
    if (rc == 0)
        atomic_store_explicit(&fork_watched, true, PLX__RELEASE);
    return rc;
}
