/* SPDX-License-Identifier: MIT */
/*
 * Pages behind a directory that doubles. An outgrown directory is kept until the end: a
 * reader may be in it, and together they are smaller than the one in use.
 */
#include "os/config.h"

#include "core/pages.h"
#include "core/memory.h"

enum { PAGES_FIRST = 16 };

void plx__pages_init(plx__pages *pages, const plx_allocator *memory, size_t element)
{
    pages->memory = memory;
    pages->element = element;
    atomic_init(&pages->directory, NULL);
}

void plx__pages_fini(plx__pages *pages)
{
    plx__directory *directory = atomic_load_explicit(&pages->directory, PLX__RELAXED);

    for (size_t i = 0; directory && i < directory->size; i++)
        plx__memory_put(pages->memory, atomic_load_explicit(&directory->page[i], PLX__RELAXED));
    while (directory) {
        plx__directory *older = directory->older;
        plx__memory_put(pages->memory, directory);
        directory = older;
    }
    atomic_store_explicit(&pages->directory, NULL, PLX__RELAXED);
}

static plx__directory *pages_widen(plx__pages *pages, plx__directory *older, size_t needed)
{
    size_t size = older ? older->size : PAGES_FIRST;

    while (size < needed)
        size *= 2;
    plx__directory *wider = plx__memory_get(pages->memory, sizeof *wider + size * sizeof wider->page[0]);
    if (!wider)
        return NULL;
    wider->older = older;
    wider->size = size;
    for (size_t i = 0; i < size; i++) {
        char *page = older && i < older->size ? atomic_load_explicit(&older->page[i], PLX__RELAXED) : NULL;
        atomic_init(&wider->page[i], page);
    }
    atomic_store_explicit(&pages->directory, wider, PLX__RELEASE);
    return wider;
}

void *plx__pages_make(plx__pages *pages, size_t index)
{
    plx__directory *directory = atomic_load_explicit(&pages->directory, PLX__RELAXED);
    size_t number = index >> PLX__PAGE_BITS;

    if (!directory || number >= directory->size) {
        directory = pages_widen(pages, directory, number + 1);
        if (!directory)
            return NULL;
    }
    if (!atomic_load_explicit(&directory->page[number], PLX__RELAXED)) {
        char *page = plx__memory_get(pages->memory, PLX__PAGE_SIZE * pages->element);
        if (!page)
            return NULL;
        atomic_store_explicit(&directory->page[number], page, PLX__RELEASE);
    }
    return plx__pages_get(pages, index);
}

void plx__pages_unmake(plx__pages *pages, size_t index)
{
    plx__directory *directory = atomic_load_explicit(&pages->directory, PLX__RELAXED);

    plx__memory_put(pages->memory, atomic_exchange_explicit(&directory->page[index >> PLX__PAGE_BITS], NULL, PLX__RELAXED));
}

bool plx__pages_fit(const plx__pages *pages, size_t index)
{
    plx__directory *directory = atomic_load_explicit(&pages->directory, PLX__RELAXED);

    return index >> PLX__PAGE_BITS < (directory ? directory->size : PAGES_FIRST);
}

size_t plx__pages_span(const plx__pages *pages)
{
    plx__directory *directory = atomic_load_explicit(&pages->directory, PLX__ACQUIRE);

    return directory ? directory->size << PLX__PAGE_BITS : 0;
}
