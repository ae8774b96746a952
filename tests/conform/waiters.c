/* SPDX-License-Identifier: MIT */
/* Several threads wait on one poller: who gets what, and that nobody sleeps beside work. */
#include "support.h"

enum { WAITERS = 4, ITEMS = 1000 };

/* Threads that take events until each of ITEMS tokens was seen; each must come once. */
typedef struct team {
    plx_poller *poller;
    int         capacity;
    plx_nanos   timeout;
    uint32_t    flags; /* that each event is to have */
    atomic_int  seen[ITEMS];
    atomic_int  total;
    test_thread *threads[WAITERS];
} team;

static void work(void *argument)
{
    team *self = argument;
    plx_event events[64];
    while (atomic_load(&self->total) < ITEMS) {
        int count = plx_poller_wait(self->poller, events, self->capacity, self->timeout);
        CHECK(count >= 0);
        /* Only the last event's notify may send a thread home with nothing. */
        if (count == 0 && self->timeout == PLX_FOREVER)
            CHECK(atomic_load(&self->total) == ITEMS);
        for (int i = 0; i < count; i++) {
            CHECK(events[i].token < ITEMS);
            CHECK_EQ(events[i].flags, self->flags);
            CHECK_EQ(atomic_fetch_add(&self->seen[events[i].token], 1), 0);
        }
        if (count > 0)
            atomic_fetch_add(&self->total, count);
    }
    CHECK_RC(plx_notify(plx_poller_registry(self->poller)), 0); /* sends the next one home */
}

static void team_start(team *self, plx_poller *poller, int capacity, plx_nanos timeout,
                       uint32_t flags)
{
    memset(self, 0, sizeof *self);
    self->poller = poller;
    self->capacity = capacity;
    self->timeout = timeout;
    self->flags = flags;
    for (int i = 0; i < WAITERS; i++)
        self->threads[i] = thread_start(work, self);
}

static void team_join(team *self)
{
    for (int i = 0; i < WAITERS; i++)
        thread_join(self->threads[i]);
    CHECK_EQ(atomic_load(&self->total), ITEMS);
}

CASE(each_post_goes_to_one_of_several_waiters)
{
    static const plx_nanos timeouts[] = {PLX_FOREVER, PLX_USEC(50), 0};
    static team t;
    for (size_t k = 0; k < 3; k++)
        for (int capacity = 1; capacity <= 16; capacity += 15) {
            plx_poller *poller = open_poller();
            check_note("timeout %" PRId64 ", capacity %d", timeouts[k], capacity);
            team_start(&t, poller, capacity, timeouts[k], PLX_POST);
            for (plx_token i = 0; i < ITEMS; i++)
                CHECK_RC(plx_post(plx_poller_registry(poller), i, 0), 0);
            team_join(&t);
            plx_poller_close(poller);
        }
}

CASE(each_wake_goes_to_one_of_several_waiters)
{
    static plx_waker *wakers[ITEMS];
    static team t;
    plx_poller *poller = open_poller();
    for (plx_token i = 0; i < ITEMS; i++)
        CHECK_RC(plx_waker_open(plx_poller_registry(poller), i, &wakers[i]), 0);
    team_start(&t, poller, 3, PLX_FOREVER, PLX_WAKER);
    for (int i = 0; i < ITEMS; i++)
        CHECK_RC(plx_waker_wake(wakers[i]), 0);
    team_join(&t);
    for (int i = 0; i < ITEMS; i++)
        plx_waker_release(wakers[i]);
    plx_poller_close(poller);
}

/* One pair of sockets per token would be many: each is used for ten tokens, one by one. */
static void each_event_once(uint32_t mode)
{
    enum { SOURCES = 50 };
    static team t;
    plx_fd ends[SOURCES][2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < SOURCES; i++) {
        open_stream(ends[i]);
        CHECK_RC(plx_register(registry, ends[i][0], 0, 0), 0);
    }
    team_start(&t, poller, 4, PLX_FOREVER, PLX_READABLE);
    for (int i = 0; i < WAITERS; i++) /* a second waiter makes io_uring tell what is ready once more */
        thread_await_asleep(t.threads[i]);
    for (int item = 0; item < ITEMS; item += SOURCES) {
        for (int i = 0; i < SOURCES; i++) {
            CHECK_RC(plx_reregister(registry, ends[i][0], (plx_token)(item + i), PLX_READABLE | mode), 0);
            put(ends[i][1], 1);
        }
        await_count(&t.total, item + SOURCES);
        for (int i = 0; i < SOURCES; i++)
            CHECK_EQ(drain(ends[i][0]), 1);
    }
    team_join(&t);
    plx_poller_close(poller);
    for (int i = 0; i < SOURCES; i++)
        close_pair(ends[i]);
}

