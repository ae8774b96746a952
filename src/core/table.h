/* SPDX-License-Identifier: MIT */
/*
 * What is registered: descriptor -> token, interest, generation. See docs/design.md.
 *
 *     tag   31        5    4      3     2     1      0
 *           generation    AGAIN   USED  ARMED SLOW  NATIVE
 *
 * USED    there is a registration. An entry that is ARMED without it is the library's own: its
 *         token is a pointer (attach.h).
 * ARMED   it may report; a oneshot that has reported may not.
 * SLOW    more is to be done with its events than to pass them on: native, or a oneshot of
 *         a kernel that does not disarm by itself.
 * NATIVE  the interest is the kernel's flags, not ours.
 * AGAIN   flipped when an entry becomes what it was before a change that the kernel refused:
 *         the tag is new to a reader, and the key is the old one.
 *
 * The kernel is given a key, the descriptor and the tag without SLOW and AGAIN, and hands it
 * back with each event. An event counts only if its tag is the entry's: the same generation, and
 * still armed.
 *
 * Writers hold the registry's lock. Waiters read without it, and clear ARMED.
 */
#ifndef PLX__TABLE_H
#define PLX__TABLE_H

#include "core/pages.h"
#include "os/descriptor.h"

#define PLX__NATIVE 1u
#define PLX__SLOW   2u
#define PLX__ARMED  4u
#define PLX__USED   8u
#define PLX__AGAIN  16u

#define PLX__GENERATION 0xffffffe0u

typedef struct plx__key {
    uint32_t fd; /* its number, see descriptor.h */
    uint32_t tag;
} plx__key;

typedef struct plx__entry {
    _Atomic(uint32_t) tag;      /* acquire and release: it guards the others, see plx__entry_publish */
    _Atomic(uint32_t) interest; /* see plx__interest_pack; of a native registration, the kernel's flags */
    _Atomic(uint64_t) token;
} plx__entry;

typedef struct plx__table {
    plx__pages pages;
} plx__table;

/* One registration as the kernel shall see it. */
typedef struct plx__watch {
    plx__key key;
    uint32_t flags; /* what is reported, and the mode, or the kernel's own flags if the tag says
                       NATIVE; 0: report nothing, but keep the registration */
} plx__watch;

/*
 * An interest is kept as the flags that are reported for it, so that one mask decides, beside
 * those that were asked for by name: the unasked ones are kept shifted.
 */
#define PLX__UNASKED (PLX_READ_CLOSED | PLX_WRITE_CLOSED | PLX_ERROR)
#define PLX__READINESS (PLX_READABLE | PLX_WRITABLE | PLX_PRIORITY | PLX__UNASKED)
#define PLX__MODES (PLX_EDGE | PLX_ONESHOT | PLX_EXCLUSIVE)

static inline uint32_t plx__interest_pack(uint32_t interest)
{
    uint32_t packed = interest | (interest & PLX__UNASKED) << 16;

    if (interest & PLX__READINESS)
        packed |= PLX_WRITE_CLOSED | PLX_ERROR;
    if (interest & PLX_READABLE && !(interest & PLX_EXCLUSIVE))
        packed |= PLX_READ_CLOSED;
    return packed;
}

static inline uint32_t plx__interest_unpack(uint32_t packed)
{
    return (packed & ((PLX__READINESS & ~PLX__UNASKED) | PLX__MODES)) | (packed >> 16 & PLX__UNASKED);
}

/* A tag as it is in a key. */
static inline uint32_t plx__tag_key(uint32_t tag)
{
    return tag & ~(PLX__SLOW | PLX__AGAIN);
}

/* What the kernel shall see of an entry. */
static inline plx__watch plx__watch_of(plx_fd fd, uint32_t tag, uint32_t interest)
{
    uint32_t flags = tag & PLX__NATIVE ? interest : interest & (PLX__READINESS | PLX__MODES);
    bool loud = tag & PLX__ARMED && (tag & PLX__NATIVE || interest & PLX__READINESS);

    return (plx__watch){.key = {.fd = plx__descriptor_number(fd), .tag = plx__tag_key(tag)}, .flags = loud ? flags : 0};
}

