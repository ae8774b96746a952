/* SPDX-License-Identifier: MIT */
/* Many sources: duplicates, several pollers, reused numbers, large numbers of them. */
#include "support.h"

CASE(two_numbers_of_one_file_are_two_registrations)
{
    plx_fd ends[2];
    plx_event events[4];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    plx_fd copy = dup_fd(ends[0]);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    CHECK_RC(plx_register(registry, copy, 2, PLX_READABLE), 0);
    put(ends[1], 1);
    CHECK_EQ(plx_poller_wait(poller, events, 4, PATIENCE), 2);
    CHECK_EQ(events[0].token + events[1].token, 3);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    EXPECT(poller, 2, PLX_READABLE);
    CHECK_EQ(stats_of(poller).registered, 1);
    plx_poller_close(poller);
    close_fd(copy);
    close_pair(ends);
}

CASE(one_descriptor_may_be_in_several_pollers)
{
    plx_fd ends[2];
    plx_poller *first = open_poller(), *second = open_poller();
    open_stream(ends);
    CHECK_RC(plx_register(plx_poller_registry(first), ends[0], 1, PLX_READABLE), 0);
    CHECK_RC(plx_register(plx_poller_registry(second), ends[0], 2, PLX_READABLE | PLX_ONESHOT), 0);
    put(ends[1], 1);
    EXPECT(first, 1, PLX_READABLE);
    EXPECT(second, 2, PLX_READABLE);
    EXPECT(first, 1, PLX_READABLE);
    EXPECT_SILENCE(second, 0);
    CHECK_RC(plx_deregister(plx_poller_registry(second), ends[0]), 0);
    EXPECT(first, 1, PLX_READABLE);
    plx_poller_close(second);
    EXPECT(first, 1, PLX_READABLE);
    plx_poller_close(first);
    CHECK_EQ(drain(ends[0]), 1); /* the pollers left the descriptor as it was */
    close_pair(ends);
}

CASE(descriptor_flags_are_left_alone)
{
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_pipe(ends);
    int in = descriptor_flags(ends[0]), out = descriptor_flags(ends[1]);
    int stdin_flags = descriptor_flags(0), exec = descriptor_closes_on_exec(ends[0]);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | PLX_ONESHOT), 0);
    CHECK_RC(plx_register(registry, ends[1], 2, PLX_WRITABLE), 0);
    EXPECT(poller, 2, PLX_WRITABLE);
    CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_READABLE), 0);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    plx_poller_close(poller);
    CHECK_EQ(descriptor_flags(ends[0]), in);
    CHECK_EQ(descriptor_flags(ends[1]), out);
    CHECK_EQ(descriptor_flags(0), stdin_flags);
    CHECK_EQ(descriptor_closes_on_exec(ends[0]), exec);
    close_pair(ends);
}

/* Nobody deregisters: the table may not believe what the kernel has long forgotten. */
CASE(a_number_closed_and_reopened_a_thousand_times)
{
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    plx_fd number = ends[0];
    close_pair(ends);
    for (int round = 0; round < 1000; round++) {
        plx_token token = (plx_token)round;
        check_note("round %d", round);
        open_stream_as(number, ends);
        CHECK_RC(plx_register(registry, ends[0], token, PLX_READABLE), 0);
        CHECK_EQ(stats_of(poller).registered, 1);
        if (round % 3 == 0) {
            put(ends[1], 1);
            EXPECT(poller, token, PLX_READABLE);
        } else if (round % 3 == 1) {
            EXPECT_SILENCE(poller, 0);
        }
        close_pair(ends);
    }
    CHECK(plx_poller_wait(poller, &(plx_event){0}, 1, 0) <= 1); /* poll(2) may say POLLNVAL */
    EXPECT_SILENCE(poller, PLX_MSEC(1));
    plx_poller_close(poller);
}

/* Some go and some come; whoever is left is told under its own token. */
CASE(registrations_that_stay_keep_their_tokens)
{
    enum { SOURCES = 6, STEPS = 300 };
    plx_fd ends[SOURCES][2];
    plx_token token[SOURCES] = {0}; /* 0: not registered */
    uint64_t word = 11;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < SOURCES; i++)
        open_stream(ends[i]);
    for (plx_token step = 1; step <= STEPS; step++) {
        word = word * UINT64_C(6364136223846793005) + 1442695040888963407;
        int one = (int)(word >> 33) % SOURCES, other = (int)(word >> 45) % SOURCES;
        check_note("step %d: %d, then %d", (int)step, one, other);
        if (token[one])
            CHECK_RC(plx_deregister(registry, ends[one][0]), 0);
        else
            CHECK_RC(plx_register(registry, ends[one][0], step, PLX_READABLE), 0);
        token[one] = token[one] ? 0 : step;
        put(ends[other][1], 1);
        if (token[other])
            EXPECT(poller, token[other], PLX_READABLE);
        else
            EXPECT_SILENCE(poller, 0);
        CHECK_EQ(drain(ends[other][0]), 1);
    }
    plx_poller_close(poller);
    for (int i = 0; i < SOURCES; i++)
        close_pair(ends[i]);
}

