/* SPDX-License-Identifier: MIT */
/*
 * The ready queue: a stack that any thread pushes on, and a list in order behind it that
 * takers fill by turning the whole stack around. Sources that have more to say go to the
 * end of the list, so that all take turns.
 */
#include "os/config.h"

#include "core/ready.h"

int plx__ready_init(plx__ready *ready)
{
    atomic_init(&ready->pushed, NULL);
    atomic_init(&ready->left, false);
    return plx__lock_init(&ready->lock);
}

void plx__ready_fini(plx__ready *ready)
{
    plx__lock_fini(&ready->lock);
}

void plx__ready_push(plx__ready *ready, plx__source *source)
{
    plx__source *head = atomic_load_explicit(&ready->pushed, PLX__RELAXED);

    do
        source->next = head;
    while (!atomic_compare_exchange_weak_explicit(&ready->pushed, &head, source, PLX__SEQ_CST, PLX__RELAXED));
}

static void ready_append(plx__sources *list, plx__source *source)
{
    source->next = NULL;
    if (list->first)
        list->last->next = source;
    else
        list->first = source;
    list->last = source;
}

static plx__source *ready_shift(plx__sources *list)
{
    plx__source *source = list->first;

    if (source)
        list->first = source->next;
    return source;
}

/* Moves what was pushed to the end of the list, oldest first. */
static void ready_collect(plx__ready *ready)
{
    plx__source *source = atomic_exchange_explicit(&ready->pushed, NULL, PLX__SEQ_CST);
    plx__source *turned = NULL;

    while (source) {
        plx__source *next = source->next;
        source->next = turned;
        turned = source;
        source = next;
    }
    while (turned) {
        plx__source *next = turned->next;
        ready_append(&ready->list, turned);
        turned = next;
    }
}

void plx__ready_clear(plx__ready *ready)
{
    plx__source *source;

    ready_collect(ready);
    while ((source = ready_shift(&ready->list)))
        source->kind->drop(source);
}

int plx__ready_take(plx__ready *ready, plx_event *events, int room, uint64_t *round)
{
    int count = 0;

    plx__lock_take(&ready->lock);
    ready_collect(ready);
    bool first = *round == 0;
    if (first)
        *round = ++ready->rounds;

    plx__sources later = {0}; /* they have had their turn in this wait */
    plx__source *source;
    while (count < room && (source = ready_shift(&ready->list))) {
        if (source->round == *round && !source->kind->repeats) {
            ready_append(&later, source);
            continue;
        }
        source->round = *round;
        plx__taken taken = source->kind->take(source, &events[count]);
        count += taken != PLX__TOOK_NOTHING;
        if (taken == PLX__TOOK_ONE)
            ready_append(&ready->list, source);
    }
    while ((source = ready_shift(&later)))
        ready_append(&ready->list, source);
    if (first && count == 0)
        *round = 0; /* a source that had nothing yet has not had its turn */
    atomic_store_explicit(&ready->left, ready->list.first != NULL, PLX__SEQ_CST);
    plx__lock_drop(&ready->lock);
    return count;
}
