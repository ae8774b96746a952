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
 */
#include "os/config.h"

#include "backend/backend.h"
#include "os/clock.h"

#if PLX__HAS_EPOLL
#include "backend/epoll.h"
#include "backend/linux_flags.h"
#include "os/linux.h"
#include "os/posix.h"

#include <limits.h>
#include <string.h>

/* The kernel refuses an array whose size does not fit an int. */
#define EP_MOST (INT_MAX / (int)sizeof(struct epoll_event))

/* A key as the kernel keeps it: its bytes, in the machine's order. */
static inline uint64_t ep_pack(plx__key key)
{
    uint64_t packed;

    memcpy(&packed, &key, sizeof packed);
    return packed;
}

static int ep_add_eventfd(int epoll, int event)
{
    struct epoll_event edge = {.events = EPOLLIN | EPOLLET, .data.u64 = ep_pack((plx__key){.tag = PLX__WAKE_TAG})};

    return plx__epoll_control(epoll, EPOLL_CTL_ADD, event, &edge);
}

/* A kernel or a sandbox without the call. */
static int ep_absent(int rc)
{
    return rc == -ENOSYS || rc == -EPERM ? -ENOTSUP : rc;
}

static int ep_init(void *state, const plx_allocator *memory)
{
    plx__epoll *ep = state;
    int rc;

    (void)memory;
    ep->epoll = plx__epoll_create();
    if (ep->epoll < 0)
        return ep_absent(ep->epoll);
    ep->event = plx__eventfd();
    if (ep->event < 0) {
        rc = ep_absent(ep->event);
        goto close_epoll;
    }
    rc = ep_absent(ep_add_eventfd(ep->epoll, ep->event));
    if (rc < 0)
        goto close_event;
    return 0;

close_event:
    plx__close(ep->event);
close_epoll:
    plx__close(ep->epoll);
    return rc;
}

static void ep_fini(void *state, bool forked)
{
    plx__epoll *ep = state;

    (void)forked;
    plx__close(ep->event);
    plx__close(ep->epoll);
}

static inline struct epoll_event ep_interest(const plx__watch *watch)
{
    return (struct epoll_event){
        .events = watch->flags ? watch->flags : EPOLLONESHOT,
        .data.u64 = ep_pack(watch->key),
    };
}

static inline int ep_control(plx__epoll *ep, int operation, const plx__watch *watch, uint32_t *calls)
{
    struct epoll_event interest = ep_interest(watch);

    ++*calls;
    return plx__epoll_control(ep->epoll, operation, (int)watch->key.fd, &interest);
}

static int ep_add(void *state, const plx__watch *watch, uint32_t *calls)
{
    plx__epoll *ep = state;
    int rc = (int)watch->key.fd == ep->event ? -EINVAL : ep_control(ep, EPOLL_CTL_ADD, watch, calls);

    if (rc == 0 && watch->key.tag == PLX__ALARM_TAG)
        ep->alarm = *watch;
    return rc;
}

/* Of a number that is a regular file by now epoll says EPERM, whatever it is asked. */
static inline int ep_gone(int rc)
{
    return rc == -EPERM ? -ENOENT : rc;
}

/*
 * Of an exclusive entry MOD says EINVAL; asked with the flag itself, the kernel says so before it
 * looks. Such an entry is this registration's, or if it has none, that of a file before it.
 */
static inline int ep_change(plx__epoll *ep, const plx__watch *watch, uint32_t *calls)
{
    plx__watch plain = *watch;

    plain.flags &= ~(uint32_t)EPOLLEXCLUSIVE;
    int rc = ep_gone(ep_control(ep, EPOLL_CTL_MOD, &plain, calls));
    if (rc == -EINVAL)
        return watch->flags & EPOLLEXCLUSIVE ? 0 : -ENOENT;
    return rc;
}

static int ep_remove(void *state, const plx__watch *watch, uint32_t *calls)
{
    plx__epoll *ep = state;

    ++*calls;
    return ep_gone(plx__epoll_control(ep->epoll, EPOLL_CTL_DEL, (int)watch->key.fd, NULL));
}

static int ep_modify(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls)
{
    if (!((was->flags | now->flags) & EPOLLEXCLUSIVE))
        return ep_change(state, now, calls);
    int rc = ep_remove(state, was, calls);
    if (rc < 0)
        return rc;
    rc = ep_control(state, EPOLL_CTL_ADD, now, calls);
    if (rc < 0)
        (void)ep_control(state, EPOLL_CTL_ADD, was, calls);
    return rc;
}

/* Whether the old set still has the registration: 0, or -ENOENT, and the number may be another file by now. */
static int ep_has(plx__epoll *ep, const plx__watch *watch, uint32_t *calls)
{
    int rc = ep_change(ep, watch, calls);

    return rc == -EBADF ? -ENOENT : rc;
}

/* Takes a registration over into a fresh set; 1 if its number changed hands meanwhile. */
static int ep_adopt(plx__epoll *ep, plx__epoll *fresh, const plx__watch *watch, uint32_t *calls)
{
    int rc = ep_has(ep, watch, calls);

    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    int added = ep_control(fresh, EPOLL_CTL_ADD, watch, calls);
    rc = ep_has(ep, watch, calls);
    if (rc != -ENOENT)
        return added < 0 ? added : rc;
    if (added == 0)
        (void)ep_remove(fresh, watch, calls);
    return 1;
}

