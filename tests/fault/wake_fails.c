/* SPDX-License-Identifier: MIT */
/*
 * Many senders whose wakes of the kernel fail now and then, and waiters without a time limit
 * that would sleep for ever over one that was lost. Who got an error sends again.
 */
#include "os/config.h"

#include "../backends.h"
#include "../seam.h"

#include "backend/backend.h"

enum { SENDERS = 8, WAITERS = 2, POSTS = 4000, WAKES = 400, STOP = 1000 };

static plx_poller *poller;
static plx_registry *registry;

static uint64_t expected[SENDERS]; /* of each sender the next post, while one thread waits */
static atomic_long received[SENDERS];
static long failures;
static bool ordered;

static void report(void)
{
    fprintf(stderr, "received:");
    for (int i = 0; i < SENDERS; i++)
        fprintf(stderr, " %ld", atomic_load(&received[i]));
    fprintf(stderr, "\n");
}

static bool receive(const plx_event *event)
{
    CHECK(event->token < SENDERS || event->token == STOP);
    if (event->token == STOP)
        return true;
    if (ordered && event->flags == PLX_POST)
        CHECK_EQ(event->data, expected[event->token]++);
    atomic_fetch_add(&received[event->token], 1);
    return false;
}

static void post_stop(void)
{
    while (plx_post(registry, STOP, 0) < 0) {
    }
}

/* There is a stop for each waiter; who takes another's gives it back. */
static void *wait_until_stopped(void *unused)
{
    plx_event events[16];
    int stops = 0;

    while (stops == 0) {
        int count = plx_poller_wait(poller, events, ordered ? 16 : 3, PLX_FOREVER);
        CHECK(count >= 0);
        for (int i = 0; i < count; i++)
            stops += receive(&events[i]);
    }
    while (--stops > 0)
        post_stop();
    return unused;
}

static void *post_many(void *argument)
{
    plx_token own = (plx_token)(uintptr_t)argument;

    for (uint64_t i = 0; i < ROUNDS(POSTS); i++) {
        int rc;
        while ((rc = plx_post(registry, own, i)) < 0)
            CHECK_RC(rc, -EIO);
        if (i % 64 == own)
            sleep_for(PLX_USEC(1)); /* lets the waiters fall asleep */
    }
    return NULL;
}

/* Each wake is answered before the next, so that none can stand in for another. */
static void *wake_many(void *argument)
{
    plx_token own = (plx_token)(uintptr_t)argument;
    plx_waker *waker;

    CHECK_RC(plx_waker_open(registry, own, &waker), 0);
    for (int i = 0; i < ROUNDS(WAKES); i++) {
        long before = atomic_load(&received[own]);
        int rc;
        while ((rc = plx_waker_wake(waker)) < 0)
            CHECK_RC(rc, -EIO);
        while (atomic_load(&received[own]) == before)
            sched_yield();
    }
    plx_waker_release(waker);
    return NULL;
}

static void run(plx_backend backend, void *(*send)(void *), int waiters, long every)
{
    pthread_t senders[SENDERS], receivers[WAITERS];

    ordered = waiters == 1;
    seam_reset();
    atomic_store(&seam.fail_error, EIO);
    atomic_store(&seam.fail_each, every);
    atomic_store(&seam.fail_call, (int)seam_wake(backend));
    for (int i = 0; i < SENDERS; i++) {
        expected[i] = 0;
        atomic_store(&received[i], 0);
    }
    for (int i = 0; i < waiters; i++)
        receivers[i] = thread_start(wait_until_stopped, NULL);
    for (uintptr_t i = 0; i < SENDERS; i++)
        senders[i] = thread_start(send, (void *)i);
    for (int i = 0; i < SENDERS; i++)
        thread_join(senders[i]);
    for (int i = 0; i < waiters; i++)
        post_stop();
    for (int i = 0; i < waiters; i++)
        thread_join(receivers[i]);
    for (int i = 0; send == post_many && i < SENDERS; i++)
        CHECK_EQ(atomic_load(&received[i]), ROUNDS(POSTS));
    failures += atomic_load(&seam.failed);
}

int main(void)
{
    seam_install();
    watchdog_report = report;
    watchdog(100);
    for (size_t i = 0; backends_here()[i]; i++) {
        plx_options options = {.backend = backends_here()[i]->id};
        CHECK_RC(plx_poller_open(&poller, &options), 0);
        registry = plx_poller_registry(poller);
        for (int waiters = 1; waiters <= WAITERS; waiters++)
            for (long every = 2; every <= 5; every += 3) {
                check_note("%s, %d waiters, every %ld. wake fails", backends_here()[i]->name, waiters, every);
                run(options.backend, post_many, waiters, every);
                run(options.backend, wake_many, waiters, every);
            }
        plx_poller_close(poller);
        CHECK(failures > 100);
        printf("%s: %ld wakes failed\n", backends_here()[i]->name, failures);
        failures = 0;
    }
    return 0;
}
