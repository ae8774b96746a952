/* SPDX-License-Identifier: MIT */
/*
 * After fork the poller is the parent's. An epoll set is shared with the child, which could
 * take the parent's registrations away; a kqueue is not there at all. Hence -ECHILD.
 */
#include "support.h"

typedef struct family {
    plx_poller   *poller;
    plx_registry *registry;
    plx_waker    *waker;
    plx_fd        ends[2], fresh[2];
} family;

static family family_open(void)
{
    family f;
    f.poller = open_poller();
    f.registry = plx_poller_registry(f.poller);
    CHECK_RC(plx_waker_open(f.registry, 2, &f.waker), 0);
    open_stream(f.ends);
    open_stream(f.fresh);
    CHECK_RC(plx_register(f.registry, f.ends[0], 1, PLX_READABLE), 0);
    return f;
}

static void family_close(family *f)
{
    plx_waker_release(f->waker);
    plx_poller_close(f->poller);
    close_pair(f->ends);
    close_pair(f->fresh);
}

/* All is as it was, for the parent. */
static void expect_untouched(family *f)
{
    plx_token token;
    uint32_t interest;
    CHECK_RC(plx_lookup(f->registry, f->ends[0], &token, &interest), 0);
    CHECK(token == 1 && interest == PLX_READABLE);
    CHECK_EQ(stats_of(f->poller).registered, 1);
    EXPECT_SILENCE(f->poller, 0);
    put(f->ends[1], 1);
    EXPECT(f->poller, 1, PLX_READABLE);
    CHECK_EQ(drain(f->ends[0]), 1);
    EXPECT_SILENCE(f->poller, 0);
    CHECK_RC(plx_waker_wake(f->waker), 0);
    EXPECT(f->poller, 2, PLX_WAKER);
    CHECK_RC(plx_post(f->registry, 3, 4), 0);
    EXPECT(f->poller, 3, PLX_POST);
}

static void call_everything(void *argument)
{
    family *f = argument;
    plx_event event = {1, 2, 3, 4};
    plx_waker *waker = NULL;
    errno = 4711;
    CHECK_RC(plx_poller_wait(f->poller, &event, 1, 0), -ECHILD);
    CHECK_RC(plx_poller_wait(f->poller, &event, 1, PLX_FOREVER), -ECHILD);
    CHECK_RC(plx_poller_wait_until(f->poller, &event, 1, 0), -ECHILD);
    CHECK_RC(plx_register(f->registry, f->fresh[0], 5, PLX_READABLE), -ECHILD);
    CHECK_RC(plx_reregister(f->registry, f->ends[0], 5, PLX_WRITABLE), -ECHILD);
    CHECK_RC(plx_enable(f->registry, f->ends[0], PLX_WRITABLE), -ECHILD);
    CHECK_RC(plx_disable(f->registry, f->ends[0], PLX_READABLE), -ECHILD);
    CHECK_RC(plx_deregister(f->registry, f->ends[0]), -ECHILD);
    CHECK_RC(plx_lookup(f->registry, f->ends[0], NULL, NULL), -ECHILD);
    CHECK_RC(plx_notify(f->registry), -ECHILD);
    CHECK_RC(plx_post(f->registry, 5, 5), -ECHILD);
    CHECK_RC(plx_waker_wake(f->waker), -ECHILD);
    CHECK_RC(plx_waker_open(f->registry, 5, &waker), -ECHILD);
    int native = plx_register_native(f->registry, f->fresh[0], 5, 1);
    CHECK(native == -ECHILD || native == -ENOTSUP);
    CHECK_EQ(errno, 4711);
    CHECK(waker == NULL && event.token == 1 && event.flags == 2);
}

CASE(calls_in_a_child_are_echild_and_harmless)
{
    family f = family_open();
    CHECK_EQ(in_child(call_everything, &f), 0);
    expect_untouched(&f);
    family_close(&f);
}

static void close_everything(void *argument)
{
    family *f = argument;
    int before = descriptors_open();
    plx_poller_close(f->poller);
    CHECK(before < 0 || descriptors_open() < before || backend_is("kqueue"));
    CHECK(plx_waker_wake(f->waker) < 0);
    plx_waker_release(f->waker);
    put(f->fresh[0], 1); /* the registered descriptors are as they were */
    CHECK(descriptor_is_open(f->ends[0]));
}

CASE(close_in_a_child_only_frees)
{
    family f = family_open();
    CHECK_EQ(in_child(close_everything, &f), 0);
    CHECK_EQ(drain(f.fresh[1]), 1);
    expect_untouched(&f);
    family_close(&f);
}

static void leave_at_once(void *argument)
{
    (void)argument;
}

