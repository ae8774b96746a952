/* SPDX-License-Identifier: MIT */
/*
 * poll(2), and a pipe to wake it: what every POSIX system has.
 *
 * poll knows numbers, not open files, and keeps nothing between two calls. So the set is
 * kept here; each registration remembers which file it is of (device and inode), and an
 * event for a number that names another file by now is dropped. The array that poll(2)
 * sleeps on is a copy: a change of the set interrupts the sleeper through the pipe, and
 * what the sleeper found for a number that changed meanwhile is not believed: it will be
 * found again. While it sleeps the kernel holds a reference to every file in the array,
 * therefore remove waits until it is out.
 *
 * Where poll(2) has no POLLRDHUP, the end of what a peer writes is seen by a peek at a stream
 * that is readable: behind data that nobody has read it cannot be seen.
 */
#include "os/config.h"

#include "backend/backend.h"
#include "core/memory.h"
#include "os/clock.h"
#include "os/lock.h"

#if PLX__HAS_POLL
#include "backend/poll_bits.h"
#include "os/posix.h"

#include <string.h>

/* What belongs to one element of the set. Element 0 is the pipe. */
struct pl_slot {
    plx__key key;
    plx__identity identity;
    uint64_t changed; /* the visit to the kernel during which it changed */
    bool gone;        /* the number was found closed, or to be another file: silent */
    bool peeked;      /* its end is seen by a peek alone */
};

struct pl_state {
    const plx_allocator *memory;
    int pipe[2];
    plx__lock lock;        /* what follows; not held in poll(2) */
    plx__condition out;    /* the sleeper has left poll(2) */
    plx__pages places;     /* descriptor -> its element in the set, 0 for none (uint32_t) */
    struct pollfd *set;
    struct pl_slot *slots; /* beside the set */
    size_t count, capacity;
    struct pollfd *sleep;  /* the copy; between a visit's start and end it is the sleeper's alone */
    struct pollfd *larger; /* a copy with room for `capacity`, to be taken by the next visit */
    bool changed;          /* the copy is out of date */
    bool inside;           /* somebody is in poll(2) */
    bool kicked;           /* and was interrupted already */
    uint64_t visit;
    size_t next;           /* the element to look at first, so that all take turns */
};

/* ---- Open and close -------------------------------------------------------- */

/* Room for twice as many. The copy is the sleeper's, and exchanged when it comes next. */
static int pl_grow(struct pl_state *pl)
{
    size_t capacity = pl->capacity ? pl->capacity * 2 : 64;
    struct pollfd *larger = plx__memory_get(pl->memory, capacity * sizeof *larger);
    struct pollfd *set = plx__memory_resize(pl->memory, pl->set, capacity * sizeof *set);
    if (set)
        pl->set = set;
    struct pl_slot *slots = plx__memory_resize(pl->memory, pl->slots, capacity * sizeof *slots);
    if (slots)
        pl->slots = slots;
    if (!larger || !set || !slots) {
        plx__memory_put(pl->memory, larger);
        return -ENOMEM;
    }
    plx__memory_put(pl->memory, pl->larger);
    pl->larger = larger;
    pl->capacity = capacity;
    return 0;
}

static void pl_fini(void *state, bool forked)
{
    struct pl_state *pl = state;

    plx__close(pl->pipe[0]);
    plx__close(pl->pipe[1]);
    if (forked && !plx__lock_try(&pl->lock))
        return; /* a fork has cut another thread's work on the set in two: it is left */
    plx__memory_put(pl->memory, pl->set);
    plx__memory_put(pl->memory, pl->slots);
    plx__memory_put(pl->memory, pl->sleep);
    plx__memory_put(pl->memory, pl->larger);
    plx__pages_fini(&pl->places);
    if (forked)
        return;
    plx__condition_fini(&pl->out);
    plx__lock_fini(&pl->lock);
}

static int pl_init(void *state, const plx_allocator *memory)
{
    struct pl_state *pl = state;

    pl->memory = memory;
    int rc = pl_grow(pl);
    if (rc < 0)
        goto free_arrays;
    rc = plx__pipe(pl->pipe);
    if (rc < 0)
        goto free_arrays;
    rc = plx__lock_init(&pl->lock);
    if (rc < 0)
        goto close_pipe;
    rc = plx__condition_init(&pl->out);
    if (rc < 0)
        goto fini_lock;
    plx__pages_init(&pl->places, memory, sizeof(uint32_t));
    pl->set[0] = (struct pollfd){.fd = pl->pipe[0], .events = POLLIN};
    pl->count = 1;
    pl->changed = true;
    return 0;

fini_lock:
    plx__lock_fini(&pl->lock);
close_pipe:
    plx__close(pl->pipe[0]);
    plx__close(pl->pipe[1]);
free_arrays:
    plx__memory_put(memory, pl->set);
    plx__memory_put(memory, pl->slots);
    plx__memory_put(memory, pl->larger);
    return rc;
}

