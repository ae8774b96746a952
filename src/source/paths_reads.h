/* SPDX-License-Identifier: MIT */
/*
 * What Windows is asked about watched paths.
 *
 *     watch    what a program has added: a folder, or a file, which is watched through its
 *              folder
 *     reads    up to three of each, a folder's handle and a buffer that the kernel fills
 *     found    a name that was found in a new folder, until the kernel's own change of it has
 *              passed
 *
 * The three: the names in the folder and what is written to them; attributes, which the kernel
 * does not tell from writing in one read; and the guard, of the folder above, which hears when
 * the path itself is given up.
 */
#ifndef PLX__PATHS_READS_H
#define PLX__PATHS_READS_H

#include "os/config.h"

#include "source/paths.h"

#if PLX__HAS_IOCP

#include "os/sources_win32.h"
#include "os/wide_win32.h"
#include "source/names.h"

typedef struct rd_read  rd_read;
typedef struct rd_watch rd_watch;
typedef struct rd_found rd_found;

struct rd_read {
    OVERLAPPED overlapped; /* the kernel's, as the buffer, while pending */
    HANDLE folder;         /* NULL: there is none, or it is over */
    char *buffer;
    DWORD size;
    DWORD filter;
    bool subtree;
    bool pending;
    DWORD filled, at;      /* what was read, and how far it was told */
};

/* Which file a path is. */
typedef struct rd_file {
    DWORD volume;
    DWORD high, low;
} rd_file;

struct rd_watch {
    rd_watch *next;
    int number;
    uint32_t changes;
    bool folder;
    bool recursive;
    bool gone;        /* over */
    bool gone_untold;
    bool doubtful;    /* it may be over: look */
    uint32_t cookie;  /* of the rename whose second half comes next */
    rd_file file;
    rd_read main, attributes, guard;
    wchar_t target[256]; /* of a file: its name in the folder that is read */
    size_t leaf;      /* where the last name of the path begins */
    size_t length;
    wchar_t path[];
};

struct rd_found {
    plx__name name;   /* in the table of those, by its watch's number; the bytes of its UTF-16 */
    rd_found *next;   /* in order of finding */
    rd_watch *watch;  /* NULL: it has passed */
    plx_nanos when;
    bool folder;
    size_t length;
    wchar_t text[];   /* from the watched path on */
};

/* The kernel allocates as much again. More than 64 KiB a network does not carry. */
enum { RD_BUFFER_SIZE = 64 * 1024, RD_GUARD_SIZE = 4 * 1024 };

typedef struct rd_state {
    const plx_allocator *memory;
    HANDLE event;     /* a read has ended; NULL: the poller is closed */
    rd_watch *watches;
    rd_watch *turn;   /* where the next look begins; NULL: at the first */
    plx__names names; /* of what was found */
    rd_found *found_first, *found_last, *untold; /* from `untold` on they are still to be told */
    unsigned begun;   /* reads */
    uint32_t cookies;
    bool lost;        /* to be told: look again */
    wchar_t wide[PLX__WIDE_SIZE * 2];
    char name[PLX__PATH_NAME_SIZE]; /* of the change last told */
} rd_state;

/* Begins to read the changes of a folder: 0, -ENOTDIR, -ENOTSUP, or what the system says. */
int  plx__read_open(rd_state *rd, rd_read *read, const wchar_t *folder, DWORD filter, bool subtree, DWORD size);
/* Ends it: the kernel writes no more. What was read can still be had, until it is freed. */
void plx__read_close(rd_state *rd, rd_read *read);
void plx__read_free(rd_state *rd, rd_read *read);

typedef enum rd_filled {
    RD_NOTHING,
    RD_SOMETHING, /* there is a change */
    RD_LOST,      /* there were more than the buffer holds; it goes on */
    RD_OVER       /* the folder was deleted, or cannot be read any more; it is closed */
} rd_filled;

/* What there is, without waiting. */
rd_filled plx__read_fill(rd_state *rd, rd_read *read);
FILE_NOTIFY_INFORMATION *plx__read_present(const rd_read *read);
void plx__read_consume(rd_read *read);

/* Finds what is in a folder of a tree, by its name in the watch, and below. */
void plx__found_look(rd_state *rd, rd_watch *watch, const wchar_t *name, size_t length);
/* The kernel's own change of a name has come: whether it was found before. */
bool plx__found_passes(rd_state *rd, const rd_watch *watch, const wchar_t *name, size_t length);
/* The name is given up, and all below. */
void plx__found_forget(rd_state *rd, const rd_watch *watch, const wchar_t *name, size_t length);
/* All of a watch, or of all (NULL). */
void plx__found_drop(rd_state *rd, const rd_watch *watch);
/* The next that is to be told; NULL. */
rd_found *plx__found_untold(rd_state *rd);

#endif

#endif
