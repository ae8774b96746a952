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

bool plx__table_spans(const plx__table *table, plx_fd fd)
{
    return plx__pages_find(&table->pages, (uint32_t)fd) != NULL;
}

plx__entry *plx__table_make(plx__table *table, plx_fd fd)
{
    return plx__pages_make(&table->pages, (uint32_t)fd);
}

bool plx__table_next(const plx__table *table, size_t *fd, plx__watch *watch)
{
    size_t span = plx__pages_span(&table->pages);

    while (*fd < span) {
        if (!plx__pages_find(&table->pages, *fd)) {
            *fd = (*fd | (PLX__PAGE_SIZE - 1)) + 1;
            continue;
        }
        plx_fd number = (plx_fd)(*fd)++;
        plx__entry *entry = plx__pages_get(&table->pages, (size_t)number);
        uint32_t tag = atomic_load_explicit(&entry->tag, PLX__RELAXED);
        if (tag & (PLX__USED | PLX__ARMED)) {
            uint32_t interest = atomic_load_explicit(&entry->interest, PLX__RELAXED);
            *watch = tag & PLX__USED ? plx__watch_of(number, tag, interest) : plx__watch_attached(number, tag);
            return true;
        }
    }
    return false;
}
