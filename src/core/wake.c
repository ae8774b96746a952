/* SPDX-License-Identifier: MIT */
/*
 * The wake protocol: no wake is lost, and none makes a system call without need. The
 * argument stands in docs/design.md, under Waking.
 */
#include "os/config.h"

#include "core/core.h"
#include "os/clock.h"
#include "os/probes.h"

/* Whether a push now needs a call of the kernel. */
static bool wake_wanted(uint64_t word)
{
    return word & (PLX__SLEEPING_MASK | PLX__NESTED) && !(word & (PLX__WAKING | PLX__CLOSED));
}

static int wake_call(plx_registry *registry)
{
    uint32_t calls = 0;
    int rc = registry->backend->wake(registry->state, &calls);

    atomic_fetch_add_explicit(&registry->wake_calls, calls, PLX__RELAXED);
    return rc;
}

/* Sets WAKING and CALLING; false if there is no need, or somebody was quicker. */
static bool wake_take(plx__wake *wake)
{
    uint64_t word = plx__wake_word(wake);

    do {
        if (!wake_wanted(word))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&wake->word, &word, (word | PLX__WAKING) + PLX__CALLING,
                                                    PLX__SEQ_CST, PLX__SEQ_CST));
    return true;
}

/*
 * 1 if the call was made, 0 if there was no need. A call that fails gives WAKING back, and is
 * made once more: others may have relied on it. If by then nobody sleeps, or another is at it,
 * it has not failed: an error would take back what a waiter has been promised.
 */
int plx__wake_claim(plx_registry *registry)
{
    plx__wake *wake = &registry->wake;
    int rc = 0;

    for (int attempt = 0; attempt < 2; attempt++) {
        if (!wake_take(wake))
            return plx__wake_word(wake) & PLX__CLOSED ? -PLX_ESHUTDOWN : 0;
        rc = wake_call(registry);
        if (rc < 0)
            plx__wake_clear(wake, PLX__WAKING);
        if (!plx__wake_leave(registry, wake, PLX__CALLING, 0))
            return -PLX_ESHUTDOWN;
        if (rc >= 0)
            return 1;
    }
    return rc;
}

int plx__wake_send(plx_registry *registry)
{
    int rc = plx__wake_claim(registry);

    if (rc < 0)
        return rc;
    if (rc > 0) {
        atomic_fetch_add_explicit(&registry->wake.sent, 1, PLX__RELAXED);
        PLX__PROBE(wake_sent, registry);
    } else {
        atomic_fetch_add_explicit(&registry->wake.elided, 1, PLX__RELAXED);
        PLX__PROBE(wake_elided, registry);
    }
    return 0;
}

/* The closer holds the lock whenever it looks, so it goes on only after this unlock. */
bool plx__wake_leave_closed(plx_registry *registry, uint64_t amount)
{
    plx__lock_take(&registry->lock);
    plx__wake_sub(&registry->wake, amount);
    plx__condition_broadcast(&registry->departed);
    plx__lock_drop(&registry->lock);
    return false;
}

void plx__wake_close(plx_registry *registry)
{
    uint64_t word;

    plx__wake_set(&registry->wake, PLX__CLOSED);
    atomic_store_explicit(&registry->closed, true, PLX__RELEASE);
    plx__turn_close(&registry->turn);
    while ((word = plx__wake_word(&registry->wake)) & (PLX__INSIDE_MASK | PLX__CALLING_MASK)) {
        if (word & PLX__SLEEPING_MASK && wake_call(registry) < 0)
            plx__condition_wait_until(&registry->departed, &registry->lock, plx__clock_now() + PLX_MSEC(1));
        else
            plx__condition_wait(&registry->departed, &registry->lock);
    }
}
