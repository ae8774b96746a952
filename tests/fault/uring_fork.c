/* SPDX-License-Identifier: MIT */
/*
 * A child made by fork has the ring's descriptor and its memory, but the ring is the parent's. Which
 * of them closes first makes no difference: the parent's waits go on, and a child that keeps its
 * copy holds none of the parent's files.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

enum { LEVEL = 1, EDGE, ARMED, REPORTED, PENDING, KINDS, POSTED = 20 };

static int kind[KINDS][2];
static int to_child[2], to_parent[2];

/* ---- Steps of the two, one after the other ------------------------------------------------ */

static void open_steps(void)
{
    CHECK(pipe(to_child) == 0);
    CHECK(pipe(to_parent) == 0);
}

static void close_steps(void)
{
    close_pair(to_child);
    close_pair(to_parent);
}

static void step_done(const int ends[2])
{
    CHECK_EQ(write(ends[1], "x", 1), 1);
}

static void step_await(const int ends[2])
{
    char byte;

    CHECK_EQ(read(ends[0], &byte, 1), 1);
}

/* ---- A ring with something in each state ----------------------------------------------------- */

static void busy_ring(void)
{
    static const uint32_t interests[KINDS] = {
        [LEVEL] = PLX_READABLE,
        [EDGE] = PLX_READABLE | PLX_EDGE,
        [ARMED] = PLX_READABLE | PLX_ONESHOT,
        [REPORTED] = PLX_READABLE | PLX_ONESHOT,
        [PENDING] = PLX_READABLE | PLX_EDGE,
    };
    plx_event event;

    uring_open();
    for (unsigned i = LEVEL; i < KINDS; i++) {
        open_pair(kind[i]);
        CHECK_RC(plx_register(registry, kind[i][0], i, interests[i]), 0);
    }
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    put_byte(kind[REPORTED][1]);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(10)), 1);
    CHECK_EQ(event.token, REPORTED);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    put_byte(kind[PENDING][1]);
}

static void close_kinds(void)
{
    for (unsigned i = LEVEL; i < KINDS; i++)
        close_pair(kind[i]);
}

/* All of these and no others; a level once more. */
static void expect(uint32_t tokens)
{
    plx_event events[8];

    for (uint32_t seen = 0; seen != tokens;) {
        int count = plx_poller_wait(poller, events, 8, PLX_SEC(10));
        CHECK(count > 0);
        for (int i = 0; i < count; i++) {
            uint32_t bit = UINT32_C(1) << events[i].token;
            CHECK_EQ(bit & ~tokens, 0);
            CHECK(!(bit & seen) || events[i].token == LEVEL);
            seen |= bit;
        }
    }
}

#define BIT(token) (UINT32_C(1) << (token))

static void works_on(void)
{
    plx_event event;

    expect(BIT(PENDING));
    put_byte(kind[LEVEL][1]);
    put_byte(kind[EDGE][1]);
    put_byte(kind[ARMED][1]);
    CHECK_RC(plx_post(registry, POSTED, 0), 0);
    expect(BIT(LEVEL) | BIT(EDGE) | BIT(ARMED) | BIT(POSTED));
    CHECK_RC(plx_enable(registry, kind[REPORTED][0], 0), 0);
    expect(BIT(LEVEL) | BIT(REPORTED));
    for (unsigned i = LEVEL; i < KINDS; i++)
        drain(kind[i][0]);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_RC(plx_enable(registry, kind[ARMED][0], 0), 0);
    for (unsigned i = LEVEL; i < KINDS; i++)
        put_byte(kind[i][1]);
    expect(BIT(LEVEL) | BIT(EDGE) | BIT(ARMED) | BIT(PENDING));
    CHECK(!uring_moved());
}

/* ---- Both orders ------------------------------------------------------------------------------ */

static void calls_of_a_child(void)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), -ECHILD);
    CHECK_RC(plx_register(registry, kind[LEVEL][1], 9, PLX_READABLE), -ECHILD);
    CHECK_RC(plx_deregister(registry, kind[EDGE][0]), -ECHILD);
    CHECK_RC(plx_enable(registry, kind[REPORTED][0], 0), -ECHILD);
    CHECK_RC(plx_poller_descriptor(poller), -ECHILD);
}

static void the_child_closes_first(bool by_exit)
{
    check_note("the child %s first", by_exit ? "ends" : "closes");
    open_steps();
    busy_ring();
    int descriptors = descriptors_open();
    pid_t pid = child_start();
    if (pid == 0) {
        calls_of_a_child();
        if (!by_exit) {
            plx_poller_close(poller);
            CHECK_EQ(descriptors_open(), descriptors - 3);
            step_done(to_parent);
            step_await(to_child);
        }
        check_stop(0);
    }
    if (by_exit)
        child_end(pid);
    else
        step_await(to_parent);
    works_on();
    if (!by_exit) {
        step_done(to_child);
        child_end(pid);
    }
    CHECK_EQ(descriptors_open(), descriptors);
    plx_poller_close(poller);
    CHECK_EQ(descriptors_open(), descriptors - 3);
    close_kinds();
    close_steps();
}

