/* SPDX-License-Identifier: MIT */
/*
 * What each_call.c does again and again while one call or one allocation fails. A scenario
 * accepts an error from any function of the library, and checks what an error promises: that
 * nothing was changed. What succeeded must work.
 */
#ifndef FAULT_SCENARIOS_H
#define FAULT_SCENARIOS_H

#include "../seam.h"

#include "backend/backend.h"
#include "core/core.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    ANCHOR = 1,
    OTHER = 2,
    THIRD = 3,
    POSTED = 4,
    WOKEN = 5,
    TIMED = 6,
    SENT = 9,
    SIGNALLED = 10,
    ENDED = 11,
    WATCHED = 12
};

/* A poller with one registration, the anchor, which no fault may harm. */
struct world {
    const plx__backend *backend;
    counted_memory memory;
    plx_poller *poller;
    plx_registry *registry;
    int anchor[2], other[2];
    plx_event events[8];
    int rc; /* of the thread's wait */
    atomic_int over;
};

typedef struct scenario {
    const char *name;
    void (*run)(struct world *world);
    bool bare; /* the poller is opened, or closed, by the scenario itself */
    bool epoll_only;
    bool told_only; /* takes a second for each fault where the kernel does not tell of changes */
} scenario;

static inline int world_open(struct world *world)
{
    plx_options options = {.backend = world->backend->id, .allocator = &world->memory.allocator};
    int rc = plx_poller_open(&world->poller, &options);

    if (rc < 0)
        world->poller = NULL;
    world->registry = plx_poller_registry(world->poller);
    return rc;
}

/* What never reaches a caller: such a call is made again, or its failure means nothing. */
static inline int usual(int rc)
{
    CHECK(rc != -EINTR && rc != -EAGAIN);
    return rc;
}

/* Whether an event with this token is among the first `count`. */
static inline bool world_has(const struct world *world, int count, plx_token token)
{
    for (int i = 0; i < count; i++)
        if (world->events[i].token == token && world->events[i].flags)
            return true;
    return false;
}

/* Waits, without an end, for an event with this token; waits that fail are repeated. */
static inline void world_await(struct world *world, plx_token token)
{
    int count;

    do
        count = usual(plx_poller_wait(world->poller, world->events, 8, PLX_FOREVER));
    while (!world_has(world, count, token));
}

/* ---- Registering -------------------------------------------------------------------- */

static inline void run_register(struct world *world)
{
    int fd = world->other[0];
    int rc = plx_register(world->registry, fd, OTHER, PLX_READABLE);

    put_byte(world->other[1]);
    CHECK_RC(plx_lookup(world->registry, fd, NULL, NULL), rc < 0 ? -ENOENT : 0);
    if (rc == 0)
        world_await(world, OTHER);
    else
        CHECK(plx_poller_wait(world->poller, world->events, 8, 0) <= 0);
}

/* The change of an anchor that is ready: with the new token, or after an error with the old. */
static inline void change_anchor(struct world *world,
                                 int (*change)(plx_registry *, plx_fd, plx_token, uint32_t), uint32_t before,
                                 uint32_t after)
{
    int fd = world->anchor[0];
    plx_token token = 0;

    put_byte(world->anchor[1]);
    if (plx_reregister(world->registry, fd, ANCHOR, before) < 0)
        before = PLX_READABLE;
    int rc = change(world->registry, fd, OTHER, after);
    CHECK_RC(plx_lookup(world->registry, fd, &token, NULL), 0);
    CHECK_EQ(token, rc < 0 ? ANCHOR : OTHER);
    world_await(world, token);
    while (usual(plx_reregister(world->registry, fd, ANCHOR, PLX_READABLE)) < 0) {
    }
}

static inline void run_reregister(struct world *world)
{
    change_anchor(world, plx_reregister, PLX_READABLE, PLX_READABLE | PLX_WRITABLE);
}

static inline void run_reregister_oneshot(struct world *world)
{
    change_anchor(world, plx_reregister, PLX_READABLE | PLX_ONESHOT, PLX_READABLE | PLX_ONESHOT);
}

