/* SPDX-License-Identifier: MIT */
/* Oneshot: one event for the registration as a whole, and then silence until armed again. */
#include "support.h"

static fixture armed(uint32_t interest)
{
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.fd, 1, interest | PLX_ONESHOT), 0);
    return s;
}

CASE(oneshot_gives_one_event_in_all)
{
    fixture s = armed(PLX_READABLE);
    EXPECT_SILENCE(s.poller, 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    EXPECT_REST(s.poller, PLX_MSEC(5)); /* though it is ready */
    put(s.peer, 1);
    EXPECT_REST(s.poller, PLX_MSEC(5));
    fixture_close(&s);
}

CASE(reregister_arms_a_oneshot_again)
{
    fixture s = armed(PLX_READABLE);
    put(s.peer, 1);
    for (int i = 0; i < 5; i++) {
        EXPECT(s.poller, 1, PLX_READABLE);
        EXPECT_SILENCE(s.poller, 0);
        CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_READABLE | PLX_ONESHOT), 0);
    }
    fixture_close(&s);
}

/* The call says that the number is closed, or on io_uring the next wait. */
CASE(a_oneshot_that_was_closed_is_not_armed_in_silence)
{
    for (int arms = 0; arms < 4; arms++) {
        plx_poller *poller = open_poller();
        plx_registry *registry = plx_poller_registry(poller);
        plx_fd ends[2];
        plx_event event;
        check_note("armed again %d times before", arms);
        open_stream(ends);
        CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | PLX_ONESHOT), 0);
        put(ends[1], 1);
        for (int i = 0; i < arms; i++) {
            EXPECT(poller, 1, PLX_READABLE);
            CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_READABLE | PLX_ONESHOT), 0);
        }
        EXPECT(poller, 1, PLX_READABLE);
        close_fd(ends[0]);
        int rc = plx_reregister(registry, ends[0], 1, PLX_READABLE | PLX_ONESHOT);
        if (rc == 0 && backend_is("io_uring") && arms > 0) {
            CHECK_RC(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
            CHECK(event.token == 1 && event.flags & PLX_ERROR);
        } else {
            CHECK_RC(rc, -EBADF);
        }
        EXPECT_SILENCE(poller, 0);
        CHECK_RC(plx_deregister(registry, ends[0]), 0);
        EXPECT_SILENCE(poller, 0);
        close_fd(ends[1]);
        plx_poller_close(poller);
    }
}

/* Whether the call that arms it did not say so. */
static bool is_armed_though_closed(plx_poller *poller, plx_fd ends[2])
{
    plx_registry *registry = plx_poller_registry(poller);
    int rc = 0;
    open_stream(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | PLX_ONESHOT), 0);
    put(ends[1], 1);
    for (int i = 0; i < 2; i++) {
        EXPECT(poller, 1, PLX_READABLE);
        if (i == 1)
            close_fd(ends[0]);
        rc = plx_reregister(registry, ends[0], 1, PLX_READABLE | PLX_ONESHOT);
    }
    if (rc < 0)
        CHECK_RC(rc, -EBADF);
    return rc == 0;
}

static void expect_closed(void *poller)
{
    plx_event event;
    CHECK_RC(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
    CHECK(event.token == 1 && event.flags & PLX_ERROR);
    EXPECT_SILENCE(poller, 0);
}

/* The ring of io_uring is the first thread's: all goes to an epoll set, which takes no closed number. */
CASE(what_was_armed_though_closed_is_told_to_another_thread)
{
    plx_poller *poller = open_poller();
    plx_fd ends[2];
    if (is_armed_though_closed(poller, ends))
        thread_join(thread_start(expect_closed, poller));
    EXPECT_SILENCE(poller, 0);
    close_fd(ends[1]);
    plx_poller_close(poller);
}

CASE(what_was_armed_though_closed_makes_the_descriptor_readable)
{
    plx_poller *poller = open_poller();
    plx_fd ends[2];
    if (is_armed_though_closed(poller, ends)) {
        int own = plx_poller_descriptor(poller);
        CHECK(own == -ENOTSUP || is_readable((plx_fd)own));
        expect_closed(poller);
        CHECK(plx_poller_descriptor(poller) == own && (own == -ENOTSUP || !is_readable((plx_fd)own)));
    }
    EXPECT_SILENCE(poller, 0);
    close_fd(ends[1]);
    plx_poller_close(poller);
}

/* Nobody is told any more once the registration is gone, or is another's. */
CASE(what_was_armed_though_closed_may_be_deregistered)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_fd ends[2];
    if (is_armed_though_closed(poller, ends))
        (void)plx_poller_descriptor(poller);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    EXPECT_SILENCE(poller, 0);
    close_fd(ends[1]);
    plx_poller_close(poller);
}

CASE(enable_arms_a_oneshot_again_with_its_whole_interest)
{
    fixture s = armed(PLX_READABLE);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_READABLE), 0);
    EXPECT(s.poller, 1, PLX_READABLE);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_WRITABLE), 0);
    EXPECT(s.poller, 1, PLX_READABLE | PLX_WRITABLE);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(disable_does_not_arm_a_oneshot)
{
    fixture s = armed(PLX_READABLE | PLX_WRITABLE);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    put(s.peer, 1);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_WRITABLE), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_RC(plx_disable(s.registry, s.fd, 0), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_READABLE), 0);
    EXPECT(s.poller, 1, PLX_READABLE);
    fixture_close(&s);
}

