/* SPDX-License-Identifier: MIT */
/*
 * Two threads with a poller each wake one another in turn, and wait without a time limit: one
 * lost wake, and both sleep for ever.
 */
#include "os/config.h"

#include "../backends.h"
#include "../tools.h"

#include "backend/backend.h"
#include "core/core.h"

enum { TURNS = 100000 };

struct player {
    plx_poller *poller;
    plx_waker *own;
    struct player *other;
    bool serves;
    atomic_int turns;
};

static struct player players[2];

/* From a signal handler, as the last thing before the end. */
static void report(void)
{
    for (int i = 0; i < 2; i++)
        fprintf(stderr, "player %d: turn %d, wake word %#" PRIx64 ", queued: %d\n", i,
                atomic_load(&players[i].turns), plx__wake_word(&plx_poller_registry(players[i].poller)->wake),
                (int)plx__ready_any(&plx_poller_registry(players[i].poller)->ready));
}

static void *play(void *argument)
{
    struct player *self = argument;
    plx_event event;

    for (int turn = 0; turn < ROUNDS(TURNS); turn++) {
        if (self->serves)
            CHECK_RC(plx_waker_wake(self->other->own), 0);
        int count;
        while ((count = plx_poller_wait(self->poller, &event, 1, PLX_FOREVER)) == 0) {
        }
        CHECK_RC(count, 1);
        CHECK_EQ(event.token, (plx_token)(self - players));
        CHECK_EQ(event.flags, PLX_WAKER);
        if (!self->serves)
            CHECK_RC(plx_waker_wake(self->other->own), 0);
        atomic_store_explicit(&self->turns, turn + 1, memory_order_relaxed);
    }
    return NULL;
}

static void run(const plx__backend *backend)
{
    plx_options options = {.backend = backend->id};
    pthread_t threads[2];

    check_note("%s", backend->name);
    for (int i = 0; i < 2; i++) {
        players[i] = (struct player){.other = &players[1 - i], .serves = i == 0};
        CHECK_RC(plx_poller_open(&players[i].poller, &options), 0);
        CHECK_RC(plx_waker_open(plx_poller_registry(players[i].poller), (plx_token)i, &players[i].own), 0);
    }
    plx_nanos begun = plx_now();
    watchdog(50);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(play, &players[i]);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    watchdog(0);
    printf("%s: %d turns, %" PRId64 " ns each\n", backend->name, ROUNDS(TURNS),
           (plx_now() - begun) / ROUNDS(TURNS));
    for (int i = 0; i < 2; i++) {
        plx_event event;
        CHECK_RC(plx_poller_wait(players[i].poller, &event, 1, 0), 0); /* no event is left */
        plx_waker_release(players[i].own);
        plx_poller_close(players[i].poller);
    }
}

int main(void)
{
    watchdog_report = report;
    for (size_t i = 0; backends_here()[i]; i++)
        run(backends_here()[i]);
    return 0;
}
