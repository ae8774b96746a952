/* SPDX-License-Identifier: MIT */
/*
 * A completion port: of sockets by polls of AFD (afd.c), of other handles by waits (waitable.c).
 * Both tell once, so a level-triggered registration that has reported is due to be armed again,
 * which the next wait does first; a oneshot is left as it is.
 *
 *     IDLE --arm--> ARMED --completion, by a wait--> reported: IDLE, and due if level-triggered
 *                     |                              nothing for it: armed again
 *                     +-- removed: cancelled, and freed by its completion
 *
 * The traps: the kernel writes into an operation until its completion was taken from the port,
 * so that one outlives its registration. A socket has one operation at a time: another interest
 * cancels it, and the completion arms the next. What a completion says may be over when it is
 * taken: unless this wait has armed it, or slept until it came, there is a second look.
 * Nothing tells whether a number still names the same socket; its addresses have to do.
 */
#include "os/config.h"

#include "backend/backend.h"
#include "core/memory.h"
#include "os/clock.h"

#if PLX__HAS_IOCP
#include "backend/afd_groups.h"
#include "backend/waitable.h"
#include "os/lock.h"

#include <string.h>

/* Taken from the port at once. */
enum { IOCP_BATCH = PLX__AFD_LOOKS };

/*
 * Until the closing of a poller gives its operations up, to the kernel: they are lost memory. So
 * many looks into the port in a row have failed, or have seen nothing come for this long.
 */
enum { IOCP_FAILURES = 100 };
#define IOCP_PATIENCE PLX_MSEC(100)

/* Between two attempts at arming what the kernel had no memory for. */
#define IOCP_AGAIN PLX_MSEC(10)

typedef struct iocp_source iocp_source;

struct iocp_source {
    plx__afd_poll poll;       /* first: a completion has its address */
    plx__waitable waitable;   /* instead, if there is no group */
    plx__afd_group *group;
    HANDLE socket;            /* as AFD knows it */
    plx__afd_identity identity;
    plx__key key;
    uint32_t flags;
    uint32_t events;          /* what the poll was armed for */
    uint64_t visit;           /* the wait that armed it; 0: none did */
    uint64_t changed;         /* the latest wait to have begun before its last change */
    uint32_t found;           /* by its completion, in AFD's events */
    bool armed;               /* a completion is to come */
    bool gone;                /* it was found closed: silent */
    bool removed;
    iocp_source *next, **link; /* those that are due */
};

struct iocp_state {
    const plx_allocator *memory;
    HANDLE port;
    HANDLE look;          /* a handle of AFD without the port */
    plx__waitable timer;  /* for one wait at a time; without a packet there is none */
    bool timing;          /* it is in use; under the lock */
    plx__lock lock;       /* what follows; not held while a wait sleeps */
    plx__pages places;    /* number -> its source (iocp_source *) */
    iocp_source *due, **due_end; /* in the order of their reports, so that all take turns */
    plx__afd_groups groups;
    size_t outstanding;   /* completions to come */
    uint64_t visits;
    unsigned inside;      /* waits that sleep */
};

/* ---- Open ------------------------------------------------------------------ */

/*
 * The port's own timeouts end at a tick of the clock, up to 16 ms late. Where the kernel has
 * finer timers, and can have one tell the port, a wait uses it beside.
 */
static void iocp_open_timer(struct iocp_state *pt)
{
    uint32_t calls = 0;
    DWORD saved = GetLastError();
    HANDLE timer = plx__win32.CreateWaitableTimerExW(NULL, NULL, PLX__TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);

    SetLastError(saved);
    if (!timer)
        return;
    if (plx__waitable_open(&pt->timer, (plx_fd)timer, pt->port, &calls) == 0 && !pt->timer.packet)
        plx__waitable_close(&pt->timer);
    plx__win32_close(timer);
}

