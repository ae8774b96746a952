/* SPDX-License-Identifier: MIT */
/*
 * Registrations. A slot is changed by one thread at a time, so each call's answer is known, and its
 * descriptors are closed and opened with the same numbers. A wild one is changed by all at once. A
 * ping is a worker's own: registered in some mode, made ready, and its event is owed.
 */
#ifndef TESTS_EVERYTHING_DESCRIPTORS_H
#define TESTS_EVERYTHING_DESCRIPTORS_H

#include "subject.h"

static struct slot {
    pthread_mutex_t lock;
    plx_fd ends[2];
    bool registered;
    uint32_t number; /* of the next registration */
} slots[SLOTS];

static plx_fd wild[WILD][2];
static _Atomic(uint32_t) wild_number;

static struct ping {
    plx_fd ends[2];
    uint32_t number;
    bool outstanding, once;
    _Atomic(uint64_t) seen; /* number and events of the registration that there is */
} pings[WORKERS];

static void descriptors_open_all(void)
{
    for (int i = 0; i < SLOTS; i++) {
        slots[i] = (struct slot){.lock = PTHREAD_MUTEX_INITIALIZER};
        open_pair(slots[i].ends);
    }
    for (int i = 0; i < WILD; i++)
        open_pair(wild[i]);
    for (int i = 0; i < WORKERS; i++) {
        pings[i] = (struct ping){.number = 0};
        open_pair(pings[i].ends);
    }
    atomic_store(&wild_number, 0);
}

static void descriptors_close_all(void)
{
    for (int i = 0; i < SLOTS; i++)
        close_pair(slots[i].ends);
    for (int i = 0; i < WILD; i++)
        close_pair(wild[i]);
    for (int i = 0; i < WORKERS; i++)
        close_pair(pings[i].ends);
}

static uint32_t random_interest(random_state *random)
{
    static const uint32_t interests[] = {PLX_READABLE, PLX_WRITABLE, PLX_READABLE | PLX_WRITABLE, PLX_PRIORITY, 0};
    uint32_t interest = interests[random_below(random, 5)] & ~backend->lacks;
    uint32_t mode = random_below(random, 4);

    if (mode == 0)
        return interest | PLX_ONESHOT;
    if (mode == 1)
        return interest | (backend->modes & PLX_EDGE);
    if (mode == 2 && !(interest & PLX_PRIORITY))
        return interest | (backend->modes & PLX_EXCLUSIVE);
    return interest;
}

/* ---- Slots ------------------------------------------------------------------------------- */

static void slot_end(struct slot *slot)
{
    int rc = plx_deregister(registry, slot->ends[0]);

    expect(rc, slot->registered, -ENOENT);
    if (rc == -PLX_ESHUTDOWN)
        return;
    bury(SLOT_0 + (int)(slot - slots), slot->number);
    slot->registered = false;
}

/* The same numbers, other files; not while a wait that is on its way out may look at them. */
static void slot_reopen(struct slot *slot)
{
    slot_end(slot);
    if (slot->registered)
        return;
    close_pair(slot->ends);
    open_pair(slot->ends);
}

static void slot_change(struct slot *slot, random_state *random)
{
    plx_fd fd = slot->ends[0];
    int source = SLOT_0 + (int)(slot - slots), rc;
    uint32_t interest = random_interest(random);

    switch (random_below(random, 10)) {
    case 0:
    case 1:
    case 2:
        rc = plx_register(registry, fd, token_of(source, slot->number++), interest);
        expect(rc, !slot->registered, -EEXIST);
        slot->registered = slot->registered || rc == 0;
        break;
    case 3:
    case 4:
        rc = plx_reregister(registry, fd, token_of(source, slot->number++), interest);
        expect(rc, slot->registered, -ENOENT);
        if (rc == 0)
            bury(source, slot->number - 1);
        break;
    case 5: slot_end(slot); break;
    case 6: expect(plx_enable(registry, fd, PLX_READABLE), slot->registered, -ENOENT); break;
    case 7: expect(plx_disable(registry, fd, PLX_WRITABLE), slot->registered, -ENOENT); break;
    case 8: slot_reopen(slot); break;
    default: expect(plx_lookup(registry, fd, NULL, NULL), slot->registered, -ENOENT); break;
    }
}

