/* SPDX-License-Identifier: MIT */
/*
 * Many short lives of a poller on io_uring under random timing: threads register, change and
 * deregister, wake and post, while waiters come and go: one, which keeps the ring, one after
 * the other, or two, for whom the set moves. No event is stale, no oneshot tells
 * twice, and when all have gone a last waiter finds everything that is still to be told.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

enum { SLOTS = 10, WORKERS = 2, WAITERS = 2, NUMBERS = 2000, WAKER = 1000, POSTED = 1001 };

/* A socket. Each registration, and each time that a oneshot is armed again, has a number that only grows. */
struct slot {
    pthread_mutex_t lock;
    int ends[2];
    bool registered;
    uint32_t interest;
    uint32_t number;
    _Atomic(uint32_t) first_living; /* below it, none may be told any more */
    atomic_int told[NUMBERS];
    atomic_bool oneshot[NUMBERS];
};

static struct slot slots[SLOTS];
static counted_memory memory;
static plx_waker *waker;
static atomic_bool over;
static atomic_long posted, post_events, wakes, wake_events;
static long moves, kept, delivered, changes;
static bool calm; /* in this life nothing is deregistered, and one waiter has the ring all along */

/* ---- Workers ------------------------------------------------------------------------------- */

static const uint32_t interests[] = {PLX_READABLE,
                                     PLX_READABLE | PLX_EDGE,
                                     PLX_READABLE | PLX_ONESHOT,
                                     PLX_READABLE | PLX_ONESHOT,
                                     PLX_READABLE | PLX_EXCLUSIVE,
                                     PLX_READABLE | PLX_WRITABLE | PLX_ONESHOT,
                                     PLX_WRITABLE | PLX_EDGE,
                                     0};

static void begin_life(struct slot *slot, random_state *random)
{
    slot->interest = interests[random_below(random, sizeof interests / sizeof interests[0])];
    slot->number++;
    atomic_store(&slot->oneshot[slot->number], (slot->interest & PLX_ONESHOT) != 0);
}

static plx_token token_of(const struct slot *slot)
{
    return plx_token_pack(1 + (uint32_t)(slot - slots), slot->number);
}

static void bury(struct slot *slot, uint32_t first_living)
{
    atomic_store(&slot->first_living, first_living);
}

static void change(struct slot *slot, random_state *random)
{
    uint32_t choice = random_below(random, 8);

    if (slot->number == NUMBERS - 1)
        return;
    if (!slot->registered) {
        begin_life(slot, random);
        CHECK_RC(plx_register(registry, slot->ends[0], token_of(slot), slot->interest), 0);
        slot->registered = true;
    } else if (choice < 4 || calm) {
        begin_life(slot, random);
        CHECK_RC(plx_reregister(registry, slot->ends[0], token_of(slot), slot->interest), 0);
        bury(slot, slot->number);
    } else {
        CHECK_RC(plx_deregister(registry, slot->ends[0]), 0);
        bury(slot, slot->number + 1);
        slot->registered = false;
        if (choice < 7)
            return;
        CHECK(close(slot->ends[0]) == 0);
        CHECK(at_end(slot->ends[1], LATER_MS));
        CHECK(close(slot->ends[1]) == 0);
        open_pair(slot->ends);
    }
}

static void *work(void *argument)
{
    random_state random = *(random_state *)argument;

    while (!atomic_load_explicit(&over, memory_order_relaxed)) {
        struct slot *slot = &slots[random_below(&random, SLOTS)];
        uint32_t choice = random_below(&random, 16);
        pthread_mutex_lock(&slot->lock);
        if (choice < 8)
            change(slot, &random);
        else if (choice < 10)
            put_byte(slot->ends[1]);
        else if (choice < 11)
            drain(slot->ends[0]);
        pthread_mutex_unlock(&slot->lock);
        if (choice == 11) {
            CHECK_RC(plx_waker_wake(waker), 0);
            atomic_fetch_add(&wakes, 1);
        }
        if (choice == 12) {
            CHECK_RC(plx_post(registry, POSTED, 1), 0);
            atomic_fetch_add(&posted, 1);
        }
        if (choice == 13)
            sleep_for((plx_nanos)random_below(&random, 300000));
    }
    return NULL;
}

/* ---- Waiters ------------------------------------------------------------------------------- */

static void judge(const plx_event *event, const uint32_t *living)
{
    if (event->token == WAKER || event->token == POSTED) {
        CHECK_EQ(event->flags, event->token == WAKER ? PLX_WAKER : PLX_POST);
        atomic_fetch_add(event->token == POSTED ? &post_events : &wake_events, 1);
        return;
    }
    uint32_t slot = plx_token_kind(event->token) - 1, number = plx_token_index(event->token);
    CHECK(slot < SLOTS && number < NUMBERS);
    CHECK(event->flags != 0);
    if (number < living[slot]) /* in the words of the check, with the values */
        fprintf(stderr, "slot %u, registration %u, first living %u\n", slot, number, living[slot]);
    CHECK(number >= living[slot]);
    int told = atomic_fetch_add(&slots[slot].told[number], 1);
    CHECK(told == 0 || !atomic_load(&slots[slot].oneshot[number]));
}