CASE(sparse_and_large_numbers_work)
{
    static const plx_fd numbers[] = {1023, 1024, 2047, 2048, 4095, 8191, 15000};
    enum { COUNT = sizeof numbers / sizeof numbers[0] };
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    if (!descriptors_allow(16000))
        SKIP("RLIMIT_NOFILE is below 16000");
    open_stream(ends);
    for (int i = COUNT - 1; i >= 0; i--) {
        if (!dup_onto(ends[0], numbers[i]))
            SKIP("nobody chooses the number of a handle on Windows");
        CHECK_RC(plx_lookup(registry, numbers[i], NULL, NULL), -ENOENT);
        CHECK_RC(plx_register(registry, numbers[i], (plx_token)numbers[i], PLX_READABLE | PLX_ONESHOT), 0);
    }
    put(ends[1], 1);
    plx_event events[16];
    intmax_t sum = 0;
    CHECK_EQ(plx_poller_wait(poller, events, 16, PATIENCE), COUNT);
    for (int i = 0; i < COUNT; i++)
        sum += (intmax_t)events[i].token - (intmax_t)numbers[i];
    CHECK_EQ(sum, 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_RC(plx_deregister(registry, numbers[i]), 0);
        CHECK_RC(plx_deregister(registry, numbers[i] + 2), -ENOENT);
    }
    plx_poller_close(poller);
}

/* ---- Thousands ----------------------------------------------------------------------- */

enum { THOUSANDS = 5000 };

static plx_fd many[THOUSANDS];
static int how_many;

/* Under Wine each socket that is waited for makes every wait longer: a thousand have to do. */
static void open_many(void)
{
    how_many = streams_are_tcp() ? 1000 : THOUSANDS;
    if (!descriptors_allow(how_many + 100))
        SKIP("RLIMIT_NOFILE is below %d", how_many + 100);
    for (int i = 0; i < how_many; i += 2)
        open_stream(many + i);
}

static int index_of(plx_event event)
{
    CHECK(event.token < THOUSANDS);
    return (int)event.token;
}

CASE(five_thousand_descriptors_each_report_once)
{
    static int seen[THOUSANDS];
    plx_event events[512];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_many();
    for (int i = 0; i < how_many; i++)
        CHECK_RC(plx_register(registry, many[i], (plx_token)i, PLX_READABLE | PLX_ONESHOT), 0);
    CHECK_EQ(stats_of(poller).registered, how_many);
    EXPECT_SILENCE(poller, 0);
    for (int i = 0; i < how_many; i++)
        put(many[i], 1);
    for (int total = 0; total < how_many;) {
        int count = plx_poller_wait(poller, events, 512, PATIENCE);
        CHECK(count > 0);
        total += count;
        for (int i = 0; i < count; i++) {
            CHECK_EQ(events[i].flags, PLX_READABLE);
            CHECK_EQ(seen[index_of(events[i])]++, 0);
        }
    }
    EXPECT_SILENCE(poller, 0);
    for (int i = 0; i < how_many; i++)
        CHECK_RC(plx_deregister(registry, many[i]), 0);
    CHECK_EQ(stats_of(poller).registered, 0);
    plx_poller_close(poller);
}

/* One ready among thousands, each in its turn: what is quiet costs nothing but memory. */
CASE(one_of_five_thousand_is_found)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_many();
    for (int i = 0; i < how_many; i++)
        CHECK_RC(plx_register(registry, many[i], (plx_token)i, PLX_READABLE), 0);
    for (int i = 0; i < how_many; i += 97) {
        put(many[i ^ 1], 1);
        EXPECT(poller, (plx_token)i, PLX_READABLE);
        CHECK_EQ(drain(many[i]), 1);
        EXPECT_SILENCE(poller, 0);
    }
    plx_poller_close(poller);
}

/* Closing with everything registered leaves the descriptors as they are. */
CASE(close_leaves_registered_descriptors_open)
{
    plx_fd ends[2], others[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    open_tcp(others);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | PLX_WRITABLE), 0);
    CHECK_RC(plx_register(registry, others[0], 2, PLX_READABLE | PLX_ONESHOT), 0);
    plx_poller_close(poller);
    put(ends[0], 3);
    CHECK_EQ(drain(ends[1]), 3);
    put(others[0], 3);
    await_ready(others[1], READY_IN);
    CHECK_EQ(drain(others[1]), 3);
    close_fd(ends[0]); /* and holds no reference: the peer sees the end at once */
    CHECK(at_end(ends[1]));
    close_fd(ends[1]);
    close_pair(others);
}
