/* SPDX-License-Identifier: MIT */
/* The registration table: what is not needed at every event. */
#include "os/config.h"

#include "core/table.h"

void plx__table_init(plx__table *table, const plx_allocator *memory)
{
    plx__pages_init(&table->pages, memory, sizeof(plx__entry));
}

void plx__table_fini(plx__table *table)
{
    plx__pages_fini(&table->pages);
}

plx__entry *plx__table_make(plx__table *table, plx_fd fd)
{
    return plx__pages_make(&table->pages, plx__descriptor_number(fd));
}

bool plx__table_next(const plx__table *table, size_t *next, plx__watch *watch)
{
    size_t span = plx__pages_span(&table->pages);

    while (*next < span) {
        if (!plx__pages_find(&table->pages, *next)) {
            *next = (*next | (PLX__PAGE_SIZE - 1)) + 1;
            continue;
        }
        plx_fd fd = plx__descriptor_of((uint32_t)*next);
        plx__entry *entry = plx__pages_get(&table->pages, (*next)++);
        uint32_t tag = atomic_load_explicit(&entry->tag, PLX__RELAXED);
        if (tag & (PLX__USED | PLX__ARMED)) {
            uint32_t interest = atomic_load_explicit(&entry->interest, PLX__RELAXED);
            *watch = tag & PLX__USED ? plx__watch_of(fd, tag, interest) : plx__watch_attached(fd, tag);
            return true;
        }
    }
    return false;
}
