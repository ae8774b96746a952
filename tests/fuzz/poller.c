/* SPDX-License-Identifier: MIT */
/*
 * The whole poller against a model that is obviously right, driven by a fuzzer's bytes:
 * descriptors of several kinds that are opened, duplicated, closed and used again, registered in
 * every mode, and everything that needs no descriptor, waited for in small arrays. The model is in
 * world.h (the system), watches.h (registrations) and objects.h (all the rest). What it forbids
 * aborts: an event that nobody is owed, one that is owed and does not come, a stale token, an order
 * that is broken, a kind of source that starves, an error that is not the header's, and anything that
 * is left over at the end.
 *
 * There are no threads here and no clock but the manual one: the same bytes do the same again.
 *
 * The first byte chooses backends: bit 0 epoll, bit 1 io_uring, bit 2 poll. Several live the same
 * life one after the other, and must return and tell alike what the contract fixes.
 *
 * Without libFuzzer it replays files: poller FILE... With POLLUX_FUZZ_TRACE in the environment it
 * says what it does.
 */
#include "os/config.h"

#include "../backends.h"

#include "files.h"
#include "objects.h"

#include <signal.h>

enum { CAPACITY = 5 };

static bool together;      /* this input is for several backends */
static bool without_edges; /* one of them is poll */

static uint64_t waits, events_told; /* in this life */

static struct tally {
    const char *backend;
    unsigned long long operations, waits, events;
} tallies[PLX_BACKEND_IOCP + 1];

static bool notified;

/* ---- Memory ---------------------------------------------------------------------------------- */

static long memory_live;

static void *memory_allocate(void *context, size_t size)
{
    (void)context;
    memory_live++;
    return malloc(size);
}

static void *memory_reallocate(void *context, void *pointer, size_t size)
{
    (void)context;
    memory_live += !pointer;
    return realloc(pointer, size);
}

static void memory_release(void *context, void *pointer)
{
    (void)context;
    memory_live--;
    free(pointer);
}

static const plx_allocator memory = {
    .allocate = memory_allocate,
    .reallocate = memory_reallocate,
    .release = memory_release,
};

static plx_poller *open_manual(void)
{
    plx_options options = {.backend = backend, .clock = PLX_CLOCK_MANUAL, .allocator = &memory};
    plx_poller *opened = NULL;

    AGREE(plx_poller_open(&opened, &options) == 0);
    return opened;
}

/* ---- A poller in the poller -------------------------------------------------------------------- */

static plx_poller *inner; /* NULL: not opened yet */
static int inner_posts;

/* Its descriptor is a source like any other; where there is none, so is the number -1. */
static void do_inner_open(void)
{
    if (inner || (together && without_edges))
        return;
    inner = open_manual();
    int descriptor = plx_poller_descriptor(inner);
    trace("inner poller: %d", descriptor);
    if (backend == PLX_BACKEND_POLL)
        AGREE(descriptor == -ENOTSUP);
    else
        world_adopt(descriptor);
}

static void do_inner_post(void)
{
    if (!inner)
        return;
    trace("inner post");
    AGREE(plx_post(plx_poller_registry(inner), 1, (uint64_t)inner_posts) == 0);
    inner_posts++;
    if (name[NUMBERS] != NOTHING)
        touch(name[NUMBERS], false);
}

static void do_inner_wait(int capacity)
{
    plx_event events[CAPACITY];

    if (!inner)
        return;
    trace("inner wait");
    AGREE(plx_poller_wait(inner, events, capacity, 0) == (inner_posts < capacity ? inner_posts : capacity));
    inner_posts -= inner_posts < capacity ? inner_posts : capacity;
    if (name[NUMBERS] != NOTHING)
        touch(name[NUMBERS], false);
}

/* ---- Waiting ------------------------------------------------------------------------------------ */

/* Nothing passes on a manual clock, so no wait sleeps, whatever it is told. */
static int wait_some_way(plx_event *events, int capacity, unsigned way)
{
    switch (way % 4) {
    case 0: return plx_poller_wait(poller, events, capacity, 0);
    case 1: return plx_poller_wait(poller, events, capacity, PLX_FOREVER);
    case 2: return plx_poller_wait(poller, events, capacity, PLX_SEC(1));
    default: return plx_poller_wait_until(poller, events, capacity, PLX_FOREVER);
    }
}

/* The kinds of source of which none may starve another. */
enum { READY, DUE, QUEUED, SORTS };

static int missed[SORTS]; /* waits that had room for two, and nothing of it */

