/* SPDX-License-Identifier: MIT */
/*
 * A hash table of names, each with an owner: the folders of a folder, say. The elements are
 * their users' and contain a plx__name; the table has its buckets alone. Without memory to
 * grow it stays as small as it is.
 */
#ifndef PLX__NAMES_H
#define PLX__NAMES_H

#include <pollux.h>

typedef struct plx__name plx__name;

struct plx__name {
    plx__name *next; /* in its bucket */
    uint64_t hash;
    uint64_t owner;
    const char *text; /* any bytes; where they are is the user's */
    size_t length;
};

typedef struct plx__names {
    const plx_allocator *memory;
    plx__name **buckets;
    size_t size; /* a power of two */
    size_t count;
} plx__names;

int  plx__names_init(plx__names *names, const plx_allocator *memory);
void plx__names_fini(plx__names *names);

/* NULL if it is not there. Of two with one owner and one text, one of them. */
plx__name *plx__names_find(const plx__names *names, uint64_t owner, const char *text, size_t length);

void plx__names_add(plx__names *names, plx__name *name, uint64_t owner, const char *text, size_t length);
void plx__names_remove(plx__names *names, plx__name *name);

#endif
