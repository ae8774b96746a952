/* SPDX-License-Identifier: MIT */
/*
 * The polls of io_uring: what the kernel is to be asked for each descriptor, and what it has
 * said. A registration has at most one poll in the kernel: at first a single shot, which leaves
 * nothing to remove once it was fired, then a multishot, which stays with the open file as an epoll
 * registration does; an edge has one from the beginning.
 *
 * Nothing here is safe from two threads; what enters the ring is for the ring's thread alone.
 */
#ifndef PLX__POLLS_H
#define PLX__POLLS_H

#include "core/harvest.h"
#include "core/pages.h"
#include "os/config.h"

#if PLX__HAS_IO_URING
#include "os/uring.h"

/* A registration. */
typedef struct plx__slot plx__slot;

/*
 * Registrations in order of arrival: whose poll is to be made, changed or
 * cancelled; whose state is to be asked for; and what is to be told.
 */
typedef enum plx__polls_list { PLX__TO_ARM, PLX__TO_LOOK, PLX__TO_TELL, PLX__POLLS_LISTS } plx__polls_list;

typedef struct plx__polls {
    plx__ring ring;
    int event;          /* wakes: an eventfd that is polled beside, and never read */
    bool event_armed;
    bool woken;         /* and has spoken */
    bool crowded;       /* completions may have found no room, and have ended their polls */
    bool refused;       /* a change was: the next flush makes the poll anew */
    uint32_t serial;    /* of the poll made last */
    uint64_t cancelled; /* whose last completion is awaited; 0: none is */
    plx__pages slots;   /* by descriptor */
    struct {
        plx__slot *first, *last;
        uint32_t count;
    } list[PLX__POLLS_LISTS];
} plx__polls;

int  plx__polls_open(plx__polls *polls, int event, const plx_allocator *memory);

/* The ring. True: there is left to tell what no other set can, that a number was closed. */
bool plx__polls_close(plx__polls *polls);
void plx__polls_fini(plx__polls *polls); /* once it is closed; the second time does nothing */

/* As a backend's; but nothing is asked of the kernel that concerns the ring before the next flush. */
int plx__polls_add(plx__polls *polls, const plx__watch *watch, uint32_t *calls);
int plx__polls_modify(plx__polls *polls, const plx__watch *now, uint32_t *calls);

/*
 * Its poll is cancelled when this returns, and holds the file no more. -EEXIST if there is one and
 * the ring is another thread's; then, and after any other error, the registration is still there.
 */
int plx__polls_remove(plx__polls *polls, uint32_t fd, uint32_t *calls);

/*
 * Cancels all polls, when the ring is about to be closed: that alone would do it a little later, as
 * it is done if the ring is another thread's.
 */
void plx__polls_cancel_all(plx__polls *polls, uint32_t *calls);

/* Writes down all that is pending; how many operations are to be handed over. */
uint32_t plx__polls_flush(plx__polls *polls, uint32_t *calls);

/* Takes what the kernel has completed, and returns how much. Not `fresh`: it may not be so any more. */
int plx__polls_reap(plx__polls *polls, bool fresh);

/* What was to be told, and was not, may not be so any more; an edge is told all the same. */
void plx__polls_doubt(plx__polls *polls);

/* Asks for the state of those that are in doubt, until there is enough to tell. */
void plx__polls_look(plx__polls *polls, int enough, uint32_t *calls);

static inline int plx__polls_count(const plx__polls *polls, plx__polls_list list)
{
    return (int)polls->list[list].count;
}

/* The next of what is to be told, with the key for a token and the kernel's flags. */
bool plx__polls_tell(plx__polls *polls, plx_event *event, uint32_t *calls);

/*
 * The registrations from *next on, one at a time; what has reported and is disarmed wants nothing.
 * A number that was closed is left out, and told if it is still to be.
 */
bool plx__polls_next(plx__polls *polls, size_t *next, plx__watch *watch, uint32_t *calls);

/* A number turned out to be closed, or another file: it is told if it is still to be. */
void plx__polls_gone(plx__polls *polls, uint32_t fd);

#endif

#endif
