/* SPDX-License-Identifier: MIT */
/*
 * The wake word with a kernel call that the test owns: when it is made, when it is not, and
 * what a failure of it leaves behind. Sleepers are entered into the word by hand.
 */
#include "os/config.h"

#include "../tools.h"

#include "core/core.h"

static plx_poller *poller;
static plx_registry *registry;
static plx__backend fake; /* the real one but for its wake */
static int (*real_wake)(void *state, uint32_t *calls);

static atomic_int calls;   /* of the fake wake */
static atomic_int failing; /* the error of the next calls, or 0 */
static atomic_bool held;   /* calls stay inside until it is false */
static atomic_int inside;
static bool relied_on; /* another post is made during the next call, which fails */
static int (*real_wait)(void *state, plx__harvest *harvest, plx_nanos timeout);
static atomic_int wait_failing; /* the error of the next wait, or 0 */

static int fake_wake(void *state, uint32_t *made)
{
    atomic_fetch_add(&calls, 1);
    atomic_fetch_add(&inside, 1);
    while (atomic_load(&held))
        sleep_for(PLX_USEC(100));
    atomic_fetch_sub(&inside, 1);
    if (relied_on) {
        relied_on = false;
        CHECK_RC(plx_post(registry, 2, 2), 0);
        return -EIO;
    }
    int error = atomic_load(&failing);
    return error ? -error : real_wake(state, made);
}

static int fake_wait(void *state, plx__harvest *harvest, plx_nanos timeout)
{
    int error = atomic_exchange(&wait_failing, 0);

    return error ? -error : real_wait(state, harvest, timeout);
}

static void start(void)
{
    CHECK_RC(plx_poller_open(&poller, NULL), 0);
    registry = plx_poller_registry(poller);
    fake = *registry->backend;
    real_wake = fake.wake;
    real_wait = fake.wait;
    fake.wake = fake_wake;
    fake.wait = fake_wait;
    registry->backend = &fake;
    atomic_store(&calls, 0);
    atomic_store(&failing, 0);
}

static void add_sleeper(void)
{
    plx__wake_add(&registry->wake, PLX__SLEEPING);
}

static void remove_sleeper(void)
{
    plx__wake_sub(&registry->wake, PLX__SLEEPING);
}

static uint64_t word(void)
{
    return plx__wake_word(&registry->wake);
}

/* Takes what is there now; the kernel's wake, if there was one, is received with it. */
static int take_now(plx_event *events)
{
    return plx_poller_wait(poller, events, 16, 0);
}

static void nobody_asleep_means_no_call(void)
{
    plx_waker *waker;
    plx_event events[16];
    plx_stats stats;

    start();
    CHECK_RC(plx_waker_open(registry, 5, &waker), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_RC(plx_post(registry, 6, (uint64_t)i), 0);
        CHECK_RC(plx_waker_wake(waker), 0);
        CHECK_RC(plx_notify(registry), 0);
    }
    CHECK_EQ(atomic_load(&calls), 0);
    CHECK_EQ(take_now(events), 4);
    CHECK_EQ(word(), 0);
    plx_poller_stats(poller, &stats);
    CHECK_EQ(stats.wakes_sent, 0);
    CHECK_EQ(stats.wakes_elided, 9);
    plx_waker_release(waker);
    plx_poller_close(poller);
}

static void many_sends_to_a_sleeper_are_one_call_until_it_is_received(void)
{
    plx_waker *waker;
    plx_event events[16];
    plx_stats stats;

    start();
    CHECK_RC(plx_waker_open(registry, 5, &waker), 0);
    add_sleeper();
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 4; i++) {
            CHECK_RC(plx_waker_wake(waker), 0);
            CHECK_RC(plx_post(registry, 1, 2), 0);
            CHECK_RC(plx_notify(registry), 0);
            CHECK_EQ(atomic_load(&calls), round);
            CHECK_EQ(word(), PLX__SLEEPING | PLX__WAKING | PLX__NOTIFIED);
        }
        CHECK_EQ(take_now(events), 5);
        CHECK_EQ(word(), PLX__SLEEPING); /* received, and the notify used up */
    }
    remove_sleeper();
    plx_poller_stats(poller, &stats);
    CHECK_EQ(stats.wakes_sent, 3);
    CHECK_EQ(stats.wakes_elided, 33);
    plx_waker_release(waker);
    plx_poller_close(poller);
}

