/* SPDX-License-Identifier: MIT */
/* One thread waits while others register, change and deregister. */
#include "support.h"

/* ---- Registering under a blocked wait --------------------------------------------------- */

typedef struct feeder {
    plx_registry *registry;
    plx_fd        fd;
    int           rounds;
    atomic_int    turn; /* even: the feeder's; odd: the waiter's */
} feeder;

static void feed_by_register(void *argument)
{
    feeder *self = argument;
    for (int i = 0; i < self->rounds; i++) {
        await_count(&self->turn, 2 * i);
        CHECK_RC(plx_register(self->registry, self->fd, (plx_token)i, PLX_WRITABLE), 0);
        atomic_fetch_add(&self->turn, 1);
    }
}

/* The wait may have begun before, during or after the call; the event has to come. */
CASE(registering_acts_on_a_blocked_wait)
{
    plx_fd ends[2];
    plx_event events[4];
    plx_poller *poller = open_poller();
    feeder f = {.registry = plx_poller_registry(poller), .rounds = rounds(3000)};
    open_stream(ends);
    f.fd = ends[0];
    test_thread *thread = thread_start(feed_by_register, &f);
    for (int i = 0; i < f.rounds; i++) {
        CHECK_RC(plx_poller_wait(poller, events, 4, PLX_FOREVER), 1);
        CHECK_EQ(events[0].token, i);
        await_count(&f.turn, 2 * i + 1);
        CHECK_RC(plx_deregister(f.registry, f.fd), 0);
        atomic_fetch_add(&f.turn, 1);
    }
    thread_join(thread);
    plx_poller_close(poller);
    close_pair(ends);
}

/* Wine 8 ends if a wait looks at a socket that is being made: on Windows it is made elsewhere. */
static void reopen_stream(plx_fd ends[2])
{
    plx_fd next[2];
    if (!streams_are_tcp()) {
        close_pair(ends);
        open_stream(ends);
        return;
    }
    open_stream(next);
    close_fd(ends[1]);
    if (dup_onto(next[0], ends[0]))
        close_fd(next[0]);
    else
        ends[0] = next[0];
    ends[1] = next[1];
}

/* Each is closed as it is, and its number comes back as another file. */
static void feed_by_reuse(void *argument)
{
    feeder *self = argument;
    plx_fd ends[2];
    open_stream(ends);
    for (int i = 0; i < self->rounds; i++) {
        await_count(&self->turn, i);
        if (i > 0)
            reopen_stream(ends);
        CHECK_RC(plx_register(self->registry, ends[0], (plx_token)i, PLX_WRITABLE | PLX_ONESHOT), 0);
    }
    await_count(&self->turn, self->rounds);
    close_pair(ends);
}

CASE(registering_a_reused_number_acts_on_a_blocked_wait)
{
    if (UNDER_THREAD_SANITIZER && backend_is("io_uring"))
        SKIP("ThreadSanitizer takes close(2) after the ring's fstat(2) for a race");
    plx_event events[4];
    plx_poller *poller = open_poller();
    feeder f = {.registry = plx_poller_registry(poller), .rounds = rounds(streams_are_tcp() ? 300 : 700)};
    test_thread *thread = thread_start(feed_by_reuse, &f);
    for (int i = 0; i < f.rounds;) {
        int count = plx_poller_wait(poller, events, 4, PLX_FOREVER);
        CHECK_EQ(count, 1);
        if (events[0].flags & PLX_ERROR) { /* poll(2) may say POLLNVAL of the last */
            CHECK_EQ(events[0].token, i - 1);
            continue;
        }
        CHECK_EQ(events[0].token, i);
        atomic_store(&f.turn, ++i);
    }
    thread_join(thread);
    plx_poller_close(poller);
}

static void feed_by_arming(void *argument)
{
    feeder *self = argument;
    for (int i = 0; i < self->rounds; i++) {
        await_count(&self->turn, 2 * i);
        if (i % 2)
            CHECK_RC(plx_reregister(self->registry, self->fd, 1, PLX_WRITABLE | PLX_ONESHOT), 0);
        else
            CHECK_RC(plx_enable(self->registry, self->fd, PLX_WRITABLE), 0);
        atomic_fetch_add(&self->turn, 1);
    }
}

CASE(arming_acts_on_a_blocked_wait)
{
    plx_fd ends[2];
    plx_event events[4];
    plx_poller *poller = open_poller();
    feeder f = {.registry = plx_poller_registry(poller), .rounds = rounds(3000)};
    open_stream(ends);
    f.fd = ends[0];
    CHECK_RC(plx_register(f.registry, f.fd, 1, PLX_WRITABLE | PLX_ONESHOT), 0);
    EXPECT(poller, 1, PLX_WRITABLE);
    test_thread *thread = thread_start(feed_by_arming, &f);
    for (int i = 0; i < f.rounds; i++) {
        CHECK_RC(plx_poller_wait(poller, events, 4, PLX_FOREVER), 1);
        CHECK_EQ(events[0].flags, PLX_WRITABLE);
        atomic_fetch_add(&f.turn, 1);
    }
    thread_join(thread);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
    close_pair(ends);
}

