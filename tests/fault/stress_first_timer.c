/* SPDX-License-Identifier: MIT */
/*
 * A thread that waits without a time limit, and another that starts the only timer there is, due
 * at once, just when the first falls asleep: one of the two must see the other.
 */
#include "os/config.h"

#include "../backends.h"
#include "../tools.h"

#include "backend/backend.h"
#include "core/core.h"

enum { TIMERS = 40000 };

static plx_poller *poller;
static atomic_int told;

/* From a signal handler, as the last thing before the end. */
static void report(void)
{
    plx_registry *registry = plx_poller_registry(poller);

    fprintf(stderr, "told of %d, wake word %#" PRIx64 ", timers: %d\n", atomic_load(&told),
            plx__wake_word(&registry->wake), (int)plx__timers_any(&registry->timers));
}

static void *sleep_for_each(void *unused)
{
    plx_event event;

    for (int i = 0; i < ROUNDS(TIMERS); i++) {
        int count;
        while ((count = plx_poller_wait(poller, &event, 1, PLX_FOREVER)) == 0) {
        }
        CHECK_RC(count, 1);
        CHECK(event.flags == PLX_TIMER && event.token == (plx_token)i);
        atomic_store_explicit(&told, i + 1, memory_order_relaxed);
    }
    return unused;
}

static void run(const plx__backend *backend)
{
    plx_options options = {.backend = backend->id};
    random_state random = {7};

    check_note("%s", backend->name);
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    atomic_store(&told, 0);
    watchdog(80);
    pthread_t thread = thread_start(sleep_for_each, NULL);
    for (int i = 0; i < ROUNDS(TIMERS); i++) {
        plx_timer timer;
        for (int looks = 0; atomic_load_explicit(&told, memory_order_relaxed) < i; looks++)
            if (looks > 1000)
                sched_yield();
        for (volatile uint32_t moment = random_below(&random, 1u << random_below(&random, 9)); moment > 0;)
            moment = moment - 1;
        CHECK_RC(plx_timer_start(plx_poller_registry(poller), (plx_token)i, 0, 0, &timer), 0);
    }
    thread_join(thread);
    watchdog(0);
    plx_poller_close(poller);
}

int main(void)
{
    watchdog_report = report;
    for (size_t i = 0; backends_here()[i]; i++)
        run(backends_here()[i]);
    return 0;
}