/* In hundreds of nanoseconds; negative is from now. */
static bool iocp_set_timer(struct iocp_state *pt, plx_nanos timeout, uint32_t *calls)
{
    DWORD saved = GetLastError();
    LARGE_INTEGER due = {.QuadPart = -(timeout / 100) - 1};
    bool set = plx__win32.SetWaitableTimer(pt->timer.handle, &due, 0, NULL, NULL, FALSE);

    SetLastError(saved);
    *calls += 2;
    return set && plx__waitable_arm(&pt->timer, &pt->timer) == 0;
}

static int iocp_init(void *state, const plx_allocator *memory)
{
    struct iocp_state *pt = state;
    DWORD saved = GetLastError();

    pt->port = plx__win32.CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    int rc = plx__win32_result(pt->port != NULL, saved);
    if (rc < 0)
        return rc;
    rc = plx__afd_open(NULL, &pt->look);
    if (rc < 0)
        goto close_port;
    rc = plx__lock_init(&pt->lock);
    if (rc < 0)
        goto close_look;
    iocp_open_timer(pt);
    pt->memory = memory;
    pt->groups = (plx__afd_groups){.memory = memory, .port = pt->port};
    pt->due_end = &pt->due;
    plx__pages_init(&pt->places, memory, sizeof(iocp_source *));
    return 0;

close_look:
    plx__win32_close(pt->look);
close_port:
    plx__win32_close(pt->port);
    return rc;
}

/* ---- Sources; under the lock but for the first two --------------------------- */

static int iocp_source_make(struct iocp_state *pt, plx_fd fd, iocp_source **source, uint32_t *calls)
{
    iocp_source *made = plx__memory_get(pt->memory, sizeof *made);
    int rc = 0;

    if (!made)
        return -ENOMEM;
    if (!plx__afd_socket(fd, &made->socket, &made->identity, calls))
        rc = plx__waitable_open(&made->waitable, fd, pt->port, calls);
    if (rc < 0)
        plx__memory_put(pt->memory, made);
    else
        *source = made;
    return rc;
}

/* One that no completion is to come for. */
static void iocp_source_free(struct iocp_state *pt, iocp_source *source)
{
    if (source->group)
        plx__afd_leave(&pt->groups, source->group);
    else if (!source->socket)
        plx__waitable_close(&source->waitable);
    plx__memory_put(pt->memory, source);
}

static iocp_source **iocp_place(struct iocp_state *pt, uint32_t number)
{
    return plx__pages_get(&pt->places, number);
}

/*
 * Whether two sources of one number are of the same open file. Sockets without an address look
 * alike; one whose poll is out has not been closed, as far as is known.
 */
static bool iocp_same(const iocp_source *one, const iocp_source *other, plx_fd fd)
{
    if (one->gone || !one->socket != !other->socket)
        return false;
    if (!one->socket)
        return plx__waitable_is(&one->waitable, fd);
    return one->identity.local == other->identity.local && one->identity.peer == other->identity.peer &&
           (one->identity.local || one->armed);
}

/* Whether the number of a source still names its file: 0, -EBADF or -ENOENT. */
static int iocp_check(const iocp_source *source, plx_fd fd, uint32_t *calls)
{
    int rc = 0;

    if (source->socket) {
        rc = plx__afd_check(fd, &source->identity, calls);
    } else {
        *calls += 2;
        if (!plx__descriptor_is_open(fd))
            rc = -EBADF;
        else if (!plx__waitable_is(&source->waitable, fd))
            rc = -ENOENT;
    }
    return rc == 0 && source->gone ? -ENOENT : rc;
}

static void iocp_due(struct iocp_state *pt, iocp_source *source)
{
    if (source->link)
        return;
    source->next = NULL;
    source->link = pt->due_end;
    *pt->due_end = source;
    pt->due_end = &source->next;
}

static void iocp_undue(struct iocp_state *pt, iocp_source *source)
{
    if (!source->link)
        return;
    *source->link = source->next;
    *(source->next ? &source->next->link : &pt->due_end) = source->link;
    source->link = NULL;
}

