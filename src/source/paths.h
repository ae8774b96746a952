/* SPDX-License-Identifier: MIT */
/*
 * Watching paths: what is common to all ways in which systems tell of changes. An object is
 * a source on the ready queue; a way is a constant table of functions, each called under the
 * object's lock.
 */
#ifndef PLX__PATHS_H
#define PLX__PATHS_H

#include "core/attach.h"
#include "core/core.h"
#include "os/lock.h"

#define PLX__PATH_CHANGES                                                                                     \
    (PLX_PATH_CREATED | PLX_PATH_DELETED | PLX_PATH_MODIFIED | PLX_PATH_MOVED_FROM | PLX_PATH_MOVED_TO |      \
     PLX_PATH_ATTRIBUTES | PLX_PATH_CLOSED_WRITE | PLX_PATH_SELF_GONE)

/* Bytes of the longest name that is told, and of the longest path that is looked up, with NUL. */
enum { PLX__PATH_SIZE = 4096, PLX__PATH_NAME_SIZE = PLX__PATH_SIZE + 256 };

typedef struct plx__paths_way {
    size_t state_size;
    uint32_t cannot;    /* changes that it cannot see */
    plx_nanos interval; /* how often it looks, at what its descriptor does not tell of; 0: it tells of all */

    /* The descriptor to wait for in *descriptor; it is left alone where there is none. */
    int (*open)(void *state, const plx_allocator *memory, plx_fd *descriptor);
    /* Gives back what is held but the descriptor's number; closes it unless that was done. */
    void (*fini)(void *state);

    int (*add)(void *state, const char *path, uint32_t changes, int number);
    int (*remove)(void *state, int number);
    /* 1 and a change; 0: there is none. */
    int (*next)(void *state, plx_path_change *change);
    /*
     * Whether `next` would find something, or has to look at the file system. Takes no memory.
     * `look`: the descriptor or the timer says that it is time.
     */
    bool (*any)(void *state, bool look);
    /* Whether there is something to look at, each interval; of a way that has one. */
    bool (*blind)(void *state);
    /* The poller is closed: closes the descriptor; what was read already can still be had. */
    void (*detach)(void *state);
} plx__paths_way;

extern const plx__paths_way plx__paths_inotify;
extern const plx__paths_way plx__paths_scan;
extern const plx__paths_way plx__paths_win32;

/* What this build takes; a test may change it before it opens an object. */
extern const plx__paths_way *PLX__SEAM plx__paths_way_used;

#endif