/* Each that has something gets a place in every wait, or with three of them and two places in every second. */
static void agree_on_shares(const bool has[SORTS], const bool told[SORTS], int capacity)
{
    bool may_be_ready = has[READY] || told[READY] || watches_may_hide();
    bool crowded = may_be_ready + has[DUE] + has[QUEUED] > capacity;

    for (int sort = 0; sort < SORTS; sort++) {
        missed[sort] = has[sort] && !told[sort] && capacity > 1 ? missed[sort] + 1 : 0;
        AGREE(missed[sort] <= crowded);
    }
}

static int do_wait(int capacity, unsigned way)
{
    plx_event events[CAPACITY];
    bool told[SORTS] = {false};

    watches_begin();
    objects_begin();
    bool has[SORTS] = {watches_owe(false) && !watches_may_hide(), timers_due(), queue_owes(false)};
    int count = wait_some_way(events, capacity, way);
    trace("wait for %d: %d", capacity, count);
    AGREE(count >= 0 && count <= capacity);
    observe();
    for (int i = 0; i < count; i++) {
        trace("    token %d, flags 0x%x, data %llu", (int)events[i].token, (unsigned)events[i].flags,
              (unsigned long long)events[i].data);
        bool is_object = hear_object(&events[i]);
        if (!is_object)
            hear_readiness(&events[i]);
        told[!is_object ? READY : events[i].flags == PLX_TIMER ? DUE : QUEUED] = true;
    }
    agree_on_shares(has, told, capacity);
    watches_end(count == capacity);
    objects_end(count == capacity);
    notified = false;
    waits++;
    events_told += (uint64_t)count;
    return count;
}

static void agree_on_stats(void)
{
    plx_stats stats;
    uint64_t registered = 0;

    for (int place = 0; place < NAMES; place++)
        registered += watches[place].used;
    plx_poller_stats(poller, &stats);
    AGREE(stats.waits == waits && stats.events == events_told);
    AGREE(stats.registered == registered && stats.timers == timers_live());
}

/* Readable when a wait would return. */
static void agree_on_descriptor(void)
{
    if (nested && (watches_owe(false) || objects_owe(false) || notified))
        AGREE(is_readable(plx_poller_descriptor(poller)));
}

/* With nothing to tell it is quiet: at the latest after the waits that find that out. */
static void agree_on_quiet(void)
{
    int most = BOUND;

    if (suspicious || watches_may_speak() || watches_owe(false) || objects_owe(false))
        return;
    while (most > 0 && do_wait(CAPACITY, 0) > 0)
        most--;
    AGREE(most > 0 && do_wait(CAPACITY, 0) == 0);
    AGREE(!nested || !is_readable(plx_poller_descriptor(poller)));
}

/* All that is owed now comes, in an array of any size. */
static void do_settle(int capacity)
{
    int most = 2 * BOUND + 16 * ((int)posts_count + TIMERS);

    trace("settle by %d", capacity);
    for (int place = 0; place < NAMES; place++)
        watches[place].told = false;
    for (int i = 0; i < CHANNELS; i++)
        channels[i].told = false;
    do
        do_wait(capacity, 0);
    while (--most > 0 && (watches_owe(true) || objects_owe(true)));
    AGREE(most > 0);
    watches_compare();
    agree_on_quiet();
    agree_on_stats();
}

/* ---- Operations ------------------------------------------------------------------------------- */

static int draw_place(struct feed *feed)
{
    return (int)(feed_byte(feed) % NAMES);
}

/* One that names a file, or NOTHING. */
static int draw_named(struct feed *feed)
{
    int place = (int)(feed_byte(feed) % NUMBERS);

    return name[place] == NOTHING ? NOTHING : place;
}

static uint32_t draw_flags(unsigned byte)
{
    return (byte & 1 ? PLX_READABLE : 0) | (byte & 2 ? PLX_WRITABLE : 0) | (byte & 4 ? PLX_PRIORITY : 0) |
           (byte & 8 ? PLX_READ_CLOSED : 0) | (byte & 16 ? PLX_WRITE_CLOSED | PLX_ERROR : 0);
}

/* Nothing is exclusive of a poller's descriptor: epoll refuses that. */
static uint32_t draw_interest(struct feed *feed, int place)
{
    static const uint32_t modes[] = {
        PLX_LEVEL, PLX_LEVEL, PLX_ONESHOT, PLX_EDGE,
        PLX_EDGE | PLX_ONESHOT, PLX_EXCLUSIVE, PLX_EXCLUSIVE | PLX_EDGE, PLX_EXCLUSIVE | PLX_ONESHOT,
    };
    unsigned byte = feed_byte(feed);
    uint32_t interest = draw_flags(byte) | modes[byte >> 5];

    if (together && without_edges)
        interest &= ~(PLX_EDGE | PLX_EXCLUSIVE);
    return place == NUMBERS ? interest & ~PLX_EXCLUSIVE : interest;
}

