/* SPDX-License-Identifier: MIT */
/*
 * What an inotify object watches, in memory.
 *
 *     watch     what a program has added: a root, and below it, of a recursive one, places
 *     place     one file or folder of one watch; its name and parent make its path
 *     target    one watch of the kernel, which is of an inode: all places of that inode
 *     mark      a name that was told as found, until the kernel's own event of it has passed
 *
 *     watch 1  root -- a -- b              The tree is as it was when the event that is
 *               |      |    |              being looked at was made, not as it is now:
 *     target    5      6    7  (kernel)    names are told as they were. What a look at the
 *               |           |              file system finds is newer; `since` says which
 *     watch 2  root         root           events of a place are older than that look.
 *
 * A watch also has a guard: a place of the folder that its path is in, which hears when the
 * name is given up.
 */
#ifndef PLX__PATHS_TREE_H
#define PLX__PATHS_TREE_H

#include "os/config.h"

#include "source/paths.h"

#if PLX__HAS_INOTIFY

#include "os/linux.h"
#include "source/names.h"

typedef struct in_place  in_place;
typedef struct in_target in_target;
typedef struct in_watch  in_watch;
typedef struct in_mark   in_mark;

struct in_place {
    plx__name name;   /* in the table of places, by its parent's id */
    char *text;       /* the name's, with NUL */
    in_watch *watch;
    in_target *target;
    in_place *later, *earlier;  /* of the same target, by id */
    in_place *parent;           /* NULL of a root, a guard, and what is on its way */
    in_place *children, *next, **link; /* those on their way hang on the watch */
    in_place *todo;   /* the next to be listed */
    in_mark *marks;
    uint64_t id;      /* from 1 up */
    uint64_t since;   /* events before this position are not its business */
    uint64_t device, inode;
    uint32_t cookie;  /* on its way: of the rename */
    uint32_t seen;    /* the look through the tree that found it last */
    bool guard;
    bool away;        /* has left its name, and has no other yet */
    bool listed;
    bool over;        /* came to its name over another */
    bool torn;        /* could not be listed where it should be: it has moved on meanwhile */
};

struct in_target {
    plx__name name; /* in the table of targets: its number is the owner */
    int number;     /* the kernel's */
    uint32_t mask;  /* what the kernel tells of it */
    bool dead;      /* the kernel has dropped it */
    in_place *first, *last;
};

struct in_watch {
    in_watch *next;
    int number;
    uint32_t changes;
    in_place *root, *guard;
    in_place *away;   /* list */
    bool recursive;
    bool gone;        /* over */
    bool gone_untold;
    bool torn;        /* a place may be */
    bool partial;     /* a part of the tree is not watched */
    size_t length;
    char path[];      /* absolute */
};

struct in_mark {
    plx__name name;  /* in the table of marks, by its place's id */
    in_mark *next;   /* in order of finding */
    in_place *place; /* NULL: it is gone */
    in_mark *beside, **link; /* of the same place */
    uint64_t until;  /* from this position on it is not needed */
    bool silent;     /* not to be told */
    char text[];
};

/* A buffer that holds the kernel's longest event many times. */
enum { IN_BUFFER_SIZE = 64 * 1024, IN_ENTRIES_SIZE = 32 * 1024 };

typedef struct in_state {
    const plx_allocator *memory;
    int inotify; /* -1: the poller is closed */
    plx__names targets, places, marks;
    in_watch *watches;
    in_mark *first_mark, *last_mark, *untold; /* from `untold` on they are still to be told */
    in_place *todo_first, *todo_last;
    uint64_t ids;
    uint32_t looks;

    char *raw;       /* what was read of the kernel's queue */
    size_t filled, at;
    size_t ahead;    /* of an event that is taken before its turn; SIZE_MAX: none */
    uint32_t seek;   /* cookie of the rename whose other half is looked for; 0: none */
    uint64_t total;  /* bytes read in all: position of raw's end */
    in_place *following; /* the next that the present event is applied to; parting moves it on */
    uint64_t cursor; /* the last place that was told of the present event */
    bool told;       /* all were */
    bool stirred;    /* something was read since everything was settled */
    bool lost;       /* to be told: look again */

    char *entries;   /* of a folder */
    char path[PLX__PATH_NAME_SIZE];
    char name[PLX__PATH_NAME_SIZE]; /* of the change last told */
} in_state;

int  plx__tree_init(in_state *in);
void plx__tree_fini(in_state *in);

in_target *plx__tree_target(const in_state *in, int number);
/* The target's next place after that id, NULL at the end. */
in_place *plx__tree_after(const in_target *target, uint64_t id);
in_place *plx__tree_child(const in_state *in, const in_place *parent, const char *name, size_t length);

/* A new place; parent NULL: of a root or a guard. NULL without memory. Needs a target next. */
in_place *plx__tree_place(in_state *in, in_watch *watch, in_place *parent, const char *name, size_t length);
/* Joins it with what the kernel calls `number`, and is told `mask` of. Without memory -ENOMEM. */
int plx__tree_join(in_state *in, in_place *place, int number, uint32_t mask);
/* Gives a place another name. -ENOMEM. */
int plx__tree_move(in_state *in, in_place *place, in_place *parent, const char *name, size_t length);
/* Takes it from its parent, into the list of those on their way. */
void plx__tree_send_away(in_state *in, in_place *place, uint32_t cookie);
/* Ends a place and all below; the kernel forgets what nobody watches any more. */
void plx__tree_drop(in_state *in, in_place *place);
/* The same for all of a watch. */
void plx__tree_drop_watch(in_state *in, in_watch *watch);

/* The next place of a subtree, parents first; NULL at its end. */
in_place *plx__tree_walk(const in_place *top, const in_place *place);
/* The same without what is below. */
in_place *plx__tree_skip(const in_place *top, const in_place *place);

/*
 * Writes the path of `name` in a place: in full, or relative to its watch. The length; -ESTALE
 * if it is on its way, -ENAMETOOLONG.
 */
int plx__tree_path(const in_place *place, const char *name, size_t length, bool full, char *buffer);

/* What the kernel is to tell of a place. */
uint32_t plx__tree_mask(const in_watch *watch, const in_place *place);

/* Remembers a name that was found; `silent`: it is not to be told. -ENOMEM. */
int  plx__tree_mark(in_state *in, in_place *place, const char *name, size_t length, bool silent);
bool plx__tree_marked(const in_state *in, const in_place *place, const char *name, size_t length);
void plx__tree_unmark(in_state *in, const in_place *place, const char *name, size_t length);
/* Forgets marks that were told and are not needed from this position on. */
void plx__tree_forget(in_state *in, uint64_t position);

#endif

#endif
