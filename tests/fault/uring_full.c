/* SPDX-License-Identifier: MIT */
/*
 * Arrays that are full. More is ready than the ring has places for completions: the kernel
 * keeps some aside and ends their polls, or polls end without notice. More is asked than it has
 * places for operations; the kernel takes a few of them at a time, or refuses the call. All that
 * is registered is told all the same, and again when it is ready again.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

enum { MANY = 6000, SOME = 1000, FEW = 300 };

/* ---- The ring's size, and whether it overflows ------------------------------------------------ */

static uint32_t ring_size;     /* of both arrays; 0: as asked for */
static int overflows;          /* seen between calls, by the kernel's own flag */
static uint32_t flags_offset;
static const _Atomic(uint32_t) *ring_flags;

static int small_setup(uint32_t entries, struct io_uring_params *params)
{
    if (ring_size) {
        entries = ring_size;
        params->cq_entries = ring_size;
    }
    int ring = seam_uring_setup(entries, params);
    flags_offset = params->sq_off.flags;
    return ring;
}

/* Of the mappings the first is of the heads, tails and flags. */
static void *flags_mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *mapped = seam_mmap(where, size, protection, flags, fd, offset);

    if (offset == IORING_OFF_SQ_RING && mapped != (void *)-1)
        ring_flags = (const _Atomic(uint32_t) *)(const void *)((const char *)mapped + flags_offset);
    return mapped;
}

static int flags_enter(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how, size_t size)
{
    int rc = seam_uring_enter(ring, submit, least, flags, how, size);
    int saved = errno;

    overflows += (atomic_load(ring_flags) & IORING_SQ_CQ_OVERFLOW) != 0;
    errno = saved;
    return rc;
}

static int counter[MANY];
static int seen[MANY];
static plx_event events[10000];

static void open_counters(int count)
{
    for (int i = 0; i < count; i++)
        counter[i] = open_counter();
}

static void close_counters(int count)
{
    for (int i = 0; i < count; i++)
        CHECK(close(counter[i]) == 0);
}

static void register_counters(int count, uint32_t mode)
{
    for (int i = 0; i < count; i++)
        CHECK_RC(plx_register(registry, counter[i], (plx_token)i, PLX_READABLE | mode), 0);
}

static int count_wait(int capacity, plx_nanos timeout)
{
    int found = plx_poller_wait(poller, events, capacity, timeout);

    CHECK(found >= 0);
    for (int i = 0; i < found; i++) {
        CHECK_EQ(events[i].flags, PLX_READABLE);
        seen[events[i].token]++;
    }
    return found;
}

static int count_seen(int count)
{
    int told = 0;

    for (int i = 0; i < count; i++)
        told += seen[i] > 0;
    return told;
}

/* Waits with this much room until each was told; of a level none has to wait for more than two turns. */
static void all_are_told(int count, int capacity, uint32_t mode)
{
    int room = capacity < count ? capacity : count;
    int most = 3 * count / room + 10;

    memset(seen, 0, sizeof seen);
    for (int waits = 0; count_seen(count) < count; waits++) {
        CHECK(count_wait(capacity, PLX_SEC(10)) > 0);
        CHECK(mode || waits < most);
    }
    if (mode == PLX_EDGE && overflows) { /* polls that ended were made again, and look: that ends, too */
        for (int waits = 0; count_wait(capacity, 0) > 0; waits++)
            CHECK(waits < count);
    } else if (mode) {
        CHECK_EQ(count_wait(capacity, 0), 0);
        for (int i = 0; i < count; i++)
            CHECK_EQ(seen[i], 1);
    }
}

/* Twice: what ended without notice is armed again, or the second time says nothing. */
static void told_and_told_again(int count, int capacity, uint32_t mode)
{
    register_counters(count, mode);
    CHECK_EQ(count_wait(capacity, 0), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < count; i++)
            raise_counter(counter[i]);
        all_are_told(count, capacity, mode);
        for (int i = 0; i < count; i++)
            lower_counter(counter[i]);
        CHECK_EQ(count_wait(capacity, 0), 0);
        for (int i = 0; mode == PLX_ONESHOT && i < count; i++)
            CHECK_RC(plx_enable(registry, counter[i], 0), 0);
    }
    for (int i = 0; i < count; i++)
        CHECK_RC(plx_deregister(registry, counter[i]), 0);
    for (int i = 0; i < count; i++)
        raise_counter(counter[i]);
    CHECK_EQ(count_wait(capacity, 0), 0);
    for (int i = 0; i < count; i++)
        lower_counter(counter[i]);
}

static const uint32_t modes[] = {PLX_LEVEL, PLX_EDGE, PLX_ONESHOT};

static void in_each_mode(const char *what, int count, const int *capacities)
{
    open_counters(count);
    for (int m = 0; m < 3; m++)
        for (int i = 0; capacities[i]; i++) {
            watchdog(40);
            overflows = 0;
            check_note("%s: %d counters, mode %#x, room for %d", what, count, (unsigned)modes[m], capacities[i]);
            uring_open();
            told_and_told_again(count, capacities[i], modes[m]);
            CHECK(!uring_moved());
            CHECK(overflows > 0 || !ring_size);
            plx_poller_close(poller);
        }
    close_counters(count);
}

/* ---- Completions -------------------------------------------------------------------------- */

static void more_are_ready_than_there_are_places(void)
{
    static const int capacities[] = {64, 10000, 0};

    in_each_mode("many", MANY, capacities);
}

/* The kernel makes a score of completions at a time where eight have room. */
static void the_kernel_keeps_some_aside(void)
{
    static const int capacities[] = {1, 7, 64, 10000, 0};

    ring_size = 8;
    in_each_mode("tiny", SOME, capacities);
    ring_size = 0;
}

