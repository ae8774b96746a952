/* SPDX-License-Identifier: MIT */
/* The registry's bookkeeping: who is registered, with what, and what is refused. */
#include "support.h"

#include <limits.h>

static void expect_lookup(plx_registry *registry, plx_fd fd, plx_token token, uint32_t interest)
{
    plx_token found_token = 99;
    uint32_t found_interest = 99;
    CHECK_RC(plx_lookup(registry, fd, &found_token, &found_interest), 0);
    CHECK_EQ(found_token, token);
    CHECK_EQ(found_interest, interest);
}

static plx_fd open_no_more(void)
{
    plx_fd ends[2];
    open_stream(ends);
    close_pair(ends);
    return ends[1];
}

CASE(double_register_is_eexist_and_changes_nothing)
{
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
    CHECK_RC(plx_register(s.registry, s.fd, 2, PLX_WRITABLE), -EEXIST);
    CHECK_RC(plx_register(s.registry, s.fd, 2, PLX_READABLE | PLX_ONESHOT), -EEXIST);
    expect_lookup(s.registry, s.fd, 1, PLX_READABLE);
    CHECK_EQ(stats_of(s.poller).registered, 1);
    EXPECT_SILENCE(s.poller, 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    CHECK_RC(plx_deregister(s.registry, s.fd), 0);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(silenced_registration_is_still_eexist)
{
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.fd, 1, 0), 0);
    CHECK_RC(plx_register(s.registry, s.fd, 2, PLX_READABLE), -EEXIST);
    CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_WRITABLE | PLX_ONESHOT), 0);
    EXPECT(s.poller, 1, PLX_WRITABLE);
    CHECK_RC(plx_register(s.registry, s.fd, 2, PLX_READABLE), -EEXIST);
    expect_lookup(s.registry, s.fd, 1, PLX_WRITABLE | PLX_ONESHOT);
    fixture_close(&s);
}

/* Unknown to the registry, whether open, closed, huge or negative: always -ENOENT. */
CASE(unknown_descriptor_is_enoent)
{
    fixture s = fixture_open();
    plx_fd numbers[] = {s.fd, open_no_more(), 1000000, INT_MAX, NO_FD, (plx_fd)INT_MIN};
    plx_token token = 42;
    uint32_t interest = 43;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        check_note("descriptor %d", (int)numbers[i]);
        CHECK_RC(plx_reregister(s.registry, numbers[i], 1, PLX_READABLE), -ENOENT);
        CHECK_RC(plx_deregister(s.registry, numbers[i]), -ENOENT);
        CHECK_RC(plx_enable(s.registry, numbers[i], PLX_READABLE), -ENOENT);
        CHECK_RC(plx_disable(s.registry, numbers[i], PLX_READABLE), -ENOENT);
        CHECK_RC(plx_lookup(s.registry, numbers[i], &token, &interest), -ENOENT);
    }
    CHECK_EQ(token, 42);
    CHECK_EQ(interest, 43);
    CHECK_EQ(stats_of(s.poller).registered, 0);
    fixture_close(&s);
}

CASE(deregistered_descriptor_is_enoent_again)
{
    fixture s = fixture_open();
    for (int round = 0; round < 3; round++) {
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
        CHECK_RC(plx_deregister(s.registry, s.fd), 0);
        CHECK_RC(plx_deregister(s.registry, s.fd), -ENOENT);
        CHECK_RC(plx_reregister(s.registry, s.fd, 1, PLX_READABLE), -ENOENT);
        CHECK_RC(plx_enable(s.registry, s.fd, PLX_READABLE), -ENOENT);
        CHECK_RC(plx_lookup(s.registry, s.fd, NULL, NULL), -ENOENT);
    }
    put(s.peer, 1);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(registering_a_bad_descriptor_is_ebadf)
{
    counting memory;
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_poller_registry(poller);
    plx_fd numbers[] = {NO_FD, (plx_fd)INT_MIN, open_no_more(), 1000000, INT_MAX};
    long live = atomic_load(&memory.live);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        check_note("descriptor %d", (int)numbers[i]);
        CHECK_RC(plx_register(registry, numbers[i], 1, PLX_READABLE), -EBADF);
        CHECK_RC(plx_register(registry, numbers[i], 1, 0), -EBADF);
        CHECK_RC(plx_lookup(registry, numbers[i], NULL, NULL), -ENOENT);
    }
    CHECK_EQ(stats_of(poller).registered, 0);
    CHECK(atomic_load(&memory.live) <= live + 3); /* room in the table may stay */
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

CASE(reregistering_a_closed_descriptor_is_ebadf)
{
    fixture s = fixture_open();
    plx_fd copy = dup_fd(s.fd);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
    close_fd(s.fd);
    CHECK_RC(plx_reregister(s.registry, s.fd, 2, PLX_WRITABLE), -EBADF);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_WRITABLE), -EBADF);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_READABLE), -EBADF);
    CHECK_RC(plx_deregister(s.registry, s.fd), 0);
    CHECK_RC(plx_deregister(s.registry, s.fd), -ENOENT);
    CHECK_EQ(stats_of(s.poller).registered, 0);
    s.fd = copy;
    fixture_close(&s);
}

