/* SPDX-License-Identifier: MIT */
/*
 * Wakers. Callers hold references in `users`; the memory is held by the callers together
 * (one hold) and by the ready queue (one while queued). A waker that has lost its last
 * user on the queue is silent when its turn comes.
 */
#include "os/config.h"

#include "core/core.h"
#include "core/memory.h"

struct plx_waker {
    plx__source source; /* first: a source is its waker */
    plx_registry *registry;
    plx_token token;
    _Atomic(uint32_t) users;
    _Atomic(uint32_t) holds;
};

static void waker_drop_hold(plx_waker *waker)
{
    if (atomic_fetch_sub_explicit(&waker->holds, 1, PLX__ACQ_REL) == 1)
        plx__memory_put(&waker->registry->memory, waker);
}

static plx__taken waker_take(plx__source *source, plx_event *event)
{
    plx_waker *waker = (plx_waker *)source;
    bool used = atomic_load_explicit(&waker->users, PLX__ACQUIRE) > 0;

    if (used)
        *event = (plx_event){.token = waker->token, .flags = PLX_WAKER};
    plx__source_unclaim(source);
    waker_drop_hold(waker);
    return used ? PLX__TOOK_ALL : PLX__TOOK_NOTHING;
}

static void waker_drop(plx__source *source)
{
    waker_drop_hold((plx_waker *)source);
}

static const plx__source_kind waker_kind = {.take = waker_take, .drop = waker_drop};

int plx_waker_open(plx_registry *registry, plx_token token, plx_waker **waker)
{
    int rc = plx__registry_check(registry);

    if (rc == 0 && (!waker || token > PLX_TOKEN_MAX))
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    plx_waker *made = plx__memory_get(&registry->memory, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->source.kind = &waker_kind;
    made->registry = plx_registry_retain(registry);
    made->token = token;
    atomic_init(&made->users, 1);
    atomic_init(&made->holds, 1);
    *waker = made;
    return 0;
}

int plx_waker_wake(plx_waker *waker)
{
    if (!waker)
        return -EINVAL;
    int rc = plx__registry_check(waker->registry);
    if (rc < 0)
        return rc;
    if (plx__source_claim(&waker->source)) {
        atomic_fetch_add_explicit(&waker->holds, 1, PLX__RELAXED);
        plx__ready_push(&waker->registry->ready, &waker->source);
    }
    return plx__wake_send(waker->registry);
}

plx_waker *plx_waker_retain(plx_waker *waker)
{
    if (waker)
        atomic_fetch_add_explicit(&waker->users, 1, PLX__RELAXED);
    return waker;
}

void plx_waker_release(plx_waker *waker)
{
    if (!waker || atomic_fetch_sub_explicit(&waker->users, 1, PLX__ACQ_REL) != 1)
        return;
    plx_registry *registry = waker->registry;
    waker_drop_hold(waker);
    plx_registry_release(registry);
}
