/* SPDX-License-Identifier: MIT */
/* poll(2)'s flags and ours, for the kernel interfaces that speak in them. */
#ifndef PLX__POLL_BITS_H
#define PLX__POLL_BITS_H

#include "core/table.h"
#include "os/posix.h"

#if PLX__HAS_POSIX

static inline short plx__poll_events(uint32_t flags)
{
    int events = (flags & PLX_READABLE ? POLLIN : 0) | (flags & PLX_WRITABLE ? POLLOUT : 0) |
                 (flags & PLX_PRIORITY ? PLX__POLLPRI : 0) |
                 (flags & (PLX_READABLE | PLX_READ_CLOSED) ? PLX__POLLRDHUP : 0);

    return (short)events;
}

/* Whether the end of what a peer writes is seen by a peek at a readable descriptor alone. */
static inline bool plx__poll_peeked(int fd, uint32_t *calls)
{
    if (PLX__POLLRDHUP)
        return false;
    ++*calls;
    return plx__is_stream(fd);
}

/* The look takes the socket's error along, if one has come since poll(2): it is told here. */
static inline uint32_t plx__poll_peek(int fd, uint32_t *calls)
{
    int rc = plx__peek(fd);

    ++*calls;
    return rc == 0 ? PLX_READ_CLOSED : rc == -ECONNRESET ? PLX_ERROR : 0;
}

/* A hang-up is the end of both directions; of a pipe, its readers' end may be an error alone. */
static inline uint32_t plx__poll_flags(int revents, int fd, bool peeked, uint32_t *calls)
{
    uint32_t flags = (revents & POLLIN ? PLX_READABLE : 0) | (revents & POLLOUT ? PLX_WRITABLE : 0) |
                     (revents & PLX__POLLPRI ? PLX_PRIORITY : 0) | (revents & PLX__POLLRDHUP ? PLX_READ_CLOSED : 0) |
                     (revents & (POLLERR | POLLNVAL) ? PLX_ERROR : 0) | (revents & POLLHUP ? PLX_WRITE_CLOSED : 0);

    if (revents & POLLHUP) {
        flags |= PLX_READ_CLOSED;
    } else if (revents & POLLERR) {
        ++*calls;
        flags |= plx__is_pipe(fd) ? PLX_WRITE_CLOSED : 0;
    } else if (peeked && revents & POLLIN) {
        flags |= plx__poll_peek(fd, calls);
    }
    return flags;
}

#endif

#endif
