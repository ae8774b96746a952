/* SPDX-License-Identifier: MIT */
/*
 * The set of io_uring moves to epoll: because another thread waits, or removes while the ring's
 * thread is busy elsewhere, or the poller is watched by another loop, or the ring's thread has
 * ended. Registrations go along in their modes, and what was ready is told; what had reported, or
 * wants nothing, stays silent. Timers, wakes, posts and messages do not notice.
 *
 * An edge that was told before may be told again: epoll looks when it is given a file.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

enum { LEVEL = 1, EDGE, EDGE_TOLD, ARMED, REPORTED, SILENT, EXCLUSIVE, NATIVE, EXTRA, KINDS };
enum { TIMED = 20, TICK, WOKEN, POSTED, SENT, TOKENS };

#define BIT(token) (UINT32_C(1) << (token))

static const uint32_t repeating = BIT(LEVEL) | BIT(EXCLUSIVE) | BIT(SILENT) | BIT(TICK) | BIT(SENT);

static counted_memory memory;
static int kind[KINDS][2];
static int descriptors;
static plx_timer timed, tick;
static plx_waker *waker;
static plx_sender *sender;
static plx_receiver *receiver;

/* ---- What there is ------------------------------------------------------------------------ */

static void register_kinds(void)
{
    static const uint32_t interests[KINDS] = {
        [LEVEL] = PLX_READABLE,
        [EDGE] = PLX_READABLE | PLX_EDGE,
        [EDGE_TOLD] = PLX_READABLE | PLX_EDGE,
        [ARMED] = PLX_READABLE | PLX_ONESHOT,
        [REPORTED] = PLX_READABLE | PLX_ONESHOT,
        [SILENT] = 0,
        [EXCLUSIVE] = PLX_READABLE | PLX_EXCLUSIVE,
        [EXTRA] = PLX_READABLE,
    };

    for (unsigned i = LEVEL; i < KINDS; i++) {
        open_pair(kind[i]);
        if (i == NATIVE)
            CHECK_RC(plx_register_native(registry, kind[i][0], i, EPOLLIN | EPOLLET), 0);
        else
            CHECK_RC(plx_register(registry, kind[i][0], i, interests[i]), 0);
    }
}

/* What has been told when the set moves, in the ring's thread. */
static void tell_two(void)
{
    uint32_t seen = 0;

    CHECK_EQ(uring_wait(), 0);
    put_byte(kind[EDGE_TOLD][1]);
    put_byte(kind[REPORTED][1]);
    put_byte(kind[SILENT][1]);
    while (seen != (BIT(EDGE_TOLD) | BIT(REPORTED)))
        for (int i = 0, count = uring_wait(); i < count; i++) {
            CHECK(!(seen & BIT(uring_events[i].token)));
            seen |= BIT(uring_events[i].token);
        }
    CHECK_EQ(uring_wait(), 0);
    CHECK(!uring_moved());
}

static void make_ready(void)
{
    static const int ready[] = {LEVEL, EDGE, ARMED, EXCLUSIVE, NATIVE};
    uint64_t message = 9;

    for (size_t i = 0; i < sizeof ready / sizeof ready[0]; i++)
        put_byte(kind[ready[i]][1]);
    CHECK_RC(plx_timer_start(registry, TIMED, PLX_MSEC(2), 0, &timed), 0);
    CHECK_RC(plx_timer_start(registry, TICK, PLX_MSEC(1), PLX_MSEC(1), &tick), 0);
    CHECK_RC(plx_waker_wake(waker), 0);
    CHECK_RC(plx_post(registry, POSTED, 77), 0);
    CHECK_RC(plx_sender_send(sender, &message), 0);
}

static const uint32_t made_ready = BIT(LEVEL) | BIT(EDGE) | BIT(ARMED) | BIT(EXCLUSIVE) | BIT(NATIVE) | BIT(TIMED) |
                                   BIT(TICK) | BIT(WOKEN) | BIT(POSTED) | BIT(SENT);

/* ---- What is told -------------------------------------------------------------------------- */

static uint32_t seen;

