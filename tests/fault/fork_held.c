/* SPDX-License-Identifier: MIT */
/*
 * A fork comes while another thread holds a lock of the poller's: it is held in the child for ever, and
 * what it guards is half of something. Closing and releasing there leave it, and the parent goes on.
 */
#include "os/config.h"

#include "../backends.h"
#include "../tools.h"

#include "core/core.h"

#include <sys/wait.h>
#include <unistd.h>

enum held { QUEUE, TIMERS, REGISTRY, LOCKS };

static plx__lock *lock_of(plx_registry *registry, enum held held)
{
    return held == QUEUE ? &registry->ready.lock : held == TIMERS ? &registry->timers.lock : &registry->lock;
}

/* What a thread that held it was changing. */
static void halve(plx_registry *registry, enum held held)
{
    static char nothing;

    if (held == QUEUE)
        registry->ready.list.first = (void *)&nothing;
    else if (held == TIMERS)
        registry->timers.wheel.levels = (void *)&nothing;
}

static void child_lets_go(plx_backend backend, enum held held)
{
    plx_poller *poller;
    plx_event events[2];
    int status;

    CHECK_RC(plx_poller_open(&poller, &(plx_options){.backend = backend}), 0);
    plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
    CHECK_RC(plx_post(registry, 1, 0), 0);
    CHECK_RC(plx_timer_start(registry, 2, 0, 0, &(plx_timer){0}), 0);
    plx__lock_take(lock_of(registry, held));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(20);
        halve(registry, held);
        plx_poller_close(poller);
        plx_registry_release(registry);
        _exit(0);
    }
    plx__lock_drop(lock_of(registry, held));
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_RC(plx_poller_wait(poller, events, 2, 0), 2);
    plx_poller_close(poller);
    plx_registry_release(registry);
}

int main(void)
{
    watchdog(60);
    for (size_t i = 0; backends_here()[i]; i++)
        for (enum held held = QUEUE; held < LOCKS; held++) {
            check_note("%s, lock %d", backends_here()[i]->name, (int)held);
            child_lets_go(backends_here()[i]->id, held);
        }
    return 0;
}
