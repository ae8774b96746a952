/* SPDX-License-Identifier: MIT */
/*
 * Every system call that the library makes in a set of scenarios is made to fail, one at a
 * time, with each error that it may have; and so is every allocation. The library returns an
 * error or copes, leaks nothing, hangs nowhere, and works afterwards.
 *
 * A scenario is run once to count its calls, then once for each call and error. A fault that
 * is never met fails the test; with a thread beside it the number of calls varies a little,
 * and there are a few attempts.
 */
#include "os/config.h"

#include "../backends.h"
#include "../seam_errors.h"
#include "scenarios.h"

enum { ATTEMPTS = 20 };

/* What is to fail in a run: a call, or with SEAM_CALLS an allocation. */
struct fault {
    int call;
    long number; /* from 1; 0: nothing */
    int error;
};

static struct world world;
static long injected;
static long made[SEAM_CALLS + 1]; /* by the scenario in the last run */

/* ---- One run --------------------------------------------------------------------------- */

/* Takes what is there until a wait finds nothing. */
static void empty(void)
{
    int waits = 0;

    drain(world.anchor[0]);
    drain(world.other[0]);
    while (plx_poller_wait(world.poller, world.events, 8, 0) != 0)
        CHECK(++waits < 100);
}

/* With the fault over: everything works, and what was registered still is. */
static void works(void)
{
    plx_waker *waker;

    empty();
    if (plx_lookup(world.registry, world.other[0], NULL, NULL) == 0)
        CHECK_RC(plx_deregister(world.registry, world.other[0]), 0);
    put_byte(world.anchor[1]);
    world_await(&world, ANCHOR);
    empty();
    CHECK_RC(plx_register(world.registry, world.other[0], OTHER, PLX_READABLE | PLX_ONESHOT), 0);
    put_byte(world.other[1]);
    world_await(&world, OTHER);
    CHECK_RC(plx_deregister(world.registry, world.other[0]), 0);
    empty();
    CHECK_RC(plx_post(world.registry, POSTED, 9), 0);
    CHECK_RC(plx_waker_open(world.registry, WOKEN, &waker), 0);
    CHECK_RC(plx_waker_wake(waker), 0);
    CHECK_RC(plx_poller_wait(world.poller, world.events, 8, PLX_FOREVER), 2);
    plx_waker_release(waker);
    CHECK_RC(plx_notify(world.registry), 0);
    CHECK_RC(plx_poller_wait(world.poller, world.events, 8, PLX_FOREVER), 0);

    pthread_t thread = world_sleeper(&world);
    CHECK_RC(plx_register(world.registry, world.other[0], OTHER, PLX_WRITABLE), 0);
    thread_join(thread);
    CHECK_EQ(world.rc, 1);
    CHECK_RC(plx_deregister(world.registry, world.other[0]), 0);
    CHECK_RC(plx_poller_wait(world.poller, world.events, 8, PLX_USEC(100)), 0);
}

/* Whether the fault was met. */
static bool run(const scenario *tried, const plx__backend *backend, const struct fault *fault)
{
    watchdog(10);
    world.backend = backend;
    counted_init(&world.memory);
    atomic_store(&world.over, 0);
    open_pair(world.anchor);
    open_pair(world.other);
    int descriptors = descriptors_open();

    if (!tried->bare) {
        CHECK_RC(world_open(&world), 0);
        CHECK_RC(plx_register(world.registry, world.anchor[0], ANCHOR, PLX_READABLE), 0);
    }
    seam_reset();
    atomic_store(&world.memory.calls, 0);
    if (fault->call < SEAM_CALLS)
        seam_fail((enum seam_call)fault->call, fault->number, fault->error);
    else
        atomic_store(&world.memory.refuse, fault->number);
    tried->run(&world);
    for (int call = 0; call < SEAM_CALLS; call++)
        made[call] = atomic_load(&seam.made[call]);
    made[SEAM_CALLS] = atomic_load(&world.memory.calls);
    bool met = atomic_load(&seam.failed) || atomic_load(&world.memory.refused);

    atomic_store(&seam.fail_call, SEAM_CALLS);
    atomic_store(&world.memory.refuse, 0);
    if (tried->bare) {
        CHECK_RC(world_open(&world), 0);
        CHECK_RC(plx_register(world.registry, world.anchor[0], ANCHOR, PLX_READABLE), 0);
    }
    atomic_store(&world.over, 0);
    works();
    plx_poller_close(world.poller);
    CHECK_EQ(descriptors_open(), descriptors);
    CHECK_EQ(atomic_load(&world.memory.live), 0);
    close_pair(world.anchor);
    close_pair(world.other);
    return met;
}

/* ---- All runs ---------------------------------------------------------------------------- */

/* What each of so many runs makes, by itself: some of it is between threads. */
static void count(const scenario *tried, const plx__backend *backend, int runs, long counted[SEAM_CALLS + 1])
{
    for (int i = 0; i < runs; i++) {
        (void)run(tried, backend, &(struct fault){.call = SEAM_CALLS});
        for (int call = 0; call <= SEAM_CALLS; call++)
            if (i == 0 || made[call] < counted[call])
                counted[call] = made[call];
    }
}

static void inject(const scenario *tried, const plx__backend *backend, const struct fault *fault)
{
    bool met = false;
    long counted[SEAM_CALLS + 1];

    check_note("%s, %s, %s number %ld%s%s", backend->name, tried->name,
               fault->call < SEAM_CALLS ? seam_names[fault->call] : "allocation", fault->number,
               fault->error ? " fails: " : "", fault->error ? strerror(fault->error) : "");
    for (int attempt = 0; attempt < ATTEMPTS && !met; attempt++)
        met = run(tried, backend, fault);
    if (!met) { /* on a busy machine the first runs may have made more */
        count(tried, backend, ATTEMPTS, counted);
        CHECK(counted[fault->call] < fault->number);
    }
    injected += met;
}

static void inject_all(const scenario *tried, const plx__backend *backend)
{
    long counted[SEAM_CALLS + 1];

    check_note("%s, %s, no fault", backend->name, tried->name);
    count(tried, backend, 3, counted);
    for (int call = 0; call < SEAM_CALLS; call++)
        for (long number = 1; number <= counted[call]; number++)
            for (int i = 0; i < SEAM_ERRORS && seam_errors[call][i]; i++)
                inject(tried, backend, &(struct fault){call, number, seam_errors[call][i]});
    for (long number = 1; number <= counted[SEAM_CALLS]; number++)
        inject(tried, backend, &(struct fault){.call = SEAM_CALLS, .number = number});
}

/* each_call [BACKEND] */
int main(int argc, char **argv)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* for large numbers, as far as it is allowed */
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    seam_install();
    for (size_t i = 0; backends_here()[i]; i++) {
        long before = injected;
        if (argc > 1 && strcmp(argv[1], backends_here()[i]->name) != 0)
            continue;
        for (size_t j = 0; j < sizeof scenarios / sizeof scenarios[0]; j++)
            if ((!scenarios[j].epoll_only || backends_here()[i]->id == PLX_BACKEND_EPOLL) &&
                (!scenarios[j].told_only || PLX__HAS_INOTIFY))
                inject_all(&scenarios[j], backends_here()[i]);
        printf("%s: %ld faults\n", backends_here()[i]->name, injected - before);
    }
    if (!injected)
        SKIP("the system does not have this backend");
    printf("%ld faults injected\n", injected);
    return 0;
}
