/* SPDX-License-Identifier: MIT */
/* The portable half of support.h: expectations, fixtures, waiters, the counting allocator. */
#include "support.h"

#include <stdlib.h>

plx_backend backend_id(void)
{
    static const struct { const char *name; plx_backend id; } known[] = {
        {"epoll", PLX_BACKEND_EPOLL},   {"io_uring", PLX_BACKEND_IO_URING},
        {"kqueue", PLX_BACKEND_KQUEUE}, {"event_ports", PLX_BACKEND_EVENT_PORTS},
        {"poll", PLX_BACKEND_POLL},     {"iocp", PLX_BACKEND_IOCP},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, conform_backend) == 0)
            return known[i].id;
    return PLX_BACKEND_AUTO;
}

bool backend_is(const char *name)
{
    return strcmp(conform_backend, name) == 0;
}

plx_poller *open_with(const plx_options *options)
{
    plx_poller *poller = NULL;
    plx_options mine = *options;
    mine.backend = backend_id();
    CHECK_RC(plx_poller_open(&poller, &mine), 0);
    CHECK(poller != NULL);
    return poller;
}

plx_poller *open_poller(void)
{
    plx_options options = {0};
    return open_with(&options);
}

plx_fd descriptor_of(plx_poller *poller)
{
    int own = plx_poller_descriptor(poller);
    if (own == -ENOTSUP) {
        CHECK(backend_is("poll") || backend_is("iocp"));
        SKIP("%s has no descriptor to wait for", conform_backend);
    }
    CHECK(own >= 0);
    return (plx_fd)own;
}

int rounds(int usual)
{
    const char *text = getenv("CONFORM_ROUNDS");
    int asked = text ? atoi(text) : 0;
    return asked > 0 ? asked : usual;
}

/* ---- Expectations ------------------------------------------------------------ */

plx_event expect_at(const char *file, int line, const char *note, plx_poller *poller,
                    plx_token token, uint32_t flags, uint32_t allowed)
{
    enum { CAPACITY = 16 };
    plx_event events[CAPACITY];
    char text[128];
    int count = plx_poller_wait(poller, events, CAPACITY, PATIENCE);
    if (count < 0)
        check_fail_with(file, line, note, "the wait returned %d (%s)", count, plx_strerror(count));
    if (count == 0)
        check_fail_with(file, line, note, "no event, expected token %" PRIu64 " flags 0x%" PRIx32,
                        token, flags);
    plx_event_describe(&events[count - 1], text, sizeof text);
    if (count != 1)
        check_fail_with(file, line, note, "%d events, expected one; the last: %s", count, text);
    if (events[0].token != token || (events[0].flags & ~allowed) != (flags & ~allowed))
        check_fail_with(file, line, note,
                        "%s; flags 0x%" PRIx32 ", expected token %" PRIu64 " flags 0x%" PRIx32
                        " (0x%" PRIx32 " may be there)",
                        text, events[0].flags, token, flags, allowed);
    if (events[0].data != 0 && !(flags & (PLX_POST | PLX_SIGNAL)))
        check_fail_with(file, line, note, "%s has data %" PRIu64, text, events[0].data);
    return events[0];
}

void expect_silence_at(const char *file, int line, const char *note, plx_poller *poller,
                       plx_nanos time)
{
    enum { CAPACITY = 16 };
    plx_event events[CAPACITY];
    char text[128];
    for (int round = 0; round < 2; round++) {
        int count = plx_poller_wait(poller, events, CAPACITY, round == 0 ? 0 : time);
        if (count == 0)
            continue;
        if (count < 0)
            check_fail_with(file, line, note, "the wait returned %d (%s)", count,
                            plx_strerror(count));
        plx_event_describe(&events[0], text, sizeof text);
        check_fail_with(file, line, note, "%d events, expected none; the first: %s", count, text);
    }
}

void expect_rest_at(const char *file, int line, const char *note, plx_poller *poller,
                    plx_nanos time)
{
    uint64_t before = stats_of(poller).kernel_calls;
    expect_silence_at(file, line, note, poller, time);
    uint64_t calls = stats_of(poller).kernel_calls - before;
    if (calls > 40)
        check_fail_with(file, line, note, "a silent wait made %" PRIu64 " kernel calls", calls);
}

plx_stats stats_of(const plx_poller *poller)
{
    plx_stats stats;
    memset(&stats, 0xff, sizeof stats);
    plx_poller_stats(poller, &stats);
    return stats;
}

fixture fixture_open_on(void (*open)(plx_fd ends[2]))
{
    fixture f;
    plx_fd ends[2];
    f.poller = open_poller();
    f.registry = plx_poller_registry(f.poller);
    open(ends);
    f.fd = ends[0];
    f.peer = ends[1];
    return f;
}

