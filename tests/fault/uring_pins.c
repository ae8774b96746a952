/* SPDX-License-Identifier: MIT */
/*
 * A poll that the kernel still has holds its file: the peer of a socket that was deregistered and
 * closed would see no end. Who deregisters has it cancelled before that returns, in whichever
 * state the poll is, and whichever thread it is; who moves the set or closes the poller has all of
 * them cancelled. Only a ring that had to be closed by another thread is let go of a little later.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

enum { TOKEN = 7 };

static const uint32_t modes[] = {PLX_LEVEL, PLX_EDGE, PLX_ONESHOT, PLX_EXCLUSIVE};

enum { MODES = sizeof modes / sizeof modes[0] };

enum state {
    FRESH,     /* registered, and no wait since */
    UNFIRED,   /* its poll is in the kernel */
    FIRED,     /* told, and not read */
    READ,      /* told, read, and waited for again */
    UNTOLD,    /* ready since the last wait */
    AGAIN,     /* told, and then given a new interest */
    AGAIN_SET, /* and that is in the kernel, too */
    STATES
};

static int ends[2];

static void begin(bool elsewhere)
{
    uring_open();
    open_pair(ends);
    uring_begin(elsewhere);
}

static void told(void)
{
    CHECK_EQ(uring_wait(), 1);
    CHECK_EQ(uring_events[0].token, TOKEN);
}

/* ---- The states -------------------------------------------------------------------------- */

static void bring_into(enum state state, uint32_t mode)
{
    uint32_t interest = PLX_READABLE | mode;

    CHECK_RC(plx_register(registry, ends[0], TOKEN, interest), 0);
    if (state == FRESH)
        return;
    CHECK_EQ(uring_wait(), 0);
    if (state == UNFIRED)
        return;
    put_byte(ends[1]);
    if (state == UNTOLD)
        return;
    told();
    if (state == FIRED)
        return;
    drain(ends[0]);
    CHECK_EQ(uring_wait(), 0);
    if (state == READ)
        return;
    CHECK_RC(plx_reregister(registry, ends[0], TOKEN, interest ^ PLX_WRITABLE), 0);
    if (state == AGAIN_SET)
        told(); /* it is writable */
}

static void deregister_and_close(void)
{
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    CHECK(close(ends[0]) == 0);
}

static void finish(void)
{
    CHECK(close(ends[1]) == 0);
    plx_poller_close(poller);
}

/* ---- Who deregisters --------------------------------------------------------------------- */

static void by_the_rings_thread(enum state state, uint32_t mode)
{
    begin(false);
    bring_into(state, mode);
    deregister_and_close();
    CHECK(at_end(ends[1], 0));
    CHECK(!uring_moved());
    CHECK_EQ(uring_wait(), 0);
    finish();
}

/* Whether a wait would sleep: there is nothing to tell. */
static bool sleeps(enum state state, uint32_t mode)
{
    return state == UNFIRED || state == READ || (state == FIRED && (mode == PLX_EDGE || mode == PLX_ONESHOT));
}

/* Another, while the ring's thread sleeps: which goes on sleeping, in its ring. */
static void while_it_sleeps(enum state state, uint32_t mode)
{
    if (!sleeps(state, mode))
        return;
    begin(true);
    bring_into(state, mode);
    uring_sleep();
    deregister_and_close();
    CHECK(at_end(ends[1], 0));
    CHECK(!uring_moved());
    CHECK_EQ(atomic_load(&uring_order), URING_WAIT_LONG);
    CHECK_RC(plx_notify(registry), 0);
    uring_await_rest();
    CHECK_EQ(uring_count, 0);
    uring_end();
    finish();
}

/* Registered and deregistered by another, while the ring's thread sleeps. */
static void all_by_another(enum state state, uint32_t mode)
{
    if (state != UNFIRED)
        return;
    begin(true);
    CHECK_EQ(uring_wait(), 0);
    uring_sleep();
    for (int i = 0; i < 20; i++) {
        CHECK_RC(plx_register(registry, ends[0], TOKEN, PLX_READABLE | mode), 0);
        if (i % 2) /* it was woken to make the poll, and sleeps again */
            sleep_for(PLX_USEC(200));
        uring_await_sleeper();
        deregister_and_close();
        CHECK(at_end(ends[1], uring_moved() ? LATER_MS : 0));
        CHECK(close(ends[1]) == 0);
        open_pair(ends);
    }
    CHECK_RC(plx_notify(registry), 0);
    uring_await_rest();
    CHECK_EQ(uring_count, 0);
    uring_end();
    CHECK(close(ends[0]) == 0);
    finish();
}

/* Another, while the ring's thread does something else, perhaps for ever: the ring is closed. */
static void while_it_is_busy(enum state state, uint32_t mode)
{
    begin(true);
    bring_into(state, mode);
    deregister_and_close();
    CHECK(at_end(ends[1], LATER_MS));
    CHECK_EQ(uring_wait(), 0);
    uring_end();
    finish();
}

