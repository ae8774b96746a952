/* SPDX-License-Identifier: MIT */
/* Timers: the wheel under its lock, time-keeping, and the public calls. */
#include "os/config.h"

#include "core/core.h"
#include "os/alarm.h"
#include "os/clock.h"

/* Timers moved from slot to slot before others get the lock. */
enum { TIMERS_BUDGET = 64 };

int plx__timers_init(plx__timers *timers, plx_clock clock, const plx_allocator *memory)
{
    plx_nanos boot;
    int rc = clock == PLX_CLOCK_BOOTTIME ? plx__clock_boottime(&boot) : 0;

    if (rc == 0)
        rc = plx__lock_init(&timers->lock);
    if (rc < 0)
        return rc;
    timers->clock = clock;
    timers->until = INT64_MAX;
    timers->alarm = -1;
    timers->alarmed = INT64_MAX;
    atomic_init(&timers->any, clock == PLX_CLOCK_BOOTTIME);
    plx__wheel_init(&timers->wheel, memory, plx__timers_now(timers));
    return 0;
}

void plx__timers_fini(plx__timers *timers)
{
    plx__wheel_fini(&timers->wheel);
    plx__lock_fini(&timers->lock);
}

plx_nanos plx__timers_now(const plx__timers *timers)
{
    plx_nanos now = 0;

    if (timers->clock == PLX_CLOCK_MONOTONIC)
        return plx__clock_now();
    if (timers->clock == PLX_CLOCK_MANUAL)
        return atomic_load_explicit(&timers->manual, PLX__ACQUIRE);
    (void)plx__clock_boottime(&now);
    return now;
}

/* ---- The alarm ------------------------------------------------------------- */

static int timers_watch_alarm(plx_registry *registry, int alarm)
{
    uint32_t calls = 0;
    plx__watch watch = {
        .key = {.fd = plx__descriptor_number((plx_fd)alarm), .tag = PLX__ALARM_TAG},
        .flags = PLX_READABLE | (registry->backend->modes & PLX_EDGE),
    };
    int rc = registry->backend->add(registry->state, &watch, &calls);

    registry->lock_calls += calls;
    return rc;
}

int plx__timers_arm(plx_registry *registry)
{
    plx__timers *timers = &registry->timers;

    if (timers->alarm >= 0 || timers->clock == PLX_CLOCK_MANUAL)
        return 0;
    int alarm = plx__alarm_open(timers->clock == PLX_CLOCK_BOOTTIME);
    registry->lock_calls++;
    if (alarm < 0)
        return alarm;
    int rc = timers_watch_alarm(registry, alarm);
    if (rc < 0) {
        plx__alarm_close(alarm);
        return rc;
    }
    plx__lock_take(&timers->lock);
    timers->alarm = alarm;
    plx__lock_drop(&timers->lock);
    return 0;
}

void plx__timers_disarm(plx_registry *registry)
{
    plx__timers *timers = &registry->timers;
    bool forked = plx__forked(registry); /* then the lock may be held for ever */

    if (!forked)
        plx__lock_take(&timers->lock);
    if (timers->alarm >= 0 && (!forked || PLX__FORK_INHERITS))
        plx__alarm_close(timers->alarm);
    timers->alarm = -1;
    if (!forked)
        plx__lock_drop(&timers->lock);
}

/* Sets it to `deadline`; one that has gone off is set again. Under the lock. */
static int timers_set_alarm(plx__timers *timers, plx_nanos deadline)
{
    if (timers->alarm < 0 || deadline == timers->alarmed)
        return 0;
    int rc = plx__alarm_set(timers->alarm, deadline);
    timers->calls++;
    if (rc == 0)
        timers->alarmed = deadline;
    return rc;
}

/* ---- In a wait ------------------------------------------------------------- */

/*
 * Without timers a wait need not look, nor settle: the alarm is put away here. On the boot-time
 * clock waits do look: for the alarm.
 */
static void timers_emptied(plx__timers *timers)
{
    if (timers->wheel.count == 0 && timers->clock != PLX_CLOCK_BOOTTIME) {
        atomic_store_explicit(&timers->any, false, PLX__SEQ_CST);
        (void)timers_set_alarm(timers, INT64_MAX);
        timers->alarmed = INT64_MAX; /* also if that failed: it is nobody's, and the next timer sets it */
    }
}

int plx__timers_fire(plx__timers *timers, plx_nanos now, plx_event *events, int room)
{
    int count = 0;
    bool more = true;

    while (more && count < room) {
        plx__lock_take(&timers->lock);
        count += plx__wheel_fire(&timers->wheel, now, events + count, room - count, TIMERS_BUDGET, &more);
        timers_emptied(timers);
        plx__lock_drop(&timers->lock);
    }
    return count;
}

