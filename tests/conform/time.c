/* SPDX-License-Identifier: MIT */
/* How long a wait waits: never less than was asked for, and through signals. */
#include "support.h"

/* Numbers that look random and are the same every time. */
static uint64_t next_number(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

CASE(no_wait_ends_early)
{
    plx_event event;
    uint64_t state = 88172645463325252u;
    plx_poller *poller = open_poller();
    int count = rounds(500);
    for (int i = 0; i < count; i++) {
        plx_nanos timeout = 1 + (plx_nanos)(next_number(&state) % (uint64_t)PLX_MSEC(1));
        plx_nanos before = plx_poller_now(poller);
        CHECK_RC(plx_poller_wait(poller, &event, 1, timeout), 0);
        plx_nanos passed = plx_poller_now(poller) - before;
        check_note("round %d: %" PRId64 " ns asked for, %" PRId64 " ns waited", i, timeout, passed);
        CHECK(passed >= timeout);
    }
    plx_poller_close(poller);
}

CASE(no_wait_until_ends_early)
{
    plx_event event;
    uint64_t state = 362436069;
    plx_poller *poller = open_poller();
    int count = rounds(300);
    for (int i = 0; i < count; i++) {
        plx_nanos ahead = (plx_nanos)(next_number(&state) % (uint64_t)PLX_MSEC(2));
        plx_nanos deadline = plx_poller_now(poller) + ahead;
        CHECK_RC(plx_poller_wait_until(poller, &event, 1, deadline), 0);
        check_note("round %d", i);
        CHECK(plx_poller_now(poller) >= deadline);
    }
    plx_poller_close(poller);
}

/* Waits of a few milliseconds, with a fraction that a clock of milliseconds would cut off. */
CASE(fractions_of_a_millisecond_are_not_cut_off)
{
    static const plx_nanos waits[] = {1, 999, 999999, 1000001, 1999999, 2000001, 5500000, 9999999};
    plx_event event;
    plx_poller *poller = open_poller();
    for (size_t i = 0; i < 5 * sizeof waits / sizeof waits[0]; i++) {
        plx_nanos timeout = waits[i % (sizeof waits / sizeof waits[0])];
        plx_nanos before = plx_now();
        CHECK_RC(plx_poller_wait(poller, &event, 1, timeout), 0);
        CHECK(plx_now() - before >= timeout);
    }
    plx_poller_close(poller);
}

CASE(fractions_of_a_millisecond_do_not_spin)
{
    enum { WAITS = 20 };
    plx_event event;
    plx_poller *poller = open_poller();
    uint64_t calls = stats_of(poller).kernel_calls;
    for (int i = 0; i < WAITS; i++)
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_USEC(1900)), 0);
    CHECK(stats_of(poller).kernel_calls - calls <= 3 * WAITS);
    plx_poller_close(poller);
}

CASE(clocks_agree_and_never_go_back)
{
    plx_poller *poller = open_poller();
    plx_nanos last = plx_now();
    for (int i = 0; i < 20000; i++) {
        plx_nanos now = i % 2 ? plx_now() : plx_poller_now(poller);
        CHECK(now >= last && now >= 0);
        last = now;
    }
    sleep_for(PLX_MSEC(5));
    CHECK(plx_now() - last >= PLX_MSEC(5));
    plx_poller_close(poller);
}

CASE(timeout_of_zero_returns_what_is_ready_now)
{
    plx_fd ends[2];
    plx_event event;
    plx_poller *poller = open_poller();
    open_stream(ends);
    CHECK_RC(plx_register(plx_poller_registry(poller), ends[0], 1, PLX_READABLE), 0);
    for (int i = 0; i < 100; i++)
        CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    put(ends[1], 1);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, 0), 1);
    CHECK_EQ(event.token, 1);
    plx_poller_close(poller);
    close_pair(ends);
}

CASE(deadline_in_the_past_is_due_now)
{
    static const plx_nanos past[] = {0, 1, -2, -PLX_SEC(1), INT64_MIN, INT64_MIN + 1};
    plx_event event;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
        check_note("deadline %" PRId64, past[i]);
        CHECK_RC(plx_poller_wait_until(poller, &event, 1, past[i]), 0);
        CHECK_RC(plx_post(registry, 6, 0), 0);
        CHECK_EQ(plx_poller_wait_until(poller, &event, 1, past[i]), 1);
        CHECK_EQ(event.token, 6);
    }
    CHECK_RC(plx_poller_wait_until(poller, &event, 1, plx_poller_now(poller)), 0);
    plx_poller_close(poller);
}

