/* SPDX-License-Identifier: MIT */
/*
 * Watching paths: the public calls, and the object's life. The memory is held by the caller
 * (one hold) and by the ready queue (one while queued), as a waker's is.
 *
 * Locks: the registry's, then the ready queue's, then the object's; none of the former is
 * taken under the last.
 */
#include "os/config.h"

#include "core/memory.h"
#include "source/paths.h"

#include <limits.h>

#if PLX__HAS_INOTIFY
const plx__paths_way *PLX__SEAM plx__paths_way_used = &plx__paths_inotify;
#elif PLX__HAS_IOCP
const plx__paths_way *PLX__SEAM plx__paths_way_used = &plx__paths_win32;
#else
const plx__paths_way *PLX__SEAM plx__paths_way_used = &plx__paths_scan;
#endif

struct plx_paths {
    plx__source source; /* first: a source is its object */
    plx__attachment attachment;
    plx_registry *registry;
    plx_token token;
    const plx__paths_way *way;
    void *state; /* the way's; under the lock, as the next three */
    _Atomic(uint32_t) holds;
    plx_nanos waited; /* since the last look, under the registry's lock */
    _Atomic(bool) looks; /* it needs ticks; written under the lock, relaxed: who sets it starts them after that */
    _Atomic(bool) due; /* pushed since `any` was asked last; relaxed: the push orders it */
    plx__lock lock;
    int numbers;   /* watches given out */
    bool detached; /* the poller is closed */
    bool closed;
};

static void paths_drop_hold(plx_paths *paths)
{
    if (atomic_fetch_sub_explicit(&paths->holds, 1, PLX__ACQ_REL) == 1) {
        plx__lock_fini(&paths->lock);
        plx__memory_put(&paths->registry->memory, paths);
    }
}

/* ---- As a source ----------------------------------------------------------- */

/*
 * Whether there is something to tell. If another thread is at it, there is: the wait does
 * not stop for a lock that may be held for as long as it takes to look through a tree.
 */
static bool paths_any(plx_paths *paths)
{
    if (!plx__lock_try(&paths->lock))
        return true;
    bool due = atomic_exchange_explicit(&paths->due, false, PLX__RELAXED);
    bool any = !paths->closed && !paths->detached && paths->way->any(paths->state, due);
    plx__lock_drop(&paths->lock);
    return any;
}

/* It stays on the queue while there is something; a push in the meantime has put it there anew. */
static plx__taken paths_take(plx__source *source, plx_event *event)
{
    plx_paths *paths = (plx_paths *)source;

    plx__source_unclaim(source);
    bool any = paths_any(paths);
    if (any) {
        *event = (plx_event){.token = paths->token, .flags = PLX_PATH};
        if (plx__source_claim(source))
            return PLX__TOOK_ONE;
    }
    paths_drop_hold(paths);
    return any ? PLX__TOOK_ALL : PLX__TOOK_NOTHING;
}

static void paths_drop(plx__source *source)
{
    paths_drop_hold((plx_paths *)source);
}

static const plx__source_kind paths_kind = {.take = paths_take, .drop = paths_drop};

/* ---- As an attachment ------------------------------------------------------ */

static plx_paths *paths_of(plx__attachment *attachment)
{
    return (plx_paths *)(void *)((char *)attachment - offsetof(plx_paths, attachment));
}

static bool paths_push(plx_paths *paths)
{
    if (!plx__source_claim(&paths->source))
        return false;
    atomic_store_explicit(&paths->due, true, PLX__RELAXED);
    atomic_fetch_add_explicit(&paths->holds, 1, PLX__RELAXED);
    plx__ready_push(&paths->registry->ready, &paths->source);
    return true;
}

/* The event comes from the ready queue, by the wait that is told here. */
static bool paths_report(plx__attachment *attachment, plx_event *event)
{
    (void)event;
    paths_push(paths_of(attachment));
    return false;
}

static bool paths_tick(plx__attachment *attachment)
{
    plx_paths *paths = paths_of(attachment);
    bool looks = atomic_load_explicit(&paths->looks, PLX__RELAXED);

    paths->waited += PLX__ATTACH_TICK;
    if (looks && paths->waited >= paths->way->interval) {
        paths->waited = 0;
        paths_push(paths);
    }
    return looks;
}

/* Whether ticks are to be started: what is not told of has turned up. Under the object's lock. */
static bool paths_blind(plx_paths *paths)
{
    bool blind = paths->way->interval && paths->way->blind(paths->state);

    return !atomic_exchange_explicit(&paths->looks, blind, PLX__RELAXED) && blind;
}

/* Without any lock. */
static int paths_start_ticks(plx_paths *paths)
{
    int rc = plx__registry_lock(paths->registry);

    if (rc < 0)
        return rc;
    rc = plx__attachment_tick(&paths->attachment);
    plx__registry_unlock(paths->registry);
    if (rc < 0)
        atomic_store_explicit(&paths->looks, false, PLX__RELAXED); /* the next call tries again */
    return rc;
}

static void paths_detach(plx__attachment *attachment)
{
    plx_paths *paths = paths_of(attachment);

    plx__lock_take(&paths->lock);
    paths->way->detach(paths->state);
    paths->detached = true;
    plx__lock_drop(&paths->lock);
}

static const plx__attachment_kind paths_attachment = {
    .report = paths_report,
    .tick = paths_tick,
    .detach = paths_detach,
};

