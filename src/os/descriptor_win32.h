/* SPDX-License-Identifier: MIT */
/*
 * The numbers of descriptors, on Windows: sockets and other handles of a process are numbered by
 * one table of the kernel, in steps of 4, below 2^26.
 */
#ifndef PLX__DESCRIPTOR_WIN32_H
#define PLX__DESCRIPTOR_WIN32_H

#include <pollux.h>

static inline bool plx__descriptor_valid(plx_fd fd)
{
    return fd && (fd & 3) == 0 && fd >> 26 == 0;
}

static inline uint32_t plx__descriptor_number(plx_fd fd)
{
    return (uint32_t)(fd >> 2);
}

static inline plx_fd plx__descriptor_of(uint32_t number)
{
    return (plx_fd)number << 2;
}

#endif