static void timers_appoint(plx__timers *timers, uint64_t keeper, plx_nanos until)
{
    atomic_store_explicit(&timers->keeper, keeper, PLX__SEQ_CST);
    timers->until = until;
}

uint64_t plx__timers_keep(plx__timers *timers, plx_nanos now, plx_nanos *remaining)
{
    uint64_t keeper = 0;

    plx__lock_take(&timers->lock);
    if (!plx__timers_kept(timers)) {
        plx_nanos next = plx__wheel_next(&timers->wheel);
        plx_nanos own = *remaining < 0 ? INT64_MAX : plx__clock_add(now, *remaining);
        keeper = ++timers->keepers;
        timers_appoint(timers, keeper, next);
        if (next < own)
            *remaining = next > now ? next - now : 0;
        if (timers->clock == PLX_CLOCK_BOOTTIME)
            (void)timers_set_alarm(timers, next < own ? next : own);
    }
    plx__lock_drop(&timers->lock);
    return keeper;
}

void plx__timers_leave(plx__timers *timers, uint64_t keeper)
{
    plx__lock_take(&timers->lock);
    if (atomic_load_explicit(&timers->keeper, PLX__RELAXED) == keeper)
        timers_appoint(timers, 0, INT64_MAX);
    plx__lock_drop(&timers->lock);
}

bool plx__timers_settle(plx__timers *timers, plx_nanos now)
{
    plx__lock_take(&timers->lock);
    plx_nanos next = plx__wheel_next(&timers->wheel);
    int rc = plx__timers_kept(timers) ? 0 : timers_set_alarm(timers, next);
    plx__lock_drop(&timers->lock);
    return rc < 0 || (next <= now && next != INT64_MAX); /* which a manual clock can reach */
}

int plx__timers_advance(plx_registry *registry, plx_nanos by)
{
    plx__timers *timers = &registry->timers;
    plx_nanos now = atomic_load_explicit(&timers->manual, PLX__RELAXED);

    while (!atomic_compare_exchange_weak_explicit(&timers->manual, &now, plx__clock_add(now, by), PLX__ACQ_REL,
                                                  PLX__RELAXED))
        ;
    if (plx__wake_word(&registry->wake) & PLX__NESTED && plx__timers_settle(timers, plx__clock_add(now, by)))
        (void)plx__wake_claim(registry);
    return 0;
}

void plx__timers_stats(plx_registry *registry, plx_stats *stats)
{
    plx__timers *timers = &registry->timers;

    if (!plx__forked(registry))
        plx__lock_take(&timers->lock);
    stats->timers = timers->wheel.count - (timers->tick != 0);
    stats->kernel_calls += timers->calls;
    if (!plx__forked(registry))
        plx__lock_drop(&timers->lock);
}

/* ---- The public calls ------------------------------------------------------ */

/*
 * After a timer was given `deadline`: whether a sleeper must be woken for it. A nested poller
 * that nobody waits on has its alarm set. Under the lock.
 */
static int timers_earlier(plx_registry *registry, plx_nanos deadline)
{
    plx__timers *timers = &registry->timers;

    if (deadline >= timers->until)
        return 0;
    uint64_t word = plx__wake_word(&registry->wake);
    if (timers->clock == PLX_CLOCK_MANUAL) /* nobody sleeps by it; but somebody may watch */
        return word & PLX__NESTED && deadline <= plx__timers_now(timers);
    if (word & PLX__NESTED && !plx__timers_kept(timers) && deadline < timers->alarmed) {
        int rc = timers_set_alarm(timers, deadline);
        if (rc < 0)
            return rc;
    }
    if (!(word & PLX__SLEEPING_MASK))
        return 0;
    timers_appoint(timers, 0, INT64_MAX);
    return 1;
}

/*
 * After a timer was cancelled or put off: a nested poller that nobody waits on is not to become
 * readable for it. Under the lock.
 */
static inline void timers_later(plx_registry *registry)
{
    plx__timers *timers = &registry->timers;

    if (timers->alarmed != INT64_MAX && plx__wake_word(&registry->wake) & PLX__NESTED && !plx__timers_kept(timers))
        (void)timers_set_alarm(timers, plx__wheel_next(&timers->wheel));
}

