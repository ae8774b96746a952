/* SPDX-License-Identifier: MIT */
/* What was listed last of watched paths, and what differs from it now. */
#ifndef PLX__PATHS_LISTING_H
#define PLX__PATHS_LISTING_H

#include "os/config.h"

#include "os/hints.h"
#include "source/names.h"
#include "source/paths.h"

typedef struct sc_entry  sc_entry;
typedef struct sc_watch  sc_watch;
typedef struct sc_change sc_change;

/* What is compared of a file. */
typedef struct sc_status {
    uint64_t device, inode;
    int64_t size;
    plx_nanos modified, changed;
    uint32_t mode, user, group;
} sc_status;

struct sc_entry {
    plx__name name; /* by its parent's id */
    sc_entry *parent, *children, *next, **link;
    sc_entry *listed; /* the next in a list of work */
    size_t count;     /* children */
    uint64_t id;
    sc_status status;
    plx__hint hint;
    bool fresh;       /* found in this comparison, and not told yet */
    uint32_t seen;    /* the comparison that found it last */
    char text[];
};

struct sc_watch {
    sc_watch *next;
    int number;
    uint32_t changes; /* told; none while it is listed for the first time */
    uint32_t asked;
    bool recursive;
    bool gone;
    sc_entry *root;
    plx__hint above; /* of the folder that has its name, if the end of the path is to be told */
    sc_entry *lost; /* during a comparison: what is not where it was, by `next` */
    size_t length;
    char path[];    /* absolute */
};

/* Waiting to be told. */
struct sc_change {
    sc_change *next;
    int watch; /* 0: removed */
    uint32_t changes;
    uint32_t cookie;
    char name[];
};

typedef struct sc_state {
    const plx_allocator *memory;
    plx__names entries;
    sc_watch *watches;
    sc_change *first, *last;
    sc_change *current; /* the one told last: its name is the caller's */
    uint64_t ids;
    uint32_t looks, cookies;
    bool found; /* something differs */
    bool blind; /* there is something without a hint */
    plx__hints hints;
    bool lost;  /* to be told: look again */
    char path[PLX__PATH_NAME_SIZE];
} sc_state;

/* Lists a new watch for the first time. */
int  plx__listing_begin(sc_state *sc, sc_watch *watch);
void plx__listing_drop_watch(sc_state *sc, sc_watch *watch);
void plx__listing_drop_hints(sc_state *sc, sc_watch *watch);

/* Whether anything is not as it was listed. Takes no memory. */
bool plx__listing_differs(sc_state *sc, sc_watch *watch);

/* Makes changes of what is not, and keeps the new listing. */
void plx__listing_compare(sc_state *sc, sc_watch *watch);

#endif