static void do_slot(thread *self)
{
    struct slot *slot = &slots[random_below(&self->random, SLOTS)];
    uint32_t choice = random_below(&self->random, 8);

    doing(self, "changes a slot", (int)(slot - slots));
    pthread_mutex_lock(&slot->lock);
    if (choice == 0)
        put_byte(slot->ends[1]);
    else if (choice == 1)
        drain(slot->ends[0]);
    else
        slot_change(slot, &self->random);
    pthread_mutex_unlock(&slot->lock);
}

/* ---- Wild ones --------------------------------------------------------------------------- */

static void do_wild(thread *self)
{
    int which = (int)random_below(&self->random, WILD);
    plx_fd fd = wild[which][0];
    uint32_t interest = random_interest(&self->random);
    plx_token token = token_of(WILD_0 + which, atomic_fetch_add(&wild_number, 1));
    int rc = 0;

    doing(self, "changes a wild one", which);
    switch (random_below(&self->random, 6)) {
    case 0: rc = plx_register(registry, fd, token, interest); break;
    case 1: rc = plx_reregister(registry, fd, token, interest); break;
    case 2: rc = plx_deregister(registry, fd); break;
    case 3: rc = plx_enable(registry, fd, PLX_WRITABLE); break;
    case 4: rc = plx_disable(registry, fd, PLX_WRITABLE); break;
    default: put_byte(wild[which][1]); drain(fd); break;
    }
    if (rc != -EEXIST && rc != -ENOENT)
        done(rc);
}

/* ---- Pings ------------------------------------------------------------------------------- */

static uint32_t ping_events(const struct ping *ping)
{
    return (uint32_t)atomic_load(&ping->seen);
}

/* Its event has come: of a oneshot one, of others one at least. */
static void ping_finish(thread *self)
{
    struct ping *ping = &pings[self->index];

    if (!ping->outstanding)
        return;
    AWAIT(self, "awaits its ping", (int)ping->number, ping_events(ping) > 0);
    doing(self, "ends its ping", (int)ping->number);
    if (!done(plx_deregister(registry, ping->ends[0])))
        return;
    bury(PING_0 + self->index, ++ping->number);
    CHECK(!ping->once || ping_events(ping) <= 1);
    ping->outstanding = false;
    drain(ping->ends[0]);
    if (random_below(&self->random, 4) == 0) {
        close_pair(ping->ends);
        open_pair(ping->ends);
    }
}

static void do_ping(thread *self)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_ONESHOT, PLX_EDGE, PLX_EDGE | PLX_ONESHOT};
    struct ping *ping = &pings[self->index];
    uint32_t mode = modes[random_below(&self->random, 4)];
    bool before = random_below(&self->random, 2);

    ping_finish(self);
    if (ping->outstanding)
        return;
    doing(self, "begins its ping", (int)ping->number);
    ping->once = mode & PLX_ONESHOT;
    atomic_store(&ping->seen, (uint64_t)ping->number << 32);
    if (before)
        put_byte(ping->ends[1]);
    ping->outstanding = done(plx_register(registry, ping->ends[0], token_of(PING_0 + self->index, ping->number),
                                          PLX_READABLE | (mode & (backend->modes | PLX_ONESHOT))));
    if (!before)
        put_byte(ping->ends[1]);
}

/* Nothing of one's own is registered any more, and none of what all share. */
static void descriptors_hush(thread *self)
{
    ping_finish(self);
    for (int i = 0; i < SLOTS; i++) {
        doing(self, "ends a slot", i);
        pthread_mutex_lock(&slots[i].lock);
        slot_end(&slots[i]);
        pthread_mutex_unlock(&slots[i].lock);
    }
    for (int i = 0; i < WILD; i++) {
        doing(self, "ends a wild one", i);
        int rc = plx_deregister(registry, wild[i][0]);
        if (rc != -ENOENT)
            done(rc);
    }
}

/* One from a wait that began in the time of the last registration does not count. */
static void ping_event(int worker, uint32_t number)
{
    _Atomic(uint64_t) *seen = &pings[worker].seen;
    uint64_t was = atomic_load(seen);

    while (was >> 32 == number && !atomic_compare_exchange_weak(seen, &was, was + 1)) {
    }
}

#endif
