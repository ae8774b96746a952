/* SPDX-License-Identifier: MIT */
/*
 * Watching paths by ReadDirectoryChangesW, which tells of what is in a folder, and below.
 *
 * The traps: it does not tell of the folder itself, nor of one file, so each path has a guard
 * on the folder above, and a file is watched through its folder. Its word for a change of
 * contents is that for a change of attributes, so those come in another read; and folders
 * change by what is in them. It holds the folder: one that was deleted stays until the handle
 * is closed, which is done as soon as it is known. A guard and a folder are read one after the
 * other: what the guard tells is later than what can be read of the folder then.
 */
#include "os/config.h"

#include "source/paths.h"

#if PLX__HAS_IOCP
#include "source/paths_reads.h"

#include "core/memory.h"

#include <errno.h>
#include <string.h>

#define RD_MOVES (PLX_PATH_MOVED_FROM | PLX_PATH_MOVED_TO)
#define RD_NAMES (PLX_PATH_CREATED | PLX_PATH_DELETED | RD_MOVES)

#define RD_SHARE (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

enum {
    RD_FILTER_NAMES = FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME,
    RD_FILTER_WRITTEN = FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE,
    RD_FILTER_ATTRIBUTES = FILE_NOTIFY_CHANGE_ATTRIBUTES | FILE_NOTIFY_CHANGE_SECURITY
};

/* ---- Life ------------------------------------------------------------------ */

static int rd_open(void *state, const plx_allocator *memory, plx_fd *descriptor)
{
    rd_state *rd = state;

    rd->memory = memory;
    int rc = plx__names_init(&rd->names, memory);
    if (rc < 0)
        return rc;
    rd->event = plx__win32_sources.CreateEventW(NULL, TRUE, FALSE, NULL);
    if (!rd->event) {
        rc = plx__win32_failed();
        plx__names_fini(&rd->names);
        return rc;
    }
    *descriptor = plx__handle_fd(rd->event);
    return 0;
}

static void rd_close_reads(rd_state *rd, rd_watch *watch)
{
    plx__read_close(rd, &watch->main);
    plx__read_close(rd, &watch->attributes);
    plx__read_close(rd, &watch->guard);
}

static void rd_drop(rd_state *rd, rd_watch *watch)
{
    plx__read_free(rd, &watch->main);
    plx__read_free(rd, &watch->attributes);
    plx__read_free(rd, &watch->guard);
    plx__found_drop(rd, watch);
    plx__memory_put(rd->memory, watch);
}

static void rd_detach(void *state)
{
    rd_state *rd = state;

    if (!rd->event)
        return;
    for (rd_watch *watch = rd->watches; watch; watch = watch->next)
        rd_close_reads(rd, watch);
    plx__win32_close(rd->event);
    rd->event = NULL;
}

static void rd_fini(void *state)
{
    rd_state *rd = state;

    rd_detach(rd);
    while (rd->watches) {
        rd_watch *watch = rd->watches;
        rd->watches = watch->next;
        rd_drop(rd, watch);
    }
    plx__found_drop(rd, NULL);
    plx__names_fini(&rd->names);
}

/* ---- Watches --------------------------------------------------------------- */

/* What is at a path: a folder or a file, and which. */
static int rd_identify(const wchar_t *path, bool *folder, rd_file *file)
{
    BY_HANDLE_FILE_INFORMATION information;
    HANDLE handle = plx__win32_sources.CreateFileW(path, FILE_READ_ATTRIBUTES, RD_SHARE, NULL, OPEN_EXISTING,
                                                   FILE_FLAG_BACKUP_SEMANTICS, NULL);
    int rc = 0;

    if (handle == INVALID_HANDLE_VALUE)
        return plx__win32_failed();
    if (!plx__win32_sources.GetFileInformationByHandle(handle, &information))
        rc = plx__win32_failed();
    plx__win32_close(handle);
    if (rc < 0)
        return rc;
    *folder = information.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY;
    *file = (rd_file){information.dwVolumeSerialNumber, information.nFileIndexHigh, information.nFileIndexLow};
    return 0;
}