static void a_failed_call_gives_the_claim_back(void)
{
    plx_waker *waker;
    plx_event events[16];

    start();
    CHECK_RC(plx_waker_open(registry, 5, &waker), 0);
    add_sleeper();
    atomic_store(&failing, EIO);
    for (int i = 1; i <= 3; i++) {
        CHECK_RC(plx_waker_wake(waker), -EIO);
        CHECK_EQ(atomic_load(&calls), 2 * i); /* once more, for those that relied on it */
        CHECK_EQ(word(), PLX__SLEEPING);
    }
    atomic_store(&failing, 0);
    CHECK_RC(plx_waker_wake(waker), 0);
    CHECK_EQ(atomic_load(&calls), 7);
    CHECK_EQ(word(), PLX__SLEEPING | PLX__WAKING);
    CHECK_EQ(take_now(events), 1);

    atomic_store(&failing, EIO); /* the waker keeps an event that could not be announced */
    CHECK_RC(plx_waker_wake(waker), -EIO);
    CHECK_EQ(take_now(events), 1);
    CHECK_EQ(events[0].token, 5);
    CHECK_EQ(take_now(events), 0);
    atomic_store(&failing, 0);
    remove_sleeper();
    plx_waker_release(waker);
    plx_poller_close(poller);
}

/* A sender that is told that a wake is on its way must not be let down when that one fails. */
static void a_call_that_others_relied_on_is_made_again(void)
{
    plx_event events[16];

    start();
    add_sleeper();
    relied_on = true;
    CHECK_RC(plx_post(registry, 1, 1), 0);
    CHECK_EQ(atomic_load(&calls), 2);
    CHECK_EQ(word(), PLX__SLEEPING | PLX__WAKING);
    CHECK_EQ(take_now(events), 2);
    remove_sleeper();
    plx_poller_close(poller);
}

/* Of five posts the first, a middle one and the last are withdrawn, in every combination. */
static void posts_that_cannot_be_announced_are_taken_back(void)
{
    plx_event events[16];

    start();
    for (unsigned fails = 0; fails < 32; fails++) {
        int kept = 0;
        uint64_t expected[5];
        for (unsigned i = 0; i < 5; i++) {
            int error = fails >> i & 1 ? EIO : 0;
            check_note("posts that fail: %#x, post %u", fails, i);
            add_sleeper(); /* as if it had fallen asleep just now */
            plx__wake_clear(&registry->wake, PLX__WAKING);
            atomic_store(&failing, error);
            CHECK_RC(plx_post(registry, 9, i), -error);
            if (!error)
                expected[kept++] = i;
            remove_sleeper();
        }
        CHECK_EQ(take_now(events), kept);
        for (int i = 0; i < kept; i++) {
            CHECK_EQ(events[i].data, expected[i]);
            CHECK_EQ(events[i].flags, PLX_POST);
        }
        CHECK_EQ(take_now(events), 0);
    }
    check_note("after the posts");
    plx_poller_close(poller);
}

static void a_notify_that_cannot_be_announced_is_taken_back(void)
{
    plx_event events[16];

    start();
    add_sleeper();
    atomic_store(&failing, EIO);
    CHECK_RC(plx_notify(registry), -EIO);
    CHECK_EQ(word(), PLX__SLEEPING);
    remove_sleeper();
    plx_nanos begun = plx_now();
    CHECK_RC(plx_poller_wait(poller, events, 16, PLX_MSEC(10)), 0);
    CHECK(plx_now() - begun >= PLX_MSEC(10));
    plx_poller_close(poller);
}

/* The wait that fails has not told anybody of it. */
static void a_notify_outlives_a_wait_that_fails(void)
{
    plx_event events[16];

    start();
    CHECK_RC(plx_notify(registry), 0);
    atomic_store(&wait_failing, EIO);
    CHECK_RC(take_now(events), -EIO);
    CHECK_EQ(word(), PLX__NOTIFIED);
    CHECK_RC(plx_poller_wait(poller, events, 16, PLX_FOREVER), 0);
    CHECK_EQ(word(), 0);
    plx_poller_close(poller);
}

static void a_nested_poller_is_as_good_as_a_sleeper(void)
{
    plx_event events[16];

    start();
    plx__wake_set(&registry->wake, PLX__NESTED);
    CHECK_RC(plx_post(registry, 1, 1), 0);
    CHECK_RC(plx_post(registry, 1, 2), 0);
    CHECK_RC(plx_notify(registry), 0);
    CHECK_EQ(atomic_load(&calls), 1);
    CHECK_EQ(take_now(events), 2);
    CHECK_EQ(word(), PLX__NESTED);
    CHECK_RC(plx_notify(registry), 0);
    CHECK_EQ(atomic_load(&calls), 2);
    CHECK_EQ(take_now(events), 0);
    CHECK_EQ(word(), PLX__NESTED);
    plx_poller_close(poller);
}

