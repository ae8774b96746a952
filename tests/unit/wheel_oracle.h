/* SPDX-License-Identifier: MIT */
/*
 * The timing wheel beside something too simple to be wrong: an array of deadlines, searched
 * from end to end. Both are given the same operations, drawn from random numbers (unit/wheel)
 * or from the bytes of a fuzzer (fuzz/wheel), and must agree; and now and then the whole wheel
 * is walked to see whether it is in order.
 *
 * Include os/config.h before. A disagreement ends the process by oracle_fail, which the
 * including file may define to what its runner wants.
 */
#ifndef TESTS_WHEEL_ORACLE_H
#define TESTS_WHEEL_ORACLE_H

#include "../check.h"

#include "core/wheel.h"

#include <string.h>

#ifndef AGREE
#define AGREE(condition) CHECK(condition)
#endif

/* The places of wheel.c that are not slots. */
enum { PLACE_FREE = 0xff00, PLACE_NEVER, PLACE_PRESENT, PLACE_ARRIVALS };

enum {
    ORACLE_MOST = 600,   /* timers at a time */
    ORACLE_CALM = 60,    /* so few that no slot is crowded */
    ORACLE_DEAD = 64,    /* handles remembered after their end */
    ORACLE_ROOM = 24,
};

/* ---- Where choices come from --------------------------------------------------- */

typedef struct feed {
    const uint8_t *bytes; /* NULL: random numbers without end */
    size_t left;
    uint64_t word;
} feed;