/* The last duplicate gone: the kernel has forgotten, the library still knows. */
CASE(closed_descriptor_deregisters_once)
{
    fixture s = fixture_open();
    plx_fd ends[2];
    open_stream(ends);
    CHECK_RC(plx_register(s.registry, ends[0], 1, PLX_READABLE | PLX_WRITABLE), 0);
    close_pair(ends);
    CHECK_RC(plx_reregister(s.registry, ends[0], 1, PLX_READABLE), -EBADF);
    CHECK_RC(plx_deregister(s.registry, ends[0]), 0);
    CHECK_RC(plx_deregister(s.registry, ends[0]), -ENOENT);
    CHECK_RC(plx_reregister(s.registry, ends[0], 1, PLX_READABLE), -ENOENT);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(number_that_is_another_file_now_is_enoent)
{
    fixture s = fixture_open();
    plx_fd ends[2], others[2];
    open_stream(others);
    open_stream(ends);
    CHECK_RC(plx_register(s.registry, ends[0], 1, PLX_READABLE), 0);
    move_onto(others[0], ends[0]); /* closes it, and the number is the other file */
    CHECK_RC(plx_reregister(s.registry, ends[0], 2, PLX_READABLE), -ENOENT);
    CHECK_RC(plx_enable(s.registry, ends[0], PLX_WRITABLE), -ENOENT);
    put(others[1], 1);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_RC(plx_register(s.registry, ends[0], 3, PLX_READABLE), 0);
    EXPECT(s.poller, 3, PLX_READABLE);
    CHECK_EQ(stats_of(s.poller).registered, 1);
    close_pair(ends);
    close_fd(others[1]);
    fixture_close(&s);
}

/* A duplicate kept the file, and it comes back under its old number. */
CASE(file_that_returns_to_its_number_can_be_registered)
{
    for (int deregistered = 0; deregistered < 2; deregistered++)
        for (int waited = 0; waited < 2; waited++) {
            fixture s = fixture_open();
            plx_event event;
            plx_fd copy = dup_fd(s.fd);
            check_note("deregistered %d, waited %d", deregistered, waited);
            CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
            close_fd(s.fd);
            if (waited)
                CHECK(plx_poller_wait(s.poller, &event, 1, 0) <= 1);
            if (deregistered)
                CHECK_RC(plx_deregister(s.registry, s.fd), 0);
            move_onto(copy, s.fd);
            int rc = plx_register(s.registry, s.fd, 2, PLX_READABLE);
            CHECK(rc == 0 || (rc == -EEXIST && !deregistered)); /* the same open file */
            EXPECT_SILENCE(s.poller, 0);
            put(s.peer, 1);
            EXPECT(s.poller, rc == 0 ? 2 : 1, PLX_READABLE); /* registered is registered */
            fixture_close(&s);
        }
}

static void expect_eperm(plx_registry *registry, plx_fd fd, const char *what)
{
    check_note("%s", what);
    CHECK_RC(plx_register(registry, fd, 1, PLX_READABLE), -EPERM);
    CHECK_RC(plx_register(registry, fd, 1, PLX_WRITABLE | PLX_ONESHOT), -EPERM);
    CHECK_RC(plx_register(registry, fd, 1, 0), -EPERM);
    CHECK_RC(plx_lookup(registry, fd, NULL, NULL), -ENOENT);
    close_fd(fd);
}

CASE(always_ready_things_are_eperm)
{
    fixture s = fixture_open();
    for (unsigned registered = 0; registered < 2; registered++) { /* without memory for such numbers, and with */
        expect_eperm(s.registry, open_regular_file(), "a regular file");
        expect_eperm(s.registry, open_directory(), "a directory");
        expect_eperm(s.registry, open_dev_null(), "/dev/null");
        CHECK_EQ(stats_of(s.poller).registered, registered);
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), registered ? -EEXIST : 0);
    }
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

/* ---- Arguments ---------------------------------------------------------------------- */