typedef struct watcher {
    plx_poller *poller;
    atomic_int  last; /* token that it was told of */
    atomic_bool over;
} watcher;

static void watch(void *argument)
{
    watcher *self = argument;
    plx_event event;
    while (!atomic_load(&self->over)) {
        int count = plx_poller_wait(self->poller, &event, 1, PLX_FOREVER);
        CHECK(count >= 0);
        if (count > 0)
            atomic_store(&self->last, (int)event.token);
    }
}

/* A kernel that does not disarm by itself is told to, behind the event; by then it may be armed again. */
CASE(a_oneshot_armed_again_while_it_reports_reports_again)
{
    plx_fd ends[2];
    watcher w = {.poller = open_poller()};
    plx_registry *registry = plx_poller_registry(w.poller);
    int count = 2 * rounds(streams_are_tcp() ? 500 : 3000); /* Wine asks its server for each */
    open_stream(ends);
    CHECK_RC(plx_register(registry, ends[0], 0, 0), 0);
    test_thread *thread = thread_start(watch, &w);
    for (int i = 1; i <= count; i++) {
        CHECK_RC(plx_reregister(registry, ends[0], (plx_token)i, PLX_WRITABLE | PLX_ONESHOT), 0);
        if (i % 2) /* the other way, the event of this one is on its way to the watcher */
            for (plx_nanos until = plx_now() + i % 40 * PLX_USEC(1); plx_now() < until;)
                continue;
        else
            await_count(&w.last, i);
    }
    atomic_store(&w.over, true);
    CHECK_RC(plx_notify(registry), 0);
    thread_join(thread);
    plx_poller_close(w.poller);
    close_pair(ends);
}

CASE(each_change_reaches_a_wait_that_is_asleep)
{
    static waiter w;
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    for (int step = 0; step < 4; step++) {
        check_note("step %d", step);
        waiter_start_asleep(&w, poller);
        if (step == 0)
            CHECK_RC(plx_register(registry, ends[0], 0, PLX_WRITABLE), 0);
        else if (step == 1)
            CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_WRITABLE | PLX_ONESHOT), 0);
        else if (step == 2)
            CHECK_RC(plx_enable(registry, ends[0], PLX_WRITABLE), 0);
        else
            put(ends[1], 1);
        CHECK_RC(waiter_join(&w), 1);
        CHECK_EQ(w.events[0].token, step == 0 ? 0 : 1);
        CHECK_EQ(w.events[0].flags, step == 3 ? PLX_READABLE : PLX_WRITABLE);
        if (step != 1 && step != 2)
            CHECK_RC(plx_reregister(registry, ends[0], 1, 0), 0);
        if (step == 2)
            CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_READABLE), 0);
    }
    plx_poller_close(poller);
    close_pair(ends);
}

CASE(disable_acts_on_a_blocked_wait)
{
    static waiter w;
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    open_stream(ends);
    fill(ends[0]);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | PLX_WRITABLE), 0);
    waiter_start_asleep(&w, poller);
    CHECK_RC(plx_disable(registry, ends[0], PLX_WRITABLE), 0);
    drain(ends[1]); /* writable, which nobody wants to know any more */
    thread_await_asleep(w.thread);
    CHECK_EQ(atomic_load(&w.done), 0);
    put(ends[1], 1);
    CHECK_RC(waiter_join(&w), 1);
    CHECK_EQ(w.events[0].flags, PLX_READABLE);
    plx_poller_close(poller);
    close_pair(ends);
}

/* ---- Deregistering under a blocked wait ---------------------------------------------------- */

/* A reference left in the kernel would keep the connection open, and the peer waiting. */
CASE(peer_sees_the_end_at_once_after_deregister_and_close)
{
    static waiter w;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_fd other[2];
    open_stream(other);
    CHECK_RC(plx_register(registry, other[0], 1, PLX_READABLE), 0);
    uint32_t rare = plx_poller_supports(poller, PLX_PRIORITY) ? PLX_PRIORITY : PLX_ERROR;
    waiter_start_asleep(&w, poller);
    for (int i = 0; i < 200; i++) {
        plx_fd ends[2];
        if (i % 2 && pipes_can_be_watched())
            open_pipe(ends);
        else
            open_stream(ends);
        plx_fd watched = ends[i % 2], peer = ends[1 - i % 2];
        check_note("round %d", i);
        uint32_t interest = i % 3 ? PLX_READABLE : rare | PLX_ONESHOT;
        CHECK_RC(plx_register(registry, watched, 2, interest), 0);
        if (i % 10 == 0)
            thread_await_asleep(w.thread);
        CHECK_RC(plx_deregister(registry, watched), 0);
        close_fd(watched);
        CHECK(at_end(peer));
        close_fd(peer);
    }
    CHECK_EQ(atomic_load(&w.done), 0);
    put(other[1], 1);
    CHECK_RC(waiter_join(&w), 1);
    CHECK_EQ(w.events[0].token, 1);
    plx_poller_close(poller);
    close_pair(other);
}

