/* SPDX-License-Identifier: MIT */
/*
 * whole [--seconds N] [--backend NAME] [--descriptors N] [--timers N] [--channels N]: a poller
 * with as many descriptors as the process may open less a reserve, with timers, channels, posts,
 * a waker, signals and children, all at full load, and one thread that takes a little of each at a
 * time and is late on purpose. What is sent is numbered: nothing is lost, doubled or out of order.
 * Memory and descriptors are looked at every ten seconds, and must not have grown at the end.
 */
#include "os/config.h"

#include "whole/queued.h"
#include "whole/streams.h"
#include "whole/system.h"
#include "whole/timers.h"

#include <limits.h>
#include <malloc.h>
#include <sys/resource.h>

enum { FEEDERS = 2, CAPACITY = 256, RESERVE = 1000, LOOKS = 4096, POLLERS_OWN = 4 };

static const plx_nanos between_looks = PLX_SEC(10);

/* ---- Memory ------------------------------------------------------------------------------ */

static counted_memory memory;
static atomic_llong live_bytes;

static void *bytes_allocate(void *context, size_t size)
{
    void *pointer = counted_allocate(context, size);

    live_bytes += (long long)(pointer ? malloc_usable_size(pointer) : 0);
    return pointer;
}

static void *bytes_reallocate(void *context, void *pointer, size_t size)
{
    size_t before = pointer ? malloc_usable_size(pointer) : 0;
    void *moved = counted_reallocate(context, pointer, size);

    if (moved)
        live_bytes += (long long)malloc_usable_size(moved) - (long long)before;
    return moved;
}

static void bytes_release(void *context, void *pointer)
{
    live_bytes -= (long long)malloc_usable_size(pointer);
    counted_release(context, pointer);
}

