/* SPDX-License-Identifier: MIT */
/*
 * stress_everything [SECONDS [BACKEND]]: threads that do everything at once to one poller while
 * others wait, one or several, with room for few events. In rounds: each round ends in silence, when
 * all that is owed must have come, and then at most one thing is sent by each worker and must wake
 * who sleeps. At last the poller is closed in the middle of a round. A token must not come from a wait
 * that began after its end had returned. A hang says who waits for what.
 */
#include "os/config.h"

#include "everything/descriptors.h"
#include "everything/queued.h"
#include "everything/system.h"
#include "everything/timers.h"

#include <limits.h>

enum { ROUND = 100, LAP_OPERATIONS = 200000 };

static const plx_nanos lap_time = PLX_MSEC(300);

static thread workers[WORKERS], waiters[WAITERS];
static int waiter_count;
static counted_memory memory;
static atomic_int arrivals, dawdlers;
static atomic_long rounds_done, events_seen;

/* ---- Workers ----------------------------------------------------------------------------- */

static void do_notify(thread *self)
{
    doing(self, "notifies", 0);
    done(plx_notify(registry));
}

static void do_registry(thread *self)
{
    doing(self, "holds the registry", 0);
    plx_registry *held = plx_registry_retain(registry);
    plx_token token = plx_registry_new_token(held);
    CHECK(plx_registry_new_token(held) > token);
    expect(plx_lookup(held, pings[self->index].ends[1], NULL, NULL), false, -ENOENT);
    plx_registry_release(held);
}

static const struct operation {
    uint32_t weight;
    void (*run)(thread *self);
} operations[] = {
    {40, do_slot},    {20, do_wild},         {10, do_ping},  {15, do_timer},          {15, do_send},
    {10, do_post},    {10, do_wake},         {5, do_signal}, {1, do_signals_object},  {1, do_channel_end},
    {3, do_registry}, {1, do_waker_renewal}, {3, do_notify},
};

/* What is owed, and alone wakes who sleeps. */
static void (*const errands[])(thread *self) = {do_ping, do_send, do_timer, do_post, do_wake, do_signal};

static void operate(thread *self)
{
    const struct operation *operation = operations;
    uint32_t total = 0;

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        total += operations[i].weight;
    for (uint32_t at = random_below(&self->random, total); at >= operation->weight; operation++)
        at -= operation->weight;
    operation->run(self);
    atomic_fetch_add_explicit(&self->operations, 1, memory_order_relaxed);
}

static void meet(thread *self)
{
    int all = (atomic_fetch_add(&arrivals, 1) / WORKERS + 1) * WORKERS;

    AWAIT(self, "awaits the other workers", all, atomic_load(&arrivals) >= all);
}

/* Nobody sends any more, nothing is ready, and all that was sent has come. */
static void settle(thread *self)
{
    descriptors_hush(self);
    timers_hush(self);
    child_finish(self);
    meet(self);
    AWAIT(self, "awaits what is owed", 0, queued_all_came(self) && system_all_came());
    meet(self);
}

static void *work(void *argument)
{
    thread *self = argument;

    while (!atomic_load(&closing)) {
        for (uint32_t left = random_below(&self->random, ROUND); left > 0 && !atomic_load(&closing); left--)
            operate(self);
        if (random_below(&self->random, 8) == 0)
            do_child(self);
        settle(self);
        if (random_below(&self->random, 2))
            errands[random_below(&self->random, sizeof errands / sizeof *errands)](self);
        settle(self);
        atomic_fetch_add(&rounds_done, self->index == 0);
    }
    doing(self, "is done", 0);
    return NULL;
}

/* ---- Waiters ----------------------------------------------------------------------------- */

/* What held before a wait began. */
struct known {
    uint32_t living[SOURCES];
    struct alarm_known alarms[WORKERS * ALARMS];
    uint64_t next_post[WORKERS]; /* or a later one */
};

