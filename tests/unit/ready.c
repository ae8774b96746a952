/* SPDX-License-Identifier: MIT */
/*
 * The ready queue beside a slow one that is obviously right, an array; then many pushers
 * and takers at once: nothing lost, nothing doubled.
 */
#include "os/config.h"

#include "../tools.h"

#include "core/ready.h"

enum { SOURCES = 64, PUSHERS = 4, TAKERS = 3 };

/* A source that has a number of things to say. */
struct talker {
    plx__source source; /* first: a source is its talker */
    int number;
    int left; /* events it still has */
    int dropped;
};

static plx__taken talker_take(plx__source *source, plx_event *event)
{
    struct talker *talker = (struct talker *)source;

    if (talker->left == 0) {
        plx__source_unclaim(source);
        return PLX__TOOK_NOTHING;
    }
    *event = (plx_event){.token = (plx_token)talker->number, .data = (uint64_t)--talker->left};
    if (talker->left > 0)
        return PLX__TOOK_ONE;
    plx__source_unclaim(source);
    return PLX__TOOK_ALL;
}

static void talker_drop(plx__source *source)
{
    ((struct talker *)source)->dropped++;
}

static const plx__source_kind once_a_round = {.take = talker_take, .drop = talker_drop};
static const plx__source_kind many_a_round = {.take = talker_take, .drop = talker_drop, .repeats = true};

static struct talker talkers[SOURCES];
static plx__ready ready;

static void talkers_init(void)
{
    CHECK_EQ(plx__ready_init(&ready), 0);
    for (int i = 0; i < SOURCES; i++)
        talkers[i] = (struct talker){.source.kind = i % 3 ? &once_a_round : &many_a_round, .number = i};
}

static void talker_push(int number, int left)
{
    talkers[number].left = left;
    CHECK(plx__source_claim(&talkers[number].source));
    CHECK(!plx__source_claim(&talkers[number].source));
    plx__ready_push(&ready, &talkers[number].source);
}

/* ---- By hand ------------------------------------------------------------------ */

static int take(int room, uint64_t *round, plx_event *events)
{
    return plx__ready_take(&ready, events, room, round);
}

static void sources_come_in_order_and_take_turns(void)
{
    plx_event events[16];
    uint64_t round = 0;

    talkers_init();
    CHECK(!plx__ready_any(&ready));
    talker_push(1, 2);
    talker_push(2, 1);
    talker_push(4, 3);
    CHECK(plx__ready_any(&ready));
    CHECK_EQ(take(2, &round, events), 2);
    CHECK_EQ(events[0].token, 1);
    CHECK_EQ(events[1].token, 2);
    CHECK(plx__ready_any(&ready));
    CHECK_EQ(take(16, &round, events), 1); /* 1 has reported in this wait */
    CHECK_EQ(events[0].token, 4);
    CHECK(plx__ready_any(&ready));
    CHECK_EQ(take(16, &round, events), 0);
    round = 0;
    CHECK_EQ(take(16, &round, events), 2);
    CHECK_EQ(events[0].token, 1);
    CHECK_EQ(events[1].token, 4);
    round = 0;
    CHECK_EQ(take(16, &round, events), 1);
    CHECK_EQ(events[0].token, 4);
    CHECK(!plx__ready_any(&ready));
    plx__ready_fini(&ready);
}

static void a_source_that_repeats_takes_turns_with_the_others(void)
{
    plx_event events[8];
    uint64_t round = 0;

    talkers_init();
    talker_push(0, 5);
    talker_push(1, 1);
    talker_push(3, 5);
    static const plx_token expected[] = {0, 1, 3, 0, 3, 0, 3, 0};
    CHECK_EQ(take(8, &round, events), 8);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(events[i].token, expected[i]);
    plx__ready_clear(&ready);
    plx__ready_fini(&ready);
}

/*
 * A wait looks, finds a source that has nothing to say after all, goes on, and is called back
 * because the source has. The empty turn was counted as the one that a source has in a wait,
 * and the wait went round for ever.
 */
static void an_empty_turn_is_not_the_one_of_the_wait(void)
{
    plx_event events[4];
    uint64_t round = 0;

    talkers_init();
    for (int i = 0; i < 3; i++) {
        talker_push(1, 0);
        CHECK_EQ(take(4, &round, events), 0);
        CHECK(!plx__ready_any(&ready));
    }
    talker_push(1, 1);
    CHECK_EQ(take(4, &round, events), 1);
    CHECK_EQ(events[0].token, 1);
    talker_push(1, 1);
    CHECK_EQ(take(4, &round, events), 0); /* now it has had it */
    round = 0;
    CHECK_EQ(take(4, &round, events), 1);
    plx__ready_fini(&ready);
}

static void what_is_cleared_is_dropped_once(void)
{
    plx_event event;
    uint64_t round = 0;

    talkers_init();
    for (int i = 0; i < 10; i++)
        talker_push(i, 2);
    CHECK_EQ(take(1, &round, &event), 1); /* the others are on the list by now */
    for (int i = 10; i < 20; i++)
        talker_push(i, 1);
    plx__ready_clear(&ready);
    for (int i = 0; i < SOURCES; i++) {
        check_note("source %d", i);
        CHECK_EQ(talkers[i].dropped, i < 20);
    }
    plx__ready_fini(&ready);
}

/* ---- Beside the slow one -------------------------------------------------------- */

static struct {
    int queue[SOURCES], length;
    int left[SOURCES];
    uint64_t round[SOURCES];
} slow;

static int slow_shift(void)
{
    int first = slow.queue[0];

    memmove(slow.queue, slow.queue + 1, (size_t)--slow.length * sizeof slow.queue[0]);
    return first;
}