/* Where a file really is, which may be a link, or have a short name, to rd->wide; the length. */
static size_t rd_follow(rd_state *rd, const rd_watch *watch)
{
    DWORD length = 0;
    HANDLE file = plx__win32_sources.CreateFileW(watch->path, FILE_READ_ATTRIBUTES, RD_SHARE, NULL, OPEN_EXISTING, 0,
                                                 NULL);

    if (file != INVALID_HANDLE_VALUE) {
        length = plx__win32_sources.GetFinalPathNameByHandleW(file, rd->wide, PLX__WIDE_SIZE, FILE_NAME_NORMALIZED);
        plx__win32_close(file);
    }
    if (length > 0 && length < PLX__WIDE_SIZE)
        return length;
    wmemcpy(rd->wide, watch->path, watch->length + 1); /* some volumes do not say */
    return watch->length;
}

/* Leaves the folder of the file in rd->wide, and the file's name in the watch. */
static int rd_find_target(rd_state *rd, rd_watch *watch)
{
    size_t length = rd_follow(rd, watch);
    size_t leaf = plx__wide_leaf(rd->wide, length);

    if (length - leaf >= sizeof watch->target / sizeof watch->target[0])
        return -ENAMETOOLONG;
    wcscpy(watch->target, rd->wide + leaf);
    rd->wide[leaf] = L'\0';
    return 0;
}

static int rd_open_guard(rd_state *rd, rd_watch *watch)
{
    DWORD filter = RD_FILTER_NAMES;

    if (watch->folder && watch->changes & PLX_PATH_ATTRIBUTES)
        filter |= RD_FILTER_ATTRIBUTES;
    if (watch->leaf == watch->length)
        return 0;
    wmemcpy(rd->wide, watch->path, watch->leaf);
    rd->wide[watch->leaf] = L'\0';
    return plx__read_open(rd, &watch->guard, rd->wide, filter, false, RD_GUARD_SIZE);
}

static int rd_open_reads(rd_state *rd, rd_watch *watch)
{
    const wchar_t *folder = watch->folder ? watch->path : rd->wide;
    DWORD filter = watch->changes & PLX_PATH_MODIFIED ? RD_FILTER_WRITTEN : 0;
    int rc = watch->folder ? 0 : rd_find_target(rd, watch);

    if (watch->folder && watch->changes & RD_NAMES)
        filter |= RD_FILTER_NAMES;
    if (rc == 0 && filter)
        rc = plx__read_open(rd, &watch->main, folder, filter, watch->recursive, RD_BUFFER_SIZE);
    if (rc == 0 && watch->changes & PLX_PATH_ATTRIBUTES)
        rc = plx__read_open(rd, &watch->attributes, folder, RD_FILTER_ATTRIBUTES, watch->recursive, RD_BUFFER_SIZE);
    return rc;
}

/* The guard comes first: whatever happens to the path from then on is seen. */
static int rd_begin(rd_state *rd, rd_watch *watch, bool must_be_folder)
{
    rd_file file;
    int rc = rd_identify(watch->path, &watch->folder, &file);

    if (rc == 0 && must_be_folder && !watch->folder)
        rc = -ENOTDIR;
    watch->recursive = watch->folder && watch->changes & PLX_PATH_RECURSIVE;
    if (rc == 0)
        rc = rd_open_guard(rd, watch);
    if (rc == 0)
        rc = rd_identify(watch->path, &watch->folder, &watch->file);
    if (rc == 0)
        rc = rd_open_reads(rd, watch);
    return rc;
}

