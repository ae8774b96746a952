/* SPDX-License-Identifier: MIT */
/* Memory: all of it from the allocator, none of it in waits, and none of it left behind. */
#include "support.h"

enum { STEPS = 9, POSTS = 200 };

typedef struct scene {
    plx_poller   *poller;
    plx_registry *registry;
    plx_waker    *waker;
    plx_fd        ends[2];
} scene;

/* One step of a program that uses everything. */
static int take_step(scene *s, int step)
{
    switch (step) {
    case 0: return plx_register(s->registry, s->ends[0], 1, PLX_READABLE);
    case 1: return plx_register(s->registry, s->ends[1], 2, PLX_WRITABLE | PLX_ONESHOT);
    case 2: return plx_waker_open(s->registry, 3, &s->waker);
    case 3: return plx_waker_wake(s->waker);
    case 4: return plx_post(s->registry, 4, 1);
    case 5: return plx_enable(s->registry, s->ends[0], PLX_WRITABLE);
    case 6: return plx_reregister(s->registry, s->ends[0], 5, PLX_READABLE | PLX_ONESHOT);
    case 7: return plx_notify(s->registry);
    default: return plx_deregister(s->registry, s->ends[0]);
    }
}

static int take_post(scene *s, int i)
{
    return plx_post(s->registry, 4, (uint64_t)i);
}

/* Memory that is never given back: with it, the C library's heap is not to be touched at all. */
static _Alignas(max_align_t) unsigned char shelf[1 << 20];

static void *shelf_allocate(void *context, size_t size)
{
    size_t *used = context, rounded = (size + 15) / 16 * 16;
    if (size > sizeof shelf - 64 - *used)
        return NULL;
    unsigned char *block = shelf + *used + 16;
    memcpy(block - 16, &size, sizeof size);
    *used += 16 + rounded;
    return block;
}

static void *shelf_reallocate(void *context, void *pointer, size_t size)
{
    size_t old = 0;
    void *block = shelf_allocate(context, size);
    if (pointer)
        memcpy(&old, (unsigned char *)pointer - 16, sizeof old);
    if (block && old)
        memcpy(block, pointer, old < size ? old : size);
    return block;
}

static void shelf_release(void *context, void *pointer)
{
    (void)context;
    CHECK(!pointer || ((unsigned char *)pointer > shelf && (unsigned char *)pointer < shelf + sizeof shelf));
}

CASE(allocator_is_used_for_everything)
{
    scene s;
    size_t used = 0;
    plx_allocator allocator = {shelf_allocate, shelf_reallocate, shelf_release, &used};
    plx_options options = {.backend = backend_id(), .allocator = &allocator};
    open_stream(s.ends);
    long heap = heap_in_use();
    CHECK_RC(plx_poller_open(&s.poller, &options), 0);
    s.registry = plx_poller_registry(s.poller);
    CHECK(used > 0);
    for (int step = 0; step < STEPS; step++)
        CHECK_RC(take_step(&s, step), 0);
    for (int i = 0; i < POSTS; i++)
        CHECK_RC(take_post(&s, i), 0);
    CHECK_EQ(plx_poller_wait(s.poller, &(plx_event){0}, 1, 0), 1);
    plx_waker_release(s.waker);
    plx_poller_close(s.poller);
    CHECK_EQ(heap_in_use(), heap);
    close_pair(s.ends);
}

CASE(waiting_allocates_nothing)
{
    enum { SOURCES = 100 };
    counting memory;
    plx_fd ends[SOURCES][2];
    plx_event events[16];
    plx_waker *waker;
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_poller_registry(poller);
    CHECK_RC(plx_waker_open(registry, 3, &waker), 0);
    for (int i = 0; i < SOURCES; i++) {
        uint32_t mode = i % 2 ? PLX_ONESHOT : PLX_LEVEL;
        open_stream(ends[i]);
        CHECK_RC(plx_register(registry, ends[i][0], (plx_token)i, PLX_WRITABLE | mode), 0);
    }
    for (int i = 0; i < POSTS; i++)
        CHECK_RC(plx_post(registry, 4, 0), 0);
    CHECK_RC(plx_waker_wake(waker), 0);
    long calls = atomic_load(&memory.calls);
    counting_refuse(&memory, 1);
    for (int i = 0; i < 100; i++)
        CHECK(plx_poller_wait(poller, events, 1 + i % 16, i % 2 ? PLX_FOREVER : 0) > 0);
    CHECK_RC(plx_notify(registry), 0);
    CHECK_RC(plx_waker_wake(waker), 0);
    CHECK(plx_poller_wait(poller, events, 16, PLX_FOREVER) > 0);
    CHECK_EQ(atomic_load(&memory.calls), calls);
    counting_refuse(&memory, 0);
    for (int i = 0; i < SOURCES; i++)
        CHECK_RC(plx_deregister(registry, ends[i][0]), 0);
    while (plx_poller_wait(poller, events, 16, 0) > 0)
        continue;
    calls = atomic_load(&memory.calls);
    CHECK_RC(plx_poller_wait(poller, events, 16, PLX_MSEC(1)), 0);
    CHECK_EQ(atomic_load(&memory.calls), calls);
    plx_waker_release(waker);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
    for (int i = 0; i < SOURCES; i++)
        close_pair(ends[i]);
}

