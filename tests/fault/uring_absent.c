/* SPDX-License-Identifier: MIT */
/*
 * A kernel, a limit or a sandbox without io_uring: who asks for it by name gets -ENOTSUP, who
 * asks for nothing gets epoll and can read why, and a poller that loses it goes on with epoll.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

static const struct {
    int error;
    const char *phrase;
} refusals[] = {
    {ENOSYS, "no io_uring: the kernel does not have it (ENOSYS)"},
    {EPERM, "no io_uring: kernel.io_uring_disabled or a sandbox forbids it (EPERM)"},
    {EACCES, "no io_uring: a sandbox forbids it (EACCES)"},
    {ENOMEM, "no io_uring: there is too little memory, or the limit of locked memory is too low (ENOMEM)"},
    {EINVAL, "no io_uring: it takes Linux 6.1 (EINVAL)"},
    {EIO, "no io_uring: it cannot be opened now"},
};

enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

/* ---- Asked for ------------------------------------------------------------------------- */

static int open_by_number(void)
{
    plx_options options = {.backend = PLX_BACKEND_IO_URING};
    plx_poller *made = NULL;
    int rc = plx_poller_open(&made, &options);

    CHECK((rc == 0) == (made != NULL));
    plx_poller_close(made);
    return rc;
}

static int open_by_name(void)
{
    plx_poller *made = NULL;

    CHECK(setenv("PLX_BACKEND", "io_uring", 1) == 0);
    int rc = plx_poller_open(&made, NULL);
    CHECK(unsetenv("PLX_BACKEND") == 0);
    CHECK((rc == 0) == (made != NULL));
    CHECK(rc < 0 || strcmp(plx_poller_backend(made), "io_uring") == 0);
    plx_poller_close(made);
    return rc;
}

/* With NULL, that it says nothing of io_uring. */
static void auto_is_epoll_and_says(const char *phrase)
{
    plx_poller *made;

    CHECK_RC(plx_poller_open(&made, NULL), 0);
    CHECK(strcmp(plx_poller_backend(made), "epoll") == 0);
    CHECK(described(made, phrase ? phrase : "io_uring") == (phrase != NULL));
    plx_poller_close(made);
}

static void is_absent(const char *phrase)
{
    int before = descriptors_open();

    CHECK_RC(open_by_number(), -ENOTSUP);
    CHECK_RC(open_by_name(), -ENOTSUP);
    auto_is_epoll_and_says(phrase);
    CHECK_EQ(descriptors_open(), before);
}

static void is_never_the_automatic_choice(void)
{
    CHECK_RC(open_by_number(), 0);
    CHECK_RC(open_by_name(), 0);
    auto_is_epoll_and_says(NULL);
}

/* ---- Refused at the opening ---------------------------------------------------------------- */

static void a_filter_that_denies_it_is_told(void)
{
    for (int i = 0; i < REFUSALS; i++) {
        check_note("a filter gives %s", strerror(refusals[i].error));
        pid_t pid = child_start();
        if (pid == 0) {
            deny(SYS_io_uring_setup, refusals[i].error);
            is_absent(refusals[i].phrase);
            check_stop(0);
        }
        child_end(pid);
    }
}

static void fail_always(enum seam_call call, int error)
{
    seam_reset();
    atomic_store(&seam.fail_error, error);
    atomic_store(&seam.fail_each, 1);
    atomic_store(&seam.fail_call, (int)call);
}

static void a_call_that_fails_is_told(void)
{
    for (int i = 0; i < REFUSALS; i++) {
        check_note("setup gives %s", strerror(refusals[i].error));
        fail_always(SEAM_URING_SETUP, refusals[i].error);
        is_absent(refusals[i].phrase);
    }
    check_note("no mapping");
    fail_always(SEAM_MMAP, ENOMEM);
    is_absent("(ENOMEM)");
    check_note("the second mapping fails");
    for (int i = 0; i < 2; i++) {
        seam_reset();
        seam_fail(SEAM_MMAP, 2, ENOMEM);
        CHECK_RC(i ? open_by_name() : open_by_number(), -ENOTSUP);
        CHECK_EQ(atomic_load(&seam.made[SEAM_MUNMAP]), 1);
    }
    seam_reset();
}