/* The same of one that the library itself has attached: see attach.h. */
static inline plx__watch plx__watch_attached(plx_fd fd, uint32_t tag)
{
    return (plx__watch){.key = {.fd = plx__descriptor_number(fd), .tag = plx__tag_key(tag)}, .flags = PLX_READABLE};
}

/* The next generation, with these bits. */
static inline uint32_t plx__tag_next(uint32_t tag, uint32_t bits)
{
    return ((tag & PLX__GENERATION) + (~PLX__GENERATION + 1)) | bits;
}

/*
 * What a waiter reads the table through: taken once after the kernel has handed back events,
 * it spans all their descriptors.
 */
typedef _Atomic(char *) const *plx__view;

static inline plx__view plx__table_view(const plx__table *table)
{
    plx__directory *directory = atomic_load_explicit(&table->pages.directory, PLX__ACQUIRE);

    return directory ? directory->page : NULL;
}

static inline plx__entry *plx__view_entry(plx__view view, uint32_t fd)
{
    plx__entry *page = (plx__entry *)(void *)atomic_load_explicit(&view[fd >> PLX__PAGE_BITS], PLX__ACQUIRE);

    return page + (fd & (PLX__PAGE_SIZE - 1));
}

/*
 * Takes the entry out of the readers' sight, so that it stands still; its tag before. Readers
 * write only to clear ARMED of a oneshot: where they cannot, a store is enough.
 */
static inline uint32_t plx__entry_hide(plx__entry *entry)
{
    uint32_t tag = atomic_load_explicit(&entry->tag, PLX__ACQUIRE);
    uint32_t hidden = tag & ~(PLX__USED | PLX__ARMED);

    if (tag & PLX__ARMED && atomic_load_explicit(&entry->interest, PLX__RELAXED) & PLX_ONESHOT)
        return atomic_exchange_explicit(&entry->tag, hidden, PLX__ACQ_REL);
    atomic_store_explicit(&entry->tag, hidden, PLX__RELAXED);
    return tag;
}

/*
 * Shows a hidden entry. A reader takes tag, token and interest, tag. If its token or
 * interest is the new one, its acquire of it makes the hiding visible to it, and its second
 * look at the tag differs from the first.
 */
static inline void plx__entry_publish(plx__entry *entry, plx_token token, uint32_t interest, uint32_t tag)
{
    atomic_store_explicit(&entry->token, token, PLX__RELEASE);
    atomic_store_explicit(&entry->interest, interest, PLX__RELEASE);
    atomic_store_explicit(&entry->tag, tag, PLX__RELEASE);
}

/* The entry of a descriptor, or NULL if none has been made for numbers near it. */
static inline plx__entry *plx__table_entry(const plx__table *table, plx_fd fd)
{
    uint32_t number = plx__descriptor_number(fd);
    plx__entry *page = plx__pages_find(&table->pages, number);

    return page ? page + (number & (PLX__PAGE_SIZE - 1)) : NULL;
}

/* The same if it has a registration, else NULL. */
static inline plx__entry *plx__table_find(const plx__table *table, plx_fd fd)
{
    plx__entry *entry = plx__table_entry(table, fd);

    return entry && atomic_load_explicit(&entry->tag, PLX__RELAXED) & PLX__USED ? entry : NULL;
}

void plx__table_init(plx__table *table, const plx_allocator *memory);
void plx__table_fini(plx__table *table);

/* The entry of a descriptor, made if it is new; NULL when out of memory. */
plx__entry *plx__table_make(plx__table *table, plx_fd fd);

/* The first registration, or attachment, at or after the number *next, and the one after it there; false at the end. */
bool plx__table_next(const plx__table *table, size_t *next, plx__watch *watch);

#endif
