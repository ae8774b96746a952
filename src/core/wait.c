/* SPDX-License-Identifier: MIT */
/*
 * The wait: the ready queue, the kernel, the ready queue once more. A wait that finds
 * nothing queued and something in the kernel is one atomic addition, the kernel's wait, the
 * events, and one atomic subtraction.
 */
#include "os/config.h"

#include "core/core.h"
#include "os/clock.h"
#include "os/probes.h"

/* One call of plx_poller_wait. */
struct wait_call {
    plx_registry *registry;
    plx_event *events;
    int capacity;
    int count;           /* events written */
    uint64_t standing;   /* what it has added to the wake word */
    uint64_t round;      /* its name at the ready queue */
    plx_nanos remaining; /* time left; 0: do not block */
    plx_nanos deadline;
    uint32_t epoch;      /* of the kernel's set when it went in */
    bool timed;          /* there are timers to look at */
    bool owed;           /* they had no place before the kernel's wait: what is left is theirs first */
    bool slept;          /* time has passed since `now` */
    plx_nanos now;       /* what the timers were looked at with; INT64_MIN: not read yet */
    bool alone;          /* nobody else was inside when it came */
    bool interrupted;    /* the kernel's wait was, by a signal handler */
    bool cut;            /* all there was room for was nobody's, or it did not look: there may be more */
    plx__harvest harvest;
};

/* Looks at the ready queue before a sleep: less than a microsecond's. */
enum { WAIT_LOOKS = 400 };

/* Not a result: nothing to return yet, wait on. */
#define WAIT_AGAIN INT32_MIN

/* ---- Its parts ------------------------------------------------------------- */

static plx_nanos wait_time_left(const plx_registry *registry, plx_nanos deadline)
{
    if (deadline == INT64_MAX)
        return PLX_FOREVER;
    plx_nanos now = plx__timers_now(&registry->timers);
    return deadline > now ? deadline - now : 0;
}

/* The reading of the clock that a finite `remaining` was made from serves the timers as well. */
static void wait_set_now(struct wait_call *wait)
{
    bool read = wait->remaining > 0 && wait->deadline != INT64_MAX;

    wait->now = read ? wait->deadline - wait->remaining : INT64_MIN;
}

static void wait_stand_up(struct wait_call *wait)
{
    if (wait->standing & PLX__SLEEPING_MASK) {
        plx__wake_sub(&wait->registry->wake, PLX__SLEEPING);
        wait->standing -= PLX__SLEEPING;
    }
}

static void wait_take(struct wait_call *wait, int room)
{
    if (room > 0)
        wait->count += plx__ready_take(&wait->registry->ready, wait->events + wait->count, room, &wait->round);
}

static void wait_fire(struct wait_call *wait, plx_nanos now, int room)
{
    if (room <= 0)
        return;
    plx__timers *timers = &wait->registry->timers;
    plx_event *events = wait->events + wait->count;
    int fired = plx__timers_fire(timers, now, events, room);
    if (fired > 0 && atomic_load_explicit(&timers->ticks, PLX__RELAXED))
        fired = plx__attachments_sift(wait->registry, events, fired);
    wait->count += fired;
}

/*
 * What the ready queue and the timers may take before the kernel was asked: a third each, or,
 * in an array for fewer than three, turns: of two places one kind goes without, of one place
 * two do.
 */
struct shares {
    int queue, timers;
};

static struct shares wait_shares(struct wait_call *wait)
{
    if (wait->capacity > 2)
        return (struct shares){wait->capacity / 3, wait->capacity / 3};
    uint32_t turn = atomic_fetch_add_explicit(&wait->registry->sharing, 1, PLX__RELAXED) % 3;
    if (wait->capacity == 2)
        return (struct shares){turn != 0, turn != 1};
    return (struct shares){turn == 0, turn == 1};
}

/* What a wait comes to once there was a look at everything. */
static int wait_result(struct wait_call *wait)
{
    if (wait->count > 0)
        return wait->count;
    plx__wake *wake = &wait->registry->wake;
    uint64_t word = plx__wake_word(wake);
    if (word & PLX__CLOSED)
        return 0;
    if (word & PLX__NOTIFIED && !wait->cut && plx__wake_clear(wake, PLX__NOTIFIED) & PLX__NOTIFIED)
        return 0; /* of several waiters, one has the notify */
    if (wait->interrupted && wait->registry->return_on_signal)
        return -EINTR;
    return wait->remaining == 0 && !wait->cut ? 0 : WAIT_AGAIN;
}

