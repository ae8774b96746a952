/* SPDX-License-Identifier: MIT */
/*
 * kqueue: macOS and the BSDs.
 *
 * The kernel's traps: a registration is up to three knotes, one for each filter, each told and
 * changed by itself. They belong to a number and go when it is closed, whatever duplicates live.
 * EV_ADD of what is there succeeds, and changes all but the mode; nor does it enable, whatever the
 * manual pages say; without EV_ADD OpenBSD changes nothing, others do: so knotes are made anew. Of
 * a descriptor that was closed and used again identities say nothing (sockets have none): the
 * kernel is asked for its knotes.
 *
 * Every registration has a knote for READ, be it disabled: its being there says that the
 * registration is. Where reading is not asked for, it is a guard that sees the end alone:
 * with a mark that no data reaches, and EV_CLEAR, because systems know such marks for sockets
 * only, or cut them, and because the end of reading may be nothing that was asked for. OpenBSD has
 * no such knote of a FIFO that is open for writing alone; then the one for WRITE is all that. The
 * knote for EXCEPT has EV_CLEAR as well: macOS has it report data and ends, with the socket's
 * error where its notes are. Where the mode is level, they are made anew after each report.
 *
 * A wake may be made in the handler of a signal: kevent is a system call like write.
 */
#include "os/config.h"

#include "backend/backend.h"
#include "os/lock.h"

#if PLX__HAS_KQUEUE
#include "os/kqueue.h"

#include <string.h>

/* Events of one wait. A kevent is larger than ours, or may be: they cannot be translated in place. */
enum { KQ_BATCH = 128 };

/* No data is as much. */
enum { KQ_NEVER = 0x3fffffff };

enum { KQ_READ, KQ_WRITE, KQ_EXCEPT, KQ_FILTERS };

#ifdef PLX__KQUEUE_EXCEPT
enum { KQ_USED = KQ_FILTERS };
static const short kq_filters[KQ_FILTERS] = {EVFILT_READ, EVFILT_WRITE, PLX__KQUEUE_EXCEPT};
#else
enum { KQ_USED = KQ_EXCEPT };
static const short kq_filters[KQ_FILTERS] = {EVFILT_READ, EVFILT_WRITE, 0};
#define NOTE_OOB 0
#endif

struct kq_state {
    int kq;
    int ended;         /* to wake it, where EVFILT_USER is not: of a pipe that nobody writes; else -1 */
    plx__lock lock;    /* what follows, and changes; taken under the registry's, or alone */
    plx__pages watches; /* descriptor -> what the kernel was told last (plx__watch); tag 0: nothing */
};

static void kq_set(struct kevent *change, const plx__watch *watch, int which, unsigned flags)
{
    EV_SET(change, watch->key.fd, kq_filters[which], flags, 0, 0, 0);
    memcpy(&change->udata, &watch->key.tag, sizeof watch->key.tag);
}

/* ---- Open and close -------------------------------------------------------- */

/* With EV_ADD a knote looks at its source again: where that has ended, it is ready each time. */
static int kq_change_wake(const struct kq_state *kq, bool add)
{
    const uint32_t tag = PLX__WAKE_TAG;
    struct kevent change;

#ifdef PLX__KQUEUE_USER
    if (kq->ended < 0)
        EV_SET(&change, 0, PLX__KQUEUE_USER, add ? EV_ADD | EV_CLEAR : 0, add ? 0 : NOTE_TRIGGER, 0, 0);
    else
#endif
        EV_SET(&change, kq->ended, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, 0);
    (void)add;
    memcpy(&change.udata, &tag, sizeof tag);
    return plx__kqueue_change(kq->kq, &change);
}

/* Before anything waits: what being added has made ready is taken. */
static int kq_add_end(struct kq_state *kq)
{
    struct kevent event;
    int ends[2];
    int rc = plx__pipe(ends);

    if (rc < 0)
        return rc;
    plx__close(ends[1]);
    kq->ended = ends[0];
    rc = kq_change_wake(kq, true);
    if (rc >= 0)
        rc = plx__kqueue_wait(kq->kq, &event, 1, 0);
    if (rc < 0)
        plx__close(kq->ended);
    return rc < 0 ? rc : 0;
}

