/* SPDX-License-Identifier: MIT */
/*
 * Readiness through io_uring for one thread that waits, and through epoll for several.
 *
 * A ring costs less than epoll where the kernel completes its polls in the one thread that asks
 * for them. Any other kind of ring completes a poll in the thread that made it, which is woken
 * for it wherever it sleeps: with two waiters that took 10 times as long as epoll. So the ring
 * belongs to the first thread that waits:
 *
 *     who                   what happens
 *     the ring's thread     enters it
 *     another that adds     leaves it on a list, and wakes the ring's thread if it sleeps there
 *     another that removes  the same, and waits until it is done; if the ring's thread is busy
 *                           elsewhere, that may be long, and the set moves
 *     another that waits    the set moves
 *
 * To move is to give all registrations to the epoll set, which is there from the beginning, with
 * the same eventfd, and to close the ring. It is done once; from then on this is the epoll backend.
 * What no other set can tell is kept: that a number is closed which was armed again unasked.
 */
#include "os/config.h"

#include "backend/backend.h"
#include "os/clock.h"
#include "os/lock.h"

#if PLX__HAS_IO_URING
#include "backend/epoll.h"
#include "backend/linux_flags.h"
#include "backend/polls.h"

#include <string.h>

#define UR_NOTHING UINT32_MAX

struct ur_state {
    plx__epoll epoll;
    _Atomic(bool) moved;  /* release: the epoll set has all of the following; acquire in ur_moved */
    _Atomic(bool) owes;   /* but the polls have still something to tell; true before moved is */
    plx__lock lock;       /* what follows; not held while its thread sleeps in the ring */
    plx__condition out;   /* the thread in the ring has come out, or has removed what it was asked to; or it is closed */
    plx__polls polls;
    bool closed;          /* after the move: what is left of the polls is anybody's under the lock */
    bool inside;          /* it sleeps in the ring */
    bool kicked;          /* and was woken already */
    uint32_t asked;       /* the descriptor that it is to remove */
    int answer;           /* what came of it */
};

static inline bool ur_moved(struct ur_state *ur)
{
    return atomic_load_explicit(&ur->moved, PLX__ACQUIRE);
}

/* Takes the lock of the ring; false, and not taken, if the set has moved. */
static bool ur_take(struct ur_state *ur)
{
    if (ur_moved(ur))
        return false;
    plx__lock_take(&ur->lock);
    if (!ur_moved(ur))
        return true;
    plx__lock_drop(&ur->lock);
    return false;
}

/* ---- Between the threads ------------------------------------------------------ */

/* Whoever sleeps in the ring comes out, and goes on when the lock is free. */
static int ur_interrupt(struct ur_state *ur, uint32_t *calls)
{
    int rc = 0;

    if (ur->inside && !ur->kicked) {
        rc = plx__eventfd_signal(ur->epoll.event, calls);
        ur->kicked = rc == 0;
    }
    return rc;
}

/*
 * What the epoll set gets. Not exclusively: until the kernel has done away with the ring, a poll of
 * it would take the wake, and nobody hear of it; and when it has, nobody says.
 */
static plx__watch ur_inclusive(const plx__watch *watch)
{
    return (plx__watch){.key = watch->key, .flags = watch->flags & ~(uint32_t)EPOLLEXCLUSIVE};
}

static int ur_add_epoll(struct ur_state *ur, const plx__watch *watch, uint32_t *calls)
{
    plx__watch inclusive = ur_inclusive(watch);

    return plx__backend_epoll.add(&ur->epoll, &inclusive, calls);
}

/* Gives what the set has to the epoll set; all of it or nothing. */
static int ur_hand_over(struct ur_state *ur, uint32_t *calls)
{
    plx__watch watch;
    size_t next = 0;
    int rc = 0;

    while (rc >= 0 && plx__polls_next(&ur->polls, &next, &watch, calls)) {
        rc = ur_add_epoll(ur, &watch, calls);
        if (rc == -EBADF || rc == -EPERM) { /* closed just now, and another file perhaps */
            plx__polls_gone(&ur->polls, watch.key.fd);
            rc = 0;
        }
    }
    if (rc < 0) {
        next = 0;
        while (plx__polls_next(&ur->polls, &next, &watch, calls))
            (void)plx__backend_epoll.remove(&ur->epoll, &watch, calls);
    }
    return rc;
}

/* To whoever has asked for a removal, if anybody has. */
static void ur_answer(struct ur_state *ur, int answer)
{
    if (ur->asked == UR_NOTHING)
        return;
    ur->answer = answer;
    ur->asked = UR_NOTHING;
    plx__condition_broadcast(&ur->out);
}

/* They are closed, and have told everything. */
static void ur_end_polls(struct ur_state *ur)
{
    plx__polls_fini(&ur->polls);
    atomic_store_explicit(&ur->owes, false, PLX__RELAXED);
}