/* The kernel's own flags, which are the same bits; not those that it may refuse. */
static uint32_t draw_native(struct feed *feed)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_EDGE, PLX_ONESHOT, PLX_EDGE | PLX_ONESHOT};
    unsigned byte = feed_byte(feed);
    uint32_t events = draw_flags(byte);

    return (events ? events : POLLRDNORM) | modes[byte >> 6];
}

static plx_nanos draw_nanos(struct feed *feed)
{
    static const plx_nanos special[] = {
        0, 1, PLX_FOREVER, -2, INT64_MIN, INT64_MAX, INT64_MAX - 1, PLX_MSEC(2) + 1, 8192, 8191,
    };
    unsigned byte = feed_byte(feed);

    if (byte < sizeof special / sizeof special[0])
        return special[byte];
    return (plx_nanos)(byte % 16 + 1) << byte / 16 * 3;
}

static void do_open(enum kind kind)
{
    trace("open %d", kind);
    world_open(kind);
}

static void do_close(int place)
{
    const struct file *file = file_at(place);

    trace("close %d", place);
    watch_leave(place);
    if (file->names == 1)
        touch_peer(place, false);
    world_close(place);
}

static void do_dup(int place)
{
    trace("dup %d", place);
    world_dup(place);
}

static void do_dup_onto(int from, int onto)
{
    trace("dup %d onto %d", from, onto);
    if (name[onto] != NOTHING && name[onto] != name[from]) {
        watch_leave(onto);
        if (file_at(onto)->names == 1)
            touch_peer(onto, false);
    }
    world_dup_onto(from, onto);
}

/* One that fails is no arrival, but kernels wake for it: a pipe its reader, a socket its writer. */
static void do_write(int place, unsigned size)
{
    bool any = world_write(place, size);

    trace("write %u to %d: %d", size, place, any);
    touch_peer(place, any);
    if (!any || size == AS_MUCH_AS_GOES)
        touch(name[place], false);
}

static void do_write_urgent(int place)
{
    trace("urgent to %d", place);
    if (world_write_urgent(place))
        touch_peer(place, false);
}

/* One in vain may have done away with an urgent byte, and there is room for another. */
static void do_read(int place, unsigned size)
{
    bool any = world_read(place, size);

    trace("read %u from %d: %d", size, place, any);
    if (any || files[name[place]].kind == STREAM)
        touch_peer(place, false);
}

static void do_shut(int place, int how)
{
    trace("shut %d, %d", place, how);
    world_shut(place, how);
    touch(name[place], false);
    touch_peer(place, false);
}

static void do_notify(void)
{
    trace("notify");
    AGREE(plx_notify(registry) == 0);
    notified = true;
}

static void do_nest(void)
{
    if (together && without_edges)
        return;
    int descriptor = plx_poller_descriptor(poller);
    trace("descriptor: %d", descriptor);
    AGREE(backend == PLX_BACKEND_POLL ? descriptor == -ENOTSUP : descriptor >= 0);
    if (backend == PLX_BACKEND_POLL)
        return;
    AGREE(plx_register(registry, descriptor, token_new(), PLX_READABLE) == -EINVAL);
    if (is_ring()) /* its set moves: what is ready is told again */
        for (int place = 0; place < NAMES; place++)
            watches[place].extra++;
    nested = true;
}

/* What is done with a number that names a file. */
static void do_with_file(unsigned operation, struct feed *feed)
{
    int place = draw_named(feed);
    unsigned argument = feed_byte(feed);

    if (place == NOTHING)
        return;
    switch (operation) {
    case 0: do_close(place); break;
    case 1: do_dup(place); break;
    case 2: do_dup_onto(place, (int)(argument % NUMBERS)); break;
    case 3: do_write(place, argument); break;
    case 4: do_read(place, argument); break;
    case 5: do_read(place, AS_MUCH_AS_GOES); break;
    case 6: do_shut(place, (int)(argument % 3)); break;
    default: do_write_urgent(place);
    }
}