static int wait_once(int capacity, plx_nanos timeout)
{
    plx_event events[16];
    uint32_t living[SLOTS];

    for (int i = 0; i < SLOTS; i++)
        living[i] = atomic_load(&slots[i].first_living);
    int count = plx_poller_wait(poller, events, capacity, timeout);
    CHECK(count >= 0);
    for (int i = 0; i < count; i++)
        judge(&events[i], living);
    return count;
}

static void *wait_a_while(void *argument)
{
    static const plx_nanos timeouts[] = {0, PLX_USEC(30), PLX_MSEC(1), PLX_MSEC(3)};
    random_state random = *(random_state *)argument;
    int waits = (int)random_below(&random, 60);

    for (int i = 0; i < waits && !atomic_load(&over); i++) {
        wait_once(1 + (int)random_below(&random, 16), timeouts[random_below(&random, 4)]);
        if (random_below(&random, 8) == 0) /* it is busy elsewhere */
            sleep_for((plx_nanos)random_below(&random, 200000));
    }
    return NULL;
}

/* ---- One life --------------------------------------------------------------------------------- */

static void open_life(void)
{
    counted_init(&memory);
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        slot->registered = false;
        slot->number = 0;
        atomic_store(&slot->first_living, 0);
        memset(slot->told, 0, sizeof slot->told);
        open_pair(slot->ends);
    }
    uring_open_with(&memory.allocator);
    CHECK_RC(plx_waker_open(registry, WAKER, &waker), 0);
    atomic_store(&posted, 0);
    atomic_store(&post_events, 0);
    atomic_store(&wakes, 0);
    atomic_store(&wake_events, 0);
    atomic_store(&over, false);
}

/* What is ready and may be told has been, or is now. */
static void find_the_rest(void)
{
    CHECK_RC(plx_waker_wake(waker), 0);
    long before = atomic_load(&wake_events);
    for (int quiet = 0, waits = 0; quiet < 3; waits++) {
        CHECK(waits < 1000);
        int count = wait_once(16, 0);
        bool only_levels = true; /* which come again and again */
        if (count > 0)
            only_levels = waits > 20 && atomic_load(&post_events) == atomic_load(&posted);
        quiet = only_levels ? quiet + 1 : 0;
    }
    CHECK(atomic_load(&wake_events) > before);
    CHECK_EQ(atomic_load(&post_events), atomic_load(&posted));
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        struct pollfd look = {.fd = slot->ends[0], .events = POLLIN};
        CHECK(poll(&look, 1, 0) >= 0);
        uint32_t ready = (look.revents & POLLIN ? PLX_READABLE : 0) | PLX_WRITABLE;
        check_note("slot %d, registration %u with interest %#x", i, slot->number, (unsigned)slot->interest);
        if (slot->registered && slot->interest & ready)
            CHECK(atomic_load(&slot->told[slot->number]) > 0);
    }
}

static void close_life(int descriptors)
{
    plx_waker_release(waker);
    plx_poller_close(poller);
    for (int i = 0; i < SLOTS; i++) {
        changes += (long)slots[i].number;
        close_pair(slots[i].ends);
    }
    CHECK_EQ(atomic_load(&memory.live), 0);
    CHECK_EQ(descriptors_open(), descriptors);
}

static void live(random_state *random)
{
    pthread_t workers[WORKERS], waiters[WAITERS];
    random_state seeds[WORKERS + WAITERS];
    int descriptors = descriptors_open();
    calm = random_below(random, 4) == 0;
    int together = calm ? 1 : 1 + (int)random_below(random, WAITERS);
    uint32_t shifts = calm ? 1 : 1 + random_below(random, 3);
    plx_stats stats;

    open_life();
    for (int i = 0; i < WORKERS; i++) {
        seeds[i].word = random_next(random);
        workers[i] = thread_start(work, &seeds[i]);
    }
    for (uint32_t shift = 0; shift < shifts; shift++) {
        for (int i = 0; i < together; i++) {
            seeds[WORKERS + i].word = random_next(random);
            waiters[i] = thread_start(wait_a_while, &seeds[WORKERS + i]);
            if (random_below(random, 2))
                sleep_for((plx_nanos)random_below(random, 500000));
        }
        for (int i = 0; i < together; i++)
            thread_join(waiters[i]);
    }
    atomic_store(&over, true);
    for (int i = 0; i < WORKERS; i++)
        thread_join(workers[i]);
    *(uring_moved() ? &moves : &kept) += 1;
    find_the_rest();
    plx_poller_stats(poller, &stats);
    delivered += (long)stats.events;
    close_life(descriptors);
}

int main(void)
{
    random_state random = random_start();
    plx_nanos end = plx_now() + PLX_SEC(ROUNDS(8));

    uring_need();
    for (int i = 0; i < SLOTS; i++)
        CHECK_EQ(pthread_mutex_init(&slots[i].lock, NULL), 0);
    while (plx_now() < end || moves == 0 || kept == 0) {
        watchdog(30);
        live(&random);
    }
    printf("%ld lives moved, %ld did not; %ld changes, %ld events\n", moves, kept, changes, delivered);
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
