/* SPDX-License-Identifier: MIT */
/*
 * What is found in a new folder of a tree, on Windows. Of a folder that is made there the
 * kernel tells everything that follows; of one that is moved in, its name alone, in the same
 * words. So each is looked through, and what is found is told as created; the kernel's own
 * change of it, if one is on its way, is then passed over. If none is, the name is kept for a
 * while for nothing: there is no telling how far behind a network is.
 */
#include "os/config.h"

#include "source/paths.h"

#if PLX__HAS_IOCP
#include "source/paths_reads.h"

#include "core/memory.h"
#include "os/clock.h"

#include <errno.h>

#define FOUND_KEPT PLX_SEC(10)

static const char *found_bytes(const wchar_t *name)
{
    return (const char *)name;
}

static plx__name *found_find(const rd_state *rd, const rd_watch *watch, const wchar_t *name, size_t length)
{
    return plx__names_find(&rd->names, (uint64_t)watch->number, found_bytes(name), length * sizeof *name);
}

/* It stays in the list until its time. */
static void found_pass(rd_state *rd, rd_found *found)
{
    plx__names_remove(&rd->names, &found->name);
    found->watch = NULL;
}

static void found_expire(rd_state *rd, plx_nanos now)
{
    while (rd->found_first && rd->found_first != rd->untold &&
           (!rd->found_first->watch || now - rd->found_first->when > FOUND_KEPT)) {
        rd_found *found = rd->found_first;
        if (found->watch)
            found_pass(rd, found);
        rd->found_first = found->next;
        plx__memory_put(rd->memory, found);
    }
    if (!rd->found_first)
        rd->found_last = NULL;
}

/* An entry of a folder, under its name in the watch. */
static bool found_add(rd_state *rd, rd_watch *watch, const WIN32_FIND_DATAW *entry, const wchar_t *name, size_t length)
{
    const DWORD kinds = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;

    if (found_find(rd, watch, name, length))
        return true;
    rd_found *found = plx__memory_get(rd->memory, sizeof *found + (length + 1) * sizeof *name);
    if (!found)
        return false;
    wmemcpy(found->text, name, length);
    found->length = length;
    found->watch = watch;
    found->when = plx__clock_now();
    found->folder = (entry->dwFileAttributes & kinds) == FILE_ATTRIBUTE_DIRECTORY;
    plx__names_add(&rd->names, &found->name, (uint64_t)watch->number, found_bytes(found->text),
                   length * sizeof *name);
    *(rd->found_last ? &rd->found_last->next : &rd->found_first) = found;
    rd->found_last = found;
    if (!rd->untold)
        rd->untold = found;
    return true;
}

static bool found_is_dots(const wchar_t *name)
{
    return wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0;
}

/* One folder. What is no folder, or is gone, has nothing in it; false if something may have been missed. */
static bool found_list(rd_state *rd, rd_watch *watch, const wchar_t *folder, size_t length)
{
    WIN32_FIND_DATAW entry;
    wchar_t *name = rd->wide + watch->length + 1;
    bool good = true;

    if (watch->length + length + 3 > PLX__WIDE_SIZE)
        return false;
    wmemcpy(rd->wide, watch->path, watch->length);
    rd->wide[watch->length] = L'\\';
    wmemcpy(name, folder, length);
    wcscpy(name + length, L"\\*");
    HANDLE listing = plx__win32_sources.FindFirstFileW(rd->wide, &entry);
    if (listing == INVALID_HANDLE_VALUE) {
        int rc = plx__win32_failed();
        return rc == -ENOENT || rc == -ENOTDIR;
    }
    do {
        size_t more = wcslen(entry.cFileName);
        if (found_is_dots(entry.cFileName))
            continue;
        wcscpy(name + length + 1, entry.cFileName);
        good = found_add(rd, watch, &entry, name, length + 1 + more);
    } while (good && plx__win32_sources.FindNextFileW(listing, &entry));
    good = good && GetLastError() == ERROR_NO_MORE_FILES;
    (void)plx__win32_sources.FindClose(listing);
    return good;
}

void plx__found_look(rd_state *rd, rd_watch *watch, const wchar_t *name, size_t length)
{
    found_expire(rd, plx__clock_now());
    rd_found *last = rd->found_last;
    bool good = found_list(rd, watch, name, length);
    for (rd_found *found = last ? last->next : rd->found_first; found && good; found = found->next)
        if (found->folder && found->watch == watch)
            good = found_list(rd, watch, found->text, found->length);
    rd->lost |= !good;
}

bool plx__found_passes(rd_state *rd, const rd_watch *watch, const wchar_t *name, size_t length)
{
    plx__name *found = rd->names.count ? found_find(rd, watch, name, length) : NULL;

    if (found)
        found_pass(rd, (rd_found *)found);
    return found != NULL;
}

void plx__found_forget(rd_state *rd, const rd_watch *watch, const wchar_t *name, size_t length)
{
    for (rd_found *found = rd->found_first; found && rd->names.count; found = found->next)
        if (found->watch == watch && found->length >= length && wmemcmp(found->text, name, length) == 0 &&
            (found->length == length || found->text[length] == L'\\'))
            found_pass(rd, found);
}

void plx__found_drop(rd_state *rd, const rd_watch *watch)
{
    for (rd_found *found = rd->found_first; found; found = found->next)
        if (found->watch && (!watch || found->watch == watch))
            found_pass(rd, found);
    if (!watch)
        rd->untold = NULL;
    found_expire(rd, plx__clock_now());
}

rd_found *plx__found_untold(rd_state *rd)
{
    while (rd->untold && !rd->untold->watch)
        rd->untold = rd->untold->next;
    return rd->untold;
}

#endif