static void report(void)
{
    fprintf(stderr, "seen: 0x%x\n", (unsigned)seen);
}

static void judge(const plx_event *events, int count, uint32_t expected)
{
    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        CHECK(events[i].token > 0 && events[i].token < TOKENS);
        uint32_t bit = BIT(events[i].token);
        CHECK_EQ(bit & ~(expected | BIT(EDGE_TOLD)), 0);
        CHECK_EQ(bit & seen & ~repeating, 0);
        CHECK(events[i].token != POSTED || events[i].data == 77);
        seen |= bit;
    }
}

/* All of these come, from waits of this thread, and nothing else. */
static void expect(uint32_t expected)
{
    plx_event events[16];

    while ((seen & expected) != expected)
        judge(events, plx_poller_wait(poller, events, 16, PLX_SEC(10)), expected);
}

static void empty(void)
{
    uint64_t message;

    for (unsigned i = LEVEL; i < KINDS; i++)
        drain(kind[i][0]);
    while (plx_receiver_recv(receiver, &message) == 0) {
    }
    CHECK_RC(plx_timer_cancel(registry, tick), 0);
}

/* Nothing that was silent has spoken, all speak again, and the rest when armed. */
static void all_works_on(void)
{
    plx_event events[16];

    empty();
    judge(events, plx_poller_wait(poller, events, 16, 0), 0);
    CHECK_RC(plx_poller_wait(poller, events, 16, 0), 0);
    seen = 0;
    for (unsigned i = LEVEL; i < KINDS; i++)
        if (i != EXTRA)
            put_byte(kind[i][1]);
    expect(BIT(LEVEL) | BIT(EDGE) | BIT(EDGE_TOLD) | BIT(EXCLUSIVE) | BIT(NATIVE));
    drain(kind[LEVEL][0]);
    drain(kind[EXCLUSIVE][0]);
    CHECK_RC(plx_poller_wait(poller, events, 16, 0), 0);
    CHECK_RC(plx_enable(registry, kind[ARMED][0], 0), 0);
    CHECK_RC(plx_enable(registry, kind[REPORTED][0], 0), 0);
    CHECK_RC(plx_enable(registry, kind[SILENT][0], PLX_READABLE), 0);
    seen = 0;
    expect(BIT(ARMED) | BIT(REPORTED) | BIT(SILENT));
    drain(kind[SILENT][0]);
    seen = 0;
    make_ready();
    drain(kind[ARMED][0]);
    expect(made_ready & ~BIT(ARMED));
    empty();
    CHECK_RC(plx_poller_wait(poller, events, 16, 0), 0);
}

/* ---- Causes --------------------------------------------------------------------------------- */

static void another_waits(void)
{
    plx_event events[16];

    judge(events, plx_poller_wait(poller, events, 16, 0), made_ready);
}

static void another_removes(void)
{
    CHECK_RC(plx_deregister(registry, kind[EXTRA][0]), 0);
    CHECK_RC(plx_register(registry, kind[EXTRA][0], EXTRA, PLX_READABLE), 0);
}

static void another_loop_watches(void)
{
    CHECK(plx_poller_descriptor(poller) >= 0);
}

static void its_thread_ends(void)
{
    uring_end();
    another_waits();
}

typedef struct cause {
    const char *name;
    void (*act)(void);
    bool elsewhere; /* the ring's thread is another */
    bool asleep;    /* and sleeps in the ring; else it is busy */
} cause;

static const cause causes[] = {
    {"another waits", another_waits, true, false},
    {"another waits beside a sleeper", another_waits, true, true},
    {"another removes", another_removes, true, false},
    {"another loop watches, by the ring's thread", another_loop_watches, false, false},
    {"another loop watches", another_loop_watches, true, false},
    {"another loop watches beside a sleeper", another_loop_watches, true, true},
    {"its thread ends", its_thread_ends, true, false},
};

/* ---- One move -------------------------------------------------------------------------------- */