/* Three posts, room for one: the waiter that leaves wakes the next, once. */
static void a_waiter_that_leaves_something_behind_passes_the_wake_on(void)
{
    plx_event event;
    int found = 0;

    start();
    for (int i = 0; i < 3; i++)
        CHECK_RC(plx_post(registry, 1, (uint64_t)i), 0);
    CHECK_EQ(atomic_load(&calls), 0);
    add_sleeper();
    while (found < 3) {
        int before = atomic_load(&calls);
        plx__wake_clear(&registry->wake, PLX__WAKING);
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(10)), 1);
        CHECK_EQ(event.data, found);
        found++;
        CHECK_EQ(atomic_load(&calls) - before, found < 3);
    }
    CHECK_EQ(word() & PLX__SLEEPING_MASK, PLX__SLEEPING);
    remove_sleeper();
    plx_poller_close(poller);
}

/* ---- Close ------------------------------------------------------------------------ */

static atomic_int closed, answers;

static void *close_poller(void *unused)
{
    plx_poller_close(poller);
    atomic_store(&closed, 1);
    return unused;
}

static void *wake_it(void *waker)
{
    int rc = plx_waker_wake(waker);

    CHECK(rc == 0 || rc == -PLX_ESHUTDOWN);
    atomic_fetch_add(&answers, 1);
    return NULL;
}

/* The descriptor that a wake writes to must not be closed, and used anew, under the call. */
static void close_waits_for_calls_that_are_being_made(void)
{
    plx_waker *waker;

    start();
    CHECK_RC(plx_waker_open(registry, 5, &waker), 0);
    add_sleeper();
    atomic_store(&held, true);
    pthread_t caller = thread_start(wake_it, waker);
    await_count(&inside, 1);
    remove_sleeper();
    pthread_t closer = thread_start(close_poller, NULL);
    while (!(word() & PLX__CLOSED))
        sleep_for(PLX_USEC(100));
    sleep_for(PLX_MSEC(30));
    CHECK_EQ(atomic_load(&closed), 0);
    CHECK_EQ(atomic_load(&answers), 0);
    CHECK_RC(plx_waker_wake(waker), -PLX_ESHUTDOWN); /* and does not wait */
    CHECK_RC(plx_post(registry, 1, 1), -PLX_ESHUTDOWN);
    CHECK_RC(plx_notify(registry), -PLX_ESHUTDOWN);
    CHECK_EQ(atomic_load(&calls), 1);
    atomic_store(&held, false);
    thread_join(caller);
    thread_join(closer);
    CHECK_EQ(atomic_load(&closed), 1);
    plx_waker_release(waker);
}

/* A sender that looked whether the poller is open, and was held up until it was not. */
static void nobody_calls_a_closed_backend(void)
{
    start();
    plx_registry_retain(registry);
    plx_poller_close(poller);
    add_sleeper();
    CHECK_RC(plx__wake_send(registry), -PLX_ESHUTDOWN);
    CHECK_EQ(atomic_load(&calls), 0);
    remove_sleeper();
    plx_registry_release(registry);
}

static atomic_int cancelled;

static void *wait_for_ever(void *unused)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), -ECANCELED);
    atomic_fetch_add(&cancelled, 1);
    return unused;
}

/* Its wakes fail for a while: it tries again, and everybody is sent home in the end. */
static void close_goes_on_waking_when_wakes_fail(void)
{
    pthread_t waiters[3];

    start();
    for (int i = 0; i < 3; i++)
        waiters[i] = thread_start(wait_for_ever, NULL);
    while ((word() & PLX__INSIDE_MASK) != 3 * PLX__INSIDE || (word() & PLX__SLEEPING_MASK) == 0)
        sleep_for(PLX_USEC(100));
    sleep_for(PLX_MSEC(10));
    atomic_store(&failing, EIO);
    pthread_t closer = thread_start(close_poller, NULL);
    await_count(&calls, 3);
    int awake = registry->backend->shared ? 0 : 2; /* those that wait for their turn need no call */
    CHECK(atomic_load(&cancelled) <= awake);
    atomic_store(&failing, 0);
    for (int i = 0; i < 3; i++)
        thread_join(waiters[i]);
    thread_join(closer);
    CHECK_EQ(atomic_load(&cancelled), 3);
}

int main(void)
{
    watchdog(60);
    nobody_asleep_means_no_call();
    many_sends_to_a_sleeper_are_one_call_until_it_is_received();
    a_failed_call_gives_the_claim_back();
    a_call_that_others_relied_on_is_made_again();
    posts_that_cannot_be_announced_are_taken_back();
    a_notify_that_cannot_be_announced_is_taken_back();
    a_notify_outlives_a_wait_that_fails();
    a_nested_poller_is_as_good_as_a_sleeper();
    a_waiter_that_leaves_something_behind_passes_the_wake_on();
    close_waits_for_calls_that_are_being_made();
    nobody_calls_a_closed_backend();
    close_goes_on_waking_when_wakes_fail();
    return 0;
}
