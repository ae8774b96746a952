/* SPDX-License-Identifier: MIT */
/* The timing wheel. */
#include "os/config.h"

#include "core/memory.h"
#include "core/wheel.h"
#include "os/bits.h"
#include "os/probes.h"

/* Places that are not slots of a level. */
enum { WHEEL_FREE = 0xff00, WHEEL_NEVER, WHEEL_PRESENT, WHEEL_ARRIVALS };

/* How far a slot that has lost its earliest timer is searched for the next. */
enum { WHEEL_SEARCH = 64 };

void plx__wheel_init(plx__wheel *wheel, const plx_allocator *memory, plx_nanos now)
{
    *wheel = (plx__wheel){.memory = memory, .now = now};
    plx__pages_init(&wheel->timers, memory, sizeof(plx__timer));
}

void plx__wheel_fini(plx__wheel *wheel)
{
    plx__pages_fini(&wheel->timers);
    plx__memory_put(wheel->memory, wheel->levels);
}

/* ---- Timers and their handles ---------------------------------------------- */

static inline plx__timer *wheel_at(const plx__wheel *wheel, uint32_t index)
{
    plx__timer *page = plx__pages_page(&wheel->timers, index);

    return page + (index & (PLX__PAGE_SIZE - 1));
}

static inline plx_timer wheel_handle(const plx__timer *timer, uint32_t index)
{
    return (plx_timer)timer->generation << 32 | index;
}

/* The timer of a handle, or NULL. */
static inline plx__timer *wheel_find(const plx__wheel *wheel, plx_timer handle)
{
    uint32_t index = (uint32_t)handle;

    if (index == 0 || index > wheel->used)
        return NULL;
    plx__timer *timer = wheel_at(wheel, index);
    return timer->generation == handle >> 32 && timer->place != WHEEL_FREE ? timer : NULL;
}

/* The index of a timer to use, 0 when out of memory. */
static uint32_t wheel_get(plx__wheel *wheel)
{
    uint32_t index = wheel->spare;

    if (index) {
        wheel->spare = wheel_at(wheel, index)->next;
        return index;
    }
    if (!wheel->levels)
        wheel->levels = plx__memory_get(wheel->memory, PLX__WHEEL_LEVELS * sizeof *wheel->levels);
    if (!wheel->levels || wheel->used == UINT32_MAX)
        return 0;
    plx__timer *timer = plx__pages_make(&wheel->timers, wheel->used + 1);
    if (!timer)
        return 0;
    timer->generation = 1;
    return ++wheel->used;
}

/* A timer whose generations are used up is not used again: no handle ever comes twice. */
static inline void wheel_put(plx__wheel *wheel, plx__timer *timer, uint32_t index)
{
    timer->place = WHEEL_FREE;
    if (++timer->generation == 0)
        return;
    timer->next = wheel->spare;
    wheel->spare = index;
}

/* ---- Lists ----------------------------------------------------------------- */

static inline plx__wheel_slot *wheel_slot(const plx__wheel *wheel, uint32_t place)
{
    return &wheel->levels[place >> PLX__WHEEL_BITS].slots[place & (PLX__WHEEL_SLOTS - 1)];
}

static inline uint32_t *wheel_head(plx__wheel *wheel, uint16_t place)
{
    if (place == WHEEL_PRESENT)
        return &wheel->present;
    if (place == WHEEL_ARRIVALS)
        return &wheel->arrivals;
    return &wheel_slot(wheel, place)->first;
}

static inline void wheel_link(plx__wheel *wheel, plx__timer *timer, uint32_t index, uint16_t place)
{
    uint32_t *head = wheel_head(wheel, place);

    timer->place = place;
    timer->prev = 0;
    timer->next = *head;
    if (*head)
        wheel_at(wheel, *head)->prev = index;
    *head = index;
}

static inline void wheel_vacate(plx__wheel *wheel, unsigned level, unsigned slot)
{
    uint64_t *occupied = wheel->levels[level].occupied;

    occupied[slot / 64] &= ~(UINT64_C(1) << slot % 64);
    if (!(occupied[0] | occupied[1] | occupied[2] | occupied[3]))
        wheel->populated &= ~(1u << level);
}

