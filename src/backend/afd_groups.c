/* SPDX-License-Identifier: MIT */
/* Sockets that share a handle of AFD. */
#include "os/config.h"

#include "backend/afd_groups.h"

#if PLX__HAS_IOCP
#include "core/memory.h"

enum { AFD_SHARE = 32 };

static void afd_unlink(plx__afd_group *group)
{
    *group->link = group->next;
    if (group->next)
        group->next->link = group->link;
}

static void afd_link(plx__afd_group *group, plx__afd_group **list)
{
    group->next = *list;
    group->link = list;
    if (group->next)
        group->next->link = &group->next;
    *list = group;
}

static int afd_make(plx__afd_groups *groups, uint32_t *calls)
{
    plx__afd_group *made = plx__memory_get(groups->memory, sizeof *made);
    int rc = made ? plx__afd_open(groups->port, &made->device) : -ENOMEM;

    *calls += 2;
    if (rc < 0)
        plx__memory_put(groups->memory, made);
    else
        afd_link(made, &groups->open);
    return rc;
}

int plx__afd_join(plx__afd_groups *groups, plx__afd_group **group, uint32_t *calls)
{
    int rc = groups->open ? 0 : afd_make(groups, calls);

    if (rc < 0)
        return rc;
    *group = groups->open;
    if (++(*group)->sockets == AFD_SHARE) {
        afd_unlink(*group);
        afd_link(*group, &groups->full);
    }
    return 0;
}

void plx__afd_leave(plx__afd_groups *groups, plx__afd_group *group)
{
    afd_unlink(group);
    if (--group->sockets > 0) {
        afd_link(group, &groups->open);
        return;
    }
    if (group->device)
        plx__win32_close(group->device);
    plx__memory_put(groups->memory, group);
}

static void afd_close_list(plx__afd_group *list)
{
    for (plx__afd_group *group = list; group; group = group->next) {
        plx__win32_close(group->device);
        group->device = NULL;
    }
}

void plx__afd_close(plx__afd_groups *groups)
{
    afd_close_list(groups->open);
    afd_close_list(groups->full);
}

#endif