static inline uint64_t feed_random(feed *source)
{
    uint64_t mixed = source->word += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* Up to eight bytes, zeros after the end. */
static inline uint64_t feed_take(feed *source, size_t size)
{
    uint64_t value = 0;

    if (!source->bytes)
        return feed_random(source) >> (64 - 8 * size);
    if (size > source->left)
        size = source->left;
    memcpy(&value, source->bytes, size);
    source->bytes += size;
    source->left -= size;
    return value;
}

static inline uint32_t feed_below(feed *source, uint32_t limit)
{
    return (uint32_t)(feed_take(source, 2) % limit);
}

/* Any magnitude is as likely as another: nanoseconds as well as centuries. */
static inline plx_nanos feed_span(feed *source)
{
    unsigned bits = feed_below(source, 64);

    return bits == 0 ? 0 : (plx_nanos)(feed_take(source, 8) >> (64 - bits) & INT64_MAX);
}

/* ---- The oracle ---------------------------------------------------------------- */

typedef struct oracle_timer {
    plx_timer handle;
    plx_nanos deadline, interval;
    plx_token token;
} oracle_timer;

typedef struct oracle {
    feed *source;
    plx__wheel wheel;
    plx_nanos now;
    oracle_timer timers[ORACLE_MOST];
    int count, limit;
    plx_timer dead[ORACLE_DEAD];
    int deaths;
    plx_token tokens; /* given out; each timer has its own */
    bool moving;      /* the last fire stopped at its budget */
} oracle;

static inline plx_nanos oracle_add(plx_nanos time, plx_nanos span)
{
    return time > INT64_MAX - span ? INT64_MAX : time + span;
}

static inline void oracle_bury(oracle *all, int i)
{
    all->dead[all->deaths++ % ORACLE_DEAD] = all->timers[i].handle;
    all->timers[i] = all->timers[--all->count];
}

/* INT64_MAX: none is ever due. */
static inline plx_nanos oracle_earliest(const oracle *all)
{
    plx_nanos earliest = INT64_MAX;

    for (int i = 0; i < all->count; i++)
        if (all->timers[i].deadline < earliest)
            earliest = all->timers[i].deadline;
    return earliest;
}

static inline int oracle_find(const oracle *all, plx_token token)
{
    for (int i = 0; i < all->count; i++)
        if (all->timers[i].token == token)
            return i;
    return -1;
}

/* ---- Is the wheel in order? ------------------------------------------------------ */

typedef struct walk {
    const plx__wheel *wheel;
    uint8_t *met; /* by index: how often it was found */
    uint64_t listed;
} walk;

static inline plx__timer *walk_timer(const walk *w, uint32_t index)
{
    AGREE(index >= 1 && index <= w->wheel->used);
    return plx__pages_get(&w->wheel->timers, index);
}

/* Every timer of a list, both ways; the last of them. */
static inline uint32_t walk_list(walk *w, uint32_t index, unsigned place, bool linked_back)
{
    uint32_t before = 0;

    while (index) {
        const plx__timer *timer = walk_timer(w, index);
        AGREE(w->met[index]++ == 0);
        AGREE(timer->place == place);
        AGREE(!linked_back || timer->prev == before);
        AGREE(timer->deadline != INT64_MAX);
        w->listed++;
        before = index;
        index = timer->next;
    }
    return before;
}

/* The timers of a slot are due when time enters it or later: those put off may be late in it. */
static inline void walk_slot(walk *w, unsigned level, unsigned number)
{
    const plx__wheel *wheel = w->wheel;
    const plx__wheel_slot *slot = &wheel->levels[level].slots[number];
    unsigned place = level << PLX__WHEEL_BITS | number;
    unsigned shift = PLX__WHEEL_TICK + level * PLX__WHEEL_BITS;
    bool occupied = wheel->levels[level].occupied[number / 64] >> number % 64 & 1;

    AGREE(occupied == (slot->first != 0));
    if (!occupied)
        return;
    plx_nanos turn = wheel->now >> shift & ~(plx_nanos)(PLX__WHEEL_SLOTS - 1);
    unsigned here = (unsigned)(wheel->now >> shift) & (PLX__WHEEL_SLOTS - 1);
    AGREE(wheel->entered == place + 1 ? number == here : number > here);
    walk_list(w, slot->first, place, true);
    for (uint32_t index = slot->first; index; index = walk_timer(w, index)->next) {
        plx_nanos deadline = walk_timer(w, index)->deadline;
        AGREE(deadline >> shift >= (turn | number));
        AGREE(deadline >= slot->earliest);
    }
}

static inline void walk_levels(walk *w)
{
    const plx__wheel *wheel = w->wheel;

    for (unsigned level = 0; level < PLX__WHEEL_LEVELS; level++) {
        const uint64_t *occupied = wheel->levels[level].occupied;
        bool any = occupied[0] | occupied[1] | occupied[2] | occupied[3];
        AGREE(any == (wheel->populated >> level & 1));
        for (unsigned number = 0; number < PLX__WHEEL_SLOTS; number++)
            walk_slot(w, level, number);
    }
    AGREE(wheel->populated >> PLX__WHEEL_LEVELS == 0);
}

static inline void walk_present(walk *w)
{
    const plx__wheel *wheel = w->wheel;
    plx_nanos before = INT64_MIN;

    uint32_t latest = walk_list(w, wheel->present, PLACE_PRESENT, true);
    AGREE(!wheel->present || latest == wheel->latest);
    for (uint32_t index = wheel->present; index; index = walk_timer(w, index)->next) {
        const plx__timer *timer = walk_timer(w, index);
        AGREE(timer->deadline >= before);
        AGREE(timer->deadline >> PLX__WHEEL_TICK <= wheel->now >> PLX__WHEEL_TICK);
        before = timer->deadline;
    }
    walk_list(w, wheel->arrivals, PLACE_ARRIVALS, true);
    for (uint32_t index = wheel->arrivals; index; index = walk_timer(w, index)->next)
        AGREE(walk_timer(w, index)->deadline >> PLX__WHEEL_TICK <= wheel->now >> PLX__WHEEL_TICK);
}

/* Each index ever used is in one list, never due, free, or used up; and all are counted. */
static inline void walk_wheel(const plx__wheel *wheel)
{
    walk w = {.wheel = wheel, .met = calloc(wheel->used + (size_t)1, 1)};

    AGREE(w.met != NULL);
    if (wheel->levels)
        walk_levels(&w);
    walk_present(&w);
    for (uint32_t index = wheel->spare; index; index = walk_timer(&w, index)->next) {
        AGREE(w.met[index]++ == 0);
        AGREE(walk_timer(&w, index)->place == PLACE_FREE);
        AGREE(walk_timer(&w, index)->generation != 0);
    }
    for (uint32_t index = 1; index <= wheel->used; index++) {
        const plx__timer *timer = walk_timer(&w, index);
        if (w.met[index])
            continue;
        if (timer->place == PLACE_NEVER) {
            AGREE(timer->deadline == INT64_MAX);
            w.listed++;
        } else {
            AGREE(timer->place == PLACE_FREE && timer->generation == 0);
        }
    }
    AGREE(w.listed == wheel->count);
    free(w.met);
}

static inline void oracle_walk(const oracle *all)
{
    walk_wheel(&all->wheel);
    AGREE(all->wheel.count == (uint64_t)all->count);
    for (int i = 0; i < all->count; i++) {
        const oracle_timer *mine = &all->timers[i];
        const plx__timer *timer = plx__pages_get(&all->wheel.timers, (uint32_t)mine->handle);
        AGREE(timer->generation == mine->handle >> 32 && timer->place != PLACE_FREE);
        AGREE(timer->deadline == mine->deadline && timer->interval == mine->interval);
        AGREE(timer->token == mine->token);
    }
}

/* ---- Operations ------------------------------------------------------------------ */

/* Mostly ahead, sometimes past, sometimes never, sometimes that of another timer. */
static inline plx_nanos oracle_choose_deadline(oracle *all)
{
    switch (feed_below(all->source, 16)) {
    case 0:
        return INT64_MAX;
    case 1:
        return all->now - feed_span(all->source); /* perhaps before the clock began */
    case 2:
        return all->now;
    case 3:
        return all->count ? all->timers[feed_below(all->source, (uint32_t)all->count)].deadline : 0;
    case 4:
        return oracle_add(all->now, INT64_MAX - 1);
    default:
        return oracle_add(all->now, feed_span(all->source));
    }
}

static inline plx_nanos oracle_choose_interval(oracle *all)
{
    return feed_below(all->source, 4) ? 0 : 1 + feed_span(all->source) / 2;
}

static inline void oracle_start(oracle *all, plx_nanos deadline, plx_nanos interval)
{
    if (all->count >= all->limit)
        return;
    oracle_timer *mine = &all->timers[all->count++];
    *mine = (oracle_timer){.deadline = deadline, .interval = interval, .token = ++all->tokens};
    AGREE(plx__wheel_start(&all->wheel, mine->token, deadline, interval, &mine->handle) == 0);
    AGREE(mine->handle != 0);
    for (int i = 0; i < ORACLE_DEAD; i++)
        AGREE(all->dead[i] != mine->handle);
}

/* Many in few slots. */
static inline void oracle_crowd(oracle *all)
{
    plx_nanos from = oracle_choose_deadline(all);
    plx_nanos width = 1 + feed_span(all->source) % (PLX_MSEC(1) << feed_below(all->source, 16));

    for (int i = 0; i < 100; i++)
        oracle_start(all, oracle_add(from, (plx_nanos)feed_take(all->source, 4) % width), 0);
}

static inline void oracle_restart(oracle *all, bool put_off)
{
    if (all->count == 0)
        return;
    oracle_timer *mine = &all->timers[feed_below(all->source, (uint32_t)all->count)];
    plx_nanos interval = oracle_choose_interval(all);
    plx_nanos deadline = oracle_choose_deadline(all);
    if (put_off)
        deadline = mine->deadline < 0 ? deadline : oracle_add(mine->deadline, feed_span(all->source));
    plx_nanos was = deadline, every = interval;
    AGREE(plx__wheel_restart(&all->wheel, mine->handle, &was, &every) == 0);
    AGREE(was == mine->deadline && every == mine->interval);
    mine->deadline = deadline;
    mine->interval = interval;
}

static inline void oracle_cancel(oracle *all)
{
    if (all->count == 0)
        return;
    int i = (int)feed_below(all->source, (uint32_t)all->count);
    AGREE(plx__wheel_cancel(&all->wheel, all->timers[i].handle) == 0);
    oracle_bury(all, i);
}

/* Handles of the dead, and numbers that never were one. */
static inline void oracle_disturb(oracle *all)
{
    plx_timer handle = all->dead[feed_below(all->source, ORACLE_DEAD)];
    plx_nanos deadline = all->now, interval = 1;

    if (feed_below(all->source, 4) == 0) {
        handle = feed_take(all->source, 8);
        for (int i = 0; i < all->count; i++)
            if (all->timers[i].handle == handle)
                return;
    }
    AGREE(plx__wheel_cancel(&all->wheel, handle) == -ENOENT);
    AGREE(plx__wheel_restart(&all->wheel, handle, &deadline, &interval) == -ENOENT);
    AGREE(deadline == all->now && interval == 1);
}

/* An event must be of the earliest deadline there is, and count what was missed. */
static inline void oracle_expect(oracle *all, const plx_event *event)
{
    int i = oracle_find(all, event->token);

    AGREE(i >= 0 && event->flags == PLX_TIMER && event->native == 0);
    oracle_timer *mine = &all->timers[i];
    AGREE(mine->deadline == oracle_earliest(all) && mine->deadline <= all->now);
    if (mine->interval == 0) {
        AGREE(event->data == 1);
        oracle_bury(all, i);
        return;
    }
    uint64_t late = (uint64_t)all->now - (uint64_t)mine->deadline;
    uint64_t times = late / (uint64_t)mine->interval + 1;
    AGREE(event->data == times);
    /* Modulo 2^64, which is exact if the result fits: the next is after now. */
    uint64_t next = (uint64_t)mine->deadline + times * (uint64_t)mine->interval;
    bool fits = next - (uint64_t)all->now <= (uint64_t)(INT64_MAX - all->now);
    mine->deadline = fits ? (plx_nanos)next : INT64_MAX;
}

/* Fires once; false if there may be more now. */
static inline bool oracle_fire(oracle *all, int room, int budget)
{
    plx_event events[ORACLE_ROOM + 1];
    bool more;

    memset(events, 0x5a, sizeof events);
    int count = plx__wheel_fire(&all->wheel, all->now, events, room, budget, &more);
    AGREE(count >= 0 && count <= room);
    AGREE(events[count].token == UINT64_C(0x5a5a5a5a5a5a5a5a));
    for (int i = 0; i < count; i++)
        oracle_expect(all, &events[i]);
    all->moving = more;
    return !more && count < room;
}

static inline void oracle_check_next(oracle *all)
{
    plx_nanos truth = oracle_earliest(all), next = plx__wheel_next(&all->wheel);

    AGREE(next <= truth);
    AGREE((next == INT64_MAX) == (truth == INT64_MAX));
    if (all->limit <= ORACLE_CALM && !all->moving)
        AGREE(next == truth);
}

/* Everything that is due; then nothing is, and the next is ahead. */
static inline void oracle_drain(oracle *all, int room, int budget)
{
    while (!oracle_fire(all, room, budget))
        continue;
    AGREE(oracle_earliest(all) > all->now);
    AGREE(plx__wheel_next(&all->wheel) > all->now);
    oracle_check_next(all);
}

/* As a waiter does: sleeps until told, and looks; after few vain looks something is due. */
static inline void oracle_sleep(oracle *all)
{
    oracle_drain(all, ORACLE_ROOM, 64);
    plx_nanos truth = oracle_earliest(all);
    int looks = 0;
    for (plx_nanos next; (next = plx__wheel_next(&all->wheel)) < truth; looks++) {
        AGREE(next > all->now && looks < PLX__WHEEL_LEVELS + all->count);
        all->now = next;
        oracle_drain(all, ORACLE_ROOM, 64);
    }
    if (truth != INT64_MAX) {
        all->now = truth;
        oracle_drain(all, ORACLE_ROOM, 64);
    }
}

static inline void oracle_advance(oracle *all)
{
    int room = 1 + (int)feed_below(all->source, ORACLE_ROOM);
    int budget = 1 + (int)feed_below(all->source, 100);
    plx_nanos span = feed_span(all->source) >> feed_below(all->source, 32);

    all->now = oracle_add(all->now, span);
    if (all->now == INT64_MAX)
        all->now--; /* never comes */
    if (feed_below(all->source, 3))
        oracle_drain(all, room, budget);
    else
        (void)oracle_fire(all, room, budget);
}

static inline void oracle_step(oracle *all)
{
    switch (feed_below(all->source, 32)) {
    case 0:
        oracle_crowd(all);
        break;
    case 1:
        oracle_disturb(all);
        break;
    case 2:
    case 3:
        oracle_check_next(all);
        break;
    case 4:
        oracle_walk(all);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
        oracle_cancel(all);
        break;
    case 9:
    case 10:
    case 11:
        oracle_restart(all, false);
        break;
    case 12:
    case 13:
    case 14:
        oracle_restart(all, true);
        break;
    case 15:
    case 16:
        oracle_sleep(all);
        break;
    case 17:
    case 18:
    case 19:
    case 20:
        oracle_advance(all);
        break;
    default:
        oracle_start(all, oracle_choose_deadline(all), oracle_choose_interval(all));
        break;
    }
}

static inline void oracle_begin(oracle *all, feed *source, const plx_allocator *memory)
{
    memset(all, 0, sizeof *all);
    all->source = source;
    all->limit = feed_below(source, 2) ? ORACLE_MOST : ORACLE_CALM;
    all->now = feed_below(source, 4) ? feed_span(source) >> 2 : 0;
    plx__wheel_init(&all->wheel, memory, all->now);
}

static inline void oracle_end(oracle *all)
{
    oracle_walk(all);
    plx__wheel_fini(&all->wheel);
}

#endif