/*
 * After deregister returned, no wait that begins later knows the token. Under Wine a pair of
 * calls takes milliseconds.
 */
typedef struct juggler {
    plx_registry *registry;
    plx_fd        fd;
    plx_token     base;
    int           rounds;
    atomic_long  *gone; /* tokens of base below this are gone */
} juggler;

static void juggle(void *argument)
{
    juggler *self = argument;
    for (int i = 0; i < self->rounds; i++) {
        CHECK_RC(plx_register(self->registry, self->fd, self->base + (plx_token)i, PLX_WRITABLE), 0);
        CHECK_RC(plx_deregister(self->registry, self->fd), 0);
        atomic_store(self->gone, (long)i + 1);
    }
}

CASE(deregistered_token_never_comes_from_a_later_wait)
{
    enum { JUGGLERS = 3 };
    atomic_long gone[JUGGLERS];
    plx_fd ends[JUGGLERS][2];
    juggler jugglers[JUGGLERS];
    test_thread *threads[JUGGLERS];
    plx_event events[8];
    plx_poller *poller = open_poller();
    int count = rounds(streams_are_tcp() ? 500 : 5000);
    for (int i = 0; i < JUGGLERS; i++) {
        atomic_init(&gone[i], 0);
        open_stream(ends[i]);
        jugglers[i] = (juggler){plx_poller_registry(poller), ends[i][0],
                                plx_token_pack((uint32_t)i, 0), count, &gone[i]};
        threads[i] = thread_start(juggle, &jugglers[i]);
    }
    for (bool more = true; more;) {
        long before[JUGGLERS];
        more = false;
        for (int i = 0; i < JUGGLERS; i++) {
            before[i] = atomic_load(&gone[i]);
            more = more || before[i] < count;
        }
        int taken = plx_poller_wait(poller, events, 8, PLX_USEC(100));
        CHECK(taken >= 0 && taken <= JUGGLERS);
        for (int i = 0; i < taken; i++) {
            uint32_t who = plx_token_kind(events[i].token);
            CHECK(who < JUGGLERS);
            CHECK((long)plx_token_index(events[i].token) >= before[who]);
            CHECK_EQ(events[i].flags, PLX_WRITABLE);
        }
    }
    for (int i = 0; i < JUGGLERS; i++) {
        thread_join(threads[i]);
        close_pair(ends[i]);
    }
    plx_poller_close(poller);
}

/* ---- Everything at once --------------------------------------------------------------------- */

typedef struct churn {
    plx_poller *poller;
    plx_fd      fd;
    int         seed, rounds;
} churn;

static void churn_on(void *argument)
{
    churn *self = argument;
    plx_registry *registry = plx_poller_registry(self->poller);
    plx_token token = 0;
    uint32_t interest = 0;
    for (int i = 0; i < self->rounds; i++) {
        int rc = 0;
        switch ((i * 7 + self->seed) % 8) {
        case 0: rc = plx_register(registry, self->fd, 1, PLX_WRITABLE | PLX_ONESHOT); break;
        case 1: rc = plx_reregister(registry, self->fd, 1, PLX_READABLE | PLX_WRITABLE); break;
        case 2: rc = plx_enable(registry, self->fd, PLX_WRITABLE); break;
        case 3: rc = plx_disable(registry, self->fd, PLX_WRITABLE | PLX_READABLE); break;
        case 4: rc = plx_lookup(registry, self->fd, &token, &interest); break;
        case 5: rc = plx_post(registry, 1, 1); break;
        case 6: rc = plx_deregister(registry, self->fd); break;
        case 7: stats_of(self->poller); break;
        }
        CHECK(rc == 0 || rc == -EEXIST || rc == -ENOENT);
    }
}

/* Four threads change two descriptors in every way, and two wait: for the sanitizers, mostly. */
CASE(all_calls_from_all_threads)
{
    enum { THREADS = 4 };
    plx_fd ends[2];
    churn churns[THREADS];
    test_thread *threads[THREADS];
    waiter waiters[2];
    plx_poller *poller = open_poller();
    open_stream(ends);
    for (int i = 0; i < THREADS; i++) {
        churns[i] = (churn){poller, ends[i % 2], i, rounds(3000)};
        threads[i] = thread_start(churn_on, &churns[i]);
    }
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 2; k++)
            waiter_start(&waiters[k], poller, 1 + i % 5, PLX_USEC(200));
        for (int k = 0; k < 2; k++)
            CHECK(waiter_join(&waiters[k]) >= 0);
    }
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    for (int i = 0; i < 2; i++) {
        int rc = plx_deregister(plx_poller_registry(poller), ends[i]);
        CHECK(rc == 0 || rc == -ENOENT);
    }
    CHECK_EQ(stats_of(poller).registered, 0);
    plx_event events[64];
    while (plx_poller_wait(poller, events, 64, 0) > 0)
        CHECK_EQ(events[0].flags, PLX_POST);
    plx_poller_close(poller);
    close_pair(ends);
}
