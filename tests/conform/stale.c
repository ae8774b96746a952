/* SPDX-License-Identifier: MIT */
/*
 * Closed without deregister. A registration is of the open file: while a duplicate lives, the
 * kernel goes on to report the old file under a number that may be somebody else's by now,
 * and on epoll nothing can delete that. No such event may come out, and no wait may spin.
 */
#include "support.h"

typedef struct scene {
    plx_poller   *poller;
    plx_registry *registry;
} scene;

static scene scene_open(void)
{
    scene s;
    s.poller = open_poller();
    s.registry = plx_poller_registry(s.poller);
    return s;
}

/*
 * The last duplicate is closed. Where the kernel forgets it, silence; poll(2), which is given
 * numbers, says POLLNVAL: one event with an error, and then silence.
 */
static void expect_forgotten(plx_poller *poller, plx_token token)
{
    plx_event event;
    int count = plx_poller_wait(poller, &event, 1, PLX_MSEC(1));
    CHECK(count == 0 || (count == 1 && backend_is("poll")));
    if (count == 1)
        CHECK(event.token == token && event.flags & PLX_ERROR);
    EXPECT_REST(poller, PLX_MSEC(1));
}

/* ---- Deregistered in time ---------------------------------------------------------------- */

/* Two are ready, one fits. The other is ended, and its number and token are used again. */
CASE(deregistered_while_ready_is_never_reported)
{
    for (int same_token = 0; same_token < 2; same_token++) {
        scene s = scene_open();
        plx_fd ends[2][2], fresh[2];
        plx_event event;
        for (int i = 0; i < 2; i++) {
            open_stream(ends[i]);
            CHECK_RC(plx_register(s.registry, ends[i][0], (plx_token)i, PLX_READABLE), 0);
            put(ends[i][1], 1);
        }
        CHECK_EQ(plx_poller_wait(s.poller, &event, 1, PATIENCE), 1);
        int handled = (int)event.token, other = 1 - handled;
        plx_fd number = ends[other][0];
        CHECK_RC(plx_deregister(s.registry, number), 0);
        CHECK_RC(plx_reregister(s.registry, ends[handled][0], event.token, 0), 0);
        EXPECT_SILENCE(s.poller, 0);
        close_fd(number);
        open_stream_as(number, fresh);
        plx_token token = same_token ? (plx_token)other : 77;
        CHECK_RC(plx_register(s.registry, fresh[0], token, PLX_READABLE), 0);
        EXPECT_REST(s.poller, PLX_MSEC(1));
        put(fresh[1], 1);
        EXPECT(s.poller, token, PLX_READABLE);
        plx_poller_close(s.poller);
        close_pair(fresh);
        close_pair(ends[handled]);
        close_fd(ends[other][1]);
    }
}

CASE(deregistered_source_with_a_live_duplicate_is_silent)
{
    scene s = scene_open();
    plx_fd ends[2];
    open_stream(ends);
    plx_fd copy = dup_fd(ends[0]);
    CHECK_RC(plx_register(s.registry, ends[0], 1, PLX_READABLE), 0);
    CHECK_RC(plx_deregister(s.registry, ends[0]), 0);
    close_fd(ends[0]);
    put(ends[1], 1);
    EXPECT_REST(s.poller, PLX_MSEC(5));
    plx_poller_close(s.poller);
    close_fd(copy);
    close_fd(ends[1]);
}

/* ---- Closed first, and gone for good --------------------------------------------------------- */