CASE(unknown_flags_are_einval)
{
    static const uint32_t known = PLX_READABLE | PLX_WRITABLE | PLX_PRIORITY | PLX_READ_CLOSED |
                                  PLX_WRITE_CLOSED | PLX_ERROR | PLX_EDGE | PLX_ONESHOT |
                                  PLX_EXCLUSIVE;
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.peer, 5, PLX_READABLE), 0);
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if (bit & known)
            continue;
        check_note("bit 0x%x", (unsigned)bit);
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | bit), -EINVAL);
        CHECK_RC(plx_register(s.registry, s.fd, 1, bit), -EINVAL);
        CHECK_RC(plx_reregister(s.registry, s.peer, 1, PLX_READABLE | bit), -EINVAL);
        CHECK_RC(plx_enable(s.registry, s.peer, PLX_WRITABLE | bit), -EINVAL);
        CHECK_RC(plx_disable(s.registry, s.peer, PLX_READABLE | bit), -EINVAL);
        CHECK(!plx_poller_supports(s.poller, PLX_READABLE | bit));
    }
    expect_lookup(s.registry, s.peer, 5, PLX_READABLE);
    CHECK_RC(plx_lookup(s.registry, s.fd, NULL, NULL), -ENOENT);
    fixture_close(&s);
}

CASE(contradictory_modes_are_einval)
{
    static const uint32_t wrong[] = {
        PLX_EXCLUSIVE | PLX_ONESHOT | PLX_READABLE,
        PLX_EXCLUSIVE | PLX_ONESHOT | PLX_EDGE | PLX_READABLE,
        PLX_EXCLUSIVE | PLX_READABLE | PLX_PRIORITY,
        PLX_EXCLUSIVE | PLX_READABLE | PLX_READ_CLOSED,
    };
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.peer, 5, PLX_READABLE), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_note("interest 0x%x", (unsigned)wrong[i]);
        CHECK_RC(plx_register(s.registry, s.fd, 1, wrong[i]), -EINVAL);
        CHECK_RC(plx_reregister(s.registry, s.peer, 1, wrong[i]), -EINVAL);
    }
    expect_lookup(s.registry, s.peer, 5, PLX_READABLE);
    CHECK_EQ(stats_of(s.poller).registered, 1);
    fixture_close(&s);
}

CASE(mode_bits_in_enable_and_disable_are_einval)
{
    static const uint32_t modes[] = {PLX_EDGE, PLX_ONESHOT, PLX_EXCLUSIVE, PLX_EDGE | PLX_ONESHOT};
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.fd, 5, PLX_READABLE), 0);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        CHECK_RC(plx_enable(s.registry, s.fd, PLX_WRITABLE | modes[i]), -EINVAL);
        CHECK_RC(plx_disable(s.registry, s.fd, modes[i]), -EINVAL);
    }
    expect_lookup(s.registry, s.fd, 5, PLX_READABLE);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(missing_mode_is_enotsup_and_changes_nothing)
{
    static const uint32_t modes[] = {PLX_EDGE, PLX_EXCLUSIVE};
    int missing = 0;
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.peer, 5, PLX_WRITABLE | PLX_ONESHOT), 0);
    EXPECT(s.poller, 5, PLX_WRITABLE);
    for (size_t i = 0; i < 2; i++) {
        if (plx_poller_supports(s.poller, PLX_READABLE | modes[i]))
            continue;
        missing++;
        CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | modes[i]), -ENOTSUP);
        CHECK_RC(plx_lookup(s.registry, s.fd, NULL, NULL), -ENOENT);
        CHECK_RC(plx_reregister(s.registry, s.peer, 1, PLX_WRITABLE | modes[i]), -ENOTSUP);
        expect_lookup(s.registry, s.peer, 5, PLX_WRITABLE | PLX_ONESHOT);
        EXPECT_SILENCE(s.poller, 0); /* above all, it was not armed again */
    }
    fixture_close(&s);
    if (missing == 0)
        SKIP("%s has every mode", conform_backend);
}

CASE(pollers_own_descriptor_is_einval)
{
    fixture s = fixture_open();
    plx_fd own = descriptor_of(s.poller);
    CHECK_RC(plx_register(s.registry, own, 1, PLX_READABLE), -EINVAL);
    CHECK_RC(plx_reregister(s.registry, own, 1, PLX_READABLE), -ENOENT);
    CHECK_RC(plx_deregister(s.registry, own), -ENOENT);
    CHECK_EQ(stats_of(s.poller).registered, 0);
    fixture_close(&s);
}

/* ---- Lookup, enable, disable ---------------------------------------------------------- */