/* ---- Changes of the set ---------------------------------------------------- */

static int pl_wake(void *state, uint32_t *calls)
{
    struct pl_state *pl = state;
    int rc;

    do {
        rc = plx__write(pl->pipe[1], "", 1);
        ++*calls;
    } while (rc == -EINTR);
    return rc < 0 && rc != -EAGAIN ? rc : 0; /* a full pipe is readable */
}

/*
 * Before a change: whoever sleeps on the set as it is comes out, and goes on once the lock is
 * free. If that fails, nothing has changed yet. Under the lock.
 */
static int pl_interrupt(struct pl_state *pl, uint32_t *calls)
{
    int rc = 0;

    if (pl->inside && !pl->kicked) {
        rc = pl_wake(pl, calls);
        pl->kicked = rc == 0;
    }
    return rc;
}

static void pl_mark(struct pl_state *pl, struct pl_slot *slot)
{
    slot->changed = pl->inside ? pl->visit : 0;
}

/* A negative number is passed over by poll(2), hang-ups and errors included. */
static struct pollfd pl_interest(const plx__watch *watch)
{
    int fd = (int)watch->key.fd;

    return (struct pollfd){.fd = watch->flags ? fd : -1 - fd, .events = plx__poll_events(watch->flags)};
}

static uint32_t *pl_place(struct pl_state *pl, const plx__watch *watch)
{
    return plx__pages_get(&pl->places, watch->key.fd);
}

static int pl_add(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct pl_state *pl = state;
    plx__identity identity;
    int fd = (int)watch->key.fd;

    if (fd == pl->pipe[0] || fd == pl->pipe[1])
        return -EINVAL;
    int rc = plx__identify(fd, &identity);
    ++*calls;
    if (rc < 0)
        return rc;
    bool peeked = plx__poll_peeked(fd, calls);
    plx__lock_take(&pl->lock);
    uint32_t *place = plx__pages_make(&pl->places, watch->key.fd);
    if (!place || (!*place && pl->count == pl->capacity && pl_grow(pl) < 0)) {
        rc = -ENOMEM;
        goto unlock;
    }
    if (*place && !pl->slots[*place].gone && plx__identity_same(&pl->slots[*place].identity, &identity)) {
        rc = -EEXIST;
        goto unlock;
    }
    rc = pl_interrupt(pl, calls);
    if (rc < 0)
        goto unlock;
    plx__watch silent = {.key = watch->key}; /* until the modify that follows */
    bool replaces = *place != 0;
    if (!replaces)
        *place = (uint32_t)pl->count++;
    pl->set[*place] = pl_interest(replaces ? &silent : watch);
    pl->slots[*place] = (struct pl_slot){.key = watch->key, .identity = identity, .peeked = peeked};
    pl_mark(pl, &pl->slots[*place]);
    pl->changed = true;
unlock:
    plx__lock_drop(&pl->lock);
    return rc;
}

static int pl_modify(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls)
{
    struct pl_state *pl = state;
    plx__identity identity;
    bool same = !((was->key.tag ^ now->key.tag) & PLX__GENERATION); /* the file is not in question */
    int rc = 0;

    if (!same) {
        rc = plx__identify((int)now->key.fd, &identity);
        ++*calls;
    }
    if (rc < 0)
        return rc == -EPERM ? -ENOENT : rc;
    plx__lock_take(&pl->lock);
    uint32_t place = *pl_place(pl, now);
    struct pl_slot *slot = &pl->slots[place];
    if (!same && !plx__identity_same(&slot->identity, &identity)) {
        rc = -ENOENT;
    } else if (now->flags) { /* else there is less to wait for; the sleeper finds out when it looks */
        rc = pl_interrupt(pl, calls);
    }
    if (rc == 0) {
        pl->set[place] = pl_interest(now);
        slot->key = now->key;
        slot->gone = slot->gone && same && !now->flags;
        pl_mark(pl, slot);
        pl->changed = true;
    }
    plx__lock_drop(&pl->lock);
    return rc;
}

static int pl_remove(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct pl_state *pl = state;

    plx__lock_take(&pl->lock);
    uint32_t *place = pl_place(pl, watch);
    size_t last = --pl->count;
    if (*place != last) {
        pl->set[*place] = pl->set[last];
        pl->slots[*place] = pl->slots[last];
        *(uint32_t *)plx__pages_get(&pl->places, pl->slots[last].key.fd) = *place;
    }
    *place = 0;
    pl->changed = true;
    (void)pl_interrupt(pl, calls);
    for (uint64_t visit = pl->visit; pl->inside && pl->kicked && pl->visit == visit;)
        plx__condition_wait(&pl->out, &pl->lock);
    plx__lock_drop(&pl->lock);
    return 0;
}

/* Nothing is left behind in a kernel that keeps nothing. */
static int pl_rebuild(void *state, const plx__table *table, uint32_t *calls)
{
    (void)state;
    (void)table;
    (void)calls;
    return 0;
}

