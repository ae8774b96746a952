/* SPDX-License-Identifier: MIT */
/* Listings of watched paths, kept and compared. See paths_scan.c. */
#include "os/config.h"

#include "source/paths.h"

#if PLX__HAS_POSIX
#include "source/paths_listing.h"

#include "core/memory.h"
#include "os/posix.h"

#include <string.h>

static plx_nanos ls_time(const struct timespec *time)
{
    return (plx_nanos)time->tv_sec * 1000000000 + time->tv_nsec;
}

static sc_status ls_status(const struct stat *found)
{
    return (sc_status){
        .device = (uint64_t)found->st_dev,
        .inode = (uint64_t)found->st_ino,
        .size = (int64_t)found->st_size,
        .modified = ls_time(&found->PLX__STAT_MODIFIED),
        .changed = ls_time(&found->PLX__STAT_CHANGED),
        .mode = (uint32_t)found->st_mode,
        .user = (uint32_t)found->st_uid,
        .group = (uint32_t)found->st_gid,
    };
}

static int ls_stat(int folder, const char *path, bool follow, sc_status *status)
{
    struct stat found;
    int rc = plx__stat(folder, path, follow, &found);

    if (rc < 0)
        return rc;
    *status = ls_status(&found);
    return 0;
}

static bool ls_is_folder(const sc_status *status)
{
    return S_ISDIR(status->mode);
}

static bool ls_same_file(const sc_status *one, const sc_status *other)
{
    return one->device == other->device && one->inode == other->inode && !((one->mode ^ other->mode) & S_IFMT);
}

/* Known by its name alone: its folder may be listed, and what is in it not be looked at (EACCES). */
static bool ls_is_blank(const sc_entry *entry)
{
    return entry->status.mode == 0;
}

/* What is told of a file that is still the same. The times of a folder are those of what is in it. */
static uint32_t ls_changes(const sc_status *was, const sc_status *now)
{
    bool folder = ls_is_folder(now);
    bool written = !folder && (was->size != now->size || was->modified != now->modified);
    bool attributes = was->mode != now->mode || was->user != now->user || was->group != now->group ||
                      (!folder && !written && was->changed != now->changed);

    return (written ? PLX_PATH_MODIFIED : 0) | (attributes ? PLX_PATH_ATTRIBUTES : 0);
}

/* ---- Entries --------------------------------------------------------------- */

/* Backwards, from the name to the root; the length, or -ENAMETOOLONG. */
static int ls_path(sc_state *sc, const sc_watch *watch, const sc_entry *entry, bool full)
{
    size_t limit = full ? PLX__PATH_SIZE : PLX__PATH_NAME_SIZE;
    size_t at = limit;
    size_t before = full ? watch->length : 0;

    sc->path[--at] = '\0';
    for (; entry->parent; entry = entry->parent) {
        size_t length = entry->name.length;
        if (length + 2 > at)
            return -ENAMETOOLONG;
        if (at + 1 < limit)
            sc->path[--at] = '/';
        at -= length;
        memcpy(sc->path + at, entry->text, length);
    }
    if (before + 1 > at)
        return -ENAMETOOLONG;
    if (before && at + 1 < limit)
        sc->path[--at] = '/';
    memmove(sc->path + before, sc->path + at, limit - at);
    memcpy(sc->path, watch->path, before);
    return (int)(before + limit - at - 1);
}

/* ---- Hints ------------------------------------------------------------------ */

static bool ls_is_listed(const sc_watch *watch, const sc_entry *entry)
{
    return ls_is_folder(&entry->status) && (!entry->parent || watch->recursive);
}

/*
 * Has the kernel tell of an entry that is listed, or whose own changes are. Of anything but a
 * file or a folder it does not: to open one may do something. Whether it is new: what is known of
 * the entry is then to be looked at once more.
 */
