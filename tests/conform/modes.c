/* SPDX-License-Identifier: MIT */
/* Level, edge and exclusive; what a reregister of a ready source does in each mode. */
#include "support.h"

/* A backend without the mode says so, twice over; the case then ends here. */
static void need_mode(fixture *s, uint32_t mode, const char *limit)
{
    if (plx_poller_supports(s->poller, mode))
        return;
    CHECK_RC(plx_register(s->registry, s->fd, 1, PLX_READABLE | mode), -ENOTSUP);
    CHECK_RC(plx_lookup(s->registry, s->fd, NULL, NULL), -ENOENT);
    fixture_close(s);
    SKIP("%s %s", conform_backend, limit);
}

/* ---- Ready at the moment of the call --------------------------------------------------- */

static const uint32_t all_modes[] = {PLX_LEVEL, PLX_ONESHOT, PLX_EDGE, PLX_EDGE | PLX_ONESHOT};

enum { MODES = sizeof all_modes / sizeof all_modes[0] };

CASE(source_that_is_ready_already_reports_in_every_mode)
{
    for (int i = 0; i < MODES; i++) {
        fixture s = fixture_open();
        check_note("mode 0x%x", (unsigned)all_modes[i]);
        if (plx_poller_supports(s.poller, all_modes[i])) {
            put(s.peer, 1);
            CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | all_modes[i]), 0);
            EXPECT(s.poller, 1, PLX_READABLE);
        }
        fixture_close(&s);
    }
}

CASE(reregister_of_a_ready_source_reports_in_every_mode)
{
    for (int from = 0; from < MODES; from++)
        for (int to = 0; to < MODES; to++) {
            fixture s = fixture_open();
            check_note("mode 0x%x to 0x%x", (unsigned)all_modes[from], (unsigned)all_modes[to]);
            if (plx_poller_supports(s.poller, all_modes[from]) &&
                plx_poller_supports(s.poller, all_modes[to])) {
                CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | all_modes[from]), 0);
                put(s.peer, 1);
                EXPECT(s.poller, 1, PLX_READABLE);
                CHECK_RC(plx_reregister(s.registry, s.fd, 2, PLX_READABLE | all_modes[to]), 0);
                EXPECT(s.poller, 2, PLX_READABLE);
                if (all_modes[to] == PLX_LEVEL)
                    EXPECT(s.poller, 2, PLX_READABLE);
                else
                    EXPECT_SILENCE(s.poller, 0);
            }
            fixture_close(&s);
        }
}

/* More arrives between an event and the reading of it: all of it is read, and nothing is left to tell. */
CASE(what_was_read_along_is_not_told)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT};
    for (int i = 0; i < 2; i++) {
        fixture s = fixture_open();
        check_note("mode 0x%x", (unsigned)modes[i]);
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | modes[i]), 0);
        for (int round = 0; round < 5; round++) {
            put(s.peer, 1);
            EXPECT(s.poller, 1, PLX_READABLE);
            put(s.peer, 1);
            CHECK_EQ(drain(s.fd), 2);
            if (modes[i] == PLX_ONESHOT)
                CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_READABLE | PLX_ONESHOT), 0);
            EXPECT_SILENCE(s.poller, round ? 0 : PLX_MSEC(5));
        }
        fixture_close(&s);
    }
}

/* Read before any wait told of it, again and again, also after waits that found nothing. */
CASE(what_was_read_untold_is_not_told)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT};
    for (int i = 0; i < 2; i++) {
        fixture s = fixture_open();
        check_note("mode 0x%x", (unsigned)modes[i]);
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | modes[i]), 0);
        EXPECT_SILENCE(s.poller, 0);
        for (int round = 0; round < 5; round++) {
            put(s.peer, 1);
            CHECK_EQ(drain(s.fd), 1);
            EXPECT_SILENCE(s.poller, round ? 0 : PLX_MSEC(5));
        }
        put(s.peer, 1);
        EXPECT(s.poller, 1, PLX_READABLE);
        fixture_close(&s);
    }
}

