/* SPDX-License-Identifier: MIT */
/* What the core asks about a descriptor itself. */
#ifndef PLX__DESCRIPTOR_H
#define PLX__DESCRIPTOR_H

#include <pollux.h>

bool plx__descriptor_is_open(plx_fd fd);

#endif