/*
 * After the kernel's wait, which returned `kept`. Of those that sleep in a set that was
 * replaced, one wakes the next.
 */
static int wait_harvested(struct wait_call *wait, int kept)
{
    plx_registry *registry = wait->registry;
    plx__harvest *harvest = &wait->harvest;

    if (harvest->woken) {
        harvest->woken = false;
        plx__wake_clear(&registry->wake, PLX__WAKING); /* before the next look at the queue */
        if (atomic_load_explicit(&registry->epoch, PLX__ACQUIRE) != wait->epoch)
            (void)registry->backend->wake(registry->state, &harvest->calls);
    }
    if (kept > 0)
        wait->count += kept;
    wait->interrupted = kept == -EINTR;
    wait->cut = kept < 0 ? kept == -EBUSY || !wait->slept :
                kept == 0 && harvest->found == harvest->room && !harvest->stuck;
    harvest->stuck = false;
    if (wait->timed && wait->owed && !wait->slept)
        wait_fire(wait, wait->now, wait->capacity - wait->count);
    if (plx__ready_any(&registry->ready))
        wait_take(wait, wait->capacity - wait->count);
    if (wait->timed && (kept <= 0 || !wait->slept))
        wait_fire(wait, wait->slept ? plx__timers_now(&registry->timers) : wait->now, wait->capacity - wait->count);
    return wait->count == 0 && kept < 0 && kept != -EINTR && kept != -EBUSY ? kept : wait_result(wait);
}

/*
 * A source that has just fallen silent often speaks again at once, and some looks cost less than
 * a sleep and a wake. After looks in vain it takes half as many; every 32nd time, all of them.
 */
static void wait_linger(plx_registry *registry)
{
    uint32_t vain = atomic_load_explicit(&registry->vain, PLX__RELAXED);
    uint32_t looks = WAIT_LOOKS >> vain % 32;

    while (looks > 0 && !plx__ready_any(&registry->ready))
        looks--;
    if (looks == 0)
        atomic_store_explicit(&registry->vain, vain + 1, PLX__RELAXED);
    else if (vain % 32 != 0)
        atomic_store_explicit(&registry->vain, 0, PLX__RELAXED);
}

/* ---- The loop -------------------------------------------------------------- */

/* Once through: queue, kernel, queue. `word` is the wake word from before. */
static int wait_once(struct wait_call *wait, uint64_t word)
{
    plx_registry *registry = wait->registry;
    plx__timers *timers = &registry->timers;
    plx_nanos timeout = wait->remaining;
    bool queued = word & PLX__NOTIFIED || plx__ready_any(&registry->ready);
    uint64_t keeper = 0;
    int kept = 0;

    wait->epoch = atomic_load_explicit(&registry->epoch, PLX__ACQUIRE);
    wait->timed = plx__timers_any(timers);
    if (word & PLX__CLOSED)
        return 0;
    if (queued || wait->timed) {
        struct shares shares = wait_shares(wait);
        wait->owed = shares.timers == 0;
        if (wait->timed && wait->now == INT64_MIN)
            wait->now = plx__timers_now(timers);
        if (queued) {
            wait_stand_up(wait);
            wait_take(wait, shares.queue);
        }
        if (wait->timed)
            wait_fire(wait, wait->now, shares.timers);
        if (wait->count == 0 && wait->capacity == 2) { /* whose turn it was has nothing: the place is the other's */
            if (queued && shares.queue == 0)
                wait_take(wait, 1);
            if (wait->timed && shares.timers == 0)
                wait_fire(wait, wait->now, 1);
        }
        if (queued && shares.queue > 0 && wait->count == 0 && !(word & PLX__NOTIFIED) && timeout != 0) {
            wait_linger(registry);
            return WAIT_AGAIN; /* others were quicker; to sleep, it must be announced anew */
        }
        if (queued || wait->count > 0)
            timeout = 0;
        else if (wait->timed && timeout != 0)
            keeper = plx__timers_keep(timers, wait->now, &timeout);
    }
    wait->slept = timeout != 0;
    wait->harvest.events = wait->events + wait->count;
    wait->harvest.room = wait->capacity - wait->count;
    if (wait->harvest.room > 0)
        kept = registry->backend->wait(registry->state, &wait->harvest, timeout);
    if (keeper)
        plx__timers_leave(timers, keeper);
    return wait_harvested(wait, kept);
}

