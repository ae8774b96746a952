/* SPDX-License-Identifier: MIT */
/*
 * The half-close matrix: what each way of ending a connection reports, for each interest,
 * in each mode, whether it ended before or after the registration.
 *
 * A row says what is true of the descriptor then. What is to be reported follows from that
 * by the rules of the header (expected_flags), so that each cell is checked exactly. Where
 * systems differ about a hang-up, a row says MAYBE, and the flag may be there or not. BEHIND
 * is a yes that a system which finds the end by reading cannot see behind unread data; it
 * refuses PLX_READ_CLOSED alone.
 */
#include "os/config.h"
#include "support.h"

typedef enum fact { NO, YES, MAYBE, BEHIND } fact;

typedef struct state {
    fact in, out;      /* a read, a write does not block, for another reason than a hang-up */
    fact read_closed;  /* the peer will write no more */
    fact write_closed; /* hang-up */
    fact error;
} state;

typedef struct row {
    const char *name;
    void (*open)(plx_fd ends[2]);
    void (*act)(plx_fd fd, plx_fd *peer);
    int ready; /* what to wait for before looking: TCP takes its time */
    state then;
} row;

static void nothing(plx_fd fd, plx_fd *peer) { (void)fd, (void)peer; }
static void peer_shuts_out(plx_fd fd, plx_fd *peer) { (void)fd, shut(*peer, SHUT_OUT); }
static void peer_shuts_in(plx_fd fd, plx_fd *peer) { (void)fd, shut(*peer, SHUT_IN); }
static void peer_shuts_both(plx_fd fd, plx_fd *peer) { (void)fd, shut(*peer, SHUT_BOTH); }
static void own_shuts_out(plx_fd fd, plx_fd *peer) { (void)peer, shut(fd, SHUT_OUT); }
static void own_shuts_in(plx_fd fd, plx_fd *peer) { (void)peer, shut(fd, SHUT_IN); }
static void own_shuts_both(plx_fd fd, plx_fd *peer) { (void)peer, shut(fd, SHUT_BOTH); }
static void peer_writes(plx_fd fd, plx_fd *peer) { (void)fd, put(*peer, 5); }

static void peer_writes_and_shuts_out(plx_fd fd, plx_fd *peer)
{
    put(*peer, 5);
    peer_shuts_out(fd, peer);
}

static void both_shut_out(plx_fd fd, plx_fd *peer)
{
    shut(*peer, SHUT_OUT);
    shut(fd, SHUT_OUT);
}

static void peer_closes(plx_fd fd, plx_fd *peer)
{
    (void)fd;
    close_fd(*peer);
    *peer = NO_FD;
}

static void peer_writes_and_closes(plx_fd fd, plx_fd *peer)
{
    put(*peer, 5);
    peer_closes(fd, peer);
}

static void peer_resets(plx_fd fd, plx_fd *peer)
{
    (void)fd;
    reset_fd(*peer);
    *peer = NO_FD;
}

/* Our queued writes are refused while the peer's data is still to be read. */
static void peer_writes_and_resets(plx_fd fd, plx_fd *peer)
{
    put(*peer, 5);
    await_ready(fd, READY_IN);
    fill(fd);
    peer_resets(fd, peer);
}

static const row stream_rows[] = {
    {"nothing", open_stream, nothing, 0, {NO, YES, NO, NO, NO}},
    {"data", open_stream, peer_writes, 0, {YES, YES, NO, NO, NO}},
    {"peer SHUT_WR", open_stream, peer_shuts_out, 0, {YES, YES, YES, NO, NO}},
    {"data, peer SHUT_WR", open_stream, peer_writes_and_shuts_out, 0, {YES, YES, BEHIND, NO, NO}},
    {"peer SHUT_RD", open_stream, peer_shuts_in, 0, {NO, YES, NO, MAYBE, NO}},
    {"peer SHUT_RDWR", open_stream, peer_shuts_both, 0, {YES, YES, YES, YES, NO}},
    {"peer closes", open_stream, peer_closes, 0, {YES, YES, YES, YES, NO}},
    {"data, peer closes", open_stream, peer_writes_and_closes, 0, {YES, YES, YES, YES, NO}},
    {"own SHUT_RD", open_stream, own_shuts_in, 0, {YES, YES, YES, NO, NO}},
    {"own SHUT_WR", open_stream, own_shuts_out, 0, {NO, MAYBE, NO, MAYBE, NO}},
    {"own SHUT_RDWR", open_stream, own_shuts_both, 0, {YES, YES, YES, YES, NO}},
    {"both SHUT_WR", open_stream, both_shut_out, 0, {YES, YES, YES, YES, NO}},
};

