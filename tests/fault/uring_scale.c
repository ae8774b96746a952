/* SPDX-License-Identifier: MIT */
/*
 * 19,000 descriptors in a ring whose arrays have room for 256 operations and 4,096 completions:
 * each is told, and lets go of when it is deregistered; also when the set has to move with all of
 * them.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

enum { MANY = 19000 };

static int counter[MANY];
static int told[MANY];
static plx_event events[1024];
static counted_memory memory;

/* Waits until each was told; none twice but of a level. */
static void all_are_told(uint32_t mode)
{
    int left = MANY;

    memset(told, 0, sizeof told);
    while (left > 0) {
        int count = plx_poller_wait(poller, events, 1024, PLX_SEC(20));
        CHECK(count > 0);
        for (int i = 0; i < count; i++) {
            CHECK_EQ(events[i].flags, PLX_READABLE);
            left -= told[events[i].token]++ == 0;
        }
    }
    for (int i = 0; mode == PLX_ONESHOT && i < MANY; i++)
        CHECK_EQ(told[i], 1);
}

/* Ready before they are registered, or when they wait in the ring already. */
static void told_and_let_go(uint32_t mode, bool ready_before, bool move)
{
    watchdog(60);
    check_note("mode %#x, ready %s registered, %s", (unsigned)mode, ready_before ? "when" : "after they were",
               move ? "moved" : "in the ring");
    counted_init(&memory);
    int before = descriptors_open();
    uring_open_with(&memory.allocator);
    for (int i = 0; i < MANY; i++) {
        if (ready_before)
            raise_counter(counter[i]);
        CHECK_RC(plx_register(registry, counter[i], (plx_token)i, PLX_READABLE | mode), 0);
    }
    if (!ready_before) {
        CHECK_RC(plx_poller_wait(poller, events, 1024, 0), 0);
        for (int i = 0; i < MANY; i++)
            raise_counter(counter[i]);
    }
    if (move)
        CHECK(plx_poller_descriptor(poller) >= 0);
    all_are_told(mode);
    CHECK_EQ(uring_moved(), move);
    for (int i = 0; i < MANY; i++)
        CHECK_RC(plx_deregister(registry, counter[i]), 0);
    CHECK_RC(plx_poller_wait(poller, events, 1024, 0), 0);
    for (int i = 0; i < MANY; i++) /* those that are ready again are nobody's */
        raise_counter(counter[i]);
    CHECK_RC(plx_poller_wait(poller, events, 1024, 0), 0);
    for (int i = 0; i < MANY; i++)
        lower_counter(counter[i]);
    plx_poller_close(poller);
    CHECK_EQ(descriptors_open(), before);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

int main(void)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_EDGE, PLX_ONESHOT};

    uring_need();
    descriptors_need(MANY);
    for (int i = 0; i < MANY; i++)
        counter[i] = open_counter();
    for (int m = 0; m < 3; m++) {
        told_and_let_go(modes[m], true, false);
        told_and_let_go(modes[m], false, false);
        told_and_let_go(modes[m], false, true);
    }
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
