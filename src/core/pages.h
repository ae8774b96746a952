/* SPDX-License-Identifier: MIT */
/*
 * An array indexed by descriptor number, in pages of 1,024 elements that never move:
 * who holds the lock may add pages while others read without it. Memory is for the
 * numbers in use, rounded up to a page.
 */
#ifndef PLX__PAGES_H
#define PLX__PAGES_H

#include "os/atomic.h"

#include <pollux.h>

#define PLX__PAGE_BITS 10
#define PLX__PAGE_SIZE ((size_t)1 << PLX__PAGE_BITS)

typedef struct plx__directory {
    struct plx__directory *older; /* outgrown, perhaps still read */
    size_t size;
    _Atomic(char *) page[];
} plx__directory;

typedef struct plx__pages {
    const plx_allocator *memory;
    size_t element;                       /* bytes of one */
    _Atomic(plx__directory *) directory;  /* release when grown; acquire in _find */
} plx__pages;

void plx__pages_init(plx__pages *pages, const plx_allocator *memory, size_t element);
void plx__pages_fini(plx__pages *pages);

/* The element, made of zeros if it is new; NULL when out of memory. Under the owner's lock. */
void *plx__pages_make(plx__pages *pages, size_t index);

/* Drops the page of an index that was made just now and has not been read by anyone else. */
void plx__pages_unmake(plx__pages *pages, size_t index);

/* Whether the page of an index has a place in the directory, or it is small anyway. */
bool plx__pages_fit(const plx__pages *pages, size_t index);

/* The indices from here on were never made. */
size_t plx__pages_span(const plx__pages *pages);

/* The page of an index, or NULL if it was never made. Any thread, as the rest below. */
static inline void *plx__pages_find(const plx__pages *pages, size_t index)
{
    plx__directory *directory = atomic_load_explicit(&pages->directory, PLX__ACQUIRE);
    size_t number = index >> PLX__PAGE_BITS;

    if (!directory || number >= directory->size)
        return NULL;
    return atomic_load_explicit(&directory->page[number], PLX__ACQUIRE);
}

/* The same for an index that is known to have been made. */
static inline void *plx__pages_page(const plx__pages *pages, size_t index)
{
    plx__directory *directory = atomic_load_explicit(&pages->directory, PLX__ACQUIRE);

    return atomic_load_explicit(&directory->page[index >> PLX__PAGE_BITS], PLX__ACQUIRE);
}

/* Its element. */
static inline void *plx__pages_get(const plx__pages *pages, size_t index)
{
    return (char *)plx__pages_page(pages, index) + (index & (PLX__PAGE_SIZE - 1)) * pages->element;
}

#endif
