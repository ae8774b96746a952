/* SPDX-License-Identifier: MIT */
/* Watched paths as Windows has them: how they are written, how they end, and calls that fail. */
#include "os/config.h"

#include "folders.h"

#if !PLX__HAS_POSIX

#include "os/sources_win32.h"

static int add(folder *f, const char *path, uint32_t changes)
{
    int number = 0;
    CHECK_RC(plx_paths_add(f->paths, path, changes, &number), 0);
    return number;
}

/* Once, in any order. */
static void each_is_told(folder *f, const int *w, int count, uint32_t changes)
{
    int told = 0, all = 0;
    for (int i = 0; i < count; i++) {
        plx_path_change change;
        take_change(f, &change);
        CHECK(change.changes == changes && change.name[0] == '\0');
        told |= 1 << change.watch;
        all |= 1 << w[i];
    }
    CHECK_EQ(told, all);
}

/* Forward and backward, in another case, with the prefix that takes a path as it is. */
CASE(path_of_windows_may_be_written_in_each_way)
{
    folder f = folder_open();
    char path[FOLDER_PATH];
    int w[4];
    make_folder(&f, "Below");
    make_file(&f, "Below/File");
    snprintf(path, sizeof path, "%s\\bELOW/fILE", f.path);
    w[0] = add(&f, path, PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    snprintf(path, sizeof path, "%s/./below/../BELOW/file", f.path);
    w[1] = add(&f, path, PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    snprintf(path, sizeof path, "\\\\?\\%s/Below/File", f.path);
    for (char *at = path; *at; at++)
        if (*at == '/')
            *at = '\\';
    w[2] = add(&f, path, PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    w[3] = watch(&f, "below\\", PLX_PATH_CREATED);
    write_file(&f, "below/file", "x");
    each_is_told(&f, w, 3, PLX_PATH_MODIFIED);
    remove_file(&f, "BELOW/FILE");
    each_is_told(&f, w, 3, PLX_PATH_SELF_GONE);
    make_file(&f, "below/new");
    NEXT(&f, w[3], PLX_PATH_CREATED, "new");
    NOTHING(&f);
    folder_close(&f);
}

CASE(path_of_windows_may_be_longer_than_260)
{
    folder f = folder_open();
    char name[FOLDER_PATH - 512] = "";
    for (int i = 0; i < 4; i++) {
        size_t length = strlen(name);
        memset(name + length, 'a' + i, 150);
        name[length + 150] = '\0';
        make_folder(&f, name);
        strcat(name, i < 3 ? "/" : "");
    }
    int w = watch(&f, name, PLX_PATH_CREATED | PLX_PATH_ATTRIBUTES | PLX_PATH_RECURSIVE);
    strcat(name, "/file");
    make_file(&f, name);
    NEXT(&f, w, PLX_PATH_CREATED, "file");
    int w_file = watch(&f, name, PLX_PATH_MODIFIED);
    write_file(&f, name, "x");
    NEXT(&f, w_file, PLX_PATH_MODIFIED, "");
    NOTHING(&f);
    folder_close(&f);
}

CASE(root_of_a_drive_can_be_watched)
{
    folder f = folder_open();
    char root[4] = {f.path[0], ':', '/', '\0'};
    int w = add(&f, root, PLX_PATH_CREATED | PLX_PATH_SELF_GONE);
    CHECK_RC(plx_paths_remove(f.paths, w), 0);
    folder_close(&f);
}

static void add_in_thread(void *argument)
{
    folder *f = argument;
    CHECK_EQ(watch(f, "", PLX_PATH_CREATED), 1);
}

/* The system cancels what a thread has begun when it exits. */
CASE(watch_outlives_the_thread_that_added_it)
{
    folder f = folder_open();
    thread_join(thread_start(add_in_thread, &f));
    NOTHING(&f);
    make_file(&f, "file");
    NEXT(&f, 1, PLX_PATH_CREATED, "file");
    folder_close(&f);
}

/* What the guards have missed they look for themselves: the watches of these files lose nothing. */
CASE(full_guard_still_knows_whether_its_path_is_there)
{
    folder f = folder_open();
    make_file(&f, "one");
    make_file(&f, "two");
    int one = watch(&f, "one", PLX_PATH_SELF_GONE);
    int two = watch(&f, "two", PLX_PATH_SELF_GONE);
    for (int i = 0; i < 600; i++) { /* more than 4 KiB */
        make_file(&f, "other");
        remove_file(&f, "other");
        if (i == 300)
            remove_file(&f, "one");
    }
    NEXT(&f, one, PLX_PATH_SELF_GONE, "");
    NOTHING(&f);
    remove_file(&f, "two");
    NEXT(&f, two, PLX_PATH_SELF_GONE, "");
    NOTHING(&f);
    folder_close(&f);
}

/* ---- Calls that fail --------------------------------------------------------------- */

static plx__win32_sources_calls real;
static int call_made, call_refused; /* the call of this number fails; 0: none does */

static bool refused(void)
{
    if (++call_made != call_refused)
        return false;
    SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return true;
}

static HANDLE WINAPI may_create_event(SECURITY_ATTRIBUTES *security, BOOL manual, BOOL set, const wchar_t *name)
{
    return refused() ? NULL : real.CreateEventW(security, manual, set, name);
}

static HANDLE WINAPI may_create_file(const wchar_t *path, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security,
                                     DWORD disposition, DWORD flags, HANDLE model)
{
    return refused() ? INVALID_HANDLE_VALUE
                     : real.CreateFileW(path, access, share, security, disposition, flags, model);
}

static BOOL WINAPI may_inform(HANDLE file, BY_HANDLE_FILE_INFORMATION *information)
{
    return !refused() && real.GetFileInformationByHandle(file, information);
}

static BOOL WINAPI may_read(HANDLE handle, void *buffer, DWORD size, BOOL tree, DWORD filter, DWORD *count,
                            OVERLAPPED *overlapped, LPOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return !refused() && real.ReadDirectoryChangesW(handle, buffer, size, tree, filter, count, overlapped, routine);
}

static HANDLE WINAPI may_find(const wchar_t *pattern, WIN32_FIND_DATAW *found)
{
    return refused() ? INVALID_HANDLE_VALUE : real.FindFirstFileW(pattern, found);
}

static void let_calls_fail(void)
{
    real = plx__win32_sources;
    plx__win32_sources.CreateEventW = may_create_event;
    plx__win32_sources.CreateFileW = may_create_file;
    plx__win32_sources.GetFileInformationByHandle = may_inform;
    plx__win32_sources.ReadDirectoryChangesW = may_read;
    plx__win32_sources.FindFirstFileW = may_find;
}

/* The call of this number from now on. */
static void refuse_call(int number)
{
    call_made = 0;
    call_refused = number;
}

CASE(each_call_of_windows_that_fails_leaves_nothing_watched)
{
    let_calls_fail();
    counting memory;
    folder f = folder_open_on(open_counting(&memory));
    plx_paths *paths = NULL;
    int w = 4711, number = 1;
    make_file(&f, "file");
    refuse_call(1);
    CHECK_RC(plx_paths_open(f.registry, 1, &paths), -ENOMEM);
    CHECK(paths == NULL);
    CHECK_RC(plx_paths_add(f.paths, f.path, ALL_CHANGES, &w), 0);
    CHECK_RC(plx_paths_remove(f.paths, w), 0);
    w = 4711;
    for (int i = 0; i < 2; i++) {
        const char *path = in_folder(&f, i ? "file" : "");
        for (number = 1;; number++) {
            int handles = descriptors_open();
            long live = atomic_load(&memory.live);
            refuse_call(number);
            int rc = plx_paths_add(f.paths, path, PLX_PATH_MODIFIED | PLX_PATH_ATTRIBUTES, &w);
            if (rc == 0 && call_made < number)
                break;
            if (rc == 0) { /* where the file really is, which some volumes do not say */
                CHECK_RC(plx_paths_remove(f.paths, w), 0);
                w = 4711;
                continue;
            }
            CHECK_RC(rc, -ENOMEM);
            CHECK_EQ(w, 4711);
            CHECK_EQ(descriptors_open(), handles);
            CHECK_EQ(atomic_load(&memory.live), live);
        }
        CHECK(number > 10);
        refuse_call(0);
        CHECK_RC(plx_paths_remove(f.paths, w), 0);
        w = 4711;
    }
    folder_close(&f);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* It cannot be read on: the watch is over, and it is said that changes were lost. */
CASE(read_that_cannot_be_begun_again_ends_the_watch)
{
    let_calls_fail();
    folder f = folder_open();
    int w = watch(&f, "", ALL_CHANGES);
    make_file(&f, "file");
    NEXT(&f, w, PLX_PATH_CREATED, "file");
    refuse_call(1);
    plx_path_change change;
    bool lost = false, gone = false;
    while (!lost || !gone) {
        take_change(&f, &change);
        lost |= change.changes == PLX_PATH_OVERFLOW;
        gone |= change.changes == PLX_PATH_SELF_GONE && change.watch == w;
    }
    NOTHING(&f);
    folder_close(&f);
}

CASE(new_folder_that_cannot_be_listed_is_an_overflow)
{
    let_calls_fail();
    folder f = folder_open();
    int w = watch(&f, "", ALL_CHANGES | PLX_PATH_RECURSIVE);
    plx_event event;
    make_folder(&f, "below");
    CHECK_RC(plx_poller_wait(f.poller, &event, 1, PATIENCE), 1);
    refuse_call(1);
    NEXT(&f, w, PLX_PATH_CREATED, "below");
    plx_path_change change;
    take_change(&f, &change);
    CHECK(change.watch == -1 && change.changes == PLX_PATH_OVERFLOW);
    NOTHING(&f);
    folder_close(&f);
}

#else

#define NOT_HERE(name)                 \
    CASE(name)                         \
    {                                  \
        SKIP("paths are Windows' own"); \
    }

NOT_HERE(path_of_windows_may_be_written_in_each_way)
NOT_HERE(path_of_windows_may_be_longer_than_260)
NOT_HERE(root_of_a_drive_can_be_watched)
NOT_HERE(watch_outlives_the_thread_that_added_it)
NOT_HERE(full_guard_still_knows_whether_its_path_is_there)
NOT_HERE(each_call_of_windows_that_fails_leaves_nothing_watched)
NOT_HERE(read_that_cannot_be_begun_again_ends_the_watch)
NOT_HERE(new_folder_that_cannot_be_listed_is_an_overflow)

#endif