static int kq_add_wake(struct kq_state *kq)
{
    kq->ended = -1;
#ifdef PLX__KQUEUE_USER
    int rc = kq_change_wake(kq, true);
    if (rc != -EINVAL) /* a kernel that is older than its headers */
        return rc;
#endif
    return kq_add_end(kq);
}

static int kq_init(void *state, const plx_allocator *memory)
{
    struct kq_state *kq = state;

    kq->kq = plx__kqueue_open();
    if (kq->kq < 0)
        return kq->kq == -ENOSYS ? -ENOTSUP : kq->kq;
    int rc = kq_add_wake(kq);
    if (rc < 0)
        goto close_kq;
    rc = plx__lock_init(&kq->lock);
    if (rc < 0)
        goto close_ended;
    plx__pages_init(&kq->watches, memory, sizeof(plx__watch));
    return 0;

close_ended:
    if (kq->ended >= 0)
        plx__close(kq->ended);
close_kq:
    plx__close(kq->kq);
    return rc;
}

/* In a child the number of the kqueue is free, or another's. */
static void kq_fini(void *state, bool forked)
{
    struct kq_state *kq = state;

    if (kq->ended >= 0)
        plx__close(kq->ended);
    if (forked && !plx__lock_try(&kq->lock))
        return; /* a fork has cut another thread's work in two: it is left */
    plx__pages_fini(&kq->watches);
    if (forked)
        return;
    plx__lock_fini(&kq->lock);
    plx__close(kq->kq);
}

/* ---- Changes --------------------------------------------------------------- */

static bool kq_is_guard(uint32_t flags)
{
    return !(flags & PLX_READABLE);
}

/* The guard is for an interest that WRITE does not answer, or not alone. */
static void kq_set_read(struct kevent *change, const plx__watch *watch)
{
    uint32_t flags = watch->flags;
    bool quiet = !flags || (kq_is_guard(flags) && flags & PLX_WRITABLE && !(flags & PLX_READ_CLOSED));

    kq_set(change, watch, KQ_READ, (unsigned)EV_ADD | (quiet ? EV_DISABLE : 0u));
    if (kq_is_guard(flags)) {
        change->flags |= EV_CLEAR;
        change->fflags = NOTE_LOWAT;
        change->data = KQ_NEVER;
    } else if (flags & PLX_EDGE) {
        change->flags |= EV_CLEAR;
    }
}

static int kq_count_adds(struct kevent *changes, const plx__watch *watch)
{
    unsigned clear = watch->flags & PLX_EDGE ? EV_CLEAR : 0;
    int count = 0;

    kq_set_read(&changes[count++], watch);
    if (watch->flags & PLX_WRITABLE)
        kq_set(&changes[count++], watch, KQ_WRITE, EV_ADD | clear);
    if (watch->flags & PLX_PRIORITY) {
        kq_set(&changes[count], watch, KQ_EXCEPT, EV_ADD | EV_CLEAR);
        changes[count++].fflags = NOTE_OOB;
    }
    return count;
}

/* What is there of a registration is taken out: 0, or what the kernel said of the knote for READ. */
static int kq_take_out(struct kq_state *kq, const plx__watch *watch, uint32_t *calls)
{
    struct kevent changes[KQ_FILTERS];

    for (int which = 0; which < KQ_USED; which++)
        kq_set(&changes[which], watch, which, EV_DELETE);
    int rc = plx__kqueue_changes(kq->kq, changes, KQ_USED);
    ++*calls;
    if (rc < 0)
        return rc;
    return changes[KQ_WRITE].data == 0 ? 0 : -(int)changes[KQ_READ].data;
}

/* A pipe that nobody reads any more, and whose kernel has no knote for writing then: a guard sees the end. */
static int kq_put_guard(struct kq_state *kq, const plx__watch *watch, uint32_t *calls)
{
    struct kevent change;
    plx__watch guarded = *watch;

    guarded.flags = (watch->flags & PLX_READABLE) | PLX_READ_CLOSED;
    kq_set_read(&change, &guarded);
    change.flags |= EV_ENABLE;
    ++*calls;
    return plx__kqueue_change(kq->kq, &change);
}