static long long resident_bytes(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    CHECK(file != NULL);
    CHECK(fscanf(file, "%*d %lld", &pages) == 1);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

/* ---- The load ---------------------------------------------------------------------------- */

/* In nine seconds of ten. In the tenth the poller comes to rest now and then, and must be woken. */
static bool flood(void)
{
    return plx_now() / PLX_SEC(1) % 10 != 9;
}

static void *feed_along(void *argument)
{
    random_state random = *(random_state *)argument;
    int vain = 0;

    while (!over) {
        bool done = stream_feed(&streams[random_below(&random, stream_count)], &random);
        done |= channel_feed(&channels[random_below(&random, channel_count)], &random);
        done |= post_feed();
        if (random_below(&random, 64) == 0)
            waker_feed();
        vain = done ? 0 : vain + 1;
        if (vain == 1000 || !flood()) {
            sleep_for(PLX_MSEC(1)); /* all is full */
            vain = 0;
        }
    }
    return NULL;
}

static void *signal_along(void *argument)
{
    while (!over) {
        for (int i = 0; i < 10; i++)
            signal_feed(argument);
        sleep_for(PLX_MSEC(5));
    }
    return NULL;
}

/* ---- Who takes --------------------------------------------------------------------------- */

static void take(const plx_event *event)
{
    switch (kind_of(event->token)) {
    case STREAM: stream_event(event); break;
    case TIMER: alarm_event(event); break;
    case CHANNEL: channel_event(event); break;
    case POST: post_event(event); break;
    case WAKER: waker_event(event); break;
    case COUNTED:
    case MERGED: signals_event(event); break;
    case CHILD: child_event(event); break;
    default: check_fail(__FILE__, __LINE__, check_noted(), "a token of ours");
    }
}

/* Whether it was all that there was. */
static bool wait_once(plx_nanos timeout)
{
    plx_event events[CAPACITY];

    waits++;
    int count = plx_poller_wait(poller, events, CAPACITY, timeout);
    CHECK(count >= 0);
    for (int i = 0; i < count; i++)
        take(&events[i]);
    return count < CAPACITY;
}

static bool all_taken(void)
{
    return !streams_owed() && !channels_owed() && posts_taken == posts_sent && answered == asked &&
           !signals_owed() && !children_alive;
}

/* From a signal handler, as the last thing before the end. */
static void report(void)
{
    fprintf(stderr,
            "%" PRIu64 " waits; not taken: of %u streams, of %u channels; posts %" PRIu64 " of %" PRIu64
            ", wakes %" PRIu64 " of %" PRIu64 ", signals %d of %d, %u children\n",
            waits, (unsigned)streams_owed(), (unsigned)channels_owed(), (uint64_t)posts_taken, posts_sent,
            (uint64_t)answered, (uint64_t)asked, (int)counted_told, (int)counted_sent, (unsigned)children_alive);
}

/* ---- Looks ------------------------------------------------------------------------------- */

static struct look {
    long long live, resident;
    int descriptors;
} looks[LOOKS];
static int look_count, descriptors_before;

static void look(plx_nanos begun)
{
    struct look *now = &looks[look_count];
    plx_stats stats;

    plx_poller_stats(poller, &stats);
    CHECK_EQ(stats.timers, alarm_count);
    *now = (struct look){live_bytes, resident_bytes(), descriptors_open()};
    CHECK(now->descriptors <= descriptors_before + (int)(2 * stream_count + POLLERS_OWN + children_alive));
    printf("%5d s: %" PRIu64 " MB, %" PRIu64 " messages, %" PRIu64 " posts, %" PRIu64 " expirations, %d + %ld signals, "
           "%" PRIu64 " children; full %" PRIu64 " + %" PRIu64 "; %lld bytes live, %lld resident, %d descriptors; "
           "%" PRIu64 " waits, %" PRIu64 " events, %" PRIu64 " wakes sent\n",
           (int)((plx_now() - begun) / PLX_SEC(1)), (uint64_t)bytes_taken / 1000000, (uint64_t)messages_taken,
           (uint64_t)posts_taken, alarms_fired, (int)counted_told, (long)merged_told, children_ended,
           (uint64_t)streams_full, (uint64_t)channels_full, now->live, now->resident, now->descriptors, stats.waits,
           stats.events, stats.wakes_sent);
    fflush(stdout);
    look_count += look_count < LOOKS - 1;
    watchdog(120);
}

/*
 * What is unread takes memory, more or less of it as the machine is busy. So the least of the last
 * third is set against the most of an earlier one, which a sixth for warming up precedes.
 */
static void judge_memory(void)
{
    int third = look_count / 3, warm = look_count / 6;
    struct look most = {.live = 0}, least = {.live = LLONG_MAX, .resident = LLONG_MAX};

    if (third < 10) {
        printf("too short to judge whether memory is flat\n");
        return;
    }
    for (int i = 0; i < third; i++) {
        const struct look *early = &looks[warm + i], *late = &looks[look_count - third + i];
        most.live = early->live > most.live ? early->live : most.live;
        most.resident = early->resident > most.resident ? early->resident : most.resident;
        least.live = late->live < least.live ? late->live : least.live;
        least.resident = late->resident < least.resident ? late->resident : least.resident;
    }
    printf("live bytes %lld at most, then %lld at least; resident %lld, then %lld\n", most.live, least.live,
           most.resident, least.resident);
    CHECK(least.live <= most.live + most.live / 50);
    CHECK(least.resident <= most.resident + most.resident / 50);
}

/* ---- Together ---------------------------------------------------------------------------- */

struct sizes {
    long seconds, descriptors, timers, channels;
    const char *backend;
};

static void open_all(const struct sizes *sizes, random_state *random)
{
    plx_options options = {.backend = backend->id, .allocator = &memory.allocator};

    counted_init(&memory);
    memory.allocator.allocate = bytes_allocate;
    memory.allocator.reallocate = bytes_reallocate;
    memory.allocator.release = bytes_release;
    child_random.word = random_next(random);
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    registry = plx_poller_registry(poller);
    CHECK_RC(plx_waker_open(registry, token_of(WAKER, 0, 0), &waker), 0);
    signals_open();
    streams_open((uint32_t)sizes->descriptors / 2);
    channels_open((uint32_t)sizes->channels);
    alarms_open((uint32_t)sizes->timers, random_next(random));
}

/* Full load, and a thread that stands still for a while after some of its waits. */
static void run(plx_nanos begun, plx_nanos end)
{
    random_state slow = {(uint64_t)begun};
    plx_nanos next = begun + between_looks, now;

    watchdog(120);
    while ((now = plx_now()) < end) {
        wait_once(PLX_FOREVER);
        children_tend(true);
        if (flood() && random_below(&slow, 100) == 0)
            sleep_for(PLX_USEC(random_below(&slow, 20000)));
        if (now >= next) {
            look(begun);
            next += between_looks;
        }
    }
}

/* Nobody sends any more: what is owed comes, and of a signal at least its last. */
static void settle(void)
{
    while (!all_taken()) {
        wait_once(PLX_MSEC(10));
        children_tend(false);
    }
    long told = merged_told;
    CHECK(raise(SIGUSR1) == 0);
    merged_sent++;
    while (merged_told == told)
        wait_once(PLX_FOREVER);
    CHECK_EQ(merged_told, told + 1);

    plx_nanos then;
    do
        then = plx_poller_now(poller);
    while (!wait_once(0));
    alarms_judge(then);
}

static void close_all(void)
{
    plx_event event;
    plx_stats stats;
    char line[512];

    alarms_close();
    channels_close();
    streams_close();
    plx_signals_close(counted);
    plx_signals_close(merged);
    plx_waker_release(waker);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    plx_poller_stats(poller, &stats);
    CHECK_EQ(stats.timers, 0);
    CHECK_EQ(stats.registered, 0);
    plx_poller_describe(poller, line, sizeof line);
    printf("%s\n", line);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
    CHECK_EQ(live_bytes, 0);
}

static struct sizes read_sizes(int argc, char **argv)
{
    struct sizes sizes = {.seconds = 3600, .timers = 100000, .channels = 1000, .backend = "epoll"};
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int i = 1; i + 1 < argc; i += 2) {
        long value = atol(argv[i + 1]);
        if (strcmp(argv[i], "--backend") == 0)
            sizes.backend = argv[i + 1];
        else
            *(strcmp(argv[i], "--seconds") == 0       ? &sizes.seconds
              : strcmp(argv[i], "--descriptors") == 0 ? &sizes.descriptors
              : strcmp(argv[i], "--timers") == 0      ? &sizes.timers
                                                      : &sizes.channels) = value;
    }
    if (sizes.descriptors == 0)
        sizes.descriptors = (limit.rlim_cur < 20000 ? (long)limit.rlim_cur : 20000) - RESERVE;
    return sizes;
}

