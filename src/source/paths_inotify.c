/* SPDX-License-Identifier: MIT */
/*
 * Watching paths by inotify: from the kernel's events to changes.
 *
 * The kernel's traps: it watches inodes, so that two watches of one are one, with one mask;
 * it knows no trees, nor names of what it watches; a watch of a file says nothing of its name
 * being given to another; and its queue is bounded. An event is told to all places of its
 * target first, under the names of that moment, and then applied to the tree.
 *
 * A folder's new name is applied together with the loss of the old one, although events of
 * others may lie in between: no name would be right for them. The kernel holds both parents'
 * locks meanwhile, so that none of them is about these names. Whether a folder has moved out
 * is known when it hears of its own move: that comes after the new name, if there is one.
 */
#include "source/paths_walk.h"

#if PLX__HAS_INOTIFY

#include "core/memory.h"

#include <string.h>
#include <sys/inotify.h>

/* ---- Open and close -------------------------------------------------------- */

static void in_detach(void *state)
{
    in_state *in = state;

    if (in->inotify >= 0)
        plx__close(in->inotify);
    in->inotify = -1;
}

static void in_fini(void *state)
{
    in_state *in = state;

    in_detach(in);
    plx__tree_fini(in);
    plx__memory_put(in->memory, in->raw);
    plx__memory_put(in->memory, in->entries);
}

static int in_open(void *state, const plx_allocator *memory, plx_fd *descriptor)
{
    in_state *in = state;
    int rc;

    in->memory = memory;
    in->ahead = SIZE_MAX;
    in->raw = plx__memory_get(memory, IN_BUFFER_SIZE);
    in->entries = plx__memory_get(memory, IN_ENTRIES_SIZE);
    rc = in->raw && in->entries ? plx__tree_init(in) : -ENOMEM;
    if (rc < 0)
        goto free_buffers;
    in->inotify = plx__inotify_open();
    if (in->inotify < 0) {
        rc = in->inotify == -ENOSYS || in->inotify == -EPERM ? -ENOTSUP : in->inotify;
        goto fini_tree;
    }
    *descriptor = in->inotify;
    return 0;

fini_tree:
    plx__tree_fini(in);
free_buffers:
    plx__memory_put(memory, in->raw);
    plx__memory_put(memory, in->entries);
    return rc;
}

static int in_add(void *state, const char *path, uint32_t changes, int number)
{
    return plx__walk_add(state, path, changes, number);
}

static int in_remove(void *state, int number)
{
    in_state *in = state;
    in_watch **link = &in->watches;

    while (*link && (*link)->number != number)
        link = &(*link)->next;
    if (!*link)
        return -ENOENT;
    in_watch *watch = *link;
    *link = watch->next;
    plx__tree_drop_watch(in, watch);
    plx__memory_put(in->memory, watch);
    return 0;
}

/* ---- The kernel's queue ---------------------------------------------------- */

static struct inotify_event *in_raw(const in_state *in, size_t at)
{
    return (struct inotify_event *)(void *)(in->raw + at);
}

static size_t in_size(const struct inotify_event *raw)
{
    return sizeof *raw + raw->len;
}

/* The event that is looked at, if there is one. */
static size_t in_present(const in_state *in)
{
    return in->ahead != SIZE_MAX ? in->ahead : in->at;
}

static uint64_t in_position(const in_state *in)
{
    return in->total - (in->filled - in_present(in));
}

/* Reads more, behind what is there. Bytes; 0: the kernel has no more, or there is no room. */
static int in_read(in_state *in)
{
    int rc;

    if (in->at > 0) {
        memmove(in->raw, in->raw + in->at, in->filled - in->at);
        in->filled -= in->at;
        in->at = 0;
    }
    if (in->inotify < 0 || IN_BUFFER_SIZE - in->filled < sizeof(struct inotify_event) + PLX__PATH_SIZE)
        return 0;
    do
        rc = plx__read(in->inotify, in->raw + in->filled, IN_BUFFER_SIZE - in->filled);
    while (rc == -EINTR);
    if (rc <= 0)
        return rc == -EAGAIN ? 0 : rc;
    in->filled += (size_t)rc;
    in->total += (uint64_t)rc;
    in->stirred = true;
    return rc;
}