static const row tcp_rows[] = {
    {"nothing", open_tcp, nothing, 0, {NO, YES, NO, NO, NO}},
    {"data", open_tcp, peer_writes, READY_IN, {YES, YES, NO, NO, NO}},
    {"peer SHUT_WR", open_tcp, peer_shuts_out, READY_IN, {YES, YES, YES, NO, NO}},
    {"peer SHUT_RD", open_tcp, peer_shuts_in, 0, {NO, YES, NO, NO, NO}},
    {"peer SHUT_RDWR", open_tcp, peer_shuts_both, READY_IN, {YES, YES, YES, NO, NO}},
    {"peer closes", open_tcp, peer_closes, READY_IN, {YES, YES, YES, NO, NO}},
#if PLX__HAS_POSIX
    {"own SHUT_RD", open_tcp, own_shuts_in, READY_IN, {YES, YES, YES, NO, NO}},
    {"own SHUT_WR", open_tcp, own_shuts_out, READY_OUT, {NO, YES, NO, MAYBE, NO}},
    {"own SHUT_RDWR", open_tcp, own_shuts_both, READY_HANGUP, {YES, YES, YES, YES, NO}},
    {"both SHUT_WR", open_tcp, both_shut_out, READY_IN | READY_HANGUP, {YES, YES, YES, YES, NO}},
#else /* what this end has shut down itself is not told */
    {"own SHUT_RD", open_tcp, own_shuts_in, 0, {MAYBE, YES, MAYBE, NO, NO}},
    {"own SHUT_WR", open_tcp, own_shuts_out, 0, {NO, YES, NO, MAYBE, NO}},
    {"own SHUT_RDWR", open_tcp, own_shuts_both, 0, {MAYBE, YES, MAYBE, MAYBE, NO}},
    {"both SHUT_WR", open_tcp, both_shut_out, READY_IN, {YES, YES, YES, MAYBE, NO}},
#endif
    {"peer resets", open_tcp, peer_resets, READY_IN | READY_HANGUP, {YES, YES, YES, YES, YES}},
    {"data, peer resets", open_tcp, peer_writes_and_resets, READY_IN | READY_HANGUP,
     {YES, YES, YES, YES, YES}},
};

/* Seen from the reading end, fd, and from the writing end, which is turned round to be fd. */
static void open_pipe_turned(plx_fd ends[2])
{
    plx_fd pipe[2];
    open_pipe(pipe);
    ends[0] = pipe[1];
    ends[1] = pipe[0];
}

static void fills(plx_fd fd, plx_fd *peer)
{
    (void)peer;
    fill(fd);
}

static void fills_and_peer_closes(plx_fd fd, plx_fd *peer)
{
    fill(fd);
    peer_closes(fd, peer);
}

static const row pipe_rows[] = {
    {"read end", open_pipe, nothing, 0, {NO, NO, NO, NO, NO}},
    {"read end, data", open_pipe, peer_writes, 0, {YES, NO, NO, NO, NO}},
    {"read end, writer gone", open_pipe, peer_closes, 0, {YES, NO, MAYBE, YES, NO}},
    {"read end, data, writer gone", open_pipe, peer_writes_and_closes, 0, {YES, NO, MAYBE, YES, NO}},
    {"write end", open_pipe_turned, nothing, 0, {NO, YES, NO, NO, NO}},
    {"write end, full", open_pipe_turned, fills, 0, {NO, NO, NO, NO, NO}},
    {"write end, reader gone", open_pipe_turned, peer_closes, 0, {NO, YES, NO, YES, MAYBE}},
    {"write end, full, reader gone", open_pipe_turned, fills_and_peer_closes, 0,
     {NO, YES, NO, YES, MAYBE}},
};

