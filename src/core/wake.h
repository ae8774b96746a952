/* SPDX-License-Identifier: MIT */
/*
 * Who is in a wait, who sleeps, and who wakes whom: one word. See docs/design.md.
 *
 *     63      48 47      32 31      16 15                  0
 *      CALLING    SLEEPING    INSIDE    NESTED NOTIFIED ...
 */
#ifndef PLX__WAKE_H
#define PLX__WAKE_H

#include "os/atomic.h"

#include <stdbool.h>
#include <stdint.h>

#define PLX__WAKING   UINT64_C(1) /* a wake of the kernel is on its way, or not yet received */
#define PLX__NOTIFIED UINT64_C(2) /* plx_notify: the next wait to return uses it up */
#define PLX__CLOSED   UINT64_C(4)
#define PLX__NESTED   UINT64_C(8) /* another loop watches the descriptor: as good as a sleeper */

#define PLX__INSIDE   (UINT64_C(1) << 16)
#define PLX__SLEEPING (UINT64_C(1) << 32)
#define PLX__CALLING  (UINT64_C(1) << 48)

#define PLX__INSIDE_MASK   (UINT64_C(0xffff) << 16)
#define PLX__SLEEPING_MASK (UINT64_C(0xffff) << 32)
#define PLX__CALLING_MASK  (UINT64_C(0xffff) << 48)

/*
 * All accesses are sequentially consistent but for first guesses of a compare-and-swap:
 * they are paired with plx__ready_push and plx__ready_any.
 */
typedef struct plx__wake {
    _Atomic(uint64_t) word;
    _Atomic(uint64_t) sent, elided; /* relaxed: statistics */
} plx__wake;

static inline uint64_t plx__wake_word(const plx__wake *wake)
{
    return atomic_load_explicit(&wake->word, PLX__SEQ_CST);
}

static inline uint64_t plx__wake_add(plx__wake *wake, uint64_t amount)
{
    return atomic_fetch_add_explicit(&wake->word, amount, PLX__SEQ_CST);
}

static inline uint64_t plx__wake_sub(plx__wake *wake, uint64_t amount)
{
    return atomic_fetch_sub_explicit(&wake->word, amount, PLX__SEQ_CST);
}

static inline uint64_t plx__wake_set(plx__wake *wake, uint64_t flags)
{
    return atomic_fetch_or_explicit(&wake->word, flags, PLX__SEQ_CST);
}

static inline uint64_t plx__wake_clear(plx__wake *wake, uint64_t flags)
{
    return atomic_fetch_and_explicit(&wake->word, ~flags, PLX__SEQ_CST);
}

struct plx_registry;

/*
 * After something was pushed: wakes a sleeper if there is one and nobody is at it.
 * 0, -PLX_ESHUTDOWN, or the error of the kernel's call. Any thread that holds the registry.
 */
int plx__wake_send(struct plx_registry *registry);

/* The same without statistics, for whoever leaves something to others. 1 if the call was made. */
int plx__wake_claim(struct plx_registry *registry);

/*
 * Takes `amount` and these flags from the word. Returns false if the poller is being
 * closed; then the closer has been told, and nothing of the poller may be touched.
 */
static inline bool plx__wake_leave(struct plx_registry *registry, plx__wake *wake, uint64_t amount, uint64_t flags);

bool plx__wake_leave_closed(struct plx_registry *registry, uint64_t amount);

/* Closes: sends everybody home and waits, under the registry's lock, until they are gone. */
void plx__wake_close(struct plx_registry *registry);

static inline bool plx__wake_leave(struct plx_registry *registry, plx__wake *wake, uint64_t amount, uint64_t flags)
{
    uint64_t word = atomic_load_explicit(&wake->word, PLX__RELAXED);

    while (!(word & PLX__CLOSED))
        if (atomic_compare_exchange_weak_explicit(&wake->word, &word, (word - amount) & ~flags, PLX__SEQ_CST,
                                                  PLX__RELAXED))
            return true;
    return plx__wake_leave_closed(registry, amount);
}

#endif