/* An event that was taken before its turn is not looked at again. */
static void in_consume(in_state *in)
{
    if (in->ahead != SIZE_MAX) {
        in_raw(in, in->ahead)->wd = -2;
        in->ahead = SIZE_MAX;
    } else {
        in->at += in_size(in_raw(in, in->at));
        plx__tree_forget(in, in_position(in));
    }
    in->told = false;
    in->cursor = 0;
}

/* Looks ahead for the other half of a folder's rename, after the present event. */
static void in_look_ahead(in_state *in, uint32_t cookie)
{
    size_t from = in->at + in_size(in_raw(in, in->at));
    size_t passed = from - in->at; /* what was read later may have moved all */

    do {
        for (size_t at = in->at + passed; at < in->filled; at += in_size(in_raw(in, at)))
            if (in_raw(in, at)->mask & IN_MOVED_TO && in_raw(in, at)->cookie == cookie && in_raw(in, at)->wd >= 0) {
                in->ahead = at;
                return;
            }
        passed = in->filled - in->at;
    } while (in_read(in) > 0);
}

/* ---- Telling --------------------------------------------------------------- */

static uint32_t in_change(uint32_t mask)
{
    return (mask & IN_CREATE ? PLX_PATH_CREATED : 0) | (mask & IN_DELETE ? PLX_PATH_DELETED : 0) |
           (mask & IN_MODIFY ? PLX_PATH_MODIFIED : 0) | (mask & IN_MOVED_FROM ? PLX_PATH_MOVED_FROM : 0) |
           (mask & IN_MOVED_TO ? PLX_PATH_MOVED_TO : 0) | (mask & IN_ATTRIB ? PLX_PATH_ATTRIBUTES : 0) |
           (mask & IN_CLOSE_WRITE ? PLX_PATH_CLOSED_WRITE : 0);
}

/* What of an event is told to a place; its parent's place is told as well, under its name. */
static uint32_t in_told(const in_state *in, const in_place *place, const struct inotify_event *raw)
{
    uint32_t change = in_change(raw->mask) & place->watch->changes;

    if (place->guard || in_position(in) < place->since || (!raw->len && place != place->watch->root))
        return 0;
    if (change & PLX_PATH_CREATED && plx__tree_marked(in, place, raw->name, strlen(raw->name)))
        return 0;
    return change;
}

/* The next place that is to be told of the present event. */
static in_place *in_teller(in_state *in, const struct inotify_event *raw)
{
    in_target *target = raw->wd < 0 ? NULL : plx__tree_target(in, raw->wd);
    in_place *place = target ? plx__tree_after(target, in->cursor) : NULL;

    while (place && !in_told(in, place, raw))
        place = place->later;
    return place;
}

/* A name may be too long, or the folder has none at this moment. */
static bool in_tell(in_state *in, const in_place *place, const char *name, uint32_t changes, uint32_t cookie,
                    plx_path_change *change)
{
    if (plx__tree_path(place, name, strlen(name), false, in->name) < 0) {
        in->lost = true;
        return false;
    }
    *change = (plx_path_change){
        .watch = place->watch->number, .changes = changes, .cookie = cookie, .name = in->name};
    return true;
}

/* ---- Applying -------------------------------------------------------------- */

static void in_gone(in_state *in, in_watch *watch)
{
    watch->gone = true;
    watch->gone_untold = watch->changes & PLX_PATH_SELF_GONE;
    plx__tree_drop_watch(in, watch);
}

/* Where a folder of this watch is that has left its name by this rename. */
static in_place *in_away(const in_watch *watch, uint32_t cookie)
{
    in_place *place = watch->away;

    while (place && place->cookie != cookie)
        place = place->next;
    return place;
}

