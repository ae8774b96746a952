/* SPDX-License-Identifier: MIT */
/*
 * Signals as a source: a record that the handler writes, and a place on the ready queue for
 * as long as something in it is unread. The reader's side of the record is guarded by the
 * ready queue's lock, which takers hold anyway.
 *
 * The memory is held as a waker's is: by the owner, and by the ready queue while queued.
 */
#include "os/config.h"

#include "core/core.h"
#include "core/memory.h"
#include "os/signals.h"
#include "source/record.h"

struct plx_signals {
    plx__source source; /* first: a source is its signals */
    plx__attachment attachment;
    plx_registry *registry;
    plx_token token;
    _Atomic(uint32_t) holds;
    _Atomic(bool) closed;
    int count;
    plx__record record;
    plx__signal_watch watches[];
};

static void signals_drop_hold(plx_signals *signals)
{
    if (atomic_fetch_sub_explicit(&signals->holds, 1, PLX__ACQ_REL) == 1)
        plx__memory_put(&signals->registry->memory, signals);
}

/* ---- On the ready queue ---------------------------------------------------- */

/* What is recorded after the look pushes the source again, or finds that it has stayed. */
static plx__taken signals_take(plx__source *source, plx_event *event)
{
    plx_signals *signals = (plx_signals *)source;

    plx__source_unclaim(source);
    bool closed = atomic_load_explicit(&signals->closed, PLX__ACQUIRE);
    int number = closed ? 0 : plx__record_oldest(&signals->record);
    if (number)
        *event = (plx_event){.token = signals->token, .flags = PLX_SIGNAL, .data = (uint64_t)number};
    if (number && plx__source_claim(source))
        return PLX__TOOK_ONE;
    signals_drop_hold(signals);
    return number ? PLX__TOOK_ALL : PLX__TOOK_NOTHING;
}

static void signals_drop(plx__source *source)
{
    signals_drop_hold((plx_signals *)source);
}

static const plx__source_kind signals_kind = {.take = signals_take, .drop = signals_drop};

/*
 * In the handler. A wake that fails leaves the source on the queue, for a later wait. The
 * poller is not closed: before that its signals leave the handler's lists.
 */
static void signals_tell(plx__signal_watch *watch, const plx_signal_info *info)
{
    plx_signals *signals = watch->owner;

    plx__record_write(&signals->record, info);
    if (plx__source_claim(&signals->source)) {
        atomic_fetch_add_explicit(&signals->holds, 1, PLX__RELAXED);
        plx__ready_push(&signals->registry->ready, &signals->source);
    }
    (void)plx__wake_send(signals->registry);
}

/* ---- Life ------------------------------------------------------------------ */

static plx_signals *signals_of(plx__attachment *attachment)
{
    return (plx_signals *)((char *)attachment - offsetof(plx_signals, attachment));
}

static void signals_detach(plx__attachment *attachment)
{
    plx_signals *signals = signals_of(attachment);

    plx__signals_remove(signals->watches, signals->count);
}

static const plx__attachment_kind signals_attachment = {.detach = signals_detach};

/* The distinct numbers to `distinct`, which has room for all that there are; how many, or -EINVAL. */
static int signals_distinct(const int *numbers, int count, int *distinct)
{
    bool listed[PLX__SIGNALS] = {false};
    int found = 0;

    for (int i = 0; i < count; i++) {
        if (!plx__signals_valid(numbers[i]))
            return -EINVAL;
        if (!listed[numbers[i]])
            distinct[found++] = numbers[i];
        listed[numbers[i]] = true;
    }
    return found;
}

static plx_signals *signals_make(plx_registry *registry, plx_token token, const int *numbers, int count)
{
    size_t watches = (size_t)count * sizeof(plx__signal_watch);
    plx_signals *made = plx__memory_get(&registry->memory, sizeof *made + watches);

    if (!made)
        return NULL;
    made->source.kind = &signals_kind;
    made->attachment.kind = &signals_attachment;
    made->registry = registry;
    made->token = token;
    atomic_init(&made->holds, 1);
    plx__record_init(&made->record);
    made->count = count;
    for (int i = 0; i < count; i++) {
        made->watches[i].number = numbers[i];
        made->watches[i].owner = made;
        made->watches[i].tell = signals_tell;
    }
    return made;
}

int plx_signals_open(plx_registry *registry, plx_token token, const int *numbers, int count, plx_signals **signals)
{
    int distinct[PLX__SIGNALS];
    int rc = plx__registry_check(registry);

    if (rc == 0 && (!signals || !numbers || count < 1 || token > PLX_TOKEN_MAX))
        rc = -EINVAL;
    if (rc == 0)
        rc = count = signals_distinct(numbers, count, distinct);
    if (rc < 0)
        return rc;
    plx_signals *made = signals_make(registry, token, distinct, count);
    if (!made)
        return -ENOMEM;
    rc = plx__registry_lock(registry);
    if (rc < 0)
        goto free_signals;
    rc = plx__signals_add(made->watches, count);
    if (rc < 0)
        goto unlock;
    plx__attach(registry, &made->attachment);
    (void)plx_registry_retain(registry);
    plx__registry_unlock(registry);
    *signals = made;
    return 0;

unlock:
    plx__registry_unlock(registry);
free_signals:
    atomic_store_explicit(&made->closed, true, PLX__RELEASE); /* a signal that came may have queued it */
    signals_drop_hold(made);
    return rc;
}

int plx_signals_next(plx_signals *signals, plx_signal_info *info)
{
    if (!signals || !info)
        return -EINVAL;
    if (plx__forked(signals->registry))
        return -ECHILD;
    plx__lock_take(&signals->registry->ready.lock);
    bool taken = plx__record_take(&signals->record, info);
    plx__lock_drop(&signals->registry->ready.lock);
    return taken ? 0 : -EAGAIN;
}

void plx_signals_close(plx_signals *signals)
{
    if (!signals)
        return;
    plx_registry *registry = signals->registry;
    if (!plx__forked(registry)) { /* in a child nothing of the parent's is watched any more */
        plx__lock_take(&registry->lock);
        if (signals->attachment.link) {
            plx__detach(&signals->attachment);
            signals_detach(&signals->attachment);
        }
        plx__lock_drop(&registry->lock);
    }
    atomic_store_explicit(&signals->closed, true, PLX__RELEASE);
    signals_drop_hold(signals);
    plx_registry_release(registry);
}
