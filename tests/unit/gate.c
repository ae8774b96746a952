/* SPDX-License-Identifier: MIT */
/*
 * The gate of a bounded channel. An offer is made in one step and waited for in another, so
 * that one thread can stand for many senders, and one more looks for room wherever the gate is
 * about to take its lock; then many threads at once, of whom some give up.
 */
#include "os/config.h"

#include "../tools.h"

#include "core/gate.h"
#include "os/clock.h"
#include "os/lock.h"

static void take_lock(plx__lock *lock);
#define plx__lock_take take_lock
#include "../../src/core/gate.c" /* in place of the library's: somebody comes between its steps */
#undef plx__lock_take

enum { OFFERS = 5, SENDERS = 6, UNDECIDED = 1 };

static plx__gates gates;
static plx__gate gate;
static plx__queue queue;
static counted_memory memory;

static void begin(size_t bound)
{
    counted_init(&memory);
    memset(&queue, 0, sizeof queue);
    memset(&gate, 0, sizeof gate);
    memset(&gates, 0, sizeof gates);
    CHECK(plx__queue_init(&queue, &memory.allocator, sizeof(int64_t)));
    CHECK_EQ(plx__gates_init(&gates), 0);
    CHECK_EQ(plx__gate_init(&gate, bound, &gates), 0);
    CHECK_EQ(gate.rendezvous, bound == 0);
}

static void end(void)
{
    CHECK(!plx__gate_any(&gate) && !gate.first);
    plx__gate_fini(&gate, &gates);
    CHECK(gates.first == NULL);
    plx__gates_fini(&gates);
    plx__queue_fini(&queue);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

static void expect_messages(int first, int count)
{
    int64_t message;

    for (int i = 0; i < count; i++) {
        CHECK_EQ(plx__queue_take(&queue, &message, 1), 1);
        CHECK_EQ(message, first + i);
    }
    CHECK_EQ(plx__queue_take(&queue, &message, 1), 0);
}

/* ---- One thread ------------------------------------------------------------------ */

static plx__offer offers[OFFERS];
static const int64_t messages[OFFERS] = {0, 1, 2, 3, 4};

static void offer_all(void)
{
    for (int i = 0; i < OFFERS; i++)
        CHECK_EQ(plx__gate_offer(&gate, &queue, &offers[i], &messages[i]), 0);
}

static void room_is_as_large_as_the_bound(void)
{
    static const size_t bounds[] = {0, 1, 2, 3, 1000};

    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        begin(bounds[i]);
        for (size_t k = 0; k < bounds[i]; k++)
            CHECK(plx__gate_enter(&gate));
        CHECK(!plx__gate_enter(&gate));
        CHECK(!plx__gate_any(&gate));
        if (bounds[i] > 0) {
            CHECK(!plx__gate_leave(&gate, &queue, 1)); /* nobody was waiting */
            CHECK(plx__gate_enter(&gate));
            CHECK(!plx__gate_enter(&gate));
        }
        end();
    }
    begin(SIZE_MAX);
    CHECK(plx__gate_enter(&gate));
    CHECK_EQ(atomic_load(&gate.room), SIZE_MAX - 1);
    end();
}

static void offers_fill_the_room_in_their_order(void)
{
    begin(1);
    CHECK(plx__gate_enter(&gate));
    offer_all();
    CHECK_EQ(atomic_load(&gate.waiting), OFFERS);
    CHECK(plx__gate_leave(&gate, &queue, 1));
    CHECK(plx__gate_leave(&gate, &queue, 2));
    for (int i = 0; i < OFFERS; i++)
        CHECK_EQ(offers[i].result, i < 3 ? 0 : UNDECIDED);
    expect_messages(0, 3);
    CHECK(plx__gate_leave(&gate, &queue, 3)); /* one more than there are offers */
    expect_messages(3, 2);
    CHECK_EQ(atomic_load(&gate.room), 1);
    for (int i = 0; i < OFFERS; i++)
        CHECK_EQ(plx__gate_await(&gate, &offers[i], PLX_FOREVER), 0);
    end();
}

/* Room that came between a sender's look and its offer is not waited for. */
static void an_offer_takes_room_that_is_there(void)
{
    begin(1);
    CHECK_EQ(plx__gate_offer(&gate, &queue, &offers[0], &messages[0]), 0);
    CHECK_EQ(plx__gate_await(&gate, &offers[0], 0), 0);
    expect_messages(0, 1);
    end();
}

