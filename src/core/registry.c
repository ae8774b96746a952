/* SPDX-License-Identifier: MIT */
/*
 * Registering. Each change publishes a new generation in the table and then tells the
 * kernel, which looks at the source again: an event of the old generation that a waiter
 * holds meanwhile is dropped, and nothing is lost.
 */
#include "os/config.h"

#include "core/core.h"
#include "os/descriptor.h"

#define REGISTRY_READINESS \
    (PLX_READABLE | PLX_WRITABLE | PLX_PRIORITY | PLX_READ_CLOSED | PLX_WRITE_CLOSED | PLX_ERROR)
#define REGISTRY_MODES (PLX_EDGE | PLX_ONESHOT | PLX_EXCLUSIVE)

plx_registry *plx_registry_retain(plx_registry *registry)
{
    if (registry)
        atomic_fetch_add_explicit(&registry->references, 1, PLX__RELAXED);
    return registry;
}

int plx__registry_check(const plx_registry *registry)
{
    if (!registry)
        return -EINVAL;
    if (plx__forked(registry))
        return -ECHILD;
    return plx__wake_word(&registry->wake) & PLX__CLOSED ? -PLX_ESHUTDOWN : 0;
}

plx_token plx_registry_new_token(plx_registry *registry)
{
    return !registry ? 0 : atomic_fetch_add_explicit(&registry->tokens, 1, PLX__RELAXED) + 1;
}

/* The lock, and with it the promise that the poller is not closed before it is dropped. */
static int registry_lock(plx_registry *registry)
{
    int rc = plx__registry_check(registry);

    if (rc < 0)
        return rc;
    plx__lock_take(&registry->lock);
    if (plx__wake_word(&registry->wake) & PLX__CLOSED) {
        plx__lock_drop(&registry->lock);
        return -PLX_ESHUTDOWN;
    }
    return 0;
}

static void registry_unlock(plx_registry *registry)
{
    plx__lock_drop(&registry->lock);
}

static int registry_modify(plx_registry *registry, const plx__watch *was, const plx__watch *now)
{
    uint32_t calls = 0;
    int rc = registry->backend->modify(registry->state, was, now, &calls);

    registry->lock_calls += calls;
    return rc;
}

static int registry_add(plx_registry *registry, const plx__watch *watch)
{
    uint32_t calls = 0;
    int rc = registry->backend->add(registry->state, watch, &calls);

    registry->lock_calls += calls;
    return rc;
}

/*
 * A number that the table does not hold. If the kernel knows it all the same, the entry is
 * one that a close left behind (a duplicate kept its file), and the file is back under its
 * old number: it is taken over.
 */
static int registry_add_new(plx_registry *registry, plx__entry *entry, plx_token token, const plx__watch *watch,
                            uint64_t state)
{
    plx__entry_publish(entry, token, state);
    int rc = registry_add(registry, watch);
    if (rc == -EEXIST)
        rc = registry_modify(registry, watch, watch);
    if (rc < 0)
        atomic_store_explicit(&entry->state, state & ~(PLX__USED | PLX__ARMED), PLX__RELEASE);
    else
        registry->registered++;
    return rc;
}

/*
 * A number that the table holds: the kernel knows whether it still names the same open file.
 * If not, it was closed, and what the kernel has of it may live on through a duplicate. The
 * old registration may be alive, so its entry is kept until the kernel has answered; the
 * second look then finds what was dropped in between.
 */
static int registry_add_over(plx_registry *registry, plx__entry *entry, plx_token token, const plx__watch *watch,
                             uint64_t state)
{
    int rc = registry_add(registry, watch);

    if (rc < 0)
        return rc;
    plx__entry_publish(entry, token, state);
    atomic_store_explicit(&registry->suspect, true, PLX__RELEASE);
    (void)registry_modify(registry, watch, watch);
    return 0;
}

static int registry_register(plx_registry *registry, plx_fd fd, plx_token token, uint64_t bits, uint32_t interest)
{
    int rc = registry_lock(registry);

    if (rc < 0)
        return rc;
    if (!plx__table_spans(&registry->table, fd) && !plx__descriptor_is_open(fd)) {
        rc = -EBADF; /* before there is memory for a number that means nothing */
        goto unlock;
    }
    plx__entry *entry = plx__table_make(&registry->table, fd);
    if (!entry) {
        rc = -ENOMEM;
        goto unlock;
    }
    uint64_t old = atomic_load_explicit(&entry->state, PLX__RELAXED);
    uint64_t state = plx__state_next(old, PLX__USED | bits, interest);
    plx__watch watch = plx__watch_of(fd, state);
    if (old & PLX__USED)
        rc = registry_add_over(registry, entry, token, &watch, state);
    else
        rc = registry_add_new(registry, entry, token, &watch, state);
unlock:
    registry_unlock(registry);
    return rc;
}