static bool ls_hint(sc_state *sc, const sc_watch *watch, sc_entry *entry)
{
    bool wanted = !entry->parent || ls_is_listed(watch, entry) ||
                  watch->asked & (PLX_PATH_MODIFIED | PLX_PATH_ATTRIBUTES);

    if (entry->hint || !wanted || sc->hints.fd == PLX__NO_DESCRIPTOR)
        return false;
    bool can = S_ISREG(entry->status.mode) || ls_is_folder(&entry->status);
    if (can && ls_path(sc, watch, entry, true) >= 0 &&
        plx__hint_add(&sc->hints, sc->path, !entry->parent, &entry->hint) == 0)
        return true;
    sc->blind = true;
    return false;
}

static void ls_unhint(sc_state *sc, plx__hint *hint)
{
    plx__hint_remove(&sc->hints, *hint);
    *hint = 0;
}

/* The end of a path is a change of the folder that has its name. */
static void ls_hint_above(sc_state *sc, sc_watch *watch)
{
    size_t length = watch->length;

    while (length > 1 && watch->path[length - 1] == '/')
        length--;
    while (length > 1 && watch->path[length - 1] != '/')
        length--;
    if (!(watch->asked & PLX_PATH_SELF_GONE) || sc->hints.fd == PLX__NO_DESCRIPTOR || watch->above)
        return;
    memcpy(sc->path, watch->path, length);
    sc->path[length] = '\0';
    if (plx__hint_add(&sc->hints, sc->path, true, &watch->above) < 0)
        sc->blind = true;
}

/* ---- Lists of entries ---------------------------------------------------------- */

static void ls_link(sc_entry **list, sc_entry *entry)
{
    entry->next = *list;
    entry->link = list;
    if (entry->next)
        entry->next->link = &entry->next;
    *list = entry;
}

static void ls_unlink(sc_entry *entry)
{
    if (!entry->link)
        return;
    *entry->link = entry->next;
    if (entry->next)
        entry->next->link = entry->link;
    entry->link = NULL;
}

static sc_entry *ls_make(sc_state *sc, sc_entry *parent, const char *name, const sc_status *status)
{
    size_t length = strlen(name);
    sc_entry *entry = plx__memory_get(sc->memory, sizeof *entry + length + 1);

    if (!entry)
        return NULL;
    memcpy(entry->text, name, length);
    entry->name.length = length;
    entry->id = ++sc->ids;
    entry->seen = sc->looks;
    entry->status = *status;
    entry->parent = parent;
    if (parent) {
        plx__names_add(&sc->entries, &entry->name, parent->id, entry->text, length);
        ls_link(&parent->children, entry);
        parent->count++;
    }
    return entry;
}

/* From its parent, whom it still names. */
static void ls_take_out(sc_state *sc, sc_entry *entry)
{
    if (!entry->link)
        return;
    ls_unlink(entry);
    plx__names_remove(&sc->entries, &entry->name);
    entry->parent->count--;
}

static void ls_drop(sc_state *sc, sc_entry *entry)
{
    ls_unhint(sc, &entry->hint);
    plx__memory_put(sc->memory, entry);
}

/* An entry that is in no table, with all below. */
static void ls_free(sc_state *sc, sc_entry *top)
{
    sc_entry *at = top;

    for (;;) {
        while (at->children)
            at = at->children;
        sc_entry *parent = at->parent;
        bool last = at == top;
        if (!last)
            ls_take_out(sc, at);
        ls_drop(sc, at);
        if (last)
            return;
        at = parent;
    }
}

static sc_entry *ls_walk(const sc_entry *top, const sc_entry *entry)
{
    if (entry->children)
        return entry->children;
    while (entry != top && !entry->next)
        entry = entry->parent;
    return entry == top ? NULL : entry->next;
}

void plx__listing_drop_watch(sc_state *sc, sc_watch *watch)
{
    if (watch->root)
        ls_free(sc, watch->root);
    ls_unhint(sc, &watch->above);
    plx__memory_put(sc->memory, watch);
}