/* Out of a list that is not a slot's. */
static void wheel_unlink_other(plx__wheel *wheel, plx__timer *timer)
{
    if (timer->place == WHEEL_NEVER)
        return;
    if (timer->next)
        wheel_at(wheel, timer->next)->prev = timer->prev;
    else if (timer->place == WHEEL_PRESENT)
        wheel->latest = timer->prev;
    if (timer->prev)
        wheel_at(wheel, timer->prev)->next = timer->next;
    else
        *wheel_head(wheel, timer->place) = timer->next;
}

static inline void wheel_unlink(plx__wheel *wheel, plx__timer *timer)
{
    uint16_t place = timer->place;

    if (place >= WHEEL_FREE) {
        wheel_unlink_other(wheel, timer);
        return;
    }
    plx__wheel_slot *slot = wheel_slot(wheel, place);
    if (timer->next)
        wheel_at(wheel, timer->next)->prev = timer->prev;
    if (timer->prev)
        wheel_at(wheel, timer->prev)->next = timer->next;
    else
        slot->first = timer->next;
    if (!slot->first)
        wheel_vacate(wheel, place >> PLX__WHEEL_BITS, place & (PLX__WHEEL_SLOTS - 1));
    else if (timer->deadline <= slot->earliest)
        slot->inexact = true;
}

/* Puts a timer that is in no list where its deadline belongs. */
static inline void wheel_place(plx__wheel *wheel, plx__timer *timer, uint32_t index)
{
    plx_nanos deadline = timer->deadline;

    if (deadline == INT64_MAX) {
        timer->place = WHEEL_NEVER;
        return;
    }
    if (deadline >> PLX__WHEEL_TICK <= wheel->now >> PLX__WHEEL_TICK) {
        wheel_link(wheel, timer, index, WHEEL_ARRIVALS);
        return;
    }
    unsigned level = plx__highest_bit((uint64_t)(deadline ^ wheel->now) >> PLX__WHEEL_TICK) / PLX__WHEEL_BITS;
    unsigned shift = PLX__WHEEL_TICK + level * PLX__WHEEL_BITS;
    unsigned number = (unsigned)(deadline >> shift) & (PLX__WHEEL_SLOTS - 1);
    plx__wheel_slot *slot = &wheel->levels[level].slots[number];
    if (!slot->first) {
        wheel->levels[level].occupied[number / 64] |= UINT64_C(1) << number % 64;
        wheel->populated |= 1u << level;
        slot->earliest = deadline;
        slot->inexact = false;
    } else if (deadline < slot->earliest) {
        slot->earliest = deadline;
        slot->inexact = false;
    }
    wheel_link(wheel, timer, index, (uint16_t)(level << PLX__WHEEL_BITS | number));
}

/* ---- Start, restart, cancel ------------------------------------------------ */

int plx__wheel_start(plx__wheel *wheel, plx_token token, plx_nanos deadline, plx_nanos interval, plx_timer *handle)
{
    uint32_t index = wheel_get(wheel);

    if (!index)
        return -ENOMEM;
    plx__timer *timer = wheel_at(wheel, index);
    timer->deadline = deadline;
    timer->interval = interval;
    timer->token = token;
    wheel_place(wheel, timer, index);
    wheel->count++;
    *handle = wheel_handle(timer, index);
    return 0;
}

/*
 * A timer that is put off stays in its slot, and moves on when time enters that: programs
 * put the same timer off again and again.
 */
int plx__wheel_restart(plx__wheel *wheel, plx_timer handle, plx_nanos *deadline, plx_nanos *interval)
{
    plx__timer *timer = wheel_find(wheel, handle);

    if (!timer)
        return -ENOENT;
    plx_nanos was = timer->deadline, every = timer->interval;
    timer->interval = *interval;
    if (timer->place < WHEEL_FREE && *deadline >= was && *deadline != INT64_MAX) {
        plx__wheel_slot *slot = wheel_slot(wheel, timer->place);
        slot->inexact |= was <= slot->earliest;
        timer->deadline = *deadline;
    } else {
        wheel_unlink(wheel, timer);
        timer->deadline = *deadline;
        wheel_place(wheel, timer, (uint32_t)handle);
    }
    *deadline = was;
    *interval = every;
    return 0;
}

int plx__wheel_cancel(plx__wheel *wheel, plx_timer handle)
{
    plx__timer *timer = wheel_find(wheel, handle);

    if (!timer)
        return -ENOENT;
    wheel_unlink(wheel, timer);
    wheel_put(wheel, timer, (uint32_t)handle);
    wheel->count--;
    return 0;
}