/* The process' limit is met, and will be again: that is not the kernel's lack. */
static void no_descriptor_left_is_emfile(void)
{
    static const int errors[] = {EMFILE, ENFILE};

    for (int i = 0; i < 2; i++) {
        fail_always(SEAM_URING_SETUP, errors[i]);
        CHECK_RC(open_by_number(), -errors[i]);
        CHECK_RC(open_by_name(), -errors[i]);
        auto_is_epoll_and_says("no io_uring: it cannot be opened now");
    }
    seam_reset();
    pid_t pid = child_start();
    if (pid == 0) {
        int first = open_counter();
        struct rlimit limit = {.rlim_cur = (rlim_t)first + 3, .rlim_max = (rlim_t)first + 3};
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0); /* epoll and eventfd have room */
        CHECK_RC(open_by_number(), -EMFILE);
        CHECK(close(first) == 0);
        CHECK_RC(open_by_number(), 0);
        check_stop(0);
    }
    child_end(pid);
}

/* ---- A kernel that lacks a part of it -------------------------------------------------------- */

static uint32_t lacking;

static int lacking_setup(uint32_t entries, struct io_uring_params *params)
{
    int ring = seam_uring_setup(entries, params);

    params->features &= ~lacking;
    return ring;
}

static void a_feature_that_is_missing_is_told(void)
{
    static const uint32_t needed[] = {IORING_FEAT_SINGLE_MMAP, IORING_FEAT_NODROP, IORING_FEAT_POLL_32BITS,
                                      IORING_FEAT_EXT_ARG, IORING_FEAT_CQE_SKIP};

    plx__linux.io_uring_setup = lacking_setup;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        check_note("without feature 0x%x", (unsigned)needed[i]);
        lacking = needed[i];
        is_absent("it takes Linux 6.1 (EINVAL)");
    }
    plx__linux.io_uring_setup = seam_uring_setup;
}

/* ---- Limits and users ------------------------------------------------------------------------- */

/* Kernels since 5.12 do not count a ring as locked memory; whichever it is, it says so. */
static void opens_or_says_why(void)
{
    static const char *const phrases[] = {"(EPERM)", "(ENOMEM)", "(EACCES)"};
    int rc = open_by_number();
    plx_poller *other;

    CHECK_RC(open_by_name(), rc);
    if (rc == 0) {
        auto_is_epoll_and_says(NULL);
        return;
    }
    CHECK_RC(rc, -ENOTSUP);
    CHECK_RC(plx_poller_open(&other, NULL), 0);
    CHECK(described(other, phrases[0]) || described(other, phrases[1]) || described(other, phrases[2]));
    plx_poller_close(other);
}

static void no_locked_memory_is_enough_or_told(void)
{
    check_note("RLIMIT_MEMLOCK 0");
    pid_t pid = child_start();
    if (pid == 0) {
        struct rlimit none = {0};
        CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
        if (geteuid() == 0)
            CHECK(setgid(65534) == 0 && setuid(65534) == 0);
        opens_or_says_why();
        check_stop(0);
    }
    child_end(pid);
}

/* ---- Lost after the opening -------------------------------------------------------------------- */

enum { LEVEL = 1, EDGE, ARMED, WAITING, REPORTED, SILENT, KINDS };

static int kind[KINDS][2];

static void register_kinds(void)
{
    static const uint32_t interests[KINDS] = {
        [LEVEL] = PLX_READABLE,
        [EDGE] = PLX_READABLE | PLX_EDGE,
        [ARMED] = PLX_READABLE | PLX_ONESHOT,
        [WAITING] = PLX_READABLE | PLX_ONESHOT,
        [REPORTED] = PLX_READABLE | PLX_ONESHOT,
        [SILENT] = 0,
    };

    for (unsigned i = LEVEL; i < KINDS; i++) {
        open_pair(kind[i]);
        CHECK_RC(plx_register(registry, kind[i][0], i, interests[i]), 0);
    }
}

/* The next events are these, in any order, and no others; only a level, which SILENT is once enabled, repeats. */
static void expect(uint32_t tokens)
{
    plx_event events[16];

    for (uint32_t seen = 0; seen != tokens;) {
        int count = plx_poller_wait(poller, events, 16, PLX_SEC(10));
        CHECK(count > 0);
        for (int i = 0; i < count; i++) {
            uint32_t bit = UINT32_C(1) << events[i].token;
            CHECK_EQ(events[i].flags, PLX_READABLE);
            CHECK(tokens & bit);
            CHECK(!(seen & bit) || events[i].token == LEVEL || events[i].token == SILENT);
            seen |= bit;
        }
    }
}