/* An event of a name in a folder of a recursive watch. */
static void in_apply_name(in_state *in, in_place *place, const struct inotify_event *raw)
{
    size_t length = strlen(raw->name);
    bool folder = raw->mask & IN_ISDIR;
    in_place *child = folder ? plx__tree_child(in, place, raw->name, length) : NULL;

    if (raw->mask & IN_CREATE) {
        if (folder && !plx__tree_marked(in, place, raw->name, length))
            plx__walk_renew(in, place, raw->name, length);
        return;
    }
    if (raw->mask & (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO))
        plx__tree_unmark(in, place, raw->name, length);
    if (raw->mask & IN_DELETE && child)
        plx__tree_drop(in, child);
    if (raw->mask & IN_MOVED_FROM && child && in_position(in) < child->since) {
        plx__tree_drop(in, child); /* another had this name when it moved, whose contents were told as this one's */
        in->lost = true;
    } else if (raw->mask & IN_MOVED_FROM && child) {
        plx__tree_send_away(in, child, raw->cookie);
        if (in->ahead == SIZE_MAX)
            in->seek = raw->cookie;
    }
    if (raw->mask & IN_MOVED_TO && folder) {
        in_place *away = in_away(place->watch, raw->cookie);
        if (away)
            plx__walk_arrive(in, away, place, raw->name, length);
        else
            plx__walk_renew(in, place, raw->name, length);
    }
}

/* The name that the path ends with was given up, or given to another. */
static bool in_given_up(const in_place *guard, const struct inotify_event *raw)
{
    return raw->mask & (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO) && raw->len &&
           strcmp(raw->name, guard->text) == 0;
}

static void in_apply_place(in_state *in, in_place *place, const struct inotify_event *raw)
{
    in_watch *watch = place->watch;

    if (in_position(in) < place->since && !(raw->mask & IN_IGNORED))
        return;
    if (place->guard) {
        if (raw->mask & IN_IGNORED)
            plx__tree_drop(in, place);
        else if (in_given_up(place, raw))
            in_gone(in, watch);
    } else if (raw->len) {
        if (watch->recursive && in->inotify >= 0)
            in_apply_name(in, place, raw);
    } else if (place == watch->root) {
        if (raw->mask & (IN_DELETE_SELF | IN_IGNORED) ||
            (raw->mask & (IN_ATTRIB | IN_MOVE_SELF) && plx__walk_is_there(watch) == 0))
            in_gone(in, watch);
    } else if (raw->mask & IN_IGNORED || (raw->mask & IN_MOVE_SELF && place->away)) {
        plx__tree_drop(in, place); /* deleted; or moved, and not to where it would be watched */
    }
}

/* Places come and go meanwhile, the target itself as well. */
static void in_apply(in_state *in, const struct inotify_event *raw)
{
    in_target *target = raw->wd < 0 ? NULL : plx__tree_target(in, raw->wd);
    in_place *place;

    if (raw->mask & IN_Q_OVERFLOW) {
        for (in_watch *watch = in->watches; watch; watch = watch->next)
            if (!watch->gone && in->inotify >= 0)
                plx__walk_again(in, watch);
        in->lost = true;
        return;
    }
    in->seek = 0;
    in->following = target ? target->first : NULL;
    if (target)
        target->dead |= (raw->mask & IN_IGNORED) != 0;
    while ((place = in->following)) {
        in->following = place->later;
        in_apply_place(in, place, raw);
    }
}

/* Whether applying it means to look at the file system, which takes memory, and time. */
static bool in_must_look(const in_state *in, const struct inotify_event *raw)
{
    in_target *target = raw->wd < 0 ? NULL : plx__tree_target(in, raw->wd);

    if (raw->mask & IN_Q_OVERFLOW)
        return true;
    if (!(raw->mask & IN_ISDIR) || !(raw->mask & (IN_CREATE | IN_MOVED_TO)))
        return false;
    for (in_place *place = target ? target->first : NULL; place; place = place->later)
        if (place->watch->recursive && !place->guard && in_position(in) >= place->since &&
            (raw->mask & IN_MOVED_TO || !plx__tree_marked(in, place, raw->name, strlen(raw->name))))
            return true;
    return false;
}