/* Under the lock. The ring's thread cancels the polls: here, or as it comes out. */
static int ur_move(struct ur_state *ur, uint32_t *calls)
{
    if (ur_moved(ur))
        return 0;
    int rc = ur_interrupt(ur, calls);
    if (rc == 0)
        rc = ur_hand_over(ur, calls);
    if (rc < 0) {
        if (!ur->inside)
            ur_answer(ur, -EEXIST);
        return rc;
    }
    atomic_store_explicit(&ur->owes, true, PLX__RELAXED);
    atomic_store_explicit(&ur->moved, true, PLX__RELEASE);
    while (ur->inside)
        plx__condition_wait(&ur->out, &ur->lock);
    plx__polls_cancel_all(&ur->polls, calls);
    if (!plx__polls_close(&ur->polls))
        ur_end_polls(ur);
    ur->closed = true;
    plx__condition_broadcast(&ur->out);
    *calls += PLX__RING_CLOSE_CALLS;
    return 0;
}

/* ---- Open and close ---------------------------------------------------------- */

static int ur_init(void *state, const plx_allocator *memory)
{
    struct ur_state *ur = state;
    int rc = plx__backend_epoll.init(&ur->epoll, memory);

    if (rc < 0)
        return rc;
    rc = plx__lock_init(&ur->lock);
    if (rc < 0)
        goto fini_epoll;
    rc = plx__condition_init(&ur->out);
    if (rc < 0)
        goto fini_lock;
    rc = plx__polls_open(&ur->polls, ur->epoll.event, memory);
    if (rc < 0)
        goto fini_condition;
    ur->asked = UR_NOTHING;
    return 0;

fini_condition:
    plx__condition_fini(&ur->out);
fini_lock:
    plx__lock_fini(&ur->lock);
fini_epoll:
    plx__backend_epoll.fini(&ur->epoll, false);
    return rc;
}

static void ur_fini(void *state, bool forked)
{
    struct ur_state *ur = state;
    uint32_t calls = 0;

    if (!ur_moved(ur)) {
        if (!forked)
            plx__polls_cancel_all(&ur->polls, &calls);
        (void)plx__polls_close(&ur->polls);
    }
    plx__polls_fini(&ur->polls);
    plx__backend_epoll.fini(&ur->epoll, forked);
    if (forked)
        return;
    plx__condition_fini(&ur->out);
    plx__lock_fini(&ur->lock);
}

/* ---- Changes of the set ------------------------------------------------------ */

static int ur_add(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct ur_state *ur = state;
    int fd = (int)watch->key.fd;

    if (!ur_take(ur))
        return ur_add_epoll(ur, watch, calls);
    bool own = fd == ur->epoll.epoll || fd == ur->epoll.event || fd == ur->polls.ring.fd;
    int rc = own ? -EINVAL : ur_interrupt(ur, calls);
    if (rc == 0)
        rc = plx__polls_add(&ur->polls, watch, calls);
    plx__lock_drop(&ur->lock);
    return rc;
}

static int ur_modify(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls)
{
    struct ur_state *ur = state;
    plx__watch inclusive = ur_inclusive(now);

    if (!ur_take(ur))
        return plx__backend_epoll.modify(&ur->epoll, was, &inclusive, calls);
    int rc = ur_interrupt(ur, calls);
    if (rc == 0)
        rc = plx__polls_modify(&ur->polls, now, calls);
    plx__lock_drop(&ur->lock);
    return rc;
}

/* Removed by the thread that sleeps in the ring: what it says, or -EEXIST if the set is to move meanwhile. */
static int ur_ask(struct ur_state *ur, uint32_t fd, uint32_t *calls)
{
    int rc = ur_interrupt(ur, calls);

    if (rc < 0)
        return rc;
    ur->asked = fd;
    ur->answer = -EEXIST;
    while (ur->asked == fd && !ur_moved(ur))
        plx__condition_wait(&ur->out, &ur->lock);
    ur->asked = UR_NOTHING;
    return ur->answer;
}

static int ur_remove(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct ur_state *ur = state;

    if (!ur_take(ur))
        return plx__backend_epoll.remove(&ur->epoll, watch, calls);
    int rc = plx__polls_remove(&ur->polls, watch->key.fd, calls);
    if (rc < 0 && ur->inside)
        rc = ur_ask(ur, watch->key.fd, calls);
    bool move = rc < 0;
    if (move)
        rc = ur_move(ur, calls);
    plx__lock_drop(&ur->lock);
    return move && rc == 0 ? plx__backend_epoll.remove(&ur->epoll, watch, calls) : rc;
}

