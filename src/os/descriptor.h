/* SPDX-License-Identifier: MIT */
/*
 * What the core asks about a descriptor itself. The table of registrations is indexed by the
 * number of a descriptor: on POSIX itself; on Windows a handle without its two lowest bits, which
 * are 0.
 */
#ifndef PLX__DESCRIPTOR_H
#define PLX__DESCRIPTOR_H

#include "os/config.h"

#include <pollux.h>

#define PLX__NO_DESCRIPTOR ((plx_fd)-1)

#if PLX__HAS_POSIX
#include "os/descriptor_posix.h"
#else
#include "os/descriptor_win32.h"
#endif

/* Whether it can be one at all. The next two are for those that can. */
static inline bool     plx__descriptor_valid(plx_fd fd);
static inline uint32_t plx__descriptor_number(plx_fd fd);
static inline plx_fd   plx__descriptor_of(uint32_t number);

bool plx__descriptor_is_open(plx_fd fd);

#endif