/* Of other handles there is one thing to be told. */
static bool iocp_wants(const iocp_source *source)
{
    return source->socket ? source->flags != 0 : source->flags & PLX_READABLE;
}

static int iocp_arm(struct iocp_state *pt, iocp_source *source, uint64_t visit, uint32_t *calls)
{
    uint32_t events = plx__afd_events(source->flags);
    int rc = source->socket ? plx__afd_arm(source->group->device, source->socket, events, &source->poll)
                            : plx__waitable_arm(&source->waitable, source);

    ++*calls;
    if (rc < 0)
        return rc;
    source->armed = true;
    source->events = events;
    source->visit = visit;
    pt->outstanding++;
    return 0;
}

/* In a wait: what cannot be armed is silent if it was closed, else due again. */
static bool iocp_rearm(struct iocp_state *pt, iocp_source *source, uint64_t visit, uint32_t *calls)
{
    int rc = iocp_arm(pt, source, visit, calls);

    source->gone = rc == -EBADF;
    if (rc == 0 || source->gone) {
        iocp_undue(pt, source);
        return true;
    }
    iocp_due(pt, source);
    return false;
}

/* No completion comes, or one does that has nothing else to do: 0, or the error of the call. */
static int iocp_disarm(struct iocp_state *pt, iocp_source *source, uint32_t *calls)
{
    if (!source->armed)
        return 0;
    ++*calls;
    if (source->socket) {
        int rc = plx__afd_cancel(source->group->device, &source->poll);
        return rc == -ENOENT ? 0 : rc; /* it is in the port */
    }
    source->armed = !plx__waitable_disarm(&source->waitable);
    pt->outstanding -= !source->armed;
    return 0;
}

/* After a change of its flags. What is armed for more than is wanted stays. */
static int iocp_renew(struct iocp_state *pt, iocp_source *source, uint32_t *calls)
{
    int rc = 0;

    if (!source->armed) {
        rc = iocp_wants(source) ? iocp_arm(pt, source, 0, calls) : 0;
        if (rc == 0)
            iocp_undue(pt, source);
    } else if (source->socket ? plx__afd_events(source->flags) & ~source->events : !iocp_wants(source)) {
        rc = iocp_disarm(pt, source, calls);
    }
    return rc;
}

/* It has no number any more; if a completion is to come, it frees it. */
static void iocp_retire(struct iocp_state *pt, iocp_source *source)
{
    iocp_undue(pt, source);
    source->removed = true;
    if (!source->armed)
        iocp_source_free(pt, source);
}

/* ---- Changes --------------------------------------------------------------- */

static int iocp_add(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct iocp_state *pt = state;
    plx_fd fd = plx__descriptor_of(watch->key.fd);
    iocp_source *source;
    int rc = (HANDLE)fd == pt->port ? -EINVAL : iocp_source_make(pt, fd, &source, calls);

    if (rc < 0)
        return rc;
    source->key = watch->key;
    source->flags = watch->flags;
    plx__lock_take(&pt->lock);
    iocp_source **place = plx__pages_make(&pt->places, watch->key.fd);
    if (!place)
        rc = -ENOMEM;
    else if (*place && iocp_same(*place, source, fd))
        rc = -EEXIST;
    else if (source->socket)
        rc = plx__afd_join(&pt->groups, &source->group, calls);
    if (rc == 0)
        rc = iocp_renew(pt, source, calls);
    if (rc == 0 && *place) {
        (void)iocp_disarm(pt, *place, calls);
        iocp_retire(pt, *place);
    }
    source->changed = pt->visits;
    if (rc == 0)
        *place = source;
    else
        iocp_source_free(pt, source);
    plx__lock_drop(&pt->lock);
    return rc;
}

