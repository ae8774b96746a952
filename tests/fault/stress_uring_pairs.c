/* SPDX-License-Identifier: MIT */
/*
 * A million sources that come and go in the ring's thread, beside a thousand others that are
 * busy: some are gone before they were waited for, some are waited for in vain, some are told. No
 * descriptor, no memory and no poll is left behind.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

enum { BUSY = 1000, BATCH = 100, PAIRS = 1000000, TRANSIENT = 100000 };

static int busy[BUSY];
static long busy_told;
static int passing[BATCH][2];
static int passing_told[BATCH];
static counted_memory memory;

static void take(plx_nanos timeout)
{
    plx_event events[64];
    int count = plx_poller_wait(poller, events, 64, timeout);

    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        plx_token token = events[i].token;
        CHECK_EQ(events[i].flags, PLX_READABLE);
        if (token >= TRANSIENT) {
            CHECK(token < TRANSIENT + BATCH);
            passing_told[token - TRANSIENT]++;
            continue;
        }
        lower_counter(busy[token]);
        raise_counter(busy[(token + 7) % BUSY]);
        busy_told++;
    }
}

static void open_passing(void)
{
    for (int i = 0; i < BATCH; i++)
        open_pair(passing[i]);
}

/* All of them once, each registered and deregistered. */
static void pass(uint32_t round)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_EDGE, PLX_ONESHOT};
    uint32_t mode = modes[round % 3];
    bool waited = round % 4 != 0, ready = round % 8 == 1;

    memset(passing_told, 0, sizeof passing_told);
    for (uint32_t i = 0; i < BATCH; i++) {
        if (ready)
            put_byte(passing[i][1]);
        CHECK_RC(plx_register(registry, passing[i][0], TRANSIENT + i, PLX_READABLE | mode), 0);
    }
    if (waited)
        take(0);
    for (int i = 0; ready && i < BATCH; i++)
        while (passing_told[i] == 0)
            take(PLX_SEC(10));
    for (int i = 0; i < BATCH; i++) {
        CHECK_RC(plx_deregister(registry, passing[i][0]), 0);
        drain(passing[i][0]);
        CHECK(ready || passing_told[i] == 0);
    }
    memset(passing_told, 0, sizeof passing_told);
    take(0);
    for (int i = 0; i < BATCH; i++)
        CHECK_EQ(passing_told[i], 0);
    if (round % 100 == 99) { /* other files under the same numbers */
        for (int i = 0; i < BATCH; i++) {
            CHECK(close(passing[i][0]) == 0);
            CHECK(at_end(passing[i][1], 0));
            CHECK(close(passing[i][1]) == 0);
        }
        open_passing();
    }
}

int main(void)
{
    uint32_t rounds = ROUNDS(PAIRS / BATCH), round = 0;
    plx_nanos end = plx_now() + PLX_SEC(50);
    long live = 0;
    int descriptors = 0;

    uring_need();
    counted_init(&memory);
    descriptors_need(BUSY + 2 * BATCH);
    uring_open_with(&memory.allocator);
    open_passing();
    for (int i = 0; i < BUSY; i++) {
        busy[i] = open_counter();
        CHECK_RC(plx_register(registry, busy[i], (plx_token)i, PLX_READABLE), 0);
    }
    for (int i = 0; i < BUSY / 10; i++)
        raise_counter(busy[i * 10]);
    for (; round < rounds && plx_now() < end; round++) {
        watchdog(20);
        check_note("round %u", (unsigned)round);
        if (round == 100) {
            live = atomic_load(&memory.live);
            descriptors = descriptors_open();
        }
        pass(round);
    }
    CHECK(round > 100);
    CHECK_EQ(atomic_load(&memory.live), live);
    CHECK_EQ(descriptors_open(), descriptors);
    CHECK(!uring_moved());
    CHECK(busy_told > (long)round);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
    printf("%lu pairs, %ld events of others\n", (unsigned long)round * BATCH, busy_told);
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