void plx__listing_drop_hints(sc_state *sc, sc_watch *watch)
{
    for (sc_entry *entry = watch->root; entry; entry = ls_walk(watch->root, entry))
        ls_unhint(sc, &entry->hint);
    ls_unhint(sc, &watch->above);
}

/* ---- A folder -------------------------------------------------------------- */

/* Opens a folder, which may be another by now: then -ESTALE. */
static int ls_open(sc_state *sc, const sc_watch *watch, const sc_entry *entry, DIR **listing, int *folder)
{
    struct stat found;
    int rc = ls_path(sc, watch, entry, true);

    if (rc < 0)
        return rc;
    *folder = plx__folder_open(sc->path, !entry->parent);
    if (*folder < 0)
        return *folder;
    rc = plx__status(*folder, &found); /* WASI on Node knows no "." in a folder opened as "folder/" */
    if (rc < 0)
        goto close_folder;
    sc_status status = ls_status(&found);
    rc = -ESTALE;
    if (ls_same_file(&status, &entry->status))
        return plx__listing_open(*folder, listing);
close_folder:
    plx__close(*folder);
    return rc;
}

/* Anything else says nothing of whether it is there. */
static bool ls_missing(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP;
}

static bool ls_folder_differs(sc_state *sc, const sc_watch *watch, const sc_entry *entry)
{
    DIR *listing = NULL;
    const char *name;
    sc_status status;
    size_t count = 0;
    int folder;
    int rc = ls_open(sc, watch, entry, &listing, &folder);
    bool same = true;

    if (rc < 0)
        return rc == -ESTALE || rc == -ENOENT || rc == -ENOTDIR; /* else it cannot be looked at now */
    while (same && (name = plx__listing_next(listing, &rc))) {
        sc_entry *child = (sc_entry *)plx__names_find(&sc->entries, entry->id, name, strlen(name));
        count++;
        same = ls_stat(folder, name, false, &status) < 0 ||
               (child && ls_same_file(&child->status, &status) && !ls_changes(&child->status, &status));
    }
    plx__listing_close(listing);
    return !same || (rc == 0 && count != entry->count);
}

bool plx__listing_differs(sc_state *sc, sc_watch *watch)
{
    sc_status status;

    int rc = ls_stat(-1, watch->path, true, &status);
    if (rc < 0)
        return ls_missing(rc);
    if (!ls_same_file(&watch->root->status, &status) || ls_changes(&watch->root->status, &status))
        return true;
    for (const sc_entry *entry = watch->root; entry; entry = ls_walk(watch->root, entry))
        if (ls_is_listed(watch, entry) && ls_folder_differs(sc, watch, entry))
            return true;
    return false;
}

/* ---- A comparison ---------------------------------------------------------- */

static void ls_tell(sc_state *sc, const sc_watch *watch, const sc_entry *entry, uint32_t changes, uint32_t cookie)
{
    if (!(changes & watch->changes))
        return;
    int length = ls_path(sc, watch, entry, false);
    sc_change *change = length < 0 ? NULL : plx__memory_get(sc->memory, sizeof *change + (size_t)length + 1);
    if (!change) {
        sc->lost = true;
        return;
    }
    memcpy(change->name, sc->path, (size_t)length + 1);
    change->watch = watch->number;
    change->changes = changes;
    change->cookie = cookie;
    *(sc->first ? &sc->last->next : &sc->first) = change;
    sc->last = change;
}

/* A file that is still the same, perhaps with changes. */
static void ls_tell_same(sc_state *sc, const sc_watch *watch, sc_entry *entry, const sc_status *status)
{
    uint32_t changes = ls_is_blank(entry) ? 0 : ls_changes(&entry->status, status);

    entry->status = *status;
    entry->seen = sc->looks;
    ls_tell(sc, watch, entry, changes & PLX_PATH_MODIFIED, 0);
    ls_tell(sc, watch, entry, changes & PLX_PATH_ATTRIBUTES, 0);
}

