/* SPDX-License-Identifier: MIT */
/*
 * Kernels that tell that a file changed, and not what: a descriptor that is readable when
 * something may not be as it was. Who compares listings then looks, see paths_listing.c.
 *
 * All of an object's calls are under one lock. A hint is for whatever its path named when it was
 * added. From then on a change of the content, of the attributes or of the names in a folder,
 * and the end or a new name of the file itself, make the descriptor readable; each change does,
 * also one that comes while `drain` runs. So who adds, or drains, and then looks, has missed
 * nothing. More may be told than has changed.
 */
#ifndef PLX__HINTS_H
#define PLX__HINTS_H

#include "os/descriptor.h"

#include <pollux.h>

typedef struct plx__hints {
    const plx_allocator *memory;
    plx_fd fd;           /* to be waited for, level-triggered */
    uint32_t generation; /* of forks, where a child has not got the descriptor */
} plx__hints;

/* What the system needs to remember of one: 0 is none. It may be a pointer to memory of the allocator. */
typedef uintptr_t plx__hint;

/* 0; -ENOTSUP where the kernel tells of nothing; -EMFILE, -ENFILE, -ENOMEM. */
int  plx__hints_open(plx__hints *hints, const plx_allocator *memory);
/* Closes the descriptor, before or after the hints are removed, also in a child of fork; again: nothing. */
void plx__hints_close(plx__hints *hints);

/*
 * Path: absolute; `follow`: its last component may be a symbolic link, else a link itself is
 * meant. An error, -EMFILE and -EACCES among others, says that the kernel tells nothing of this
 * one: then it is looked at now and then, and added again some time.
 */
int  plx__hint_add(plx__hints *hints, const char *path, bool follow, plx__hint *hint);
void plx__hint_remove(plx__hints *hints, plx__hint hint);

/*
 * Makes the descriptor unreadable, and has the kernel tell of all again, whatever it takes
 * (it may be a one-shot). Takes no memory. Whether something has changed.
 */
bool plx__hints_drain(plx__hints *hints);

#endif
