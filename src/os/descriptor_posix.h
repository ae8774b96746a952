/* SPDX-License-Identifier: MIT */
/* The numbers of descriptors, by POSIX: what descriptor.h needs inline. */
#ifndef PLX__DESCRIPTOR_POSIX_H
#define PLX__DESCRIPTOR_POSIX_H

#include <pollux.h>

static inline bool plx__descriptor_valid(plx_fd fd)
{
    return fd >= 0;
}

static inline uint32_t plx__descriptor_number(plx_fd fd)
{
    return (uint32_t)fd;
}

static inline plx_fd plx__descriptor_of(uint32_t number)
{
    return (plx_fd)number;
}

#endif