/* A FIFO whose kernel has no knote for reading it, if the one for writing was not asked for. */
static int kq_put_writer(struct kq_state *kq, const plx__watch *watch, uint32_t *calls)
{
    struct kevent change;

    kq_set(&change, watch, KQ_WRITE, EV_ADD | EV_CLEAR | (watch->flags ? 0u : EV_DISABLE));
    ++*calls;
    return plx__kqueue_change(kq->kq, &change);
}

/*
 * What has no such filter (a kqueue is never written) has nothing of that kind to report. That it
 * cannot be waited for at all is one error on every system. Of the writing end of a pipe that
 * nobody reads FreeBSD and OpenBSD say EPIPE, and NetBSD says EBADF; macOS has a knote.
 */
static int kq_put_in(struct kq_state *kq, const plx__watch *watch, uint32_t *calls)
{
    struct kevent changes[KQ_FILTERS];
    int count = kq_count_adds(changes, watch);
    int rc = plx__kqueue_changes(kq->kq, changes, count);
    bool ended = false;

    ++*calls;
    if (rc >= 0)
        rc = -(int)changes[0].data;
    if (rc == -EINVAL && plx__is_pipe((int)watch->key.fd))
        rc = watch->flags & PLX_WRITABLE ? -(int)changes[1].data : kq_put_writer(kq, watch, calls);
    if (rc == -EINVAL || rc == -ENODEV || rc == -EOPNOTSUPP)
        rc = -EPERM;
    for (int i = 1; i < count && rc >= 0; i++) {
        int error = (int)changes[i].data;
        ended |= error == EPIPE || error == EBADF;
        rc = error == ENOMEM ? -error : 0;
    }
    if (rc >= 0 && ended && kq_is_guard(watch->flags))
        rc = kq_put_guard(kq, watch, calls);
    if (rc < 0)
        (void)kq_take_out(kq, watch, calls);
    return rc < 0 ? rc : 0;
}

/*
 * Whether the kernel has the registration that it was told last: a change of the knotes for READ
 * and WRITE into what they are. What is ready may be one edge more, but where EV_ADD is needed.
 */
static bool kq_has(struct kq_state *kq, const plx__watch *watch, uint32_t *calls)
{
    struct kevent changes[2];

    kq_set_read(&changes[0], watch);
    changes[0].flags = 0;
    kq_set(&changes[1], watch, KQ_WRITE, 0);
    ++*calls;
    return plx__kqueue_changes(kq->kq, changes, 2) == 2 && (changes[0].data == 0 || changes[1].data == 0);
}

static int kq_add(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct kq_state *kq = state;
    plx__identity identity;
    int fd = (int)watch->key.fd;

    if (fd == kq->kq || fd == kq->ended)
        return -EINVAL;
    int rc = plx__identify(fd, &identity);
    ++*calls;
    if (rc < 0)
        return rc;
    plx__lock_take(&kq->lock);
    plx__watch *told = plx__pages_make(&kq->watches, watch->key.fd);
    if (!told)
        rc = -ENOMEM;
    else if (told->key.tag && kq_has(kq, told, calls))
        rc = -EEXIST;
    else
        rc = kq_put_in(kq, watch, calls);
    if (rc == 0)
        *told = *watch;
    plx__lock_drop(&kq->lock);
    return rc;
}

/* A closed number has no knotes either. */
static int kq_missing(const plx__watch *watch, int rc, uint32_t *calls)
{
    if (rc != -ENOENT)
        return rc;
    ++*calls;
    return plx__descriptor_is_open((plx_fd)watch->key.fd) ? rc : -EBADF;
}

/* A oneshot has reported: its knotes stay, and are silent. The number may be another file by now. */
static void kq_disarm(struct kq_state *kq, const plx__watch *watch, uint32_t *calls)
{
    struct kevent changes[KQ_FILTERS];

    for (int which = 0; which < KQ_USED; which++)
        kq_set(&changes[which], watch, which, EV_DISABLE);
    (void)plx__kqueue_changes(kq->kq, changes, KQ_USED);
    ++*calls;
}

