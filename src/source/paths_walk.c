/* SPDX-License-Identifier: MIT */
/*
 * Looking at the file system, level by level: a folder is watched first and listed then, so
 * that what comes in between is an event, or found, or both; a mark tells both apart.
 *
 * What is looked at may have moved on since the event that asks for it was made. A folder is
 * opened by its path and compared with what it should be (device and inode); if it is
 * another, it is torn: events still to come will say where it is, and it is listed then, or
 * when there are no more.
 */
#include "source/paths_walk.h"

#if PLX__HAS_INOTIFY

#include "core/memory.h"

#include <string.h>
#include <sys/inotify.h>

#define WALK_FLAGS (IN_MASK_ADD | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

/* How a walk is made. */
struct walk {
    bool tell_top; /* mark what is found in the first folder */
    bool tell;     /* and in those below */
    bool strict;   /* end at the first folder that cannot be watched */
    bool again;    /* places may be known, under other names */
};

/* As the kernel writes them. */
struct walk_entry {
    uint64_t inode; /* cppcheck-suppress unusedStructMember ; the kernel's */
    int64_t offset; /* cppcheck-suppress unusedStructMember ; the kernel's */
    uint16_t size;
    uint8_t type;
    char name[];
};

uint64_t plx__walk_position(const in_state *in)
{
    int bytes = plx__inotify_queued(in->inotify);

    return in->total + (bytes > 0 ? (uint64_t)bytes : 0);
}

/* It is not there any more, or not a folder, or was found before. */
static bool walk_forgives(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP || rc == -ESTALE || rc == -EEXIST;
}

static void walk_tear(in_place *place)
{
    place->torn = true;
    place->watch->torn = true;
}

static bool walk_same(const in_place *place, const struct stat *status)
{
    return place->device == (uint64_t)status->st_dev && place->inode == (uint64_t)status->st_ino;
}

static void walk_identify(in_place *place, const struct stat *status)
{
    place->device = (uint64_t)status->st_dev;
    place->inode = (uint64_t)status->st_ino;
}

/* The folder of a place, opened; -ESTALE if it is not where it should be. */
static int walk_open(in_state *in, const in_place *place)
{
    struct stat status;
    int rc = plx__tree_path(place, "", 0, true, in->path);

    if (rc < 0)
        return rc;
    int folder = plx__folder_open(in->path, !place->parent);
    if (folder < 0)
        return folder;
    rc = plx__status(folder, &status);
    if (rc == 0 && walk_same(place, &status))
        return folder;
    plx__close(folder);
    return rc < 0 ? rc : -ESTALE;
}

/* ---- One folder ------------------------------------------------------------ */

static in_place *walk_known(const in_target *target, const in_watch *watch)
{
    in_place *place = target ? target->first : NULL;

    while (place && (place->watch != watch || place->guard))
        place = place->later;
    return place;
}

static int walk_is_at(in_state *in, const in_place *place)
{
    int folder = walk_open(in, place);

    if (folder >= 0)
        plx__close(folder);
    return folder;
}

/*
 * The same inode was found under this name, which is no news unless it had another. One that is
 * found a second time has moved on during the look, or is mounted twice. If it has moved, this
 * is the last that is heard of it: its parent here was listed after the event of its coming.
 */
static int walk_found(in_state *in, in_place *known, in_place *parent, const char *name, size_t length)
{
    int rc = known->seen == in->looks ? walk_is_at(in, known) : -ESTALE;

    if (!walk_forgives(rc))
        return rc < 0 ? rc : -EEXIST;
    for (in_place *above = parent; above; above = above->parent)
        if (above == known) { /* what lies where changes faster than it is looked at */
            walk_tear(parent);
            return -ESTALE;
        }
    in_place *there = plx__tree_child(in, parent, name, length);
    if (there && there != known)
        plx__tree_drop(in, there);
    return there == known ? 0 : plx__tree_move(in, known, parent, name, length);
}

static int walk_new(in_state *in, in_place *parent, const char *name, size_t length, int number, in_place **place)
{
    in_place *there = plx__tree_child(in, parent, name, length);

    if (there)
        plx__tree_drop(in, there);
    in_place *made = plx__tree_place(in, parent->watch, parent, name, length);
    if (!made) {
        if (!plx__tree_target(in, number))
            (void)plx__inotify_remove(in->inotify, number);
        return -ENOMEM;
    }
    int rc = plx__tree_join(in, made, number, plx__tree_mask(parent->watch, made));
    if (rc < 0)
        plx__tree_drop(in, made);
    else
        *place = made;
    return rc;
}

