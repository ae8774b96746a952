/* SPDX-License-Identifier: MIT */
/* What readiness is: reading, writing, connecting, urgent data, many at once. */
#include "support.h"

CASE(readable_until_drained)
{
    fixture s = fixture_open_on(open_stream);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    put(s.peer, 10);
    for (int i = 0; i < 3; i++)
        EXPECT(s.poller, 1, PLX_READABLE);
    CHECK_EQ(drain(s.fd), 10);
    EXPECT_SILENCE(s.poller, 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    fixture_close(&s);
}

CASE(writable_until_full_and_again_once_read)
{
    fixture s = fixture_open_on(open_stream);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_WRITABLE), 0);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    size_t filled = fill(s.fd);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_EQ(drain(s.peer), filled);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    fixture_close(&s);
}

CASE(pipe_is_writable_once_read)
{
    fixture s = fixture_open_on(open_pipe);
    CHECK_RC(plx_register(s.registry, s.peer, 1, PLX_WRITABLE | PLX_ONESHOT), 0);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    size_t filled = fill(s.peer);
    CHECK_RC(plx_enable(s.registry, s.peer, 0), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_EQ(drain(s.fd), filled);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    fixture_close(&s);
}

CASE(all_that_is_ready_is_one_event)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT};
    for (size_t i = 0; i < 2; i++) {
        fixture s = fixture_open_on(open_stream);
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_WRITABLE | modes[i]), 0);
        put(s.peer, 1);
        shut(s.peer, SHUT_OUT);
        uint32_t closed = plx_poller_supports(s.poller, PLX_READ_CLOSED) ? PLX_READ_CLOSED : 0; /* behind data */
        EXPECT_WITH(s.poller, 1, PLX_READABLE | PLX_WRITABLE | closed, behind_data());
        fixture_close(&s);
    }
}

CASE(listener_is_readable_when_somebody_connects)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_fd listener = open_listener();
    CHECK_RC(plx_register(registry, listener, 1, PLX_READABLE), 0);
    EXPECT_SILENCE(poller, 0);
    plx_fd client = open_client(listener);
    EXPECT(poller, 1, PLX_READABLE);
    EXPECT(poller, 1, PLX_READABLE);
    plx_fd server = accept_client(listener);
    CHECK(server != NO_FD);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
    close_fd(client);
    close_fd(server);
    close_fd(listener);
}

CASE(finished_connect_is_writable)
{
    plx_poller *poller = open_poller();
    plx_fd listener = open_listener();
    plx_fd client = open_client(listener);
    CHECK_RC(plx_register(plx_poller_registry(poller), client, 1, PLX_WRITABLE | PLX_READABLE), 0);
    EXPECT(poller, 1, PLX_WRITABLE);
    CHECK_EQ(pending_error(client), 0);
    plx_poller_close(poller);
    close_fd(client);
    close_fd(listener);
}

CASE(refused_connect_is_writable_with_an_error)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT};
    for (size_t i = 0; i < 2; i++) {
        plx_poller *poller = open_poller();
        plx_fd client = open_refused();
        CHECK_RC(plx_register(plx_poller_registry(poller), client, 1, PLX_WRITABLE | modes[i]), 0);
        EXPECT_WITH(poller, 1, PLX_WRITABLE | PLX_ERROR, PLX_WRITE_CLOSED);
        CHECK_EQ(pending_error(client), ECONNREFUSED); /* the library left it there */
        plx_poller_close(poller);
        close_fd(client);
    }
}

CASE(refused_connect_reaches_whoever_looks_only_at_readable)
{
    plx_poller *poller = open_poller();
    plx_fd client = open_refused();
    CHECK_RC(plx_register(plx_poller_registry(poller), client, 1, PLX_READABLE), 0);
    EXPECT_WITH(poller, 1, PLX_READABLE | PLX_ERROR, PLX_WRITE_CLOSED | PLX_READ_CLOSED);
    plx_poller_close(poller);
    close_fd(client);
}

/* ---- Urgent data ----------------------------------------------------------------------- */

static void need_priority(fixture *s)
{
    if (!plx_poller_supports(s->poller, PLX_PRIORITY)) {
        fixture_close(s);
        SKIP("%s knows no urgent data here", conform_backend);
    }
}

CASE(urgent_data_is_priority_when_asked_for)
{
    fixture s = fixture_open_on(open_tcp);
    need_priority(&s);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_PRIORITY), 0);
    put(s.peer, 3);
    await_ready(s.fd, READY_IN);
    EXPECT_SILENCE(s.poller, 0); /* readable never implies priority */
    put_urgent(s.peer);
    await_ready(s.fd, READY_URGENT);
    EXPECT(s.poller, 1, PLX_PRIORITY);
    fixture_close(&s);
}

