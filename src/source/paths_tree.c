/* SPDX-License-Identifier: MIT */
/* What an inotify object watches, in memory. See paths_tree.h. */
#include "source/paths_tree.h"

#if PLX__HAS_INOTIFY

#include "core/memory.h"

#include <string.h>
#include <sys/inotify.h>

int plx__tree_init(in_state *in)
{
    int rc = plx__names_init(&in->targets, in->memory);

    if (rc < 0)
        return rc;
    rc = plx__names_init(&in->places, in->memory);
    if (rc < 0)
        goto fini_targets;
    rc = plx__names_init(&in->marks, in->memory);
    if (rc < 0)
        goto fini_places;
    return 0;

fini_places:
    plx__names_fini(&in->places);
fini_targets:
    plx__names_fini(&in->targets);
    return rc;
}

/* The kernel's watches end with its descriptor, which is closed by now. */
void plx__tree_fini(in_state *in)
{
    while (in->watches) {
        in_watch *watch = in->watches;
        in->watches = watch->next;
        plx__tree_drop_watch(in, watch);
        plx__memory_put(in->memory, watch);
    }
    in->untold = NULL;
    plx__tree_forget(in, UINT64_MAX);
    plx__names_fini(&in->marks);
    plx__names_fini(&in->places);
    plx__names_fini(&in->targets);
}

/* ---- Targets --------------------------------------------------------------- */

in_target *plx__tree_target(const in_state *in, int number)
{
    return (in_target *)plx__names_find(&in->targets, (uint64_t)number, "", 0);
}

in_place *plx__tree_after(const in_target *target, uint64_t id)
{
    in_place *place = target->first;

    while (place && place->id <= id)
        place = place->later;
    return place;
}

uint32_t plx__tree_mask(const in_watch *watch, const in_place *place)
{
    static const struct {
        uint32_t change, mask;
    } told[] = {
        {PLX_PATH_CREATED, IN_CREATE},         {PLX_PATH_DELETED, IN_DELETE},
        {PLX_PATH_MODIFIED, IN_MODIFY},        {PLX_PATH_MOVED_FROM, IN_MOVED_FROM},
        {PLX_PATH_MOVED_TO, IN_MOVED_TO},      {PLX_PATH_ATTRIBUTES, IN_ATTRIB},
        {PLX_PATH_CLOSED_WRITE, IN_CLOSE_WRITE},
    };
    uint32_t mask = 0;

    if (place->guard)
        return IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
        if (watch->changes & told[i].change)
            mask |= told[i].mask;
    if (watch->recursive)
        mask |= IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF;
    if (!place->parent)
        mask |= IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
    return mask;
}

int plx__tree_join(in_state *in, in_place *place, int number, uint32_t mask)
{
    in_target *target = plx__tree_target(in, number);

    if (!target) {
        target = plx__memory_get(in->memory, sizeof *target);
        if (!target) {
            (void)plx__inotify_remove(in->inotify, number);
            return -ENOMEM;
        }
        target->number = number;
        plx__names_add(&in->targets, &target->name, (uint64_t)number, "", 0);
    }
    target->mask |= mask;
    place->target = target;
    place->earlier = target->last;
    *(target->last ? &target->last->later : &target->first) = place;
    target->last = place;
    return 0;
}

/*
 * The target's mask stays as wide as it ever was while others are left: the kernel tells
 * nothing of what happens while a mask is replaced, also of what both masks have.
 */
static void tree_part(in_state *in, in_place *place)
{
    in_target *target = place->target;

    if (!target)
        return;
    if (in->following == place)
        in->following = place->later;
    *(place->earlier ? &place->earlier->later : &target->first) = place->later;
    *(place->later ? &place->later->earlier : &target->last) = place->earlier;
    if (target->first)
        return;
    if (!target->dead && in->inotify >= 0)
        (void)plx__inotify_remove(in->inotify, target->number);
    plx__names_remove(&in->targets, &target->name);
    plx__memory_put(in->memory, target);
}

/* ---- Places ---------------------------------------------------------------- */

in_place *plx__tree_child(const in_state *in, const in_place *parent, const char *name, size_t length)
{
    return (in_place *)plx__names_find(&in->places, parent->id, name, length);
}

static void tree_link(in_place **list, in_place *place)
{
    place->next = *list;
    place->link = list;
    if (place->next)
        place->next->link = &place->next;
    *list = place;
}

static void tree_unlink(in_place *place)
{
    if (!place->link)
        return;
    *place->link = place->next;
    if (place->next)
        place->next->link = place->link;
    place->link = NULL;
}

static char *tree_copy(in_state *in, const char *name, size_t length)
{
    char *text = plx__memory_get(in->memory, length + 1);

    if (text)
        memcpy(text, name, length);
    return text;
}

in_place *plx__tree_place(in_state *in, in_watch *watch, in_place *parent, const char *name, size_t length)
{
    in_place *place = plx__memory_get(in->memory, sizeof *place);
    char *text = place ? tree_copy(in, name, length) : NULL;

    if (!text) {
        plx__memory_put(in->memory, place);
        return NULL;
    }
    place->text = text;
    place->watch = watch;
    place->parent = parent;
    place->id = ++in->ids;
    place->since = in->total;
    place->name.length = length;
    place->name.text = text;
    if (parent) {
        plx__names_add(&in->places, &place->name, parent->id, text, length);
        tree_link(&parent->children, place);
    }
    return place;
}

