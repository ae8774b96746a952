/* SPDX-License-Identifier: MIT */
/*
 * Threads that do everything at once to a few shared sockets, among them closing and opening
 * their numbers, while others wait; then the poller is closed under them. A token must not
 * come from a wait that began after its deregister, or the reregister that replaced it, had
 * returned. Nothing crashes, hangs or leaks.
 */
#include "os/config.h"

#include "../backends.h"
#include "../tools.h"

#include "backend/backend.h"

enum { SLOTS = 12, WORKERS = 4, WAITERS = 3, WAKER = 1000, POSTED = 1001 };

/* A socket with a registration or without. Each registration has a number that only grows. */
struct slot {
    pthread_mutex_t lock;
    plx_fd ends[2];
    bool registered;
    uint32_t number;                /* of the next registration */
    _Atomic(uint32_t) first_living; /* below it, none may be reported any more */
};

static struct slot slots[SLOTS];
static counted_memory memory;
static const plx__backend *backend;
static plx_poller *poller;
static plx_registry *registry;
static plx_waker *waker;
static atomic_bool over;
static atomic_long delivered, changes, posted, post_events;

/* ---- Workers --------------------------------------------------------------------------- */

static uint32_t random_interest(random_state *random)
{
    static const uint32_t interests[] = {PLX_READABLE, PLX_WRITABLE, PLX_READABLE | PLX_WRITABLE,
                                         PLX_PRIORITY, 0};
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

static plx_token next_token(struct slot *slot)
{
    return plx_token_pack(1 + (uint32_t)(slot - slots), slot->number++); /* kind 0: no registration */
}

/* What was registered up to now is over, once its end has returned. */
static void bury(struct slot *slot, uint32_t first_living)
{
    atomic_store(&slot->first_living, first_living);
}

static void expect(int rc, bool succeeds, int otherwise)
{
    if (rc != -PLX_ESHUTDOWN)
        CHECK_RC(rc, succeeds ? 0 : otherwise);
}

static void change_slot(struct slot *slot, random_state *random)
{
    uint32_t interest = random_interest(random);
    plx_fd fd = slot->ends[0];
    int rc;

    switch (random_below(random, 8)) {
    case 0:
    case 1:
        rc = plx_register(registry, fd, next_token(slot), interest);
        expect(rc, !slot->registered, -EEXIST);
        slot->registered = slot->registered || rc == 0;
        break;
    case 2:
        rc = plx_reregister(registry, fd, next_token(slot), interest);
        expect(rc, slot->registered, -ENOENT);
        if (rc == 0)
            bury(slot, slot->number - 1);
        break;
    case 3:
        rc = plx_deregister(registry, fd);
        expect(rc, slot->registered, -ENOENT);
        if (rc == 0)
            bury(slot, slot->number);
        slot->registered = slot->registered && rc != 0;
        break;
    case 4:
        expect(plx_enable(registry, fd, PLX_READABLE), slot->registered, -ENOENT);
        break;
    case 5:
        expect(plx_disable(registry, fd, PLX_WRITABLE), slot->registered, -ENOENT);
        break;
    case 6: /* the same numbers, other files */
        rc = plx_deregister(registry, fd);
        if (rc == -PLX_ESHUTDOWN) /* a wait that is on its way out may still look at it */
            break;
        bury(slot, slot->number);
        slot->registered = false;
        close_pair(slot->ends);
        open_pair(slot->ends);
        break;
    default:
        expect(plx_lookup(registry, fd, NULL, NULL), slot->registered, -ENOENT);
        break;
    }
    atomic_fetch_add_explicit(&changes, 1, memory_order_relaxed);
}

static void *work(void *argument)
{
    random_state random = *(random_state *)argument;

    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        struct slot *slot = &slots[random_below(&random, SLOTS)];
        int rc = 0;
        pthread_mutex_lock(&slot->lock);
        uint32_t choice = random_below(&random, 16);
        if (choice < 10)
            change_slot(slot, &random);
        else if (choice < 12)
            put_byte(slot->ends[1]);
        else if (choice < 13)
            drain(slot->ends[0]);
        pthread_mutex_unlock(&slot->lock);
        if (choice == 13)
            rc = plx_notify(registry);
        if (choice == 14)
            rc = plx_waker_wake(waker);
        if (choice == 15) {
            rc = plx_post(registry, POSTED, 1);
            atomic_fetch_add(&posted, rc == 0);
        }
        CHECK(rc == 0 || rc == -PLX_ESHUTDOWN);
    }
    return NULL;
}