/*
 * Has the kernel watch a folder in the open folder of `parent`, and makes its place. One that
 * this watch has under another name still has come here since (-EEXIST): events to come will
 * say so, or, if its coming was before the parent was watched, that it has left the other.
 * Then the parent is listed once more.
 */
static int walk_look(in_state *in, in_place *parent, int folder, const char *name, bool again, in_place **place)
{
    size_t length = strlen(name);
    uint32_t mask = plx__tree_mask(parent->watch, &(in_place){.parent = parent});
    struct stat status;
    int rc = plx__tree_path(parent, name, length, true, in->path);

    if (rc < 0)
        return rc;
    int number = plx__inotify_add(in->inotify, in->path, mask | WALK_FLAGS);
    if (walk_forgives(number) && plx__stat(folder, name, false, &status) == 0 && S_ISDIR(status.st_mode)) {
        walk_tear(parent); /* it is there: a folder above has moved since `folder` was opened */
        return -ESTALE;
    }
    if (number < 0)
        return number;
    in_target *target = plx__tree_target(in, number);
    in_place *known = walk_known(target, parent->watch);
    if (target)
        target->mask |= mask;
    rc = plx__stat(folder, name, false, &status);
    if (rc < 0 && !target)
        (void)plx__inotify_remove(in->inotify, number);
    if (rc < 0)
        return rc;
    if (known)
        rc = again ? walk_found(in, *place = known, parent, name, length) : -EEXIST;
    else
        rc = walk_new(in, parent, name, length, number, place);
    if (rc < 0)
        return rc;
    walk_identify(*place, &status);
    (*place)->seen = in->looks;
    return 0;
}

static void walk_later(in_state *in, in_place *place)
{
    place->todo = NULL;
    *(in->todo_first ? &in->todo_last->todo : &in->todo_first) = place;
    in->todo_last = place;
}

