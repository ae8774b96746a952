/* SPDX-License-Identifier: MIT */
/* Looking at the file system: what an inotify object watches is found here. */
#ifndef PLX__PATHS_WALK_H
#define PLX__PATHS_WALK_H

#include "source/paths_tree.h"

#if PLX__HAS_INOTIFY

/* The position of the end of the kernel's queue. */
uint64_t plx__walk_position(const in_state *in);

/* A new watch. What goes wrong leaves nothing. */
int plx__walk_add(in_state *in, const char *path, uint32_t changes, int number);

/* A folder is new in its parent: watches it and all below, and marks what is found to be told. */
void plx__walk_renew(in_state *in, in_place *parent, const char *name, size_t length);

/* A folder that was away has this name now. */
void plx__walk_arrive(in_state *in, in_place *place, in_place *parent, const char *name, size_t length);

/* 1 if a watch's path is still what is watched, 0 if not, or the error that leaves it open. */
int plx__walk_is_there(const in_watch *watch);

/* Changes were lost: makes a watch's tree what it is. */
void plx__walk_again(in_state *in, in_watch *watch);

/*
 * All that the kernel had was looked at: what could not be found then is looked for once
 * more.
 */
void plx__walk_settle(in_state *in, in_watch *watch);

#endif

#endif
