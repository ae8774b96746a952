/* SPDX-License-Identifier: MIT */
/* What is done in a temporary folder, by Windows. */
#include "os/config.h"

#include "folders.h"

#if !PLX__HAS_POSIX

#include "os/win32.h"
#include "os/wide_win32.h"

/* Four, in turns. */
static wchar_t *wide_of(const char *path)
{
    static _Thread_local wchar_t paths[4][PLX__WIDE_SIZE];
    static _Thread_local unsigned turn;
    wchar_t *wide = paths[turn++ % 4];
    CHECK(plx__wide_path(path, wide) > 0);
    return wide;
}

static wchar_t *wide_in(const folder *f, const char *name)
{
    return wide_of(in_folder(f, name));
}

void make_place(char *path, size_t size)
{
    static unsigned made;
    wchar_t place[MAX_PATH], real[MAX_PATH];
    DWORD length = GetTempPathW(MAX_PATH - 64, place);
    CHECK(length > 0 && length < MAX_PATH - 64);
    do
        swprintf(place + length, 64, L"pollux.%lu.%u", GetCurrentProcessId(), made++);
    while (!CreateDirectoryW(place, NULL) && GetLastError() == ERROR_ALREADY_EXISTS);
    CHECK(GetLongPathNameW(place, real, MAX_PATH) > 0);
    CHECK(plx__wide_name(real, wcslen(real), path, size));
}

static HANDLE open_one(const wchar_t *path, DWORD access, DWORD disposition)
{
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE handle = CreateFileW(path, access, share, NULL, disposition, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    CHECK(handle != INVALID_HANDLE_VALUE);
    return handle;
}

plx_fd hold_open(const folder *f, const char *name)
{
    return (plx_fd)open_one(wide_in(f, name), GENERIC_READ, OPEN_EXISTING);
}

void let_go(plx_fd fd)
{
    CHECK(CloseHandle((HANDLE)fd));
}

void make_file(const folder *f, const char *name)
{
    CHECK(CloseHandle(open_one(wide_in(f, name), GENERIC_READ, OPEN_ALWAYS)));
}

void write_file(const folder *f, const char *name, const char *text)
{
    HANDLE file = open_one(wide_in(f, name), FILE_APPEND_DATA, OPEN_ALWAYS);
    DWORD written = 0;
    CHECK(WriteFile(file, text, (DWORD)strlen(text), &written, NULL));
    CHECK_EQ(written, strlen(text));
    CHECK(CloseHandle(file));
}

void make_folder(const folder *f, const char *name)
{
    CHECK(CreateDirectoryW(wide_in(f, name), NULL));
}

void make_folders(const folder *f, const char *name)
{
    wchar_t *path = wide_in(f, name);
    for (wchar_t *at = path + strlen(f->path); (at = wcschr(at + 1, L'\\'));) {
        *at = L'\0';
        CHECK(CreateDirectoryW(path, NULL) || GetLastError() == ERROR_ALREADY_EXISTS);
        *at = L'\\';
    }
    CHECK(CreateDirectoryW(path, NULL) || GetLastError() == ERROR_ALREADY_EXISTS);
}

void move(const folder *f, const char *from, const char *to)
{
    CHECK(MoveFileExW(wide_in(f, from), wide_in(f, to), MOVEFILE_REPLACE_EXISTING));
}

/* Wine says that it has, and has not. */
void make_link(const folder *f, const char *to, const char *name)
{
    wchar_t target[MAX_PATH];
    CHECK(MultiByteToWideChar(CP_UTF8, 0, to, -1, target, MAX_PATH));
    for (wchar_t *at = target; (at = wcschr(at, L'/'));)
        *at = L'\\';
    if (!CreateSymbolicLinkW(wide_in(f, name), target, SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE) ||
        GetFileAttributesW(wide_in(f, name)) == INVALID_FILE_ATTRIBUTES)
        SKIP("no symbolic links without a privilege");
}

void make_hard_link(const folder *f, const char *to, const char *name)
{
    CHECK(CreateHardLinkW(wide_in(f, name), wide_in(f, to), NULL));
}

static void remove_one(const wchar_t *path)
{
    DWORD attributes = GetFileAttributesW(path);
    CHECK(attributes != INVALID_FILE_ATTRIBUTES);
    if (attributes & FILE_ATTRIBUTE_READONLY)
        CHECK(SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL));
    CHECK(attributes & FILE_ATTRIBUTE_DIRECTORY ? RemoveDirectoryW(path) : DeleteFileW(path));
}

void remove_file(const folder *f, const char *name)
{
    remove_one(wide_in(f, name));
}

void remove_folder(const folder *f, const char *name)
{
    remove_one(wide_in(f, name));
}

static void remove_all(wchar_t *path)
{
    WIN32_FIND_DATAW entry;
    size_t length = wcslen(path);
    wcscpy(path + length, L"\\*");
    HANDLE listing = FindFirstFileW(path, &entry);
    CHECK(listing != INVALID_HANDLE_VALUE);
    do {
        if (wcscmp(entry.cFileName, L".") == 0 || wcscmp(entry.cFileName, L"..") == 0)
            continue;
        wcscpy(path + length + 1, entry.cFileName);
        if ((entry.dwFileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT)) ==
            FILE_ATTRIBUTE_DIRECTORY)
            remove_all(path);
        else
            remove_one(path);
    } while (FindNextFileW(listing, &entry));
    CHECK(FindClose(listing));
    path[length] = L'\0';
    remove_one(path);
}

void remove_tree(const folder *f, const char *name)
{
    remove_all(wide_in(f, name));
}

/* There are no others than to be read alone. */
void set_mode(const folder *f, const char *name, unsigned mode)
{
    (void)mode;
    CHECK(SetFileAttributesW(wide_in(f, name), FILE_ATTRIBUTE_READONLY));
}

void work_in(const char *path, char *before, size_t size)
{
    wchar_t wide[MAX_PATH];
    if (before) {
        CHECK(GetCurrentDirectoryW(MAX_PATH, wide) > 0);
        CHECK(plx__wide_name(wide, wcslen(wide), before, size));
    }
    CHECK(MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, MAX_PATH));
    CHECK(SetCurrentDirectoryW(wide));
}

/* 64 KiB of them. */
int many_changes(void)
{
    return 1000;
}

void need_links_told(void)
{
    SKIP("Windows tells of a change under the name that it was made by");
}

void need_moves_told(void)
{
    SKIP("from folder to folder a move is a deletion and a creation on Windows");
}

void need_new_names(void)
{
    SKIP("Windows has told of it already, under the name it had");
}

bool moves_are_told(void)
{
    return false;
}

bool trees_are_seen(void)
{
    return !plx__win32_is_wine();
}

void need_trees(void)
{
    if (!trees_are_seen())
        SKIP("Wine sees no folder of a tree that was there before");
}

/* A name goes with the last handle, but on NTFS since Windows 10. */
void need_free_names(void)
{
    if (plx__win32_is_wine())
        SKIP("Wine keeps a name while somebody has the file open");
}

bool watched_can_be_deleted(void)
{
    return !plx__win32_is_wine();
}

void need_watched_deleted(void)
{
    if (!watched_can_be_deleted())
        SKIP("Wine keeps a folder that is watched when it is deleted");
}

void need_cheap_watches(void)
{
    SKIP("a watch costs handles on Windows");
}

#endif