static void do_with_number(unsigned operation, struct feed *feed)
{
    int place = draw_place(feed);

    switch (operation) {
    case 0: do_register(place, draw_interest(feed, place), false); break;
    case 1: do_reregister(place, draw_interest(feed, place), false); break;
    case 2: do_enable(place, draw_flags(feed_byte(feed))); break;
    case 3: do_disable(place, draw_flags(feed_byte(feed))); break;
    default: do_deregister(place);
    }
}

static void do_with_native(unsigned operation, struct feed *feed)
{
    int place = draw_place(feed);
    uint32_t native = draw_native(feed);

    if (together && without_edges)
        return;
    if (operation % 2)
        do_reregister(place, native, true);
    else
        do_register(place, native, true);
}

static void do_with_timer(unsigned operation, struct feed *feed)
{
    struct timer *timer = &timers[operation / 4 % TIMERS];
    plx_nanos first = draw_nanos(feed);

    switch (operation % 4) {
    case 0: do_timer_start(timer, false, first, draw_nanos(feed)); break;
    case 1: do_timer_start(timer, true, first, draw_nanos(feed)); break;
    case 2: do_timer_restart(timer, first, draw_nanos(feed)); break;
    default: do_timer_cancel(timer);
    }
}

static void do_with_waker(unsigned operation)
{
    struct waker *waker = &wakers[operation / 4 % WAKERS];

    switch (operation % 4) {
    case 0: do_waker_open(waker); break;
    case 1: do_wake(waker); break;
    case 2: do_waker_retain(waker); break;
    default: do_waker_release(waker);
    }
}

static void do_with_channel(unsigned operation, struct feed *feed)
{
    static const int bounds[] = {UNBOUNDED, 0, 1, 3};
    struct channel *channel = &channels[operation / 8 % CHANNELS];

    switch (operation % 8) {
    case 0: do_channel_open(channel, bounds[feed_byte(feed) % 4]); break;
    case 1:
    case 2: do_send(channel, false); break;
    case 3: do_send(channel, true); break;
    case 4:
    case 5: do_receive(channel); break;
    case 6: do_sender_release(channel); break;
    default: do_receiver_close(channel);
    }
}

static void do_with_inner(unsigned operation)
{
    switch (operation % 4) {
    case 0: do_inner_open(); break;
    case 1: do_inner_post(); break;
    case 2: do_inner_wait(1); break;
    default: do_inner_wait(CAPACITY);
    }
}

static void do_step(struct feed *feed)
{
    unsigned operation = feed_byte(feed) % 32;
    unsigned argument;

    switch (operation) {
    case 0:
    case 1: do_open(STREAM); break;
    case 2: do_open((enum kind)(feed_byte(feed) % KINDS)); break;
    case 3:
    case 4: do_with_number(0, feed); break;
    case 5:
    case 6:
    case 7:
    case 8: do_with_number(operation - 4, feed); break;
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
    case 16: do_with_file(operation - 9, feed); break;
    case 17: do_with_timer(feed_byte(feed), feed); break;
    case 18: do_advance(draw_nanos(feed)); break;
    case 19: do_post(feed_byte(feed)); break;
    case 20:
        for (argument = feed_byte(feed) % 16; argument > 0; argument--)
            do_post(argument);
        break;
    case 21: do_notify(); break;
    case 22: do_with_waker(feed_byte(feed)); break;
    case 23: do_with_channel(feed_byte(feed), feed); break;
    case 24: do_with_inner(feed_byte(feed)); break;
    case 25: do_nest(); break;
    case 26: do_settle((int)(feed_byte(feed) % CAPACITY) + 1); break;
    case 31: do_with_native(feed_byte(feed), feed); break;
    default:
        argument = feed_byte(feed);
        do_wait((int)(argument % CAPACITY) + 1, argument / CAPACITY);
    }
    observe();
    agree_on_descriptor();
}

/* ---- A life ------------------------------------------------------------------------------------ */

static void life_begin(plx_backend id)
{
    backend = id;
    nested = suspicious = notified = false;
    tokens = 0;
    waits = events_told = 0;
    now = 0;
    handle_count = 0;
    posts_first = posts_count = 0;
    posts_passed = timers_passed = 0;
    memset(missed, 0, sizeof missed);
    serials = 0;
    inner = NULL;
    inner_posts = 0;
    memset(watches, 0, sizeof watches);
    memset(left_behind, 0, sizeof left_behind);
    memset(timers, 0, sizeof timers);
    memset(wakers, 0, sizeof wakers);
    memset(channels, 0, sizeof channels);
    world_begin();
    poller = open_manual();
    registry = plx_registry_retain(plx_poller_registry(poller));
}

