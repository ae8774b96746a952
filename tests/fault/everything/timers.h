/* SPDX-License-Identifier: MIT */
/*
 * Timers, some to each worker. A oneshot fires once or is cancelled, never both; none fires
 * before it is due. A waiter knows when that is if the timer was not changed since before its wait.
 */
#ifndef TESTS_EVERYTHING_TIMERS_H
#define TESTS_EVERYTHING_TIMERS_H

#include "subject.h"

static struct alarm {
    plx_timer timer;
    uint32_t number;
    bool running;
    atomic_bool repeats;
    _Atomic(uint32_t) changes; /* odd while it is being changed */
    _Atomic(int64_t) due;
    _Atomic(uint32_t) fired, cancelled; /* the number of the oneshot */
} alarms[WORKERS * ALARMS];

static atomic_long early_checks;

static void alarm_start(struct alarm *self, random_state *random)
{
    plx_nanos first = random_below(random, 8) ? random_below(random, 2000000) : PLX_SEC(3600);
    plx_nanos interval = random_below(random, 2) ? PLX_USEC(200) + random_below(random, 1000000) : 0;

    self->number++;
    atomic_fetch_add(&self->changes, 1);
    atomic_store(&self->repeats, interval > 0);
    atomic_store(&self->due, plx_now() + first);
    self->running = done(plx_timer_start(registry, token_of(ALARM_0 + (int)(self - alarms), self->number), first,
                                         interval, &self->timer));
    atomic_fetch_add(&self->changes, 1);
}

/* It fired its last: that event is on its way. */
static void alarm_finish(thread *self, struct alarm *alarm)
{
    CHECK(!atomic_load(&alarm->repeats));
    AWAIT(self, "awaits a timer that fired", (int)(alarm - alarms), atomic_load(&alarm->fired) == alarm->number);
    alarm->running = false;
}

static void alarm_cancel(thread *self, struct alarm *alarm)
{
    int rc = plx_timer_cancel(registry, alarm->timer);

    if (rc == -ENOENT) {
        alarm_finish(self, alarm);
    } else if (done(rc)) {
        alarm->running = false;
        bury(ALARM_0 + (int)(alarm - alarms), alarm->number + 1);
        if (atomic_load(&alarm->repeats))
            return;
        atomic_store(&alarm->cancelled, alarm->number);
        CHECK(atomic_load(&alarm->fired) != alarm->number);
    }
}

static void alarm_restart(thread *self, struct alarm *alarm)
{
    plx_nanos first = random_below(&self->random, 2000000);
    int rc;

    atomic_fetch_add(&alarm->changes, 1);
    atomic_store(&alarm->due, plx_now() + first);
    rc = plx_timer_restart(registry, alarm->timer, first, atomic_load(&alarm->repeats) ? PLX_MSEC(1) : 0);
    atomic_fetch_add(&alarm->changes, 1);
    if (rc == -ENOENT)
        alarm_finish(self, alarm);
    else
        done(rc);
}

static void do_timer(thread *self)
{
    int which = self->index * ALARMS + (int)random_below(&self->random, ALARMS);
    struct alarm *alarm = &alarms[which];

    doing(self, "changes a timer", which);
    if (!alarm->running)
        alarm_start(alarm, &self->random);
    else if (random_below(&self->random, 2))
        alarm_restart(self, alarm);
    else
        alarm_cancel(self, alarm);
}

/* Those that would not end by themselves end, the others fire. */
static void timers_hush(thread *self)
{
    for (int i = self->index * ALARMS; i < (self->index + 1) * ALARMS; i++) {
        struct alarm *alarm = &alarms[i];
        doing(self, "ends a timer", i);
        bool distant = atomic_load(&alarm->due) > plx_now() + PLX_SEC(60);
        if (alarm->running && (distant || atomic_load(&alarm->repeats)))
            alarm_cancel(self, alarm);
        else if (alarm->running)
            alarm_finish(self, alarm);
    }
}

/* What a waiter knew before it waited. */
struct alarm_known {
    uint32_t changes;
    plx_nanos due;
};

static void alarms_look(struct alarm_known *known)
{
    for (int i = 0; i < WORKERS * ALARMS; i++) {
        known[i].changes = atomic_load(&alarms[i].changes);
        known[i].due = atomic_load(&alarms[i].due);
    }
}

static void alarm_event(int which, const plx_event *event, const struct alarm_known *known)
{
    struct alarm *self = &alarms[which];
    uint32_t number = plx_token_kind(event->token);
    plx_nanos now = plx_now();
    bool repeats = atomic_load(&self->repeats);

    CHECK_EQ(event->flags, PLX_TIMER);
    CHECK(event->data >= 1);
    if (known->changes % 2 == 0 && known->changes == atomic_load(&self->changes)) {
        CHECK(now >= known->due);
        CHECK(repeats || event->data == 1);
        atomic_fetch_add(&early_checks, 1);
    }
    if (!repeats && number >= atomic_load(&first_living[ALARM_0 + which])) {
        CHECK(atomic_load(&self->cancelled) != number);
        CHECK(atomic_exchange(&self->fired, number) != number);
    }
}

#endif