/* Before the first and each further time through: announces itself; the wake word from before. */
static inline uint64_t wait_announce(struct wait_call *wait)
{
    uint64_t announced = wait->remaining == 0 ? 0 : PLX__SLEEPING & ~wait->standing;

    wait->standing += announced;
    return plx__wake_add(&wait->registry->wake, announced);
}

/*
 * A kernel that takes one thread: the others wait for their turn. False if it did not come:
 * the time is up, and the thread that has it takes what the kernel has.
 */
static bool wait_turn(struct wait_call *wait)
{
    bool waited;
    plx_nanos deadline = wait->remaining == 0 ? INT64_MIN : wait->deadline;

    if (deadline != INT64_MIN && deadline != INT64_MAX && wait->registry->timers.clock != PLX_CLOCK_MONOTONIC)
        deadline = plx__clock_add(plx__clock_now(), wait->remaining);
    if (!plx__turn_take(&wait->registry->turn, deadline, &waited))
        return false;
    if (waited)
        wait->remaining = wait_time_left(wait->registry, wait->deadline);
    wait_set_now(wait);
    return true;
}

/* ---- In and out ------------------------------------------------------------ */

/* By the one thread that writes the counter; others may read it. */
static inline void wait_add(_Atomic(uint64_t) *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, PLX__RELAXED) + amount, PLX__RELAXED);
}

PLX__RARE static void wait_show(const struct wait_call *wait, int count)
{
    for (int i = 0; i < count; i++)
        PLX__PROBE(event, wait->registry, wait->events[i].token, wait->events[i].flags, wait->events[i].data);
}

/* Out: counts, and takes itself from the wake word. What the wait returns. */
static PLX__INLINE int wait_leave(struct wait_call *wait, int rc)
{
    plx_registry *registry = wait->registry;
    uint64_t events = rc > 0 ? (uint64_t)rc : 0;

    if (wait->alone) {
        wait_add(&registry->alone.waits, 1);
        wait_add(&registry->alone.events, events);
        wait_add(&registry->alone.calls, wait->harvest.calls);
    } else {
        atomic_fetch_add_explicit(&registry->others.waits, 1, PLX__RELAXED);
        atomic_fetch_add_explicit(&registry->others.events, events, PLX__RELAXED);
        atomic_fetch_add_explicit(&registry->others.calls, wait->harvest.calls, PLX__RELAXED);
    }
    uint64_t used = rc < 0 ? 0 : PLX__NOTIFIED;
    if (!plx__wake_leave(registry, &registry->wake, wait->standing, used))
        rc = -ECANCELED;
    PLX__PROBE(wait_end, registry, rc);
    if (PLX__PROBE_WATCHED(event))
        wait_show(wait, rc);
    return rc;
}

/* After a time through that came to `rc`: goes on only if there is time, or more to be had. */
static int wait_more(struct wait_call *wait, int rc)
{
    if (rc == WAIT_AGAIN) {
        wait->remaining = wait_time_left(wait->registry, wait->deadline);
        wait_set_now(wait);
        if (wait->remaining == 0 && !wait->cut)
            rc = 0;
    }
    return rc;
}

/*
 * Whether somebody else is to be woken at the end of a wait: for what did not fit, for timers
 * that are due, or to keep time.
 */
static bool wait_leaves_work(struct wait_call *wait)
{
    plx_registry *registry = wait->registry;

    if (plx__ready_any(&registry->ready))
        return true;
    if (!plx__timers_any(&registry->timers))
        return false;
    uint64_t word = plx__wake_word(&registry->wake);
    if ((word & PLX__SLEEPING_MASK) > (wait->standing & PLX__SLEEPING_MASK))
        return !plx__timers_kept(&registry->timers);
    return word & PLX__NESTED && plx__timers_settle(&registry->timers, plx__timers_now(&registry->timers));
}