static const uint32_t interests[] = {
    PLX_READABLE,
    PLX_WRITABLE,
    PLX_READABLE | PLX_WRITABLE,
    PLX_READ_CLOSED,
    PLX_READ_CLOSED | PLX_WRITABLE,
    PLX_READABLE | PLX_READ_CLOSED,
    PLX_PRIORITY,
    PLX_ERROR,
    PLX_WRITE_CLOSED,
    0,
};

static bool sees_behind_data(void)
{
    plx_poller *poller = open_poller();
    bool sees = plx_poller_supports(poller, PLX_READ_CLOSED);
    plx_poller_close(poller);
    return sees;
}

/* A fact's flag, if this stage counts it: YES alone, or MAYBE too. */
static uint32_t flag_if(fact f, bool with_maybe, uint32_t flag)
{
    if (f == BEHIND)
        f = sees_behind_data() ? YES : NO;
    return f == YES || (f == MAYBE && with_maybe) ? flag : 0;
}

static uint32_t expected_flags(state s, uint32_t interest, bool with_maybe)
{
    uint32_t broken = flag_if(s.write_closed, with_maybe, 1) | flag_if(s.error, with_maybe, 1);
    uint32_t flags = 0;
    if (interest == 0)
        return 0;
    if (interest & PLX_READABLE)
        flags |= broken ? PLX_READABLE : flag_if(s.in, with_maybe, PLX_READABLE);
    if (interest & PLX_WRITABLE)
        flags |= broken ? PLX_WRITABLE : flag_if(s.out, with_maybe, PLX_WRITABLE);
    if (interest & (PLX_READABLE | PLX_READ_CLOSED))
        flags |= flag_if(s.read_closed, with_maybe, PLX_READ_CLOSED);
    flags |= flag_if(s.write_closed, with_maybe, PLX_WRITE_CLOSED);
    flags |= flag_if(s.error, with_maybe, PLX_ERROR);
    return flags;
}

/* A connection that ends goes through several states, and each may be an edge of its own. */
static void check_edges_end(plx_poller *poller)
{
    plx_event event;
    int further = 0;

    while (plx_poller_wait(poller, &event, 1, 0) == 1) {
        CHECK_EQ(event.token, 9);
        CHECK(++further <= 4);
    }
}

/* One event or none, and then what the mode says about the next wait. */
static void check_cell(const row *r, uint32_t interest, uint32_t mode, bool late)
{
    uint32_t must = expected_flags(r->then, interest, false);
    uint32_t may = expected_flags(r->then, interest, true);
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    if (!plx_poller_supports(poller, interest)) { /* and then register says so */
        plx_poller_close(poller);
        return;
    }
    check_note("%s, interest 0x%x, mode 0x%x, %s", r->name, (unsigned)interest, (unsigned)mode,
               late ? "registered after" : "registered before");
    r->open(ends);
    if (!late)
        CHECK_RC(plx_register(registry, ends[0], 9, interest | mode), 0);
    r->act(ends[0], &ends[1]);
    if (r->ready)
        await_ready(ends[0], r->ready);
    if (late)
        CHECK_RC(plx_register(registry, ends[0], 9, interest | mode), 0);
    if (must) {
        EXPECT_WITH(poller, 9, must, may & ~must);
        if (mode == PLX_LEVEL)
            EXPECT_WITH(poller, 9, must, may & ~must);
    } else if (!may) {
        EXPECT_SILENCE(poller, 0);
    }
    if (mode == PLX_ONESHOT && must)
        EXPECT_SILENCE(poller, 0);
    if (mode == PLX_EDGE && must)
        check_edges_end(poller);
    plx_poller_close(poller);
    close_fd(ends[0]);
    if (ends[1] != NO_FD)
        close_fd(ends[1]);
}

