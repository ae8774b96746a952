/* SPDX-License-Identifier: MIT */
/*
 * Registering. Each change publishes a new generation in the table and then tells the
 * kernel, which looks at the source again: an event of the old generation that a waiter
 * holds meanwhile is dropped, and nothing is lost.
 */
#include "os/config.h"

#include "core/core.h"
#include "os/descriptor.h"
#include "os/probes.h"

plx_registry *plx_registry_retain(plx_registry *registry)
{
    if (registry)
        atomic_fetch_add_explicit(&registry->references, 1, PLX__RELAXED);
    return registry;
}

plx_token plx_registry_new_token(plx_registry *registry)
{
    return !registry ? 0 : atomic_fetch_add_explicit(&registry->tokens, 1, PLX__RELAXED) + 1;
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

static int registry_remove(plx_registry *registry, const plx__watch *watch)
{
    uint32_t calls = 0;
    int rc = registry->backend->remove(registry->state, watch, &calls);

    registry->lock_calls += calls;
    return rc;
}

/*
 * What a registration is to become. The tag's bits: ARMED, and SLOW if its events are more
 * than passed on.
 */
struct registration {
    plx_fd fd;
    uint32_t bits;
    uint32_t interest; /* packed, or native */
    plx_token token;
};

static uint32_t registration_flags(const struct registration *wanted)
{
    return wanted->bits & PLX__NATIVE ? wanted->interest : plx__interest_unpack(wanted->interest);
}

/*
 * A number that the table does not hold. If the kernel knows it all the same, the entry is
 * one that a close left behind (a duplicate kept its file), and the file is back under its
 * old number: it is taken over.
 */
static int registry_add_new(plx_registry *registry, plx__entry *entry, const struct registration *wanted, uint32_t tag)
{
    plx__watch watch = plx__watch_of(wanted->fd, tag, wanted->interest);

    plx__entry_publish(entry, wanted->token, wanted->interest, tag);
    int rc = registry_add(registry, &watch);
    if (rc == -EEXIST && registry_remove(registry, &watch) == 0)
        rc = registry_add(registry, &watch);
    if (rc < 0)
        (void)plx__entry_hide(entry);
    else
        registry->registered++;
    return rc;
}

static inline struct registration registry_read(const plx__entry *entry)
{
    return (struct registration){
        .interest = atomic_load_explicit(&entry->interest, PLX__RELAXED),
        .token = atomic_load_explicit(&entry->token, PLX__RELAXED),
    };
}

/* The kernel refused: as it was before. What a waiter has dropped meanwhile is reported again. */
PLX__RARE static void registry_restore(plx_registry *registry, plx__entry *entry, const plx__watch *was,
                                       const struct registration *before, uint32_t tag, int rc)
{
    (void)plx__entry_hide(entry);
    plx__entry_publish(entry, before->token, before->interest, tag ^ PLX__AGAIN);
    if (rc != -EBADF && rc != -ENOENT && tag & PLX__ARMED)
        (void)registry_modify(registry, was, was);
}

/*
 * A number that the table holds: the kernel knows whether it still names the same open file.
 * If not, it was closed, and what the kernel has of it may live on through a duplicate. The
 * old registration may be alive, so its entry is kept until the kernel has answered; the
 * second look then finds what was dropped in between.
 */
PLX__RARE static int registry_add_over(plx_registry *registry, plx__entry *entry,
                                       const struct registration *wanted, uint32_t tag)
{
    struct registration before = registry_read(entry);
    plx__watch watch = plx__watch_of(wanted->fd, tag, wanted->interest);
    int rc = registry_add(registry, &watch);

    if (rc < 0)
        return rc;
    uint32_t old = plx__entry_hide(entry);
    plx__entry_publish(entry, wanted->token, wanted->interest, tag);
    atomic_store_explicit(&registry->suspect, true, PLX__RELEASE);
    rc = registry_modify(registry, &watch, &watch);
    if (rc >= 0 || rc == -EBADF || rc == -ENOENT) /* closed just now */
        return 0;
    (void)registry_remove(registry, &watch);
    registry_restore(registry, entry, &watch, &before, old, -ENOENT); /* nothing is there to be looked at */
    return rc;
}

/* Whether there may be memory for a number: a large one must mean something first. */
static bool registry_plausible(plx_registry *registry, plx_fd fd)
{
    if (!plx__descriptor_valid(fd) || plx__pages_fit(&registry->table.pages, plx__descriptor_number(fd)))
        return plx__descriptor_valid(fd);
    registry->lock_calls++;
    return plx__descriptor_is_open(fd);
}

static int registry_enter(plx_registry *registry, plx__entry *entry, const struct registration *wanted)
{
    uint32_t old = atomic_load_explicit(&entry->tag, PLX__RELAXED);
    uint32_t tag = plx__tag_next(old, PLX__USED | wanted->bits);

    if (old & PLX__USED)
        return registry_add_over(registry, entry, wanted, tag);
    if (old & PLX__ARMED) /* the library's own */
        return -EINVAL;
    return registry_add_new(registry, entry, wanted, tag);
}

/* Of a number for which there is no memory yet; what fails leaves none. */
PLX__RARE static int registry_enter_first(plx_registry *registry, const struct registration *wanted)
{
    if (!registry_plausible(registry, wanted->fd))
        return -EBADF;
    plx__entry *entry = plx__table_make(&registry->table, wanted->fd);
    if (!entry)
        return -ENOMEM;
    int rc = registry_enter(registry, entry, wanted);
    if (rc < 0)
        plx__pages_unmake(&registry->table.pages, plx__descriptor_number(wanted->fd));
    return rc;
}

static int registry_register(plx_registry *registry, const struct registration *wanted)
{
    int rc = plx__registry_lock(registry);

    if (rc < 0)
        return rc;
    plx__entry *entry = plx__table_entry(&registry->table, wanted->fd);
    rc = entry ? registry_enter(registry, entry, wanted) : registry_enter_first(registry, wanted);
    plx__registry_unlock(registry);
    if (PLX__PROBE_WATCHED(registered))
        PLX__PROBE(registered, registry, wanted->fd, wanted->token, registration_flags(wanted), rc);
    return rc;
}

/*
 * Gives an entry a new token and interest, and the kernel the same. Without ARMED among the
 * bits a oneshot that has reported stays silent. Under the lock.
 */
static inline int registry_change(plx_registry *registry, plx__entry *entry, const struct registration *wanted)
{
    struct registration before = registry_read(entry);
    uint32_t old = plx__entry_hide(entry);
    uint32_t tag = plx__tag_next(old, PLX__USED | wanted->bits | (old & PLX__ARMED));
    plx__watch was = plx__watch_of(wanted->fd, old, before.interest);
    plx__watch now = plx__watch_of(wanted->fd, tag, wanted->interest);

    plx__entry_publish(entry, wanted->token, wanted->interest, tag);
    int rc = registry_modify(registry, &was, &now);
    if (rc < 0)
        registry_restore(registry, entry, &was, &before, old, rc);
    if (PLX__PROBE_WATCHED(reregistered))
        PLX__PROBE(reregistered, registry, wanted->fd, wanted->token, registration_flags(wanted), rc);
    return rc;
}

static inline int registry_reregister(plx_registry *registry, const struct registration *wanted)
{
    int rc = plx__registry_lock(registry);

    if (rc < 0)
        return rc;
    plx__entry *entry = plx__table_find(&registry->table, wanted->fd);
    rc = entry ? registry_change(registry, entry, wanted) : -ENOENT;
    plx__registry_unlock(registry);
    return rc;
}

static inline int registry_validate(const plx_registry *registry, plx_token token, uint32_t interest)
{
    if (!registry || token > PLX_TOKEN_MAX || interest & ~(PLX__READINESS | PLX__MODES))
        return -EINVAL;
    if (interest & PLX_EXCLUSIVE && interest & (PLX_ONESHOT | PLX_PRIORITY | PLX_READ_CLOSED))
        return -EINVAL;
    return plx__backend_missing(registry->backend, interest) ? -ENOTSUP : 0;
}

static inline struct registration registry_wanted(const plx_registry *registry, plx_fd fd, plx_token token,
                                                  uint32_t interest)
{
    return (struct registration){
        .fd = fd,
        .bits = PLX__ARMED | (interest & PLX_ONESHOT & ~registry->backend->modes ? PLX__SLOW : 0),
        .interest = plx__interest_pack(interest),
        .token = token,
    };
}

int plx_register(plx_registry *registry, plx_fd fd, plx_token token, uint32_t interest)
{
    int rc = registry_validate(registry, token, interest);

    if (rc < 0)
        return rc;
    struct registration wanted = registry_wanted(registry, fd, token, interest);
    return registry_register(registry, &wanted);
}

int plx_reregister(plx_registry *registry, plx_fd fd, plx_token token, uint32_t interest)
{
    int rc = registry_validate(registry, token, interest);

    if (rc < 0)
        return rc;
    struct registration wanted = registry_wanted(registry, fd, token, interest);
    return registry_reregister(registry, &wanted);
}

static int registry_validate_native(const plx_registry *registry, plx_token token)
{
    if (!registry || token > PLX_TOKEN_MAX)
        return -EINVAL;
    return registry->backend->native ? 0 : -ENOTSUP;
}

static struct registration registry_wanted_native(plx_fd fd, plx_token token, uint32_t native)
{
    return (struct registration){
        .fd = fd,
        .bits = PLX__ARMED | PLX__SLOW | PLX__NATIVE,
        .interest = native,
        .token = token,
    };
}

int plx_register_native(plx_registry *registry, plx_fd fd, plx_token token, uint32_t native)
{
    struct registration wanted = registry_wanted_native(fd, token, native);
    int rc = registry_validate_native(registry, token);

    return rc < 0 ? rc : registry_register(registry, &wanted);
}

int plx_reregister_native(plx_registry *registry, plx_fd fd, plx_token token, uint32_t native)
{
    struct registration wanted = registry_wanted_native(fd, token, native);
    int rc = registry_validate_native(registry, token);

    return rc < 0 ? rc : registry_reregister(registry, &wanted);
}

int plx_deregister(plx_registry *registry, plx_fd fd)
{
    int rc = registry ? plx__registry_lock(registry) : -EINVAL;

    if (rc < 0)
        return rc;
    plx__entry *entry = plx__table_find(&registry->table, fd);
    if (!entry) {
        plx__registry_unlock(registry);
        return -ENOENT;
    }
    struct registration before = registry_read(entry);
    uint32_t old = plx__entry_hide(entry);
    plx__watch watch = plx__watch_of(fd, old, before.interest);
    rc = registry_remove(registry, &watch);
    if (rc == -EBADF || rc == -ENOENT) {
        atomic_store_explicit(&registry->suspect, true, PLX__RELEASE);
        rc = 0;
    }
    if (rc < 0)
        registry_restore(registry, entry, &watch, &before, old, rc);
    else
        registry->registered--;
    plx__registry_unlock(registry);
    PLX__PROBE(deregistered, registry, fd, before.token, rc);
    return rc;
}

/* A new interest with the old token and mode. Under the lock. */
static int registry_adjust(plx_registry *registry, plx__entry *entry, plx_fd fd, uint32_t interest, bool enable)
{
    uint32_t tag = atomic_load_explicit(&entry->tag, PLX__RELAXED);
    uint32_t was = plx__interest_unpack(atomic_load_explicit(&entry->interest, PLX__RELAXED));
    uint32_t now = enable ? was | interest : was & ~interest;
    int rc = tag & PLX__NATIVE ? -EINVAL : registry_validate(registry, 0, now);

    if (rc < 0 || (now == was && (tag & PLX__ARMED || !enable)))
        return rc;
    struct registration wanted = registry_wanted(registry, fd, atomic_load_explicit(&entry->token, PLX__RELAXED), now);
    if (!enable)
        wanted.bits &= ~PLX__ARMED;
    return registry_change(registry, entry, &wanted);
}

static int registry_enable(plx_registry *registry, plx_fd fd, uint32_t interest, bool enable)
{
    if (!registry || interest & ~PLX__READINESS)
        return -EINVAL;
    int rc = plx__registry_lock(registry);
    if (rc < 0)
        return rc;
    plx__entry *entry = plx__table_find(&registry->table, fd);
    rc = entry ? registry_adjust(registry, entry, fd, interest, enable) : -ENOENT;
    plx__registry_unlock(registry);
    return rc;
}

int plx_enable(plx_registry *registry, plx_fd fd, uint32_t interest)
{
    return registry_enable(registry, fd, interest, true);
}

int plx_disable(plx_registry *registry, plx_fd fd, uint32_t interest)
{
    return registry_enable(registry, fd, interest, false);
}

int plx_lookup(plx_registry *registry, plx_fd fd, plx_token *token, uint32_t *interest)
{
    int rc = registry ? plx__registry_lock(registry) : -EINVAL;

    if (rc < 0)
        return rc;
    plx__entry *entry = plx__table_find(&registry->table, fd);
    if (entry && token)
        *token = atomic_load_explicit(&entry->token, PLX__RELAXED);
    if (entry && interest) {
        uint32_t packed = atomic_load_explicit(&entry->interest, PLX__RELAXED);
        bool native = atomic_load_explicit(&entry->tag, PLX__RELAXED) & PLX__NATIVE;
        *interest = native ? packed : plx__interest_unpack(packed);
    }
    plx__registry_unlock(registry);
    return entry ? 0 : -ENOENT;
}

/* ---- Events on their way from the kernel: the rest of harvest.h ------------ */

/*
 * Nothing in the table explains the event: the kernel may hold what nobody can remove. False if
 * it does, and could not be mended now.
 */
static bool registry_stale(plx_registry *registry)
{
    int rc = 0;

    if (!atomic_load_explicit(&registry->suspect, PLX__ACQUIRE) || plx__registry_lock(registry) < 0)
        return true;
    if (atomic_load_explicit(&registry->suspect, PLX__RELAXED)) {
        uint32_t calls = 0;
        rc = registry->backend->rebuild(registry->state, &registry->table, &calls);
        if (rc >= 0) {
            atomic_store_explicit(&registry->suspect, rc > 0, PLX__RELAXED);
            atomic_fetch_add_explicit(&registry->epoch, 1, PLX__SEQ_CST);
            (void)registry->backend->wake(registry->state, &calls); /* the first of those in the old set */
        }
        registry->lock_calls += calls;
    }
    plx__registry_unlock(registry);
    return rc >= 0;
}

/*
 * Tells a kernel that does not disarm by itself that a oneshot has reported, unless
 * somebody has armed it again since.
 */
static void registry_disarm(plx_registry *registry, plx__entry *entry, plx_fd fd, uint32_t armed)
{
    uint32_t tag = armed & ~PLX__ARMED;

    if (plx__registry_lock(registry) < 0)
        return;
    if (atomic_load_explicit(&entry->tag, PLX__RELAXED) == tag) {
        uint32_t interest = atomic_load_explicit(&entry->interest, PLX__RELAXED);
        plx__watch was = plx__watch_of(fd, armed, interest);
        plx__watch now = plx__watch_of(fd, tag, interest);
        (void)registry_modify(registry, &was, &now);
    }
    plx__registry_unlock(registry);
}

bool plx__harvest_slow(plx__harvest *harvest, const plx__key *key, uint32_t flags, uint32_t native, plx_event *event)
{
    plx_registry *registry = harvest->registry;
    plx__entry *entry = plx__view_entry(plx__table_view(harvest->table), key->fd);
    uint32_t tag = atomic_load_explicit(&entry->tag, PLX__ACQUIRE);
    plx_token token = atomic_load_explicit(&entry->token, PLX__ACQUIRE);
    uint32_t interest = atomic_load_explicit(&entry->interest, PLX__ACQUIRE);

    if (plx__tag_key(tag) != key->tag) {
        if ((tag ^ key->tag) & PLX__GENERATION || !(tag & PLX__USED))
            harvest->stuck |= !registry_stale(registry);
        return false;
    }
    if (!(tag & PLX__USED)) {
        harvest->queued = true;
        return plx__attachment_report(registry, key, event);
    }
    if (!(tag & PLX__ARMED) || interest == 0)
        return false;
    if (tag & PLX__NATIVE) {
        flags &= PLX__READINESS;
    } else {
        if (flags & (PLX_WRITE_CLOSED | PLX_ERROR))
            flags |= PLX_READABLE | PLX_WRITABLE; /* as far as they were asked for */
        flags &= interest;
        if (flags == 0)
            return false;
    }
    if (!plx__entry_claim(entry, tag, interest))
        return false;
    if (interest & PLX_ONESHOT && !(registry->backend->modes & PLX_ONESHOT))
        registry_disarm(registry, entry, plx__descriptor_of(key->fd), tag);
    *event = (plx_event){.token = token, .flags = flags, .native = native};
    return true;
}