CASE(each_oneshot_event_goes_to_one_of_several_waiters)
{
    each_event_once(PLX_ONESHOT);
}

CASE(each_edge_goes_to_one_of_several_waiters)
{
    plx_poller *poller = open_poller();
    bool edges = plx_poller_supports(poller, PLX_EDGE);
    plx_poller_close(poller);
    if (!edges)
        SKIP("%s knows no edges", conform_backend);
    each_event_once(PLX_EDGE);
}

/* ---- Nobody sleeps beside work ------------------------------------------------------------- */

/* All sleep, and each takes one event and waits no more: so each has to be woken. */
CASE(as_many_posts_as_waiters_wake_them_all)
{
    waiter waiters[WAITERS];
    plx_poller *poller = open_poller();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < WAITERS; i++)
            waiter_start(&waiters[i], poller, 1, PLX_FOREVER);
        for (int i = 0; round % 2 == 0 && i < WAITERS; i++)
            thread_await_asleep(waiters[i].thread);
        for (int i = 0; i < WAITERS; i++)
            CHECK_RC(plx_post(plx_poller_registry(poller), (plx_token)i, 0), 0);
        for (int i = 0; i < WAITERS; i++)
            CHECK_RC(waiter_join(&waiters[i]), 1);
        EXPECT_SILENCE(poller, 0);
    }
    plx_poller_close(poller);
}

/* The same of readiness, and of the two kinds together. */
CASE(as_many_sources_as_waiters_wake_them_all)
{
    waiter waiters[WAITERS];
    plx_fd ends[WAITERS][2];
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < WAITERS; i++) {
        open_stream(ends[i]);
        CHECK_RC(plx_register(registry, ends[i][0], 1, PLX_READABLE | PLX_ONESHOT), 0);
    }
    for (int round = 0; round < 20; round++) {
        int ready = round % 2 ? WAITERS : WAITERS / 2;
        for (int i = 0; i < WAITERS; i++)
            waiter_start(&waiters[i], poller, 1, PLX_FOREVER);
        for (int i = 0; round < 10 && i < WAITERS; i++)
            thread_await_asleep(waiters[i].thread);
        for (int i = 0; i < ready; i++)
            put(ends[i][1], 1);
        for (int i = ready; i < WAITERS; i++)
            CHECK_RC(plx_post(registry, 2, 0), 0);
        for (int i = 0; i < WAITERS; i++)
            CHECK_RC(waiter_join(&waiters[i]), 1);
        EXPECT_SILENCE(poller, 0);
        for (int i = 0; i < ready; i++) {
            CHECK_EQ(drain(ends[i][0]), 1);
            CHECK_RC(plx_enable(registry, ends[i][0], 0), 0);
        }
    }
    plx_poller_close(poller);
    for (int i = 0; i < WAITERS; i++)
        close_pair(ends[i]);
}

/* A waiter whose time is up as a wake is on its way must not take the wake with it. */
CASE(a_waiter_that_leaves_does_not_take_the_wake_along)
{
    static waiter stays, leaves;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    int count = rounds(300);
    for (int i = 0; i < count; i++) {
        waiter_start(&stays, poller, 4, PLX_FOREVER);
        waiter_start(&leaves, poller, 4, PLX_USEC(i % 300));
        if (i % 2)
            sleep_for(PLX_USEC(i % 250));
        CHECK_RC(plx_post(registry, 1, 0), 0);
        int left = waiter_join(&leaves);
        CHECK(left == 0 || left == 1);
        if (left == 1) /* then the other still waits for one */
            CHECK_RC(plx_post(registry, 2, 0), 0);
        CHECK_RC(waiter_join(&stays), 1);
        EXPECT_SILENCE(poller, 0);
    }
    plx_poller_close(poller);
}

CASE(each_notify_reaches_a_waiter_while_posts_reach_the_others)
{
    static waiter first, second;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < 100; i++) {
        waiter_start(&first, poller, 4, PLX_FOREVER);
        CHECK_RC(plx_notify(registry), 0);
        CHECK_RC(waiter_join(&first), 0);
        waiter_start(&first, poller, 4, PLX_FOREVER);
        waiter_start(&second, poller, 4, PLX_FOREVER);
        CHECK_RC(plx_post(registry, 1, 0), 0);
        while (!atomic_load(&first.done) && !atomic_load(&second.done))
            sleep_for(PLX_USEC(10));
        CHECK_RC(plx_post(registry, 1, 0), 0);
        CHECK_RC(waiter_join(&first), 1);
        CHECK_RC(waiter_join(&second), 1);
        EXPECT_SILENCE(poller, 0);
    }
    plx_poller_close(poller);
}

