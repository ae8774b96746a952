/* SPDX-License-Identifier: MIT */
/*
 * Timers, half of them with an interval. Each remembers when it is due; what fires before is
 * early, and what is still due when the poller has nothing more to tell was lost. Some are
 * cancelled or restarted while others fire: a wait that began before may still name them.
 */
#ifndef TESTS_SOAK_TIMERS_H
#define TESTS_SOAK_TIMERS_H

#include "subject.h"

struct alarm {
    plx_timer timer;
    plx_nanos due;      /* not before; and not later than `slack` after that */
    plx_nanos slack, interval;
    uint64_t changed;   /* in the events of this wait */
    uint32_t generation;
};

static struct alarm *alarms;
static uint32_t alarm_count;
static random_state alarm_random;
static uint64_t alarms_fired, alarms_cancelled, alarms_restarted;

static plx_nanos random_time(plx_nanos most)
{
    return (plx_nanos)(random_next(&alarm_random) % (uint64_t)most);
}

static void alarm_start(struct alarm *self)
{
    self->due = plx_poller_now(poller) + random_time(PLX_SEC(8));
    self->slack = 0;
    self->interval = random_below(&alarm_random, 2) ? PLX_MSEC(500) + random_time(PLX_SEC(8)) : 0;
    self->changed = waits;
    self->generation++;
    CHECK_RC(plx_timer_start_at(registry, token_of(TIMER, self->generation, (uint32_t)(self - alarms)), self->due,
                                self->interval, &self->timer), 0);
}

static void alarms_open(uint32_t count, uint64_t seed)
{
    alarm_random.word = seed;
    alarm_count = count;
    CHECK((alarms = calloc(count, sizeof *alarms)) != NULL);
    for (uint32_t i = 0; i < count; i++)
        alarm_start(&alarms[i]);
}

/* -ENOENT: it fired its last in this wait, and its event is still to come. */
static void alarm_cancel(struct alarm *self)
{
    int rc = plx_timer_cancel(registry, self->timer);

    if (rc == -ENOENT && self->interval == 0)
        return;
    CHECK_RC(rc, 0);
    alarms_cancelled++;
    alarm_start(self);
}

static void alarm_restart(struct alarm *self)
{
    plx_nanos first = random_time(PLX_SEC(8)), before = plx_poller_now(poller);
    int rc = plx_timer_restart(registry, self->timer, first, self->interval);

    if (rc == -ENOENT && self->interval == 0)
        return;
    CHECK_RC(rc, 0);
    self->due = before + first;
    self->slack = plx_poller_now(poller) - before;
    self->changed = waits;
    alarms_restarted++;
}

static void alarm_event(const plx_event *event)
{
    struct alarm *self = &alarms[plx_token_index(event->token)];
    uint32_t choice = random_below(&alarm_random, 16);

    if (self->changed != waits) {
        CHECK_EQ(event->token, token_of(TIMER, self->generation, plx_token_index(event->token)));
        CHECK(event->data >= 1);
        CHECK(self->interval || event->data == 1);
        self->due += (plx_nanos)(event->data - 1) * self->interval;
        CHECK(plx_poller_now(poller) >= self->due);
        self->due += self->interval;
        alarms_fired += event->data;
        if (!self->interval)
            alarm_start(self);
    }
    if (choice == 0)
        alarm_cancel(&alarms[random_below(&alarm_random, alarm_count)]);
    if (choice == 1)
        alarm_restart(&alarms[random_below(&alarm_random, alarm_count)]);
}

/* After a wait that began then, and had room for more than it returned. */
static void alarms_judge(plx_nanos then)
{
    for (uint32_t i = 0; i < alarm_count; i++)
        CHECK(alarms[i].due + alarms[i].slack > then);
}

static void alarms_close(void)
{
    for (uint32_t i = 0; i < alarm_count; i++)
        CHECK_RC(plx_timer_cancel(registry, alarms[i].timer), 0);
    free(alarms);
}

#endif
