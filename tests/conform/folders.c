/* SPDX-License-Identifier: MIT */
/* A temporary folder that is watched: what is the same on each system. */
#include "os/config.h"

#include "folders.h"

#include "source/paths.h"
#if PLX__HAS_HINTS
#include "source/paths_listing.h"
#endif

#include <stdio.h>

bool folder_compares(void)
{
    return plx__paths_way_used->interval != 0;
}

void need_events(void)
{
    const char *way = getenv("CONFORM_PATHS");
    if (folder_compares() || (way && strcmp(way, "scan") == 0))
        SKIP("compared listings do not show it");
}

void need_seen(uint32_t changes)
{
    if (plx__paths_way_used->cannot & changes)
        SKIP("the system does not tell of some changes (0x%x)", (unsigned)changes);
}

bool folder_hints(void)
{
    const char *way = getenv("CONFORM_PATHS");
    return PLX__HAS_HINTS && folder_compares() && !(way && strcmp(way, "scan") == 0);
}

#if PLX__HAS_POSIX
#if PLX__HAS_HINTS
/* As if the kernel told of nothing. */
static int open_without_hints(void *state, const plx_allocator *memory, plx_fd *descriptor)
{
    sc_state *sc = state;
    int rc = plx__paths_scan.open(state, memory, descriptor);
    if (rc < 0)
        return rc;
    plx__hints_close(&sc->hints);
    sc->blind = true;
    *descriptor = PLX__NO_DESCRIPTOR;
    return 0;
}
#else
#define open_without_hints plx__paths_scan.open
#endif

static bool blind;

void folder_may_be_blind(void)
{
    blind = true;
}

/* With hints there is no tick that could stand in for one that is missing. */
static void choose_way(void)
{
    static plx__paths_way often;
    const char *way = getenv("CONFORM_PATHS");
    if (folder_compares() || (way && strcmp(way, "scan") == 0)) {
        bool hints = folder_hints();
        often = plx__paths_scan;
        often.interval = hints && !blind ? PLX_SEC(3600) : PLX_MSEC(10);
        often.open = hints ? often.open : open_without_hints;
        plx__paths_way_used = &often;
    }
}
#else
void folder_may_be_blind(void)
{
}

static void choose_way(void)
{
}
#endif

folder folder_open_on(plx_poller *poller)
{
    folder f = {.poller = poller, .registry = plx_poller_registry(poller)};
    choose_way();
    make_place(f.path, sizeof f.path);
    CHECK_RC(plx_paths_open(f.registry, FOLDER_TOKEN, &f.paths), 0);
    return f;
}

folder folder_open(void)
{
    return folder_open_on(open_poller());
}

void folder_close(folder *f)
{
    if (watched_can_be_deleted())
        remove_tree(f, "");
    plx_paths_close(f->paths);
    if (!watched_can_be_deleted())
        remove_tree(f, "");
    plx_poller_close(f->poller); /* NULL is ignored */
}

const char *in_folder(const folder *f, const char *name)
{
    static _Thread_local char paths[4][FOLDER_PATH];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];
    CHECK(snprintf(path, FOLDER_PATH, *name ? "%s/%s" : "%s", f->path, name) < FOLDER_PATH);
    return path;
}

int try_watch(folder *f, const char *name, uint32_t changes, int *number)
{
    return plx_paths_add(f->paths, in_folder(f, name), changes, number);
}

int watch(folder *f, const char *name, uint32_t changes)
{
    int number = 0;
    CHECK_RC(try_watch(f, name, changes, &number), 0);
    CHECK(number > 0);
    return number;
}

/* ---- Expectations ----------------------------------------------------------------- */

void take_change(folder *f, plx_path_change *change)
{
    plx_event event;
    int rc;
    while ((rc = plx_paths_next(f->paths, change)) == -EAGAIN) {
        CHECK_RC(plx_poller_wait(f->poller, &event, 1, PATIENCE), 1);
        CHECK_EQ(event.token, FOLDER_TOKEN);
        CHECK(event.flags == PLX_PATH && event.native == 0 && event.data == 0);
    }
    CHECK_RC(rc, 0);
    CHECK(change->name != NULL);
}

uint32_t next_at(const char *file, int line, folder *f, int watch, uint32_t changes, const char *name)
{
    plx_path_change change;
    take_change(f, &change);
    if (change.watch != watch || change.changes != changes || strcmp(change.name, name) != 0)
        check_fail_with(file, line, "", "watch %d: change 0x%x of \"%s\", expected %d: 0x%x of \"%s\"",
                        change.watch, (unsigned)change.changes, change.name, watch, (unsigned)changes, name);
    CHECK((change.cookie != 0) == ((changes & (PLX_PATH_MOVED_FROM | PLX_PATH_MOVED_TO)) != 0));
    return change.cookie;
}

uint32_t comes_at(const char *file, int line, folder *f, int watch, uint32_t changes, const char *name)
{
    plx_path_change change;
    char seen[1024] = "";
    plx_nanos end = plx_now() + PATIENCE;
    while (plx_now() < end) {
        plx_event event;
        int rc = plx_paths_next(f->paths, &change);
        if (rc == -EAGAIN) {
            CHECK(plx_poller_wait(f->poller, &event, 1, PLX_SEC(1)) >= 0);
            continue;
        }
        CHECK_RC(rc, 0);
        if (change.watch == watch && change.changes == changes && strcmp(change.name, name) == 0)
            return change.cookie;
        size_t length = strlen(seen);
        snprintf(seen + length, sizeof seen - length, " %d:0x%x:%s", change.watch, (unsigned)change.changes,
                 change.name);
    }
    check_fail_with(file, line, "", "%d: 0x%x of \"%s\" never came; what came:%s", watch, (unsigned)changes, name,
                    seen);
}

void nothing_at(const char *file, int line, folder *f)
{
    plx_path_change change = {.name = ""};
    plx_event event;
    plx_nanos end = plx_now() + PLX_MSEC(300);
    int rc = -EAGAIN;
    if (!folder_compares() && plx_poller_wait(f->poller, &event, 1, 0) == 1) /* for what was read ahead and is told */
        rc = plx_paths_next(f->paths, &change);
    if (!folder_compares() && rc == -EAGAIN)
        expect_silence_at(file, line, "", f->poller, PLX_MSEC(2));
    while (folder_compares() && rc == -EAGAIN && plx_now() < end) { /* events for differences that were not asked for */
        CHECK(plx_poller_wait(f->poller, &event, 1, PLX_MSEC(50)) >= 0);
        rc = plx_paths_next(f->paths, &change);
    }
    if (rc == -EAGAIN)
        rc = plx_paths_next(f->paths, &change);
    if (rc != -EAGAIN)
        check_fail_with(file, line, "", "%d, watch %d: change 0x%x of \"%s\", expected none", rc, change.watch,
                        (unsigned)change.changes, change.name);
}