/* Not where it was: it is told when all was looked at, as deleted or moved, still with its parent. */
static void ls_lose(sc_state *sc, sc_watch *watch, sc_entry *entry)
{
    ls_take_out(sc, entry);
    ls_link(&watch->lost, entry);
}

/* 1 and the status of a name, blank if it may not be known; 0: it is gone again, or stays; or an error. */
static int ls_look(sc_state *sc, int folder, const char *name, sc_entry *child, sc_status *status)
{
    int rc = ls_stat(folder, name, false, status);

    if (rc == 0)
        return 1;
    if (ls_missing(rc))
        return 0;
    if (child) {
        child->seen = sc->looks; /* it cannot be looked at now */
        return 0;
    }
    *status = (sc_status){0};
    return rc == -EACCES ? 1 : rc;
}

/* Brings a folder up to date. What is new in it goes to the front of *fresh. */
static int ls_update(sc_state *sc, sc_watch *watch, sc_entry *entry, sc_entry **fresh)
{
    DIR *listing;
    const char *name;
    sc_status status;
    int folder;

    (void)ls_hint(sc, watch, entry); /* what changes from now on is told */
    int rc = ls_open(sc, watch, entry, &listing, &folder);
    if (rc < 0)
        return rc;
    while ((name = plx__listing_next(listing, &rc))) {
        sc_entry *child = (sc_entry *)plx__names_find(&sc->entries, entry->id, name, strlen(name));
        if (child)
            (void)ls_hint(sc, watch, child);
        int seen = ls_look(sc, folder, name, child, &status);
        if (seen < 0) {
            rc = seen;
            break;
        }
        if (seen == 0)
            continue;
        if (child && (ls_is_blank(child) || ls_same_file(&child->status, &status))) {
            ls_tell_same(sc, watch, child, &status);
            continue;
        }
        if (child)
            ls_lose(sc, watch, child);
        child = ls_make(sc, entry, name, &status);
        if (!child) {
            rc = -ENOMEM;
            break;
        }
        if (ls_hint(sc, watch, child) && ls_stat(folder, name, false, &status) == 0 &&
            ls_same_file(&child->status, &status))
            child->status = status;
        child->fresh = true;
        child->listed = *fresh;
        *fresh = child;
    }
    plx__listing_close(listing);
    for (sc_entry *child = entry->children, *next; child && rc == 0; child = next) {
        next = child->next;
        if (child->seen != sc->looks)
            ls_lose(sc, watch, child);
    }
    return rc;
}

/* The lost entry that has come up as this one. */
static sc_entry *ls_lost(const sc_watch *watch, const sc_entry *entry)
{
    sc_entry *lost = watch->lost;

    while (lost && (ls_is_blank(entry) || !ls_same_file(&lost->status, &entry->status)))
        lost = lost->next;
    return lost;
}

/*
 * What was below goes along. It is looked at once more: what changed in it before it was found
 * was told of already, and hints that are by path are made anew.
 */
static void ls_adopt(sc_state *sc, sc_entry *entry, sc_entry *lost)
{
    while (lost->children) {
        sc_entry *child = lost->children;
        ls_take_out(sc, child);
        child->parent = entry;
        plx__names_add(&sc->entries, &child->name, entry->id, child->text, child->name.length);
        ls_link(&entry->children, child);
        entry->count++;
        sc->found |= sc->hints.fd != PLX__NO_DESCRIPTOR;
    }
    for (sc_entry *below = ls_walk(entry, entry); below; below = ls_walk(entry, below))
        ls_unhint(sc, &below->hint);
}

static void ls_tell_fresh(sc_state *sc, sc_watch *watch, sc_entry *entry)
{
    sc_entry *lost = ls_lost(watch, entry);

    if (!lost) {
        ls_tell(sc, watch, entry, PLX_PATH_CREATED, 0);
        return;
    }
    uint32_t cookie = ++sc->cookies ? sc->cookies : ++sc->cookies;
    ls_tell(sc, watch, lost, PLX_PATH_MOVED_FROM, cookie);
    ls_tell(sc, watch, entry, PLX_PATH_MOVED_TO, cookie);
    ls_adopt(sc, entry, lost);
    ls_unlink(lost);
    ls_free(sc, lost);
}