CASE(urgent_data_is_not_readable)
{
    fixture s = fixture_open_on(open_tcp);
    need_priority(&s);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_PRIORITY), 0);
    put_urgent(s.peer);
    await_ready(s.fd, READY_URGENT);
    EXPECT(s.poller, 1, PLX_PRIORITY);
    put(s.peer, 3);
    await_ready(s.fd, READY_IN);
    EXPECT_WITH(s.poller, 1, PLX_READABLE, PLX_PRIORITY);
    fixture_close(&s);
}

/* Of two sources that are writable a wait of one event tells one; which it leaves. */
static int left_untold(plx_poller *poller, plx_fd ends[2][2], uint32_t interest)
{
    plx_event event = {0};
    for (int i = 0; i < 2; i++)
        CHECK_RC(plx_register(plx_poller_registry(poller), ends[i][0], (plx_token)i, interest), 0);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, PATIENCE), 1);
    CHECK(event.token < 2);
    return 1 - (int)event.token;
}

/* (On io_uring it left no room for another, and then was not told.) */
CASE(what_is_to_be_told_no_more_is_in_nobodys_way)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT, PLX_EDGE};
    for (int i = 0; i < 6; i++) {
        plx_fd ends[3][2];
        plx_event event = {0};
        plx_poller *poller = open_poller();
        plx_registry *registry = plx_poller_registry(poller);
        uint32_t mode = modes[i % 3];
        check_note("mode 0x%x, %s", (unsigned)mode, i < 3 ? "deregistered" : "disabled");
        for (int k = 0; k < 3; k++)
            open_stream(ends[k]);
        if (plx_poller_supports(poller, mode)) {
            CHECK_RC(plx_register(registry, ends[2][0], 2, PLX_READABLE), 0);
            (void)left_untold(poller, ends, PLX_WRITABLE | mode);
            for (int k = 0; k < 2; k++)
                CHECK_RC(i < 3 ? plx_deregister(registry, ends[k][0]) :
                                 plx_disable(registry, ends[k][0], PLX_WRITABLE), 0);
            put(ends[2][1], 1);
            await_ready(ends[2][0], READY_IN);
            CHECK_EQ(plx_poller_wait(poller, &event, 1, 0), 1);
            CHECK_EQ(event.token, 2);
        }
        plx_poller_close(poller);
        for (int k = 0; k < 3; k++)
            close_pair(ends[k]);
    }
}

/* (On io_uring it came with what the wait asked for, and passed for new.) */
CASE(oneshot_that_was_read_is_silent_beside_an_edge_that_is_changed)
{
    plx_fd ends[2][2];
    plx_event event = {0};
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    if (!plx_poller_supports(poller, PLX_EDGE))
        SKIP("%s knows no edges", conform_backend);
    for (int k = 0; k < 2; k++) {
        open_stream(ends[k]);
        CHECK_RC(plx_register(registry, ends[k][1], 2, PLX_READABLE | PLX_ONESHOT), 0);
    }
    int left = left_untold(poller, ends, PLX_READABLE | PLX_WRITABLE | PLX_EDGE);
    put(ends[left][0], 1);
    await_ready(ends[left][1], READY_IN);
    drain(ends[left][1]);
    CHECK_RC(plx_disable(registry, ends[left][0], PLX_READABLE), 0);
    for (int i = 0; i < 4; i++)
        CHECK(plx_poller_wait(poller, &event, 1, 0) == 0 || event.token != 2);
    plx_poller_close(poller);
    for (int k = 0; k < 2; k++)
        close_pair(ends[k]);
}

/* (On io_uring its poll was at work, and could be changed with the wait after that.) */
CASE(edge_that_is_changed_as_something_arrives_is_told_by_the_next_wait)
{
    plx_fd ends[2][2];
    plx_event event = {0};
    plx_poller *poller = open_poller();
    if (!plx_poller_supports(poller, PLX_EDGE))
        SKIP("%s knows no edges", conform_backend);
    for (int k = 0; k < 2; k++)
        open_stream(ends[k]);
    int left = left_untold(poller, ends, PLX_READABLE | PLX_WRITABLE | PLX_EDGE);
    put(ends[left][1], 1);
    await_ready(ends[left][0], READY_IN);
    CHECK_RC(plx_reregister(plx_poller_registry(poller), ends[left][0], 2, PLX_READABLE | PLX_EDGE), 0);
    put(ends[left][1], 1);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, 0), 1);
    CHECK_EQ(event.token, 2);
    CHECK_EQ(event.flags, PLX_READABLE);
    plx_poller_close(poller);
    for (int k = 0; k < 2; k++)
        close_pair(ends[k]);
}