/*
 * Gives an entry a new token and interest, and the kernel the same. Without ARMED among the
 * bits a oneshot that has reported stays silent. Under the lock.
 */
static int registry_change(plx_registry *registry, plx__entry *entry, plx_fd fd, plx_token token, uint64_t bits,
                           uint32_t interest)
{
    plx_token old_token = atomic_load_explicit(&entry->token, PLX__RELAXED);
    uint64_t old = plx__entry_hide(entry);
    uint64_t state = plx__state_next(old, PLX__USED | bits | (old & PLX__ARMED), interest);

    plx__entry_publish(entry, token, state);
    plx__watch was = plx__watch_of(fd, old);
    plx__watch now = plx__watch_of(fd, state);
    int rc = registry_modify(registry, &was, &now);
    if (rc < 0) {
        plx__entry_publish(entry, old_token, old);
        if (rc != -EBADF && rc != -ENOENT && old & PLX__ARMED)
            (void)registry_modify(registry, &was, &was); /* reports what was dropped meanwhile */
    }
    return rc;
}

static int registry_reregister(plx_registry *registry, plx_fd fd, plx_token token, uint64_t bits, uint32_t interest)
{
    int rc = registry_lock(registry);

    if (rc < 0)
        return rc;
    plx__entry *entry = plx__table_find(&registry->table, fd);
    rc = entry ? registry_change(registry, entry, fd, token, bits, interest) : -ENOENT;
    registry_unlock(registry);
    return rc;
}

static int registry_validate(const plx_registry *registry, plx_token token, uint32_t interest)
{
    if (!registry || token > PLX_TOKEN_MAX || interest & ~(REGISTRY_READINESS | REGISTRY_MODES))
        return -EINVAL;
    if (interest & PLX_EXCLUSIVE && interest & (PLX_ONESHOT | PLX_PRIORITY | PLX_READ_CLOSED))
        return -EINVAL;
    uint32_t missing = interest & (PLX_EDGE | PLX_EXCLUSIVE) & ~registry->backend->modes;
    return missing ? -ENOTSUP : 0;
}

int plx_register(plx_registry *registry, plx_fd fd, plx_token token, uint32_t interest)
{
    int rc = registry_validate(registry, token, interest);

    if (rc == 0 && fd < 0)
        rc = -EBADF;
    return rc < 0 ? rc : registry_register(registry, fd, token, PLX__ARMED, interest);
}

int plx_reregister(plx_registry *registry, plx_fd fd, plx_token token, uint32_t interest)
{
    int rc = registry_validate(registry, token, interest);

    return rc < 0 ? rc : registry_reregister(registry, fd, token, PLX__ARMED, interest);
}

static int registry_validate_native(const plx_registry *registry, plx_token token)
{
    if (!registry || token > PLX_TOKEN_MAX)
        return -EINVAL;
    return registry->backend->native ? 0 : -ENOTSUP;
}

int plx_register_native(plx_registry *registry, plx_fd fd, plx_token token, uint32_t native)
{
    int rc = registry_validate_native(registry, token);

    if (rc == 0 && fd < 0)
        rc = -EBADF;
    return rc < 0 ? rc : registry_register(registry, fd, token, PLX__ARMED | PLX__NATIVE, native);
}

int plx_reregister_native(plx_registry *registry, plx_fd fd, plx_token token, uint32_t native)
{
    int rc = registry_validate_native(registry, token);

    return rc < 0 ? rc : registry_reregister(registry, fd, token, PLX__ARMED | PLX__NATIVE, native);
}

int plx_deregister(plx_registry *registry, plx_fd fd)
{
    int rc = registry_lock(registry);

    if (rc < 0)
        return rc;
    plx__entry *entry = plx__table_find(&registry->table, fd);
    if (!entry) {
        rc = -ENOENT;
        goto unlock;
    }
    uint64_t old = plx__entry_hide(entry);
    plx__watch watch = plx__watch_of(fd, old);
    uint32_t calls = 0;
    rc = registry->backend->remove(registry->state, &watch, &calls);
    registry->lock_calls += calls;
    if (rc == -EBADF || rc == -ENOENT) {
        atomic_store_explicit(&registry->suspect, true, PLX__RELEASE);
        rc = 0;
    }
    if (rc < 0)
        atomic_store_explicit(&entry->state, old, PLX__RELEASE);
    else
        registry->registered--;
unlock:
    registry_unlock(registry);
    return rc;
}