CASE(child_that_just_exits_changes_nothing)
{
    family f = family_open();
    CHECK_RC(plx_post(f.registry, 9, 9), 0); /* pending while it lives and dies */
    CHECK_EQ(in_child(leave_at_once, NULL), 0);
    EXPECT(f.poller, 9, PLX_POST);
    expect_untouched(&f);
    family_close(&f);
}

static void use_own_poller(void *argument)
{
    family *f = argument;
    plx_poller *own = open_poller();
    plx_registry *registry = plx_poller_registry(own);
    CHECK_RC(plx_register(registry, f->ends[0], 7, PLX_READABLE), 0);
    CHECK_RC(plx_register(registry, f->fresh[0], 8, PLX_WRITABLE | PLX_ONESHOT), 0);
    EXPECT(own, 8, PLX_WRITABLE);
    put(f->ends[1], 1);
    EXPECT(own, 7, PLX_READABLE);
    CHECK_EQ(drain(f->ends[0]), 1);
    CHECK_RC(plx_deregister(registry, f->ends[0]), 0);
    CHECK_RC(plx_post(registry, 1, 1), 0);
    EXPECT(own, 1, PLX_POST);
    plx_poller_close(f->poller);
    CHECK_RC(plx_post(registry, 1, 1), 0);
    EXPECT(own, 1, PLX_POST);
    plx_poller_close(own);
}

CASE(child_may_have_a_poller_of_its_own)
{
    family f = family_open();
    CHECK_EQ(in_child(use_own_poller, &f), 0);
    expect_untouched(&f);
    family_close(&f);
}

/* A child's child, and a registry that the child alone still holds. */
static void fork_again(void *argument)
{
    family *f = argument;
    plx_registry_retain(f->registry);
    plx_poller_close(f->poller);
    CHECK(plx_post(f->registry, 1, 1) < 0);
    CHECK(plx_register(f->registry, f->fresh[0], 1, PLX_READABLE) < 0);
    CHECK(plx_deregister(f->registry, f->ends[0]) < 0);
    plx_registry_release(f->registry);
    plx_poller *own = open_poller();
    f->poller = own;
    f->registry = plx_poller_registry(own);
    CHECK_RC(plx_register(f->registry, f->ends[0], 1, PLX_READABLE), 0);
    plx_waker *waker;
    CHECK_RC(plx_waker_open(f->registry, 2, &waker), 0);
    f->waker = waker;
    CHECK_EQ(in_child(call_everything, f), 0);
    expect_untouched(f);
}

CASE(grandchildren_are_children_too)
{
    family f = family_open();
    CHECK_EQ(in_child(fork_again, &f), 0);
    expect_untouched(&f);
    family_close(&f);
}

/* The waiter is recorded as waiting, and in the child it will never come home. */
CASE(fork_while_another_thread_waits)
{
    static waiter w;
    family f = family_open();
    waiter_start_asleep(&w, f.poller);
    CHECK_EQ(in_child(call_everything, &f), 0);
    CHECK_EQ(in_child(close_everything, &f), 0);
    CHECK_EQ(drain(f.fresh[1]), 1);
    CHECK_EQ(in_child(leave_at_once, NULL), 0);
    CHECK_EQ(atomic_load(&w.done), 0);
    put(f.ends[1], 1);
    CHECK_RC(waiter_join(&w), 1);
    CHECK_EQ(w.events[0].token, 1);
    CHECK_EQ(drain(f.ends[0]), 1);
    expect_untouched(&f);
    family_close(&f);
}

typedef struct changer {
    plx_registry *registry;
    plx_fd        fd;
    atomic_int    stop;
} changer;

static void change_for_ever(void *argument)
{
    changer *self = argument;
    while (!atomic_load(&self->stop)) {
        CHECK_RC(plx_register(self->registry, self->fd, 6, 0), 0);
        CHECK_RC(plx_deregister(self->registry, self->fd), 0);
    }
}

static void call_and_close(void *argument)
{
    call_everything(argument);
    plx_poller_close(((family *)argument)->poller);
    plx_waker_release(((family *)argument)->waker);
}

/* A lock that another thread held at the fork stays shut in the child. */
CASE(fork_while_another_thread_registers)
{
    family f = family_open();
    plx_fd ends[2];
    open_stream(ends);
    changer c = {.registry = f.registry, .fd = ends[0]};
    test_thread *thread = thread_start(change_for_ever, &c);
    for (int i = 0; i < 40; i++)
        CHECK_EQ(in_child(call_and_close, &f), 0);
    atomic_store(&c.stop, 1);
    thread_join(thread);
    expect_untouched(&f);
    family_close(&f);
    close_pair(ends);
}
