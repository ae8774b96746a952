/* SPDX-License-Identifier: MIT */
/*
 * What the library itself has attached to a poller: objects that the poller tells when it is
 * closed, and, where they have one, a descriptor of their own among the watched. It counts as
 * nobody's registration: its entry in the table is ARMED and not USED, and has the object for
 * a token.
 *
 * All of this is under the registry's lock, the kind's functions too.
 */
#ifndef PLX__ATTACH_H
#define PLX__ATTACH_H

#include "core/table.h"

struct plx_registry;

/* Between two ticks: the price is a look at each attachment that asked for them. */
#define PLX__ATTACH_TICK PLX_MSEC(100)

typedef struct plx__attachment plx__attachment;

typedef struct plx__attachment_kind {
    /*
     * Its descriptor is readable. Whether an event was written; it may unwatch itself, or put a
     * source on the ready queue.
     */
    bool (*report)(plx__attachment *attachment, plx_event *event);
    /* The tick that it asked for with plx__attachment_tick. Whether it needs more of them. */
    bool (*tick)(plx__attachment *attachment);
    /* The poller is being closed: it is attached no more, and closes its descriptor. */
    void (*detach)(plx__attachment *attachment);
} plx__attachment_kind;

struct plx__attachment {
    const plx__attachment_kind *kind;
    struct plx_registry *registry;
    plx__attachment *next, **link; /* a list of all; link is NULL while it is not attached */
    bool watched;
    plx__key key; /* what the kernel has of it, while watched */
};

/* Each may be called again, and then does nothing. */
void plx__attach(struct plx_registry *registry, plx__attachment *attachment);
void plx__detach(plx__attachment *attachment);
void plx__detach_all(struct plx_registry *registry);

/* Has the kernel watch a descriptor for reading, level-triggered: 0, -ENOMEM, or the kernel's error. */
int  plx__attachment_watch(plx__attachment *attachment, plx_fd fd);
void plx__attachment_unwatch(plx__attachment *attachment);

/*
 * Calls `tick` of every attachment that has one, again and again, for as long as any of them
 * needs it: 0, -ENOMEM, or the error of a wake.
 */
int plx__attachment_tick(plx__attachment *attachment);

/*
 * The next two take the lock themselves. Of events of timers: those that are the caller's, and
 * if a tick was among them, it is passed on.
 */
int plx__attachments_sift(struct plx_registry *registry, plx_event *events, int count);

/* An event of the kernel for an entry that is not USED; whether one was written. */
bool plx__attachment_report(struct plx_registry *registry, const plx__key *key, plx_event *event);

#endif
