/* SPDX-License-Identifier: MIT */
/*
 * The timing wheel against its oracle, for thousands of random lives; and what the oracle
 * cannot see: handles used up, memory refused and given back.
 *
 *     wheel [SEED]     the seed is printed, so that a failure can be seen again
 */
#include "os/config.h"

#include "wheel_oracle.h"

#if defined(__SANITIZE_THREAD__)
enum { LIVES = 200 };
#else
enum { LIVES = 1500 };
#endif

enum { STEPS = 1200 };

/* ---- Memory that is counted, and refused on demand ------------------------------- */

static long blocks_live, blocks_asked, refused_block;

static void *counted_allocate(void *context, size_t size)
{
    (void)context;
    if (++blocks_asked == refused_block)
        return NULL;
    void *block = malloc(size);
    CHECK(block != NULL);
    blocks_live++;
    return memset(block, 0xa5, size);
}

static void *counted_reallocate(void *context, void *pointer, size_t size)
{
    (void)context;
    if (++blocks_asked == refused_block)
        return NULL;
    blocks_live += pointer == NULL;
    return realloc(pointer, size);
}

static void counted_release(void *context, void *pointer)
{
    (void)context;
    blocks_live -= pointer != NULL;
    free(pointer);
}

static const plx_allocator counted = {counted_allocate, counted_reallocate, counted_release, NULL};

/* ---- Tests -------------------------------------------------------------------------- */

static void agrees_with_a_list(uint64_t seed)
{
    static oracle all;

    for (uint64_t life = 0; life < LIVES; life++) {
        feed source = {.word = seed + life * UINT64_C(1000003)};
        check_note("seed %" PRIu64 ", life %" PRIu64, seed, life);
        oracle_begin(&all, &source, &counted);
        for (int i = 0; i < STEPS; i++)
            oracle_step(&all);
        oracle_end(&all);
        CHECK_EQ(blocks_live, 0);
    }
    check_note("%s", "");
}

static void start(plx__wheel *wheel, plx_token token, plx_nanos deadline, plx_timer *timer)
{
    CHECK_RC(plx__wheel_start(wheel, token, deadline, 0, timer), 0);
}

static void nothing_is_allocated_before_the_first_timer(void)
{
    plx__wheel wheel;
    plx_event event;
    bool more;

    plx__wheel_init(&wheel, &counted, 5);
    CHECK_EQ(plx__wheel_next(&wheel), INT64_MAX);
    CHECK_EQ(plx__wheel_fire(&wheel, PLX_SEC(9), &event, 1, 64, &more), 0);
    CHECK(!more);
    for (plx_timer handle = 0; handle < 3; handle++)
        CHECK_RC(plx__wheel_cancel(&wheel, handle), -ENOENT);
    CHECK_RC(plx__wheel_cancel(&wheel, UINT64_MAX), -ENOENT);
    plx__wheel_fini(&wheel);
    CHECK_EQ(blocks_live, 0);
}

/* After 2^32 lives a place in the array is given up, so that no handle ever comes again. */
static void used_up_handles_do_not_come_again(void)
{
    plx__wheel wheel;
    plx_timer first, second, third;

    plx__wheel_init(&wheel, &counted, 0);
    start(&wheel, 1, 10, &first);
    plx__timer *timer = plx__pages_get(&wheel.timers, (uint32_t)first);
    timer->generation = UINT32_MAX;
    plx_timer last = (uint64_t)UINT32_MAX << 32 | (uint32_t)first;
    CHECK_RC(plx__wheel_cancel(&wheel, first), -ENOENT);
    CHECK_RC(plx__wheel_cancel(&wheel, last), 0);
    CHECK_RC(plx__wheel_cancel(&wheel, last), -ENOENT);
    CHECK_RC(plx__wheel_cancel(&wheel, (uint32_t)first), -ENOENT); /* generation 0 */
    start(&wheel, 2, 10, &second);
    CHECK((uint32_t)second != (uint32_t)first);
    CHECK_RC(plx__wheel_cancel(&wheel, second), 0);
    start(&wheel, 3, 10, &third);
    CHECK((uint32_t)third == (uint32_t)second && third != second);
    CHECK_EQ(wheel.count, 1);
    walk_wheel(&wheel);
    plx__wheel_fini(&wheel);
    CHECK_EQ(blocks_live, 0);
}