CASE(closed_source_is_forgotten)
{
    scene s = scene_open();
    plx_fd ends[2], fresh[2];
    for (int round = 0; round < 20; round++) {
        check_note("round %d", round);
        open_stream(ends);
        put(ends[1], 1);
        CHECK_RC(plx_register(s.registry, ends[0], 1, PLX_READABLE | PLX_WRITABLE), 0);
        if (round % 2)
            EXPECT(s.poller, 1, PLX_READABLE | PLX_WRITABLE);
        close_fd(ends[0]);
        expect_forgotten(s.poller, 1);
        close_fd(ends[1]);
        open_stream_as(ends[0], fresh);
        CHECK_RC(plx_register(s.registry, fresh[0], 2, PLX_READABLE), 0);
        EXPECT_REST(s.poller, PLX_MSEC(1));
        put(fresh[1], 1);
        EXPECT(s.poller, 2, PLX_READABLE);
        CHECK_RC(plx_deregister(s.registry, fresh[0]), 0);
        close_pair(fresh);
    }
    plx_poller_close(s.poller);
}

/* Closed while another thread waits for it. */
CASE(source_closed_during_a_wait_does_not_spin)
{
    if (UNDER_THREAD_SANITIZER && backend_is("io_uring"))
        SKIP("ThreadSanitizer takes close(2) after the ring's fstat(2) for a race");
    static waiter w;
    scene s = scene_open();
    plx_fd ends[2], other[2];
    open_stream(ends);
    open_stream(other);
    CHECK_RC(plx_register(s.registry, ends[0], 1, PLX_READABLE), 0);
    CHECK_RC(plx_register(s.registry, other[0], 2, PLX_READABLE), 0);
    waiter_start_asleep(&w, s.poller);
    close_fd(ends[0]);
    CHECK_RC(plx_reregister(s.registry, other[0], 3, PLX_READABLE), 0);
    if (backend_is("poll")) { /* which gives one event */
        CHECK_RC(waiter_join(&w), 1);
        CHECK(w.events[0].token == 1 && w.events[0].flags & PLX_ERROR);
        waiter_start_asleep(&w, s.poller);
    }
    uint64_t before = stats_of(s.poller).kernel_calls;
    sleep_for(PLX_MSEC(20));
    CHECK(stats_of(s.poller).kernel_calls - before < 40);
    CHECK_EQ(atomic_load(&w.done), 0);
    put(other[1], 1);
    CHECK_RC(waiter_join(&w), 1);
    CHECK_EQ(w.events[0].token, 3);
    plx_poller_close(s.poller);
    close_fd(ends[1]);
    close_pair(other);
}

/* ---- Closed first, and alive in a duplicate --------------------------------------------------- */

CASE(closed_source_with_a_live_duplicate_does_not_spin)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT, PLX_EDGE};
    for (size_t i = 0; i < 3; i++) {
        scene s = scene_open();
        plx_event events[4];
        if (plx_poller_supports(s.poller, modes[i])) {
            ghost g = make_ghost(s.registry, 1, PLX_READABLE | modes[i]);
            put(g.peer, 1);
            /* Nobody took the number: it may be reported as what it was, until deregistered. */
            CHECK(plx_poller_wait(s.poller, events, 4, 0) <= 1);
            CHECK_RC(plx_deregister(s.registry, g.number), 0);
            CHECK_RC(plx_deregister(s.registry, g.number), -ENOENT);
            EXPECT_REST(s.poller, PLX_MSEC(50));
            put(g.peer, 1);
            EXPECT_REST(s.poller, PLX_MSEC(5));
            end_ghost(&g);
        }
        plx_poller_close(s.poller);
    }
}

