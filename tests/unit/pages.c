/* SPDX-License-Identifier: MIT */
/*
 * Pages: elements keep their address and their value while the directory grows, new ones
 * are zero, memory is for what is used, and readers need no lock.
 */
#include "os/config.h"

#include "../tools.h"

#include "core/pages.h"

enum { READERS = 2, MOST = 1 << 20 };

static void new_elements_are_zero_and_keep_their_address(void)
{
    counted_memory memory;
    plx__pages pages;
    uint64_t *known[64];
    size_t index[64];
    random_state random = random_start();

    counted_init(&memory);
    plx__pages_init(&pages, &memory.allocator, sizeof(uint64_t));
    CHECK(plx__pages_find(&pages, 0) == NULL);
    CHECK_EQ(plx__pages_span(&pages), 0);
    for (int i = 0; i < 64; i++) {
        /* every size of number, and a number for each that nobody else has */
        index[i] = (size_t)random_below(&random, 1u << (1 + i % 20)) * 64 + (size_t)i;
        known[i] = plx__pages_make(&pages, index[i]);
        CHECK(known[i] != NULL);
        CHECK_EQ(*known[i], 0);
        *known[i] = 1000 + (uint64_t)i;
        CHECK(plx__pages_span(&pages) > index[i]);
        for (int j = 0; j <= i; j++) {
            check_note("element %zu after %zu was made", index[j], index[i]);
            CHECK(plx__pages_get(&pages, index[j]) == (void *)known[j]);
            CHECK(plx__pages_make(&pages, index[j]) == (void *)known[j]);
            CHECK_EQ(*known[j], 1000 + j);
        }
    }
    check_note("at the end");
    CHECK(plx__pages_find(&pages, SIZE_MAX / 2) == NULL);
    plx__pages_fini(&pages);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* One large number costs a page and directories, not all the pages below it. */
static void memory_is_for_the_numbers_in_use(void)
{
    counted_memory memory;
    plx__pages pages;

    counted_init(&memory);
    plx__pages_init(&pages, &memory.allocator, 16);
    CHECK(plx__pages_make(&pages, MOST) != NULL);
    CHECK_EQ(atomic_load(&memory.live), 2);
    CHECK(plx__pages_make(&pages, MOST + 1) != NULL);
    CHECK_EQ(atomic_load(&memory.live), 2);
    CHECK(plx__pages_make(&pages, 0) != NULL);
    CHECK_EQ(atomic_load(&memory.live), 3);
    CHECK(plx__pages_find(&pages, PLX__PAGE_SIZE) == NULL);
    plx__pages_fini(&pages);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* A reader may be in a directory for as long as it likes while others replace it. */
static void an_outgrown_directory_can_still_be_read(void)
{
    counted_memory memory;
    plx__pages pages;

    counted_init(&memory);
    plx__pages_init(&pages, &memory.allocator, sizeof(uint32_t));
    char *page = plx__pages_make(&pages, 0);
    plx__directory *outgrown = atomic_load(&pages.directory);
    for (size_t i = PLX__PAGE_SIZE; i <= MOST; i *= 2) {
        long before = atomic_load(&memory.live);
        CHECK(plx__pages_make(&pages, i) != NULL);
        CHECK(atomic_load(&memory.live) > before); /* the page is new, and nothing was freed */
        CHECK(atomic_load(&outgrown->page[0]) == page);
    }
    CHECK(atomic_load(&pages.directory) != outgrown);
    plx__pages_fini(&pages);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* Refused once at each request: NULL, nothing that was there is touched, and it works afterwards. */
static void a_refused_allocation_changes_nothing(void)
{
    for (long refused = 1;; refused++) {
        counted_memory memory;
        plx__pages pages;
        int failures = 0;

        counted_init(&memory);
        atomic_store(&memory.refuse, refused);
        plx__pages_init(&pages, &memory.allocator, sizeof(uint32_t));
        for (size_t i = 1; i < MOST; i *= 8) {
            check_note("request %ld refused, number %zu", refused, i);
            uint32_t *element = plx__pages_make(&pages, i);
            if (!element) {
                failures++;
                CHECK(plx__pages_find(&pages, i) == NULL || i < PLX__PAGE_SIZE);
                element = plx__pages_make(&pages, i);
            }
            CHECK(element != NULL);
            *element = (uint32_t)i;
            for (size_t j = 1; j <= i; j *= 8)
                CHECK_EQ(*(uint32_t *)plx__pages_get(&pages, j), j);
        }
        plx__pages_fini(&pages);
        CHECK_EQ(atomic_load(&memory.live), 0);
        CHECK_EQ(failures, atomic_load(&memory.refused));
        if (failures == 0)
            return;
    }
}

/* ---- Readers while it grows -------------------------------------------------- */

static plx__pages shared_pages;
static atomic_size_t shared_made; /* elements below are made, each with its number + 1 in it */

static void *read_along(void *unused)
{
    random_state random = {(uintptr_t)&random};
    size_t made;

    while ((made = atomic_load(&shared_made)) < MOST / 8) {
        size_t index = random_below(&random, MOST / 8);
        _Atomic(uint32_t) *page = plx__pages_find(&shared_pages, index);
        uint32_t value = page ? atomic_load(&page[index & (PLX__PAGE_SIZE - 1)]) : 0;
        CHECK(value == 0 || value == index + 1);
        CHECK(value != 0 || index >= made);
    }
    return unused;
}

static void readers_see_what_was_made_while_it_grows(void)
{
    counted_memory memory;
    pthread_t readers[READERS];

    counted_init(&memory);
    plx__pages_init(&shared_pages, &memory.allocator, sizeof(uint32_t));
    for (int i = 0; i < READERS; i++)
        readers[i] = thread_start(read_along, NULL);
    for (size_t i = 0; i < MOST / 8; i++) {
        _Atomic(uint32_t) *element = plx__pages_make(&shared_pages, i);
        CHECK(element != NULL);
        atomic_store(element, (uint32_t)i + 1);
        atomic_store(&shared_made, i + 1);
    }
    for (int i = 0; i < READERS; i++)
        thread_join(readers[i]);
    plx__pages_fini(&shared_pages);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

int main(void)
{
    watchdog(100);
    new_elements_are_zero_and_keep_their_address();
    memory_is_for_the_numbers_in_use();
    an_outgrown_directory_can_still_be_read();
    a_refused_allocation_changes_nothing();
    readers_see_what_was_made_while_it_grows();
    return 0;
}