/* A poll is removed by its name, so nothing is ever left behind in a ring. */
static int ur_rebuild(void *state, const plx__table *table, uint32_t *calls)
{
    struct ur_state *ur = state;

    return ur_moved(ur) ? plx__backend_epoll.rebuild(&ur->epoll, table, calls) : 0;
}

/* ---- Waiting ----------------------------------------------------------------- */

/* Into the kernel: without the lock if it is to sleep there. */
static int ur_enter(struct ur_state *ur, uint32_t operations, plx_nanos timeout, uint32_t *calls)
{
    if (timeout == 0)
        return plx__ring_enter(&ur->polls.ring, operations, 0, 0, calls);
    ur->inside = true;
    ur->kicked = false;
    plx__lock_drop(&ur->lock);
    int rc = plx__ring_enter(&ur->polls.ring, operations, 1, timeout, calls);
    plx__lock_take(&ur->lock);
    if (ur_moved(ur)) {
        plx__polls_cancel_all(&ur->polls, calls);
        plx__condition_broadcast(&ur->out);
    }
    ur->inside = false;
    return rc;
}

/*
 * A call that also hands over operations says how many, and not that a signal ended its wait. If it
 * took only some of them it has not waited.
 */
static int ur_told(const plx__ring *ring, plx_nanos deadline)
{
    return plx__ring_is_empty(ring) && (deadline < 0 || plx__clock_now() < deadline) ? -EINTR : 0;
}

/* The kernel makes so many completions at a time. */
enum { UR_BATCH = 20 };

static bool ur_has_room(const struct ur_state *ur, const plx__harvest *harvest)
{
    return plx__polls_count(&ur->polls, PLX__TO_TELL) < harvest->room;
}

/*
 * What has happened before this wait is a reason to look, and no more: the program may have dealt
 * with it since, told of it or not. All that found no room in the array is fetched, whatever there
 * is to tell: until then it goes the same way with each poll that is made.
 */
static int ur_catch_up(struct ur_state *ur, plx__harvest *harvest)
{
    int made = 0;
    int rc = 0;

    do {
        uint32_t news = plx__ring_news(&ur->polls.ring);
        if (!(news & PLX__RING_OVERFLOW) && !((news || made >= UR_BATCH) && ur_has_room(ur, harvest)))
            break;
        rc = ur_enter(ur, 0, 0, &harvest->calls);
        made = plx__polls_reap(&ur->polls, false);
    } while (rc >= 0 && made > 0); /* the word of work may be one from before */
    return rc;
}

/* Hands over what is pending and waits; not for long if there is something to do already. */
static int ur_enter_all(struct ur_state *ur, plx__harvest *harvest, uint32_t operations, plx_nanos timeout)
{
    plx_nanos deadline = operations && timeout > 0 ? plx__clock_add(plx__clock_now(), timeout) : PLX_FOREVER;
    bool fresh = ur_has_room(ur, harvest) || !plx__ring_news(&ur->polls.ring); /* else it was not caught up with */
    int made;
    int rc;

    do {
        rc = ur_enter(ur, operations, timeout, &harvest->calls);
        if (ur_moved(ur))
            break;
        if (rc > 0 && (uint32_t)rc == operations && timeout != 0)
            rc = ur_told(&ur->polls.ring, deadline);
        made = plx__polls_reap(&ur->polls, fresh);
        if (rc < 0)
            break;
        operations = 0;
        timeout = 0;
    } while (made >= UR_BATCH && ur_has_room(ur, harvest));
    return rc;
}

static int ur_sleep(struct ur_state *ur, plx__harvest *harvest, plx_nanos timeout)
{
    plx__polls *polls = &ur->polls;
    int rc;

    plx__polls_doubt(polls);
    rc = ur_catch_up(ur, harvest);
    plx__polls_look(polls, harvest->room, &harvest->calls);
    uint32_t operations = plx__polls_flush(polls, &harvest->calls);
    bool busy = plx__polls_count(polls, PLX__TO_TELL) || plx__polls_count(polls, PLX__TO_LOOK) ||
                plx__polls_count(polls, PLX__TO_ARM) || polls->woken || !polls->event_armed;
    if (rc >= 0 && (operations || !busy))
        rc = ur_enter_all(ur, harvest, operations, busy ? 0 : timeout);
    return rc == -ETIME ? 0 : rc;
}

/* From the polls to the caller's array. */
static int ur_tell(struct ur_state *ur, plx__harvest *harvest)
{
    int count = 0;

    while (count < harvest->room && plx__polls_tell(&ur->polls, &harvest->events[count], &harvest->calls))
        count++;
    return count;
}

