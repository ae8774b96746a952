/* SPDX-License-Identifier: MIT */
/*
 * Sources and limits that the kernel's polls, or the library's poll(2), have a case of their own for.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

/* The other poller sleeps, is exclusive and first in the source's queue: it has the one wake of those. */
static void *sleep_beside(void *beside)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(beside, &event, 1, PLX_SEC(20)), 1);
    return NULL;
}

static void await_readers(plx_poller *beside)
{
    while (!(plx__wake_word(&plx_poller_registry(beside)->wake) & PLX__SLEEPING_MASK))
        sleep_for(PLX_MSEC(1));
    sleep_for(PLX_MSEC(50)); /* it has said so, and goes to sleep */
}

static void an_exclusive_poll_can_be_made_common(void)
{
    plx_options options = {.backend = PLX_BACKEND_EPOLL};
    plx_poller *beside;
    plx_event event;
    int fd = open_counter();

    watchdog(40);
    CHECK_RC(plx_poller_open(&beside, &options), 0);
    CHECK_RC(plx_register(plx_poller_registry(beside), fd, 1, PLX_READABLE | PLX_EDGE | PLX_EXCLUSIVE), 0);
    uring_open();
    CHECK_RC(plx_register(registry, fd, 1, PLX_READABLE | PLX_EDGE | PLX_EXCLUSIVE), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_RC(plx_reregister(registry, fd, 2, PLX_READABLE | PLX_EDGE), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    pthread_t thread = thread_start(sleep_beside, beside);
    await_readers(beside);
    raise_counter(fd);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    CHECK_EQ(event.token, 2);
    thread_join(thread);
    plx_poller_close(poller);
    plx_poller_close(beside);
    CHECK(close(fd) == 0);
}

int main(void)
{
    uring_need();
    an_exclusive_poll_can_be_made_common();
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
