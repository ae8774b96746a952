/* SPDX-License-Identifier: MIT */
/*
 * Event ports: illumos and Solaris.
 *
 * The kernel's traps. An association is one shot: with its event it is gone. So what reported
 * is put on a list, and associated again by the next wait; at once if another thread waits
 * already, or a loop watches the port. An event is of the moment when it was queued, and may
 * have been dealt with since: what is fetched is asked about by poll(2), all of it in one call.
 * port_getn may deliver events and say EINTR or ETIME. Closing a number ends its association, and
 * nothing tells whether one that reported was closed since (a socket's inode number may be that
 * of the one before). So each registration is associated with a second port as well, the ledger,
 * for no events. Nobody fetches from there: what it still has was not closed.
 */
#include "os/config.h"

#include "backend/backend.h"
#include "core/memory.h"
#include "os/lock.h"

#if PLX__HAS_EVENT_PORTS
#include "backend/poll_bits.h"
#include "os/ports.h"

#include <string.h>

/* A registration, by its number. All zero: none. */
struct po_slot {
    plx__identity identity;
    uint32_t tag;   /* of its key */
    uint32_t flags; /* interest and mode, 0: silent */
    uint32_t next;  /* on the list: the next number, and 1 */
    bool used;
    bool noted;     /* in the ledger, where a failure may have left it out */
    bool peeked;    /* its end is seen by a peek alone */
    bool spent;     /* its association is gone, and is to be made again */
    bool listed;
};

struct po_state {
    int port;
    int ledger;
    plx__lock lock;    /* what follows, and all associations; not held while waiting */
    plx__pages slots;  /* by descriptor */
    /* A list by `next`, so that all take turns. Entries that are `spent` no more are passed over. */
    uint32_t first, last;
    int inside;        /* threads that wait */
    bool nested;       /* somebody watches the port */
};

static void po_fini(void *state, bool forked)
{
    struct po_state *po = state;

    plx__close(po->ledger);
    plx__close(po->port);
    if (forked && !plx__lock_try(&po->lock))
        return; /* a fork has cut another thread's work on the slots in two: they are left */
    plx__pages_fini(&po->slots);
    if (!forked)
        plx__lock_fini(&po->lock);
}

static int po_init(void *state, const plx_allocator *memory)
{
    struct po_state *po = state;
    int rc;

    po->port = plx__port_open();
    if (po->port < 0)
        return po->port == -ENOSYS ? -ENOTSUP : po->port;
    po->ledger = plx__port_open();
    if (po->ledger < 0) {
        rc = po->ledger;
        goto close_port;
    }
    rc = plx__lock_init(&po->lock);
    if (rc < 0)
        goto close_ledger;
    plx__pages_init(&po->slots, memory, sizeof(struct po_slot));
    return 0;

close_ledger:
    plx__close(po->ledger);
close_port:
    plx__close(po->port);
    return rc;
}

/* ---- The set: all of it under the lock ------------------------------------- */

/* A pointer has room for the tag; the number comes with the event. */
static void *po_user(uint32_t tag)
{
    return (void *)(uintptr_t)tag;
}

static int po_associate(struct po_state *po, int fd, uint32_t flags, uint32_t tag, uint32_t *calls)
{
    ++*calls;
    return plx__port_associate(po->port, fd, plx__poll_events(flags), po_user(tag));
}

/*
 * 0 if the number still names the registered file; -ENOENT if it names another, -EBADF none. For
 * calls about this number: a close by another thread, between the two, is not noticed.
 */
static int po_same(struct po_state *po, int fd, struct po_slot *slot, uint32_t *calls)
{
    if (slot->noted) {
        int rc = plx__port_dissociate(po->ledger, fd);
        ++*calls;
        if (rc < 0)
            return rc;
    }
    int rc = plx__port_associate(po->ledger, fd, 0, NULL);
    ++*calls;
    slot->noted = rc == 0;
    return rc;
}

static void po_list(struct po_state *po, struct po_slot *slot, uint32_t fd)
{
    slot->spent = true;
    if (slot->listed)
        return;
    slot->listed = true;
    slot->next = 0;
    if (po->first)
        ((struct po_slot *)plx__pages_get(&po->slots, po->last - 1))->next = fd + 1;
    else
        po->first = fd + 1;
    po->last = fd + 1;
}

/*
 * Associates one that is spent. The number may be closed and used again at any time; what is
 * associated by mistake goes under the old key, until the number is registered again.
 */
static int po_renew_one(struct po_state *po, uint32_t fd, const struct po_slot *slot, uint32_t *calls)
{
    plx__identity identity;
    int rc = plx__identify((int)fd, &identity);

    ++*calls;
    if (rc < 0)
        return rc == -EPERM ? -EBADF : rc;
    if (identity.device != slot->identity.device || identity.inode != slot->identity.inode)
        return -EBADF;
    return po_associate(po, (int)fd, slot->flags, slot->tag, calls);
}

