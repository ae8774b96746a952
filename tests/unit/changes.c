/* SPDX-License-Identifier: MIT */
/*
 * A waiter that looks in the middle of a change: right before or after the kernel is told, in
 * the one moment when the table and the kernel do not agree. The event that it drops there
 * must come again. The source is edge-triggered, so that the kernel does not repeat it.
 */
#include "os/config.h"

#include "../tools.h"

#include "core/core.h"

enum { OLD = 1, NEW = 2 };

static plx_poller *poller;
static plx_registry *registry;
static plx__backend fake;
static const plx__backend *real;
static plx_event event;

static bool look_before, look_after; /* a wait is made before, after the kernel is told */
static int failing;                  /* then the kernel is not told, and this is its error */
static int seen;                     /* what these waits returned in all, and the last of it */
static plx_token last_seen;

static void look(bool now)
{
    plx_event found;
    int count = 0;

    while (now && (count = plx_poller_wait(poller, &found, 1, 0)) == 1) {
        last_seen = found.token;
        seen++;
    }
    CHECK_RC(count, 0);
}

/* The error that the kernel is to give; 0: it is asked. */
static int before(void)
{
    int error = failing;

    look(look_before);
    look_before = false;
    failing = 0;
    return error;
}

static int after(int rc)
{
    look(look_after);
    look_after = false;
    return rc;
}

static int fake_add(void *state, const plx__watch *watch, uint32_t *calls)
{
    int error = before();

    return error ? -error : after(real->add(state, watch, calls));
}

static int fake_remove(void *state, const plx__watch *watch, uint32_t *calls)
{
    int error = before();

    return error ? -error : after(real->remove(state, watch, calls));
}

static int fake_modify(void *state, const plx__watch *was, const plx__watch *now, uint32_t *calls)
{
    int error = before();

    return error ? -error : after(real->modify(state, was, now, calls));
}

static void start(int ends[2])
{
    plx_options options = {.backend = PLX_BACKEND_EPOLL};

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    registry = plx_poller_registry(poller);
    real = registry->backend;
    fake = *real;
    fake.add = fake_add;
    fake.modify = fake_modify;
    fake.remove = fake_remove;
    registry->backend = &fake;
    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], OLD, PLX_READABLE | PLX_EDGE), 0);
    put_byte(ends[1]);
    seen = 0;
}

static void end(const int ends[2])
{
    registry->backend = real;
    plx_poller_close(poller);
    close_pair(ends);
}

/* The event is there, once, with this token. */
static void expect(plx_token token)
{
    CHECK_EQ(plx_poller_wait(poller, &event, 1, 0), 1);
    CHECK_EQ(event.token, token);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, 0), 0);
}

static void a_change_loses_nothing(void)
{
    int ends[2];

    start(ends);
    look_before = true;
    CHECK_RC(plx_reregister(registry, ends[0], NEW, PLX_READABLE | PLX_EDGE), 0);
    CHECK_EQ(seen, 0); /* the old one, which is over */
    expect(NEW);
    look_after = true;
    CHECK_RC(plx_reregister(registry, ends[0], OLD, PLX_READABLE | PLX_EDGE), 0);
    CHECK_EQ(seen, 1);
    CHECK_EQ(last_seen, OLD);
    end(ends);
}

static uint32_t tag_of(int fd)
{
    return atomic_load(&plx__table_entry(&registry->table, fd)->tag);
}

/* A reader that has one tag before and after has not been between them for a whole change. */
static void a_change_that_fails_loses_nothing(void)
{
    int ends[2];

    start(ends);
    for (int round = 0; round < 3; round++) {
        uint32_t tag = tag_of(ends[0]);
        look_before = round == 0; /* this takes the edge */
        failing = ENOMEM;
        CHECK_RC(plx_reregister(registry, ends[0], NEW, PLX_READABLE | PLX_EDGE), -ENOMEM);
        CHECK_EQ(seen, 0);
        CHECK(tag_of(ends[0]) != tag);
        CHECK_EQ(plx__tag_key(tag_of(ends[0])), plx__tag_key(tag)); /* which the kernel has still */
        expect(OLD);
    }
    end(ends);
}

static void a_deregister_that_fails_loses_nothing(void)
{
    int ends[2];

    start(ends);
    look_before = true;
    failing = ENOMEM;
    CHECK_RC(plx_deregister(registry, ends[0]), -ENOMEM);
    CHECK_EQ(seen, 0);
    expect(OLD);
    end(ends);
}

static void a_new_registration_reports_at_once(void)
{
    int ends[2];

    start(ends);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    look_after = true;
    CHECK_RC(plx_register(registry, ends[0], NEW, PLX_READABLE | PLX_EDGE), 0);
    CHECK_EQ(seen, 1);
    CHECK_EQ(last_seen, NEW);
    end(ends);
}

/* The number is another file, ready as well; neither of the two may be lost or mistaken. */
static void a_registration_over_an_old_one_loses_nothing(void)
{
    int ends[2], others[2];

    start(ends);
    int kept = dup(ends[0]);
    CHECK(kept >= 0);
    open_pair(others);
    put_byte(others[1]);
    CHECK_EQ(dup2(others[0], ends[0]), ends[0]);
    look_after = true;
    CHECK_RC(plx_register(registry, ends[0], NEW, PLX_READABLE | PLX_EDGE), 0);
    CHECK(seen <= 1 && (seen == 0 || last_seen == OLD));
    while (plx_poller_wait(poller, &event, 1, PLX_FOREVER) != 1 || event.token != NEW) {
    }
    CHECK_EQ(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK(close(kept) == 0);
    close_pair(others);
    end(ends);
}

int main(void)
{
    plx_options options = {.backend = PLX_BACKEND_EPOLL};

    if (plx_poller_open(&poller, &options) == -ENOTSUP)
        SKIP("this system has no epoll, and so no edges");
    plx_poller_close(poller);
    watchdog(30);
    a_change_loses_nothing();
    a_change_that_fails_loses_nothing();
    a_new_registration_reports_at_once();
    a_registration_over_an_old_one_loses_nothing();
    a_deregister_that_fails_loses_nothing();
    return 0;
}