fixture fixture_open(void)
{
    return fixture_open_on(open_stream);
}

void fixture_close(fixture *f)
{
    plx_poller_close(f->poller);
    close_fd(f->fd);
    if (f->peer != NO_FD)
        close_fd(f->peer);
}

void move_onto(plx_fd fd, plx_fd number)
{
    if (!dup_onto(fd, number))
        SKIP("number %d is not to be had again", (int)number);
    close_fd(fd);
}

void open_stream_as(plx_fd number, plx_fd ends[2])
{
    open_stream(ends);
    if (ends[0] == number)
        return;
    if (ends[1] == number) {
        ends[1] = ends[0];
    } else {
        move_onto(ends[0], number);
    }
    ends[0] = number;
}

ghost make_ghost(plx_registry *registry, plx_token token, uint32_t interest)
{
    plx_fd ends[2];
    open_stream(ends);
    ghost made = {ends[0], dup_fd(ends[0]), ends[1]};
    CHECK_RC(plx_register(registry, made.number, token, interest), 0);
    close_fd(made.number);
    return made;
}

void end_ghost(const ghost *self)
{
    close_fd(self->copy);
    close_fd(self->peer);
}

/* ---- Threads ------------------------------------------------------------------ */

static void waiter_body(void *argument)
{
    waiter *self = argument;
    self->rc = plx_poller_wait(self->poller, self->events, self->capacity, self->timeout);
    atomic_store(&self->done, 1);
}

void waiter_start(waiter *self, plx_poller *poller, int capacity, plx_nanos timeout)
{
    enum { ROOM = sizeof self->events / sizeof self->events[0] };
    memset(self->events, 0, sizeof self->events);
    self->poller = poller;
    self->capacity = capacity > 0 ? capacity : ROOM;
    self->timeout = timeout;
    self->rc = INT32_MIN;
    atomic_init(&self->done, 0);
    CHECK(self->capacity <= ROOM);
    self->thread = thread_start(waiter_body, self);
}

void waiter_start_asleep(waiter *self, plx_poller *poller)
{
    waiter_start(self, poller, 0, PLX_FOREVER);
    thread_await_asleep(self->thread);
    CHECK_EQ(atomic_load(&self->done), 0);
}

int waiter_join(waiter *self)
{
    thread_join(self->thread);
    return self->rc;
}

/* ---- Memory --------------------------------------------------------------------- */

enum { LABEL = 16 }; /* in front of each block, so that a foreign pointer is noticed */

static const uint64_t label_live = 0x706f6c6c75780001u, label_dead = 0x706f6c6c7578dead;

static bool counting_grants(counting *memory)
{
    return atomic_fetch_add(&memory->calls, 1) + 1 != atomic_load(&memory->refuse);
}

static void *label(void *block)
{
    memcpy(block, &label_live, sizeof label_live);
    return (char *)block + LABEL;
}

static void *unlabel(void *pointer)
{
    char *block = (char *)pointer - LABEL;
    CHECK(memcmp(block, &label_live, sizeof label_live) == 0);
    memcpy(block, &label_dead, sizeof label_dead);
    return block;
}

static void *counting_allocate(void *context, size_t size)
{
    counting *memory = context;
    void *block = counting_grants(memory) ? malloc(size + LABEL) : NULL;
    if (!block)
        return NULL;
    atomic_fetch_add(&memory->live, 1);
    return label(memset(block, 0xa5, size + LABEL));
}

static void counting_release(void *context, void *pointer)
{
    counting *memory = context;
    if (!pointer)
        return;
    atomic_fetch_sub(&memory->live, 1);
    free(unlabel(pointer));
}

static void *counting_reallocate(void *context, void *pointer, size_t size)
{
    counting *memory = context;
    if (!pointer)
        return counting_allocate(context, size);
    if (!counting_grants(memory))
        return NULL;
    void *block = realloc(unlabel(pointer), size + LABEL);
    CHECK(block != NULL);
    return label(block);
}

void counting_init(counting *memory)
{
    atomic_init(&memory->live, 0);
    atomic_init(&memory->calls, 0);
    atomic_init(&memory->refuse, 0);
    memory->allocator = (plx_allocator){
        .allocate = counting_allocate,
        .reallocate = counting_reallocate,
        .release = counting_release,
        .context = memory,
    };
}

void counting_refuse(counting *memory, long nth)
{
    atomic_store(&memory->refuse, nth ? atomic_load(&memory->calls) + nth : 0);
}

plx_poller *open_counting(counting *memory)
{
    counting_init(memory);
    plx_options options = {.allocator = &memory->allocator};
    return open_with(&options);
}
