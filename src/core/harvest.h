/* SPDX-License-Identifier: MIT */
/*
 * From the kernel's event to the caller's: what a backend's wait hands its events to. The
 * table is read without a lock: tag, token and interest, tag; see plx__entry_publish.
 */
#ifndef PLX__HARVEST_H
#define PLX__HARVEST_H

#include "core/table.h"
#include "os/config.h"

/*
 * The second look at the tag, after token and interest were read: whether they belong to it.
 * Of the waiters that hold an event of a oneshot, the one that disarms it has it.
 */
static inline bool plx__entry_claim(plx__entry *entry, uint32_t tag, uint32_t interest)
{
    if (!(interest & PLX_ONESHOT))
        return atomic_load_explicit(&entry->tag, PLX__RELAXED) == tag;
    return atomic_compare_exchange_strong_explicit(&entry->tag, &tag, tag & ~PLX__ARMED, PLX__ACQ_REL, PLX__RELAXED);
}

/*
 * The tags of the events that a wake and the alarm make. No key of a registration has them:
 * SLOW is set.
 */
#define PLX__WAKE_TAG  UINT32_MAX
#define PLX__ALARM_TAG (UINT32_MAX - 1)

typedef struct plx__harvest {
    struct plx_registry *registry;
    const plx__table *table;
    plx_event *events; /* where they go */
    int room;          /* at most so many */
    int found;         /* events that the kernel had; from the backend, as the rest */
    bool woken;        /* one of them was a wake */
    bool queued;       /* one of them may have put a source on the ready queue */
    bool stuck;        /* one will come again and again: the set could not be rebuilt without it */
    uint32_t calls;    /* system calls made; grows */
} plx__harvest;

PLX__RARE bool plx__harvest_slow(plx__harvest *harvest, const plx__key *key, uint32_t flags, uint32_t native,
                                  plx_event *event);

/*
 * One event of the kernel: its key, all that it reports in our flags, and in its own. True
 * if somebody is to be told; then *event is written. Events go to harvest->events in order.
 *
 * What needs more is left to the slow half: errors and hang-ups, entries that are SLOW, and
 * keys that the table does not know any more.
 */
static inline bool plx__harvest_event(plx__harvest *harvest, plx__view view, const plx__key *key, uint32_t flags,
                                      uint32_t native, plx_event *event)
{
    plx__entry *entry = plx__view_entry(view, key->fd);
    uint32_t tag = atomic_load_explicit(&entry->tag, PLX__ACQUIRE);
    plx_token token = atomic_load_explicit(&entry->token, PLX__ACQUIRE);
    uint32_t interest = atomic_load_explicit(&entry->interest, PLX__ACQUIRE);

    uint32_t reported = flags & interest;

    if (tag != key->tag || flags & (PLX_WRITE_CLOSED | PLX_ERROR) || !reported ||
        !plx__entry_claim(entry, tag, interest))
        return plx__harvest_slow(harvest, key, flags, native, event);
    event->token = token;
    event->flags = reported;
    event->native = native;
    event->data = 0;
    return true;
}

#endif
