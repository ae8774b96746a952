/* SPDX-License-Identifier: MIT */
/*
 * Handles of AFD, each shared by 32 sockets: the driver walks all the polls of a handle at each
 * change. Under the owner's lock.
 */
#ifndef PLX__AFD_GROUPS_H
#define PLX__AFD_GROUPS_H

#include "backend/afd.h"

#if PLX__HAS_IOCP

typedef struct plx__afd_group plx__afd_group;

struct plx__afd_group {
    HANDLE device;
    unsigned sockets;
    plx__afd_group *next, **link; /* those with room, or those without */
};

typedef struct plx__afd_groups {
    const plx_allocator *memory;
    HANDLE port; /* where their completions go */
    plx__afd_group *open, *full;
} plx__afd_groups;

/* Finds room for one more socket, or makes it: -ENOMEM, or the system's error. */
int  plx__afd_join(plx__afd_groups *groups, plx__afd_group **group, uint32_t *calls);
void plx__afd_leave(plx__afd_groups *groups, plx__afd_group *group);

/* Closes the handles, which ends what could not be cancelled. The groups are still to be left. */
void plx__afd_close(plx__afd_groups *groups);

#endif

#endif
