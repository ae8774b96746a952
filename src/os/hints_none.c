/* SPDX-License-Identifier: MIT */
/* No hints, on systems that have none. */
#include "os/config.h"

#include "os/hints.h"

#if !PLX__HAS_HINTS

int plx__hints_open(plx__hints *hints, const plx_allocator *memory)
{
    (void)hints;
    (void)memory;
    return -ENOTSUP;
}

void plx__hints_close(plx__hints *hints)
{
    (void)hints;
}

int plx__hint_add(plx__hints *hints, const char *path, bool follow, plx__hint *hint)
{
    (void)hints;
    (void)path;
    (void)follow;
    (void)hint;
    return -ENOTSUP;
}

void plx__hint_remove(plx__hints *hints, plx__hint hint)
{
    (void)hints;
    (void)hint;
}

bool plx__hints_drain(plx__hints *hints)
{
    (void)hints;
    return false;
}

#endif