static int kq_modify(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls)
{
    struct kq_state *kq = state;
    bool same = !((was->key.tag ^ now->key.tag) & PLX__GENERATION);
    int rc = 0;

    plx__lock_take(&kq->lock);
    plx__watch *told = plx__pages_get(&kq->watches, now->key.fd);
    if (same && !now->flags) {
        kq_disarm(kq, now, calls);
    } else {
        rc = kq_take_out(kq, was, calls);
        if (rc < 0)
            rc = kq_missing(now, rc, calls);
        else if ((rc = kq_put_in(kq, now, calls)) < 0)
            (void)kq_put_in(kq, was, calls);
    }
    if (rc == 0)
        *told = *now;
    plx__lock_drop(&kq->lock);
    return rc;
}

static int kq_remove(void *state, const plx__watch *watch, uint32_t *calls)
{
    struct kq_state *kq = state;

    plx__lock_take(&kq->lock);
    int rc = kq_take_out(kq, watch, calls);
    *(plx__watch *)plx__pages_get(&kq->watches, watch->key.fd) = (plx__watch){.flags = 0};
    plx__lock_drop(&kq->lock);
    return rc < 0 ? kq_missing(watch, rc, calls) : 0;
}

/* Nothing is left behind: knotes go with their number. */
static int kq_rebuild(void *state, const plx__table *table, uint32_t *calls)
{
    (void)state;
    (void)table;
    (void)calls;
    return 0;
}

/* ---- Waiting --------------------------------------------------------------- */

static uint32_t kq_flags(const struct kevent *event)
{
    bool end = event->flags & EV_EOF;

    if (event->filter == EVFILT_WRITE)
        return PLX_WRITABLE | (end ? PLX_WRITE_CLOSED : 0) | (end && event->fflags ? PLX_ERROR : 0);
    if (event->filter == EVFILT_READ)
        return PLX_READABLE | (end ? PLX_READ_CLOSED : 0) | (end && event->fflags ? PLX_ERROR : 0);
    return !end && event->fflags & NOTE_OOB ? PLX_PRIORITY : 0;
}

/*
 * All that a descriptor has to report, by a set for this one question: what the filters that
 * did not report, or are not there, would say. What cannot be asked is not reported.
 */
PLX__RARE static uint32_t kq_ask(const plx__key *key, uint32_t *calls)
{
    plx__watch watch = {.key = *key};
    struct kevent events[KQ_FILTERS];
    uint32_t flags = 0;
    int set = plx__kqueue_open();

    ++*calls;
    if (set < 0)
        return 0;
    for (int which = 0; which < KQ_USED; which++) {
        kq_set(&events[which], &watch, which, EV_ADD);
        events[which].fflags = which == KQ_EXCEPT ? NOTE_OOB : 0;
    }
    (void)plx__kqueue_changes(set, events, KQ_USED);
    int count = plx__kqueue_wait(set, events, KQ_FILTERS, 0);
    plx__close(set);
    *calls += 3;
    for (int i = 0; i < count; i++)
        flags |= kq_flags(&events[i]);
    return flags;
}

/*
 * The end of reading may be that of writing: of a pipe it is, and its writing end has no other;
 * of others the kernel is asked.
 */
PLX__RARE static uint32_t kq_end(const plx__key *key, uint32_t flags, uint32_t *calls)
{
    ++*calls;
    if (!plx__is_pipe((int)key->fd))
        return flags & PLX_WRITE_CLOSED ? flags : flags | kq_ask(key, calls);
    ++*calls;
    return (flags | PLX_WRITE_CLOSED) & ~(plx__is_write_only((int)key->fd) ? PLX_READ_CLOSED : 0u);
}

/* Its edges were reported, and are to be again with the next wait, unless it was changed since. */
PLX__RARE static void kq_again(struct kq_state *kq, const plx__key *key, uint32_t *calls)
{
    plx__lock_take(&kq->lock);
    plx__watch *told = plx__pages_get(&kq->watches, key->fd);
    if (told->key.tag == key->tag && told->flags) {
        (void)kq_take_out(kq, told, calls);
        (void)kq_put_in(kq, told, calls);
    }
    plx__lock_drop(&kq->lock);
}