static void after_it_has_ended(enum state state, uint32_t mode)
{
    begin(true);
    bring_into(state, mode);
    uring_end();
    deregister_and_close();
    CHECK(at_end(ends[1], LATER_MS));
    CHECK_EQ(uring_wait(), 0);
    finish();
}

/* The set has moved, and the polls of the ring with it. */
static void after_a_move(enum state state, uint32_t mode)
{
    begin(false);
    bring_into(state, mode);
    CHECK(plx_poller_descriptor(poller) >= 0);
    CHECK(uring_moved());
    deregister_and_close();
    CHECK(at_end(ends[1], 0));
    CHECK_EQ(uring_wait(), 0);
    finish();
}

/* Without deregister, by the close of the poller. */
static void by_the_end_of_the_poller(enum state state, uint32_t mode)
{
    begin(false);
    bring_into(state, mode);
    plx_poller_close(poller);
    CHECK(close(ends[0]) == 0);
    CHECK(at_end(ends[1], 0));
    CHECK(close(ends[1]) == 0);
}

static void by_the_end_of_the_poller_elsewhere(enum state state, uint32_t mode)
{
    begin(true);
    bring_into(state, mode);
    plx_poller_close(poller);
    CHECK(close(ends[0]) == 0);
    CHECK(at_end(ends[1], LATER_MS));
    CHECK(close(ends[1]) == 0);
    uring_end();
}

static void in_each_state(const char *who, void (*try)(enum state state, uint32_t mode))
{
    for (int state = FRESH; state < STATES; state++)
        for (int m = 0; m < MODES; m++) {
            watchdog(20);
            check_note("%s, state %d, mode %#x", who, state, (unsigned)modes[m]);
            try((enum state)state, modes[m]);
        }
}

/* ---- All at once ---------------------------------------------------------------------------- */

static void move(void)
{
    CHECK(plx_poller_descriptor(poller) >= 0);
    CHECK(uring_moved());
}

static void close_poller(void)
{
    plx_poller_close(poller);
    poller = NULL;
}

/* More than the kernel ends in one call, by the ring's own thread, or while that sleeps in the ring. */
static void many_end(const char *how, bool elsewhere, void (*end)(void))
{
    static int pairs[100][2];
    const int count = sizeof pairs / sizeof pairs[0];

    watchdog(20);
    check_note("many, %s", how);
    uring_open();
    uring_begin(elsewhere);
    for (int i = 0; i < count; i++) {
        open_pair(pairs[i]);
        CHECK_RC(plx_register(registry, pairs[i][0], TOKEN, PLX_READABLE), 0);
    }
    CHECK_EQ(uring_wait(), 0);
    if (elsewhere)
        uring_sleep();
    end();
    for (int i = 0; i < count; i++) {
        if (poller)
            CHECK_RC(plx_deregister(registry, pairs[i][0]), 0);
        CHECK(close(pairs[i][0]) == 0);
        CHECK(at_end(pairs[i][1], 0));
        CHECK(close(pairs[i][1]) == 0);
    }
    if (elsewhere) {
        CHECK_RC(plx_notify(registry), 0);
        uring_await_rest();
    }
    uring_end();
    plx_poller_close(poller);
}

/* ---- What a oneshot costs ------------------------------------------------------------------ */

/* A single shot that was fired has left nothing in the kernel. */
static void a_fired_oneshot_is_deregistered_without_a_call(void)
{
    plx_stats before, after;

    check_note("a oneshot that was fired");
    begin(false);
    for (int i = 0; i < 3; i++) {
        CHECK_RC(plx_register(registry, ends[0], TOKEN, PLX_READABLE | PLX_ONESHOT), 0);
        put_byte(ends[1]);
        told();
        plx_poller_stats(poller, &before);
        long made = seam_total();
        CHECK_RC(plx_deregister(registry, ends[0]), 0);
        CHECK_EQ(seam_total(), made);
        plx_poller_stats(poller, &after);
        CHECK_EQ(after.kernel_calls, before.kernel_calls);
        drain(ends[0]);
    }
    CHECK(close(ends[0]) == 0);
    CHECK(at_end(ends[1], 0));
    finish();
}

int main(void)
{
    uring_need();
    seam_install();
    uring_watch();
    in_each_state("its thread", by_the_rings_thread);
    in_each_state("it sleeps", while_it_sleeps);
    in_each_state("all by another", all_by_another);
    in_each_state("it is busy", while_it_is_busy);
    in_each_state("it has ended", after_it_has_ended);
    in_each_state("moved", after_a_move);
    in_each_state("poller closed", by_the_end_of_the_poller);
    in_each_state("poller closed by another", by_the_end_of_the_poller_elsewhere);
    many_end("moved", false, move);
    many_end("moved while it sleeps", true, move);
    many_end("poller closed", false, close_poller);
    a_fired_oneshot_is_deregistered_without_a_call();
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
