/* SPDX-License-Identifier: MIT */
/* Opening: options, the environment, what a poller costs, what a failed open leaves. */
#include "os/descriptor.h"
#include "support.h"

/* Opens, expects the error, and that nothing was written or left open. */
static void expect_no_poller(const plx_options *options, int error)
{
    plx_poller *mark = (plx_poller *)(void *)conform_backend, *poller = mark;
    int before = descriptors_open();
    CHECK_RC(plx_poller_open(&poller, options), error);
    CHECK(poller == mark);
    CHECK_EQ(descriptors_open(), before);
}

CASE(unknown_options_are_einval)
{
    static const int backends[] = {PLX_BACKEND_IOCP + 1, 99, -1, INT32_MAX};
    static const int clocks[] = {PLX_CLOCK_MANUAL + 1, 99, -1};
    static const uint32_t flags[] = {0x2, 0x4, 0x80000000u, ~PLX_RETURN_ON_SIGNAL};
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        expect_no_poller(&(plx_options){.backend = (plx_backend)backends[i]}, -EINVAL);
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++)
        expect_no_poller(&(plx_options){.backend = backend_id(), .clock = (plx_clock)clocks[i]},
                         -EINVAL);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        expect_no_poller(&(plx_options){.backend = backend_id(), .flags = flags[i]}, -EINVAL);
}

CASE(open_into_null_is_einval)
{
    CHECK_RC(plx_poller_open(NULL, NULL), -EINVAL);
    CHECK_RC(plx_poller_open(NULL, &(plx_options){.backend = backend_id()}), -EINVAL);
}

CASE(allocator_with_a_missing_function_is_einval)
{
    counting memory;
    counting_init(&memory);
    for (int missing = 0; missing < 3; missing++) {
        plx_allocator allocator = memory.allocator;
        if (missing == 0)
            allocator.allocate = NULL;
        else if (missing == 1)
            allocator.reallocate = NULL;
        else
            allocator.release = NULL;
        expect_no_poller(&(plx_options){.backend = backend_id(), .allocator = &allocator},
                         -EINVAL);
    }
    CHECK_EQ(atomic_load(&memory.calls), 0);
}

/* Manual time is everywhere; boot time is there, or said not to be. */
CASE(each_clock_opens_or_is_enotsup)
{
    for (int clock = PLX_CLOCK_MONOTONIC; clock <= PLX_CLOCK_MANUAL; clock++) {
        plx_options options = {.backend = backend_id(), .clock = (plx_clock)clock};
        plx_poller *poller = NULL;
        int rc = plx_poller_open(&poller, &options);
        check_note("clock %d", clock);
        if (clock == PLX_CLOCK_BOOTTIME && rc == -ENOTSUP) {
            CHECK(poller == NULL);
            continue;
        }
        CHECK_RC(rc, 0);
        plx_nanos before = plx_poller_now(poller);
        sleep_for(PLX_MSEC(1));
        plx_nanos passed = plx_poller_now(poller) - before;
        CHECK(clock == PLX_CLOCK_MANUAL ? passed == 0 : passed >= PLX_MSEC(1));
        plx_poller_close(poller);
    }
}

/* Every backend opens as itself or is -ENOTSUP: another one is never taken in its place. */
CASE(absent_backend_is_enotsup_and_never_replaced)
{
    static const char *const names[] = {"epoll", "io_uring",    "kqueue",
                                        "event_ports", "poll", "iocp"};
    static const plx_backend ids[] = {PLX_BACKEND_EPOLL,       PLX_BACKEND_IO_URING,
                                      PLX_BACKEND_KQUEUE,      PLX_BACKEND_EVENT_PORTS,
                                      PLX_BACKEND_POLL,        PLX_BACKEND_IOCP};
    int absent = 0;
    for (int by_name = 0; by_name < 2; by_name++)
        for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
            plx_poller *poller = NULL;
            plx_options options = {.backend = by_name ? PLX_BACKEND_AUTO : ids[i]};
            check_note("%s, by %s", names[i], by_name ? "name" : "number");
            set_variable("PLX_BACKEND", by_name ? names[i] : NULL);
            int rc = plx_poller_open(&poller, &options);
            if (rc == 0) {
                CHECK(strcmp(plx_poller_backend(poller), names[i]) == 0);
                plx_poller_close(poller);
                continue;
            }
            absent++;
            CHECK_RC(rc, -ENOTSUP);
            expect_no_poller(&options, -ENOTSUP);
        }
    CHECK(absent > 0);
}

