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

static pthread_mutex_t fork_once = PTHREAD_MUTEX_INITIALIZER;
static bool fork_watched;

static void fork_child(void)
{
    atomic_fetch_add_explicit(&plx__fork_generation, 1, PLX__RELAXED);
}

int plx__fork_watch(void)
{
    int rc = 0;

    pthread_mutex_lock(&fork_once);
    if (!fork_watched) {
        rc = -pthread_atfork(NULL, NULL, fork_child);
        fork_watched = rc == 0;
    }
    pthread_mutex_unlock(&fork_once);
    return rc;
}