/* What was closed meanwhile is silent from now on. */
static int po_renew(struct po_state *po, uint32_t *calls)
{
    while (po->first) {
        uint32_t fd = po->first - 1;
        struct po_slot *slot = plx__pages_get(&po->slots, fd);
        int rc = slot->spent ? po_renew_one(po, fd, slot, calls) : 0;
        if (rc < 0 && rc != -EBADF)
            return rc;
        po->first = slot->next;
        slot->listed = false;
        slot->spent = false;
    }
    return 0;
}

static int po_add(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct po_state *po = state;
    plx__identity identity;
    int fd = (int)watch->key.fd;

    if (fd == po->port || fd == po->ledger)
        return -EINVAL;
    int rc = plx__identify(fd, &identity);
    ++*calls;
    if (rc < 0)
        return rc;
    bool peeked = plx__poll_peeked(fd, calls);
    plx__lock_take(&po->lock);
    struct po_slot *slot = plx__pages_make(&po->slots, watch->key.fd);
    rc = !slot ? -ENOMEM : slot->used ? po_same(po, fd, slot, calls) : -ENOENT;
    if (rc != -ENOENT) {
        rc = rc == 0 ? -EEXIST : rc;
        goto unlock;
    }
    rc = plx__port_associate(po->ledger, fd, 0, NULL);
    ++*calls;
    if (rc < 0)
        goto unlock;
    if (watch->flags)
        rc = po_associate(po, fd, watch->flags, watch->key.tag, calls);
    if (rc < 0) {
        (void)plx__port_dissociate(po->ledger, fd);
        ++*calls;
        goto unlock;
    }
    slot->identity = identity;
    slot->used = true;
    slot->noted = true;
    slot->peeked = peeked;
    slot->spent = false;
    slot->tag = watch->key.tag;
    slot->flags = watch->flags;
unlock:
    plx__lock_drop(&po->lock);
    return rc;
}

/* An association that is made anew looks at the file again, and drops an event that is queued. */
static int po_modify(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls)
{
    struct po_state *po = state;
    int fd = (int)now->key.fd;

    (void)was;
    plx__lock_take(&po->lock);
    struct po_slot *slot = plx__pages_get(&po->slots, now->key.fd);
    int rc = po_same(po, fd, slot, calls);
    if (rc == 0 && now->flags) {
        rc = po_associate(po, fd, now->flags, now->key.tag, calls);
    } else if (rc == 0) {
        (void)plx__port_dissociate(po->port, fd); /* it may have none */
        ++*calls;
    }
    if (rc == 0) {
        slot->tag = now->key.tag;
        slot->flags = now->flags;
        slot->spent = false;
    }
    plx__lock_drop(&po->lock);
    return rc;
}

/* A number that was closed has no associations. */
static int po_remove(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct po_state *po = state;
    int fd = (int)watch->key.fd;

    plx__lock_take(&po->lock);
    struct po_slot *slot = plx__pages_get(&po->slots, watch->key.fd);
    slot->used = false;
    slot->spent = false;
    (void)plx__port_dissociate(po->port, fd);
    (void)plx__port_dissociate(po->ledger, fd);
    *calls += 2;
    plx__lock_drop(&po->lock);
    return 0;
}

/* Nothing is left behind: associations end with the number. */
static int po_rebuild(void *state, const plx__table *table, uint32_t *calls)
{
    (void)state;
    (void)table;
    (void)calls;
    return 0;
}

/* ---- Waiting --------------------------------------------------------------- */

/* As many as are asked about in one call of poll(2). */
enum { PO_LOOK = 64 };

/* An event on its way: the key is where the token will be, and if `flags` is 0 it is nobody's. */
static plx__key po_key(const plx_event *event)
{
    plx__key key;

    memcpy(&key, &event->token, sizeof key);
    return key;
}

/*
 * The kernel has written its events, which are not larger than ours, to the start of the array.
 * They become ours in place, from the last to the first. One of a wake has a tag and no number.
 */
static void po_unpack(struct po_state *po, plx__harvest *harvest, int count)
{
    _Static_assert(sizeof(port_event_t) <= sizeof(plx_event), "translated in place");
    plx_event *events = harvest->events;

    for (int i = count - 1; i >= 0; i--) {
        port_event_t raw;
        memcpy(&raw, (const char *)events + (size_t)i * sizeof raw, sizeof raw);
        plx__key key = {.fd = (uint32_t)raw.portev_object, .tag = (uint32_t)(uintptr_t)raw.portev_user};
        if (raw.portev_source == PORT_SOURCE_ALERT) {
            (void)plx__port_alert(po->port, false, NULL);
            harvest->calls++;
        }
        memcpy(&events[i].token, &key, sizeof key);
        events[i].native = (uint32_t)raw.portev_events;
    }
}

/* The registration that an event is of; NULL if it is a wake, or of one that was changed since. */
static struct po_slot *po_find(struct po_state *po, const plx_event *event)
{
    plx__key key = po_key(event);