#define BIT(kind) (UINT32_C(1) << (kind))

static void every_kind_works(void)
{
    plx_event event;

    for (unsigned i = LEVEL; i < KINDS; i++)
        drain(kind[i][0]);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    for (unsigned i = LEVEL; i < KINDS; i++)
        put_byte(kind[i][1]);
    expect(BIT(LEVEL) | BIT(EDGE) | BIT(WAITING));
    drain(kind[LEVEL][0]);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_RC(plx_enable(registry, kind[REPORTED][0], 0), 0);
    CHECK_RC(plx_enable(registry, kind[SILENT][0], PLX_READABLE), 0);
    CHECK_RC(plx_enable(registry, kind[ARMED][0], 0), 0);
    expect(BIT(REPORTED) | BIT(SILENT) | BIT(ARMED));
}

static void deregister_kinds(void)
{
    for (unsigned i = LEVEL; i < KINDS; i++) {
        CHECK_RC(plx_deregister(registry, kind[i][0]), 0);
        CHECK(close(kind[i][0]) == 0);
        CHECK(at_end(kind[i][1], LATER_MS));
        CHECK(close(kind[i][1]) == 0);
    }
}

/* What has come into the ring and was not taken when the kernel shut it is not lost. */
static void loses_the_ring(int call, int error, bool entered)
{
    plx_event event;

    check_note("call %d gives %s, %s the first wait", call, strerror(error), entered ? "after" : "before");
    pid_t pid = child_start();
    if (pid != 0) {
        child_end(pid);
        return;
    }
    uring_open();
    register_kinds();
    if (entered) {
        put_byte(kind[REPORTED][1]);
        expect(BIT(REPORTED));
        CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
        CHECK(!uring_moved());
    }
    put_byte(kind[LEVEL][1]);
    put_byte(kind[EDGE][1]);
    put_byte(kind[ARMED][1]);
    deny(call, error);
    expect(BIT(LEVEL) | BIT(EDGE) | BIT(ARMED));
    CHECK(uring_moved());
    if (!entered) {
        put_byte(kind[REPORTED][1]);
        drain(kind[LEVEL][0]);
        expect(BIT(REPORTED));
    }
    every_kind_works();
    deregister_kinds();
    plx_poller_close(poller);
    check_stop(0);
}

/* A removal finds it out before a wait does. */
static void loses_the_ring_in_a_removal(void)
{
    plx_event event;

    check_note("a removal is denied");
    pid_t pid = child_start();
    if (pid != 0) {
        child_end(pid);
        return;
    }
    uring_open();
    register_kinds();
    put_byte(kind[REPORTED][1]);
    expect(BIT(REPORTED));
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    deny(SYS_io_uring_enter, EPERM);
    CHECK_RC(plx_deregister(registry, kind[ARMED][0]), 0);
    CHECK(uring_moved());
    CHECK(close(kind[ARMED][0]) == 0);
    CHECK(at_end(kind[ARMED][1], LATER_MS));
    CHECK(close(kind[ARMED][1]) == 0);
    open_pair(kind[ARMED]);
    CHECK_RC(plx_register(registry, kind[ARMED][0], ARMED, PLX_READABLE | PLX_ONESHOT), 0);
    put_byte(kind[ARMED][1]);
    expect(BIT(ARMED));
    every_kind_works();
    deregister_kinds();
    plx_poller_close(poller);
    check_stop(0);
}

int main(void)
{
    watchdog(60);
    uring_need();
    seam_install();
    is_never_the_automatic_choice();
    a_call_that_fails_is_told();
    no_descriptor_left_is_emfile();
    a_feature_that_is_missing_is_told();
    no_locked_memory_is_enough_or_told();
    a_filter_that_denies_it_is_told();
    loses_the_ring(SYS_io_uring_enter, EPERM, true);
    loses_the_ring(SYS_io_uring_enter, EPERM, false);
    loses_the_ring(SYS_io_uring_enter, ENOSYS, true);
    loses_the_ring(SYS_io_uring_register, EPERM, false);
    loses_the_ring_in_a_removal();
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