/* From its parent, or from those on their way. */
static void tree_take_out(in_state *in, in_place *place)
{
    if (place->parent)
        plx__names_remove(&in->places, &place->name);
    tree_unlink(place);
    place->parent = NULL;
    place->away = false;
}

int plx__tree_move(in_state *in, in_place *place, in_place *parent, const char *name, size_t length)
{
    char *text = tree_copy(in, name, length);

    if (!text)
        return -ENOMEM;
    tree_take_out(in, place);
    plx__memory_put(in->memory, place->text);
    place->text = text;
    place->parent = parent;
    plx__names_add(&in->places, &place->name, parent->id, text, length);
    tree_link(&parent->children, place);
    return 0;
}

void plx__tree_send_away(in_state *in, in_place *place, uint32_t cookie)
{
    tree_take_out(in, place);
    place->away = true;
    place->cookie = cookie;
    tree_link(&place->watch->away, place);
}

/* The mark stays in the list, to be told if it was not. */
static void tree_take_mark(in_state *in, in_mark *mark)
{
    plx__names_remove(&in->marks, &mark->name);
    *mark->link = mark->beside;
    if (mark->beside)
        mark->beside->link = mark->link;
    mark->place = NULL;
}

/* A place without children. */
static void tree_release(in_state *in, in_place *place)
{
    in_watch *watch = place->watch;

    while (place->marks)
        tree_take_mark(in, place->marks);
    tree_take_out(in, place);
    tree_part(in, place);
    if (watch->root == place)
        watch->root = NULL;
    if (watch->guard == place)
        watch->guard = NULL;
    plx__memory_put(in->memory, place->text);
    plx__memory_put(in->memory, place);
}

void plx__tree_drop(in_state *in, in_place *place)
{
    in_place *at = place;
    bool last;

    do {
        while (at->children)
            at = at->children;
        in_place *parent = at->parent;
        last = at == place;
        tree_release(in, at);
        at = parent;
    } while (!last);
}

void plx__tree_drop_watch(in_state *in, in_watch *watch)
{
    while (watch->away)
        plx__tree_drop(in, watch->away);
    if (watch->root)
        plx__tree_drop(in, watch->root);
    if (watch->guard)
        plx__tree_drop(in, watch->guard);
}

in_place *plx__tree_walk(const in_place *top, const in_place *place)
{
    return place->children ? place->children : plx__tree_skip(top, place);
}

in_place *plx__tree_skip(const in_place *top, const in_place *place)
{
    while (place != top && !place->next)
        place = place->parent;
    return place == top ? NULL : place->next;
}

/* Backwards, from the name to the root. */
int plx__tree_path(const in_place *place, const char *name, size_t length, bool full, char *buffer)
{
    size_t limit = full ? PLX__PATH_SIZE : PLX__PATH_NAME_SIZE;
    size_t at = limit;
    const in_watch *watch = place->watch;

    buffer[--at] = '\0';
    for (;;) {
        if (length >= at)
            return -ENAMETOOLONG;
        at -= length;
        memcpy(buffer + at, name, length);
        if (!place->parent)
            break;
        if (at + 1 < limit)
            buffer[--at] = '/';
        name = place->text;
        length = place->name.length;
        place = place->parent;
    }
    if (place->away)
        return -ESTALE;
    if (full) {
        bool slash = at + 1 < limit && watch->path[watch->length - 1] != '/';
        if (watch->length + slash > at)
            return -ENAMETOOLONG;
        if (slash)
            buffer[--at] = '/';
        at -= watch->length;
        memcpy(buffer + at, watch->path, watch->length);
    }
    memmove(buffer, buffer + at, limit - at);
    return (int)(limit - at - 1);
}

/* ---- Marks ----------------------------------------------------------------- */

int plx__tree_mark(in_state *in, in_place *place, const char *name, size_t length, bool silent)
{
    in_mark *mark = plx__memory_get(in->memory, sizeof *mark + length + 1);

    if (!mark)
        return -ENOMEM;
    memcpy(mark->text, name, length);
    mark->place = place;
    mark->beside = place->marks;
    mark->link = &place->marks;
    if (mark->beside)
        mark->beside->link = &mark->beside;
    place->marks = mark;
    mark->until = UINT64_MAX;
    plx__names_add(&in->marks, &mark->name, place->id, mark->text, length);
    *(in->first_mark ? &in->last_mark->next : &in->first_mark) = mark;
    in->last_mark = mark;
    mark->silent = silent;
    if (!in->untold)
        in->untold = mark;
    return 0;
}

bool plx__tree_marked(const in_state *in, const in_place *place, const char *name, size_t length)
{
    return plx__names_find(&in->marks, place->id, name, length) != NULL;
}

void plx__tree_unmark(in_state *in, const in_place *place, const char *name, size_t length)
{
    plx__name *found = plx__names_find(&in->marks, place->id, name, length);

    if (found)
        tree_take_mark(in, (in_mark *)found);
}

void plx__tree_forget(in_state *in, uint64_t position)
{
    while (in->first_mark && in->first_mark != in->untold && in->first_mark->until <= position) {
        in_mark *mark = in->first_mark;
        in->first_mark = mark->next;
        if (mark->place)
            tree_take_mark(in, mark);
        plx__memory_put(in->memory, mark);
    }
}

#endif
