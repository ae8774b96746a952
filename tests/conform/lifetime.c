/* SPDX-License-Identifier: MIT */
/* What outlives what: registries and wakers after their poller, in any order. */
#include "os/config.h"
#include "support.h"

static void expect_shutdown(plx_registry *registry, plx_fd fd)
{
    plx_token token = 42;
    uint32_t interest = 43;
    plx_waker *mark = (plx_waker *)(void *)registry, *waker = mark;
    CHECK_RC(plx_register(registry, fd, 1, PLX_READABLE), -PLX_ESHUTDOWN);
    CHECK_RC(plx_reregister(registry, fd, 1, PLX_READABLE), -PLX_ESHUTDOWN);
    CHECK_RC(plx_deregister(registry, fd), -PLX_ESHUTDOWN);
    CHECK_RC(plx_enable(registry, fd, PLX_READABLE), -PLX_ESHUTDOWN);
    CHECK_RC(plx_disable(registry, fd, PLX_READABLE), -PLX_ESHUTDOWN);
    CHECK_RC(plx_lookup(registry, fd, &token, &interest), -PLX_ESHUTDOWN);
    CHECK_RC(plx_notify(registry), -PLX_ESHUTDOWN);
    CHECK_RC(plx_post(registry, 1, 2), -PLX_ESHUTDOWN);
    CHECK_RC(plx_waker_open(registry, 1, &waker), -PLX_ESHUTDOWN);
    int native = plx_register_native(registry, fd, 1, 1);
    CHECK(native == -PLX_ESHUTDOWN || native == -ENOTSUP);
    native = plx_reregister_native(registry, fd, 1, 1);
    CHECK(native == -PLX_ESHUTDOWN || native == -ENOTSUP);
    CHECK(waker == mark && token == 42 && interest == 43);
}

CASE(registry_that_outlives_its_poller_says_so)
{
    counting memory;
    plx_fd ends[2];
    open_stream(ends);
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
    CHECK(registry == plx_poller_registry(poller));
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_WRITABLE), 0);
    plx_poller_close(poller);
    for (int i = 0; i < 3; i++)
        expect_shutdown(registry, ends[0]);
    CHECK(plx_registry_retain(registry) == registry);
    plx_registry_release(registry);
    expect_shutdown(registry, ends[1]);
    plx_registry_release(registry);
    CHECK_EQ(atomic_load(&memory.live), 0);
    close_pair(ends);
}

CASE(waker_that_outlives_its_poller_says_so)
{
    counting memory;
    plx_waker *wakers[3];
    plx_poller *poller = open_counting(&memory);
    for (int i = 0; i < 3; i++)
        CHECK_RC(plx_waker_open(plx_poller_registry(poller), 1, &wakers[i]), 0);
    CHECK_RC(plx_waker_wake(wakers[0]), 0); /* pending when the poller goes */
    CHECK_RC(plx_waker_wake(wakers[1]), 0);
    plx_waker_release(wakers[1]);
    plx_poller_close(poller);
    CHECK_RC(plx_waker_wake(wakers[0]), -PLX_ESHUTDOWN);
    CHECK_RC(plx_waker_wake(wakers[2]), -PLX_ESHUTDOWN);
    CHECK(plx_waker_retain(wakers[2]) == wakers[2]);
    plx_waker_release(wakers[2]);
    CHECK_RC(plx_waker_wake(wakers[2]), -PLX_ESHUTDOWN);
    plx_waker_release(wakers[2]);
    plx_waker_release(wakers[0]);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* Poller, registry, waker, pending events: all six orders of letting go. */
CASE(objects_are_released_in_any_order)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int pending = 0; pending < 2; pending++)
        for (int i = 0; i < 6; i++) {
            counting memory;
            plx_waker *waker;
            plx_poller *poller = open_counting(&memory);
            plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
            check_note("order %d, pending %d", i, pending);
            CHECK_RC(plx_waker_open(registry, 1, &waker), 0);
            if (pending) {
                CHECK_RC(plx_waker_wake(waker), 0);
                CHECK_RC(plx_post(registry, 2, 2), 0);
            }
            for (int k = 0; k < 3; k++) {
                if (orders[i][k] == 0)
                    plx_poller_close(poller);
                else if (orders[i][k] == 1)
                    plx_registry_release(registry);
                else
                    plx_waker_release(waker);
            }
            CHECK_EQ(atomic_load(&memory.live), 0);
        }
}

