/* SPDX-License-Identifier: MIT */
/* A poller's life: open, close, the last reference; and what it says about itself. */
#include "os/config.h"

#include "core/core.h"
#include "core/memory.h"
#include "os/clock.h"

static int poller_validate(const plx_options *options)
{
    if ((unsigned)options->backend > PLX_BACKEND_IOCP || (unsigned)options->clock > PLX_CLOCK_MANUAL ||
        options->flags & ~PLX_RETURN_ON_SIGNAL)
        return -EINVAL;
    const plx_allocator *memory = options->allocator;
    if (memory && !(memory->allocate && memory->reallocate && memory->release))
        return -EINVAL;
    return 0;
}

static int poller_init_parts(plx_registry *registry, plx_clock clock)
{
    int rc = plx__lock_init(&registry->lock);

    if (rc < 0)
        return rc;
    rc = plx__condition_init(&registry->departed);
    if (rc < 0)
        goto fini_lock;
    rc = plx__ready_init(&registry->ready);
    if (rc < 0)
        goto fini_departed;
    rc = plx__turn_init(&registry->turn);
    if (rc < 0)
        goto fini_ready;
    rc = plx__gates_init(&registry->gates);
    if (rc < 0)
        goto fini_turn;
    rc = plx__timers_init(&registry->timers, clock, &registry->memory);
    if (rc < 0)
        goto fini_gates;
    return 0;

fini_gates:
    plx__gates_fini(&registry->gates);
fini_turn:
    plx__turn_fini(&registry->turn);
fini_ready:
    plx__ready_fini(&registry->ready);
fini_departed:
    plx__condition_fini(&registry->departed);
fini_lock:
    plx__lock_fini(&registry->lock);
    return rc;
}

static void poller_fini_parts(plx_registry *registry)
{
    plx__timers_fini(&registry->timers);
    plx__gates_fini(&registry->gates);
    plx__turn_fini(&registry->turn);
    plx__ready_fini(&registry->ready);
    plx__condition_fini(&registry->departed);
    plx__lock_fini(&registry->lock);
}

/* The kernel's part and the registrations; what posts and wakers left waits for the last reference. */
static void poller_end(plx_registry *registry)
{
    plx__timers_disarm(registry);
    registry->backend->fini(registry->state, plx__forked(registry));
    plx__memory_put(&registry->memory, registry->state);
    plx__table_fini(&registry->table);
    registry->registered = 0;
}

int plx_poller_open(plx_poller **poller, const plx_options *options)
{
    static const plx_options defaults;

    options = options ? options : &defaults;
    int rc = poller ? poller_validate(options) : -EINVAL;
    if (rc == 0)
        rc = plx__fork_watch();
    if (rc < 0)
        return rc;
    plx_allocator memory = options->allocator ? *options->allocator : plx__memory_default;
    plx_poller *made = plx__memory_get(&memory, sizeof *made);
    if (!made)
        return -ENOMEM;

    plx_registry *registry = &made->registry;
    atomic_init(&registry->references, 1);
    registry->fork_generation = atomic_load_explicit(&plx__fork_generation, PLX__RELAXED);
    registry->memory = memory;
    registry->return_on_signal = options->flags & PLX_RETURN_ON_SIGNAL;
    plx__table_init(&registry->table, &registry->memory);
    plx__posts_init(&registry->posts, &registry->memory);
    rc = poller_init_parts(registry, options->clock);
    if (rc < 0)
        goto free_poller;
    rc = plx__backend_open(options->backend, &registry->memory, &registry->backend, &registry->state);
    if (rc < 0)
        goto fini_parts;
    rc = options->clock == PLX_CLOCK_BOOTTIME ? plx__timers_arm(registry) : 0;
    if (rc < 0)
        goto end_backend;
    *poller = made;
    return 0;

end_backend:
    poller_end(registry);
fini_parts:
    poller_fini_parts(registry);
free_poller:
    plx__memory_put(&memory, made);
    return rc;
}

void plx_poller_close(plx_poller *poller)
{
    if (!poller)
        return;
    plx_registry *registry = &poller->registry;
    if (plx__forked(registry)) { /* its locks may be held by threads that are not in this process */
        poller_end(registry);
    } else {
        plx__lock_take(&registry->lock);
        plx__detach_all(registry);
        plx__wake_close(registry);
        poller_end(registry);
        plx__lock_drop(&registry->lock);
        plx__gates_close(&registry->gates);
    }
    plx_registry_release(registry);
}