/* Any wait but the usual: from its beginning, or with `rc` from its first time through. */
static int wait_loop(struct wait_call *wait, int rc)
{
    plx_registry *registry = wait->registry;
    bool shared = registry->backend->shared;

    while (rc == WAIT_AGAIN) {
        if (!shared && !wait_turn(wait)) {
            wait_take(wait, wait->capacity);
            if (plx__timers_any(&registry->timers))
                wait_fire(wait, plx__timers_now(&registry->timers), wait->capacity - wait->count);
            rc = wait->count;
            break;
        }
        rc = wait_once(wait, wait_announce(wait));
        if (!shared) {
            wait_stand_up(wait);
            plx__turn_drop(&registry->turn);
        }
        rc = wait_more(wait, rc);
    }
    if (wait_leaves_work(wait)) {
        wait_stand_up(wait);
        (void)plx__wake_claim(registry);
    }
    return wait_leave(wait, rc);
}

PLX__RARE static int wait_from_start(struct wait_call *wait)
{
    wait_set_now(wait);
    return wait_loop(wait, WAIT_AGAIN);
}

PLX__RARE static int wait_from_kernel(struct wait_call *wait, int kept)
{
    wait->slept = wait->remaining != 0;
    return wait_loop(wait, wait_more(wait, wait_harvested(wait, kept)));
}

/*
 * The usual wait finds nothing queued, and something in the kernel. What is queued in the
 * meantime makes a wake, which is still to come. Whatever does not end here goes on in the
 * loop.
 */
static int wait_run(plx_registry *registry, plx_event *events, int capacity, plx_nanos remaining, plx_nanos deadline)
{
    const plx__backend *backend = registry->backend;
    struct wait_call wait; /* its other fields are written before they are read */

    PLX__PROBE(wait_begin, registry, capacity, remaining);
    wait.registry = registry;
    wait.events = events;
    wait.capacity = capacity;
    wait.count = 0;
    wait.round = 0;
    wait.remaining = remaining;
    wait.deadline = deadline;
    wait.cut = false;
    wait.harvest.registry = registry;
    wait.harvest.table = &registry->table;
    wait.harvest.events = events;
    wait.harvest.room = capacity;
    wait.harvest.found = 0;
    wait.harvest.woken = false;
    wait.harvest.queued = false;
    wait.harvest.stuck = false;
    wait.harvest.calls = 0;
    wait.standing = PLX__INSIDE + (remaining != 0 && backend->shared ? PLX__SLEEPING : 0);
    uint64_t word = plx__wake_add(&registry->wake, wait.standing);
    wait.alone = (word & PLX__INSIDE_MASK) == 0;
    wait.timed = false;
    if (!backend->shared || word & (PLX__NOTIFIED | PLX__CLOSED) || plx__ready_any(&registry->ready) ||
        plx__timers_any(&registry->timers))
        return wait_from_start(&wait);
    wait.epoch = atomic_load_explicit(&registry->epoch, PLX__ACQUIRE);
    int kept = backend->wait(registry->state, &wait.harvest, remaining);
    if (kept <= 0 || wait.harvest.woken || wait.harvest.queued)
        return wait_from_kernel(&wait, kept);
    return wait_leave(&wait, kept);
}

static int wait_check(const plx_poller *poller, const plx_event *events, int capacity)
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
    plx__timers *timers = &poller->registry.timers;
    if (timers->clock == PLX_CLOCK_MANUAL)
        timeout = 0; /* its time does not pass in a wait */
    plx_nanos deadline = timeout < 0 ? INT64_MAX : INT64_MIN;
    if (timeout > 0)
        deadline = plx__clock_add(plx__timers_now(timers), timeout);
    return wait_run(&poller->registry, events, capacity, timeout, deadline);
}

int plx_poller_wait_until(plx_poller *poller, plx_event *events, int capacity, plx_nanos deadline)
{
    int rc = wait_check(poller, events, capacity);

    if (rc < 0)
        return rc;
    plx_registry *registry = &poller->registry;
    if (registry->timers.clock == PLX_CLOCK_MANUAL)
        return wait_run(registry, events, capacity, 0, INT64_MIN);
    if (deadline == PLX_FOREVER)
        deadline = INT64_MAX;
    return wait_run(registry, events, capacity, wait_time_left(registry, deadline), deadline);
}
