/* SPDX-License-Identifier: MIT */
/*
 * Hints by EVFILT_VNODE: each costs an open file. What is told is of the file, whatever becomes
 * of its name.
 */
#include "os/config.h"

#include "os/hints.h"

#if PLX__HAS_KQUEUE
#include "os/fork.h"
#include "os/kqueue.h"

#include <fcntl.h>

/* Opened to be told of, where the system knows that: it does not keep a volume from being unmounted. */
#ifdef O_EVTONLY
#define HINT_OPEN O_EVTONLY
#else
#define HINT_OPEN O_RDONLY
#endif

int plx__hints_open(plx__hints *hints, const plx_allocator *memory)
{
    int kq = plx__kqueue_open();

    if (kq < 0)
        return kq;
    *hints = (plx__hints){
        .memory = memory,
        .fd = kq,
        .generation = atomic_load_explicit(&plx__fork_generation, PLX__RELAXED),
    };
    return 0;
}

/* A child has not got it, and the number may be another's. */
void plx__hints_close(plx__hints *hints)
{
    if (hints->fd != PLX__NO_DESCRIPTOR &&
        hints->generation == atomic_load_explicit(&plx__fork_generation, PLX__RELAXED))
        plx__close(hints->fd);
    hints->fd = PLX__NO_DESCRIPTOR;
}

int plx__hint_add(plx__hints *hints, const char *path, bool follow, plx__hint *hint)
{
    struct kevent change;
    int saved = errno;
    int flags = HINT_OPEN | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
    int fd = plx__result(plx__posix.open(path, flags), saved);

    if (fd < 0)
        return fd;
    EV_SET(&change, fd, EVFILT_VNODE, EV_ADD | EV_CLEAR,
           NOTE_DELETE | NOTE_WRITE | NOTE_EXTEND | NOTE_ATTRIB | NOTE_LINK | NOTE_RENAME | NOTE_REVOKE, 0, 0);
    int rc = plx__kqueue_change(hints->fd, &change);
    if (rc < 0)
        plx__close(fd);
    else
        *hint = (plx__hint)fd + 1;
    return rc < 0 ? rc : 0;
}

/* The kernel's knote goes with the number. */
void plx__hint_remove(plx__hints *hints, plx__hint hint)
{
    (void)hints;
    if (hint)
        plx__close((int)(hint - 1));
}

bool plx__hints_drain(plx__hints *hints)
{
    struct kevent events[64];
    bool any = false;
    int count;

    do {
        count = plx__kqueue_wait(hints->fd, events, 64, 0);
        any |= count > 0;
    } while (count == 64 || count == -EINTR);
    return any;
}

#endif
