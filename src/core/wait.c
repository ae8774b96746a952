/* SPDX-License-Identifier: MIT */
/*
 * The wait: the ready queue, the kernel, the ready queue once more. The usual wait, with
 * nothing queued, is one atomic addition, the kernel's wait, the events, and one atomic
 * subtraction.
 */
#include "os/config.h"

#include "core/core.h"
#include "os/clock.h"

/* One call of plx_poller_wait. */
struct wait {
    plx_registry *registry;
    plx_event *events;
    int capacity;
    int count;          /* events written */
    uint32_t calls;     /* system calls made */
    uint64_t standing;  /* what it has added to the wake word */
    uint64_t round;     /* its name at the ready queue */
    plx_nanos remaining; /* time left: 0 do not block */
    bool interrupted;
};

/* Not a result: nothing to return yet, wait on. */
#define WAIT_AGAIN INT32_MIN

/* ---- Its parts ------------------------------------------------------------- */

static void wait_stand_up(struct wait *wait)
{
    if (wait->standing & PLX__SLEEPING_MASK) {
        plx__wake_sub(&wait->registry->wake, PLX__SLEEPING);
        wait->standing -= PLX__SLEEPING;
    }
}

static void wait_take(struct wait *wait, int room)
{
    if (room > 0)
        wait->count += plx__ready_take(&wait->registry->ready, wait->events + wait->count, room, &wait->round);
}

/* The ready queue's part of the array while the kernel has not been asked: half, or turns. */
static int wait_share(struct wait *wait)
{
    if (wait->capacity > 1)
        return wait->capacity / 2;
    return atomic_fetch_add_explicit(&wait->registry->sharing, 1, PLX__RELAXED) & 1;
}

/* Keeps those of the kernel's events that are somebody's. */
static int wait_filter(struct wait *wait, plx_event *events, int count)
{
    plx_registry *registry = wait->registry;
    int kept = 0;

    for (int i = 0; i < count; i++) {
        if (events[i].token == PLX__WAKE_KEY) {
            plx__wake_clear(&registry->wake, PLX__WAKING); /* before the next look at the queue */
            continue;
        }
        if (kept != i)
            events[kept] = events[i];
        kept += plx__registry_admit(registry, &events[kept]);
    }
    return kept;
}

/*
 * Asks the kernel once; again, without blocking, if all that fitted was nobody's. Sleepers
 * in a kernel set that was replaced meanwhile are woken one by the other.
 */
static int wait_kernel(struct wait *wait)
{
    plx_registry *registry = wait->registry;
    uint32_t epoch = atomic_load_explicit(&registry->epoch, PLX__RELAXED);
    plx_nanos timeout = wait->remaining;
    int room = wait->capacity - wait->count;
    int found;
    int kept = 0;

    do {
        plx_event *events = wait->events + wait->count;
        found = registry->backend->wait(registry->state, events, room, timeout, &wait->calls);
        if (found < 0)
            break;
        kept = wait_filter(wait, events, found);
        wait->count += kept;
        timeout = 0;
    } while (found == room && kept == 0);

    if (atomic_load_explicit(&registry->epoch, PLX__RELAXED) != epoch)
        (void)registry->backend->wake(registry->state, &wait->calls);
    if (found == -EINTR)
        wait->interrupted = true;
    return found < 0 && found != -EINTR ? found : 0;
}

/* What a wait comes to once there was a look at everything. */
static int wait_result(struct wait *wait)
{
    if (wait->count > 0)
        return wait->count;
    if (plx__wake_word(&wait->registry->wake) & (PLX__NOTIFIED | PLX__CLOSED))
        return 0;
    if (wait->interrupted && wait->registry->return_on_signal)
        return -EINTR;
    return wait->remaining == 0 ? 0 : WAIT_AGAIN;
}

/* Once through: queue, kernel, queue. `word` is the wake word from before. */
static int wait_once(struct wait *wait, uint64_t word)
{
    plx_registry *registry = wait->registry;
    plx_nanos limit = wait->remaining;
    int rc = 0;

    if (word & (PLX__NOTIFIED | PLX__CLOSED) || plx__ready_any(&registry->ready)) {
        wait_stand_up(wait);
        if (word & PLX__CLOSED)
            return 0;
        int share = wait_share(wait);
        wait_take(wait, share);
        if (share > 0 && wait->count == 0 && !(word & PLX__NOTIFIED) && limit != 0)
            return WAIT_AGAIN; /* others were quicker; to sleep, it must be announced anew */
        wait->remaining = 0;
    }
    if (wait->count < wait->capacity)
        rc = wait_kernel(wait);
    wait->remaining = limit;
    if (plx__ready_any(&registry->ready))
        wait_take(wait, wait->capacity - wait->count);
    return rc < 0 && wait->count == 0 ? rc : wait_result(wait);
}