/* From the front, the middle and the end, each of which the list must survive. */
static void a_deadline_withdraws_an_offer(void)
{
    static const int withdrawn[][2] = {{0, 1}, {1, 3}, {3, 4}, {4, 0}, {2, 2}};

    for (size_t k = 0; k < sizeof withdrawn / sizeof withdrawn[0]; k++) {
        int first = withdrawn[k][0], second = withdrawn[k][1], left = OFFERS;
        int64_t message;
        check_note("without %d and %d", first, second);
        begin(1);
        CHECK(plx__gate_enter(&gate));
        offer_all();
        for (int i = 0; i < OFFERS; i++)
            if (i == first || i == second) {
                plx_nanos deadline = plx__clock_now() + PLX_MSEC(i % 2);
                CHECK_EQ(plx__gate_await(&gate, &offers[i], deadline), -ETIMEDOUT);
                CHECK(plx__clock_now() >= deadline);
                left--;
            }
        CHECK_EQ(atomic_load(&gate.waiting), left);
        CHECK(plx__gate_leave(&gate, &queue, OFFERS));
        for (int i = 0; i < OFFERS; i++)
            if (i != first && i != second) {
                CHECK_EQ(plx__gate_await(&gate, &offers[i], 0), 0);
                CHECK_EQ(plx__queue_take(&queue, &message, 1), 1);
                CHECK_EQ(message, i);
            }
        expect_messages(0, 0);
        CHECK_EQ(atomic_load(&gate.room), OFFERS - left);
        end();
    }
}

static void close_ends_all_offers(bool of_the_poller)
{
    plx__offer late;

    begin(2);
    CHECK(plx__gate_enter(&gate) && plx__gate_enter(&gate));
    offer_all();
    if (of_the_poller)
        plx__gates_close(&gates);
    else
        plx__gate_close(&gate, -EPIPE);
    int first = of_the_poller ? -PLX_ESHUTDOWN : -EPIPE;
    for (int i = 0; i < OFFERS; i++)
        CHECK_EQ(plx__gate_await(&gate, &offers[i], PLX_FOREVER), first);
    plx__gate_close(&gate, -EIO);
    CHECK_EQ(plx__gate_offer(&gate, &queue, &late, &messages[0]), 0);
    CHECK_EQ(plx__gate_await(&gate, &late, PLX_FOREVER), first); /* and what came first stays */
    CHECK(!plx__gate_leave(&gate, &queue, 2));
    expect_messages(0, 0);
    end();
}

static void a_gate_of_a_closed_poller_is_closed(void)
{
    plx__gate another = {0};

    begin(1);
    plx__gates_close(&gates);
    CHECK_EQ(plx__gate_init(&another, 0, &gates), 0);
    CHECK_EQ(plx__gate_offer(&another, &queue, &offers[0], &messages[0]), 0);
    CHECK_EQ(plx__gate_await(&another, &offers[0], PLX_FOREVER), -PLX_ESHUTDOWN);
    plx__gate_fini(&another, &gates);
    end();
}

/* The first that finds no memory is told, its place goes to the next. */
static void refused_memory_costs_one_offer(void)
{
    begin(1);
    CHECK(plx__gate_enter(&gate));
    offer_all();
    atomic_store(&memory.refuse, atomic_load(&memory.calls) + 1);
    CHECK(plx__gate_leave(&gate, &queue, 1));
    CHECK_EQ(plx__gate_await(&gate, &offers[0], PLX_FOREVER), -ENOMEM);
    CHECK_EQ(plx__gate_await(&gate, &offers[1], PLX_FOREVER), 0);
    CHECK_EQ(offers[2].result, UNDECIDED);
    CHECK(plx__gate_leave(&gate, &queue, 3));
    for (int i = 2; i < OFFERS; i++)
        CHECK_EQ(plx__gate_await(&gate, &offers[i], PLX_FOREVER), 0);
    expect_messages(1, 4);
    CHECK_EQ(atomic_load(&gate.room), 0);
    end();
}

static void a_place_that_refused_memory_left_is_there(void)
{
    begin(1);
    atomic_store(&memory.refuse, atomic_load(&memory.calls) + 1);
    CHECK_EQ(plx__gate_offer(&gate, &queue, &offers[0], &messages[0]), 0);
    CHECK_EQ(plx__gate_await(&gate, &offers[0], PLX_FOREVER), -ENOMEM);
    CHECK_EQ(atomic_load(&gate.room), 1);
    end();
}

static bool pushing;  /* somebody looks for room, */
static int pushed_in; /* and found it so often */

static void take_lock(plx__lock *lock)
{
    if (pushing && plx__gate_enter(&gate))
        pushed_in++;
    plx__lock_take(lock);
}

static void places_go_to_those_that_wait(void)
{
    begin(1);
    CHECK(plx__gate_enter(&gate));
    offer_all();
    pushing = true;
    for (int i = 0; i < OFFERS; i++)
        CHECK(plx__gate_leave(&gate, &queue, 1));
    pushing = false;
    CHECK_EQ(pushed_in, 0);
    for (int i = 0; i < OFFERS; i++)
        CHECK_EQ(plx__gate_await(&gate, &offers[i], PLX_FOREVER), 0);
    end();
}

