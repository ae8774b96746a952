/* SPDX-License-Identifier: MIT */
/*
 * The registration table, driven at random beside an array of structs that is obviously
 * right; what a reader without the lock sees; and the bits of tags, keys and interests.
 */
#include "os/config.h"

#include "../tools.h"

#include "core/harvest.h"
#include "core/table.h"

_Static_assert(sizeof(plx__entry) == 16, "what a descriptor costs");
_Static_assert((PLX__GENERATION & (PLX__AGAIN | PLX__USED | PLX__ARMED | PLX__SLOW | PLX__NATIVE)) == 0,
               "bits of their own");

#define STEP (~PLX__GENERATION + 1) /* from one generation to the next */

enum { NUMBERS = 200, STEPS = 60000 };

/* ---- The slow and obviously right one ---------------------------------------- */

struct oracle {
    bool used;
    plx_fd fd;
    uint32_t tag, interest;
    plx_token token;
};

static struct oracle oracle[NUMBERS];

static uint32_t generation_of(uint32_t tag)
{
    return tag / STEP;
}

/* Dense below 100, then sparser and sparser. */
static plx_fd number_of(int i)
{
    return plx__descriptor_of((uint32_t)(i < 100 ? i : i < 150 ? 100 + (i - 100) * 700 : 40000 + (i - 150) * 20011));
}

static void compare_walk(const plx__table *table)
{
    size_t number = 0;
    plx__watch watch;

    for (int i = 0; i < NUMBERS; i++) {
        if (!oracle[i].used)
            continue;
        CHECK(plx__table_next(table, &number, &watch));
        CHECK_EQ(watch.key.fd, plx__descriptor_number(oracle[i].fd));
        CHECK_EQ(number, plx__descriptor_number(oracle[i].fd) + 1);
        CHECK_EQ(watch.key.tag, plx__tag_key(oracle[i].tag));
    }
    CHECK(!plx__table_next(table, &number, &watch));
}

static void compare_one(const plx__table *table, const struct oracle *expected)
{
    plx__entry *entry = plx__table_find(table, expected->fd);

    CHECK_EQ(entry != NULL, expected->used);
    if (!entry)
        return;
    CHECK_EQ(atomic_load(&entry->tag), expected->tag);
    CHECK_EQ(atomic_load(&entry->interest), expected->interest);
    CHECK_EQ(atomic_load(&entry->token), expected->token);
    CHECK(plx__view_entry(plx__table_view(table), plx__descriptor_number(expected->fd)) == entry);
}

/* What the registry does to an entry: register or change, report a oneshot, deregister. */
static void change_one(plx__table *table, struct oracle *expected, random_state *random)
{
    plx__entry *entry = plx__table_make(table, expected->fd);
    uint32_t bits = (uint32_t)random_next(random) & (PLX__ARMED | PLX__SLOW | PLX__NATIVE);

    CHECK(entry != NULL);
    CHECK(plx__table_entry(table, expected->fd) == entry);
    uint32_t before = plx__entry_hide(entry);
    CHECK_EQ(before, expected->tag);
    CHECK(plx__table_find(table, expected->fd) == NULL);
    if (random_below(random, 3) == 0) { /* stays hidden: deregistered */
        expected->used = false;
        expected->tag = before & ~(PLX__USED | PLX__ARMED);
        return;
    }
    expected->used = true;
    expected->tag = plx__tag_next(before, PLX__USED | bits);
    expected->interest = (uint32_t)random_next(random);
    expected->token = random_next(random) & PLX_TOKEN_MAX;
    CHECK((expected->tag ^ before) & PLX__GENERATION);
    CHECK_EQ(expected->tag & ~PLX__GENERATION, PLX__USED | bits);
    plx__entry_publish(entry, expected->token, expected->interest, expected->tag);
}

