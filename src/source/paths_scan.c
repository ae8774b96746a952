/* SPDX-License-Identifier: MIT */
/*
 * Watching paths where the system does not tell what changed: what was listed is kept, and
 * compared with a new listing when the system tells that something did (os/hints.h), or, of what
 * it does not even tell that, once a second, by a timer of the poller's.
 *
 * A look only compares, and takes no memory of the poller's (the C library's listings take
 * theirs). If something differs, the next plx_paths_next makes changes of it. Names that
 * went and names that came are paired by inode: a rename, with a cookie made up here.
 */
#include "os/config.h"

#include "source/paths.h"

#if PLX__HAS_POSIX
#include "source/paths_listing.h"

#include "core/memory.h"
#include "os/posix.h"

#include <string.h>

static void sc_fini(void *state)
{
    sc_state *sc = state;

    while (sc->watches) {
        sc_watch *watch = sc->watches;
        sc->watches = watch->next;
        plx__listing_drop_watch(sc, watch);
    }
    while (sc->first) {
        sc_change *change = sc->first;
        sc->first = change->next;
        plx__memory_put(sc->memory, change);
    }
    plx__memory_put(sc->memory, sc->current);
    plx__names_fini(&sc->entries);
    plx__hints_close(&sc->hints);
}

static int sc_open(void *state, const plx_allocator *memory, plx_fd *descriptor)
{
    sc_state *sc = state;

    sc->memory = memory;
    sc->hints.fd = PLX__NO_DESCRIPTOR;
    int rc = plx__names_init(&sc->entries, memory);
    if (rc < 0)
        return rc;
    rc = plx__hints_open(&sc->hints, memory);
    if (rc < 0 && rc != -ENOTSUP) {
        plx__names_fini(&sc->entries);
        return rc;
    }
    sc->blind = rc < 0;
    if (rc == 0)
        *descriptor = sc->hints.fd;
    return 0;
}

/* In a child of fork the lists may be half of something. */
static void sc_detach(void *state)
{
    sc_state *sc = state;
    bool forked = sc->hints.generation != atomic_load_explicit(&plx__fork_generation, PLX__RELAXED);

    for (sc_watch *watch = sc->watches; watch && !forked; watch = watch->next)
        plx__listing_drop_hints(sc, watch);
    plx__hints_close(&sc->hints);
}

/* ---- Watches --------------------------------------------------------------- */

static int sc_make_watch(sc_state *sc, const char *path, uint32_t changes, int number, sc_watch **watch)
{
    size_t length = strlen(path);
    size_t before = 0;

    if (length == 0)
        return -ENOENT;
    if (path[0] != '/') {
        int rc = plx__working_folder(sc->path, PLX__PATH_SIZE);
        if (rc < 0)
            return rc == -ERANGE ? -ENAMETOOLONG : rc;
        before = strlen(sc->path);
        sc->path[before++] = '/';
    }
    if (before + length >= PLX__PATH_SIZE)
        return -ENAMETOOLONG;
    sc_watch *made = plx__memory_get(sc->memory, sizeof *made + before + length + 1);
    if (!made)
        return -ENOMEM;
    memcpy(made->path, sc->path, before);
    memcpy(made->path + before, path, length + 1);
    made->length = before + length;
    made->changes = changes;
    made->number = number;
    *watch = made;
    return 0;
}

static int sc_add(void *state, const char *path, uint32_t changes, int number)
{
    sc_state *sc = state;
    sc_watch *watch = NULL;
    int rc = sc_make_watch(sc, path, changes, number, &watch);

    if (rc < 0)
        return rc;
    rc = plx__listing_begin(sc, watch);
    if (rc < 0) {
        plx__listing_drop_watch(sc, watch);
        return rc;
    }
    sc_watch **end = &sc->watches;
    while (*end)
        end = &(*end)->next;
    *end = watch;
    return 0;
}

static int sc_remove(void *state, int number)
{
    sc_state *sc = state;
    sc_watch **link = &sc->watches;

    while (*link && (*link)->number != number)
        link = &(*link)->next;
    if (!*link)
        return -ENOENT;
    sc_watch *watch = *link;
    *link = watch->next;
    plx__listing_drop_watch(sc, watch);
    for (sc_change *change = sc->first; change; change = change->next)
        if (change->watch == number)
            change->watch = 0; /* passed over */
    return 0;
}

/* ---- Looking and telling --------------------------------------------------- */

static bool sc_any(void *state, bool look)
{
    sc_state *sc = state;

    if (look && sc->hints.fd != PLX__NO_DESCRIPTOR)
        look = plx__hints_drain(&sc->hints) || sc->blind;
    while (sc->first && sc->first->watch == 0) {
        sc_change *passed = sc->first;
        sc->first = passed->next;
        plx__memory_put(sc->memory, passed);
    }
    for (sc_watch *watch = sc->watches; watch && look && !sc->found; watch = watch->next)
        sc->found = !watch->gone && plx__listing_differs(sc, watch);
    return sc->first || sc->found || sc->lost;
}

static int sc_next(void *state, plx_path_change *change)
{
    sc_state *sc = state;

    if (!sc_any(sc, false))
        return 0;
    if (!sc->first && sc->found) {
        sc->found = false;
        sc->blind = sc->hints.fd == PLX__NO_DESCRIPTOR;
        for (sc_watch *watch = sc->watches; watch; watch = watch->next)
            if (!watch->gone)
                plx__listing_compare(sc, watch);
    }
    if (sc->lost) {
        sc->lost = false;
        *change = (plx_path_change){.watch = -1, .changes = PLX_PATH_OVERFLOW, .name = ""};
        return 1;
    }
    if (!sc->first)
        return 0;
    plx__memory_put(sc->memory, sc->current);
    sc->current = sc->first;
    sc->first = sc->first->next;
    *change = (plx_path_change){
        .watch = sc->current->watch,
        .changes = sc->current->changes,
        .cookie = sc->current->cookie,
        .name = sc->current->name,
    };
    return 1;
}

static bool sc_blind(void *state)
{
    sc_state *sc = state;

    return sc->blind;
}

const plx__paths_way plx__paths_scan = {
    .state_size = sizeof(sc_state),
    .cannot = PLX_PATH_CLOSED_WRITE,
    .interval = PLX_SEC(1),
    .open = sc_open,
    .fini = sc_fini,
    .add = sc_add,
    .remove = sc_remove,
    .next = sc_next,
    .any = sc_any,
    .blind = sc_blind,
    .detach = sc_detach,
};

#endif