/* ---- Waiters ------------------------------------------------------------------------------ */

static void judge(const plx_event *event, const uint32_t *living)
{
    if (event->token == WAKER || event->token == POSTED) {
        CHECK_EQ(event->flags, event->token == WAKER ? PLX_WAKER : PLX_POST);
        atomic_fetch_add(&post_events, event->token == POSTED);
        return;
    }
    uint32_t slot = plx_token_kind(event->token) - 1, number = plx_token_index(event->token);
    CHECK(slot < SLOTS);
    CHECK(event->flags != 0);
    if (number < living[slot]) /* in the words of the check, with the values */
        fprintf(stderr, "slot %u, registration %u, first living %u\n", slot, number, living[slot]);
    CHECK(number >= living[slot]);
}

static void *wait_along(void *argument)
{
    random_state random = *(random_state *)argument;
    static const plx_nanos timeouts[] = {0, PLX_USEC(30), PLX_MSEC(2), PLX_FOREVER};
    plx_event events[8];
    int count = 0;

    while (count != -ECANCELED) {
        uint32_t living[SLOTS];
        for (int i = 0; i < SLOTS; i++)
            living[i] = atomic_load(&slots[i].first_living);
        count = plx_poller_wait(poller, events, 1 + (int)random_below(&random, 8),
                                timeouts[random_below(&random, 4)]);
        CHECK(count >= 0 || count == -ECANCELED);
        for (int i = 0; i < count; i++)
            judge(&events[i], living);
        atomic_fetch_add(&delivered, count > 0 ? count : 0);
    }
    return NULL;
}

/* ---- Together -------------------------------------------------------------------------------- */

static void run(plx_nanos time)
{
    plx_options options = {.backend = backend->id, .allocator = &memory.allocator};
    pthread_t workers[WORKERS], waiters[WAITERS];
    random_state random = random_start(), seeds[WORKERS + WAITERS];

    watchdog(60);
    counted_init(&memory);
    atomic_store(&over, false);
    int descriptors = descriptors_open();
    for (int i = 0; i < SLOTS; i++) {
        slots[i] = (struct slot){.lock = PTHREAD_MUTEX_INITIALIZER, .number = 1};
        open_pair(slots[i].ends);
    }
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    registry = plx_registry_retain(plx_poller_registry(poller));
    CHECK_RC(plx_waker_open(registry, WAKER, &waker), 0);
    for (int i = 0; i < WORKERS + WAITERS; i++)
        seeds[i].word = random_next(&random);
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = thread_start(wait_along, &seeds[WORKERS + i]);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = thread_start(work, &seeds[i]);

    sleep_for(time);
    plx_poller_close(poller); /* the workers go on and are told so */
    for (int i = 0; i < WAITERS; i++)
        thread_join(waiters[i]);
    sleep_for(PLX_MSEC(5));
    atomic_store(&over, true);
    for (int i = 0; i < WORKERS; i++)
        thread_join(workers[i]);
    CHECK_RC(plx_post(registry, POSTED, 0), -PLX_ESHUTDOWN);
    plx_waker_release(waker);
    plx_registry_release(registry);
    for (int i = 0; i < SLOTS; i++)
        close_pair(slots[i].ends);
    CHECK_EQ(atomic_load(&memory.live), 0);
    CHECK_EQ(descriptors_open(), descriptors);
    CHECK(atomic_load(&post_events) <= atomic_load(&posted));
    printf("%s: %ld changes, %ld events\n", backend->name, atomic_load(&changes), atomic_load(&delivered));
}

int main(void)
{
    for (size_t i = 0; backends_here()[i]; i++) {
        backend = backends_here()[i];
        run(PLX_MSEC(1000));
        run(PLX_MSEC(20));
    }
    return 0;
}
