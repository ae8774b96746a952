/* SPDX-License-Identifier: MIT */
/*
 * epoll, and an eventfd to wake it.
 *
 * The kernel's traps: ERR and HUP are reported whatever was asked for, so silence is a
 * oneshot that asks for nothing: it is quiet after the first of them, which the core
 * drops. EPOLLEXCLUSIVE cannot be changed (MOD is EINVAL) and refuses EPOLLRDHUP. The
 * eventfd is edge-triggered and not read: each write is an edge; only when its counter is
 * full, 2^64 - 2 wakes on, is it emptied. epoll_pwait2 may be missing (ENOSYS) or denied
 * by a container (EPERM); then milliseconds have to do.
 *
 * Our flags have epoll's values, so that the translations below compile to masks.
 */
#include "os/config.h"

#include "backend/backend.h"
#include "os/clock.h"
#include "os/linux.h"
#include "os/posix.h"

#include <string.h>

struct ep_state {
    int epoll;
    int event;
    _Atomic(bool) coarse; /* no epoll_pwait2 here */
};

static int ep_add_eventfd(int epoll, int event)
{
    struct epoll_event edge = {.events = EPOLLIN | EPOLLET, .data.u64 = PLX__WAKE_KEY};

    return plx__linux.epoll_control(epoll, EPOLL_CTL_ADD, event, &edge);
}

/* A kernel or a sandbox without the call. */
static int ep_absent(int rc)
{
    return rc == -ENOSYS || rc == -EPERM ? -ENOTSUP : rc;
}

static int ep_init(void *state, const plx_allocator *memory)
{
    struct ep_state *ep = state;
    int rc;

    (void)memory;
    ep->epoll = plx__linux.epoll_create();
    if (ep->epoll < 0)
        return ep_absent(ep->epoll);
    ep->event = plx__linux.eventfd();
    if (ep->event < 0) {
        rc = ep_absent(ep->event);
        goto close_epoll;
    }
    rc = ep_absent(ep_add_eventfd(ep->epoll, ep->event));
    if (rc < 0)
        goto close_event;
    return 0;

close_event:
    (void)plx__posix.close(ep->event);
close_epoll:
    (void)plx__posix.close(ep->epoll);
    return rc;
}

static void ep_fini(void *state)
{
    struct ep_state *ep = state;

    (void)plx__posix.close(ep->event);
    (void)plx__posix.close(ep->epoll);
}

static struct epoll_event ep_interest(const plx__watch *watch)
{
    uint32_t flags = watch->flags;
    uint32_t events = (flags & PLX_READABLE ? EPOLLIN : 0) | (flags & PLX_WRITABLE ? EPOLLOUT : 0) |
                      (flags & PLX_PRIORITY ? EPOLLPRI : 0) | (flags & PLX_EDGE ? EPOLLET : 0) |
                      (flags & PLX_ONESHOT ? EPOLLONESHOT : 0) | (flags & PLX_EXCLUSIVE ? EPOLLEXCLUSIVE : 0);

    if (flags & (PLX_READABLE | PLX_READ_CLOSED) && !(flags & PLX_EXCLUSIVE))
        events |= EPOLLRDHUP;
    if (watch->native)
        events = flags;
    if (!flags)
        events = EPOLLONESHOT;
    return (struct epoll_event){.events = events, .data.u64 = watch->key};
}

static int ep_control(struct ep_state *ep, int operation, const plx__watch *watch, uint32_t *calls)
{
    struct epoll_event interest = ep_interest(watch);

    ++*calls;
    return plx__linux.epoll_control(ep->epoll, operation, plx__key_fd(watch->key), &interest);
}

static int ep_add(void *state, const plx__watch *watch, uint32_t *calls)
{
    return ep_control(state, EPOLL_CTL_ADD, watch, calls);
}

static int ep_remove(void *state, const plx__watch *watch, uint32_t *calls)
{
    return ep_control(state, EPOLL_CTL_DEL, watch, calls);
}

static bool ep_exclusive(const plx__watch *watch)
{
    return ep_interest(watch).events & EPOLLEXCLUSIVE;
}

static int ep_modify(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls)
{
    if (!ep_exclusive(was) && !ep_exclusive(now))
        return ep_control(state, EPOLL_CTL_MOD, now, calls);
    int rc = ep_control(state, EPOLL_CTL_DEL, was, calls);
    if (rc < 0)
        return rc;
    rc = ep_control(state, EPOLL_CTL_ADD, now, calls);
    if (rc < 0)
        (void)ep_control(state, EPOLL_CTL_ADD, was, calls);
    return rc;
}

/*
 * What the old set does not have any more is not taken over: the number was closed, and may
 * be another file by now. MOD tells; of an exclusive entry, which is there, it says EINVAL.
 */