void plx_registry_release(plx_registry *registry)
{
    if (!registry || atomic_fetch_sub_explicit(&registry->references, 1, PLX__ACQ_REL) != 1)
        return;
    /* A fork may have cut another thread's work on the queue or the timers in two: then they are left. */
    if (!plx__forked(registry)) {
        plx__ready_clear(&registry->ready);
        plx__posts_fini(&registry->posts);
        poller_fini_parts(registry);
    } else {
        if (plx__lock_try(&registry->ready.lock)) {
            plx__ready_clear(&registry->ready);
            plx__posts_fini(&registry->posts);
        }
        if (plx__lock_try(&registry->timers.lock))
            plx__wheel_fini(&registry->timers.wheel);
    }
    plx_allocator memory = registry->memory;
    plx__memory_put(&memory, registry);
}

plx_registry *plx_poller_registry(plx_poller *poller)
{
    return poller ? &poller->registry : NULL;
}

int plx_poller_descriptor(plx_poller *poller)
{
    if (!poller)
        return -EINVAL;
    plx_registry *registry = &poller->registry;
    if (plx__forked(registry))
        return -ECHILD;
    int descriptor = registry->backend->descriptor(registry->state);
    if (descriptor < 0)
        return descriptor;
    plx__lock_take(&registry->lock);
    int rc = plx__timers_arm(registry);
    plx__lock_drop(&registry->lock);
    if (rc < 0)
        return rc;
    plx__wake_set(&registry->wake, PLX__NESTED);
    bool due = plx__timers_settle(&registry->timers, plx__timers_now(&registry->timers));
    if (due || plx__ready_any(&registry->ready) || plx__wake_word(&registry->wake) & PLX__NOTIFIED)
        rc = plx__wake_claim(registry);
    return rc < 0 ? rc : descriptor;
}

const char *plx_poller_backend(const plx_poller *poller)
{
    return poller ? poller->registry.backend->name : NULL;
}

bool plx_poller_supports(const plx_poller *poller, uint32_t flags)
{
    return poller && !(flags & ~(PLX__READINESS | PLX__MODES)) &&
           !plx__backend_missing(poller->registry.backend, flags);
}

plx_nanos plx_poller_now(const plx_poller *poller)
{
    return poller ? plx__timers_now(&poller->registry.timers) : plx__clock_now();
}

int plx_poller_advance(plx_poller *poller, plx_nanos by)
{
    if (!poller || by < 0 || poller->registry.timers.clock != PLX_CLOCK_MANUAL)
        return -EINVAL;
    if (plx__forked(&poller->registry))
        return -ECHILD;
    return plx__timers_advance(&poller->registry, by);
}

plx_nanos plx_now(void)
{
    return plx__clock_now();
}

static void poller_sum(plx_stats *sum, const plx__tally *tally)
{
    sum->waits += atomic_load_explicit(&tally->waits, PLX__RELAXED);
    sum->events += atomic_load_explicit(&tally->events, PLX__RELAXED);
    sum->kernel_calls += atomic_load_explicit(&tally->calls, PLX__RELAXED);
}

void plx_poller_stats(const plx_poller *poller, plx_stats *stats)
{
    if (!poller || !stats)
        return;
    plx_registry *registry = (plx_registry *)&poller->registry; /* for its lock */
    plx_stats sum = {0};

    if (!plx__forked(registry))
        plx__lock_take(&registry->lock);
    sum.kernel_calls = registry->lock_calls + atomic_load_explicit(&registry->wake_calls, PLX__RELAXED);
    sum.registered = registry->registered;
    if (!plx__forked(registry))
        plx__lock_drop(&registry->lock);
    poller_sum(&sum, &registry->alone);
    poller_sum(&sum, &registry->others);
    plx__timers_stats(registry, &sum);
    sum.wakes_sent = atomic_load_explicit(&registry->wake.sent, PLX__RELAXED);
    sum.wakes_elided = atomic_load_explicit(&registry->wake.elided, PLX__RELAXED);
    *stats = sum;
}