/* The number is another file, which is ready, and which nobody has registered; a regular one always is. */
CASE(number_that_has_changed_hands_is_silent)
{
    if (backend_is("iocp"))
        SKIP("Windows has nothing that says whether a number still names the same socket");
    for (int round = 0; round < 8; round++) {
        int seen = round % 4;
        bool regular = round >= 4;
        plx_fd ends[2];
        fixture s = fixture_open();
        plx_fd file = regular ? open_regular_file() : NO_FD;
        check_note("seen %d, regular file %d", seen, regular);
        open_stream(ends);
        put(ends[1], 1);
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
        if (seen > 0) /* by a wait */
            EXPECT_SILENCE(s.poller, 0);
        if (seen > 1) { /* and ready */
            put(s.peer, 1);
            EXPECT(s.poller, 1, PLX_READABLE);
        }
        if (seen > 2) { /* and not any more */
            CHECK_EQ(drain(s.fd), 1);
            EXPECT_SILENCE(s.poller, 0);
        }
        CHECK(dup_onto(regular ? file : ends[0], s.fd));
        EXPECT_REST(s.poller, PLX_MSEC(5));
        CHECK_RC(plx_deregister(s.registry, s.fd), 0);
        CHECK_RC(plx_register(s.registry, s.fd, 2, PLX_READABLE), regular ? -EPERM : 0);
        if (regular)
            close_fd(file);
        else
            EXPECT(s.poller, 2, PLX_READABLE);
        fixture_close(&s);
        close_pair(ends);
    }
}

/* It was found closed, and is what it was: a second one is refused, whatever the first is to report. */
CASE(registration_that_is_back_is_there)
{
    static const uint32_t interests[] = {PLX_READABLE, 0};
    for (size_t i = 0; i < 2; i++) {
        plx_event event;
        fixture s = fixture_open();
        check_note("interest 0x%x", (unsigned)interests[i]);
        plx_fd copy = dup_fd(s.fd);
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
        close_fd(s.fd);
        CHECK(plx_poller_wait(s.poller, &event, 1, 0) >= 0); /* which may tell that it is closed */
        move_onto(copy, s.fd);
        int rc = plx_reregister(s.registry, s.fd, 2, interests[i]);
        if (rc < 0)
            CHECK_RC(rc, -ENOENT); /* it went with the number */
        CHECK_RC(plx_register(s.registry, s.fd, 3, PLX_READABLE), rc < 0 ? 0 : -EEXIST);
        EXPECT_SILENCE(s.poller, 0);
        CHECK_RC(plx_deregister(s.registry, s.fd), 0);
        fixture_close(&s);
    }
}

CASE(old_file_is_not_reported_under_a_reused_number)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT};
    for (size_t i = 0; i < 2; i++) {
        scene s = scene_open();
        for (int round = 0; round < 15; round++) {
            plx_fd fresh[2];
            ghost g = make_ghost(s.registry, 1, PLX_READABLE | modes[i]);
            check_note("mode 0x%x, round %d", (unsigned)modes[i], round);
            open_stream_as(g.number, fresh);
            CHECK_RC(plx_register(s.registry, fresh[0], 2, PLX_READABLE | modes[i]), 0);
            CHECK_EQ(stats_of(s.poller).registered, 1);
            put(g.peer, 1); /* the old file is ready, the new one is not */
            EXPECT_REST(s.poller, round ? PLX_MSEC(2) : PLX_MSEC(100));
            put(fresh[1], 1);
            EXPECT(s.poller, 2, PLX_READABLE);
            CHECK_EQ(drain(fresh[0]), 1);
            EXPECT_REST(s.poller, PLX_MSEC(1));
            CHECK_RC(plx_deregister(s.registry, fresh[0]), 0);
            EXPECT_REST(s.poller, PLX_MSEC(1));
            if (round % 2) /* the old file may also go before anything else does */
                end_ghost(&g);
            close_pair(fresh);
            if (round % 2 == 0)
                end_ghost(&g);
        }
        plx_poller_close(s.poller);
    }
}

CASE(several_old_files_are_silenced_together)
{
    enum { COUNT = 10 };
    scene s = scene_open();
    ghost ghosts[COUNT];
    plx_fd keeper[2];
    open_stream(keeper);
    CHECK_RC(plx_register(s.registry, keeper[0], 9, PLX_READABLE), 0);
    for (int i = 0; i < COUNT; i++) {
        ghosts[i] = make_ghost(s.registry, 1, PLX_READABLE | PLX_WRITABLE);
        CHECK_RC(plx_deregister(s.registry, ghosts[i].number), 0);
    }
    for (int i = 0; i < COUNT; i++)
        put(ghosts[i].peer, 1);
    EXPECT_REST(s.poller, PLX_MSEC(20));
    put(keeper[1], 1);
    EXPECT(s.poller, 9, PLX_READABLE);
    plx_poller_close(s.poller);
    for (int i = 0; i < COUNT; i++)
        end_ghost(&ghosts[i]);
    close_pair(keeper);
}