static int ep_rebuild(void *state, const plx__table *table, uint32_t *calls)
{
    struct ep_state *ep = state;
    struct ep_state fresh = {.epoll = plx__linux.epoll_create()};
    plx__watch watch;
    size_t fd = 0;

    ++*calls;
    if (fresh.epoll < 0)
        return fresh.epoll;
    int rc = ep_add_eventfd(fresh.epoll, ep->event);
    while (rc == 0 && plx__table_next(table, &fd, &watch)) {
        int known = ep_control(ep, EPOLL_CTL_MOD, &watch, calls);
        if (known == 0 || known == -EINVAL)
            rc = ep_control(&fresh, EPOLL_CTL_ADD, &watch, calls);
    }
    if (rc == 0) {
        rc = plx__linux.replace(fresh.epoll, ep->epoll);
        ++*calls;
    }
    (void)plx__posix.close(fresh.epoll);
    return rc < 0 ? rc : 0;
}

static uint32_t ep_flags(uint32_t events, plx__key key)
{
    uint32_t flags = (events & EPOLLIN ? PLX_READABLE : 0) | (events & EPOLLOUT ? PLX_WRITABLE : 0) |
                     (events & EPOLLPRI ? PLX_PRIORITY : 0) | (events & EPOLLRDHUP ? PLX_READ_CLOSED : 0) |
                     (events & EPOLLERR ? PLX_ERROR : 0) | (events & EPOLLHUP ? PLX_WRITE_CLOSED : 0);

    if (events & EPOLLHUP)
        flags |= PLX_READ_CLOSED;
    else if (events & EPOLLERR && plx__posix_is_pipe(plx__key_fd(key)))
        flags |= PLX_WRITE_CLOSED;
    return flags;
}

static int ep_sleep(struct ep_state *ep, struct epoll_event *raw, int capacity, plx_nanos timeout, uint32_t *calls)
{
    ++*calls;
    if (timeout <= 0)
        return plx__linux.epoll_wait(ep->epoll, raw, capacity, timeout < 0 ? -1 : 0);
    if (!atomic_load_explicit(&ep->coarse, PLX__RELAXED)) {
        int rc = plx__linux.epoll_wait_nanos(ep->epoll, raw, capacity, timeout);
        if (rc != -ENOSYS && rc != -EPERM)
            return rc;
        atomic_store_explicit(&ep->coarse, true, PLX__RELAXED);
        ++*calls;
    }
    return plx__linux.epoll_wait(ep->epoll, raw, capacity, plx__clock_milliseconds(timeout));
}

/*
 * The kernel writes its events, which are smaller than ours, to the tail of the array, and
 * they are translated from the front:
 *
 *     events   |  0  |  1  |  2  |  3  |        ours is written ...
 *     raw            | 0 | 1 | 2 | 3 |          ... behind what is still to be read
 *
 * The end of ours[i] never passes the start of raw[i + 1].
 */
static int ep_wait(void *state, plx_event *events, int capacity, plx_nanos timeout, uint32_t *calls)
{
    _Static_assert(sizeof(struct epoll_event) <= sizeof(plx_event), "translated in place");
    char *raw = (char *)(events + capacity) - (size_t)capacity * sizeof(struct epoll_event);
    int count = ep_sleep(state, (struct epoll_event *)(void *)raw, capacity, timeout, calls);

    for (int i = 0; i < count; i++, raw += sizeof(struct epoll_event)) {
        struct epoll_event from;
        memcpy(&from, raw, sizeof from);
        events[i].token = from.data.u64;
        events[i].flags = ep_flags(from.events, from.data.u64);
        events[i].native = from.events;
        events[i].data = 0;
    }
    return count;
}

static int ep_wake(void *state, uint32_t *calls)
{
    struct ep_state *ep = state;
    uint64_t number = 1;
    int rc;

    while ((rc = plx__posix.write(ep->event, &number, sizeof number)) == -EINTR || rc == -EAGAIN) {
        ++*calls;
        if (rc == -EAGAIN) { /* the counter is full, and a write that fails is no edge */
            uint64_t drained;
            (void)plx__posix.read(ep->event, &drained, sizeof drained);
            ++*calls;
        }
    }
    ++*calls;
    return rc < 0 ? rc : 0;
}

static int ep_descriptor(void *state)
{
    struct ep_state *ep = state;

    return ep->epoll;
}

const plx__backend plx__backend_epoll = {
    .name = "epoll",
    .id = PLX_BACKEND_EPOLL,
    .modes = PLX_EDGE | PLX_ONESHOT | PLX_EXCLUSIVE,
    .native = true,
    .shared = true,
    .state_size = sizeof(struct ep_state),
    .init = ep_init,
    .fini = ep_fini,
    .add = ep_add,
    .modify = ep_modify,
    .remove = ep_remove,
    .rebuild = ep_rebuild,
    .wait = ep_wait,
    .wake = ep_wake,
    .descriptor = ep_descriptor,
};