/* ---- The loop -------------------------------------------------------------- */

static plx_nanos wait_time_left(plx_nanos deadline)
{
    if (deadline == INT64_MAX)
        return PLX_FOREVER;
    plx_nanos now = plx__clock_now();
    return deadline > now ? deadline - now : 0;
}

/* A kernel that takes one thread: the others wait for their turn. */
static int wait_in_turn(struct wait *wait, plx_nanos deadline)
{
    plx__turn *turn = &wait->registry->turn;
    bool waited;
    bool mine = plx__turn_take(turn, wait->remaining == 0 ? INT64_MIN : deadline, &waited);

    if (!mine) { /* the time is up, and the thread inside takes what the kernel has */
        wait->remaining = 0;
        wait_take(wait, wait->capacity);
        return wait_result(wait);
    }
    if (waited)
        wait->remaining = wait_time_left(deadline);
    uint64_t announced = wait->remaining == 0 ? 0 : PLX__SLEEPING;
    uint64_t word = plx__wake_add(&wait->registry->wake, announced);
    wait->standing += announced;
    int rc = wait_once(wait, word);
    wait_stand_up(wait);
    plx__turn_drop(turn);
    return rc;
}

static int wait_again(struct wait *wait, plx_nanos deadline)
{
    plx_registry *registry = wait->registry;

    wait->interrupted = false;
    wait->remaining = wait_time_left(deadline);
    if (wait->remaining == 0)
        return 0;
    if (!registry->backend->shared)
        return wait_in_turn(wait, deadline);
    uint64_t announced = wait->standing & PLX__SLEEPING_MASK ? 0 : PLX__SLEEPING;
    wait->standing += announced;
    return wait_once(wait, plx__wake_add(&registry->wake, announced));
}

static inline void wait_count(_Atomic(uint64_t) *counter, uint64_t amount, bool alone)
{
    if (alone)
        atomic_store_explicit(counter, atomic_load_explicit(counter, PLX__RELAXED) + amount, PLX__RELAXED);
    else
        atomic_fetch_add_explicit(counter, amount, PLX__RELAXED);
}

static inline void wait_tally(plx__tally *tally, bool alone, const struct wait *wait, int rc)
{
    wait_count(&tally->waits, 1, alone);
    wait_count(&tally->events, rc > 0 ? (uint64_t)rc : 0, alone);
    wait_count(&tally->calls, wait->calls, alone);
}

static int wait_run(plx_registry *registry, plx_event *events, int capacity, plx_nanos remaining, plx_nanos deadline)
{
    struct wait wait = {
        .registry = registry,
        .events = events,
        .capacity = capacity,
        .remaining = remaining,
        .standing = PLX__INSIDE + (registry->backend->shared && remaining != 0 ? PLX__SLEEPING : 0),
    };
    uint64_t word = plx__wake_add(&registry->wake, wait.standing);
    bool alone = (word & PLX__INSIDE_MASK) == 0;

    int rc = registry->backend->shared ? wait_once(&wait, word) : wait_in_turn(&wait, deadline);
    while (rc == WAIT_AGAIN)
        rc = wait_again(&wait, deadline);

    if (plx__ready_any(&registry->ready)) {
        wait_stand_up(&wait);
        plx__wake_pass(registry);
    }
    wait_tally(&registry->tally[alone ? 0 : 1], alone, &wait, rc);
    return plx__wake_leave(registry, wait.standing, rc >= 0) ? rc : -ECANCELED;
}

static int wait_check(plx_poller *poller, plx_event *events, int capacity)
{
    if (!poller || !events || capacity < 1)
        return -EINVAL;
    return plx__forked(&poller->registry) ? -ECHILD : 0;
}

int plx_poller_wait(plx_poller *poller, plx_event *events, int capacity, plx_nanos timeout)
{
    int rc = wait_check(poller, events, capacity);

    if (rc == 0 && timeout < PLX_FOREVER)
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    plx_nanos deadline = timeout > 0 ? plx__clock_add(plx__clock_now(), timeout) : INT64_MAX;
    return wait_run(&poller->registry, events, capacity, timeout, deadline);
}

int plx_poller_wait_until(plx_poller *poller, plx_event *events, int capacity, plx_nanos deadline)
{
    int rc = wait_check(poller, events, capacity);

    if (rc < 0)
        return rc;
    if (deadline == PLX_FOREVER)
        return wait_run(&poller->registry, events, capacity, PLX_FOREVER, INT64_MAX);
    return wait_run(&poller->registry, events, capacity, wait_time_left(deadline), deadline);
}
