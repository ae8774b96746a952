/* SPDX-License-Identifier: MIT */
/*
 * Hints by PORT_SOURCE_FILE, without a descriptor for each. An association is one shot, and is
 * made with the file's times: what differs from them is told at once. It is of the file, but
 * made by its path: one that is not found again stays silent, its folder has told of that.
 */
#include "os/config.h"

#include "os/hints.h"

#if PLX__HAS_EVENT_PORTS
#include "core/memory.h"
#include "os/fork.h"
#include "os/ports.h"

#include <string.h>

struct hint {
    file_obj_t file; /* its address is the kernel's name for it */
    struct hint *next; /* in a list of those that were told of */
    bool follow;
    char path[];
};

int plx__hints_open(plx__hints *hints, const plx_allocator *memory)
{
    int port = plx__port_open();

    if (port < 0)
        return port;
    *hints = (plx__hints){
        .memory = memory,
        .fd = port,
        .generation = atomic_load_explicit(&plx__fork_generation, PLX__RELAXED),
    };
    return 0;
}

void plx__hints_close(plx__hints *hints)
{
    if (hints->fd != PLX__NO_DESCRIPTOR)
        plx__close(hints->fd);
    hints->fd = PLX__NO_DESCRIPTOR;
}

/* A change in between is told of at once, or, by a coarse clock, seen by the look that follows. */
static int hint_associate(plx__hints *hints, struct hint *hint)
{
    struct stat status;
    int rc = plx__stat(-1, hint->path, hint->follow, &status);

    if (rc < 0)
        return rc;
    hint->file.fo_atime = status.st_atim;
    hint->file.fo_mtime = status.st_mtim;
    hint->file.fo_ctime = status.st_ctim;
    return plx__port_associate_file(hints->fd, &hint->file,
                                    FILE_MODIFIED | FILE_ATTRIB | (hint->follow ? 0 : FILE_NOFOLLOW), hint);
}

int plx__hint_add(plx__hints *hints, const char *path, bool follow, plx__hint *hint)
{
    size_t length = strlen(path);
    struct hint *made = plx__memory_get(hints->memory, sizeof *made + length + 1);

    if (!made)
        return -ENOMEM;
    made->follow = follow;
    memcpy(made->path, path, length + 1);
    made->file.fo_name = made->path;
    int rc = hint_associate(hints, made);
    if (rc < 0)
        plx__memory_put(hints->memory, made);
    else
        *hint = (plx__hint)made;
    return rc;
}

/* An event of it that is queued goes along. */
void plx__hint_remove(plx__hints *hints, plx__hint hint)
{
    struct hint *gone = (struct hint *)hint;

    if (!gone)
        return;
    if (hints->fd != PLX__NO_DESCRIPTOR)
        plx__port_dissociate_file(hints->fd, &gone->file);
    plx__memory_put(hints->memory, gone);
}

/* First all are fetched: what is associated again may be told of again at once. */
bool plx__hints_drain(plx__hints *hints)
{
    port_event_t events[64];
    struct hint *told = NULL;
    int count;

    do {
        count = plx__port_get(hints->fd, events, 64, 0);
        for (int i = 0; i < count; i++) {
            struct hint *hint = events[i].portev_user;
            hint->next = told;
            told = hint;
        }
    } while (count == 64 || count == -EINTR);
    for (struct hint *hint = told; hint; hint = hint->next)
        (void)hint_associate(hints, hint);
    return told;
}

#endif
