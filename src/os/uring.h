/* SPDX-License-Identifier: MIT */
/*
 * A ring of io_uring: two arrays that the kernel shares, operations to it and completions
 * from it, and one call that hands over the former and waits for the latter. Whoever uses
 * a ring guards it by a lock, but for plx__ring_enter.
 */
#ifndef PLX__URING_H
#define PLX__URING_H

#include "os/atomic.h"
#include "os/config.h"

#if PLX__HAS_IO_URING
#include "os/linux.h"

#include <linux/io_uring.h>

#define PLX__RING_WORK     IORING_SQ_TASKRUN
#define PLX__RING_OVERFLOW IORING_SQ_CQ_OVERFLOW

typedef struct plx__ring {
    int fd;
    void *shared;            /* both arrays' heads and tails, and the completions */
    size_t shared_size;
    struct io_uring_sqe *operations;
    size_t operations_size;
    uint32_t size;           /* operations; a power of two */
    uint32_t mask;           /* of the completions */
    uint32_t filled;         /* operations ever; ahead of *tail until they are published */
    _Atomic(uint32_t) *head; /* of the operations: the kernel's; acquire: it has read them */
    _Atomic(uint32_t) *tail; /* ours; release: they are written */
    _Atomic(uint32_t) *done_head; /* of the completions: ours; release: they are read */
    _Atomic(uint32_t) *done_tail; /* the kernel's; acquire */
    const _Atomic(uint32_t) *flags; /* the kernel's; relaxed: what they tell of is fetched by a call */
    const struct io_uring_cqe *completions;
} plx__ring;

/*
 * The ring belongs to the thread that enters it first: the kernel completes an operation when that
 * thread asks for completions, and lets no other in. -ENOTSUP where the kernel (before Linux 6.1),
 * a limit or a sandbox does not have it; -EMFILE, -ENFILE.
 */
int  plx__ring_open(plx__ring *ring);
void plx__ring_close(plx__ring *ring);
enum { PLX__RING_CLOSE_CALLS = 3 }; /* that it makes */

/* Why it cannot be opened, in words; NULL if it can. */
const char *plx__ring_obstacle(void);

/* A blank operation to be filled in; NULL if those before must be handed over first. */
struct io_uring_sqe *plx__ring_operation(plx__ring *ring);

/* Shows the kernel what was filled in; how many operations it has not read yet. */
uint32_t plx__ring_publish(plx__ring *ring);

/* Whether all completions were read, and no more have come. */
static inline bool plx__ring_is_empty(const plx__ring *ring)
{
    return atomic_load_explicit(ring->done_head, PLX__RELAXED) == atomic_load_explicit(ring->done_tail, PLX__RELAXED);
}

/* PLX__RING_WORK: completions are to be made. PLX__RING_OVERFLOW: some found no room. A call brings them. */
static inline uint32_t plx__ring_news(const plx__ring *ring)
{
    return atomic_load_explicit(ring->flags, PLX__RELAXED) & (PLX__RING_WORK | PLX__RING_OVERFLOW);
}

/*
 * Hands over so many operations, then waits for `least` completions, at most `timeout`. Returns
 * how many were taken; -ETIME, -EINTR if none was to be, -EEXIST for the wrong thread, -EBUSY.
 */
int plx__ring_enter(const plx__ring *ring, uint32_t operations, uint32_t least, plx_nanos timeout, uint32_t *calls);

#endif

#endif