CASE(environment_names_the_backend_of_auto)
{
    plx_poller *poller;
    plx_options automatic = {0};
    set_variable("PLX_BACKEND", conform_backend);
    CHECK_RC(plx_poller_open(&poller, NULL), 0);
    CHECK(strcmp(plx_poller_backend(poller), conform_backend) == 0);
    plx_poller_close(poller);
    CHECK_RC(plx_poller_open(&poller, &automatic), 0);
    CHECK(strcmp(plx_poller_backend(poller), conform_backend) == 0);
    plx_poller_close(poller);
}

CASE(environment_with_an_unknown_name_is_enotsup)
{
    static const char *const names[] = {"nonsense", "epol", "epoll ", "EPOLL", "pollpoll", "auto"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_note("PLX_BACKEND=%s", names[i]);
        set_variable("PLX_BACKEND", names[i]);
        expect_no_poller(NULL, -ENOTSUP);
        expect_no_poller(&(plx_options){0}, -ENOTSUP);
    }
}

CASE(options_outrank_the_environment)
{
    set_variable("PLX_BACKEND", "nonsense");
    plx_poller *poller = open_poller();
    CHECK(strcmp(plx_poller_backend(poller), conform_backend) == 0);
    plx_poller_close(poller);
}

CASE(auto_finds_a_backend)
{
    plx_poller *poller;
    set_variable("PLX_BACKEND", NULL);
    CHECK_RC(plx_poller_open(&poller, NULL), 0);
    CHECK_RC(plx_post(plx_poller_registry(poller), 4, 5), 0);
    EXPECT(poller, 4, PLX_POST);
    plx_poller_close(poller);
}