static int rd_add(void *state, const char *path, uint32_t changes, int number)
{
    rd_state *rd = state;
    int length = plx__wide_path(path, rd->wide);

    if (length < 0)
        return length;
    rd_watch *watch = plx__memory_get(rd->memory, sizeof *watch + ((size_t)length + 1) * sizeof(wchar_t));
    if (!watch)
        return -ENOMEM;
    wmemcpy(watch->path, rd->wide, (size_t)length);
    watch->length = (size_t)length;
    watch->leaf = plx__wide_leaf(watch->path, watch->length);
    watch->number = number;
    watch->changes = changes;
    char last = path[strlen(path) - 1];
    int rc = rd_begin(rd, watch, last == '/' || last == '\\');
    if (rc < 0) {
        rd_drop(rd, watch);
        return rc;
    }
    rd_watch **end = &rd->watches;
    while (*end)
        end = &(*end)->next;
    *end = watch;
    return 0;
}

static int rd_remove(void *state, int number)
{
    rd_state *rd = state;
    rd_watch **link = &rd->watches;

    while (*link && (*link)->number != number)
        link = &(*link)->next;
    if (!*link)
        return -ENOENT;
    rd_watch *watch = *link;
    *link = watch->next;
    if (rd->turn == watch)
        rd->turn = watch->next;
    rd_drop(rd, watch);
    return 0;
}

/* What was read and not told goes with it. */
static void rd_gone(rd_state *rd, rd_watch *watch)
{
    watch->gone = true;
    watch->gone_untold = watch->changes & PLX_PATH_SELF_GONE;
    watch->doubtful = false;
    rd_close_reads(rd, watch);
    watch->main.at = watch->main.filled;
    watch->attributes.at = watch->attributes.filled;
    watch->guard.at = watch->guard.filled;
}

/* ---- What a change means; no look at the file system ------------------------ */

static size_t rd_length(const FILE_NOTIFY_INFORMATION *raw)
{
    return raw->FileNameLength / sizeof(wchar_t);
}

static bool rd_is(const FILE_NOTIFY_INFORMATION *raw, const wchar_t *name)
{
    return plx__wide_same(raw->FileName, rd_length(raw), name, wcslen(name));
}

static uint32_t rd_change(DWORD action)
{
    switch (action) {
    case FILE_ACTION_ADDED:
        return PLX_PATH_CREATED;
    case FILE_ACTION_REMOVED:
        return PLX_PATH_DELETED;
    case FILE_ACTION_RENAMED_OLD_NAME:
        return PLX_PATH_MOVED_FROM;
    case FILE_ACTION_RENAMED_NEW_NAME:
        return PLX_PATH_MOVED_TO;
    default:
        return 0;
    }
}

/* A path that is added as it is being made may be told as created, and is no end. */
static uint32_t rd_guard_means(const rd_watch *watch, const FILE_NOTIFY_INFORMATION *raw)
{
    if (!rd_is(raw, watch->path + watch->leaf))
        return 0;
    if (raw->Action == FILE_ACTION_MODIFIED)
        return PLX_PATH_ATTRIBUTES;
    return raw->Action == FILE_ACTION_ADDED ? 0 : PLX_PATH_SELF_GONE;
}

static uint32_t rd_means(const rd_watch *watch, const rd_read *read)
{
    const FILE_NOTIFY_INFORMATION *raw = plx__read_present(read);

    if (read == &watch->guard)
        return rd_guard_means(watch, raw);
    if (!watch->folder && !rd_is(raw, watch->target))
        return 0;
    if (raw->Action != FILE_ACTION_MODIFIED)
        return watch->folder ? rd_change(raw->Action) & watch->changes : 0;
    return read == &watch->main ? PLX_PATH_MODIFIED : PLX_PATH_ATTRIBUTES;
}

/* Never 0. */
static uint32_t rd_cookie(rd_state *rd)
{
    rd->cookies++;
    rd->cookies += rd->cookies == 0;
    return rd->cookies;
}

/* Keeps account of what is not told: names that were given up, and renames. */
static void rd_consume(rd_state *rd, rd_watch *watch, rd_read *read)
{
    const FILE_NOTIFY_INFORMATION *raw = plx__read_present(read);
    uint32_t change = read == &watch->main ? rd_change(raw->Action) : 0;

    if (change & (PLX_PATH_DELETED | PLX_PATH_MOVED_FROM))
        plx__found_forget(rd, watch, raw->FileName, rd_length(raw));
    if (change & PLX_PATH_MOVED_FROM)
        watch->cookie = rd_cookie(rd);
    plx__read_consume(read);
    if (read->at >= read->filled)
        rd->turn = watch->next;
}