static int paths_attach(plx_paths *paths, plx_registry *registry, plx_fd descriptor)
{
    int rc = plx__registry_lock(registry);

    if (rc < 0)
        return rc;
    paths->attachment.kind = &paths_attachment;
    plx__attach(registry, &paths->attachment);
    if (paths_blind(paths))
        rc = plx__attachment_tick(&paths->attachment);
    else if (descriptor != PLX__NO_DESCRIPTOR)
        rc = plx__attachment_watch(&paths->attachment, descriptor);
    if (rc < 0)
        plx__detach(&paths->attachment);
    plx__registry_unlock(registry);
    return rc;
}

/* ---- The public calls ------------------------------------------------------ */

static int paths_make(plx_registry *registry, plx_token token, plx_paths **paths)
{
    const plx__paths_way *way = plx__paths_way_used;
    plx_paths *made = plx__memory_get(&registry->memory, sizeof *made);
    plx_fd descriptor = PLX__NO_DESCRIPTOR;

    if (!made)
        return -ENOMEM;
    made->source.kind = &paths_kind;
    made->registry = registry;
    made->token = token;
    made->way = way;
    atomic_init(&made->holds, 1);
    int rc = plx__lock_init(&made->lock);
    if (rc < 0)
        goto free_object;
    made->state = plx__memory_get(&registry->memory, way->state_size);
    rc = made->state ? way->open(made->state, &registry->memory, &descriptor) : -ENOMEM;
    if (rc < 0)
        goto free_state;
    rc = paths_attach(made, registry, descriptor);
    if (rc < 0)
        goto close_way;
    *paths = made;
    return 0;

close_way:
    way->fini(made->state);
free_state:
    plx__memory_put(&registry->memory, made->state);
    plx__lock_fini(&made->lock);
free_object:
    plx__memory_put(&registry->memory, made);
    return rc;
}

int plx_paths_open(plx_registry *registry, plx_token token, plx_paths **paths)
{
    int rc = plx__registry_check(registry);

    if (rc == 0 && (!paths || token > PLX_TOKEN_MAX))
        rc = -EINVAL;
    if (rc == 0)
        rc = paths_make(registry, token, paths);
    if (rc == 0)
        (void)plx_registry_retain(registry);
    return rc;
}

int plx_paths_add(plx_paths *paths, const char *path, uint32_t changes, int *watch)
{
    if (!paths || !path || !watch || !(changes & PLX__PATH_CHANGES) ||
        changes & ~(PLX__PATH_CHANGES | PLX_PATH_RECURSIVE))
        return -EINVAL;
    int rc = plx__registry_check(paths->registry);
    if (rc == 0 && changes & paths->way->cannot)
        rc = -ENOTSUP;
    if (rc < 0)
        return rc;
    bool any = false, blind = false;
    int number = 0;
    plx__lock_take(&paths->lock);
    if (paths->detached)
        rc = -PLX_ESHUTDOWN;
    else
        rc = paths->numbers == INT_MAX ? -ENOSPC
                                       : paths->way->add(paths->state, path, changes, paths->numbers + 1);
    if (rc == 0) {
        number = ++paths->numbers;
        any = paths->way->any(paths->state, false);
        blind = paths_blind(paths);
    }
    plx__lock_drop(&paths->lock);
    if (blind && (rc = paths_start_ticks(paths)) < 0)
        (void)plx_paths_remove(paths, number);
    if (rc < 0)
        return rc;
    *watch = number;
    if (any) { /* whoever waits has been told of what was there before */
        paths_push(paths);
        (void)plx__wake_claim(paths->registry);
    }
    return 0;
}

int plx_paths_remove(plx_paths *paths, int watch)
{
    if (!paths)
        return -EINVAL;
    int rc = plx__registry_check(paths->registry);
    if (rc < 0)
        return rc;
    plx__lock_take(&paths->lock);
    rc = paths->detached ? -PLX_ESHUTDOWN : paths->way->remove(paths->state, watch);
    plx__lock_drop(&paths->lock);
    return rc;
}

int plx_paths_next(plx_paths *paths, plx_path_change *change)
{
    if (!paths || !change)
        return -EINVAL;
    if (plx__forked(paths->registry))
        return -ECHILD;
    plx__lock_take(&paths->lock);
    int rc = paths->way->next(paths->state, change);
    bool blind = !paths->detached && paths_blind(paths);
    bool more = rc > 0 && !paths->detached; /* the descriptor may be silent about it: it was read */
    if (rc == 0)
        rc = paths->detached ? -PLX_ESHUTDOWN : -EAGAIN;
    plx__lock_drop(&paths->lock);
    if (blind)
        (void)paths_start_ticks(paths);
    if (more && paths_push(paths))
        (void)plx__wake_claim(paths->registry);
    return rc > 0 ? 0 : rc;
}

void plx_paths_close(plx_paths *paths)
{
    if (!paths)
        return;
    plx_registry *registry = paths->registry;
    bool forked = plx__forked(registry);

    if (!forked) { /* in a child the locks may be held for ever, and nobody else is there */
        plx__lock_take(&registry->lock);
        plx__detach(&paths->attachment);
        plx__lock_drop(&registry->lock);
        plx__lock_take(&paths->lock);
    }
    paths->closed = true;
    if (!forked || plx__lock_try(&paths->lock)) {
        paths->way->fini(paths->state);
        plx__memory_put(&registry->memory, paths->state);
    } else {
        paths->way->detach(paths->state); /* a fork has cut another thread's work in two: the rest is left */
    }
    paths->state = NULL;
    if (!forked)
        plx__lock_drop(&paths->lock);
    paths_drop_hold(paths);
    plx_registry_release(registry);
}