static void check_rows(const row *rows, size_t count, uint32_t mode)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < sizeof interests / sizeof interests[0]; k++)
            for (int late = 0; late < 2; late++)
                check_cell(&rows[i], interests[k], mode, late);
}

#define ROWS(rows) rows, sizeof rows / sizeof rows[0]

static void need_socket_pairs(void)
{
    if (streams_are_tcp())
        SKIP("this system has no socket pairs but TCP");
}

CASE(half_close_matrix_of_stream_sockets)
{
    need_socket_pairs();
    check_rows(ROWS(stream_rows), PLX_LEVEL);
}

CASE(half_close_matrix_of_stream_sockets_in_oneshot_mode)
{
    need_socket_pairs();
    check_rows(ROWS(stream_rows), PLX_ONESHOT);
}

CASE(half_close_matrix_of_tcp)
{
    check_rows(ROWS(tcp_rows), PLX_LEVEL);
}

CASE(half_close_matrix_of_tcp_in_oneshot_mode)
{
    check_rows(ROWS(tcp_rows), PLX_ONESHOT);
}

CASE(both_ends_of_pipes)
{
    check_rows(ROWS(pipe_rows), PLX_LEVEL);
    check_rows(ROWS(pipe_rows), PLX_ONESHOT);
}

/* Registered after the fact: an edge of several steps may rightly be several events. */
CASE(half_close_matrix_in_edge_mode)
{
    plx_poller *poller = open_poller();
    bool edges = plx_poller_supports(poller, PLX_EDGE);
    plx_poller_close(poller);
    if (!edges)
        SKIP("%s knows no edges", conform_backend);
    const struct { const row *rows; size_t count; } all[] = {
        {ROWS(stream_rows)}, {ROWS(tcp_rows)}, {ROWS(pipe_rows)}};
    for (size_t i = 0; i < 3; i++)
        for (size_t r = 0; r < all[i].count; r++)
            for (size_t k = 0; k < sizeof interests / sizeof interests[0]; k++)
                check_cell(&all[i].rows[r], interests[k], PLX_EDGE, true);
}

CASE(end_behind_data_is_told_once_the_data_was_read)
{
    static void (*const opens[])(plx_fd ends[2]) = {open_stream, open_tcp};
    for (size_t i = 0; i < 2; i++) {
        fixture s = fixture_open_on(opens[i]);
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
        peer_writes_and_shuts_out(s.fd, &s.peer);
        await_ready(s.fd, READY_IN);
        EXPECT_WITH(s.poller, 1, PLX_READABLE, PLX_READ_CLOSED);
        CHECK_EQ(drain(s.fd), 5);
        EXPECT(s.poller, 1, PLX_READABLE | PLX_READ_CLOSED);
        EXPECT(s.poller, 1, PLX_READABLE | PLX_READ_CLOSED);
        fixture_close(&s);
    }
}

/* A read of it gives 0 as well. */
CASE(empty_datagram_is_no_end)
{
    fixture s = fixture_open_on(open_datagrams);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
    put_nothing(s.peer);
    await_ready(s.fd, READY_IN);
    EXPECT(s.poller, 1, PLX_READABLE);
    fixture_close(&s);
}

CASE(disable_leaves_what_the_system_can_do)
{
    fixture s = fixture_open();
    uint32_t interest = 0;
    bool alone = plx_poller_supports(s.poller, PLX_READ_CLOSED);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_READ_CLOSED), 0);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_READABLE), alone ? 0 : -ENOTSUP);
    CHECK_RC(plx_lookup(s.registry, s.fd, NULL, &interest), 0);
    CHECK_EQ(interest, PLX_READ_CLOSED | (alone ? 0 : PLX_READABLE));
    put(s.peer, 1);
    if (alone)
        EXPECT_SILENCE(s.poller, 0);
    else
        EXPECT(s.poller, 1, PLX_READABLE);
    fixture_close(&s);
}
