/* SPDX-License-Identifier: MIT */
/*
 * What is registered: descriptor -> token, interest, generation. See docs/design.md.
 *
 *     state   63        36 35   34    33     32 31           0
 *             generation   USED ARMED NATIVE -  interest
 *
 * USED    there is a registration.
 * ARMED   it may report; a oneshot that has reported may not.
 * NATIVE  the interest is the kernel's flags, not ours.
 *
 * Writers hold the registry's lock. Waiters read without it, and clear ARMED.
 */
#ifndef PLX__TABLE_H
#define PLX__TABLE_H

#include "core/pages.h"

#define PLX__USED   (UINT64_C(1) << 35)
#define PLX__ARMED  (UINT64_C(1) << 34)
#define PLX__NATIVE (UINT64_C(1) << 33)

#define PLX__GENERATION_SHIFT 36

/* What the kernel hands back with an event: generation << 32 | descriptor. */
typedef uint64_t plx__key;

typedef struct plx__entry {
    _Atomic(uint64_t) state;
    _Atomic(uint64_t) token;
} plx__entry;

typedef struct plx__table {
    plx__pages pages;
} plx__table;

/* One registration as the kernel shall see it. */
typedef struct plx__watch {
    plx__key key;
    uint32_t flags; /* interest and mode; 0: report nothing, but keep the registration */
    bool native;    /* the flags are the kernel's own */
} plx__watch;

static inline plx_fd plx__key_fd(plx__key key)
{
    return (plx_fd)(uint32_t)key;
}

static inline uint64_t plx__key_generation(plx__key key)
{
    return key >> 32;
}

static inline uint64_t plx__state_generation(uint64_t state)
{
    return state >> PLX__GENERATION_SHIFT;
}

static inline uint32_t plx__state_interest(uint64_t state)
{
    return (uint32_t)state;
}

static inline plx__entry *plx__table_get(const plx__table *table, plx__key key)
{
    return plx__pages_get(&table->pages, (uint32_t)key);
}

void plx__table_init(plx__table *table, const plx_allocator *memory);
void plx__table_fini(plx__table *table);

/* Whether there is memory for the entry of a descriptor already. */
bool plx__table_spans(const plx__table *table, plx_fd fd);

/* The entry of a descriptor, made if it is new; NULL when out of memory. */
plx__entry *plx__table_make(plx__table *table, plx_fd fd);

/* The entry of a descriptor that has a registration, else NULL. */
plx__entry *plx__table_find(const plx__table *table, plx_fd fd);

/* The state that follows: the next generation, with these bits and this interest. */
uint64_t plx__state_next(uint64_t state, uint64_t bits, uint32_t interest);

/* Takes the entry out of the readers' sight, so that its state stands still; what it was. */
uint64_t plx__entry_hide(plx__entry *entry);

/* Writes token and state so that a reader never takes the one for the other. */
void plx__entry_publish(plx__entry *entry, plx_token token, uint64_t state);

/* What the kernel shall see of a registration in this state. */
plx__watch plx__watch_of(plx_fd fd, uint64_t state);

/* The first registration at or after *fd, and the number after it in *fd; false at the end. */
bool plx__table_next(const plx__table *table, size_t *fd, plx__watch *watch);

#endif
