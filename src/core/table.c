/* SPDX-License-Identifier: MIT */
/* The registration table's writing side. */
#include "os/config.h"

#include "core/table.h"

#define TABLE_GENERATION_MASK ((UINT64_C(1) << (64 - PLX__GENERATION_SHIFT)) - 1)

void plx__table_init(plx__table *table, const plx_allocator *memory)
{
    plx__pages_init(&table->pages, memory, sizeof(plx__entry));
}

void plx__table_fini(plx__table *table)
{
    plx__pages_fini(&table->pages);
}

bool plx__table_spans(const plx__table *table, plx_fd fd)
{
    return plx__pages_at(&table->pages, (size_t)fd) != NULL;
}

plx__entry *plx__table_make(plx__table *table, plx_fd fd)
{
    return plx__pages_make(&table->pages, (size_t)fd);
}

plx__entry *plx__table_find(const plx__table *table, plx_fd fd)
{
    plx__entry *entry = fd < 0 ? NULL : plx__pages_at(&table->pages, (size_t)fd);

    return entry && atomic_load_explicit(&entry->state, PLX__RELAXED) & PLX__USED ? entry : NULL;
}

uint64_t plx__state_next(uint64_t state, uint64_t bits, uint32_t interest)
{
    uint64_t generation = (plx__state_generation(state) + 1) & TABLE_GENERATION_MASK;

    return generation << PLX__GENERATION_SHIFT | bits | interest;
}

uint64_t plx__entry_hide(plx__entry *entry)
{
    return atomic_fetch_and_explicit(&entry->state, ~(PLX__USED | PLX__ARMED), PLX__ACQ_REL);
}

/*
 * A reader takes state, token, state. If its token is the new one, its acquire of the
 * token makes the first store here visible to it, and its second look at the state
 * differs from the first.
 */
void plx__entry_publish(plx__entry *entry, plx_token token, uint64_t state)
{
    atomic_store_explicit(&entry->state, state & ~(PLX__USED | PLX__ARMED), PLX__RELAXED);
    atomic_store_explicit(&entry->token, token, PLX__RELEASE);
    atomic_store_explicit(&entry->state, state, PLX__RELEASE);
}

plx__watch plx__watch_of(plx_fd fd, uint64_t state)
{
    return (plx__watch){
        .key = plx__state_generation(state) << 32 | (uint32_t)fd,
        .flags = state & PLX__ARMED ? plx__state_interest(state) : 0,
        .native = (state & PLX__NATIVE) != 0,
    };
}

bool plx__table_next(const plx__table *table, size_t *fd, plx__watch *watch)
{
    size_t span = plx__pages_span(&table->pages);

    while (*fd < span) {
        plx__entry *entry = plx__pages_at(&table->pages, *fd);
        if (!entry) {
            *fd = (*fd | (PLX__PAGE_SIZE - 1)) + 1;
            continue;
        }
        uint64_t state = atomic_load_explicit(&entry->state, PLX__RELAXED);
        plx_fd number = (plx_fd)(*fd)++;
        if (state & PLX__USED) {
            *watch = plx__watch_of(number, state);
            return true;
        }
    }
    return false;
}