/* Something comes from the peer, before a wait or during it; the wait is this thread's own. */
struct sending {
    void (*send)(plx_fd peer);
    plx_fd peer;
};

static void send_later(void *argument)
{
    const struct sending *self = argument;
    sleep_for(PLX_MSEC(5));
    self->send(self->peer);
}

static void send_data(plx_fd peer)
{
    put(peer, 1);
}

static int wait_while_sending(const fixture *s, void (*send)(plx_fd peer), plx_nanos time, plx_event *event)
{
    struct sending sending = {send, s->peer};
    if (time == 0) {
        send(s->peer);
        await_ready(s->fd, send == put_urgent ? READY_URGENT : READY_IN);
        return plx_poller_wait(s->poller, event, 1, 0);
    }
    test_thread *thread = thread_start(send_later, &sending);
    int count = plx_poller_wait(s->poller, event, 1, time);
    thread_join(thread);
    return count;
}

/*
 * A socket wakes whoever waits for urgent data when any data comes: a kernel interface that tells of
 * the wake and not of the state says what is not so. (io_uring did, of edges, and of what came
 * during a wait.)
 */
CASE(data_and_urgent_data_are_told_apart_in_any_mode)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT, PLX_EDGE};
    static const uint32_t interests[] = {PLX_READABLE | PLX_PRIORITY, PLX_PRIORITY, PLX_READABLE};
    for (unsigned i = 0; i < 36; i++) {
        uint32_t mode = modes[i % 3], interest = interests[i / 3 % 3];
        bool asleep = i / 9 % 2, urgent = i / 18;
        uint32_t owed = interest & (urgent ? PLX_PRIORITY : PLX_READABLE);
        plx_event event = {0};
        if (backend_is("io_uring") && asleep && urgent && !owed)
            continue; /* what wakes for data does not say which */
        fixture s = fixture_open_on(open_tcp);
        need_priority(&s);
        check_note("interest 0x%x, asleep %d, urgent %d", (unsigned)(interest | mode), asleep, urgent);
        if (plx_poller_supports(s.poller, mode)) {
            CHECK_RC(plx_register(s.registry, s.fd, 1, interest | mode), 0);
            EXPECT_SILENCE(s.poller, 0);
            plx_nanos time = !asleep ? 0 : owed ? PATIENCE : PLX_MSEC(30);
            int count = wait_while_sending(&s, urgent ? put_urgent : send_data, time, &event);
            CHECK_EQ(event.flags, owed);
            CHECK_EQ(count, owed != 0);
            if (!owed)
                EXPECT_SILENCE(s.poller, 0);
        }
        fixture_close(&s);
    }
}

/* A peer must not be able to make a program spin that never asked for urgent data. */
CASE(urgent_data_is_silent_when_not_asked_for)
{
    static const uint32_t interests[] = {PLX_READABLE, PLX_READABLE | PLX_ONESHOT, PLX_READ_CLOSED,
                                         PLX_ERROR, 0};
    for (size_t i = 0; i < sizeof interests / sizeof interests[0]; i++) {
        fixture s = fixture_open_on(open_tcp);
        check_note("interest 0x%x", (unsigned)interests[i]);
        int supported = plx_poller_supports(s.poller, interests[i]) ? 0 : -ENOTSUP;
        CHECK_RC(plx_register(s.registry, s.fd, 1, interests[i]), supported);
        put_urgent(s.peer);
        await_ready(s.fd, READY_URGENT);
        EXPECT_SILENCE(s.poller, PLX_MSEC(1));
        if (interests[i] & PLX_READABLE) { /* and a oneshot is armed as before */
            put(s.peer, 1);
            EXPECT(s.poller, 1, PLX_READABLE);
        }
        fixture_close(&s);
    }
}

/* ---- Silence --------------------------------------------------------------------------- */