/* Registered, ready, and then changed before any wait saw it: the old token is gone. */
CASE(reregister_before_the_wait_leaves_no_trace_of_the_old)
{
    for (int i = 0; i < MODES; i++) {
        fixture s = fixture_open();
        check_note("mode 0x%x", (unsigned)all_modes[i]);
        if (plx_poller_supports(s.poller, all_modes[i])) {
            put(s.peer, 1);
            CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | all_modes[i]), 0);
            CHECK_RC(plx_reregister(s.registry, s.fd, 2, PLX_WRITABLE | all_modes[i]), 0);
            EXPECT(s.poller, 2, PLX_WRITABLE);
            CHECK_RC(plx_reregister(s.registry, s.fd, 3, 0), 0);
            EXPECT_SILENCE(s.poller, 0);
        }
        fixture_close(&s);
    }
}

/* ---- Edge -------------------------------------------------------------------------------- */

CASE(edge_reports_each_arrival_once)
{
    fixture s = fixture_open();
    need_mode(&s, PLX_EDGE, "knows no edges");
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_EDGE), 0);
    EXPECT_SILENCE(s.poller, 0);
    put(s.peer, 2);
    EXPECT(s.poller, 1, PLX_READABLE);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    put(s.peer, 2); /* ready once more, though nothing was read */
    EXPECT(s.poller, 1, PLX_READABLE);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_EQ(drain(s.fd), 4);
    EXPECT_SILENCE(s.poller, 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    close_fd(s.peer);
    s.peer = NO_FD;
    EXPECT(s.poller, 1, PLX_READABLE | PLX_READ_CLOSED | PLX_WRITE_CLOSED);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(edge_reports_room_to_write_after_it_was_full)
{
    fixture s = fixture_open();
    need_mode(&s, PLX_EDGE, "knows no edges");
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_WRITABLE | PLX_EDGE), 0);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    EXPECT_SILENCE(s.poller, 0);
    fill(s.fd);
    EXPECT_SILENCE(s.poller, 0);
    drain(s.peer);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    fixture_close(&s);
}

CASE(enable_of_an_edge_reports_what_is_ready)
{
    fixture s = fixture_open();
    need_mode(&s, PLX_EDGE, "knows no edges");
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_EDGE), 0);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_WRITABLE), 0);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    EXPECT_SILENCE(s.poller, 0);
    put(s.peer, 1);
    EXPECT_WITH(s.poller, 1, PLX_READABLE, PLX_WRITABLE);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_WRITABLE), 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    fixture_close(&s);
}

/* (On io_uring what came was told, and then what was found when it was armed, though nothing more had come.) */
CASE(edge_that_is_armed_again_is_told_once)
{
    plx_event event;
    int told = 0;
    fixture s = fixture_open();
    need_mode(&s, PLX_EDGE, "knows no edges");
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_EDGE), 0);
    CHECK_RC(plx_register(s.registry, s.peer, 2, PLX_WRITABLE), 0);
    EXPECT(s.poller, 2, PLX_WRITABLE);
    EXPECT(s.poller, 2, PLX_WRITABLE);
    CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_READABLE | PLX_EDGE), 0);
    put(s.peer, 1);
    for (int i = 0; i < 8; i++) { /* the other wants the one place as well */
        CHECK_EQ(plx_poller_wait(s.poller, &event, 1, PATIENCE), 1);
        told += event.token == 1;
    }
    CHECK_EQ(told, 1);
    fixture_close(&s);
}