/* The options and the allocator struct may be gone as soon as open returns. */
CASE(options_are_copied)
{
    counting memory;
    plx_options options = {.backend = backend_id()};
    plx_allocator allocator;
    plx_poller *poller;
    counting_init(&memory);
    allocator = memory.allocator;
    options.allocator = &allocator;
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    memset(&options, 0xff, sizeof options);
    memset(&allocator, 0xff, sizeof allocator);
    for (int i = 0; i < 1000; i++)
        CHECK_RC(plx_post(plx_poller_registry(poller), 1, 0), 0);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* ---- What it costs --------------------------------------------------------------- */

CASE(poller_has_at_most_three_descriptors)
{
    enum { WAKERS = 200 };
    plx_waker *wakers[WAKERS];
    plx_fd ends[2];
    int before = descriptors_open();
    if (before < 0)
        SKIP("this system does not tell which descriptors are open");
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_poller_descriptor(poller);
    for (int i = 0; i < WAKERS; i++)
        CHECK_RC(plx_waker_open(registry, (plx_token)i, &wakers[i]), 0);
    CHECK(descriptors_open() - before <= 3);
    open_stream(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    for (int i = 0; i < WAKERS; i++) {
        CHECK_RC(plx_waker_wake(wakers[i]), 0);
        CHECK_RC(plx_post(registry, 7, 0), 0);
    }
    plx_event events[64];
    while (plx_poller_wait(poller, events, 64, 0) > 0)
        continue;
    CHECK(descriptors_open() - before - 2 <= 3);
    plx_poller_close(poller);
    CHECK_EQ(descriptors_open(), before + 2);
    for (int i = 0; i < WAKERS; i++)
        plx_waker_release(wakers[i]);
    close_pair(ends);
    CHECK_EQ(descriptors_open(), before);
}

CASE(descriptors_are_close_on_exec)
{
    enum { NUMBERS = 256 };
    bool before[NUMBERS];
    int found = 0;
    for (uint32_t i = 0; i < NUMBERS; i++)
        before[i] = descriptor_is_open(plx__descriptor_of(i));
    plx_poller *poller = open_poller();
    plx_poller_descriptor(poller);
    CHECK_EQ(plx_poller_wait(poller, &(plx_event){0}, 1, 0), 0);
    for (uint32_t i = 0; i < NUMBERS; i++) {
        plx_fd fd = plx__descriptor_of(i);
        if (!before[i] && descriptor_is_open(fd)) {
            check_note("descriptor %d", (int)fd);
            CHECK(descriptor_closes_on_exec(fd));
            found++;
        }
    }
    CHECK(found <= 3);
    plx_poller_close(poller);
    for (uint32_t i = 0; i < NUMBERS; i++)
        CHECK_EQ(descriptor_is_open(plx__descriptor_of(i)), before[i]);
}

/* With 0, 1, 2 and more numbers left: a poller, or -EMFILE and nothing left behind. */
CASE(open_without_descriptors_left_is_emfile)
{
    counting memory;
    plx_poller *poller;
    int used = descriptors_open(), opened = 0, refused = 0;
    if (used < 0)
        SKIP("this system does not tell which descriptors are open");
    for (int left = 0; left <= 4; left++) {
        counting_init(&memory);
        plx_options options = {.backend = backend_id(), .allocator = &memory.allocator};
        plx_fd lowest = open_dev_null();
        close_fd(lowest);
        check_note("%d left", left);
        descriptors_limit((int)lowest + left);
        poller = NULL;
        int rc = plx_poller_open(&poller, &options);
        descriptors_limit(256);
        if (rc == 0) {
            opened++;
            plx_poller_close(poller);
        } else {
            refused++;
            CHECK_RC(rc, -EMFILE);
            CHECK(poller == NULL);
        }
        CHECK_EQ(descriptors_open(), used);
        CHECK_EQ(atomic_load(&memory.live), 0);
    }
    CHECK(opened > 0 && refused > 0);
}

CASE(opening_and_closing_leaves_nothing)
{
    int before = descriptors_open();
    for (int i = 0; i < 300; i++) {
        plx_poller *poller = open_poller();
        CHECK_RC(plx_post(plx_poller_registry(poller), 1, 1), 0);
        plx_poller_close(poller);
    }
    CHECK_EQ(descriptors_open(), before);
    plx_poller_close(NULL);
}

/* ---- What it can do ---------------------------------------------------------------- */

CASE(supports_tells_what_register_accepts)
{
    static const uint32_t interests[] = {
        PLX_READABLE, PLX_WRITABLE, PLX_PRIORITY, PLX_READ_CLOSED, PLX_WRITE_CLOSED, PLX_ERROR,
        PLX_READABLE | PLX_WRITABLE, PLX_READABLE | PLX_ONESHOT, PLX_READABLE | PLX_EDGE,
        PLX_READABLE | PLX_EDGE | PLX_ONESHOT, PLX_READABLE | PLX_EXCLUSIVE, 0,
        PLX_READABLE | PLX_WRITABLE | PLX_PRIORITY | PLX_READ_CLOSED | PLX_WRITE_CLOSED | PLX_ERROR,
    };
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_tcp(ends);
    for (size_t i = 0; i < sizeof interests / sizeof interests[0]; i++) {
        check_note("interest 0x%x", (unsigned)interests[i]);
        int rc = plx_register(registry, ends[0], 1, interests[i]);
        CHECK_RC(rc, plx_poller_supports(poller, interests[i]) ? 0 : -ENOTSUP);
        if (rc == 0)
            CHECK_RC(plx_deregister(registry, ends[0]), 0);
    }
    CHECK(plx_poller_supports(poller, PLX_LEVEL | PLX_READABLE | PLX_WRITABLE));
    if (!backend_is("kqueue")) /* some have no such filter */
        CHECK(plx_poller_supports(poller, PLX_PRIORITY));
    CHECK(plx_poller_supports(poller, PLX_ONESHOT));
    CHECK(!plx_poller_supports(poller, 0x20000000u));
    CHECK(!plx_poller_supports(poller, PLX_READABLE | 0x00000020u));
    if (backend_is("epoll"))
        CHECK(plx_poller_supports(poller, PLX_EDGE) && plx_poller_supports(poller, PLX_EXCLUSIVE));
    if (backend_is("poll"))
        CHECK(!plx_poller_supports(poller, PLX_EDGE) && !plx_poller_supports(poller, PLX_EXCLUSIVE));
    plx_poller_close(poller);
    close_pair(ends);
}