/* ---- Looking for something to tell ------------------------------------------ */

static bool rd_fill(rd_state *rd, rd_watch *watch, rd_read *read)
{
    for (;;) {
        switch (plx__read_fill(rd, read)) {
        case RD_NOTHING:
            return false;
        case RD_SOMETHING:
            return true;
        case RD_LOST:
            if (read == &watch->guard) {
                watch->doubtful = true;
            } else {
                rd->lost = true;
                plx__found_drop(rd, watch);
            }
            break;
        case RD_OVER:
            rd_gone(rd, watch);
            return false;
        }
    }
}

/* The read of a watch that is to be looked at next. */
static rd_read *rd_filled_of(rd_state *rd, rd_watch *watch)
{
    bool guard = rd_fill(rd, watch, &watch->guard); /* first: what the others have by now is older */

    if (rd_fill(rd, watch, &watch->main))
        return &watch->main;
    if (rd_fill(rd, watch, &watch->attributes))
        return &watch->attributes;
    return guard && !watch->gone ? &watch->guard : NULL;
}

/* Whether the watch has something to tell, or the file system is to be looked at for it. */
static bool rd_seek_in(rd_state *rd, rd_watch *watch, rd_read **found)
{
    rd_read *read;

    while ((read = rd_filled_of(rd, watch))) {
        uint32_t means = rd_means(watch, read);
        if (means == PLX_PATH_SELF_GONE) {
            rd_gone(rd, watch);
            break;
        }
        if (means)
            break;
        rd_consume(rd, watch, read);
    }
    *found = watch->gone ? NULL : read;
    return *found || watch->gone_untold || (watch->doubtful && rd->event);
}

/* The watches take turns. A read that is begun may hide the end of another: then once more. */
static rd_watch *rd_seek(rd_state *rd, rd_read **found)
{
    unsigned begun;

    do {
        begun = rd->begun;
        for (rd_watch *watch = rd->turn; watch; watch = watch->next)
            if (rd_seek_in(rd, watch, found))
                return watch;
        for (rd_watch *watch = rd->watches; watch && watch != rd->turn; watch = watch->next)
            if (rd_seek_in(rd, watch, found))
                return watch;
    } while (begun != rd->begun);
    rd->turn = NULL;
    return NULL;
}

static bool rd_any(void *state, bool look)
{
    rd_state *rd = state;
    rd_read *read;

    (void)look;
    if (rd->lost || plx__found_untold(rd) || rd_seek(rd, &read))
        return true;
    (void)plx__win32_sources.ResetEvent(rd->event);
    return rd_seek(rd, &read) || rd->lost;
}

/* ---- Telling ---------------------------------------------------------------- */

/* False if the name is longer than can be told. */
static bool rd_tell(rd_state *rd, const rd_watch *watch, const wchar_t *name, size_t length, plx_path_change *change)
{
    if (!plx__wide_name(name, watch->folder ? length : 0, rd->name, sizeof rd->name)) {
        rd->lost = true;
        return false;
    }
    change->watch = watch->number;
    change->name = rd->name;
    return true;
}

/* A folder is written to by whoever changes what is in it, which is told by itself. */
static bool rd_is_folder(rd_state *rd, const rd_watch *watch, const FILE_NOTIFY_INFORMATION *raw)
{
    size_t length = rd_length(raw);
    bool folder = false;
    rd_file file;

    if (watch->length + length + 2 > PLX__WIDE_SIZE)
        return false;
    wmemcpy(rd->wide, watch->path, watch->length);
    rd->wide[watch->length] = L'\\';
    wmemcpy(rd->wide + watch->length + 1, raw->FileName, length);
    rd->wide[watch->length + 1 + length] = L'\0';
    return rd_identify(rd->wide, &folder, &file) == 0 && folder;
}

