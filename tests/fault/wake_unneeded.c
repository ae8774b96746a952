/* SPDX-License-Identifier: MIT */
/*
 * A wake call that fails, while the only sleeper gets up by itself. Nothing is lost, but the
 * sender was told so: its post was taken back, and a notify that failed like this took along
 * one of another thread, which had been told 0.
 */
#include "os/config.h"

#include "../backends.h"
#include "../seam.h"

#include "backend/backend.h"
#include "core/core.h"

static plx_poller *poller;
static plx_registry *registry;
static pthread_t waiter;
static int ends[2];
static atomic_bool fails;

static void *wait_for_one(void *unused)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    CHECK_EQ(event.token, 1);
    return unused;
}

/* Ends the wait by other means. */
static int too_late(void)
{
    CHECK_EQ(seam.posix.write(ends[1], "", 1), 1);
    thread_join(waiter);
    errno = EIO;
    return -1;
}

/* The first wake of the library fails, when it is needed no more. */
static ssize_t write_too_late(int fd, const void *buffer, size_t size)
{
    return atomic_exchange(&fails, false) ? too_late() : seam.posix.write(fd, buffer, size);
}

#if PLX__HAS_EVENT_PORTS
static int send_too_late(int port, int events, void *user)
{
    return atomic_exchange(&fails, false) ? too_late() : seam.ports.port_send(port, events, user);
}
#endif

#if PLX__HAS_KQUEUE
static int trigger_too_late(int kq, const struct kevent *changes, int change_count, struct kevent *events, int capacity,
                            const struct timespec *timeout)
{
    if (seam_kevent_wakes(changes, change_count) && atomic_exchange(&fails, false))
        return too_late();
    return seam.kqueue.kevent(kq, changes, change_count, events, capacity, timeout);
}
#endif

static void start_waiter(void)
{
    waiter = thread_start(wait_for_one, NULL);
    while (!(plx__wake_word(&registry->wake) & PLX__SLEEPING_MASK))
        sleep_for(PLX_USEC(100));
    atomic_store(&fails, true);
}

static void empty_pipe(void)
{
    char byte;

    CHECK_EQ(read(ends[0], &byte, 1), 1);
}

static void post_is_kept(void)
{
    plx_event event;

    start_waiter();
    CHECK_RC(plx_post(registry, 2, 3), 0);
    CHECK(!atomic_load(&fails));
    empty_pipe();
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(20)), 1);
    CHECK_EQ(event.token, 2);
    CHECK_EQ(event.data, 3);
}

/* The wait that ended by itself has used it up. */
static void notify_has_reached_a_wait(void)
{
    plx_event event;

    start_waiter();
    CHECK_RC(plx_notify(registry), 0);
    CHECK(!atomic_load(&fails));
    empty_pipe();
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
}

int main(void)
{
    seam_install();
    plx__posix.write = write_too_late;
#if PLX__HAS_EVENT_PORTS
    plx__ports.port_send = send_too_late;
#endif
#if PLX__HAS_KQUEUE
    plx__kqueue.kevent = trigger_too_late;
#endif
    watchdog(60);
    for (size_t i = 0; backends_here()[i]; i++) {
        plx_options options = {.backend = backends_here()[i]->id};
        check_note("%s", backends_here()[i]->name);
        CHECK_EQ(pipe(ends), 0);
        CHECK_RC(plx_poller_open(&poller, &options), 0);
        registry = plx_poller_registry(poller);
        CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
        post_is_kept();
        notify_has_reached_a_wait();
        plx_poller_close(poller);
        close(ends[0]);
        close(ends[1]);
    }
    return 0;
}