/* Then what was asked for meanwhile. */
static int ur_collect(struct ur_state *ur, plx__harvest *harvest)
{
    int count = ur_tell(ur, harvest);

    harvest->woken = ur->polls.woken;
    ur->polls.woken = false;
    if (ur->asked != UR_NOTHING)
        ur_answer(ur, plx__polls_remove(&ur->polls, ur->asked, &harvest->calls));
    return count;
}

/* Events with a key for a token become events of the registrations. */
static int ur_harvest(plx__harvest *harvest, int count)
{
    plx__view view = plx__table_view(harvest->table);
    int kept = 0;

    harvest->found = count;
    for (int i = 0; i < count; i++) {
        plx_event *event = &harvest->events[kept];
        uint32_t events = harvest->events[i].native;
        plx__key key;
        memcpy(&key, &harvest->events[i].token, sizeof key);
        if (key.tag == PLX__ALARM_TAG) /* it has done its work: somebody is awake */
            continue;
        kept += events & PLX__LINUX_UNUSUAL
                    ? plx__harvest_slow(harvest, &key, plx__linux_flags(harvest, &key, events), events, event)
                    : plx__harvest_event(harvest, view, &key, events, events, event);
    }
    return kept;
}

/* What was left to tell comes first. */
static int ur_wait_moved(struct ur_state *ur, plx__harvest *harvest, plx_nanos timeout)
{
    int kept = 0;

    if (atomic_load_explicit(&ur->owes, PLX__RELAXED)) {
        plx__lock_take(&ur->lock);
        while (!ur->closed) /* its thread has yet to come out */
            plx__condition_wait(&ur->out, &ur->lock);
        int count = ur_tell(ur, harvest);
        if (plx__polls_count(&ur->polls, PLX__TO_TELL) == 0)
            ur_end_polls(ur);
        plx__lock_drop(&ur->lock);
        kept = ur_harvest(harvest, count); /* which may take the registry's lock, that comes before this one */
    }
    return kept ? kept : plx__backend_epoll.wait(&ur->epoll, harvest, timeout);
}

/*
 * The set moves if another thread is in the ring, or was the first; and if the kernel does not let
 * the ring's own thread in any more, or has lost a completion.
 */
static int ur_wait(void *state, plx__harvest *harvest, plx_nanos timeout)
{
    struct ur_state *ur = state;
    bool more = false;
    int count = 0;

    if (!ur_take(ur))
        return ur_wait_moved(ur, harvest, timeout);
    int rc = ur->inside ? -EEXIST : ur_sleep(ur, harvest, timeout);
    bool move = rc < 0 && rc != -EINTR && rc != -EBUSY; /* completions stood in the way, and were taken */
    if (move) {
        rc = ur_move(ur, &harvest->calls);
    } else if (!ur_moved(ur)) {
        more = plx__polls_count(&ur->polls, PLX__TO_TELL) > 0 || ur->polls.refused;
        count = ur_collect(ur, harvest);
    }
    plx__lock_drop(&ur->lock);
    if (move && rc == 0)
        return ur_wait_moved(ur, harvest, timeout);
    int kept = ur_harvest(harvest, count);
    if (count == 0 && more) /* what stood in the way has changed since; or a poll could not be changed */
        harvest->found = harvest->room;
    return count == 0 && rc < 0 ? rc : kept;
}

static int ur_wake(void *state, uint32_t *calls)
{
    struct ur_state *ur = state;

    return plx__backend_epoll.wake(&ur->epoll, calls);
}

/* A ring is not readable for what its thread has not asked for. */
static int ur_descriptor(void *state)
{
    struct ur_state *ur = state;
    uint32_t calls = 0;
    int rc = 0;

    if (ur_take(ur)) {
        rc = ur_move(ur, &calls);
        plx__lock_drop(&ur->lock);
    }
    if (rc == 0 && atomic_load_explicit(&ur->owes, PLX__RELAXED))
        rc = plx__eventfd_signal(ur->epoll.event, &calls);
    return rc < 0 ? rc : plx__backend_epoll.descriptor(&ur->epoll);
}

static const char *ur_remark(void *state)
{
    if (!state)
        return plx__ring_obstacle();
    return ur_moved(state) ? "by epoll, for several threads or another loop" : NULL;
}

const plx__backend plx__backend_io_uring = {
    .name = "io_uring",
    .id = PLX_BACKEND_IO_URING,
    .by_name = true,
    .modes = PLX_EDGE | PLX_ONESHOT | PLX_EXCLUSIVE,
    .lacks = 0,
    .native = true,
    .shared = true,
    .state_size = sizeof(struct ur_state),
    .init = ur_init,
    .fini = ur_fini,
    .add = ur_add,
    .modify = ur_modify,
    .remove = ur_remove,
    .rebuild = ur_rebuild,
    .wait = ur_wait,
    .wake = ur_wake,
    .descriptor = ur_descriptor,
    .remark = ur_remark,
};

#endif