/* A new interest with the old token and mode. */
static int registry_adjust(plx_registry *registry, plx_fd fd, uint32_t interest, bool enable)
{
    if (!registry || interest & ~REGISTRY_READINESS)
        return -EINVAL;
    int rc = registry_lock(registry);
    if (rc < 0)
        return rc;

    plx__entry *entry = plx__table_find(&registry->table, fd);
    if (!entry) {
        rc = -ENOENT;
        goto unlock;
    }
    uint64_t old = atomic_load_explicit(&entry->state, PLX__ACQUIRE);
    if (old & PLX__NATIVE) {
        rc = -EINVAL;
        goto unlock;
    }
    uint32_t was = plx__state_interest(old);
    uint32_t now = enable ? was | interest : was & ~interest;
    rc = registry_validate(registry, 0, now);
    if (rc < 0 || (now == was && (old & PLX__ARMED || !enable)))
        goto unlock;
    plx_token token = atomic_load_explicit(&entry->token, PLX__RELAXED);
    rc = registry_change(registry, entry, fd, token, enable ? PLX__ARMED : 0, now);
unlock:
    registry_unlock(registry);
    return rc;
}

int plx_enable(plx_registry *registry, plx_fd fd, uint32_t interest)
{
    return registry_adjust(registry, fd, interest, true);
}

int plx_disable(plx_registry *registry, plx_fd fd, uint32_t interest)
{
    return registry_adjust(registry, fd, interest, false);
}

int plx_lookup(plx_registry *registry, plx_fd fd, plx_token *token, uint32_t *interest)
{
    int rc = registry_lock(registry);

    if (rc < 0)
        return rc;
    plx__entry *entry = plx__table_find(&registry->table, fd);
    if (entry && token)
        *token = atomic_load_explicit(&entry->token, PLX__RELAXED);
    if (entry && interest)
        *interest = plx__state_interest(atomic_load_explicit(&entry->state, PLX__RELAXED));
    registry_unlock(registry);
    return entry ? 0 : -ENOENT;
}

/* ---- Events on their way from the kernel ----------------------------------- */

/* Nothing in the table explains the event: the kernel may hold what nobody can remove. */
static void registry_stale(plx_registry *registry)
{
    if (!atomic_load_explicit(&registry->suspect, PLX__ACQUIRE) || registry_lock(registry) < 0)
        return;
    if (atomic_load_explicit(&registry->suspect, PLX__RELAXED)) {
        uint32_t calls = 0;
        if (registry->backend->rebuild(registry->state, &registry->table, &calls) == 0) {
            atomic_store_explicit(&registry->suspect, false, PLX__RELAXED);
            atomic_fetch_add_explicit(&registry->epoch, 1, PLX__SEQ_CST);
        }
        registry->lock_calls += calls;
    }
    registry_unlock(registry);
}

/*
 * Tells a kernel that does not disarm by itself that a oneshot has reported, unless
 * somebody has armed it again since.
 */
static void registry_disarm(plx_registry *registry, plx__entry *entry, plx__key key, uint64_t armed)
{
    if (registry_lock(registry) < 0)
        return;
    if (atomic_load_explicit(&entry->state, PLX__RELAXED) == (armed & ~PLX__ARMED)) {
        plx__watch was = plx__watch_of(plx__key_fd(key), armed);
        plx__watch now = plx__watch_of(plx__key_fd(key), armed & ~PLX__ARMED);
        (void)registry_modify(registry, &was, &now);
    }
    registry_unlock(registry);
}

/* What is reported of an interest: an error or a hang-up sets every direction asked for. */
static inline uint32_t registry_merge(uint32_t flags, uint32_t interest)
{
    uint32_t asked = interest | PLX_WRITE_CLOSED | PLX_ERROR | (interest & PLX_READABLE ? PLX_READ_CLOSED : 0);

    if (flags & (PLX_WRITE_CLOSED | PLX_ERROR))
        flags |= PLX_READABLE | PLX_WRITABLE;
    return flags & asked;
}

bool plx__registry_admit(plx_registry *registry, plx_event *event)
{
    plx__key key = event->token;
    plx__entry *entry = plx__table_get(&registry->table, key);
    uint64_t state = atomic_load_explicit(&entry->state, PLX__ACQUIRE);
    plx_token token = atomic_load_explicit(&entry->token, PLX__ACQUIRE);
    uint32_t interest = plx__state_interest(state);

    if (plx__state_generation(state) != plx__key_generation(key) || !(state & PLX__USED)) {
        registry_stale(registry);
        return false;
    }
    uint32_t flags = state & PLX__NATIVE ? event->flags : registry_merge(event->flags, interest);
    if (!(state & PLX__ARMED) || interest == 0 || (flags == 0 && !(state & PLX__NATIVE)))
        return false;
    if (interest & PLX_ONESHOT) {
        if (!atomic_compare_exchange_strong_explicit(&entry->state, &state, state & ~PLX__ARMED, PLX__ACQ_REL,
                                                     PLX__RELAXED))
            return false;
        if (!(registry->backend->modes & PLX_ONESHOT))
            registry_disarm(registry, entry, key, state);
    } else if (atomic_load_explicit(&entry->state, PLX__RELAXED) != state) {
        return false;
    }
    event->token = token;
    event->flags = flags;
    return true;
}