static int iocp_modify(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls)
{
    struct iocp_state *pt = state;

    plx__lock_take(&pt->lock);
    iocp_source *source = *iocp_place(pt, now->key.fd);
    int rc = iocp_check(source, plx__descriptor_of(now->key.fd), calls);
    if (rc == 0) {
        source->flags = now->flags;
        rc = iocp_renew(pt, source, calls);
    }
    if (rc == 0) {
        source->key = now->key;
        source->visit = 0;
        source->changed = pt->visits;
    } else {
        source->flags = was->flags;
    }
    plx__lock_drop(&pt->lock);
    return rc;
}

static int iocp_remove(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct iocp_state *pt = state;

    plx__lock_take(&pt->lock);
    iocp_source **place = iocp_place(pt, watch->key.fd);
    iocp_source *source = *place;
    int rc = iocp_disarm(pt, source, calls);
    if (rc == 0) {
        *place = NULL;
        iocp_retire(pt, source);
    }
    plx__lock_drop(&pt->lock);
    return rc;
}

/* What is left of a removed registration comes to nobody. */
static int iocp_rebuild(void *state, const plx__table *table, uint32_t *calls)
{
    (void)state;
    (void)table;
    (void)calls;
    return 0;
}

/* ---- Waiting --------------------------------------------------------------- */

/* How many were taken from the port; 0 after the time. */
static int iocp_take(struct iocp_state *pt, OVERLAPPED_ENTRY *entries, int room, plx_nanos timeout, uint32_t *calls)
{
    DWORD milliseconds = timeout < 0 ? INFINITE : (DWORD)plx__clock_milliseconds(timeout);
    DWORD saved = GetLastError();
    ULONG count = 0;
    bool taken = plx__win32.GetQueuedCompletionStatusEx(pt->port, entries, (ULONG)room, &count, milliseconds, FALSE);
    int rc = plx__win32_result(taken, saved);

    ++*calls;
    return rc == -ETIMEDOUT ? 0 : rc < 0 ? rc : (int)count;
}

/* Before it takes anything: arms what is due. False if some of it has to wait. */
static bool iocp_arm_due(struct iocp_state *pt, uint64_t visit, uint32_t *calls)
{
    bool all = true;
    iocp_source *next;

    for (iocp_source *source = pt->due; source; source = next) {
        next = source->next;
        all &= iocp_rearm(pt, source, visit, calls);
    }
    return all;
}

/* One wait, and how it takes what has completed. */
typedef struct iocp_visit {
    uint64_t number;
    bool fresh; /* this completed in its sleep: it is as it says */
    bool again; /* something was armed again */
} iocp_visit;

/* After its completion was taken. False if it was removed: then this is its end. */
static bool iocp_settle(struct iocp_state *pt, iocp_source *source)
{
    pt->outstanding--;
    source->armed = false;
    if (!source->socket)
        plx__waitable_done(&source->waitable);
    if (source->removed) {
        iocp_source_free(pt, source);
        return false;
    }
    source->found = source->socket ? plx__afd_found(&source->poll) : PLX__AFD_RECEIVE;
    source->gone = source->found & PLX__AFD_LOCAL_CLOSE;
    return true;
}

/* Whether what its completion says may be over. A change in the wait's sleep is as good as before it. */
static bool iocp_doubtful(const iocp_source *source, const iocp_visit *visit)
{
    bool fresh = source->visit == visit->number || (visit->fresh && source->changed < visit->number);

    return source->socket && !source->gone && !fresh && source->found & plx__afd_events(source->flags);
}

/* Looks at all of them in one call; if one was closed meanwhile, or it fails, in a call each. */
static void iocp_look(struct iocp_state *pt, iocp_source **sources, int count, uint32_t *calls)
{
    plx__afd_subject subjects[IOCP_BATCH];

    if (count == 0)
        return;
    for (int i = 0; i < count; i++)
        subjects[i] = (plx__afd_subject){.socket = sources[i]->socket, .events = plx__afd_events(sources[i]->flags)};
    ++*calls;
    int rc = plx__afd_look(pt->look, subjects, count);
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            sources[i]->found = subjects[i].events;
        else if (count > 1)
            iocp_look(pt, &sources[i], 1, calls);
        else
            sources[i]->gone = rc == -EBADF;
    }
}

