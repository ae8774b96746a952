/* SPDX-License-Identifier: MIT */
/* Turns: one at a time, nobody forgotten, given up at the deadline and at close. */
#include "os/config.h"

#include "../tools.h"

#include "core/turn.h"
#include "os/clock.h"

enum { THREADS = 4 };

static plx__turn turn;
static long guarded; /* by the turn alone, and no atomic: TSan watches */
static atomic_int arrived, refused;

static void *take_turns(void *unused)
{
    for (int i = 0; i < ROUNDS(20000); i++) {
        bool waited;
        CHECK(plx__turn_take(&turn, INT64_MAX, &waited));
        guarded++;
        plx__turn_drop(&turn);
    }
    return unused;
}

static void one_at_a_time_and_each_gets_it(void)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(take_turns, NULL);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    CHECK_EQ(guarded, (long)THREADS * ROUNDS(20000));
}

static void a_turn_that_does_not_come_is_given_up_at_the_deadline(void)
{
    bool waited;

    CHECK(plx__turn_take(&turn, INT64_MIN, &waited)); /* free: without waiting */
    CHECK(!waited);
    CHECK(!plx__turn_take(&turn, INT64_MIN, &waited));
    CHECK(!waited);
    plx_nanos start = plx__clock_now();
    CHECK(!plx__turn_take(&turn, start - 1, &waited)); /* due before it began */
    for (plx_nanos time = 1; time < PLX_MSEC(20); time *= 3) {
        plx_nanos deadline = plx__clock_now() + time;
        CHECK(!plx__turn_take(&turn, deadline, &waited));
        CHECK(plx__clock_now() >= deadline);
        CHECK(waited || time < PLX_MSEC(1));
    }
    plx__turn_drop(&turn);
    CHECK(plx__turn_take(&turn, plx__clock_now() + PLX_SEC(10), &waited));
    CHECK(!waited);
    plx__turn_drop(&turn);
}

static void *take_late(void *unused)
{
    bool waited;

    atomic_fetch_add(&arrived, 1);
    CHECK(plx__turn_take(&turn, plx__clock_now() + PLX_SEC(60), &waited));
    plx__turn_drop(&turn);
    return unused;
}

static void who_waits_gets_the_turn_that_is_dropped(void)
{
    pthread_t threads[THREADS];
    bool waited;

    CHECK(plx__turn_take(&turn, INT64_MAX, &waited));
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(take_late, NULL);
    await_count(&arrived, THREADS);
    sleep_for(PLX_MSEC(50));
    plx__turn_drop(&turn);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
}

static void *be_refused(void *endless)
{
    bool waited;

    atomic_fetch_add(&arrived, 1);
    CHECK(!plx__turn_take(&turn, endless ? INT64_MAX : plx__clock_now() + PLX_SEC(60), &waited));
    atomic_fetch_add(&refused, 1);
    return NULL;
}

static void close_sends_everybody_home(void)
{
    pthread_t threads[THREADS];
    bool waited;

    atomic_store(&arrived, 0);
    CHECK(plx__turn_take(&turn, INT64_MAX, &waited));
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(be_refused, i % 2 ? &turn : NULL);
    await_count(&arrived, THREADS);
    sleep_for(PLX_MSEC(20));
    CHECK_EQ(atomic_load(&refused), 0);
    plx__turn_close(&turn);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    plx__turn_drop(&turn);
    CHECK(!plx__turn_take(&turn, INT64_MAX, &waited)); /* free, but closed */
    CHECK(!plx__turn_take(&turn, INT64_MIN, &waited));
}

int main(void)
{
    watchdog(100);
    CHECK_EQ(plx__turn_init(&turn), 0);
    one_at_a_time_and_each_gets_it();
    a_turn_that_does_not_come_is_given_up_at_the_deadline();
    who_waits_gets_the_turn_that_is_dropped();
    close_sends_everybody_home();
    plx__turn_fini(&turn);
    return 0;
}