    if (key.tag == PLX__WAKE_TAG)
        return NULL;
    struct po_slot *slot = plx__pages_get(&po->slots, key.fd);
    return slot->used && slot->tag == key.tag ? slot : NULL;
}

/* It is told of once, as by an edge: while it is readable, a new association would have it queued again. */
static void po_hush_alarm(int alarm, uint32_t *calls)
{
    uint64_t expirations;

    (void)plx__read(alarm, &expirations, sizeof expirations);
    ++*calls;
}

/* What is ready now of some events. What is not, or will be again, is spent. Under the lock. */
static void po_look(struct po_state *po, plx_event *events, int count, uint32_t *calls)
{
    struct pollfd set[PO_LOOK];

    for (int i = 0; i < count; i++) {
        struct po_slot *slot = po_find(po, &events[i]);
        set[i] = (struct pollfd){
            .fd = slot ? (int)po_key(&events[i]).fd : -1,
            .events = slot ? plx__poll_events(slot->flags) : 0,
        };
    }
    bool known = plx__poll(set, (size_t)count, 0) >= 0; /* else as it was */
    ++*calls;
    for (int i = 0; i < count; i++) {
        struct po_slot *slot = po_find(po, &events[i]);
        int fd = (int)po_key(&events[i]).fd;
        if (known)
            events[i].native = set[i].revents & POLLNVAL ? 0 : (unsigned short)set[i].revents;
        events[i].flags = slot ? plx__poll_flags((int)events[i].native, fd, slot->peeked, calls) : 0;
        if (slot && slot->tag == PLX__ALARM_TAG)
            po_hush_alarm(fd, calls);
        if (slot && (!events[i].flags || !(slot->flags & PLX_ONESHOT)))
            po_list(po, slot, (uint32_t)fd);
    }
}

/* After the kernel's wait. Others who wait, or a loop that watches, cannot do it by themselves. */
static void po_leave(struct po_state *po, plx__harvest *harvest, int count)
{
    plx__lock_take(&po->lock);
    po->inside--;
    for (int i = 0; i < count; i += PO_LOOK)
        po_look(po, harvest->events + i, count - i < PO_LOOK ? count - i : PO_LOOK, &harvest->calls);
    if (po->inside > 0 || po->nested)
        (void)po_renew(po, &harvest->calls); /* what fails is tried again by the next wait, which says so */
    plx__lock_drop(&po->lock);
}

static int po_wait(void *state, plx__harvest *harvest, plx_nanos timeout)
{
    struct po_state *po = state;
    int kept = 0;

    harvest->found = 0;
    plx__lock_take(&po->lock);
    int rc = po_renew(po, &harvest->calls);
    po->inside += rc == 0;
    plx__lock_drop(&po->lock);
    if (rc < 0)
        return rc;
    int count = plx__port_get(po->port, harvest->events, harvest->room, timeout);
    harvest->calls++;
    po_unpack(po, harvest, count);
    po_leave(po, harvest, count);
    if (count < 0)
        return count;
    harvest->found = count;
    plx__view view = plx__table_view(harvest->table);
    for (int i = 0; i < count; i++) {
        plx_event *event = &harvest->events[i];
        plx__key key = po_key(event);
        if (key.tag >= PLX__ALARM_TAG)
            harvest->woken |= key.tag == PLX__WAKE_TAG;
        else if (event->flags)
            kept += plx__harvest_event(harvest, view, &key, event->flags, event->native, &harvest->events[kept]);
    }
    return kept;
}

/* Descriptors count towards the limit of queued events: a port that is full can be alerted still. */
static int po_wake(void *state, uint32_t *calls)
{
    struct po_state *po = state;
    int rc = plx__port_send(po->port, po_user(PLX__WAKE_TAG));

    ++*calls;
    if (rc != -EAGAIN)
        return rc;
    ++*calls;
    return plx__port_alert(po->port, true, po_user(PLX__WAKE_TAG));
}

static int po_descriptor(void *state)
{
    struct po_state *po = state;
    uint32_t calls = 0;

    plx__lock_take(&po->lock);
    po->nested = true;
    (void)po_renew(po, &calls);
    plx__lock_drop(&po->lock);
    return po->port;
}

const plx__backend plx__backend_event_ports = {
    .name = "event_ports",
    .id = PLX_BACKEND_EVENT_PORTS,
    .modes = PLX_ONESHOT,
    .lacks = PLX__POLLRDHUP ? 0 : PLX_READ_CLOSED,
    .native = false,
    .shared = true,
    .state_size = sizeof(struct po_state),
    .init = po_init,
    .fini = po_fini,
    .add = po_add,
    .modify = po_modify,
    .remove = po_remove,
    .rebuild = po_rebuild,
    .wait = po_wait,
    .wake = po_wake,
    .descriptor = po_descriptor,
};

#endif