/* ---- The present ----------------------------------------------------------- */

/* Two sorted lists into one; of equal deadlines, those of `a` come first. Only next is set. */
static uint32_t wheel_merge(const plx__wheel *wheel, uint32_t a, uint32_t b)
{
    uint32_t head = 0;
    uint32_t *tail = &head;

    while (a && b) {
        plx__timer *first = wheel_at(wheel, a), *second = wheel_at(wheel, b);
        bool from_b = second->deadline < first->deadline;
        *tail = from_b ? b : a;
        tail = from_b ? &second->next : &first->next;
        *(from_b ? &b : &a) = *tail;
    }
    *tail = a ? a : b;
    return head;
}

/* Sorts a list by next, by merging runs of doubling length: run[i] has 2^i timers. */
static uint32_t wheel_sort(const plx__wheel *wheel, uint32_t list)
{
    uint32_t run[32] = {0};
    uint32_t sorted = 0;

    while (list) {
        uint32_t one = list;
        plx__timer *timer = wheel_at(wheel, one);
        list = timer->next;
        timer->next = 0;
        unsigned i = 0;
        for (; i < 31 && run[i]; i++) { /* what was linked last comes first: newer into older */
            one = wheel_merge(wheel, one, run[i]);
            run[i] = 0;
        }
        run[i] = run[i] ? wheel_merge(wheel, one, run[i]) : one;
    }
    for (unsigned i = 0; i < 32; i++)
        if (run[i])
            sorted = sorted ? wheel_merge(wheel, run[i], sorted) : run[i];
    return sorted;
}

/* Makes `list`, linked by next, follow `prev` in the present. */
static void wheel_append(plx__wheel *wheel, uint32_t prev, uint32_t list)
{
    *(prev ? &wheel_at(wheel, prev)->next : &wheel->present) = list;
    while (list) {
        plx__timer *timer = wheel_at(wheel, list);
        timer->prev = prev;
        timer->place = WHEEL_PRESENT;
        prev = list;
        list = timer->next;
    }
    wheel->latest = prev;
}

/* Sorts the arrivals into the present: behind it, as a rule. */
static void wheel_settle(plx__wheel *wheel)
{
    if (!wheel->arrivals)
        return;
    uint32_t list = wheel_sort(wheel, wheel->arrivals);
    wheel->arrivals = 0;
    if (!wheel->present || wheel_at(wheel, wheel->latest)->deadline <= wheel_at(wheel, list)->deadline)
        wheel_append(wheel, wheel->present ? wheel->latest : 0, list);
    else
        wheel_append(wheel, 0, wheel_merge(wheel, wheel->present, list));
}

/* The first slot with timers: of the lowest level that has any. False if there is none. */
static bool wheel_first(const plx__wheel *wheel, unsigned *level, unsigned *slot)
{
    if (!wheel->populated)
        return false;
    *level = plx__lowest_bit(wheel->populated);
    const uint64_t *occupied = wheel->levels[*level].occupied;
    unsigned word = 0;
    while (!occupied[word])
        word++;
    *slot = word * 64 + plx__lowest_bit(occupied[word]);
    return true;
}

/* When time enters a slot. */
static inline plx_nanos wheel_begin(const plx__wheel *wheel, unsigned level, unsigned number)
{
    unsigned shift = PLX__WHEEL_TICK + level * PLX__WHEEL_BITS;

    return ((wheel->now >> shift & ~(plx_nanos)(PLX__WHEEL_SLOTS - 1)) | number) << shift;
}

/*
 * Looks for the earliest timer of a slot that has lost it, and moves on what was put off. A
 * crowded slot keeps its bound.
 */
static void wheel_search(plx__wheel *wheel, unsigned level, unsigned number)
{
    plx__wheel_slot *slot = &wheel->levels[level].slots[number];
    unsigned shift = PLX__WHEEL_TICK + level * PLX__WHEEL_BITS;
    plx_nanos begin = wheel_begin(wheel, level, number);
    plx_nanos earliest = INT64_MAX;
    uint32_t index = slot->first;

    for (int i = 0; i < WHEEL_SEARCH && index; i++) {
        plx__timer *timer = wheel_at(wheel, index);
        uint32_t next = timer->next;
        if (timer->deadline >> shift != begin >> shift) {
            wheel_unlink(wheel, timer);
            wheel_place(wheel, timer, index);
        } else if (timer->deadline < earliest) {
            earliest = timer->deadline;
        }
        index = next;
    }
    if (index) {
        slot->inexact = false; /* enough of it for now */
    } else if (slot->first) {
        slot->earliest = earliest;
        slot->inexact = false;
    }
}

