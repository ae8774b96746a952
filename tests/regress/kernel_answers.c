/* SPDX-License-Identifier: MIT */
/*
 * Answers of the kernel that were once misread. Each case has its story in two lines. All are
 * of epoll but the first three, which every backend must get right.
 */
#include "os/config.h"

#include "../backends.h"
#include "../check.h"

#include "backend/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static plx_poller *open_on(plx_backend backend)
{
    plx_poller *poller;
    plx_options options = {.backend = backend};

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    return poller;
}

static void open_pair(int ends[2])
{
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

/*
 * A registered number that was closed and became a regular file could not be deregistered:
 * epoll says EPERM to everything then, which was taken for a refusal.
 */
static void closed_number_that_is_a_file_is_deregistered(plx_backend backend)
{
    plx_poller *poller = open_on(backend);
    plx_registry *registry = plx_poller_registry(poller);
    int ends[2];

    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    int file = open(".", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(dup2(file, ends[0]), ends[0]);
    CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_WRITABLE), -ENOENT);
    CHECK_RC(plx_enable(registry, ends[0], PLX_WRITABLE), -ENOENT);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    CHECK_RC(plx_deregister(registry, ends[0]), -ENOENT);
    plx_poller_close(poller);
    close(file);
    close(ends[0]);
    close(ends[1]);
}

/*
 * A oneshot that had reported, and whose interest was then taken from, spoke again on a
 * hang-up: the kernel's silent entry reports one, and nobody looked whether it was armed.
 */
static void fired_oneshot_stays_silent_after_disable(plx_backend backend)
{
    plx_poller *poller = open_on(backend);
    plx_registry *registry = plx_poller_registry(poller);
    plx_event event;
    int ends[2];

    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | PLX_WRITABLE | PLX_ONESHOT), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    CHECK_RC(plx_disable(registry, ends[0], PLX_WRITABLE), 0);
    close(ends[1]);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_MSEC(20)), 0);
    CHECK_RC(plx_enable(registry, ends[0], 0), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    plx_poller_close(poller);
    close(ends[0]);
}

/*
 * The library's own descriptor could be registered, which took its wake's place in the kernel's
 * set: the poller went deaf, and its close waited for ever.
 */
static void own_descriptors_are_refused(plx_backend backend)
{
    int before = dup(0);
    close(before); /* the next numbers are the poller's */
    plx_poller *poller = open_on(backend);
    plx_registry *registry = plx_poller_registry(poller);
    plx_event event;

    int own = backend == PLX_BACKEND_KQUEUE ? 1 : 2;
    for (int fd = before; fd < before + own; fd++)
        CHECK_RC(plx_register(registry, fd, 1, PLX_READABLE), -EINVAL);
    CHECK_RC(plx_post(registry, 3, 4), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    plx_poller_close(poller);
}

#if PLX__HAS_EPOLL
#include <sys/epoll.h>
#include <sys/eventfd.h>

/*
 * Renewing the set put a file into it that nobody had registered: asked about an exclusive
 * entry with the flag itself, the kernel says EINVAL whether the entry is there or not.
 */
static void renewal_adopts_no_stranger_under_an_exclusive_token(void)
{
    plx_poller *poller = open_on(PLX_BACKEND_EPOLL);
    plx_registry *registry = plx_poller_registry(poller);
    plx_event event;
    int lost[2], ghost[2];

    open_pair(lost);
    open_pair(ghost);
    CHECK_RC(plx_register(registry, lost[0], 77, PLX_READABLE | PLX_EXCLUSIVE), 0);
    int ready = eventfd(1, EFD_CLOEXEC);
    CHECK_EQ(dup2(ready, lost[0]), lost[0]);
    CHECK_RC(plx_register(registry, ghost[0], 5, PLX_WRITABLE), 0);
    int copy = dup(ghost[0]);
    close(ghost[0]);
    CHECK_RC(plx_deregister(registry, ghost[0]), 0);
    for (int i = 0; i < 5; i++)
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_MSEC(5)), 0);
    plx_poller_close(poller);
    close(copy);
    close(ready);
    close(lost[0]);
    close(lost[1]);
    close(ghost[1]);
}

/*
 * A file that came back under its number could not be registered if the kernel still had it
 * as exclusive: such an entry cannot be modified, only removed.
 */
static void file_that_was_exclusive_returns(void)
{
    plx_poller *poller = open_on(PLX_BACKEND_EPOLL);
    plx_registry *registry = plx_poller_registry(poller);
    plx_event event;
    int ends[2];

    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | PLX_EXCLUSIVE), 0);
    int copy = dup(ends[0]);
    close(ends[0]);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    CHECK_EQ(dup2(copy, ends[0]), ends[0]);
    CHECK_RC(plx_register(registry, ends[0], 2, PLX_WRITABLE), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    CHECK_EQ(event.token, 2);
    plx_poller_close(poller);
    close(copy);
    close(ends[0]);
    close(ends[1]);
}

/*
 * The kernel's other names for reading and writing came through as flags that the header does
 * not have.
 */
static void native_names_are_translated(void)
{
    plx_poller *poller = open_on(PLX_BACKEND_EPOLL);
    plx_registry *registry = plx_poller_registry(poller);
    plx_event event;
    int ends[2];

    open_pair(ends);
    CHECK_RC(plx_register_native(registry, ends[0], 1, EPOLLWRNORM), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    CHECK_EQ(event.flags, PLX_WRITABLE);
    CHECK_EQ(event.native, EPOLLWRNORM);
    plx_poller_close(poller);
    close(ends[0]);
    close(ends[1]);
}

#endif

int main(void)
{
    for (size_t i = 0; backends_here()[i]; i++) {
        closed_number_that_is_a_file_is_deregistered(backends_here()[i]->id);
        fired_oneshot_stays_silent_after_disable(backends_here()[i]->id);
        own_descriptors_are_refused(backends_here()[i]->id);
    }
#if PLX__HAS_EPOLL
    renewal_adopts_no_stranger_under_an_exclusive_token();
    file_that_was_exclusive_returns();
    native_names_are_translated();
#endif
    return 0;
}