static inline void run_reregister_edge(struct world *world)
{
    change_anchor(world, plx_reregister, PLX_READABLE | PLX_EDGE, PLX_READABLE | PLX_EDGE);
}

static inline void run_reregister_exclusive(struct world *world)
{
    change_anchor(world, plx_reregister, PLX_READABLE | PLX_EXCLUSIVE, PLX_READABLE | PLX_EXCLUSIVE);
}

static inline void run_reregister_native(struct world *world)
{
    change_anchor(world, plx_reregister_native, PLX_READABLE, PLX_READABLE | PLX_EDGE);
}

static inline void run_oneshot(struct world *world)
{
    if (plx_register(world->registry, world->other[0], OTHER, PLX_READABLE | PLX_ONESHOT) < 0)
        return;
    for (int i = 0; i < 3; i++) {
        put_byte(world->other[1]);
        world_await(world, OTHER);
        int count = plx_poller_wait(world->poller, world->events, 8, 0);
        CHECK(!world_has(world, count, OTHER)); /* whatever failed, it has reported */
        while (usual(plx_enable(world->registry, world->other[0], 0)) < 0) {
        }
        world_await(world, OTHER);
        drain(world->other[0]);
        while (usual(plx_enable(world->registry, world->other[0], 0)) < 0) {
        }
    }
}

static inline void run_enable_and_disable(struct world *world)
{
    uint32_t interest, expected = PLX_READABLE;
    int fd = world->anchor[0];

    if (plx_enable(world->registry, fd, PLX_WRITABLE) == 0)
        expected |= PLX_WRITABLE;
    CHECK_RC(plx_lookup(world->registry, fd, NULL, &interest), 0);
    CHECK_EQ(interest, expected);
    if (plx_disable(world->registry, fd, PLX_READABLE) == 0)
        expected &= ~PLX_READABLE;
    CHECK_RC(plx_lookup(world->registry, fd, NULL, &interest), 0);
    CHECK_EQ(interest, expected);
    if (expected & PLX_WRITABLE)
        world_await(world, ANCHOR);
    while (usual(plx_reregister(world->registry, fd, ANCHOR, PLX_READABLE)) < 0) {
    }
}

static inline void run_deregister(struct world *world)
{
    int fd = world->other[0];

    if (plx_register(world->registry, fd, OTHER, PLX_READABLE) < 0)
        return;
    put_byte(world->other[1]);
    int rc = plx_deregister(world->registry, fd);
    CHECK_RC(plx_lookup(world->registry, fd, NULL, NULL), rc < 0 ? 0 : -ENOENT);
    if (rc < 0)
        world_await(world, OTHER);
    while (rc < 0)
        rc = plx_deregister(world->registry, fd);
    CHECK(plx_poller_wait(world->poller, world->events, 8, 0) <= 0);
}

static inline void run_native(struct world *world)
{
    if (plx_register_native(world->registry, world->other[0], OTHER, PLX_READABLE | PLX_ONESHOT) < 0)
        return;
    put_byte(world->other[1]);
    world_await(world, OTHER);
    while (usual(plx_reregister_native(world->registry, world->other[0], THIRD, PLX_READABLE | PLX_EDGE)) <
           0) {
    }
    world_await(world, THIRD);
}