/*
 * One that is settled, with its key for a token; whether there is something to report. What has
 * nothing to say is armed again.
 */
static bool iocp_report(struct iocp_state *pt, iocp_source *source, iocp_visit *visit, plx_event *event,
                        uint32_t *calls)
{
    uint32_t events = source->found & plx__afd_events(source->flags);
    uint32_t flags = plx__afd_flags(events) & source->flags;

    if (source->gone || !iocp_wants(source))
        return false;
    if (!flags) {
        visit->again |= iocp_rearm(pt, source, visit->number, calls);
        return false;
    }
    if (!(source->flags & PLX_ONESHOT))
        iocp_due(pt, source);
    /* NOLINTNEXTLINE(clang-analyzer-unix.cstring.NullArg): at the end, without events, all are removed */
    memcpy(&event->token, &source->key, sizeof event->token);
    event->flags = flags;
    event->native = source->socket ? events : 0;
    return true;
}

/* All that was taken; how many have something to report. */
static int iocp_collect(struct iocp_state *pt, const OVERLAPPED_ENTRY *entries, int taken, iocp_visit *visit,
                        plx__harvest *harvest, plx_event *events)
{
    iocp_source *settled[IOCP_BATCH], *doubtful[IOCP_BATCH];
    int all = 0, doubts = 0, count = 0;

    for (int i = 0; i < taken; i++) {
        iocp_source *source = (iocp_source *)(void *)entries[i].lpOverlapped;
        if (!source)
            harvest->woken = true;
        else if ((void *)source != &pt->timer && iocp_settle(pt, source)) /* the timer: time is up, for somebody */
            settled[all++] = source;
    }
    for (int i = 0; i < all; i++)
        if (iocp_doubtful(settled[i], visit))
            doubtful[doubts++] = settled[i];
    iocp_look(pt, doubtful, doubts, &harvest->calls);
    for (int i = 0; i < all; i++)
        count += iocp_report(pt, settled[i], visit, &events[count], &harvest->calls);
    return count;
}

/* As iocp_take, but without the lock meanwhile. */
static int iocp_sleep(struct iocp_state *pt, OVERLAPPED_ENTRY *entries, plx__harvest *harvest, plx_nanos timeout)
{
    bool timed = timeout > 0 && pt->timer.packet && !pt->timing && iocp_set_timer(pt, timeout, &harvest->calls);

    pt->timing |= timed;
    pt->inside++;
    plx__lock_drop(&pt->lock);
    int taken = iocp_take(pt, entries, harvest->room, timeout, &harvest->calls);
    plx__lock_take(&pt->lock);
    pt->inside--;
    if (timed) {
        (void)plx__waitable_disarm(&pt->timer);
        pt->timing = false;
        harvest->calls++;
    }
    return taken;
}

/* Ends somebody's sleep, as its timer does: what could not be armed has to be tried again. */
static void iocp_rouse(struct iocp_state *pt, uint32_t *calls)
{
    DWORD saved = GetLastError();

    ++*calls;
    (void)plx__win32.PostQueuedCompletionStatus(pt->port, 0, 0, (OVERLAPPED *)(void *)&pt->timer);
    SetLastError(saved);
}

/*
 * Takes what is there, or sleeps; what was armed again is asked for once more, so that a wait
 * returns what is ready. Who leaves while others sleep arms for them what it has reported.
 */
