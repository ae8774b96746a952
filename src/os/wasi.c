/* SPDX-License-Identifier: MIT */
/*
 * poll(2) by WASI, which is not the same on every host. Node's finds nothing at all in no time;
 * of several directions it returns once all are ready, or the time is up; of two directions of
 * one descriptor it reports none, nor a number that is closed. So each call here is for one
 * direction. One alone sleeps as long as it is told to, several take turns of a few milliseconds.
 */
#include "os/config.h"

#include "os/clock.h"

#if PLX__OS == PLX__OS_wasi
#include "os/wasi.h"

#include <errno.h>
#include <fcntl.h>

/* The longest turn, in milliseconds. */
enum { WASI_TURN = 8 };

static bool wasi_awaited(const struct pollfd *one, short direction)
{
    return one->fd >= 0 && one->events & direction;
}

static int wasi_directions(const struct pollfd *fds, nfds_t count)
{
    int directions = 0;

    for (nfds_t i = 0; i < count; i++)
        directions += wasi_awaited(&fds[i], POLLIN) + wasi_awaited(&fds[i], POLLOUT);
    return directions;
}

static int wasi_poll_direction(struct pollfd *element, short direction, int milliseconds)
{
    struct pollfd one = {.fd = element->fd, .events = direction};

    if (!wasi_awaited(element, direction))
        return 0;
    if (fcntl(one.fd, F_GETFL) < 0)
        one.revents = POLLNVAL;
    else if (poll(&one, 1, milliseconds) < 0)
        return -1;
    element->revents |= one.revents;
    return 0;
}

/* Each direction once, for this long each until there is something. */
static int wasi_poll_all(struct pollfd *fds, nfds_t count, int milliseconds)
{
    int found = 0;

    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (wasi_poll_direction(&fds[i], POLLIN, found ? 1 : milliseconds) < 0 ||
            wasi_poll_direction(&fds[i], POLLOUT, found || fds[i].revents ? 1 : milliseconds) < 0)
            return -1;
        found += fds[i].revents != 0;
    }
    return found;
}

int plx__wasi_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    int directions = wasi_directions(fds, count);
    plx_nanos deadline = milliseconds < 0 ? INT64_MAX : plx__clock_now() + PLX_MSEC(milliseconds);
    int rc;

    if (directions == 0 && milliseconds < 0) {
        errno = EDEADLK;
        return -1;
    }
    if (directions == 0)
        return poll(NULL, 0, milliseconds);
    if (directions == 1 && milliseconds != 0)
        return wasi_poll_all(fds, count, milliseconds);
    int turn = 1;
    do {
        rc = wasi_poll_all(fds, count, turn);
        turn = turn < WASI_TURN ? turn * 2 : turn;
    } while (rc == 0 && plx__clock_now() < deadline);
    return rc;
}

#endif