static bool rd_same_file(const rd_file *one, const rd_file *other)
{
    return one->volume == other->volume && one->high == other->high && one->low == other->low;
}

/* After a guard has missed something. What is being deleted is -EACCES. */
static void rd_look_again(rd_state *rd, rd_watch *watch)
{
    rd_file file = {0};
    bool folder;
    int rc = rd_identify(watch->path, &folder, &file);

    watch->doubtful = false;
    if (rc == 0 ? !rd_same_file(&file, &watch->file) : rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES)
        rd_gone(rd, watch);
    else
        rd->lost |= rc < 0;
}

/* Whether the present change is to be told after all; looks into new folders. */
static bool rd_settle(rd_state *rd, rd_watch *watch, const FILE_NOTIFY_INFORMATION *raw, uint32_t means)
{
    if (means == PLX_PATH_MODIFIED && watch->folder)
        return !rd_is_folder(rd, watch, raw);
    if (means != PLX_PATH_CREATED || !watch->recursive)
        return true;
    bool told = !plx__found_passes(rd, watch, raw->FileName, rd_length(raw));
    plx__found_look(rd, watch, raw->FileName, rd_length(raw));
    return told;
}

static bool rd_take_raw(rd_state *rd, rd_watch *watch, rd_read *read, plx_path_change *change)
{
    const FILE_NOTIFY_INFORMATION *raw = plx__read_present(read);
    uint32_t means = rd_means(watch, read);
    size_t length = read == &watch->guard ? 0 : rd_length(raw);
    bool told = rd_settle(rd, watch, raw, means) && rd_tell(rd, watch, raw->FileName, length, change);

    rd_consume(rd, watch, read);
    change->changes = means;
    change->cookie = 0;
    if (means & RD_MOVES && watch->cookie == 0)
        watch->cookie = rd_cookie(rd);
    if (means & RD_MOVES)
        change->cookie = watch->cookie;
    if (means == PLX_PATH_MOVED_TO)
        watch->cookie = 0;
    return told;
}

/* What is known already. */
static bool rd_take_kept(rd_state *rd, plx_path_change *change)
{
    rd_found *found;

    if (rd->lost) {
        rd->lost = false;
        *change = (plx_path_change){.watch = -1, .changes = PLX_PATH_OVERFLOW, .name = ""};
        return true;
    }
    while ((found = plx__found_untold(rd))) {
        *change = (plx_path_change){.changes = PLX_PATH_CREATED};
        rd->untold = found->next;
        if (rd_tell(rd, found->watch, found->text, found->length, change))
            return true;
    }
    return false;
}

/* Of a watch that has something; false if it is not to be told after all. */
static bool rd_take(rd_state *rd, rd_watch *watch, rd_read *read, plx_path_change *change)
{
    if (read)
        return rd_take_raw(rd, watch, read, change);
    if (watch->doubtful)
        rd_look_again(rd, watch);
    bool told = watch->gone_untold;
    watch->gone_untold = false;
    *change = (plx_path_change){.watch = watch->number, .changes = PLX_PATH_SELF_GONE, .name = ""};
    return told;
}

static int rd_next(void *state, plx_path_change *change)
{
    rd_state *rd = state;
    plx_path_change taken;
    rd_read *read;

    while (!rd_take_kept(rd, &taken)) {
        rd_watch *watch = rd_seek(rd, &read);
        if (watch && rd_take(rd, watch, read, &taken))
            break;
        if (!watch && !rd->lost)
            return 0;
    }
    *change = taken;
    return 1;
}

const plx__paths_way plx__paths_win32 = {
    .state_size = sizeof(rd_state),
    .cannot = PLX_PATH_CLOSED_WRITE,
    .open = rd_open,
    .fini = rd_fini,
    .add = rd_add,
    .remove = rd_remove,
    .next = rd_next,
    .any = rd_any,
    .detach = rd_detach,
};

#endif