/* The first allocation of an open fails, then the second, and so on, until none is left to. */
CASE(open_without_memory_is_enomem_and_leaves_nothing)
{
    int before = descriptors_open(), failed = 0;
    for (long nth = 1;; nth++) {
        counting memory;
        plx_poller *mark = (plx_poller *)(void *)&memory, *poller = mark;
        counting_init(&memory);
        counting_refuse(&memory, nth);
        plx_options options = {.backend = backend_id(), .allocator = &memory.allocator};
        check_note("allocation %ld", nth);
        int rc = plx_poller_open(&poller, &options);
        if (atomic_load(&memory.calls) < nth) {
            CHECK_RC(rc, 0);
            plx_poller_close(poller);
            CHECK_EQ(atomic_load(&memory.live), 0);
            break;
        }
        failed++;
        CHECK_RC(rc, -ENOMEM);
        CHECK(poller == mark);
        CHECK_EQ(atomic_load(&memory.live), 0);
        CHECK_EQ(descriptors_open(), before);
    }
    CHECK(failed > 0);
}

/*
 * A program that does everything, and its nth allocation fails. The call that met it says
 * -ENOMEM, and then does its work when it is called again; nothing else notices.
 */
static bool run_with_failure(long nth)
{
    counting memory;
    scene s = {0};
    plx_event events[64];
    int refused = 0, posts = 0;
    s.poller = open_counting(&memory);
    s.registry = plx_poller_registry(s.poller);
    open_stream(s.ends);
    counting_refuse(&memory, nth);
    for (int i = 0; i < STEPS + POSTS; i++) {
        int rc = i < STEPS ? take_step(&s, i) : take_post(&s, i - STEPS);
        if (rc != 0) {
            CHECK_RC(rc, -ENOMEM);
            CHECK_EQ(refused++, 0);
            CHECK_EQ(stats_of(s.poller).registered, i == 0 ? 0 : i == 1 ? 1 : i < STEPS ? 2 : 1);
            if (i == 0)
                CHECK_RC(plx_lookup(s.registry, s.ends[0], NULL, NULL), -ENOENT);
            CHECK_RC(i < STEPS ? take_step(&s, i) : take_post(&s, i - STEPS), 0);
        }
    }
    bool reached = atomic_load(&memory.calls) >= atomic_load(&memory.refuse);
    for (int count; (count = plx_poller_wait(s.poller, events, 64, 0)) > 0;)
        for (int i = 0; i < count; i++)
            if (events[i].flags == PLX_POST && posts > 0)
                CHECK_EQ(events[i].data, posts++ - 1); /* the first was the step's */
            else if (events[i].flags == PLX_POST)
                posts++;
    CHECK_EQ(posts, POSTS + 1);
    CHECK_RC(plx_deregister(s.registry, s.ends[1]), 0);
    plx_waker_release(s.waker);
    plx_poller_close(s.poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
    close_pair(s.ends);
    return reached;
}

CASE(every_allocation_may_fail_in_turn)
{
    long nth = 1;
    for (; run_with_failure(nth); nth++)
        check_note("allocation %ld", nth + 1);
    CHECK(nth > 1);
}

/* Numbers far from those in use, whose entries would take memory of their own. */
CASE(a_registration_that_fails_keeps_no_memory)
{
    static const plx_fd numbers[] = {2000, 5000, 15000};
    counting memory;
    plx_fd ends[2];
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_poller_registry(poller);
    if (backend_is("iocp"))
        SKIP("nobody chooses the number of a handle on Windows");
    if (!descriptors_allow(16000))
        SKIP("RLIMIT_NOFILE is below 16000");
    open_stream(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    plx_fd file = open_regular_file();
    long live = atomic_load(&memory.live);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        CHECK(dup_onto(file, numbers[i]));
        CHECK_RC(plx_register(registry, numbers[i], 2, PLX_READABLE), -EPERM);
        close_fd(numbers[i]);
        CHECK_RC(plx_register(registry, numbers[i], 2, PLX_READABLE), -EBADF);
        CHECK_EQ(atomic_load(&memory.live), live);
    }
    CHECK_RC(plx_register(registry, (plx_fd)1 << 28, 2, PLX_READABLE), -EBADF); /* it means nothing */
    CHECK_EQ(atomic_load(&memory.live), live);
    CHECK_EQ(stats_of(poller).registered, 1);
    plx_poller_close(poller);
    close_fd(file);
    close_pair(ends);
}

/* Memory is used again: a program that runs for ever does not grow. */
CASE(work_in_a_circle_needs_no_further_memory)
{
    counting memory;
    plx_fd ends[2];
    plx_event events[64];
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_poller_registry(poller);
    long live = 0;
    open_stream(ends);
    for (int round = 0; round < 200; round++) {
        plx_waker *waker;
        CHECK_RC(plx_waker_open(registry, 3, &waker), 0);
        CHECK_RC(plx_register(registry, ends[0], 1, PLX_WRITABLE), 0);
        for (int i = 0; i < 50; i++)
            CHECK_RC(plx_post(registry, 4, 0), 0);
        CHECK_RC(plx_waker_wake(waker), 0);
        for (int i = 0; i < 4; i++)
            CHECK(plx_poller_wait(poller, events, 64, 0) > 0);
        CHECK_RC(plx_deregister(registry, ends[0]), 0);
        plx_waker_release(waker);
        CHECK_RC(plx_poller_wait(poller, events, 64, 0), 0);
        if (round == 10)
            live = atomic_load(&memory.live);
    }
    CHECK(atomic_load(&memory.live) <= live + 2);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
    close_pair(ends);
}