static int iocp_gather(struct iocp_state *pt, plx__harvest *harvest, plx_nanos timeout)
{
    OVERLAPPED_ENTRY entries[IOCP_BATCH];
    int count = 0;

    plx__lock_take(&pt->lock);
    iocp_visit visit = {.number = ++pt->visits};
    if (!iocp_arm_due(pt, visit.number, &harvest->calls) && (timeout < 0 || timeout > IOCP_AGAIN))
        timeout = IOCP_AGAIN;
    int taken = iocp_take(pt, entries, harvest->room, 0, &harvest->calls);
    if (taken == 0 && timeout != 0) {
        visit.fresh = true;
        taken = iocp_sleep(pt, entries, harvest, timeout);
    }
    do {
        visit.again = false;
        harvest->found = taken;
        count += iocp_collect(pt, entries, taken, &visit, harvest, harvest->events + count);
        if (visit.again && count < harvest->room)
            taken = iocp_take(pt, entries, harvest->room - count, 0, &harvest->calls);
    } while (visit.again && count < harvest->room && taken > 0);
    if (pt->inside > 0 && !iocp_arm_due(pt, 0, &harvest->calls))
        iocp_rouse(pt, &harvest->calls);
    plx__lock_drop(&pt->lock);
    return taken < 0 && count == 0 ? taken : count;
}

static int iocp_wait(void *state, plx__harvest *harvest, plx_nanos timeout)
{
    if (harvest->room > IOCP_BATCH)
        harvest->room = IOCP_BATCH;
    int count = iocp_gather(state, harvest, timeout);
    int kept = 0;

    plx__view view = plx__table_view(harvest->table);
    /* Without the lock: a source of the library's own comes back here, through remove. */
    for (int i = 0; i < count; i++) {
        plx_event *event = &harvest->events[i];
        plx__key key;
        memcpy(&key, &event->token, sizeof key);
        kept += plx__harvest_event(harvest, view, &key, event->flags, event->native, &harvest->events[kept]);
    }
    return count < 0 ? count : kept;
}

static int iocp_wake(void *state, uint32_t *calls)
{
    struct iocp_state *pt = state;
    DWORD saved = GetLastError();

    ++*calls;
    return plx__win32_result(plx__win32.PostQueuedCompletionStatus(pt->port, 0, 0, NULL), saved);
}

static int iocp_descriptor(void *state)
{
    (void)state;
    return -ENOTSUP;
}

/* ---- Close ----------------------------------------------------------------- */

static void iocp_retire_all(struct iocp_state *pt, uint32_t *calls)
{
    size_t span = plx__pages_span(&pt->places);

    for (size_t number = 0; number < span; number++) {
        if (!plx__pages_find(&pt->places, number)) {
            number |= PLX__PAGE_SIZE - 1;
            continue;
        }
        iocp_source *source = *iocp_place(pt, (uint32_t)number);
        if (source) {
            (void)iocp_disarm(pt, source, calls);
            iocp_retire(pt, source);
        }
    }
}

static void iocp_fini(void *state, bool forked)
{
    struct iocp_state *pt = state;
    plx__harvest harvest = {0};
    OVERLAPPED_ENTRY entries[IOCP_BATCH];
    iocp_visit visit = {0};
    int failures = 0;

    (void)forked;
    iocp_retire_all(pt, &harvest.calls);
    plx__afd_close(&pt->groups);
    while (pt->outstanding > 0 && failures < IOCP_FAILURES) {
        int taken = iocp_take(pt, entries, IOCP_BATCH, IOCP_PATIENCE, &harvest.calls);
        (void)iocp_collect(pt, entries, taken, &visit, &harvest, NULL);
        failures = taken > 0 ? 0 : failures + 1;
    }
    plx__pages_fini(&pt->places);
    if (pt->timer.packet)
        plx__waitable_close(&pt->timer);
    plx__win32_close(pt->look);
    plx__win32_close(pt->port);
    plx__lock_fini(&pt->lock);
}

const plx__backend plx__backend_iocp = {
    .name = "iocp",
    .id = PLX_BACKEND_IOCP,
    .modes = PLX_ONESHOT,
    .native = false,
    .shared = true,
    .state_size = sizeof(struct iocp_state),
    .init = iocp_init,
    .fini = iocp_fini,
    .add = iocp_add,
    .modify = iocp_modify,
    .remove = iocp_remove,
    .rebuild = iocp_rebuild,
    .wait = iocp_wait,
    .wake = iocp_wake,
    .descriptor = iocp_descriptor,
};

#endif