static void random_changes_agree_with_the_oracle(void)
{
    random_state random = random_start();
    counted_memory memory;
    plx__table table;

    counted_init(&memory);
    plx__table_init(&table, &memory.allocator);
    for (int i = 0; i < NUMBERS; i++) {
        oracle[i] = (struct oracle){.fd = number_of(i)};
        CHECK(plx__table_find(&table, oracle[i].fd) == NULL);
    }
    for (int step = 0; step < ROUNDS(STEPS); step++) {
        struct oracle *chosen = &oracle[random_below(&random, NUMBERS)];
        check_note("step %d, number %u", step, (unsigned)plx__descriptor_number(chosen->fd));
        change_one(&table, chosen, &random);
        compare_one(&table, chosen);
        compare_one(&table, &oracle[random_below(&random, NUMBERS)]);
        if (step % 1000 == 0)
            compare_walk(&table);
    }
    compare_walk(&table);
    CHECK(plx__table_find(&table, PLX__NO_DESCRIPTOR) == NULL);
    CHECK(plx__table_find(&table, INT32_MAX) == NULL);
    plx__table_fini(&table);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* ---- Bits --------------------------------------------------------------------- */

/* Each combination of flags comes back as it was given, and reports what the header says. */
static void interests_come_back_as_they_were_given(void)
{
    static const uint32_t flags[] = {PLX_READABLE,    PLX_WRITABLE,     PLX_PRIORITY,
                                     PLX_READ_CLOSED, PLX_WRITE_CLOSED, PLX_ERROR,
                                     PLX_EDGE,        PLX_ONESHOT,      PLX_EXCLUSIVE};

    for (unsigned chosen = 0; chosen < 1u << 9; chosen++) {
        uint32_t interest = 0;
        for (unsigned i = 0; i < 9; i++)
            interest |= chosen >> i & 1 ? flags[i] : 0;
        uint32_t packed = plx__interest_pack(interest);
        bool any = interest & PLX__READINESS;
        check_note("interest %#x, packed %#x", interest, packed);
        CHECK_EQ(plx__interest_unpack(packed), interest);
        CHECK_EQ(packed & (PLX_READABLE | PLX_WRITABLE | PLX_PRIORITY),
                 interest & (PLX_READABLE | PLX_WRITABLE | PLX_PRIORITY));
        CHECK_EQ((packed & PLX_ERROR) != 0, any);
        CHECK_EQ((packed & PLX_WRITE_CLOSED) != 0, any);
        CHECK_EQ((packed & PLX_READ_CLOSED) != 0,
                 interest & PLX_READ_CLOSED || (interest & PLX_READABLE && !(interest & PLX_EXCLUSIVE)));

        plx__watch watch = plx__watch_of(3, PLX__USED | PLX__ARMED, packed);
        CHECK_EQ(watch.flags, any ? packed & (PLX__READINESS | PLX__MODES) : 0);
        CHECK_EQ(plx__watch_of(3, PLX__USED, packed).flags, 0);
        watch = plx__watch_of(3, PLX__USED | PLX__ARMED | PLX__NATIVE, interest);
        CHECK_EQ(watch.flags, interest);
        CHECK(watch.key.tag & PLX__NATIVE);
        CHECK_EQ(plx__watch_of(3, PLX__USED | PLX__NATIVE, interest).flags, 0);
    }
    check_note("after the interests");
}

/* Also at the wrap of the generation no registration has the key of the wake. */
static void no_key_is_that_of_a_wake(void)
{
    static const uint32_t starts[] = {0, STEP, 0x7fffffffu & PLX__GENERATION, PLX__GENERATION - 2 * STEP,
                                      PLX__GENERATION};

    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        uint32_t tag = starts[i];
        for (int step = 0; step < 6; step++) {
            for (uint32_t bits = 0; bits < 8; bits++) {
                uint32_t next = plx__tag_next(tag, PLX__USED | bits);
                check_note("after tag %#x with bits %#x", tag, bits);
                CHECK_EQ(generation_of(next), tag >= PLX__GENERATION ? 0 : generation_of(tag) + 1);
                CHECK_EQ(next & ~PLX__GENERATION, PLX__USED | bits);
                plx__watch watch = plx__watch_of(INT32_MAX, next, PLX_READABLE);
                CHECK_EQ(watch.key.tag, plx__tag_key(next));
                CHECK_EQ(plx__tag_key(next ^ PLX__AGAIN), watch.key.tag); /* not the kernel's business */
                CHECK(watch.key.tag != PLX__WAKE_TAG);
            }
            tag = plx__tag_next(tag, PLX__USED | PLX__ARMED | PLX__SLOW | PLX__NATIVE) | PLX__AGAIN;
        }
    }
    check_note("after the tags");
}

/* ---- A reader without the lock ------------------------------------------------- */

enum { SHARED = 40 };

static plx__table shared;
static atomic_bool shared_over;
static plx_fd shared_fd[SHARED];

/* Token and interest that say which generation they were published with. */
static plx_token token_of(plx_fd fd, uint32_t tag)
{
    return (plx_token)(uint32_t)fd << 32 | generation_of(tag);
}

static uint32_t interest_of(uint32_t tag)
{
    return generation_of(tag) * 2654435761u;
}

/* Looks at entries as a waiter does; what passes its two looks at the tag belongs together. */
static void *read_entries(void *argument)
{
    random_state random = {(uintptr_t)argument};
    long consistent = 0;

    while (!atomic_load_explicit(&shared_over, memory_order_relaxed)) {
        plx_fd fd = shared_fd[random_below(&random, SHARED)];
        plx__entry *page = plx__pages_find(&shared.pages, plx__descriptor_number(fd));
        if (!page)
            continue;
        plx__entry *entry = plx__view_entry(plx__table_view(&shared), plx__descriptor_number(fd));
        uint32_t tag = atomic_load_explicit(&entry->tag, memory_order_acquire);
        plx_token token = atomic_load_explicit(&entry->token, memory_order_acquire);
        uint32_t interest = atomic_load_explicit(&entry->interest, memory_order_acquire);
        if (!(tag & PLX__USED) || !plx__entry_claim(entry, tag, interest & ~PLX_ONESHOT))
            continue;
        CHECK_EQ(token, token_of(fd, tag));
        CHECK_EQ(interest, interest_of(tag));
        consistent++;
    }
    CHECK(consistent > 0);
    return NULL;
}