/* Of a closed poller each call says so. */
static void agree_on_shutdown(void)
{
    plx_timer timer;
    plx_token token;

    AGREE(plx_register(registry, FIRST, 1, PLX_READABLE) == -PLX_ESHUTDOWN);
    AGREE(plx_reregister(registry, FIRST, 1, PLX_READABLE) == -PLX_ESHUTDOWN);
    AGREE(plx_enable(registry, FIRST, PLX_READABLE) == -PLX_ESHUTDOWN);
    AGREE(plx_deregister(registry, FIRST) == -PLX_ESHUTDOWN);
    AGREE(plx_lookup(registry, FIRST, &token, NULL) == -PLX_ESHUTDOWN);
    AGREE(plx_timer_start(registry, 1, 0, 0, &timer) == -PLX_ESHUTDOWN);
    AGREE(plx_timer_cancel(registry, timers[0].handle) == -PLX_ESHUTDOWN);
    AGREE(plx_post(registry, 1, 0) == -PLX_ESHUTDOWN);
    AGREE(plx_notify(registry) == -PLX_ESHUTDOWN);
}

static void close_all_numbers(bool waiting)
{
    for (int place = 0; place < NUMBERS; place++) {
        if (waiting && place % 2)
            do_deregister(place);
        if (name[place] != NOTHING)
            do_close(place);
        if (waiting)
            do_wait(CAPACITY, 0);
    }
}

/* What was sent outlives the poller; what is left of the rest is silent. */
static void release_all(void)
{
    for (int i = 0; i < WAKERS; i++) {
        do_wake(&wakers[i]);
        while (wakers[i].waker)
            do_waker_release(&wakers[i]);
    }
    for (int i = 0; i < CHANNELS; i++) {
        do_send(&channels[i], false);
        do_sender_release(&channels[i]);
        for (int left = (int)channels[i].count; left >= 0; left--)
            do_receive(&channels[i]);
        do_receiver_close(&channels[i]);
    }
}

static void life_end(bool closes_first)
{
    do_settle(CAPACITY);
    if (!closes_first)
        close_all_numbers(true);
    plx_poller_close(poller);
    poller = NULL;
    agree_on_shutdown();
    if (closes_first)
        close_all_numbers(false);
    plx_poller_close(inner);
    release_all();
    plx_registry_release(registry);
    AGREE(memory_live == 0);
}

static void life(plx_backend id, const uint8_t *bytes, size_t size)
{
    struct feed feed = {bytes, size};
    struct tally *tally = &tallies[id];

    life_begin(id);
    tally->backend = plx_poller_backend(poller);
    trace("---- %s", tally->backend);
    for (int i = 0; i < OPERATIONS && feed.left > 0; i++, tally->operations++)
        do_step(&feed);
    life_end(size % 2);
    notes_end();
    tally->waits += waits;
    tally->events += events_told;
}

/* When the fuzzer is done. */
__attribute__((destructor)) static void say_what_was_done(void)
{
    for (const struct tally *tally = tallies; tally <= &tallies[PLX_BACKEND_IOCP]; tally++)
        if (tally->backend)
            printf("%s: %llu operations, %llu waits, %llu events\n", tally->backend, tally->operations,
                   tally->waits, tally->events);
}

/* ---- All of them -------------------------------------------------------------------------------- */

static int numbers_open(void)
{
    int count = 0;

    for (int fd = 0; fd < FIRST + NUMBERS; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static unsigned bit_of(plx_backend id)
{
    return id == PLX_BACKEND_EPOLL ? 1 : id == PLX_BACKEND_IO_URING ? 2 : 4;
}

/* Those of the three that are not to be had are left out; if nothing is left, it is all there are. */
static unsigned choose(const plx__backend *const *here, unsigned byte)
{
    unsigned all = 0;

    for (int i = 0; here[i]; i++)
        all |= bit_of(here[i]->id);
    return byte & all ? byte & all : all;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const plx__backend *const *here = backends_here();
    struct feed feed = {bytes, size};
    unsigned chosen = choose(here, feed_byte(&feed));

    tracing = getenv("POLLUX_FUZZ_TRACE") != NULL;
    (void)signal(SIGPIPE, SIG_IGN);
    together = chosen & (chosen - 1);
    without_edges = chosen & bit_of(PLX_BACKEND_POLL);
    notes.count = notes.next = 0;
    notes.compares = false;
    int before = numbers_open();
    for (int i = 0; here[i]; i++)
        if (chosen & bit_of(here[i]->id))
            life(here[i]->id, feed.bytes, feed.left);
    AGREE(numbers_open() == before);
    return 0;
}