static int timers_start(plx_registry *registry, plx_token token, plx_nanos deadline, plx_nanos interval,
                        plx_timer *timer)
{
    plx__timers *timers = &registry->timers;
    plx_timer started;

    plx__lock_take(&timers->lock);
    int rc = plx__wheel_start(&timers->wheel, token, deadline, interval, &started);
    if (rc == 0) {
        if (timers->wheel.count == 1)
            atomic_store_explicit(&timers->any, true, PLX__SEQ_CST);
        rc = timers_earlier(registry, deadline);
        if (rc < 0) {
            (void)plx__wheel_cancel(&timers->wheel, started);
            timers_emptied(timers);
        }
    }
    plx__lock_drop(&timers->lock);
    if (rc > 0) {
        rc = plx__wake_claim(registry);
        if (rc < 0 && plx_timer_cancel(registry, started) == -ENOENT)
            rc = 0; /* somebody was awake, and has had it */
    }
    if (rc < 0)
        return rc;
    *timer = started;
    return 0;
}

/* The deadline that lies `first` ahead. */
static plx_nanos timers_ahead(const plx_registry *registry, plx_nanos first)
{
    return first == PLX_FOREVER ? INT64_MAX : plx__clock_add(plx__timers_now(&registry->timers), first);
}

int plx_timer_start(plx_registry *registry, plx_token token, plx_nanos first, plx_nanos interval, plx_timer *timer)
{
    int rc = plx__registry_check(registry);

    if (rc == 0 && (!timer || token > PLX_TOKEN_MAX || first < PLX_FOREVER || interval < 0))
        rc = -EINVAL;
    return rc < 0 ? rc : timers_start(registry, token, timers_ahead(registry, first), interval, timer);
}

/* `tick` is set while the timer is there, so that it is never counted without. */
static void timers_set_tick(plx__timers *timers, plx_timer tick)
{
    plx__lock_take(&timers->lock);
    timers->tick = tick;
    plx__lock_drop(&timers->lock);
}

/* Under the registry's lock, as the next. */
int plx__timers_tick(plx_registry *registry, plx_nanos interval)
{
    plx__timers *timers = &registry->timers;
    plx_timer tick;

    if (timers->tick)
        return 0;
    atomic_store_explicit(&timers->ticks, true, PLX__RELAXED); /* the timers' lock brings it to who fires */
    int rc = timers_start(registry, PLX__TICK, timers_ahead(registry, interval), interval, &tick);
    if (rc == 0)
        timers_set_tick(timers, tick);
    return rc;
}

void plx__timers_untick(plx_registry *registry)
{
    plx_timer tick = registry->timers.tick;

    timers_set_tick(&registry->timers, 0);
    (void)plx_timer_cancel(registry, tick);
}

int plx_timer_start_at(plx_registry *registry, plx_token token, plx_nanos deadline, plx_nanos interval,
                       plx_timer *timer)
{
    int rc = plx__registry_check(registry);

    if (rc == 0 && (!timer || token > PLX_TOKEN_MAX || interval < 0))
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    return timers_start(registry, token, deadline == PLX_FOREVER ? INT64_MAX : deadline, interval, timer);
}

int plx_timer_restart(plx_registry *registry, plx_timer timer, plx_nanos first, plx_nanos interval)
{
    int rc = plx__registry_check(registry);

    if (rc == 0 && (first < PLX_FOREVER || interval < 0))
        rc = -EINVAL;
    if (rc < 0)
        return rc;
    plx__timers *timers = &registry->timers;
    plx_nanos deadline = timers_ahead(registry, first);
    plx_nanos was = deadline; /* what it was before, once exchanged */

    plx__lock_take(&timers->lock);
    rc = plx__wheel_restart(&timers->wheel, timer, &was, &interval);
    if (rc == 0) {
        rc = timers_earlier(registry, deadline);
        if (rc == 0 && deadline > was)
            timers_later(registry);
        if (rc < 0)
            (void)plx__wheel_restart(&timers->wheel, timer, &was, &interval);
    }
    plx__lock_drop(&timers->lock);
    if (rc <= 0)
        return rc;
    rc = plx__wake_claim(registry);
    if (rc >= 0)
        return 0;
    plx__lock_take(&timers->lock);
    if (plx__wheel_restart(&timers->wheel, timer, &was, &interval) < 0)
        rc = 0; /* somebody was awake, and has had it */
    plx__lock_drop(&timers->lock);
    return rc;
}

int plx_timer_cancel(plx_registry *registry, plx_timer timer)
{
    int rc = plx__registry_check(registry);

    if (rc < 0)
        return rc;
    plx__timers *timers = &registry->timers;
    plx__lock_take(&timers->lock);
    rc = plx__wheel_cancel(&timers->wheel, timer);
    timers_emptied(timers);
    if (rc == 0)
        timers_later(registry);
    plx__lock_drop(&timers->lock);
    return rc;
}