/* Numbers further and further up: the table and what a backend keeps have to grow. */
static inline void run_register_many(struct world *world)
{
    static const int numbers[] = {200, 1500, 3000, 18000, 19999};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (dup2(world->other[0], numbers[i]) < 0)
            continue;
        int rc = plx_register(world->registry, numbers[i], OTHER, PLX_READABLE);
        CHECK_RC(plx_lookup(world->registry, numbers[i], NULL, NULL), rc < 0 ? -ENOENT : 0);
        if (rc == 0) {
            put_byte(world->other[1]);
            world_await(world, OTHER);
            drain(world->other[0]);
            while (usual(plx_deregister(world->registry, numbers[i])) < 0) {
            }
        }
        close(numbers[i]);
    }
    int copies[80], count = 0;
    for (int i = 0; i < 80; i++) {
        copies[count] = dup(world->other[0]);
        count += copies[count] >= 0;
    }
    put_byte(world->other[1]);
    for (int i = 0; i < count; i++)
        if (plx_register(world->registry, copies[i], (plx_token)(100 + i), PLX_READABLE) == 0 && i % 16 == 0)
            while (plx_poller_wait(world->poller, world->events, 8, PLX_FOREVER) <= 0) {
            }
    for (int i = 0; i < count; i++) {
        while (plx_lookup(world->registry, copies[i], NULL, NULL) == 0)
            (void)plx_deregister(world->registry, copies[i]);
        close(copies[i]);
    }
}

/* ---- Waiting ------------------------------------------------------------------------- */

static inline void run_wait_now(struct world *world)
{
    CHECK(plx_poller_wait(world->poller, world->events, 8, 0) <= 0);
    put_byte(world->anchor[1]);
    int count = plx_poller_wait(world->poller, world->events, 8, 0);
    CHECK(count < 0 || count == 1 || atomic_load(&seam.failed));
}

static inline void run_wait_finite(struct world *world)
{
    for (int i = 1; i <= 3; i++) {
        plx_nanos begun = plx_now();
        int rc = usual(plx_poller_wait(world->poller, world->events, 8, PLX_USEC(700) * i));
        CHECK(rc <= 0);
        CHECK(rc < 0 || plx_now() - begun >= PLX_USEC(700) * i);
    }
    put_byte(world->anchor[1]);
    int count = plx_poller_wait(world->poller, world->events, 8, PLX_SEC(60));
    CHECK(count < 0 || world_has(world, count, ANCHOR));
}

static inline void run_wait_forever(struct world *world)
{
    put_byte(world->anchor[1]);
    world_await(world, ANCHOR);
    if (plx_post(world->registry, POSTED, 0) == 0)
        world_await(world, POSTED);
    world_await(world, ANCHOR);
}

/* ---- Sending to a thread that sleeps --------------------------------------------------- */

static inline void *world_thread(void *argument)
{
    struct world *world = argument;

    do
        world->rc = usual(plx_poller_wait(world->poller, world->events, 8, PLX_FOREVER));
    while (world->rc < 0 && world->rc != -ECANCELED);
    atomic_store(&world->over, 1);
    return NULL;
}

static inline pthread_t world_sleeper(struct world *world)
{
    pthread_t thread = thread_start(world_thread, world);

    while (!(plx__wake_word(&world->registry->wake) & PLX__SLEEPING_MASK))
        sleep_for(PLX_USEC(50));
    sleep_for(PLX_USEC(500));
    return thread;
}

static inline void run_post_to_a_sleeper(struct world *world)
{
    pthread_t thread = world_sleeper(world);

    while (usual(plx_post(world->registry, POSTED, 1)) < 0) {
    }
    thread_join(thread);
    CHECK_EQ(world->rc, 1); /* those that failed left nothing */
    CHECK(world_has(world, 1, POSTED));
}

static inline void run_wake_a_sleeper(struct world *world)
{
    plx_waker *waker;

    if (plx_waker_open(world->registry, WOKEN, &waker) < 0)
        return;
    pthread_t thread = world_sleeper(world);
    while (usual(plx_waker_wake(waker)) < 0) {
    }
    thread_join(thread);
    CHECK_EQ(world->rc, 1);
    CHECK(world_has(world, 1, WOKEN));
    plx_waker_release(waker);
}

static inline void run_notify_a_sleeper(struct world *world)
{
    pthread_t thread = world_sleeper(world);

    while (usual(plx_notify(world->registry)) < 0) {
    }
    thread_join(thread);
    CHECK_EQ(world->rc, 0);
}