/* ---- Operations ---------------------------------------------------------------------------- */

static uint32_t taken_most;

/* As the kernel does when it has no memory for more: it takes some, and does not wait. */
static int short_enter(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how, size_t size)
{
    if (submit > taken_most)
        return flags_enter(ring, taken_most, 0, flags & ~IORING_ENTER_GETEVENTS, how, size);
    return flags_enter(ring, submit, least, flags, how, size);
}

/* Of those that are all in one wait, by a limit for which a short one must not be taken. */
static void short_submits_lose_nothing(uint32_t most)
{
    plx_options options = {.backend = PLX_BACKEND_IO_URING, .flags = PLX_RETURN_ON_SIGNAL};

    taken_most = most;
    plx__linux.io_uring_enter = short_enter;
    open_counters(SOME);
    for (int m = 0; m < 3; m++) {
        watchdog(40);
        check_note("%u taken at a time, mode %#x", (unsigned)most, (unsigned)modes[m]);
        CHECK_RC(plx_poller_open(&poller, &options), 0);
        registry = plx_poller_registry(poller);
        register_counters(SOME, modes[m]);
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < SOME; i++)
                raise_counter(counter[i]);
            memset(seen, 0, sizeof seen);
            while (count_seen(SOME) < SOME)
                CHECK(count_wait(64, PLX_SEC(10)) > 0);
            for (int i = 0; i < SOME; i++)
                CHECK(seen[i] == 1 || !modes[m]);
            for (int i = 0; i < SOME; i++) {
                lower_counter(counter[i]);
                if (modes[m] == PLX_ONESHOT)
                    CHECK_RC(plx_enable(registry, counter[i], 0), 0);
            }
        }
        plx_nanos begun = plx_now();
        CHECK_RC(plx_poller_wait(poller, events, 64, PLX_MSEC(30)), 0);
        CHECK(plx_now() - begun >= PLX_MSEC(30));
        for (int i = 0; i < SOME; i++)
            CHECK_RC(plx_deregister(registry, counter[i]), 0);
        CHECK(!uring_moved() || most == 1); /* on a busy machine a removal then outlasts its patience */
        plx_poller_close(poller);
    }
    close_counters(SOME);
    plx__linux.io_uring_enter = flags_enter;
}

/* At the call of this number; whether there was one. */
static bool a_refused_call_loses_nothing(long number, int error, uint32_t mode)
{
    watchdog(40);
    check_note("enter number %ld gives %s, mode %#x", number, strerror(error), (unsigned)mode);
    seam_reset();
    uring_open();
    register_counters(FEW, mode);
    seam_fail(SEAM_URING_ENTER, number, error);
    CHECK_EQ(count_wait(64, 0), 0);
    for (int i = 0; i < FEW; i++)
        raise_counter(counter[i]);
    all_are_told(FEW, 64, mode);
    for (int i = 0; i < FEW; i++)
        lower_counter(counter[i]);
    for (int i = 0; i < FEW; i += 2)
        CHECK_RC(plx_deregister(registry, counter[i]), 0);
    CHECK_EQ(count_wait(64, 0), 0);
    for (int i = 0; i < FEW; i++) {
        if (i % 2 && mode == PLX_ONESHOT)
            CHECK_RC(plx_enable(registry, counter[i], 0), 0);
        raise_counter(counter[i]);
    }
    memset(seen, 0, sizeof seen);
    while (count_seen(FEW) < FEW / 2)
        CHECK(count_wait(64, PLX_SEC(10)) > 0);
    for (int i = 0; i < FEW; i++) {
        CHECK(i % 2 || !seen[i]);
        lower_counter(counter[i]);
    }
    bool met = atomic_load(&seam.failed);
    plx_poller_close(poller);
    seam_reset();
    return met;
}

static void refused_calls_lose_nothing(void)
{
    static const int errors[] = {EBUSY, EAGAIN, EINTR};

    open_counters(FEW);
    for (int m = 0; m < 3; m++)
        for (int e = 0; e < 3; e++) {
            long number = 1, step = 1;
            while (a_refused_call_loses_nothing(number, errors[e], modes[m])) {
                step = number < 40 ? 1 : 17; /* from there on all are alike */
                number += step;
            }
            CHECK(number > 3);
        }
    close_counters(FEW);
}

/* Each is refused again and again, by every third call. */
static void refusals_all_along(void)
{
    static const int errors[] = {EBUSY, EINTR};

    open_counters(SOME);
    for (int m = 0; m < 3; m++)
        for (int e = 0; e < 2; e++) {
            watchdog(40);
            check_note("every third enter gives %s, mode %#x", strerror(errors[e]), (unsigned)modes[m]);
            seam_reset();
            uring_open();
            atomic_store(&seam.fail_error, errors[e]);
            atomic_store(&seam.fail_each, 3);
            atomic_store(&seam.fail_call, SEAM_URING_ENTER);
            told_and_told_again(SOME, 64, modes[m]);
            CHECK(atomic_load(&seam.failed) > 0);
            seam_reset();
            plx_poller_close(poller);
        }
    close_counters(SOME);
}

int main(void)
{
    uring_need();
    descriptors_need(MANY);
    seam_install();
    plx__linux.mmap = flags_mmap;
    plx__linux.io_uring_setup = small_setup;
    plx__linux.io_uring_enter = flags_enter;
    more_are_ready_than_there_are_places();
    the_kernel_keeps_some_aside();
    short_submits_lose_nothing(1);
    short_submits_lose_nothing(3);
    refused_calls_lose_nothing();
    refusals_all_along();
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