static void the_parent_closes_first(void)
{
    check_note("the parent closes first");
    open_steps();
    busy_ring();
    int descriptors = descriptors_open();
    pid_t pid = child_start();
    if (pid == 0) {
        step_await(to_child);
        calls_of_a_child();
        plx_poller_close(poller);
        CHECK_EQ(descriptors_open(), descriptors - 3);
        check_stop(0);
    }
    works_on();
    plx_poller_close(poller);
    CHECK_EQ(descriptors_open(), descriptors - 3);
    step_done(to_child);
    child_end(pid);
    close_kinds();
    close_steps();
}

/* A ring of the child's own, beside the parent's. */
static void the_child_opens_its_own(void)
{
    check_note("the child opens its own");
    busy_ring();
    pid_t pid = child_start();
    if (pid == 0) {
        plx_poller_close(poller);
        close_kinds();
        busy_ring();
        works_on();
        plx_poller_close(poller);
        check_stop(0);
    }
    works_on();
    child_end(pid);
    plx_poller_close(poller);
    close_kinds();
}

/* A ring belongs to the thread that enters it first, and that must not be the child's. */
static void the_child_closes_what_nobody_has_entered(void)
{
    plx_event event;
    int ends[2];

    check_note("the child closes what nobody has entered");
    uring_open();
    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], LEVEL, PLX_READABLE), 0);
    pid_t pid = child_start();
    if (pid == 0) {
        plx_poller_close(poller);
        check_stop(0);
    }
    child_end(pid);
    put_byte(ends[1]);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(10)), 1);
    CHECK(!uring_moved());
    plx_poller_close(poller);
    close_pair(ends);
}

/* ---- What the child's copy holds --------------------------------------------------------------- */

/* The child lives on with nothing of the parent's but its ring. */
static pid_t keep_a_copy(void)
{
    pid_t pid = child_start();

    if (pid == 0) {
        close_kinds();
        step_done(to_parent);
        step_await(to_child);
        check_stop(0);
    }
    step_await(to_parent);
    return pid;
}

static void all_are_let_go(int milliseconds)
{
    for (unsigned i = LEVEL; i < KINDS; i++) {
        CHECK(close(kind[i][0]) == 0);
        CHECK(at_end(kind[i][1], milliseconds));
        CHECK(close(kind[i][1]) == 0);
    }
}

static void a_copy_holds_no_file(bool deregister)
{
    check_note("a copy is kept, and the parent %s", deregister ? "deregisters" : "closes");
    open_steps();
    busy_ring();
    pid_t pid = keep_a_copy();
    if (deregister)
        for (unsigned i = LEVEL; i < KINDS; i++)
            CHECK_RC(plx_deregister(registry, kind[i][0]), 0);
    else
        plx_poller_close(poller);
    all_are_let_go(deregister ? 0 : LATER_MS);
    if (deregister)
        plx_poller_close(poller);
    step_done(to_child);
    child_end(pid);
    close_steps();
}

static void *deregister_all(void *unused)
{
    for (unsigned i = LEVEL; i < KINDS; i++)
        CHECK_RC(plx_deregister(registry, kind[i][0]), 0);
    return unused;
}

/*
 * A ring that its own thread could not cancel goes with its last copy: there is nothing else that
 * another thread may do with it.
 */
static void a_ring_that_was_left_goes_with_the_last_copy(void)
{
    check_note("a copy is kept, and the set moves");
    open_steps();
    busy_ring();
    pid_t pid = keep_a_copy();
    thread_join(thread_start(deregister_all, NULL));
    CHECK(uring_moved());
    step_done(to_child);
    child_end(pid);
    all_are_let_go(LATER_MS);
    plx_poller_close(poller);
    close_steps();
}

/* Its own thread, which sleeps in it, does cancel it as the set moves. */
static void a_copy_of_a_ring_that_was_slept_in_holds_no_file(void)
{
    plx_event event;

    check_note("a copy is kept, and the set moves beside a sleeper");
    open_steps();
    uring_open();
    for (unsigned i = LEVEL; i < KINDS; i++) {
        open_pair(kind[i]);
        CHECK_RC(plx_register(registry, kind[i][0], i, PLX_READABLE | (i == EDGE ? PLX_EDGE : 0)), 0);
    }
    uring_begin(true);
    uring_sleep();
    pid_t pid = keep_a_copy();
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK(uring_moved());
    deregister_all(NULL);
    all_are_let_go(LATER_MS);
    CHECK_RC(plx_notify(registry), 0);
    uring_await_rest();
    uring_end();
    plx_poller_close(poller);
    step_done(to_child);
    child_end(pid);
    close_steps();
}

int main(void)
{
    uring_need();
    seam_install();
    uring_watch();
    for (int round = 0; round < 5; round++) {
        watchdog(20);
        the_child_closes_first(false);
        the_child_closes_first(true);
        the_parent_closes_first();
        the_child_opens_its_own();
        the_child_closes_what_nobody_has_entered();
        a_copy_holds_no_file(true);
        a_copy_holds_no_file(false);
        a_ring_that_was_left_goes_with_the_last_copy();
        a_copy_of_a_ring_that_was_slept_in_holds_no_file();
    }
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