/* A register that succeeded acts on a wait that is blocked, though nobody wakes it otherwise. */
static inline void run_register_under_a_sleeper(struct world *world)
{
    pthread_t thread = world_sleeper(world);

    put_byte(world->other[1]);
    while (usual(plx_register(world->registry, world->other[0], OTHER, PLX_READABLE)) < 0) {
    }
    thread_join(thread);
    CHECK_EQ(world->rc, 1);
    CHECK(world_has(world, 1, OTHER));
}

static inline void run_reregister_under_a_sleeper(struct world *world)
{
    pthread_t thread = world_sleeper(world);

    while (usual(plx_reregister(world->registry, world->anchor[0], OTHER, PLX_READABLE | PLX_WRITABLE)) < 0) {
    }
    thread_join(thread);
    CHECK(world_has(world, world->rc, OTHER));
    while (usual(plx_reregister(world->registry, world->anchor[0], ANCHOR, PLX_READABLE)) < 0) {
    }
}

static inline void run_deregister_under_a_sleeper(struct world *world)
{
    if (plx_register(world->registry, world->other[0], OTHER, PLX_READABLE) < 0)
        return;
    pthread_t thread = world_sleeper(world);
    while (usual(plx_deregister(world->registry, world->other[0])) < 0) {
    }
    put_byte(world->other[1]);
    sleep_for(PLX_USEC(500));
    CHECK_EQ(atomic_load(&world->over), 0);
    while (usual(plx_notify(world->registry)) < 0) {
    }
    thread_join(thread);
    CHECK_EQ(world->rc, 0);
}

/* ---- Life ------------------------------------------------------------------------------ */

static inline void run_open_and_close(struct world *world)
{
    if (world_open(world) < 0)
        return;
    plx_poller_close(world->poller);
    world->poller = NULL;
}

static inline void run_close_under_a_sleeper(struct world *world)
{
    if (world_open(world) < 0)
        return;
    (void)plx_register(world->registry, world->anchor[0], ANCHOR, PLX_READABLE);
    (void)plx_post(world->registry, POSTED, 0);
    (void)plx_poller_wait(world->poller, world->events, 8, 0);
    while (plx_poller_wait(world->poller, world->events, 8, 0) != 0) {
    }
    pthread_t thread = world_sleeper(world);
    plx_poller_close(world->poller);
    thread_join(thread);
    CHECK_RC(world->rc, -ECANCELED);
    world->poller = NULL;
}

static inline void run_nested(struct world *world)
{
    plx_options options = {.backend = world->backend->id, .allocator = &world->memory.allocator};
    plx_poller *outer;
    plx_event event;

    int inner = plx_poller_descriptor(world->poller);
    if (inner < 0 || plx_poller_open(&outer, &options) < 0)
        return;
    if (plx_register(plx_poller_registry(outer), inner, OTHER, PLX_READABLE) == 0) {
        while (usual(plx_post(world->registry, POSTED, 0)) < 0) {
        }
        while (plx_poller_wait(outer, &event, 1, PLX_FOREVER) != 1) {
        }
        CHECK_EQ(event.token, OTHER);
        world_await(world, POSTED);
    }
    plx_poller_close(outer);
}

/* A timer that nobody waits for yet, one that is put off, one that is cancelled. */
static inline void run_timers(struct world *world)
{
    plx_timer timers[3];

    for (int i = 0; i < 3; i++)
        while (usual(plx_timer_start(world->registry, TIMED + (plx_token)i, PLX_MSEC(50 + i), 0, &timers[i])) < 0) {
        }
    CHECK_RC(usual(plx_timer_cancel(world->registry, timers[0])), 0);
    while (usual(plx_timer_restart(world->registry, timers[1], PLX_USEC(200), 0)) < 0) {
    }
    world_await(world, TIMED + 1);
    (void)plx_timer_cancel(world->registry, timers[2]);
}

/* The same inside another loop: the alarm is set. */
static inline void run_nested_timers(struct world *world)
{
    if (plx_poller_descriptor(world->poller) >= 0)
        run_timers(world);
}

/* ---- Channels --------------------------------------------------------------------------- */