/* While a slot is being moved, what is left of it may come before what was moved, or after. */
plx_nanos plx__wheel_next(plx__wheel *wheel)
{
    unsigned level, number;
    plx_nanos bound = INT64_MAX;

    wheel_settle(wheel);
    if (wheel->entered && wheel_slot(wheel, wheel->entered - 1)->first)
        bound = wheel_slot(wheel, wheel->entered - 1)->earliest;
    if (wheel->present) {
        plx_nanos present = wheel_at(wheel, wheel->present)->deadline;
        return present < bound ? present : bound;
    }
    while (wheel_first(wheel, &level, &number)) {
        plx__wheel_slot *slot = &wheel->levels[level].slots[number];
        if (!slot->inexact || bound != INT64_MAX)
            return slot->earliest < bound ? slot->earliest : bound;
        wheel_search(wheel, level, number);
    }
    return INT64_MAX;
}

/* ---- Time ------------------------------------------------------------------ */

/* Time enters the next slot that begins at `now` or before. False if there is none. */
static bool wheel_enter(plx__wheel *wheel, plx_nanos now)
{
    unsigned level, number;

    if (!wheel_first(wheel, &level, &number))
        return false;
    plx_nanos begin = wheel_begin(wheel, level, number);
    if (begin > now)
        return false;
    wheel->now = begin;
    wheel->entered = (level << PLX__WHEEL_BITS | number) + 1;
    return true;
}

/* Moves the timers of the entered slot to where they belong now; false if the budget is used up. */
static bool wheel_move(plx__wheel *wheel, int *budget)
{
    uint32_t place = wheel->entered - 1;
    plx__wheel_slot *slot = wheel_slot(wheel, place);

    while (slot->first) {
        if (--*budget < 0)
            return false;
        uint32_t index = slot->first;
        plx__timer *timer = wheel_at(wheel, index);
        slot->first = timer->next;
        if (slot->first)
            wheel_at(wheel, slot->first)->prev = 0;
        wheel_place(wheel, timer, index);
    }
    wheel_vacate(wheel, place >> PLX__WHEEL_BITS, place & (PLX__WHEEL_SLOTS - 1));
    wheel->entered = 0;
    return true;
}

/* Reports a timer and lets it go on, or ends it. */
static plx_event wheel_report(plx__wheel *wheel, uint32_t index, plx_nanos now)
{
    plx__timer *timer = wheel_at(wheel, index);
    plx_event event = {.token = timer->token, .flags = PLX_TIMER, .data = 1};

    PLX__PROBE(timer_fired, timer->token, timer->deadline, now);
    wheel_unlink(wheel, timer);
    if (timer->interval == 0) {
        wheel_put(wheel, timer, index);
        wheel->count--;
        return event;
    }
    /* Unsigned: a deadline may lie centuries back. Its phase is kept. */
    uint64_t late = (uint64_t)now - (uint64_t)timer->deadline;
    uint64_t ahead = (uint64_t)timer->interval - late % (uint64_t)timer->interval;
    event.data += late / (uint64_t)timer->interval;
    timer->deadline = ahead > (uint64_t)(INT64_MAX - now) ? INT64_MAX : now + (plx_nanos)ahead;
    wheel_place(wheel, timer, index);
    return event;
}

int plx__wheel_fire(plx__wheel *wheel, plx_nanos now, plx_event *events, int room, int budget, bool *more)
{
    int count = 0;

    *more = false;
    for (;;) {
        if (wheel->entered && !wheel_move(wheel, &budget)) {
            *more = true;
            return count;
        }
        wheel_settle(wheel);
        while (count < room && wheel->present && wheel_at(wheel, wheel->present)->deadline <= now)
            events[count++] = wheel_report(wheel, wheel->present, now);
        if (count == room || wheel->present)
            return count;
        if (!wheel_enter(wheel, now)) {
            if (now > wheel->now)
                wheel->now = now;
            return count;
        }
    }
}