static void readers_never_see_a_torn_registration(void)
{
    random_state random = random_start();
    pthread_t readers[2];
    counted_memory memory;

    counted_init(&memory);
    plx__table_init(&shared, &memory.allocator);
    for (int i = 0; i < SHARED; i++)
        shared_fd[i] = plx__descriptor_of((uint32_t)(i < 4 ? i : i * 5003)); /* few that are hot, and the directory grows */
    for (uintptr_t i = 0; i < 2; i++)
        readers[i] = thread_start(read_entries, (void *)(i + 1));
    int steps = ROUNDS(2000000);
    for (int step = 0; step < steps; step++) {
        uint32_t reach = 4 + (uint32_t)((int64_t)step * (SHARED - 4) / steps);
        plx_fd fd = shared_fd[step % 8 ? random_below(&random, 4) : random_below(&random, reach)];
        plx__entry *entry = plx__table_make(&shared, fd);
        CHECK(entry != NULL);
        uint32_t armed = random_below(&random, 2) ? PLX__ARMED : 0; /* the two ways to hide */
        uint32_t tag = plx__tag_next(plx__entry_hide(entry), PLX__USED | armed);
        plx__entry_publish(entry, token_of(fd, tag), interest_of(tag), tag);
    }
    sleep_for(PLX_MSEC(5));
    atomic_store(&shared_over, true);
    for (int i = 0; i < 2; i++)
        thread_join(readers[i]);
    plx__table_fini(&shared);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/*
 * Hiding says what the tag was, whatever a waiter did to ARMED at the same moment; of what is no
 * oneshot nobody takes it, also when it becomes one while a waiter looks.
 */
static plx__entry contended;
static atomic_long reported;

static void *report_oneshots(void *unused)
{
    while (!atomic_load_explicit(&shared_over, memory_order_relaxed)) {
        uint32_t tag = atomic_load_explicit(&contended.tag, memory_order_acquire);
        uint32_t interest = atomic_load_explicit(&contended.interest, memory_order_acquire);
        if (tag & PLX__ARMED && tag & PLX__USED && interest & PLX_ONESHOT &&
            plx__entry_claim(&contended, tag, interest))
            atomic_fetch_add(&reported, 1);
    }
    return unused;
}

static void a_oneshot_is_reported_once_however_it_is_changed(void)
{
    long disarmed = 0;
    bool oneshot = false;

    atomic_store(&shared_over, false);
    pthread_t one = thread_start(report_oneshots, NULL), other = thread_start(report_oneshots, NULL);
    for (int i = 0; i < ROUNDS(500000); i++) {
        uint32_t tag = plx__entry_hide(&contended);
        bool taken = tag & PLX__USED && !(tag & PLX__ARMED);
        CHECK(oneshot || !taken);
        disarmed += taken;
        oneshot = i % 3 != 0;
        plx__entry_publish(&contended, 1, PLX_READABLE | (oneshot ? PLX_ONESHOT : 0),
                           plx__tag_next(tag, PLX__USED | PLX__ARMED | PLX__SLOW));
    }
    atomic_store(&shared_over, true);
    thread_join(one);
    thread_join(other);
    uint32_t last = plx__entry_hide(&contended);
    CHECK_EQ(disarmed + !(last & PLX__ARMED), atomic_load(&reported));
}

/* An event whose registration was changed after the first look at it is nobody's. */
static void what_has_changed_is_not_claimed(uint32_t mode)
{
    counted_memory memory;
    plx__table table;
    uint32_t interest = plx__interest_pack(PLX_READABLE | mode), armed = PLX__USED | PLX__ARMED;

    counted_init(&memory);
    plx__table_init(&table, &memory.allocator);
    plx__entry *entry = plx__table_make(&table, plx__descriptor_of(3));
    CHECK(entry != NULL);
    uint32_t first = plx__tag_next(0, armed);
    plx__entry_publish(entry, 1, interest, first);
    uint32_t second = plx__tag_next(plx__entry_hide(entry), armed);
    plx__entry_publish(entry, 2, interest, second);
    CHECK(!plx__entry_claim(entry, first, interest));
    CHECK_EQ(atomic_load(&entry->tag), second);
    CHECK(plx__entry_claim(entry, second, interest));
    CHECK_EQ(atomic_load(&entry->tag), mode ? second & ~PLX__ARMED : second);
    CHECK_EQ(plx__entry_claim(entry, second, interest), !mode);
    plx__table_fini(&table);
}

int main(void)
{
    watchdog(100);
    what_has_changed_is_not_claimed(0);
    what_has_changed_is_not_claimed(PLX_ONESHOT);
    random_changes_agree_with_the_oracle();
    interests_come_back_as_they_were_given();
    no_key_is_that_of_a_wake();
    readers_never_see_a_torn_registration();
    a_oneshot_is_reported_once_however_it_is_changed();
    return 0;
}