/* Nothing has come up as this: it is told as deleted, what was below first. */
static void ls_tell_lost(sc_state *sc, sc_watch *watch, sc_entry *lost)
{
    sc_entry *at = lost;

    for (;;) {
        while (at->children)
            at = at->children;
        sc_entry *parent = at->parent;
        ls_tell(sc, watch, at, PLX_PATH_DELETED, 0);
        if (at == lost)
            break;
        ls_take_out(sc, at);
        ls_drop(sc, at);
        at = parent;
    }
    ls_unlink(lost);
    ls_drop(sc, lost);
}

static void ls_fail(sc_state *sc, int rc)
{
    sc->lost |= rc < 0 && rc != -ENOENT && rc != -ESTALE && rc != -ENOTDIR && rc != -EACCES;
}

/*
 * First all that was there, so that all is known that is lost; then what is new, and below it.
 * A folder that was seen for the first time may be listed twice: the second finds nothing.
 */
static void ls_compare_tree(sc_state *sc, sc_watch *watch)
{
    sc_entry *fresh = NULL;

    sc->looks++;
    for (sc_entry *entry = watch->root; entry; entry = ls_walk(watch->root, entry))
        if (ls_is_listed(watch, entry) && (entry == watch->root || entry->seen == sc->looks) && !entry->fresh)
            ls_fail(sc, ls_update(sc, watch, entry, &fresh));
    while (fresh) {
        sc_entry *entry = fresh;
        fresh = entry->listed;
        entry->fresh = false;
        ls_tell_fresh(sc, watch, entry);
        if (ls_is_listed(watch, entry))
            ls_fail(sc, ls_update(sc, watch, entry, &fresh));
    }
    while (watch->lost)
        ls_tell_lost(sc, watch, watch->lost);
}

void plx__listing_compare(sc_state *sc, sc_watch *watch)
{
    sc_status status;

    ls_hint_above(sc, watch);
    (void)ls_hint(sc, watch, watch->root);
    int rc = ls_stat(-1, watch->path, true, &status);
    if (rc < 0 && !ls_missing(rc))
        return;
    if (rc == 0 && ls_same_file(&watch->root->status, &status)) {
        ls_tell_same(sc, watch, watch->root, &status);
        if (ls_is_listed(watch, watch->root))
            ls_compare_tree(sc, watch);
        return;
    }
    watch->gone = true;
    ls_tell(sc, watch, watch->root, PLX_PATH_SELF_GONE, 0);
}

/* Told to nobody, and the first folder that cannot be listed is an error. */
int plx__listing_begin(sc_state *sc, sc_watch *watch)
{
    uint32_t changes = watch->changes;
    sc_entry *fresh = NULL;
    sc_status status;
    int rc = ls_stat(-1, watch->path, true, &status);

    if (rc < 0)
        return rc;
    watch->recursive = changes & PLX_PATH_RECURSIVE;
    sc->looks++;
    watch->root = ls_make(sc, NULL, "", &status);
    if (!watch->root)
        return -ENOMEM;
    watch->changes = 0;
    watch->asked = changes;
    ls_hint_above(sc, watch);
    if (ls_hint(sc, watch, watch->root) && ls_stat(-1, watch->path, true, &status) == 0 &&
        ls_same_file(&watch->root->status, &status))
        watch->root->status = status;
    watch->root->listed = NULL;
    fresh = watch->root;
    while (fresh && rc == 0) {
        sc_entry *entry = fresh;
        fresh = entry->listed;
        entry->fresh = false;
        if (ls_is_listed(watch, entry))
            rc = ls_update(sc, watch, entry, &fresh);
        if (entry->parent && (rc == -ENOENT || rc == -ESTALE || rc == -ENOTDIR))
            rc = 0;
    }
    watch->changes = changes;
    return rc;
}

#endif