/* ---- Waiting --------------------------------------------------------------- */

/*
 * Whether the number still names the registered file; if not, it is silent from now on. A
 * closed number is reported, once, as the error that it is.
 */
static bool pl_believe(struct pl_state *pl, size_t place, int revents, uint32_t *calls)
{
    struct pollfd *element = &pl->set[place];

    if (!(revents & POLLNVAL)) {
        ++*calls;
        if (plx__identity_holds(&pl->slots[place].identity, element->fd))
            return true;
    }
    element->fd = -1 - element->fd;
    pl->slots[place].gone = true;
    pl->changed = true;
    return revents & POLLNVAL;
}

/* One element of the copy, with its key for a token; whether it is to be looked at further. */
static bool pl_collect_one(struct pl_state *pl, plx__harvest *harvest, const struct pollfd *found, plx_event *event)
{
    if (found->revents == 0)
        return false;
    uint32_t place = *(uint32_t *)plx__pages_get(&pl->places, (uint32_t)found->fd);
    if (place != 0 && pl->slots[place].key.tag == PLX__ALARM_TAG)
        return false; /* takes no place: it is ready until it is set anew, and would fill each batch */
    harvest->found++;
    if (place == 0 || pl->slots[place].changed == pl->visit ||
        !pl_believe(pl, place, found->revents, &harvest->calls))
        return false;
    memcpy(&event->token, &pl->slots[place].key, sizeof event->token);
    event->flags = plx__poll_flags(found->revents, found->fd, pl->slots[place].peeked, &harvest->calls);
    event->native = (unsigned short)found->revents;
    return true;
}

static void pl_collect_wake(struct pl_state *pl, plx__harvest *harvest)
{
    char bytes[256];
    int rc;

    do {
        rc = plx__read(pl->pipe[0], bytes, sizeof bytes);
        harvest->calls++;
    } while (rc == -EINTR || rc == (int)sizeof bytes);
    harvest->woken = true;
}

static int pl_collect(struct pl_state *pl, size_t length, plx__harvest *harvest)
{
    size_t sources = length - 1;
    int count = 0;

    if (pl->sleep[0].revents)
        pl_collect_wake(pl, harvest);
    for (size_t i = 0; i < sources && count < harvest->room; i++) {
        pl->next = pl->next % sources + 1; /* from where the last wait ended */
        count += pl_collect_one(pl, harvest, &pl->sleep[pl->next], &harvest->events[count]);
    }
    return count;
}

/* Brings the copy up to date and goes in; how much of it to wait for. */
static size_t pl_enter(struct pl_state *pl)
{
    plx__lock_take(&pl->lock);
    if (pl->larger) {
        plx__memory_put(pl->memory, pl->sleep);
        pl->sleep = pl->larger;
        pl->larger = NULL;
        pl->changed = true;
    }
    if (pl->changed)
        memcpy(pl->sleep, pl->set, pl->count * sizeof *pl->set);
    size_t length = pl->count;
    pl->changed = false;
    pl->kicked = false;
    pl->inside = true;
    pl->visit++;
    plx__lock_drop(&pl->lock);
    return length;
}

static int pl_wait(void *state, plx__harvest *harvest, plx_nanos timeout)
{
    struct pl_state *pl = state;
    size_t length = pl_enter(pl);
    int rc = plx__poll(pl->sleep, length, plx__clock_milliseconds(timeout));
    int count = 0;
    int kept = 0;

    harvest->calls++;
    harvest->found = 0;
    plx__lock_take(&pl->lock);
    pl->inside = false;
    plx__condition_broadcast(&pl->out);
    if (rc > 0)
        count = pl_collect(pl, length, harvest);
    plx__lock_drop(&pl->lock);

    plx__view view = plx__table_view(harvest->table);
    /* Without the lock: a oneshot comes back here, through modify. */
    for (int i = 0; i < count; i++) {
        plx_event *event = &harvest->events[i];
        plx__key key;
        memcpy(&key, &event->token, sizeof key);
        kept += plx__harvest_event(harvest, view, &key, event->flags, event->native, &harvest->events[kept]);
    }
    return rc < 0 ? rc : kept;
}

static int pl_descriptor(void *state)
{
    (void)state;
    return -ENOTSUP;
}

const plx__backend plx__backend_poll = {
    .name = "poll",
    .id = PLX_BACKEND_POLL,
    .modes = 0,
    .lacks = (PLX__POLLRDHUP ? 0 : PLX_READ_CLOSED) | (PLX__POLLPRI ? 0 : PLX_PRIORITY),
    .native = false,
    .shared = false,
    .state_size = sizeof(struct pl_state),
    .init = pl_init,
    .fini = pl_fini,
    .add = pl_add,
    .modify = pl_modify,
    .remove = pl_remove,
    .rebuild = pl_rebuild,
    .wait = pl_wait,
    .wake = pl_wake,
    .descriptor = pl_descriptor,
};

#endif
