/* SPDX-License-Identifier: MIT */
/*
 * A temporary folder that is watched, and what is done in it. CONFORM_PATHS=scan in the
 * environment makes the library compare listings, every tenth of a second.
 */
#ifndef CONFORM_FOLDERS_H
#define CONFORM_FOLDERS_H

#include "support.h"

enum { FOLDER_PATH = 4096, FOLDER_TOKEN = 7 };

#define ALL_CHANGES                                                                                \
    (PLX_PATH_CREATED | PLX_PATH_DELETED | PLX_PATH_MOVED_FROM | PLX_PATH_MOVED_TO |               \
     PLX_PATH_SELF_GONE)

typedef struct folder {
    plx_poller   *poller;
    plx_registry *registry;
    plx_paths    *paths;
    char          path[FOLDER_PATH - 256];
} folder;

folder folder_open(void);
folder folder_open_on(plx_poller *poller);
void folder_close(folder *f); /* removes it and all in it, closes object and poller */

bool folder_compares(void);   /* listings, because nothing better was to be had */
bool folder_hints(void);      /* compares, and only when the kernel says that something changed */
void folder_may_be_blind(void); /* before it is opened: what has no hint is looked at often */
bool moves_are_told(void);    /* into a folder that is watched and out of it, as such */
bool watched_can_be_deleted(void); /* a folder */
bool trees_are_seen(void);    /* whole, whatever was there before */

/* Each skips the case where it cannot be. */
void need_events(void);          /* listings are not compared */
void need_seen(uint32_t changes);
void need_links_told(void);      /* a change is told under each name of a file */
void need_moves_told(void);      /* from one folder to another, as such */
void need_new_names(void);       /* what is in a folder that moves is told once more */
void need_trees(void);           /* trees_are_seen */
void need_cheap_watches(void);   /* which cost no descriptor each */
void need_watched_deleted(void); /* watched_can_be_deleted */
void need_free_names(void);      /* a name that was deleted is free, though somebody has the file open */

int many_changes(void); /* as the system keeps unread, and more than are read at once */

int watch(folder *f, const char *name, uint32_t changes); /* "" is the folder itself; its number */
int try_watch(folder *f, const char *name, uint32_t changes, int *number);

void make_place(char *path, size_t size); /* an empty folder; its path without links */
void work_in(const char *path, char *before, size_t size); /* where that was, unless it is NULL */

/* In the folder. Each fails the case if the system refuses. */
const char *in_folder(const folder *f, const char *name);
void make_file(const folder *f, const char *name); /* empty, or as it was */
void write_file(const folder *f, const char *name, const char *text); /* appends */
void make_folder(const folder *f, const char *name);
void make_folders(const folder *f, const char *name); /* all on the way */
void move(const folder *f, const char *from, const char *to);
void make_link(const folder *f, const char *to, const char *name);
void make_hard_link(const folder *f, const char *to, const char *name);
void remove_file(const folder *f, const char *name);
void remove_folder(const folder *f, const char *name);
void remove_tree(const folder *f, const char *name);
void set_mode(const folder *f, const char *name, unsigned mode); /* another than 0600 */
plx_fd hold_open(const folder *f, const char *name);
void let_go(plx_fd fd);

/* Waits for an event of the object, and takes the change; the last argument may be NULL. */
void take_change(folder *f, plx_path_change *change);

/* The next change is this one; it returns the cookie. */
#define NEXT(f, watch, changes, name) next_at(__FILE__, __LINE__, f, watch, changes, name)
uint32_t next_at(const char *file, int line, folder *f, int watch, uint32_t changes, const char *name);

/* This change comes, after others or at once; it returns the cookie. */
#define COMES(f, watch, changes, name) comes_at(__FILE__, __LINE__, f, watch, changes, name)
uint32_t comes_at(const char *file, int line, folder *f, int watch, uint32_t changes, const char *name);

/* There is no change, and no event. */
#define NOTHING(f) nothing_at(__FILE__, __LINE__, f)
void nothing_at(const char *file, int line, folder *f);

#endif