/* A wheel of several pages and two directories, built while each allocation fails once. */
static void refused_memory_changes_nothing(void)
{
    enum { TIMERS = 20000 };
    long refused = 0;
    bool more;
    plx__wheel wheel;
    plx_event events[128];

    plx__wheel_init(&wheel, &counted, 0);
    for (plx_token i = 1; i <= TIMERS; i++) {
        plx_timer mark = 4711, timer = mark;
        refused_block = blocks_asked + 1;
        int rc = plx__wheel_start(&wheel, i, (plx_nanos)(i * 7919 % TIMERS) * 1000, 0, &timer);
        for (; rc != 0; refused++) {
            CHECK_RC(rc, -ENOMEM);
            CHECK(timer == mark && wheel.count == i - 1);
            refused_block = refused % 2 ? 0 : blocks_asked + 2; /* the same call's next one, too */
            rc = plx__wheel_start(&wheel, i, (plx_nanos)(i * 7919 % TIMERS) * 1000, 0, &timer);
        }
        CHECK(timer != mark && wheel.count == i);
    }
    CHECK(refused >= TIMERS / 1024);
    refused_block = 0;
    walk_wheel(&wheel);
    long asked = blocks_asked;
    plx_token total = 0;
    plx_nanos before = -1;
    for (int count; (count = plx__wheel_fire(&wheel, PLX_SEC(1), events, 128, 1 << 20, &more)) > 0;)
        for (int i = 0; i < count; i++, total++) {
            plx_nanos deadline = (plx_nanos)(events[i].token * 7919 % TIMERS) * 1000;
            CHECK(deadline > before);
            before = deadline;
        }
    CHECK_EQ(total, TIMERS);
    CHECK_EQ(blocks_asked, asked);
    walk_wheel(&wheel);
    plx__wheel_fini(&wheel);
    CHECK_EQ(blocks_live, 0);
}

/* Two threads: one has moved a part of a slot when the other asks how long it may sleep. */
static void next_knows_of_timers_that_are_being_moved(void)
{
    enum { TIMERS = 100 };
    plx__wheel wheel;
    plx_timer timer[TIMERS];
    plx_event event;
    bool more;

    plx__wheel_init(&wheel, &counted, 0);
    for (int i = 0; i < TIMERS; i++)
        start(&wheel, (plx_token)i, PLX_MSEC(5) + PLX_USEC(10) * i, &timer[i]);
    plx_nanos begin = PLX_MSEC(5) >> 21 << 21;
    CHECK_EQ(plx__wheel_fire(&wheel, begin, &event, 1, 20, &more), 0);
    CHECK(more);
    CHECK(plx__wheel_next(&wheel) <= PLX_MSEC(5));
    walk_wheel(&wheel);
    for (int i = 0; i < TIMERS; i += 2)
        CHECK_RC(plx__wheel_cancel(&wheel, timer[i]), 0);
    CHECK(plx__wheel_next(&wheel) <= PLX_MSEC(5) + PLX_USEC(10));
    walk_wheel(&wheel);
    for (int i = 1; i < TIMERS; i += 2)
        CHECK_RC(plx__wheel_cancel(&wheel, timer[i]), 0);
    CHECK_EQ(plx__wheel_next(&wheel), INT64_MAX);
    CHECK_EQ(plx__wheel_fire(&wheel, PLX_SEC(5), &event, 1, 20, &more), 0);
    CHECK(!more);
    walk_wheel(&wheel);
    plx__wheel_fini(&wheel);
}

static void a_late_interval_keeps_its_phase(void)
{
    plx__wheel wheel;
    plx_timer timer;
    plx_event event;
    bool more;

    plx__wheel_init(&wheel, &counted, 0);
    CHECK_RC(plx__wheel_start(&wheel, 1, 100, 10, &timer), 0);
    CHECK_EQ(plx__wheel_fire(&wheel, 99, &event, 1, 1, &more), 0);
    CHECK_EQ(plx__wheel_fire(&wheel, 100, &event, 1, 1, &more), 1);
    CHECK_EQ(event.data, 1);
    CHECK_EQ(plx__wheel_fire(&wheel, 157, &event, 1, 1, &more), 1);
    CHECK_EQ(event.data, 5);
    CHECK_EQ(plx__wheel_next(&wheel), 160);
    CHECK_EQ(plx__wheel_fire(&wheel, 160, &event, 1, 1, &more), 1);
    CHECK_EQ(event.data, 1);
    CHECK_RC(plx__wheel_cancel(&wheel, timer), 0);
    plx__wheel_fini(&wheel);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)plx_now();

    printf("seed %" PRIu64 "\n", seed);
    fflush(stdout);
    nothing_is_allocated_before_the_first_timer();
    used_up_handles_do_not_come_again();
    refused_memory_changes_nothing();
    a_late_interval_keeps_its_phase();
    next_knows_of_timers_that_are_being_moved();
    agrees_with_a_list(seed);
    return 0;
}
