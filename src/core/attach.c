/* SPDX-License-Identifier: MIT */
/* What the library itself has attached to a poller. */
#include "os/config.h"

#include "core/core.h"

void plx__attach(plx_registry *registry, plx__attachment *attachment)
{
    if (attachment->link)
        return;
    attachment->registry = registry;
    attachment->next = registry->attached;
    attachment->link = &registry->attached;
    if (attachment->next)
        attachment->next->link = &attachment->next;
    registry->attached = attachment;
}

void plx__detach(plx__attachment *attachment)
{
    if (!attachment->link)
        return;
    plx__attachment_unwatch(attachment);
    *attachment->link = attachment->next;
    if (attachment->next)
        attachment->next->link = attachment->link;
    attachment->link = NULL;
}

void plx__detach_all(plx_registry *registry)
{
    while (registry->attached) {
        plx__attachment *attachment = registry->attached;
        plx__detach(attachment);
        attachment->kind->detach(attachment);
    }
}

/* ---- The descriptor -------------------------------------------------------- */

/*
 * The number may be one that the caller closed while it was registered: that registration is
 * over, and what the kernel has left of it is suspect.
 */
int plx__attachment_watch(plx__attachment *attachment, plx_fd fd)
{
    plx_registry *registry = attachment->registry;
    plx__entry *entry = plx__table_make(&registry->table, fd);
    uint32_t calls = 0;

    if (!entry)
        return -ENOMEM;
    uint32_t old = atomic_load_explicit(&entry->tag, PLX__RELAXED);
    plx__watch watch = plx__watch_attached(fd, plx__tag_next(old, PLX__ARMED));
    if (!(old & PLX__USED))
        plx__entry_publish(entry, plx_token_from_ptr(attachment), 0, watch.key.tag);
    int rc = registry->backend->add(registry->state, &watch, &calls);
    bool removed = rc == -EEXIST && registry->backend->remove(registry->state, &watch, &calls) == 0;
    if (removed)
        rc = registry->backend->add(registry->state, &watch, &calls);
    if (rc < 0 && (!(old & PLX__USED) || removed)) {
        (void)plx__entry_hide(entry);
        registry->registered -= (old & PLX__USED) != 0;
    } else if (rc == 0 && old & PLX__USED) {
        (void)plx__entry_hide(entry);
        plx__entry_publish(entry, plx_token_from_ptr(attachment), 0, watch.key.tag);
        registry->registered--;
        atomic_store_explicit(&registry->suspect, true, PLX__RELEASE);
        (void)registry->backend->modify(registry->state, &watch, &watch, &calls); /* what was dropped meanwhile */
    }
    attachment->key = watch.key;
    attachment->watched = rc == 0;
    registry->lock_calls += calls;
    return rc;
}

/* What the kernel will not let go of is found out by its first stale event. */
void plx__attachment_unwatch(plx__attachment *attachment)
{
    plx_registry *registry = attachment->registry;
    plx_fd fd = plx__descriptor_of(attachment->key.fd);
    uint32_t calls = 0;

    if (!attachment->watched)
        return;
    attachment->watched = false;
    plx__watch watch = plx__watch_attached(fd, attachment->key.tag);
    (void)plx__entry_hide(plx__pages_get(&registry->table.pages, attachment->key.fd));
    if (registry->backend->remove(registry->state, &watch, &calls) < 0)
        atomic_store_explicit(&registry->suspect, true, PLX__RELEASE);
    registry->lock_calls += calls;
}

bool plx__attachment_report(plx_registry *registry, const plx__key *key, plx_event *event)
{
    bool reported = false;

    if (plx__registry_lock(registry) < 0)
        return false;
    plx__entry *entry = plx__pages_get(&registry->table.pages, key->fd);
    if (plx__tag_key(atomic_load_explicit(&entry->tag, PLX__RELAXED)) == key->tag) {
        plx__attachment *attachment = plx_token_ptr(atomic_load_explicit(&entry->token, PLX__RELAXED));
        reported = attachment->kind->report(attachment, event);
    }
    plx__registry_unlock(registry);
    return reported;
}

/* ---- The tick -------------------------------------------------------------- */

int plx__attachment_tick(plx__attachment *attachment)
{
    plx_registry *registry = attachment->registry;

    return plx__timers_tick(registry, PLX__ATTACH_TICK);
}

static void attach_tick(plx_registry *registry)
{
    bool needed = false;

    if (plx__registry_lock(registry) < 0)
        return;
    for (plx__attachment *attachment = registry->attached; attachment; attachment = attachment->next)
        if (attachment->kind->tick)
            needed |= attachment->kind->tick(attachment);
    if (!needed)
        plx__timers_untick(registry);
    plx__registry_unlock(registry);
}

int plx__attachments_sift(plx_registry *registry, plx_event *events, int count)
{
    int kept = 0;

    for (int i = 0; i < count; i++)
        if (events[i].token != PLX__TICK)
            events[kept++] = events[i];
    if (kept < count)
        attach_tick(registry);
    return kept;
}