CASE(a_level_event_reaches_whoever_waits)
{
    waiter waiters[WAITERS];
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    open_stream(ends);
    CHECK_RC(plx_register(plx_poller_registry(poller), ends[0], 7, PLX_READABLE), 0);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < WAITERS; i++)
            waiter_start(&waiters[i], poller, 4, PLX_FOREVER);
        put(ends[1], 1);
        for (int i = 0; i < WAITERS; i++) { /* nobody reads, so it is ready for each of them */
            CHECK_RC(waiter_join(&waiters[i]), 1);
            CHECK_EQ(waiters[i].events[0].token, 7);
        }
        drain(ends[0]);
    }
    plx_poller_close(poller);
    close_pair(ends);
}

/* ---- Oneshot storms --------------------------------------------------------------------------- */

enum { STORM_SOURCES = 8 };

/* Handlers own a source from its event until they arm it again. */
typedef struct storm {
    plx_poller *poller;
    plx_fd      fds[STORM_SOURCES];
    atomic_int  owned[STORM_SOURCES];
    atomic_int  handled;
    int         wanted;
    bool        by_enable;
} storm;

static void handle_storm(void *argument)
{
    storm *self = argument;
    plx_registry *registry = plx_poller_registry(self->poller);
    plx_event events[3];
    while (atomic_load(&self->handled) < self->wanted) {
        int count = plx_poller_wait(self->poller, events, 3, PLX_FOREVER);
        CHECK(count >= 0);
        for (int i = 0; i < count; i++) {
            plx_token k = events[i].token;
            CHECK(k < STORM_SOURCES);
            CHECK_EQ(events[i].flags, PLX_WRITABLE);
            CHECK_EQ(atomic_exchange(&self->owned[k], 1), 0);
            atomic_fetch_add(&self->handled, 1);
            atomic_store(&self->owned[k], 0);
            if (self->by_enable)
                CHECK_RC(plx_enable(registry, self->fds[k], PLX_WRITABLE), 0);
            else
                CHECK_RC(plx_reregister(registry, self->fds[k], k, PLX_WRITABLE | PLX_ONESHOT), 0);
        }
    }
    CHECK_RC(plx_notify(registry), 0);
}

CASE(oneshot_handlers_never_share_a_source)
{
    for (int variant = 0; variant < 2; variant++) {
        storm s = {.poller = open_poller(), .wanted = rounds(5000), .by_enable = variant};
        test_thread *threads[WAITERS];
        plx_fd ends[STORM_SOURCES][2];
        for (int i = 0; i < STORM_SOURCES; i++) {
            open_stream(ends[i]);
            s.fds[i] = ends[i][0];
            CHECK_RC(plx_register(plx_poller_registry(s.poller), s.fds[i], (plx_token)i,
                                  PLX_WRITABLE | PLX_ONESHOT), 0);
        }
        for (int i = 0; i < WAITERS; i++)
            threads[i] = thread_start(handle_storm, &s);
        for (int i = 0; i < WAITERS; i++)
            thread_join(threads[i]);
        CHECK(atomic_load(&s.handled) >= s.wanted);
        plx_poller_close(s.poller);
        for (int i = 0; i < STORM_SOURCES; i++)
            close_pair(ends[i]);
    }
}

/*
 * Where the kernel takes one thread at a time the others wait for their turn, on their own time. A
 * busy machine has bad moments, and one good round is enough.
 */
CASE(a_wait_that_waited_for_its_turn_ends_in_time)
{
    plx_nanos took = INT64_MAX;
    plx_poller *poller = open_poller();
    for (int round = 0; round < 30 && took > PLX_MSEC(160); round++) {
        waiter first, second;
        waiter_start(&first, poller, 1, PLX_MSEC(100));
        thread_await_asleep(first.thread);
        plx_nanos before = plx_now();
        waiter_start(&second, poller, 1, PLX_MSEC(110));
        CHECK_RC(waiter_join(&second), 0);
        took = plx_now() - before;
        CHECK(took >= PLX_MSEC(110));
        CHECK_RC(waiter_join(&first), 0);
    }
    CHECK(took <= PLX_MSEC(160));
    plx_poller_close(poller);
}

/* ---- The end ------------------------------------------------------------------------------------ */

CASE(close_sends_all_waiters_home)
{
    for (int round = 0; round < 10; round++) {
        waiter waiters[WAITERS];
        plx_poller *poller = open_poller();
        for (int i = 0; i < WAITERS; i++)
            waiter_start(&waiters[i], poller, 0, i % 2 ? PLX_FOREVER : PLX_SEC(3600));
        for (int i = 0; i < WAITERS; i++)
            thread_await_asleep(waiters[i].thread);
        plx_poller_close(poller);
        for (int i = 0; i < WAITERS; i++)
            CHECK_RC(waiter_join(&waiters[i]), -ECANCELED);
    }
}
