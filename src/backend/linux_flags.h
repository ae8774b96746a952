/* SPDX-License-Identifier: MIT */
/*
 * Linux' names for what is ready, which epoll and io_uring share, and ours: the same bits, but for
 * what is unusual.
 */
#ifndef PLX__LINUX_FLAGS_H
#define PLX__LINUX_FLAGS_H

#include "core/harvest.h"
#include "os/linux.h"

#if PLX__HAS_EPOLL

/* Readiness, modes, and of a native registration the kernel's own. */
_Static_assert(PLX_READABLE == EPOLLIN && PLX_WRITABLE == EPOLLOUT && PLX_PRIORITY == EPOLLPRI &&
                   PLX_ERROR == EPOLLERR && PLX_WRITE_CLOSED == EPOLLHUP && PLX_READ_CLOSED == EPOLLRDHUP &&
                   PLX_EDGE == EPOLLET && PLX_ONESHOT == EPOLLONESHOT && PLX_EXCLUSIVE == EPOLLEXCLUSIVE,
               "no translation");

/* What only a native registration asks for; the kernel's other names for reading and writing. */
#define PLX__LINUX_READING (EPOLLRDNORM | EPOLLRDBAND)
#define PLX__LINUX_WRITING (EPOLLWRNORM | EPOLLWRBAND)
#define PLX__LINUX_UNUSUAL (EPOLLERR | EPOLLHUP | PLX__LINUX_READING | PLX__LINUX_WRITING)

/*
 * What the unusual means. A hang-up is the end of both directions; of a pipe, the kernel reports
 * the end of the readers as an error alone.
 */
static inline uint32_t plx__linux_flags(plx__harvest *harvest, const plx__key *key, uint32_t events)
{
    uint32_t flags = events;

    if (events & PLX__LINUX_READING)
        flags |= PLX_READABLE;
    if (events & PLX__LINUX_WRITING)
        flags |= PLX_WRITABLE;
    if (events & EPOLLHUP) {
        flags |= PLX_READ_CLOSED;
    } else if (events & EPOLLERR) {
        harvest->calls++;
        flags |= plx__is_pipe((int)key->fd) ? PLX_WRITE_CLOSED : 0;
    }
    return flags;
}

#endif

#endif