/* Without memory a send leaves nothing; with it, it is heard, though the wake may fail. */
static inline void send_until_it_succeeds(plx_sender *sender, int64_t number)
{
    int rc;

    while ((rc = plx_sender_send(sender, &number)) != 0)
        CHECK_RC(rc, -ENOMEM);
}

static inline bool channel_of(struct world *world, const size_t *bound, plx_sender **sender, plx_receiver **receiver)
{
    int rc = bound ? plx_channel_open_bounded(world->registry, SENT, sizeof(int64_t), *bound, sender, receiver)
                   : plx_channel_open(world->registry, SENT, sizeof(int64_t), sender, receiver);

    CHECK(rc == 0 || rc == -ENOMEM);
    return rc == 0;
}

/* As many as need several blocks, then to the end, which is reported. */
static inline void send_and_receive(struct world *world, const size_t *bound)
{
    plx_sender *sender;
    plx_receiver *receiver;
    int64_t number;

    if (!channel_of(world, bound, &sender, &receiver))
        return;
    for (int64_t i = 0; i < 400; i++)
        send_until_it_succeeds(sender, i);
    world_await(world, SENT);
    for (int64_t i = 0; i < 400; i++) {
        CHECK_RC(plx_receiver_recv(receiver, &number), 0);
        CHECK_EQ(number, i);
    }
    CHECK_RC(plx_receiver_recv(receiver, &number), -EAGAIN);
    send_until_it_succeeds(sender, 400);
    plx_sender_release(sender);
    world_await(world, SENT);
    CHECK_RC(plx_receiver_recv(receiver, &number), 0);
    CHECK_RC(plx_receiver_recv(receiver, &number), -EPIPE);
    plx_receiver_close(receiver);
}

static inline void run_channel(struct world *world)
{
    send_and_receive(world, NULL);
}

static inline void run_bounded_channel(struct world *world)
{
    send_and_receive(world, &(size_t){1000});
}

static inline void run_send_to_a_sleeper(struct world *world)
{
    plx_sender *sender;
    plx_receiver *receiver;
    int64_t number;

    if (!channel_of(world, NULL, &sender, &receiver))
        return;
    pthread_t thread = world_sleeper(world);
    send_until_it_succeeds(sender, 1);
    if (atomic_load(&seam.failed))
        send_until_it_succeeds(sender, 2);
    thread_join(thread);
    CHECK_EQ(world->rc, 1);
    CHECK(world_has(world, 1, SENT));
    CHECK_RC(plx_receiver_recv(receiver, &number), 0);
    CHECK_EQ(number, 1);
    plx_receiver_close(receiver);
    plx_sender_release(sender);
}

struct offering {
    plx_sender *sender;
    int rc;
};

static inline void *offer_two(void *argument)
{
    struct offering *offering = argument;
    int64_t number = 1;

    offering->rc = plx_sender_send(offering->sender, &number);
    if (offering->rc == 0 && number++)
        offering->rc = plx_sender_send(offering->sender, &number);
    return NULL;
}

/* A sender that waits: for room, for the receiver, or for its close. */
static inline void run_offers(struct world *world)
{
    for (size_t bound = 0; bound <= 1; bound++) {
        struct offering offering;
        plx_receiver *receiver;
        int64_t number;
        if (!channel_of(world, &bound, &offering.sender, &receiver))
            continue;
        pthread_t thread = thread_start(offer_two, &offering);
        while (plx_receiver_recv(receiver, &number) < 0 && !atomic_load(&world->memory.refused))
            sched_yield();
        plx_receiver_close(receiver);
        thread_join(thread);
        CHECK(offering.rc == 0 || offering.rc == -EPIPE || offering.rc == -ENOMEM);
        plx_sender_release(offering.sender);
    }
}

/* ---- Signals and processes --------------------------------------------------------------- */