static bool kq_same(const struct kevent *one, const struct kevent *other)
{
    return one->ident == other->ident && memcmp(&one->udata, &other->udata, sizeof one->udata) == 0;
}

/* One that was merged into another: no filter has this number. */
enum { KQ_TAKEN = 0 };

/* All that this wait has of the first one's registration; *edges: some of it came from knotes with EV_CLEAR. */
static uint32_t kq_merge(struct kevent *events, int count, bool several, bool *edges)
{
    uint32_t flags = kq_flags(&events[0]);

    *edges = events[0].flags & EV_CLEAR;
    for (int i = 1; i < count && several; i++)
        if (kq_same(&events[i], &events[0])) {
            flags |= kq_flags(&events[i]);
            *edges |= events[i].flags & EV_CLEAR;
            events[i].filter = KQ_TAKEN;
        }
    return flags;
}

/* The first of these events and what belongs to it; `full`: there may be more in the kernel. */
static bool kq_report(struct kq_state *kq, plx__harvest *harvest, plx__view view, struct kevent *events, int count,
                      bool full, plx_event *event)
{
    plx__key key = {.fd = (uint32_t)events->ident};

    memcpy(&key.tag, &events->udata, sizeof key.tag);
    if (events->filter == KQ_TAKEN)
        return false;
    if (key.tag >= PLX__ALARM_TAG) {
        harvest->woken |= key.tag == PLX__WAKE_TAG;
        return false;
    }
    uint32_t interest = atomic_load_explicit(&plx__view_entry(view, key.fd)->interest, PLX__RELAXED); /* a guess */
    bool several = interest & (PLX_WRITABLE | PLX_PRIORITY); /* than one knote */
    bool edges;
    uint32_t flags = kq_merge(events, count, several, &edges);
    if (flags & PLX_READ_CLOSED)
        flags = kq_end(&key, flags, &harvest->calls);
    else if (full && several)
        flags |= kq_ask(&key, &harvest->calls);
    if (!plx__harvest_event(harvest, view, &key, flags, 0, event))
        return false;
    if (edges && !(interest & (PLX_EDGE | PLX_ONESHOT)))
        kq_again(kq, &key, &harvest->calls);
    return true;
}

/* One kevent may be all that there is of a registration: there is room for each, or an edge would be lost. */
static int kq_wait(void *state, plx__harvest *harvest, plx_nanos timeout)
{
    struct kq_state *kq = state;
    struct kevent events[KQ_BATCH];
    int kept = 0;

    if (harvest->room > KQ_BATCH)
        harvest->room = KQ_BATCH;
    int count = plx__kqueue_wait(kq->kq, events, harvest->room, timeout);
    harvest->calls++;
    harvest->found = count;
    plx__view view = plx__table_view(harvest->table);
    for (int i = 0; i < count; i++)
        kept += kq_report(kq, harvest, view, &events[i], count - i, count == harvest->room, &harvest->events[kept]);
    return count < 0 ? count : kept;
}

static int kq_wake(void *state, uint32_t *calls)
{
    int rc;

    do {
        rc = kq_change_wake(state, false);
        ++*calls;
    } while (rc == -EINTR);
    return rc;
}

static int kq_descriptor(void *state)
{
    struct kq_state *kq = state;

    return kq->kq;
}

const plx__backend plx__backend_kqueue = {
    .name = "kqueue",
    .id = PLX_BACKEND_KQUEUE,
    .modes = PLX_EDGE,
#ifndef PLX__KQUEUE_EXCEPT
    .lacks = PLX_PRIORITY,
#endif
    .native = false,
    .shared = true,
    .state_size = sizeof(struct kq_state),
    .init = kq_init,
    .fini = kq_fini,
    .add = kq_add,
    .modify = kq_modify,
    .remove = kq_remove,
    .rebuild = kq_rebuild,
    .wait = kq_wait,
    .wake = kq_wake,
    .descriptor = kq_descriptor,
};

#endif
