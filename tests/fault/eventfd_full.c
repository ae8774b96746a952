/* SPDX-License-Identifier: MIT */
/*
 * What wakes the kernel is full: the eventfd's counter at its last number, the pipe without
 * room, a port with as many objects and events as it may have. Full means that a wake is there already, or can be made; it is never an error, and
 * the waiter wakes.
 */
#include "os/config.h"

#include "../backends.h"
#include "../seam.h"

#include "backend/backend.h"
#include "core/core.h"

static plx_poller *poller;
static plx_registry *registry;
static plx_event got;

static void *wait_for_one(void *unused)
{
    CHECK_RC(plx_poller_wait(poller, &got, 1, PLX_FOREVER), 1);
    return unused;
}

#ifdef PLX__KQUEUE_USER
/* A kernel without EVFILT_USER: the poller takes a pipe. */
static int kevent_without_user(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                               int capacity, const struct timespec *timeout)
{
    if (change_count == 0 || changes->filter != PLX__KQUEUE_USER)
        return seam_kevent(kq, changes, change_count, events, capacity, timeout);
    errno = EINVAL;
    return -1;
}
#endif

/* The counter's last number, or a pipe that takes no byte more; or the next event is refused. */
static void stuff(plx_backend backend)
{
    if (backend == PLX_BACKEND_EVENT_PORTS) {
        seam_fail(SEAM_PORT_SEND, 1, EAGAIN);
        return;
    }
    if (backend == PLX_BACKEND_KQUEUE) /* its pipe is never full: nobody writes it */
        return;
    if (backend == PLX_BACKEND_EPOLL || backend == PLX_BACKEND_IO_URING) {
        uint64_t most = UINT64_MAX - 1, drained;
        int fd = atomic_load(&seam.last_eventfd);
        (void)!read(fd, &drained, sizeof drained);
        CHECK_EQ(write(fd, &most, sizeof most), sizeof most);
        CHECK_EQ(write(fd, &(uint64_t){1}, sizeof most), -1);
    } else {
        char bytes[4096] = {0};
        while (write(atomic_load(&seam.last_pipe), bytes, sizeof bytes) > 0) {
        }
        while (write(atomic_load(&seam.last_pipe), bytes, 1) > 0) {
        }
    }
    CHECK_EQ(errno, EAGAIN);
}

/* Filled up while nobody waits; the waiter that comes finds that wake, and sleeps on. */
static void a_sleeper_is_woken(plx_backend backend, bool stuffed_asleep)
{
    plx_waker *waker;

    CHECK_RC(plx_waker_open(registry, 7, &waker), 0);
    if (!stuffed_asleep)
        stuff(backend);
    pthread_t thread = thread_start(wait_for_one, NULL);
    while (!(plx__wake_word(&registry->wake) & PLX__SLEEPING_MASK))
        sleep_for(PLX_USEC(100));
    sleep_for(PLX_MSEC(2));
    if (stuffed_asleep)
        stuff(backend);
    CHECK_RC(plx_waker_wake(waker), 0);
    thread_join(thread);
    CHECK_EQ(got.token, 7);
    CHECK_EQ(got.flags, PLX_WAKER);
    plx_waker_release(waker);
}

/* With the poller nested, the wake must reach a descriptor that nobody sleeps on. */
static void a_nested_poller_becomes_readable(void)
{
    int fd = plx_poller_descriptor(poller);
    struct pollfd outer = {.fd = fd, .events = POLLIN};

    CHECK(fd >= 0);
    CHECK_RC(plx_poller_wait(poller, &got, 1, 0), 0);
    stuff(PLX_BACKEND_EPOLL);
    CHECK_RC(plx_poller_wait(poller, &got, 1, 0), 0); /* takes the edge that stuffing made */
    CHECK_EQ(poll(&outer, 1, 0), 0);
    CHECK_RC(plx_post(registry, 8, 8), 0);
    CHECK_EQ(poll(&outer, 1, 10000), 1);
    CHECK_RC(plx_poller_wait(poller, &got, 1, 0), 1);
    CHECK_EQ(got.token, 8);
}

int main(void)
{
    watchdog(30);
    seam_install();
#ifdef PLX__KQUEUE_USER
    plx__kqueue.kevent = kevent_without_user;
#endif
    for (size_t i = 0; backends_here()[i]; i++) {
        plx_options options = {.backend = backends_here()[i]->id};
        CHECK_RC(plx_poller_open(&poller, &options), 0);
        registry = plx_poller_registry(poller);
        for (int round = 0; round < 10; round++) {
            check_note("%s, round %d", backends_here()[i]->name, round);
            a_sleeper_is_woken(options.backend, round % 2);
        }
        if (options.backend == PLX_BACKEND_EPOLL || options.backend == PLX_BACKEND_IO_URING)
            a_nested_poller_becomes_readable();
        stuff(options.backend);
        seam_reset();
        CHECK_RC(plx_poller_wait(poller, &got, 1, PLX_MSEC(1)), 0);
        CHECK(atomic_load(&seam.made[SEAM_POLL]) <= 3); /* it is emptied at once */
        plx_poller_close(poller);
    }
    return 0;
}