static void a_rendezvous_takes_offers_from_where_they_are(void)
{
    int64_t taken[OFFERS] = {0};

    begin(0);
    CHECK_EQ(plx__gate_take(&gate, sizeof(int64_t), taken, OFFERS), 0);
    offer_all();
    CHECK_EQ(plx__gate_take(&gate, sizeof(int64_t), taken, 2), 2);
    CHECK(taken[0] == 0 && taken[1] == 1);
    CHECK_EQ(plx__gate_await(&gate, &offers[2], 0), -ETIMEDOUT);
    CHECK_EQ(plx__gate_take(&gate, sizeof(int64_t), taken, OFFERS), 2);
    CHECK(taken[0] == 3 && taken[1] == 4);
    for (int i = 0; i < OFFERS; i++)
        if (i != 2)
            CHECK_EQ(plx__gate_await(&gate, &offers[i], PLX_FOREVER), 0);
    CHECK_EQ(atomic_load(&memory.calls), 0);
    end();
}

static void gates_leave_the_list_in_any_order(void)
{
    static const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};
    plx__gate three[3];

    for (size_t k = 0; k < 4; k++) {
        begin(1);
        memset(three, 0, sizeof three);
        for (int i = 0; i < 3; i++)
            CHECK_EQ(plx__gate_init(&three[i], 1, &gates), 0);
        for (int i = 0; i < 3; i++) {
            plx__gate_fini(&three[orders[k][i]], &gates);
            int left = 0;
            for (plx__gate *at = gates.first; at; at = at->next, left++)
                CHECK(*at->link == at);
            CHECK_EQ(left, 3 - i);
        }
        end();
    }
}

/* ---- Many at once ------------------------------------------------------------------- */

struct sender {
    pthread_t thread;
    int number;
    long sent;
    bool patient;
};

static struct sender senders[SENDERS];
static atomic_int sending;
static int per_sender;

/* The number of the sender, and how many it has sent. */
static void *send_many(void *argument)
{
    struct sender *self = argument;
    random_state random = {(uint64_t)self->number};

    for (int i = 0; i < per_sender; i++) {
        int64_t message = self->sent * SENDERS + self->number;
        plx__offer offer;
        int rc;
        if (!gate.rendezvous && plx__gate_enter(&gate)) {
            rc = plx__queue_put(&queue, &message);
        } else {
            plx_nanos soon = plx__clock_now() + random_below(&random, 50000);
            CHECK_EQ(plx__gate_offer(&gate, &queue, &offer, &message), 0);
            rc = plx__gate_await(&gate, &offer, self->patient ? PLX_FOREVER : soon);
        }
        CHECK(rc == 0 || (rc == -ETIMEDOUT && !self->patient));
        self->sent += rc == 0;
    }
    atomic_fetch_sub(&sending, 1);
    return NULL;
}

/* Those without a time limit would sleep for ever over one wake-up that was lost. */
static void nobody_is_forgotten(size_t bound)
{
    long next[SENDERS] = {0};
    int64_t taken[4];
    bool over = false;

    check_note("bound %zu", bound);
    begin(bound);
    per_sender = ROUNDS(8000);
    atomic_store(&sending, SENDERS);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.number = i, .patient = i % 3 != 0};
        senders[i].thread = thread_start(send_many, &senders[i]);
    }
    for (size_t count = 1; count > 0 || !over;) {
        over = atomic_load(&sending) == 0;
        count = bound ? plx__queue_take(&queue, taken, 4) : plx__gate_take(&gate, sizeof(int64_t), taken, 4);
        CHECK(bound == 0 || count <= bound);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(taken[i] / SENDERS, next[taken[i] % SENDERS]++);
        if (bound && count)
            (void)plx__gate_leave(&gate, &queue, count);
        if (count == 0)
            sched_yield();
    }
    for (int i = 0; i < SENDERS; i++) {
        thread_join(senders[i].thread);
        CHECK_EQ(next[i], senders[i].sent);
    }
    CHECK_EQ(atomic_load(&gate.room), bound);
    end();
}

int main(void)
{
    watchdog(100);
    room_is_as_large_as_the_bound();
    offers_fill_the_room_in_their_order();
    an_offer_takes_room_that_is_there();
    a_deadline_withdraws_an_offer();
    close_ends_all_offers(false);
    close_ends_all_offers(true);
    a_gate_of_a_closed_poller_is_closed();
    refused_memory_costs_one_offer();
    a_place_that_refused_memory_left_is_there();
    places_go_to_those_that_wait();
    a_rendezvous_takes_offers_from_where_they_are();
    gates_leave_the_list_in_any_order();
    nobody_is_forgotten(0);
    nobody_is_forgotten(1);
    nobody_is_forgotten(3);
    return 0;
}