static int ep_rebuild(void *state, const plx__table *table, uint32_t *calls)
{
    plx__epoll *ep = state;
    plx__epoll fresh = {.epoll = plx__epoll_create()};
    plx__watch watch;
    size_t fd = 0;

    ++*calls;
    if (fresh.epoll < 0)
        return fresh.epoll;
    int rc = ep_add_eventfd(fresh.epoll, ep->event);
    ++*calls;
    if (rc >= 0 && ep->alarm.key.tag)
        rc = ep_control(&fresh, EPOLL_CTL_ADD, &ep->alarm, calls);
    bool doubt = false;
    while (rc >= 0 && plx__table_next(table, &fd, &watch)) {
        rc = ep_adopt(ep, &fresh, &watch, calls);
        doubt |= rc > 0;
    }
    if (rc >= 0) {
        rc = plx__descriptor_replace(fresh.epoll, ep->epoll);
        ++*calls;
    }
    plx__close(fresh.epoll);
    ++*calls;
    return rc < 0 ? rc : doubt;
}

/* A wake, the alarm, or what is unusual; true if it is somebody's. */
PLX__RARE static bool ep_unusual(plx__harvest *harvest, const plx__key *key, uint32_t events, plx_event *event)
{
    if (key->tag < PLX__ALARM_TAG)
        return plx__harvest_slow(harvest, key, plx__linux_flags(harvest, key, events), events, event);
    harvest->woken |= key->tag == PLX__WAKE_TAG;
    return false;
}

PLX__RARE static int ep_sleep_timed(plx__epoll *ep, struct epoll_event *raw, plx__harvest *harvest,
                                    plx_nanos timeout)
{
    if (!atomic_load_explicit(&ep->coarse, PLX__RELAXED)) {
        int rc = plx__epoll_wait_nanos(ep->epoll, raw, harvest->room, timeout);
        if (rc != -ENOSYS && rc != -EPERM)
            return rc;
        atomic_store_explicit(&ep->coarse, true, PLX__RELAXED);
        harvest->calls++;
    }
    return plx__epoll_wait(ep->epoll, raw, harvest->room, plx__clock_milliseconds(timeout));
}

static inline int ep_sleep(plx__epoll *ep, struct epoll_event *raw, plx__harvest *harvest, plx_nanos timeout)
{
    harvest->calls++;
    if (timeout <= 0) /* 0 and PLX_FOREVER are the kernel's own */
        return plx__epoll_wait(ep->epoll, raw, harvest->room, (int)timeout);
    return ep_sleep_timed(ep, raw, harvest, timeout);
}

/* A place in the array that holds no event: no token is as large. */
#define EP_HOLE UINT64_MAX

/* Closes the gaps that events of nobody have left. */
PLX__RARE static int ep_compact(plx_event *events, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++)
        if (events[i].token != EP_HOLE)
            events[kept++] = events[i];
    return kept;
}

/*
 * The kernel writes its events, which are smaller than ours, to the start of the array, and
 * they are translated in place, from the last to the first:
 *
 *     raw      | 0 | 1 | 2 | 3 |                what is still to be read ...
 *     events   |  0  |  1  |  2  |  3  |        ... is in front of what is written
 */
static int ep_wait(void *state, plx__harvest *harvest, plx_nanos timeout)
{
    _Static_assert(sizeof(struct epoll_event) <= sizeof(plx_event), "translated in place");
    plx_event *events = harvest->events;
    if (harvest->room > EP_MOST)
        harvest->room = EP_MOST;
    int count = ep_sleep(state, (struct epoll_event *)(void *)events, harvest, timeout);
    int kept = 0;

    harvest->found = count;
    plx__view view = plx__table_view(harvest->table);
    for (int i = count - 1; i >= 0; i--) {
        const char *raw = (const char *)events + (size_t)i * sizeof(struct epoll_event);
        uint32_t reported;
        plx__key key;
        memcpy(&reported, raw + offsetof(struct epoll_event, events), sizeof reported);
        memcpy(&key, raw + offsetof(struct epoll_event, data), sizeof key);
        if (key.tag >= PLX__ALARM_TAG || reported & PLX__LINUX_UNUSUAL
                ? ep_unusual(harvest, &key, reported, &events[i])
                : plx__harvest_event(harvest, view, &key, reported, reported, &events[i]))
            kept++;
        else
            events[i].token = EP_HOLE;
    }
    return kept == count || count < 0 ? count : ep_compact(events, count);
}

static int ep_wake(void *state, uint32_t *calls)
{
    plx__epoll *ep = state;

    return plx__eventfd_signal(ep->event, calls);
}

static int ep_descriptor(void *state)
{
    plx__epoll *ep = state;

    return ep->epoll;
}

const plx__backend plx__backend_epoll = {
    .name = "epoll",
    .id = PLX_BACKEND_EPOLL,
    .modes = PLX_EDGE | PLX_ONESHOT | PLX_EXCLUSIVE,
    .lacks = 0,
    .native = true,
    .shared = true,
    .state_size = sizeof(plx__epoll),
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

#endif
