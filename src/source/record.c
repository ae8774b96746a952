/* SPDX-License-Identifier: MIT */
/*
 * The record of unread signals. A writer that was interrupted between taking its place and
 * filling it holds back what came after, until it goes on: it tells of itself when it is done.
 */
#include "os/config.h"

#include "source/record.h"

void plx__record_init(plx__record *record)
{
    for (uint32_t i = 0; i < PLX__RECORD_SLOTS; i++)
        atomic_init(&record->slot[i].turn, i);
}

static plx__record_slot *record_slot(plx__record *record, uint32_t place)
{
    return &record->slot[place % PLX__RECORD_SLOTS];
}

/* One that is unread already stands for this one too. */
static void record_merge(plx__record *record, const plx_signal_info *info, uint32_t place)
{
    plx__record_merged *merged = &record->merged[info->number];
    uint32_t state = PLX__RECORD_EMPTY;

    if (!atomic_compare_exchange_strong_explicit(&merged->state, &state, PLX__RECORD_WRITING, PLX__ACQUIRE,
                                                 PLX__RELAXED))
        return;
    merged->info = *info;
    merged->place = place;
    merged->order = atomic_fetch_add_explicit(&record->merges, 1, PLX__RELAXED);
    atomic_store_explicit(&merged->state, PLX__RECORD_FULL, PLX__RELEASE);
}

void plx__record_write(plx__record *record, const plx_signal_info *info)
{
    uint32_t place = atomic_load_explicit(&record->tail, PLX__RELAXED);
    plx__record_slot *slot;

    for (;;) {
        slot = record_slot(record, place);
        int32_t ahead = (int32_t)(atomic_load_explicit(&slot->turn, PLX__ACQUIRE) - place);
        if (ahead < 0) { /* unread since the last time round */
            record_merge(record, info, place);
            return;
        }
        if (ahead > 0) /* others were quicker */
            place = atomic_load_explicit(&record->tail, PLX__RELAXED);
        else if (atomic_compare_exchange_weak_explicit(&record->tail, &place, place + 1, PLX__RELAXED,
                                                       PLX__RELAXED))
            break;
    }
    slot->info = *info;
    atomic_store_explicit(&slot->turn, place + 1, PLX__RELEASE);
}

/* The merged signal whose place has come: what was in the slots before it has been read. */
static plx__record_merged *record_due(plx__record *record)
{
    plx__record_merged *due = NULL;

    if (atomic_load_explicit(&record->merges, PLX__RELAXED) == record->merges_read)
        return NULL;
    for (int number = 1; number < PLX__SIGNALS; number++) {
        plx__record_merged *merged = &record->merged[number];
        if (atomic_load_explicit(&merged->state, PLX__ACQUIRE) == PLX__RECORD_FULL &&
            (int32_t)(record->head - merged->place) >= 0 &&
            (!due || (int32_t)(merged->order - due->order) < 0))
            due = merged;
    }
    return due;
}

/* The slot whose turn has come, if it is filled. */
static plx__record_slot *record_next(plx__record *record)
{
    plx__record_slot *slot = record_slot(record, record->head);

    return atomic_load_explicit(&slot->turn, PLX__ACQUIRE) == record->head + 1 ? slot : NULL;
}

/*
 * The slot is looked at before what was merged: a writer that was held up may merge one just now,
 * and fill the slot with its next.
 */
int plx__record_oldest(plx__record *record)
{
    plx__record_slot *slot = record_next(record);
    plx__record_merged *merged = record_due(record);

    return merged ? merged->info.number : slot ? slot->info.number : 0;
}

bool plx__record_take(plx__record *record, plx_signal_info *info)
{
    plx__record_slot *slot = record_next(record);
    plx__record_merged *merged = record_due(record);

    if (merged) {
        *info = merged->info;
        record->merges_read++;
        atomic_store_explicit(&merged->state, PLX__RECORD_EMPTY, PLX__RELEASE);
        return true;
    }
    if (!slot)
        return false;
    *info = slot->info;
    atomic_store_explicit(&slot->turn, record->head + PLX__RECORD_SLOTS, PLX__RELEASE);
    record->head++;
    return true;
}