static void judge(thread *self, const plx_event *event, struct known *known)
{
    int source = (int)plx_token_index(event->token);
    uint32_t number = plx_token_kind(event->token);

    doing(self, "handles", source);
    CHECK(source < SOURCES);
    CHECK(event->flags != 0);
    if (number < known->living[source])
        fprintf(stderr, "source %d, number %u, first living %u\n", source, number, known->living[source]);
    CHECK(number >= known->living[source]);
    if (source >= CHILD_0) {
        child_event(source - CHILD_0, number);
    } else if (source >= SIGNAL_0) {
        signal_event(source - SIGNAL_0, number);
    } else if (source >= CHANNEL_0) {
        channel_event(self, source - CHANNEL_0, number, event->flags);
    } else if (source >= ALARM_0) {
        alarm_event(source - ALARM_0, event, &known->alarms[source - ALARM_0]);
    } else if (source >= POST_0) {
        CHECK(event->data >= known->next_post[source - POST_0]);
        known->next_post[source - POST_0] = event->data + 1;
        post_event(source - POST_0, event->data);
    } else if (source >= WAKER_0) {
        waker_event(source - WAKER_0);
    } else if (source >= PING_0) {
        ping_event(source - PING_0, number);
    }
}

/* Stays away until a worker has got on: what it left is the others', who sleep perhaps. */
static void dawdle(thread *self)
{
    int before = atomic_load(&arrivals), nobody = 0;

    if (waiter_count == 1 || !atomic_compare_exchange_strong(&dawdlers, &nobody, 1))
        return;
    AWAIT(self, "dawdles until others have got on", before, atomic_load(&arrivals) != before);
    atomic_store(&dawdlers, 0);
}

static void *wait_along(void *argument)
{
    static const plx_nanos timeouts[] = {0, PLX_USEC(30), PLX_MSEC(2), PLX_FOREVER, PLX_FOREVER, PLX_FOREVER};
    thread *self = argument;
    plx_event events[4];
    int count = 0;

    while (count != -ECANCELED) {
        struct known known = {.living = {0}};
        for (int i = 0; i < SOURCES; i++)
            known.living[i] = atomic_load(&first_living[i]);
        alarms_look(known.alarms);
        doing(self, "waits", 0);
        count = plx_poller_wait(poller, events, 1 + (int)random_below(&self->random, 4),
                                timeouts[random_below(&self->random, 6)]);
        CHECK(count >= 0 || (count == -ECANCELED && atomic_load(&closing)));
        for (int i = 0; i < count; i++)
            judge(self, &events[i], &known);
        atomic_fetch_add(&events_seen, count > 0 ? count : 0);
        atomic_fetch_add_explicit(&self->operations, 1, memory_order_relaxed);
        if (count > 0 && random_below(&self->random, 16) == 0)
            dawdle(self);
    }
    doing(self, "is done", 0);
    return NULL;
}

/* ---- Together ---------------------------------------------------------------------------- */

static void report_thread(const char *name, const thread *self)
{
    fprintf(stderr, "%s %d, after %ld: %s (%d)\n", name, self->index, atomic_load(&self->operations),
            atomic_load(&self->doing), atomic_load(&self->object));
}

/* The poller last: if its lock is never given back, there was this much. */
static void report(void)
{
    char line[400];

    for (int i = 0; i < WORKERS; i++) {
        report_thread("worker", &workers[i]);
        fprintf(stderr, "  waker asked %u, answered %u; posts %" PRIu64 ", events %" PRIu64 "; ping events %u\n",
                atomic_load(&wakers[i].asked), atomic_load(&wakers[i].answered), atomic_load(&posts[i].posted),
                atomic_load(&posts[i].events), ping_events(&pings[i]));
    }
    for (int i = 0; i < waiter_count; i++)
        report_thread("waiter", &waiters[i]);
    for (int i = 0; i < CHANNELS * WORKERS; i++) {
        const struct channel *channel = &channels[i / WORKERS];
        uint32_t sent = channel->sent[i % WORKERS], came = channel->next[i % WORKERS];
        if (sent != came)
            fprintf(stderr, "channel %d: worker %d sent %u, %u came\n", i / WORKERS, i % WORKERS, sent, came);
    }
    system_report();
    for (int i = 0; i < WORKERS * ALARMS; i++)
        if (alarms[i].running)
            fprintf(stderr, "timer %d: number %u, fired %u, due in %" PRId64 " ns\n", i, alarms[i].number,
                    atomic_load(&alarms[i].fired), atomic_load(&alarms[i].due) - plx_now());
    if (!atomic_load(&closing)) {
        plx_poller_describe(poller, line, sizeof line);
        fprintf(stderr, "%s\n", line);
    }
}