CASE(interest_of_zero_is_silent_whatever_happens)
{
    static void (*const opens[])(plx_fd ends[2]) = {open_stream, open_tcp, open_pipe};
    for (size_t i = 0; i < (pipes_can_be_watched() ? 3 : 2); i++) {
        fixture s = fixture_open_on(opens[i]);
        CHECK_RC(plx_register(s.registry, s.fd, 1, 0), 0);
        put(s.peer, 1);
        await_ready(s.fd, READY_IN);
        EXPECT_SILENCE(s.poller, 0);
        if (i == 1)
            reset_fd(s.peer);
        else
            close_fd(s.peer);
        s.peer = NO_FD;
        bool hung_up = i > 0 || !streams_are_tcp(); /* a TCP connection is half closed */
        await_ready(s.fd, hung_up ? READY_IN | READY_HANGUP : READY_IN);
        uint64_t calls = stats_of(s.poller).kernel_calls;
        EXPECT_SILENCE(s.poller, PLX_MSEC(20));
        CHECK(stats_of(s.poller).kernel_calls - calls < 20); /* and the wait did not spin on it */
        CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_READABLE), 0);
        EXPECT_WITH(s.poller, 1, PLX_READABLE | (hung_up ? PLX_WRITE_CLOSED : 0), PLX_READ_CLOSED | PLX_ERROR);
        fixture_close(&s);
    }
}

CASE(native_field_tells_the_kernels_flags)
{
    fixture s = fixture_open_on(open_stream);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_WRITABLE), 0);
    plx_event writable = EXPECT(s.poller, 1, PLX_WRITABLE);
    CHECK_RC(plx_post(s.registry, 2, 0), 0);
    CHECK_RC(plx_reregister(s.registry, s.fd, 1, 0), 0);
    plx_event post = EXPECT(s.poller, 2, PLX_POST);
    CHECK_EQ(post.native, 0);
    bool has = backend_is("epoll") || backend_is("poll") || backend_is("io_uring");
    if (has)
        CHECK(writable.native != 0);
    fixture_close(&s);
    if (!has)
        SKIP("%s has no flags of its own", conform_backend);
}

/* ---- Many at once ------------------------------------------------------------------------ */

CASE(no_source_is_twice_in_one_batch)
{
    enum { COUNT = 5 };
    plx_fd ends[COUNT][2];
    plx_event events[64];
    plx_poller *poller = open_poller();
    for (int i = 0; i < COUNT; i++) {
        open_stream(ends[i]);
        put(ends[i][1], 1);
        CHECK_RC(plx_register(plx_poller_registry(poller), ends[i][0], (plx_token)i,
                              PLX_READABLE | PLX_WRITABLE), 0);
    }
    for (int round = 0; round < 5; round++) {
        int seen = 0;
        CHECK_EQ(plx_poller_wait(poller, events, 64, PATIENCE), COUNT);
        for (int i = 0; i < COUNT; i++) {
            CHECK_EQ(events[i].flags, PLX_READABLE | PLX_WRITABLE);
            seen |= 1 << events[i].token;
        }
        CHECK_EQ(seen, (1 << COUNT) - 1);
    }
    plx_poller_close(poller);
    for (int i = 0; i < COUNT; i++)
        close_pair(ends[i]);
}

CASE(what_does_not_fit_comes_with_the_next_wait)
{
    enum { COUNT = 40 };
    for (int capacity = 1; capacity <= 17; capacity += 4) {
        plx_fd ends[COUNT][2];
        plx_event events[17];
        uint64_t seen = 0;
        plx_poller *poller = open_poller();
        check_note("capacity %d", capacity);
        for (int i = 0; i < COUNT; i++) {
            open_stream(ends[i]);
            CHECK_RC(plx_register(plx_poller_registry(poller), ends[i][0], (plx_token)i,
                                  PLX_WRITABLE | PLX_ONESHOT), 0);
        }
        for (int total = 0; total < COUNT;) {
            int count = plx_poller_wait(poller, events, capacity, PATIENCE);
            CHECK(count >= 1 && count <= capacity);
            for (int i = 0; i < count; i++) {
                CHECK(!(seen >> events[i].token & 1));
                seen |= (uint64_t)1 << events[i].token;
            }
            total += count;
        }
        EXPECT_SILENCE(poller, 0);
        plx_poller_close(poller);
        for (int i = 0; i < COUNT; i++)
            close_pair(ends[i]);
    }
}

CASE(nothing_is_written_past_what_is_returned)
{
    plx_event events[8];
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    open_stream(ends);
    CHECK_RC(plx_register(plx_poller_registry(poller), ends[0], 1, PLX_WRITABLE), 0);
    for (int i = 0; i < 8; i++) {
        CHECK_RC(plx_post(plx_poller_registry(poller), 2, 0), 0);
        events[i] = (plx_event){77, 78, 79, 80};
    }
    CHECK_EQ(plx_poller_wait(poller, events, 3, PATIENCE), 3);
    for (int i = 3; i < 8; i++)
        CHECK(events[i].token == 77 && events[i].flags == 78 && events[i].native == 79 &&
              events[i].data == 80);
    plx_poller_close(poller);
    close_pair(ends);
}