static int slow_take(plx_event *events, int room, uint64_t round)
{
    int later[SOURCES], waiting = 0, count = 0;

    while (count < room && slow.length > 0) {
        int number = slow_shift();
        if (slow.round[number] == round && number % 3 != 0) {
            later[waiting++] = number;
            continue;
        }
        slow.round[number] = round;
        if (slow.left[number] == 0)
            continue;
        events[count++] = (plx_event){.token = (plx_token)number, .data = (uint64_t)--slow.left[number]};
        if (slow.left[number] > 0)
            slow.queue[slow.length++] = number;
    }
    for (int i = 0; i < waiting; i++)
        slow.queue[slow.length++] = later[i];
    return count;
}

static bool slow_has(int number)
{
    for (int i = 0; i < slow.length; i++)
        if (slow.queue[i] == number)
            return true;
    return false;
}

static void random_work_agrees_with_the_slow_queue(void)
{
    random_state random = random_start();
    plx_event fast_events[80], slow_events[80];
    uint64_t round = 0, slow_round = 0;

    talkers_init();
    for (int step = 0; step < ROUNDS(200000); step++) {
        int number = (int)random_below(&random, SOURCES);
        check_note("step %d", step);
        if (random_below(&random, 3) && !slow_has(number)) {
            int left = (int)random_below(&random, 5); /* 0: it has nothing to say after all */
            talker_push(number, left);
            slow.queue[slow.length++] = number;
            slow.left[number] = left;
            continue;
        }
        if (round == 0 || random_below(&random, 2)) {
            round = 0;
            slow_round++;
        }
        int room = (int)random_below(&random, random_below(&random, 4) ? 6 : 80);
        int count = plx__ready_take(&ready, fast_events, room, &round);
        CHECK_EQ(count, slow_take(slow_events, room, slow_round));
        for (int i = 0; i < count; i++) {
            CHECK_EQ(fast_events[i].token, slow_events[i].token);
            CHECK_EQ(fast_events[i].data, slow_events[i].data);
        }
        CHECK_EQ(plx__ready_any(&ready), slow.length > 0);
    }
    plx__ready_clear(&ready);
    plx__ready_fini(&ready);
}

/* ---- Many at once ---------------------------------------------------------------- */

/* What was said since the last take; who claims it also leaves a note, without an atomic. */
struct counter {
    plx__source source;
    atomic_long said;
    long note;
};

static struct counter counters[SOURCES];
static long heard, notes; /* under the queue's lock */
static atomic_int pushing;

static plx__taken counter_take(plx__source *source, plx_event *event)
{
    struct counter *counter = (struct counter *)source;

    CHECK(counter->note != 0); /* the claimer's plain write is seen: TSan watches */
    notes += counter->note;
    counter->note = 0;
    plx__source_unclaim(source);
    long said = atomic_exchange_explicit(&counter->said, 0, memory_order_relaxed);
    if (said == 0)
        return PLX__TOOK_NOTHING;
    heard += said;
    *event = (plx_event){.token = 1};
    return PLX__TOOK_ALL;
}

static const plx__source_kind counter_kind = {.take = counter_take, .drop = talker_drop};

static void *push_many(void *argument)
{
    random_state random = {(uintptr_t)argument};
    long *claimed = argument;

    for (int i = 0; i < ROUNDS(200000); i++) {
        struct counter *counter = &counters[random_below(&random, SOURCES)];
        atomic_fetch_add_explicit(&counter->said, 1, memory_order_relaxed);
        if (!plx__source_claim(&counter->source))
            continue;
        counter->note = 1;
        ++*claimed;
        plx__ready_push(&ready, &counter->source);
    }
    atomic_fetch_sub(&pushing, 1);
    return NULL;
}

static void *take_many(void *argument)
{
    random_state random = {(uintptr_t)argument};
    plx_event events[32];
    bool over;

    do {
        uint64_t round = 0;
        over = atomic_load(&pushing) == 0;
        plx__ready_take(&ready, events, 4, &round); /* the take alone must make visible what it finds */
        while (plx__ready_any(&ready)) {
            plx__ready_take(&ready, events, 1 + (int)random_below(&random, 32), &round);
            if (random_below(&random, 2))
                round = 0;
        }
    } while (!over);
    return NULL;
}

static void nothing_is_lost_between_many_pushers_and_takers(void)
{
    pthread_t pushers[PUSHERS], takers[TAKERS];
    long claimed[PUSHERS] = {0}, claims = 0;

    CHECK_EQ(plx__ready_init(&ready), 0);
    for (int i = 0; i < SOURCES; i++)
        counters[i].source.kind = &counter_kind;
    atomic_store(&pushing, PUSHERS);
    for (int i = 0; i < TAKERS; i++)
        takers[i] = thread_start(take_many, &takers[i]);
    for (int i = 0; i < PUSHERS; i++)
        pushers[i] = thread_start(push_many, &claimed[i]);
    for (int i = 0; i < PUSHERS; i++) {
        thread_join(pushers[i]);
        claims += claimed[i];
    }
    for (int i = 0; i < TAKERS; i++)
        thread_join(takers[i]);
    CHECK_EQ(heard, (long)PUSHERS * ROUNDS(200000));
    CHECK_EQ(notes, claims);
    for (int i = 0; i < SOURCES; i++)
        CHECK_EQ(atomic_load(&counters[i].source.queued), 0);
    CHECK(!plx__ready_any(&ready));
    plx__ready_fini(&ready);
}

int main(void)
{
    watchdog(100);
    sources_come_in_order_and_take_turns();
    a_source_that_repeats_takes_turns_with_the_others();
    an_empty_turn_is_not_the_one_of_the_wait();
    what_is_cleared_is_dropped_once();
    random_work_agrees_with_the_slow_queue();
    nothing_is_lost_between_many_pushers_and_takers();
    return 0;
}