/* If the call failed that puts an action back, the handler stays; the next run is not to meet it. */
static inline void signals_reset(void)
{
    CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    CHECK(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static inline void run_signals(struct world *world)
{
    const int numbers[] = {SIGUSR1, SIGCHLD};
    plx_signals *signals;
    plx_signal_info info;
    struct sigaction before, after;

    CHECK(sigaction(SIGUSR1, NULL, &before) == 0);
    if (plx_signals_open(world->registry, SIGNALLED, numbers, 2, &signals) < 0) {
        CHECK(sigaction(SIGUSR1, NULL, &after) == 0 && after.sa_handler == before.sa_handler);
        return;
    }
    for (int i = 0; i < 2; i++) {
        CHECK(raise(SIGUSR1) == 0);
        world_await(world, SIGNALLED);
        CHECK_RC(plx_signals_next(signals, &info), 0);
        CHECK_EQ(info.number, SIGUSR1);
        CHECK_RC(plx_signals_next(signals, &info), -EAGAIN);
    }
    plx_signals_close(signals);
    signals_reset();
}

/* The handler's wake fails, and is repeated. */
static inline void run_signal_to_a_sleeper(struct world *world)
{
    const int number = SIGUSR1;
    plx_signals *signals;

    if (plx_signals_open(world->registry, SIGNALLED, &number, 1, &signals) < 0)
        return;
    pthread_t thread = world_sleeper(world);
    CHECK(raise(SIGUSR1) == 0);
    thread_join(thread);
    CHECK_EQ(world->rc, 1);
    CHECK(world_has(world, 1, SIGNALLED));
    plx_signals_close(signals);
    signals_reset();
}

/* Whatever failed, the end is told and, once asked for, known; an error left the child to us. */
static inline void run_process(struct world *world)
{
    plx_process *process;
    plx_exit status;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0)
        _exit(3);
    if (plx_process_open(world->registry, ENDED, child, &process) < 0) {
        CHECK_EQ(waitpid(child, NULL, 0), child);
        return;
    }
    world_await(world, ENDED);
    while (usual(plx_process_status(process, &status)) < 0) {
    }
    CHECK(status.code == 3 && status.signal == 0);
    CHECK_RC(plx_process_status(process, &status), 0); /* reaped now, if it was not before */
    CHECK(waitpid(child, NULL, WNOHANG) == -1 && errno == ECHILD);
    plx_process_close(process);
    signals_reset();
}

#if PLX__HAS_KQUEUE
static inline int kevent_without_processes(int kq, const struct kevent *changes, int change_count,
                                           struct kevent *events, int capacity, const struct timespec *timeout)
{
    if (change_count == 0 || changes->filter != EVFILT_PROC)
        return seam_kevent(kq, changes, change_count, events, capacity, timeout);
    errno = EACCES;
    return -1;
}

static inline void run_process_by_number(struct world *world)
{
    plx__kqueue.kevent = kevent_without_processes;
    run_process(world);
    plx__kqueue.kevent = seam_kevent;
}
#elif PLX__HAS_PIDFD
static inline int pidfd_missing(pid_t pid, unsigned flags)
{
    (void)pid;
    (void)flags;
    errno = ENOSYS;
    return -1;
}

static inline void run_process_by_number(struct world *world)
{
    plx__linux.pidfd_open = pidfd_missing;
    run_process(world);
    plx__linux.pidfd_open = seam_pidfd_open;
}
#else
#define run_process_by_number run_process
#endif

/* The poller is closed first, and closes what its processes and signals have. */
static inline void run_close_with_sources(struct world *world)
{
    const int number = SIGUSR1;
    plx_signals *signals = NULL;
    plx_process *process = NULL;

    if (world_open(world) < 0)
        return;
    (void)plx_signals_open(world->registry, SIGNALLED, &number, 1, &signals);
    (void)plx_process_open(world->registry, ENDED, getpid(), &process);
    plx_poller_close(world->poller);
    world->poller = NULL;
    plx_signals_close(signals);
    plx_process_close(process);
    signals_reset();
}

/* A number closed while its file lives on, then the renewal of the kernel's set. */
static inline void run_rebuild(struct world *world)
{
    int fd = world->other[0];
    int kept = dup(fd);

    CHECK(kept >= 0);
    int rc = plx_register(world->registry, fd, OTHER, PLX_READABLE);
    put_byte(world->other[1]);
    CHECK(close(fd) == 0);
    if (rc == 0)
        while (usual(plx_deregister(world->registry, fd)) < 0) {
        }
    for (int i = 0; i < 3; i++)
        CHECK(plx_poller_wait(world->poller, world->events, 8, PLX_MSEC(1)) <= 0);
    put_byte(world->anchor[1]);
    world_await(world, ANCHOR);
    CHECK_EQ(dup2(kept, fd), fd);
    CHECK(close(kept) == 0);
}

/* The number is another file by now, and registered anew, while the old file is ready. */
static inline void run_reuse(struct world *world)
{
    int fd = world->other[0], fresh[2];
    int kept = dup(fd);

    CHECK(kept >= 0);
    bool registered = plx_register(world->registry, fd, OTHER, PLX_READABLE) == 0;
    put_byte(world->other[1]);
    open_pair(fresh);
    CHECK_EQ(dup2(fresh[0], fd), fd);
    if (plx_register(world->registry, fd, THIRD, PLX_READABLE) == 0) {
        put_byte(fresh[1]);
        world_await(world, THIRD);
        registered = true;
    }
    put_byte(world->anchor[1]);
    world_await(world, ANCHOR);
    drain(fd);
    if (registered)
        while (usual(plx_deregister(world->registry, fd)) < 0) {
        }
    CHECK_EQ(dup2(kept, fd), fd);
    CHECK(close(kept) == 0);
    close_pair(fresh);
}

/* ---- Paths ------------------------------------------------------------------------------ */

static inline void path_in(char *path, size_t size, const char *folder, const char *name)
{
    CHECK(snprintf(path, size, "%s/%s", folder, name) < (int)size);
}

/* "+name" makes a folder, "=name" a file, "-name" removes either; in this folder. */
static inline void path_do(const char *folder, const char *what)
{
    char path[256];

    path_in(path, sizeof path, folder, what + 1);
    if (*what == '+') {
        CHECK(mkdir(path, 0700) == 0);
    } else if (*what == '-') {
        CHECK(remove(path) == 0);
    } else {
        int fd = open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
        CHECK(fd >= 0 && close(fd) == 0);
    }
}

/* Reads until this is told, or an overflow, which is as good: the program looks again. */
static inline void path_await(struct world *world, plx_paths *paths, const char *name)
{
    plx_path_change change = {.name = ""};
    bool told = false;

    while (!told) {
        int rc = plx_paths_next(paths, &change);
        CHECK(rc != -EINTR);
        told = rc == 0 && (change.changes == PLX_PATH_OVERFLOW || strcmp(change.name, name) == 0);
        if (rc == -EAGAIN)
            (void)usual(plx_poller_wait(world->poller, world->events, 8, PLX_MSEC(300)));
    }
}

/*
 * A tree is watched, grows, loses a part and is watched no more. An add that fails has left
 * nothing; what one that succeeded cannot do is told as an overflow, and mended by itself.
 */
static inline void run_paths(struct world *world)
{
    char folder[] = "/tmp/pollux.XXXXXX";
    plx_paths *paths;
    int flat = 0, deep = 0;

    CHECK(mkdtemp(folder) != NULL);
    path_do(folder, "+a");
    path_do(folder, "+a/b");
    if (plx_paths_open(world->registry, WATCHED, &paths) == 0) {
        int rc = usual(plx_paths_add(paths, folder, PLX_PATH_CREATED | PLX_PATH_SELF_GONE, &flat));
        CHECK((rc == 0) == (flat != 0));
        while (flat == 0)
            (void)plx_paths_add(paths, folder, PLX_PATH_CREATED | PLX_PATH_SELF_GONE, &flat);
        while (deep == 0)
            (void)plx_paths_add(paths, folder, PLX_PATH_CREATED | PLX_PATH_DELETED | PLX_PATH_RECURSIVE, &deep);
        path_do(folder, "+a/c");
        path_do(folder, "+a/c/d");
        path_do(folder, "=a/c/d/file");
        path_await(world, paths, "a/c/d/file");
        path_do(folder, "=now");
        path_await(world, paths, "now");
        path_do(folder, "=a/c/d/more"); /* whatever failed has been tried again */
        path_await(world, paths, "a/c/d/more");
        CHECK_RC(plx_paths_remove(paths, flat), 0);
        CHECK_RC(plx_paths_remove(paths, deep), 0);
        plx_paths_close(paths);
        path_do(folder, "-a/c/d/more");
        path_do(folder, "-a/c/d/file");
        path_do(folder, "-a/c/d");
        path_do(folder, "-a/c");
        path_do(folder, "-now");
    }
    path_do(folder, "-a/b");
    path_do(folder, "-a");
    CHECK(rmdir(folder) == 0);
}

/* The poller goes first. */
static inline void run_close_under_paths(struct world *world)
{
    plx_paths *paths;
    plx_path_change change;
    int watch;

    if (world_open(world) < 0)
        return;
    if (plx_paths_open(world->registry, WATCHED, &paths) == 0) {
        (void)plx_paths_add(paths, "/etc/passwd", PLX_PATH_ATTRIBUTES, &watch);
        plx_poller_close(world->poller);
        CHECK(plx_paths_next(paths, &change) < 0);
        plx_paths_close(paths);
    } else {
        plx_poller_close(world->poller);
    }
    world->poller = NULL;
}

static const scenario scenarios[] = {
    {.name = "open and close", .run = run_open_and_close, .bare = true},
    {.name = "close under a sleeper", .run = run_close_under_a_sleeper, .bare = true},
    {.name = "register", .run = run_register},
    {.name = "reregister", .run = run_reregister},
    {.name = "reregister a oneshot", .run = run_reregister_oneshot},
    {.name = "reregister an edge", .run = run_reregister_edge, .epoll_only = true},
    {.name = "reregister an exclusive", .run = run_reregister_exclusive, .epoll_only = true},
    {.name = "reregister natively", .run = run_reregister_native, .epoll_only = true},
    {.name = "oneshot", .run = run_oneshot},
    {.name = "enable and disable", .run = run_enable_and_disable},
    {.name = "deregister", .run = run_deregister},
    {.name = "native", .run = run_native, .epoll_only = true},
    {.name = "register many", .run = run_register_many},
    {.name = "wait now", .run = run_wait_now},
    {.name = "wait with a limit", .run = run_wait_finite},
    {.name = "wait without a limit", .run = run_wait_forever},
    {.name = "post to a sleeper", .run = run_post_to_a_sleeper},
    {.name = "wake a sleeper", .run = run_wake_a_sleeper},
    {.name = "notify a sleeper", .run = run_notify_a_sleeper},
    {.name = "register under a sleeper", .run = run_register_under_a_sleeper},
    {.name = "reregister under a sleeper", .run = run_reregister_under_a_sleeper},
    {.name = "deregister under a sleeper", .run = run_deregister_under_a_sleeper},
    {.name = "nested", .run = run_nested, .epoll_only = true},
    {.name = "timers", .run = run_timers},
    {.name = "nested timers", .run = run_nested_timers, .epoll_only = true},
    {.name = "channel", .run = run_channel},
    {.name = "bounded channel", .run = run_bounded_channel},
    {.name = "send to a sleeper", .run = run_send_to_a_sleeper},
    {.name = "offers", .run = run_offers},
    {.name = "signals", .run = run_signals},
    {.name = "signal to a sleeper", .run = run_signal_to_a_sleeper},
    {.name = "process", .run = run_process},
    {.name = "process by number", .run = run_process_by_number},
    {.name = "close with sources", .run = run_close_with_sources, .bare = true},
    {.name = "rebuild", .run = run_rebuild},
    {.name = "reuse", .run = run_reuse},
    {.name = "paths", .run = run_paths, .told_only = true},
    {.name = "close under paths", .run = run_close_under_paths, .bare = true},
};

#endif