static long operations_done(void)
{
    long done_so_far = 0;

    for (int i = 0; i < WORKERS; i++)
        done_so_far += atomic_load_explicit(&workers[i].operations, memory_order_relaxed);
    return done_so_far;
}

/*
 * What only looks at the poller, for as long as it may be looked at. Not to its end before one more
 * round was done: closing it would free who is stuck.
 */
static void look_along(plx_nanos end, random_state *random)
{
    plx_stats stats = {0};
    char line[400];

    for (long last = LONG_MAX; atomic_load(&rounds_done) <= last;) {
        if (last == LONG_MAX && (plx_now() >= end || operations_done() >= LAP_OPERATIONS))
            last = atomic_load(&rounds_done);
        plx_stats before = stats;
        sleep_for(PLX_USEC(random_below(random, 3000)));
        plx_poller_stats(poller, &stats);
        CHECK(stats.events >= before.events && stats.waits >= before.waits);
        CHECK(plx_poller_describe(poller, line, sizeof line) > 0);
        CHECK(plx_poller_supports(poller, PLX_ONESHOT));
    }
}

static void start(thread *threads, int count, void *(*body)(void *), random_state *random)
{
    for (int i = 0; i < count; i++) {
        threads[i] = (thread){.random = {random_next(random)}, .index = i};
        doing(&threads[i], "begins", 0);
        threads[i].handle = thread_start(body, &threads[i]);
    }
}

/* A poller from its opening to its end. */
static void lap(random_state *random)
{
    plx_options options = {.backend = backend->id, .allocator = &memory.allocator};

    check_note("%s", backend->name);
    watchdog(60);
    counted_init(&memory);
    atomic_store(&closing, false);
    atomic_store(&arrivals, 0);
    atomic_store(&dawdlers, 0);
    for (int i = 0; i < SOURCES; i++)
        atomic_store(&first_living[i], 0);
    memset(alarms, 0, sizeof alarms);
    int descriptors = descriptors_open();
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    registry = plx_registry_retain(plx_poller_registry(poller));
    descriptors_open_all();
    queued_open_all();
    system_open_all();
    waiter_count = 1 + (int)random_below(random, WAITERS);
    start(waiters, waiter_count, wait_along, random);
    start(workers, WORKERS, work, random);

    look_along(plx_now() + lap_time, random);
    atomic_store(&closing, true);
    plx_poller_close(poller); /* the workers go on and are told so */
    for (int i = 0; i < waiter_count; i++)
        thread_join(waiters[i].handle);
    for (int i = 0; i < WORKERS; i++)
        thread_join(workers[i].handle);
    queued_close_all();
    system_close_all();
    plx_registry_release(registry);
    descriptors_close_all();
    CHECK_EQ(atomic_load(&memory.live), 0);
    CHECK_EQ(descriptors_open(), descriptors);
}

static void run(plx_nanos time, random_state *random)
{
    plx_nanos end = plx_now() + time;
    long laps = 0, done_so_far = 0;

    do {
        lap(random);
        done_so_far += operations_done();
        laps++;
    } while (plx_now() < end);
    printf("%s: %ld pollers, %ld rounds, %ld operations, %ld events, %ld messages, %ld children; %ld timers judged\n",
           backend->name, laps, atomic_exchange(&rounds_done, 0), done_so_far, atomic_exchange(&events_seen, 0),
           atomic_exchange(&messages, 0), atomic_exchange(&children_ended, 0), atomic_exchange(&early_checks, 0));
}

int main(int argc, char **argv)
{
    plx_nanos time = argc > 1 ? PLX_SEC(atol(argv[1])) : PLX_MSEC(1500);
    random_state random = random_start();

    watchdog_report = report;
    for (size_t i = 0; backends_here()[i]; i++) {
        backend = backends_here()[i];
        if (argc < 3 || strcmp(argv[2], backend->name) == 0)
            run(time, &random);
    }
    return 0;
}