CASE(descriptors_are_closed_whoever_holds_a_registry)
{
    plx_waker *waker;
    int before = descriptors_open();
    if (before < 0)
        SKIP("this system does not tell which descriptors are open");
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
    CHECK_RC(plx_waker_open(registry, 1, &waker), 0);
    CHECK_RC(plx_waker_wake(waker), 0);
    plx_poller_close(poller);
    CHECK_EQ(descriptors_open(), before);
    plx_waker_release(waker);
    plx_registry_release(registry);
    CHECK_EQ(descriptors_open(), before);
}

/* What was the poller's number may be somebody else's by now. */
CASE(calls_after_close_leave_reused_numbers_alone)
{
    enum { COUNT = 8 };
    plx_fd ends[COUNT][2], watched[2];
    plx_waker *waker;
    open_stream(watched);
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
    CHECK_RC(plx_waker_open(registry, 1, &waker), 0);
    CHECK_RC(plx_register(registry, watched[0], 1, PLX_READABLE), 0);
    plx_poller_close(poller);
    for (int i = 0; i < COUNT; i++)
        open_stream(ends[i]);
    expect_shutdown(registry, watched[0]);
    CHECK_RC(plx_waker_wake(waker), -PLX_ESHUTDOWN);
    plx_waker_release(waker);
    plx_registry_release(registry);
    for (int i = 0; i < COUNT; i++) {
        CHECK(!is_readable(ends[i][0]) && !is_readable(ends[i][1])); /* nothing was written to them */
        close_pair(ends[i]);
    }
    close_pair(watched);
}

/* ---- Threads that still hold something ---------------------------------------------------- */

typedef struct holder {
    plx_registry *registry;
    plx_waker    *waker;
    plx_fd        fd;
    atomic_int    calls;
} holder;

/* Calls until the poller is gone, and then lets go. */
static void use_until_shutdown(void *argument)
{
    holder *self = argument;
    for (bool gone = false; !gone;) {
        int rc[5];
        rc[0] = plx_post(self->registry, 1, 1);
        rc[1] = plx_waker_wake(self->waker);
        rc[2] = plx_notify(self->registry);
        rc[3] = plx_register(self->registry, self->fd, 1, PLX_WRITABLE);
        rc[4] = plx_deregister(self->registry, self->fd);
        for (int i = 0; i < 5; i++) {
            CHECK(rc[i] == 0 || rc[i] == -PLX_ESHUTDOWN);
            CHECK(!gone || rc[i] == -PLX_ESHUTDOWN); /* there is no way back */
            gone = gone || rc[i] == -PLX_ESHUTDOWN;
        }
        atomic_fetch_add(&self->calls, 1);
    }
    plx_waker_release(self->waker);
    plx_registry_release(self->registry);
}

CASE(poller_closes_while_other_threads_use_what_they_hold)
{
    enum { HOLDERS = 3 };
    plx_fd ends[HOLDERS][2];
    for (int i = 0; i < HOLDERS; i++)
        open_stream(ends[i]);
    int before = descriptors_open();
    for (int round = 0; round < 30; round++) {
        counting memory;
        holder holders[HOLDERS];
        test_thread *threads[HOLDERS];
        plx_poller *poller = open_counting(&memory);
        for (int i = 0; i < HOLDERS; i++) {
            holders[i].registry = plx_registry_retain(plx_poller_registry(poller));
            holders[i].fd = ends[i][0];
            atomic_init(&holders[i].calls, 0);
            CHECK_RC(plx_waker_open(holders[i].registry, 1, &holders[i].waker), 0);
            threads[i] = thread_start(use_until_shutdown, &holders[i]);
        }
        for (int i = 0; i < HOLDERS; i++)
            await_count(&holders[i].calls, 3);
        plx_event events[8];
        CHECK(plx_poller_wait(poller, events, 8, 0) >= 0);
        plx_poller_close(poller);
        if (PLX__HAS_POSIX) /* Winsock opens handles for threads that call it */
            CHECK_EQ(descriptors_open(), before);
        for (int i = 0; i < HOLDERS; i++)
            thread_join(threads[i]);
        CHECK_EQ(descriptors_open(), before);
        CHECK_EQ(atomic_load(&memory.live), 0);
    }
    for (int i = 0; i < HOLDERS; i++)
        close_pair(ends[i]);
}