/* An event that is silenced must not take the place of one that is not. */
CASE(an_old_file_does_not_hide_a_ready_one)
{
    scene s = scene_open();
    plx_fd ready[2];
    open_stream(ready);
    for (int round = 0; round < 10; round++) {
        plx_event event;
        ghost g = make_ghost(s.registry, 1, PLX_WRITABLE);
        CHECK_RC(plx_deregister(s.registry, g.number), 0);
        CHECK_RC(plx_register(s.registry, ready[0], 2, PLX_WRITABLE), 0);
        CHECK_EQ(plx_poller_wait(s.poller, &event, 1, round % 2 ? 0 : PLX_FOREVER), 1);
        CHECK_EQ(event.token, 2);
        CHECK_RC(plx_deregister(s.registry, ready[0]), 0);
        end_ghost(&g);
    }
    plx_poller_close(s.poller);
    close_pair(ready);
}

/*
 * The old file becomes ready just as its number changes hands under a blocked wait. Even
 * tokens are of files that are written to; odd ones of quiet files under the same number.
 */
typedef struct swapper {
    plx_registry *registry;
    int           rounds, swaps;
    bool          keeps_copy;
    atomic_int    done;
} swapper;

static void swap_for_ever(void *argument)
{
    swapper *self = argument;
    for (int i = 0; i < self->rounds; i++) {
        plx_fd loud[2], quiet[2], copy = NO_FD;
        open_stream(loud);
        if (self->keeps_copy)
            copy = dup_fd(loud[0]);
        CHECK_RC(plx_register(self->registry, loud[0], (plx_token)(2 * i), PLX_READABLE), 0);
        open_stream(quiet);
        put(loud[1], 1);
        bool onto = dup_onto(quiet[0], loud[0]); /* as a rule the number is never free: the library could get it */
        if (onto)
            CHECK_RC(plx_register(self->registry, loud[0], (plx_token)(2 * i + 1), PLX_READABLE), 0);
        if (i % 8 == 0)
            sleep_for(PLX_USEC(50));
        CHECK_RC(plx_deregister(self->registry, loud[0]), 0);
        self->swaps += onto;
        close_pair(quiet);
        if (onto)
            close_fd(loud[0]);
        close_fd(loud[1]);
        if (copy != NO_FD)
            close_fd(copy);
    }
    atomic_store(&self->done, 1);
    CHECK_RC(plx_notify(self->registry), 0);
}

CASE(number_that_changes_hands_during_a_wait)
{
    if (UNDER_THREAD_SANITIZER && backend_is("poll"))
        SKIP("ThreadSanitizer takes close(2) during poll(2) for a race");
    for (int keeps_copy = 0; keeps_copy < 2; keeps_copy++) {
        scene s = scene_open();
        plx_event events[4];
        swapper w = {.registry = s.registry, .rounds = rounds(streams_are_tcp() ? 150 : 1500), .keeps_copy = keeps_copy};
        test_thread *thread = thread_start(swap_for_ever, &w);
        while (!atomic_load(&w.done)) {
            int count = plx_poller_wait(s.poller, events, 4, PLX_FOREVER);
            CHECK(count >= 0);
            for (int i = 0; i < count; i++) {
                check_note("token %d, flags 0x%x", (int)events[i].token, (unsigned)events[i].flags);
                CHECK_EQ(events[i].token % 2, 0);
            }
        }
        thread_join(thread);
        CHECK(w.swaps >= w.rounds / 2);
        EXPECT_REST(s.poller, PLX_MSEC(1));
        plx_poller_close(s.poller);
    }
}