CASE(negative_timeout_is_einval)
{
    static const plx_nanos wrong[] = {-2, -3, -PLX_SEC(1), INT64_MIN, INT64_MIN + 1};
    plx_event event = {1, 2, 3, 4};
    plx_poller *poller = open_poller();
    CHECK_RC(plx_post(plx_poller_registry(poller), 6, 0), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_RC(plx_poller_wait(poller, &event, 1, wrong[i]), -EINVAL);
    CHECK(event.token == 1 && event.flags == 2 && event.native == 3 && event.data == 4);
    EXPECT(poller, 6, PLX_POST);
    plx_poller_close(poller);
}

/* Each is more than some kernel's timeout can say. It blocks until it is woken. */
CASE(huge_timeouts_block_until_woken)
{
    static const plx_nanos huge[] = {
        PLX_MSEC(INT64_C(1) << 31), PLX_MSEC((INT64_C(1) << 31) + 1), PLX_MSEC(INT64_C(1) << 32),
        PLX_SEC(INT64_C(1) << 31),  PLX_SEC(INT64_C(1) << 32),        PLX_SEC(100000001),
        INT64_MAX - 1,              INT64_MAX,                        PLX_FOREVER,
    };
    static waiter w;
    plx_poller *poller = open_poller();
    for (size_t i = 0; i < sizeof huge / sizeof huge[0]; i++) {
        check_note("timeout %" PRId64, huge[i]);
        waiter_start(&w, poller, 0, huge[i]);
        thread_await_asleep(w.thread);
        if (threads_can_be_interrupted())
            thread_interrupt(w.thread); /* and what is left is then just as huge */
        thread_await_asleep(w.thread);
        CHECK_EQ(atomic_load(&w.done), 0);
        CHECK_RC(plx_notify(plx_poller_registry(poller)), 0);
        CHECK_RC(waiter_join(&w), 0);
    }
    plx_poller_close(poller);
}

typedef struct until {
    plx_poller *poller;
    plx_nanos   deadline;
    int         rc;
} until;

static void wait_until(void *argument)
{
    until *self = argument;
    self->rc = plx_poller_wait_until(self->poller, &(plx_event){0}, 1, self->deadline);
}

CASE(distant_deadlines_block_until_woken)
{
    static const plx_nanos distant[] = {PLX_FOREVER, INT64_MAX, INT64_MAX - 1, PLX_SEC(1000000000)};
    plx_poller *poller = open_poller();
    for (size_t i = 0; i < sizeof distant / sizeof distant[0]; i++) {
        until u = {poller, distant[i], -1};
        check_note("deadline %" PRId64, distant[i]);
        test_thread *thread = thread_start(wait_until, &u);
        thread_await_asleep(thread);
        CHECK_RC(plx_post(plx_poller_registry(poller), 1, 0), 0);
        thread_join(thread);
        CHECK_EQ(u.rc, 1);
    }
    plx_poller_close(poller);
}

/* ---- Signals ------------------------------------------------------------------------------ */

typedef struct timed {
    plx_poller *poller;
    plx_nanos   timeout, passed;
    int         rc;
    atomic_int  done;
} timed;

static void wait_timed(void *argument)
{
    timed *self = argument;
    plx_nanos before = plx_now();
    errno = 4711;
    self->rc = plx_poller_wait(self->poller, &(plx_event){0}, 1, self->timeout);
    CHECK_EQ(errno, 4711);
    self->passed = plx_now() - before;
    atomic_store(&self->done, 1);
}

static void wait_interrupted(timed *t)
{
    test_thread *thread = thread_start(wait_timed, t);
    thread_await_asleep(thread);
    while (!atomic_load(&t->done)) {
        thread_interrupt(thread);
        sleep_for(PLX_MSEC(1));
    }
    thread_join(thread);
}

/* A machine that stands still may interrupt nothing in so short a time. */
CASE(interrupted_wait_goes_on_with_the_time_left)
{
    plx_poller *poller = open_poller();
    for (plx_nanos timeout = PLX_MSEC(200); interrupts_handled() == 0; timeout *= 2) {
        timed t = {.poller = poller, .timeout = timeout};
        wait_interrupted(&t);
        CHECK_RC(t.rc, 0);
        CHECK(t.passed >= t.timeout);
    }
    plx_poller_close(poller);
}

CASE(interrupted_endless_wait_goes_on)
{
    static waiter w;
    plx_poller *poller = open_poller();
    waiter_start_asleep(&w, poller);
    for (int i = 0; i < 20 || interrupts_handled() == 0; i++) {
        thread_interrupt(w.thread);
        sleep_for(PLX_MSEC(1));
    }
    thread_await_asleep(w.thread);
    CHECK_EQ(atomic_load(&w.done), 0);
    CHECK_RC(plx_post(plx_poller_registry(poller), 3, 4), 0);
    CHECK_RC(waiter_join(&w), 1);
    CHECK_EQ(w.events[0].token, 3);
    plx_poller_close(poller);
}

CASE(interrupted_wait_is_eintr_if_asked_for)
{
    plx_options options = {.flags = PLX_RETURN_ON_SIGNAL};
    timed t = {.poller = open_with(&options), .timeout = PLX_FOREVER};
    wait_interrupted(&t);
    CHECK_RC(t.rc, -EINTR);
    CHECK_EQ(stats_of(t.poller).events, 0); /* an error is no number of events */
    CHECK_RC(plx_post(plx_poller_registry(t.poller), 3, 4), 0); /* and nothing is broken */
    EXPECT(t.poller, 3, PLX_POST);
    plx_poller_close(t.poller);
}

/* Signals rain down while posts arrive: none is lost, and no wait comes back empty. */
typedef struct rain {
    plx_poller *poller;
    int         expected;
    atomic_int  taken;
} rain;

static void take_in_rain(void *argument)
{
    rain *self = argument;
    plx_event events[4];
    for (uint64_t next = 0; (int)next < self->expected;) {
        int count = plx_poller_wait(self->poller, events, 4, PLX_FOREVER);
        CHECK(count > 0 || count == -EINTR);
        for (int i = 0; i < count; i++)
            CHECK_EQ(events[i].data, next++);
        atomic_store(&self->taken, (int)next);
    }
}

static void rain_on(uint32_t flags)
{
    plx_options options = {.flags = flags};
    rain r = {.poller = open_with(&options), .expected = 300};
    test_thread *thread = thread_start(take_in_rain, &r);
    for (int i = 0; i < r.expected; i++) {
        thread_interrupt(thread);
        CHECK_RC(plx_post(plx_poller_registry(r.poller), 1, (uint64_t)i), 0);
        if (i % 3 == 0)
            await_count(&r.taken, i);
        thread_interrupt(thread);
    }
    thread_join(thread);
    plx_poller_close(r.poller);
}

CASE(events_survive_a_rain_of_signals)
{
    rain_on(0);
    rain_on(PLX_RETURN_ON_SIGNAL);
}