static int walk_entry_found(in_state *in, in_place *place, int folder, const struct walk_entry *entry, bool tell,
                            const struct walk *walk)
{
    enum { UNKNOWN = 0, FOLDER = 4 }; /* types, as the kernel writes them */
    const char *name = entry->name;
    size_t length = strlen(name);
    bool asked = place->watch->changes & PLX_PATH_CREATED;
    in_place *child = NULL;
    int rc = 0;

    if (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')))
        return 0;
    if (tell && (asked || entry->type == FOLDER) && !plx__tree_marked(in, place, name, length))
        rc = plx__tree_mark(in, place, name, length, !asked);
    if (rc < 0 || (entry->type != UNKNOWN && entry->type != FOLDER))
        return rc;
    if (!walk->again && plx__tree_child(in, place, name, length))
        return 0;
    rc = walk_look(in, place, folder, name, walk->again, &child);
    if (rc == 0)
        walk_later(in, child);
    else if (rc == -EEXIST && !walk->again)
        walk_tear(place);
    return walk_forgives(rc) ? 0 : rc;
}

/* Lists a folder. The first error, or, where the walk is not strict, the last. */
static int walk_list(in_state *in, in_place *place, bool tell, const struct walk *walk)
{
    int result = 0;
    int folder = walk_open(in, place);

    if (folder < 0)
        return folder;
    if (walk->again || (!place->listed && !place->torn)) /* else what has happened since is to be told */
        place->since = plx__walk_position(in);
    place->listed = true;
    place->torn = false;
    for (;;) {
        int size = plx__folder_read(folder, in->entries, IN_ENTRIES_SIZE);
        if (size <= 0) {
            result = size < 0 ? size : result;
            break;
        }
        for (int at = 0; at < size;) {
            const struct walk_entry *entry = (const struct walk_entry *)(const void *)(in->entries + at);
            int rc = walk_entry_found(in, place, folder, entry, tell, walk);
            result = rc < 0 ? rc : result;
            if (rc < 0 && walk->strict)
                goto close_folder;
            at += entry->size;
        }
    }
close_folder:
    plx__close(folder);
    return result;
}

/* ---- A tree ---------------------------------------------------------------- */

/* Lists a folder and all below. 0, or an error that leaves a part of it unwatched. */
static int walk_run(in_state *in, in_place *top, const struct walk *walk)
{
    in_mark *before = in->first_mark ? in->last_mark : NULL;
    int result = 0;

    in->todo_first = NULL;
    walk_later(in, top);
    while (in->todo_first && !(result < 0 && walk->strict)) {
        in_place *place = in->todo_first;
        in->todo_first = place->todo;
        int rc = walk_list(in, place, place == top ? walk->tell_top : walk->tell, walk);
        if (walk_forgives(rc))
            walk_tear(place);
        else if (rc < 0)
            result = rc;
    }
    in->todo_first = NULL;
    int bytes = plx__inotify_queued(in->inotify);
    uint64_t end = bytes < 0 ? UINT64_MAX : in->total + (uint64_t)bytes;
    for (in_mark *mark = before ? before->next : in->first_mark; mark; mark = mark->next)
        mark->until = end;
    return result;
}

/* What is unwatched from now on may change unseen. */
static void walk_failed(in_state *in, in_watch *watch)
{
    watch->partial = true;
    in->lost = true;
}

static void walk_complete(in_state *in, in_place *place)
{
    if (walk_run(in, place, &(struct walk){.tell_top = !place->listed, .tell = true}) < 0)
        walk_failed(in, place->watch);
}

void plx__walk_renew(in_state *in, in_place *parent, const char *name, size_t length)
{
    in_place *place = plx__tree_child(in, parent, name, length);

    if (place)
        plx__tree_drop(in, place);
    int folder = walk_open(in, parent);
    int rc = folder;
    if (folder >= 0) {
        rc = walk_look(in, parent, folder, name, false, &place);
        plx__close(folder);
    } else if (walk_forgives(rc)) {
        walk_tear(parent);
    }
    if (rc == -EEXIST)
        walk_tear(parent);
    if (rc == 0)
        walk_complete(in, place);
    else if (!walk_forgives(rc))
        walk_failed(in, parent->watch);
}

/*
 * Two folders that are exchanged (RENAME_EXCHANGE) look like one that comes over the other and
 * moves on under the other's name.
 */
void plx__walk_arrive(in_state *in, in_place *place, in_place *parent, const char *name, size_t length)
{
    in_place *there = plx__tree_child(in, parent, name, length);
    bool doubtful = place->over || there;

    place->over = there != NULL;
    if (there)
        plx__tree_drop(in, there);
    if (plx__tree_move(in, place, parent, name, length) < 0) {
        plx__tree_drop(in, place);
        walk_failed(in, parent->watch);
        return;
    }
    for (in_place *each = place; each; each = plx__tree_walk(place, each))
        if (each->torn)
            walk_complete(in, each);
    int rc = doubtful ? walk_is_at(in, place) : 0;
    if (walk_forgives(rc))
        walk_tear(place);
    else if (rc < 0)
        walk_failed(in, place->watch);
}

/* ---- Once more ------------------------------------------------------------- */

int plx__walk_is_there(const in_watch *watch)
{
    struct stat status;

    if (!watch->root)
        return 0;
    int rc = plx__stat(-1, watch->path, true, &status);
    if (rc < 0)
        return walk_forgives(rc) ? 0 : rc;
    return walk_same(watch->root, &status);
}

/* The same for a time that nothing is known of: the inode may have been given out again. */
static bool walk_is_watched(const in_state *in, const in_watch *watch)
{
    uint32_t mask = watch->root->target->mask | IN_MASK_ADD;

    if (plx__walk_is_there(watch) == 0)
        return false;
    int number = plx__inotify_add(in->inotify, watch->path, mask);
    if (number >= 0 && number != watch->root->target->number && !plx__tree_target(in, number))
        (void)plx__inotify_remove(in->inotify, number);
    return number == watch->root->target->number || (number < 0 && number != -ENOENT);
}

static void walk_sweep(in_state *in, in_watch *watch)
{
    in_place *place = watch->root;

    while (place) {
        in_place *gone = place->seen == in->looks ? NULL : place;
        place = gone ? plx__tree_skip(watch->root, place) : plx__tree_walk(watch->root, place);
        if (gone)
            plx__tree_drop(in, gone);
    }
    while (watch->away)
        plx__tree_drop(in, watch->away);
}

void plx__walk_again(in_state *in, in_watch *watch)
{
    if (!walk_is_watched(in, watch)) {
        watch->gone = true;
        watch->gone_untold = watch->changes & PLX_PATH_SELF_GONE;
        plx__tree_drop_watch(in, watch);
        return;
    }
    if (!watch->recursive)
        return;
    watch->root->seen = ++in->looks;
    watch->torn = false;
    watch->partial = walk_run(in, watch->root, &(struct walk){.strict = true, .again = true}) < 0;
    if (!watch->partial)
        walk_sweep(in, watch);
}

void plx__walk_settle(in_state *in, in_watch *watch)
{
    bool partial = watch->partial;
    bool left = false;
    bool torn = false;

    for (in_place *each = watch->root; each; each = plx__tree_walk(watch->root, each))
        if (each->torn || partial) {
            left |= walk_run(in, each, &(struct walk){.tell_top = !each->listed, .tell = true}) < 0;
            torn |= each->torn;
            each->torn = false;
        }
    watch->torn = false;
    watch->partial = left;
    in->lost |= partial != left || torn;
    if (torn) /* no event has explained it: the tree is made what it is, and the program looks again */
        plx__walk_again(in, watch);
}

/* ---- A new watch ----------------------------------------------------------- */

/* Absolute, so that it stays what it is when the program changes its working folder. */
static int walk_make_watch(in_state *in, const char *path, uint32_t changes, int number, in_watch **watch)
{
    size_t length = strnlen(path, PLX__PATH_SIZE);
    size_t before = 0;

    if (length == 0 || length == PLX__PATH_SIZE)
        return length ? -ENAMETOOLONG : -ENOENT;
    if (path[0] != '/') {
        int rc = plx__working_folder(in->path, PLX__PATH_SIZE);
        if (rc < 0)
            return rc == -ERANGE ? -ENAMETOOLONG : rc;
        before = strlen(in->path);
        in->path[before++] = '/';
    }
    if (before + length >= PLX__PATH_SIZE)
        return -ENAMETOOLONG;
    in_watch *made = plx__memory_get(in->memory, sizeof *made + before + length + 1);
    if (!made)
        return -ENOMEM;
    memcpy(made->path, in->path, before);
    memcpy(made->path + before, path, length);
    made->length = before + length;
    made->changes = changes;
    made->number = number;
    *watch = made;
    return 0;
}

/* The folder that a path is in, in in->path, and the name there; 0 if it has none. */
static size_t walk_split(in_state *in, const in_watch *watch, const char **name)
{
    const char *path = watch->path;
    size_t end = watch->length;

    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    size_t length = end - start;
    if (length <= 2 && memcmp(path + start, "..", length) == 0)
        return 0;
    memcpy(in->path, path, start);
    in->path[start] = '\0';
    *name = path + start;
    return length;
}

/* A folder above that may not be read has no guard: the inode's own events have to do. */
static int walk_guard(in_state *in, in_watch *watch)
{
    const char *name;
    size_t length = walk_split(in, watch, &name);

    if (length == 0)
        return 0;
    in_place *guard = plx__tree_place(in, watch, NULL, name, length);
    if (!guard)
        return -ENOMEM;
    guard->guard = true;
    watch->guard = guard;
    uint32_t mask = plx__tree_mask(watch, guard);
    int rc = plx__inotify_add(in->inotify, in->path, mask | IN_MASK_ADD | IN_ONLYDIR);
    if (rc >= 0)
        rc = plx__tree_join(in, guard, rc, mask);
    if (rc < 0)
        plx__tree_drop(in, guard);
    return rc == -EACCES ? 0 : rc;
}

static int walk_root(in_state *in, in_watch *watch, const struct stat *status)
{
    watch->recursive = watch->changes & PLX_PATH_RECURSIVE && S_ISDIR(status->st_mode);
    in_place *root = plx__tree_place(in, watch, NULL, "", 0);
    if (!root)
        return -ENOMEM;
    watch->root = root;
    uint32_t mask = plx__tree_mask(watch, root);
    int number = plx__inotify_add(in->inotify, watch->path, mask | IN_MASK_ADD | IN_EXCL_UNLINK);
    if (number < 0)
        return number;
    walk_identify(root, status);
    return plx__tree_join(in, root, number, mask);
}

/*
 * Watches the path, and then looks whether it is still what was watched: what the guard
 * hears from `since` on is news.
 */
static int walk_begin(in_state *in, in_watch *watch)
{
    struct stat status;

    for (int attempt = 0; attempt < 8; attempt++) {
        int rc = plx__stat(-1, watch->path, true, &status);
        if (rc == 0 && watch->changes & PLX_PATH_SELF_GONE)
            rc = walk_guard(in, watch);
        if (rc == 0)
            rc = walk_root(in, watch, &status);
        if (rc < 0)
            return rc;
        watch->root->since = plx__walk_position(in);
        if (watch->guard)
            watch->guard->since = watch->root->since;
        rc = plx__walk_is_there(watch);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        plx__tree_drop_watch(in, watch);
    }
    return -ENOENT; /* it is replaced again and again */
}

int plx__walk_add(in_state *in, const char *path, uint32_t changes, int number)
{
    in_watch *watch = NULL;
    int rc = walk_make_watch(in, path, changes, number, &watch);

    if (rc < 0)
        return rc;
    rc = walk_begin(in, watch);
    if (rc == 0 && watch->recursive)
        rc = walk_run(in, watch->root, &(struct walk){.strict = true});
    if (rc < 0) {
        plx__tree_drop_watch(in, watch);
        plx__memory_put(in->memory, watch);
        return rc;
    }
    in_watch **end = &in->watches;
    while (*end)
        end = &(*end)->next;
    *end = watch;
    return 0;
}

#endif