CASE(disable_leaves_an_armed_oneshot_armed)
{
    fixture s = armed(PLX_READABLE | PLX_WRITABLE);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_WRITABLE), 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(oneshot_is_per_registration_not_per_direction)
{
    fixture s = armed(PLX_READABLE | PLX_WRITABLE);
    fill(s.fd);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    drain(s.peer); /* now it is writable, too, and that is not to be heard */
    await_ready(s.fd, READY_OUT);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    fixture_close(&s);
}

CASE(arming_one_direction_never_invents_the_other)
{
    fixture s = armed(PLX_READABLE | PLX_WRITABLE);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE | PLX_WRITABLE);
    CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_WRITABLE | PLX_ONESHOT), 0);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_READABLE | PLX_ONESHOT), 0);
    EXPECT(s.poller, 1, PLX_READABLE);
    drain(s.fd);
    CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_READABLE | PLX_ONESHOT), 0);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    fixture_close(&s);
}

CASE(disarmed_oneshot_is_silent_when_the_peer_closes)
{
    static const uint32_t rearmed[] = {PLX_READABLE, PLX_WRITABLE, PLX_READABLE | PLX_WRITABLE};
    for (size_t i = 0; i < 3; i++) {
        fixture s = armed(PLX_WRITABLE);
        EXPECT(s.poller, 1, PLX_WRITABLE);
        close_fd(s.peer);
        s.peer = NO_FD;
        uint64_t calls = stats_of(s.poller).kernel_calls;
        EXPECT_SILENCE(s.poller, PLX_MSEC(20));
        CHECK(stats_of(s.poller).kernel_calls - calls < 20);
        CHECK_RC(plx_reregister(s.registry, s.fd, 2, rearmed[i] | PLX_ONESHOT), 0);
        uint32_t closed = rearmed[i] & PLX_READABLE ? PLX_READ_CLOSED : 0;
        uint32_t hung_up = streams_are_tcp() ? 0 : PLX_WRITE_CLOSED;
        EXPECT(s.poller, 2, rearmed[i] | hung_up | closed);
        EXPECT_SILENCE(s.poller, 0);
        fixture_close(&s);
    }
}

/* As above, by the error of a reset instead of a hang-up. */
CASE(disarmed_oneshot_is_silent_when_the_peer_resets)
{
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_tcp(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | PLX_ONESHOT), 0);
    put(ends[1], 1);
    EXPECT(poller, 1, PLX_READABLE);
    reset_fd(ends[1]);
    await_ready(ends[0], READY_HANGUP);
    EXPECT_SILENCE(poller, PLX_MSEC(20));
    CHECK_RC(plx_enable(registry, ends[0], PLX_WRITABLE), 0);
    EXPECT_WITH(poller, 1, PLX_READABLE | PLX_WRITABLE | PLX_ERROR | PLX_WRITE_CLOSED, PLX_READ_CLOSED);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
    close_fd(ends[0]);
}

CASE(peer_that_closes_while_armed_is_one_event)
{
    fixture s = armed(PLX_READABLE);
    shut(s.peer, SHUT_OUT);
    EXPECT(s.poller, 1, PLX_READABLE | PLX_READ_CLOSED);
    close_fd(s.peer); /* the second step comes after the one event */
    s.peer = NO_FD;
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    fixture_close(&s);
}

CASE(becoming_level_arms_and_repeats)
{
    fixture s = armed(PLX_WRITABLE);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_WRITABLE), 0);
    for (int i = 0; i < 3; i++)
        EXPECT(s.poller, 1, PLX_WRITABLE);
    fixture_close(&s);
}

CASE(edge_with_oneshot_means_oneshot)
{
    fixture s = armed(PLX_WRITABLE);
    if (!plx_poller_supports(s.poller, PLX_EDGE | PLX_ONESHOT))
        SKIP("%s knows no edges", conform_backend);
    CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_READABLE | PLX_EDGE | PLX_ONESHOT), 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    put(s.peer, 1); /* another edge, but the shot is spent */
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    close_fd(s.peer);
    s.peer = NO_FD;
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_READABLE), 0);
    EXPECT(s.poller, 1, PLX_READABLE | PLX_READ_CLOSED | PLX_WRITE_CLOSED);
    fixture_close(&s);
}

CASE(events_that_do_not_fit_stay_armed)
{
    enum { COUNT = 10 };
    plx_fd ends[COUNT][2];
    plx_event event;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < COUNT; i++) {
        open_stream(ends[i]);
        CHECK_RC(plx_register(registry, ends[i][0], (plx_token)i, PLX_WRITABLE | PLX_ONESHOT), 0);
    }
    int seen = 0;
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
        CHECK(!(seen >> event.token & 1));
        seen |= 1 << event.token;
    }
    CHECK_EQ(seen, (1 << COUNT) - 1);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
    for (int i = 0; i < COUNT; i++)
        close_pair(ends[i]);
}