static void begin(const cause *why)
{
    counted_init(&memory);
    descriptors = descriptors_open();
    uring_open_with(&memory.allocator);
    CHECK_EQ(descriptors_open(), descriptors + 3);
    CHECK_RC(plx_waker_open(registry, WOKEN, &waker), 0);
    CHECK_RC(plx_channel_open(registry, SENT, sizeof(uint64_t), &sender, &receiver), 0);
    uring_begin(why->elsewhere);
    seen = 0;
}

static void finish(void)
{
    for (unsigned i = LEVEL; i < KINDS; i++) {
        CHECK_RC(plx_deregister(registry, kind[i][0]), 0);
        CHECK(close(kind[i][0]) == 0);
        CHECK(at_end(kind[i][1], LATER_MS));
        CHECK(close(kind[i][1]) == 0);
    }
    uring_end();
    plx_sender_release(sender);
    plx_receiver_close(receiver);
    plx_waker_release(waker);
    plx_poller_close(poller);
    CHECK_EQ(descriptors_open(), descriptors);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

static void move(const cause *why, bool ready_before)
{
    watchdog(20);
    check_note("%s; ready %s", why->name, ready_before ? "before" : "after");
    begin(why);
    register_kinds();
    tell_two();
    if (why->asleep)
        uring_sleep();
    if (ready_before)
        make_ready();
    why->act();
    CHECK(uring_moved());
    if (why->act == another_loop_watches && ready_before) {
        struct pollfd look = {.fd = plx_poller_descriptor(poller), .events = POLLIN};
        CHECK_EQ(poll(&look, 1, 10000), 1);
    }
    CHECK_EQ(descriptors_open(), descriptors + 2 * KINDS - 2 + 2 + (why->act == another_loop_watches));
    if (!ready_before)
        make_ready();
    if (why->asleep) { /* it takes its part */
        uring_await_rest();
        judge(uring_events, uring_count, made_ready);
    }
    expect(made_ready);
    all_works_on();
    finish();
}

/*
 * The ring was left to the kernel, which does away with it a little later: until then its exclusive
 * poll is the first in the queue of the source.
 */
static void an_exclusive_one_hears_of_the_first_arrival(bool anew)
{
    static const cause busy = {"another removes", another_removes, true, false};
    plx_event event;

    watchdog(20);
    check_note("exclusive, %s after the move", anew ? "registered" : "changed");
    begin(&busy);
    register_kinds();
    CHECK_EQ(uring_wait(), 0);
    busy.act();
    CHECK(uring_moved());
    if (anew)
        CHECK_RC(plx_deregister(registry, kind[EXCLUSIVE][0]), 0);
    CHECK_RC((anew ? plx_register : plx_reregister)(registry, kind[EXCLUSIVE][0], EXCLUSIVE,
                                                    PLX_READABLE | PLX_EXCLUSIVE), 0);
    put_byte(kind[EXCLUSIVE][1]);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    CHECK_EQ(event.token, EXCLUSIVE);
    finish();
}

/* ---- It cannot move ------------------------------------------------------------------------ */

static atomic_bool refused;

/* The sleep ends with an error, and epoll takes nothing. */
static int refused_enter(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how, size_t size)
{
    int rc = uring_watched_enter(ring, submit, least, flags, how, size);

    if (least == 0 || !atomic_load(&refused))
        return rc;
    errno = EAGAIN;
    return -1;
}

static int refused_control(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (!atomic_load(&refused))
        return seam_epoll_ctl(epoll, operation, fd, event);
    errno = ENOSPC;
    return -1;
}

/* Whoever waits for the ring's thread to remove something hears of it. */
static void who_asks_is_told_that_it_cannot_move(void)
{
    int fd = open_counter();

    watchdog(20);
    plx__linux.io_uring_enter = refused_enter;
    plx__linux.epoll_ctl = refused_control;
    uring_open();
    uring_begin(true);
    CHECK_RC(plx_register(registry, fd, LEVEL, PLX_READABLE), 0);
    CHECK_EQ(uring_wait(), 0);
    uring_sleep();
    atomic_store(&refused, true);
    CHECK_RC(plx_deregister(registry, fd), -ENOSPC);
    uring_await_rest();
    CHECK_EQ(uring_count, -ENOSPC);
    atomic_store(&refused, false);
    CHECK_RC(plx_deregister(registry, fd), 0);
    CHECK(uring_moved());
    uring_end();
    plx_poller_close(poller);
    CHECK(close(fd) == 0);
    uring_watch();
}

/* ---- It takes its time ---------------------------------------------------------------------- */

static atomic_bool held;
static atomic_bool waited;

/* The kernel is in no hurry to let the ring's thread go. */
static int held_enter(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how, size_t size)
{
    int rc = uring_watched_enter(ring, submit, least, flags, how, size);

    while (least > 0 && atomic_load(&held))
        sleep_for(PLX_USEC(20));
    return rc;
}

static void *ask_for_descriptor(void *unused)
{
    CHECK(plx_poller_descriptor(poller) >= 0);
    return unused;
}

static void *wait_meanwhile(void *unused)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    atomic_store(&waited, true);
    return unused;
}

