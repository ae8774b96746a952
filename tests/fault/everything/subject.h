/* SPDX-License-Identifier: MIT */
/*
 * What the parts of stress_everything.c share. A source that ends and begins anew has another
 * number in its token; below the first living one, none may come from a wait that begins later.
 */
#ifndef TESTS_EVERYTHING_SUBJECT_H
#define TESTS_EVERYTHING_SUBJECT_H

#include "../../backends.h"
#include "../../tools.h"

#include "backend/backend.h"

enum { WORKERS = 4, WAITERS = 3, SLOTS = 8, WILD = 2, ALARMS = 4, CHANNELS = 3, SIGNALS = 2 };

/* The indices of tokens, and of what is known of the source. */
enum source {
    SLOT_0,                         /* sockets that all change, one at a time */
    WILD_0 = SLOT_0 + SLOTS,        /* sockets that all change at once */
    PING_0 = WILD_0 + WILD,         /* a socket of each worker's own */
    WAKER_0 = PING_0 + WORKERS,     /* a waker of each worker's own, and one of all */
    POST_0 = WAKER_0 + WORKERS + 1,
    ALARM_0 = POST_0 + WORKERS,
    CHANNEL_0 = ALARM_0 + WORKERS * ALARMS,
    SIGNAL_0 = CHANNEL_0 + CHANNELS,
    CHILD_0 = SIGNAL_0 + SIGNALS,
    SOURCES = CHILD_0 + WORKERS
};

typedef struct thread {
    pthread_t handle;
    random_state random;
    int index;
    _Atomic(const char *) doing; /* for the report, as the next two */
    atomic_int object;
    atomic_long operations;
} thread;

static const plx__backend *backend;
static plx_poller *poller;
static plx_registry *registry;
static atomic_bool closing; /* from now on the poller may be closed */
static _Atomic(uint32_t) first_living[SOURCES];

static void doing(thread *self, const char *what, int object)
{
    atomic_store_explicit(&self->object, object, memory_order_relaxed);
    atomic_store_explicit(&self->doing, what, memory_order_relaxed);
}

/* A hang, in words, until it comes or the poller is closed. */
#define AWAIT(self, what, object, condition) \
    for (doing(self, what, object); !(condition) && !atomic_load(&closing);) \
    sleep_for(PLX_USEC(20))

static plx_token token_of(int source, uint32_t number)
{
    return plx_token_pack(number, (uint32_t)source);
}

/* Once the end of what was before has returned. */
static void bury(int source, uint32_t living)
{
    atomic_store(&first_living[source], living);
}

/* Whether a call did it; otherwise the poller is closed. */
static bool done(int rc)
{
    if (rc != -PLX_ESHUTDOWN)
        CHECK_RC(rc, 0);
    else
        CHECK(atomic_load(&closing));
    return rc == 0;
}

static void expect(int rc, bool succeeds, int otherwise)
{
    if (rc == -PLX_ESHUTDOWN || succeeds)
        done(rc);
    else
        CHECK_RC(rc, otherwise);
}

static void raise_to(_Atomic(uint32_t) *word, uint32_t value)
{
    uint32_t was = atomic_load(word);

    while (was < value && !atomic_compare_exchange_weak(word, &was, value)) {
    }
}

#endif