/* What it has besides, for its wakes. */
CASE(each_of_the_pollers_descriptors_is_einval)
{
    enum { NUMBERS = 100 };
    bool open_before[NUMBERS];
    int own = 0;
    if (!backend_is("epoll") && !backend_is("io_uring") && !backend_is("poll"))
        SKIP("what %s has besides is its own matter", conform_backend);
    for (int i = 0; i < NUMBERS; i++)
        open_before[i] = descriptor_is_open((plx_fd)i);
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < NUMBERS; i++)
        if (!open_before[i] && descriptor_is_open((plx_fd)i)) {
            CHECK_RC(plx_register(registry, (plx_fd)i, 1, PLX_READABLE), -EINVAL);
            own++;
        }
    if (own == 0)
        SKIP("%s needs none on this system", conform_backend);
    CHECK_RC(plx_post(registry, 2, 0), 0);
    EXPECT(poller, 2, PLX_POST);
    plx_poller_close(poller);
}

CASE(lookup_tells_what_was_given)
{
    plx_token token = 0;
    uint32_t interest = 0;
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.fd, PLX_TOKEN_MAX, PLX_READABLE | PLX_ONESHOT), 0);
    expect_lookup(s.registry, s.fd, PLX_TOKEN_MAX, PLX_READABLE | PLX_ONESHOT);
    CHECK_RC(plx_lookup(s.registry, s.fd, &token, NULL), 0);
    CHECK_EQ(token, PLX_TOKEN_MAX);
    CHECK_RC(plx_lookup(s.registry, s.fd, NULL, &interest), 0);
    CHECK_EQ(interest, PLX_READABLE | PLX_ONESHOT);
    CHECK_RC(plx_lookup(s.registry, s.fd, NULL, NULL), 0);
    put(s.peer, 1);
    EXPECT(s.poller, PLX_TOKEN_MAX, PLX_READABLE);
    expect_lookup(s.registry, s.fd, PLX_TOKEN_MAX, PLX_READABLE | PLX_ONESHOT); /* though disarmed */
    CHECK_RC(plx_reregister(s.registry, s.fd, 0, PLX_WRITE_CLOSED | PLX_ERROR), 0);
    expect_lookup(s.registry, s.fd, 0, PLX_WRITE_CLOSED | PLX_ERROR);
    CHECK_RC(plx_reregister(s.registry, s.fd, 3, 0), 0);
    expect_lookup(s.registry, s.fd, 3, 0);
    fixture_close(&s);
}

CASE(enable_adds_and_disable_takes)
{
    fixture s = fixture_open();
    uint32_t rare = plx_poller_supports(s.poller, PLX_PRIORITY) ? PLX_PRIORITY : PLX_ERROR;
    CHECK_RC(plx_register(s.registry, s.fd, 8, 0), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_READABLE), 0);
    expect_lookup(s.registry, s.fd, 8, PLX_READABLE);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_WRITABLE | rare), 0);
    expect_lookup(s.registry, s.fd, 8, PLX_READABLE | PLX_WRITABLE | rare);
    put(s.peer, 1);
    EXPECT(s.poller, 8, PLX_READABLE | PLX_WRITABLE);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_READABLE), 0);
    EXPECT(s.poller, 8, PLX_WRITABLE);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_READABLE), 0);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_WRITABLE | rare), 0);
    EXPECT(s.poller, 8, PLX_READABLE);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_WRITABLE), 0); /* not there: nothing to take */
    EXPECT(s.poller, 8, PLX_READABLE);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_READABLE), 0);
    expect_lookup(s.registry, s.fd, 8, 0);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(enable_and_disable_keep_token_and_mode)
{
    fixture s = fixture_open();
    CHECK_RC(plx_register(s.registry, s.fd, 8, PLX_READABLE | PLX_ONESHOT), 0);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_WRITABLE), 0);
    expect_lookup(s.registry, s.fd, 8, PLX_READABLE | PLX_WRITABLE | PLX_ONESHOT);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_READABLE), 0);
    expect_lookup(s.registry, s.fd, 8, PLX_WRITABLE | PLX_ONESHOT);
    EXPECT(s.poller, 8, PLX_WRITABLE);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(reregister_replaces_token_interest_and_mode)
{
    fixture s = fixture_open();
    put(s.peer, 1);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE | PLX_ONESHOT), 0);
    EXPECT(s.poller, 1, PLX_READABLE);
    CHECK_RC(plx_reregister(s.registry, s.fd, 2, PLX_WRITABLE), 0);
    expect_lookup(s.registry, s.fd, 2, PLX_WRITABLE);
    EXPECT(s.poller, 2, PLX_WRITABLE);
    EXPECT(s.poller, 2, PLX_WRITABLE); /* level now */
    CHECK_RC(plx_reregister(s.registry, s.fd, 3, PLX_READABLE | PLX_WRITABLE | PLX_ONESHOT), 0);
    EXPECT(s.poller, 3, PLX_READABLE | PLX_WRITABLE);
    EXPECT_SILENCE(s.poller, 0); /* oneshot again */
    CHECK_EQ(stats_of(s.poller).registered, 1);
    fixture_close(&s);
}