/* ---- What is next ---------------------------------------------------------- */

static in_watch *in_gone_untold(const in_state *in)
{
    in_watch *watch = in->watches;

    while (watch && !watch->gone_untold)
        watch = watch->next;
    return watch;
}

/* The next found name to be told; its place may be gone. */
static in_mark *in_untold(in_state *in)
{
    while (in->untold && (in->untold->silent || !in->untold->place))
        in->untold = in->untold->next;
    return in->untold;
}

/* All that the kernel had is done. Whether something is to be told, or looked for, now. */
static bool in_settle(in_state *in, bool working)
{
    bool restless = false;

    plx__tree_forget(in, UINT64_MAX);
    for (in_watch *watch = in->watches; watch && in->stirred && in->inotify >= 0; watch = watch->next)
        if (!watch->gone && (watch->torn || watch->partial)) {
            restless = true;
            if (working)
                plx__walk_settle(in, watch);
        }
    if (working || !restless)
        in->stirred = false;
    return restless;
}

/*
 * Goes on to where there is something to tell: 1. 0 when there is nothing. Without `working`
 * it stops, with 1, where the file system must be looked at.
 */
static int in_seek(in_state *in, bool working)
{
    for (;;) {
        if (in->lost || in_untold(in) || in_gone_untold(in))
            return 1;
        if (in_present(in) >= in->filled) {
            int rc = in_read(in);
            if (rc < 0)
                return rc;
            if (rc == 0 && !in_settle(in, working))
                return 0;
            if (rc == 0 && !working)
                return 1;
            continue;
        }
        struct inotify_event *raw = in_raw(in, in_present(in));
        if (!in->told && in_teller(in, raw))
            return 1;
        in->told = true;
        if (!working && in_must_look(in, raw))
            return 1;
        in_apply(in, raw);
        uint32_t cookie = in->seek;
        if (cookie)
            in_look_ahead(in, cookie);
        if (cookie && in->ahead != SIZE_MAX) {
            in->at += in_size(in_raw(in, in->at)); /* the present one is done; the other half is next */
            in->told = false;
            in->cursor = 0;
        } else {
            in_consume(in);
        }
    }
}

static bool in_any(void *state, bool look)
{
    (void)look;
    return in_seek(state, false) != 0;
}

/* One of the things to tell; false if it could not be told after all. */
static bool in_take(in_state *in, plx_path_change *change)
{
    in_mark *mark = in_untold(in);
    in_watch *gone = in_gone_untold(in);

    if (in->lost) {
        in->lost = false;
        *change = (plx_path_change){.watch = -1, .changes = PLX_PATH_OVERFLOW, .name = ""};
        return true;
    }
    if (mark) {
        in->untold = mark->next;
        return in_tell(in, mark->place, mark->text, PLX_PATH_CREATED, 0, change);
    }
    if (gone) {
        gone->gone_untold = false;
        *change = (plx_path_change){.watch = gone->number, .changes = PLX_PATH_SELF_GONE, .name = ""};
        return true;
    }
    const struct inotify_event *raw = in_raw(in, in_present(in));
    in_place *place = in_teller(in, raw);
    if (!place)
        return false;
    in->cursor = place->id;
    return in_tell(in, place, raw->len ? raw->name : "", in_told(in, place, raw), raw->cookie, change);
}

static int in_next(void *state, plx_path_change *change)
{
    in_state *in = state;
    int rc;

    do
        rc = in_seek(in, true);
    while (rc > 0 && !in_take(in, change));
    return rc;
}

const plx__paths_way plx__paths_inotify = {
    .state_size = sizeof(in_state),
    .open = in_open,
    .fini = in_fini,
    .add = in_add,
    .remove = in_remove,
    .next = in_next,
    .any = in_any,
    .detach = in_detach,
};

#endif