CASE(edges_that_do_not_fit_are_not_lost)
{
    enum { COUNT = 12 };
    plx_fd ends[COUNT][2];
    plx_event event;
    int seen = 0;
    fixture s = fixture_open();
    need_mode(&s, PLX_EDGE, "knows no edges");
    for (int i = 0; i < COUNT; i++) {
        open_stream(ends[i]);
        CHECK_RC(plx_register(s.registry, ends[i][0], (plx_token)i, PLX_READABLE | PLX_EDGE), 0);
        put(ends[i][1], 1);
    }
    CHECK_RC(plx_post(s.registry, 63, 0), 0); /* and a post that wants a place as well */
    for (int i = 0; i <= COUNT; i++) {
        CHECK_EQ(plx_poller_wait(s.poller, &event, 1, PATIENCE), 1);
        if (event.token != 63) {
            CHECK(!(seen >> event.token & 1));
            seen |= 1 << event.token;
        }
    }
    CHECK_EQ(seen, (1 << COUNT) - 1);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
    for (int i = 0; i < COUNT; i++)
        close_pair(ends[i]);
}

/* ---- Exclusive ---------------------------------------------------------------------------- */

static const char no_exclusive[] = "wakes everybody who waits for a listener";

CASE(exclusive_registration_works_like_any_other)
{
    fixture s = fixture_open();
    uint32_t interest = 0;
    need_mode(&s, PLX_EXCLUSIVE, no_exclusive);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_EXCLUSIVE), 0);
    CHECK_RC(plx_lookup(s.registry, s.fd, NULL, &interest), 0);
    CHECK_EQ(interest, PLX_READABLE | PLX_EXCLUSIVE);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_EXCLUSIVE), -EEXIST);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    EXPECT(s.poller, 1, PLX_READABLE);
    CHECK_RC(plx_reregister(s.registry, s.fd, 2, PLX_READABLE | PLX_WRITABLE | PLX_EXCLUSIVE), 0);
    EXPECT(s.poller, 2, PLX_READABLE | PLX_WRITABLE);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_READABLE), 0);
    EXPECT(s.poller, 2, PLX_WRITABLE);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_READABLE), 0);
    EXPECT(s.poller, 2, PLX_READABLE | PLX_WRITABLE);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_PRIORITY), -EINVAL);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_READABLE | PLX_WRITABLE), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_RC(plx_reregister(s.registry, s.fd, 3, PLX_READABLE | PLX_ONESHOT), 0);
    EXPECT(s.poller, 3, PLX_READABLE);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_RC(plx_reregister(s.registry, s.fd, 4, PLX_READABLE | PLX_EXCLUSIVE), 0);
    shut(s.peer, SHUT_OUT);
    EXPECT(s.poller, 4, PLX_READABLE); /* without PLX_READ_CLOSED */
    CHECK_RC(plx_deregister(s.registry, s.fd), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_EQ(stats_of(s.poller).registered, 0);
    fixture_close(&s);
}

CASE(exclusive_listener_wakes_some_but_not_all)
{
    enum { POLLERS = 8 };
    plx_poller *pollers[POLLERS];
    static waiter waiters[POLLERS];
    int woken = 0;
    fixture s = fixture_open();
    need_mode(&s, PLX_EXCLUSIVE, no_exclusive);
    plx_fd listener = open_listener();
    for (int i = 0; i < POLLERS; i++) {
        pollers[i] = open_poller();
        CHECK_RC(plx_register(plx_poller_registry(pollers[i]), listener, 1,
                              PLX_READABLE | PLX_EXCLUSIVE), 0);
        waiter_start_asleep(&waiters[i], pollers[i]);
    }
    plx_fd client = open_client(listener);
    for (int i = 0; woken == 0; i = (i + 1) % POLLERS)
        woken += atomic_load(&waiters[i].done);
    plx_fd server = accept_client(listener);
    for (int i = 0; i < POLLERS; i++)
        CHECK_RC(plx_notify(plx_poller_registry(pollers[i])), 0);
    woken = 0;
    for (int i = 0; i < POLLERS; i++) {
        int rc = waiter_join(&waiters[i]);
        CHECK(rc == 0 || rc == 1);
        woken += rc;
        plx_poller_close(pollers[i]);
    }
    CHECK(woken >= 1 && woken < POLLERS);
    close_fd(client);
    close_fd(server);
    close_fd(listener);
    fixture_close(&s);
}