int main(int argc, char **argv)
{
    struct sizes sizes = read_sizes(argc, argv);
    random_state random = random_start(), seeds[FEEDERS + 1];
    pthread_t threads[FEEDERS + 1];

    for (size_t i = 0; backends_here()[i]; i++)
        if (strcmp(backends_here()[i]->name, sizes.backend) == 0)
            backend = backends_here()[i];
    if (!backend)
        SKIP("no backend %s here", sizes.backend);
    watchdog_report = report;
    descriptors_before = descriptors_open();
    plx_nanos begun = plx_now();
    open_all(&sizes, &random);
    printf("%s: %u descriptors, %u timers, %u channels, opened in %d ms\n", backend->name, 2 * (unsigned)stream_count,
           (unsigned)alarm_count, (unsigned)channel_count, (int)((plx_now() - begun) / PLX_MSEC(1)));
    for (int i = 0; i <= FEEDERS; i++) {
        seeds[i].word = random_next(&random);
        threads[i] = thread_start(i < FEEDERS ? feed_along : signal_along, &seeds[i]);
    }
    run(begun, begun + PLX_SEC(sizes.seconds));
    over = true;
    for (int i = 0; i <= FEEDERS; i++)
        thread_join(threads[i]);
    settle();
    look(begun);
    printf("%" PRIu64 " streams and %" PRIu64 " channels ended and were opened anew; %" PRIu64 " timers cancelled, "
           "%" PRIu64 " restarted; %" PRIu64 " wakes asked for; signals told %d of %d, and %ld of %ld that merge\n",
           (uint64_t)streams_ended, (uint64_t)channels_ended, alarms_cancelled, alarms_restarted, (uint64_t)asked,
           (int)counted_told, (int)counted_sent, (long)merged_told, (long)merged_sent);
    close_all();
    CHECK_EQ(descriptors_open(), descriptors_before);
    judge_memory();
    printf("every message, byte, expiration, signal and child is accounted for\n");
    return 0;
}
