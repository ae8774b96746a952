/* SPDX-License-Identifier: MIT */
/*
 * References of registries and wakers, given back in every order around the close of the
 * poller and at once by many threads: each block is freed once, and none is left.
 */
#include "os/config.h"

#include "../backends.h"
#include "../tools.h"

#include "backend/backend.h"

enum { THREADS = 4 };

static counted_memory memory;

static plx_poller *open_poller(const plx__backend *backend)
{
    plx_options options = {.backend = backend->id, .allocator = &memory.allocator};
    plx_poller *poller;

    counted_init(&memory);
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    return poller;
}

/* ---- Every order ------------------------------------------------------------------ */

/* The ends of six holders of one poller, numbered. */
enum end { CLOSE, RELEASE_REGISTRY, RELEASE_IDLE, RELEASE_WOKEN, RELEASE_WOKEN_AGAIN, RELEASE_LATE, ENDS };

struct holders {
    plx_poller *poller;
    plx_registry *registry;
    plx_waker *idle;
    plx_waker *woken; /* has two references, and an event */
    plx_waker *late;  /* is woken just before the first end */
    bool closed;
};

static void do_end(struct holders *held, enum end end)
{
    switch (end) {
    case CLOSE:
        plx_poller_close(held->poller);
        held->closed = true;
        break;
    case RELEASE_REGISTRY:
        plx_registry_release(held->registry);
        break;
    case RELEASE_IDLE:
        plx_waker_release(held->idle);
        break;
    case RELEASE_WOKEN:
    case RELEASE_WOKEN_AGAIN:
        CHECK_RC(plx_waker_wake(held->woken), held->closed ? -PLX_ESHUTDOWN : 0);
        plx_waker_release(held->woken);
        break;
    default:
        plx_waker_release(held->late);
        break;
    }
}

static void run_order(const plx__backend *backend, const enum end *order)
{
    struct holders held = {.poller = open_poller(backend)};
    plx_event event;

    held.registry = plx_registry_retain(plx_poller_registry(held.poller));
    CHECK(held.registry == plx_poller_registry(held.poller));
    CHECK_RC(plx_waker_open(held.registry, 1, &held.idle), 0);
    CHECK_RC(plx_waker_open(held.registry, 2, &held.woken), 0);
    CHECK_RC(plx_waker_open(held.registry, 3, &held.late), 0);
    CHECK(plx_waker_retain(held.woken) == held.woken);
    for (int i = 0; i < 3; i++) { /* some of it on the list, some of it only pushed */
        CHECK_RC(plx_post(held.registry, 4, 4), 0);
        CHECK_RC(plx_waker_wake(held.woken), 0);
    }
    CHECK_RC(plx_poller_wait(held.poller, &event, 1, PLX_SEC(10)), 1);
    CHECK_RC(plx_waker_wake(held.late), 0);
    for (int i = 0; i < ENDS; i++)
        do_end(&held, order[i]);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* Heap's way through all orders, by exchanging two at a time. */
static void every_order_of_ends_frees_everything(const plx__backend *backend)
{
    enum end order[ENDS] = {CLOSE,         RELEASE_REGISTRY,    RELEASE_IDLE,
                            RELEASE_WOKEN, RELEASE_WOKEN_AGAIN, RELEASE_LATE};
    int turn[ENDS] = {0};
    int orders = 1;

    run_order(backend, order);
    for (int i = 1; i < ENDS;) {
        if (turn[i] == i) {
            turn[i++] = 0;
            continue;
        }
        int other = i % 2 ? turn[i] : 0;
        enum end moved = order[i];
        order[i] = order[other];
        order[other] = moved;
        check_note("%s, order %d: %d %d %d %d %d %d", backend->name, orders, order[0], order[1], order[2],
                   order[3], order[4], order[5]);
        run_order(backend, order);
        orders++;
        turn[i]++;
        i = 1;
    }
    CHECK_EQ(orders, 720);
    check_note("%s, after the orders", backend->name);
}

/* ---- At once ------------------------------------------------------------------------ */

static plx_registry *shared;
static plx_waker *shared_waker;

/* Each has a reference of its own to both, and ends with giving these back. */
static void *retain_and_release(void *argument)
{
    random_state random = {(uintptr_t)argument};

    for (int i = 0; i < ROUNDS(20000); i++) {
        plx_waker *own;
        plx_registry_retain(shared);
        plx_waker_retain(shared_waker);
        if (random_below(&random, 4) == 0)
            (void)plx_waker_wake(shared_waker);
        if (random_below(&random, 16) == 0 && plx_waker_open(shared, 1, &own) == 0) {
            (void)plx_waker_wake(own);
            plx_waker_release(own);
        }
        plx_waker_release(shared_waker);
        plx_registry_release(shared);
    }
    plx_registry_release(shared);
    plx_waker_release(shared_waker);
    return NULL;
}

static void references_of_many_threads_add_up(const plx__backend *backend)
{
    pthread_t threads[THREADS];
    plx_event events[16];
    plx_poller *poller = open_poller(backend);

    shared = plx_poller_registry(poller);
    CHECK_RC(plx_waker_open(shared, 1, &shared_waker), 0);
    for (int i = 0; i < THREADS; i++) {
        plx_registry_retain(shared);
        plx_waker_retain(shared_waker);
    }
    plx_waker_release(shared_waker); /* the threads' are the last ones */
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(retain_and_release, &threads[i]);
    for (int i = 0; i < ROUNDS(5000); i++)
        CHECK(plx_poller_wait(poller, events, 16, i % 100 ? 0 : PLX_USEC(10)) >= 0);
    plx_poller_close(poller); /* in the middle of it, as far as the machine plays along */
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

int main(void)
{
    watchdog(100);
    plx_registry_release(NULL);
    plx_waker_release(NULL);
    CHECK(plx_registry_retain(NULL) == NULL);
    CHECK(plx_waker_retain(NULL) == NULL);
    for (size_t i = 0; backends_here()[i]; i++) {
        every_order_of_ends_frees_everything(backends_here()[i]);
        references_of_many_threads_add_up(backends_here()[i]);
    }
    return 0;
}
