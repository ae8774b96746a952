/* SPDX-License-Identifier: MIT */
/*
 * The one contract between the core and a kernel interface. A backend is a constant table
 * of functions, all of them set but remark. It translates and nothing else: retries, deadlines,
 * merging, stale events and missing modes are the core's.
 *
 * All functions return 0 or a count, or a negative errno value, and a call that fails has
 * changed nothing. `calls` grows by the system calls made.
 */
#ifndef PLX__BACKEND_H
#define PLX__BACKEND_H

#include "core/harvest.h"

#include <pollux.h>

typedef struct plx__backend {
    const char *name;
    plx_backend id;
    bool        by_name; /* never AUTO's choice */
    uint32_t    modes;   /* PLX_EDGE, PLX_EXCLUSIVE: has them. PLX_ONESHOT: disarms by itself */
    uint32_t    lacks;   /* PLX_PRIORITY: never. PLX_READ_CLOSED: only beside PLX_READABLE */
    bool        native;  /* takes the kernel's own flags */
    bool        shared;  /* several threads may be in wait at once */
    size_t      state_size;

    /* -ENOTSUP where this kernel, or a sandbox, does not have the interface. */
    int  (*init)(void *state, const plx_allocator *memory);
    /* In a child made by fork, whatever other threads held at that moment is held for ever. */
    void (*fini)(void *state, bool forked);

    /*
     * Under the registry's lock. They act at once, also on a wait that is blocked.
     * add: -EEXIST if the same open file is in the set under this number. If the number is
     * another file now, the new one takes its place, and a modify with the same watch on both
     * sides follows: what it finds meanwhile may be dropped. modify, remove: -EBADF if the number
     * is closed, -ENOENT if it names a file that is not in the set.
     * After remove the kernel holds no reference to the file, whatever it returned.
     * A modify within one generation disarms a oneshot that has reported.
     */
    int (*add)(void *state, const plx__watch *watch, uint32_t *calls);
    int (*modify)(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls);
    int (*remove)(void *state, const plx__watch *watch, uint32_t *calls);

    /*
     * Under the registry's lock: the kernel may hold registrations that cannot be removed;
     * put those of the table and the alarm, and no other, into a new set with the same descriptor. A
     * thread blocked in the old set stays there until it is woken. 1: it must be done again.
     */
    int (*rebuild)(void *state, const plx__table *table, uint32_t *calls);

    /*
     * Waits, without a lock, for `timeout` (0, PLX_FOREVER, or longer), hands what the
     * kernel has, at most harvest->room events, to plx__harvest_event, and returns how many
     * were somebody's. May return early, with 0 or -EINTR;
     * with -EBUSY if it could not look, and is to be called again.
     */
    int (*wait)(void *state, plx__harvest *harvest, plx_nanos timeout);

    /* Any thread: one wait, the current or the next, is woken and says so in its harvest. */
    int (*wake)(void *state, uint32_t *calls);

    /* A descriptor that is readable when a wait would return; -ENOTSUP without one. */
    int (*descriptor)(void *state);

    /* For plx_poller_describe: what is to be known of it, or without a state why it cannot be had; or NULL. */
    const char *(*remark)(void *state);
} plx__backend;

/* What of an interest, its mode included, the kernel does not do. */
static inline uint32_t plx__backend_missing(const plx__backend *backend, uint32_t interest)
{
    uint32_t missing = interest & (backend->lacks | ((PLX_EDGE | PLX_EXCLUSIVE) & ~backend->modes));

    return missing == PLX_READ_CLOSED && interest & PLX_READABLE ? 0 : missing;
}

extern const plx__backend plx__backend_epoll;
extern const plx__backend plx__backend_io_uring;
extern const plx__backend plx__backend_event_ports;
extern const plx__backend plx__backend_kqueue;
extern const plx__backend plx__backend_iocp;
extern const plx__backend plx__backend_poll;

/* The backends of this build, best first, ended by NULL. */
extern const plx__backend *const plx__backends[];

/*
 * Opens the backend that `wanted` says, its state in *state. AUTO means the one named by
 * the environment's PLX_BACKEND, or the first that works.
 */
int plx__backend_open(plx_backend wanted, const plx_allocator *memory, const plx__backend **backend, void **state);

#endif