/* Between the two of them there is the ring still, and what it knows is not to go before it. */
static void who_waits_while_it_moves_lets_the_ring_end(void)
{
    int fd = open_counter();
    plx_event event;

    watchdog(20);
    plx__linux.io_uring_enter = held_enter;
    uring_open();
    uring_begin(true);
    CHECK_RC(plx_register(registry, fd, LEVEL, PLX_READABLE), 0);
    CHECK_EQ(uring_wait(), 0);
    atomic_store(&held, true);
    atomic_store(&waited, false);
    uring_sleep();
    CHECK_RC(plx_reregister(registry, fd, LEVEL, PLX_READABLE), 0); /* is looked at when it comes out */
    pthread_t mover = thread_start(ask_for_descriptor, NULL);
    while (!uring_moved())
        sleep_for(PLX_USEC(20));
    pthread_t waiter = thread_start(wait_meanwhile, NULL);
    sleep_for(PLX_MSEC(10));
    CHECK(!atomic_load(&waited));
    atomic_store(&held, false);
    thread_join(mover);
    thread_join(waiter);
    raise_counter(fd);
    uring_await_rest();
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    CHECK_EQ(event.token, LEVEL);
    uring_end();
    plx_poller_close(poller);
    CHECK(close(fd) == 0);
    uring_watch();
}

/* Each registration in turn cannot be given to epoll; it may also have been closed just now. */
static void a_move_that_fails_is_made_later(int error)
{
    bool fatal = error != EBADF;

    for (long number = 1; number <= KINDS - LEVEL; number++) {
        watchdog(20);
        check_note("epoll_ctl number %ld fails: %s", number, strerror(error));
        uring_open();
        register_kinds();
        uring_begin(false);
        CHECK_EQ(uring_wait(), 0);
        seam_fail(SEAM_EPOLL_CTL, number, error);
        int descriptor = plx_poller_descriptor(poller);
        CHECK_EQ(atomic_load(&seam.failed), 1);
        seam_fail(SEAM_EPOLL_CTL, 0, 0);
        CHECK(fatal ? descriptor == -error : descriptor >= 0);
        CHECK_EQ(uring_moved(), !fatal);
        CHECK(plx_poller_descriptor(poller) >= 0);
        CHECK(uring_moved());
        for (unsigned i = LEVEL; i < KINDS; i++)
            close_pair(kind[i]);
        plx_poller_close(poller);
    }
}

int main(void)
{
    uring_need();
    watchdog_report = report;
    seam_install();
    uring_watch();
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++)
        for (int round = 0; round < ROUNDS(20); round++) {
            move(&causes[i], false);
            if (!causes[i].asleep) /* what is ready ends a sleep */
                move(&causes[i], true);
        }
    for (int round = 0; round < ROUNDS(40); round++)
        an_exclusive_one_hears_of_the_first_arrival(round % 2);
    a_move_that_fails_is_made_later(ENOSPC);
    a_move_that_fails_is_made_later(EBADF);
    who_asks_is_told_that_it_cannot_move();
    who_waits_while_it_moves_lets_the_ring_end();
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
