/* SPDX-License-Identifier: MIT */
/* Paths as Windows has them. */
#include "os/config.h"

#include <pollux.h>

#if PLX__HAS_IOCP
#include "os/sources_win32.h"
#include "os/wide_win32.h"

#include <errno.h>
#include <string.h>

#define WIDE_LOCAL   L"\\\\?\\"
#define WIDE_NETWORK L"\\\\?\\UNC\\"
enum { WIDE_LOCAL_LENGTH = 4, WIDE_NETWORK_LENGTH = 8 };

static bool wide_begins(const wchar_t *path, const wchar_t *with)
{
    return wcsncmp(path, with, wcslen(with)) == 0;
}

static int wide_prefix(const wchar_t *full, size_t length, wchar_t *wide)
{
    bool device = wide_begins(full, WIDE_LOCAL) || wide_begins(full, L"\\\\.\\");
    bool network = !device && wide_begins(full, L"\\\\");
    const wchar_t *prefix = device ? L"" : network ? WIDE_NETWORK : WIDE_LOCAL;
    size_t before = wcslen(prefix);
    size_t from = network ? 2 : 0;

    if (before + length - from >= PLX__WIDE_SIZE)
        return -ENAMETOOLONG;
    wmemcpy(wide, prefix, before);
    wmemcpy(wide + before, full + from, length - from + 1);
    return (int)(before + length - from);
}

/* What no file system here takes, and Wine has as a name that is not there. */
static bool wide_too_long(const wchar_t *path)
{
    while (*path) {
        size_t name = wcscspn(path, L"\\");
        if (name > 255)
            return true;
        path += name + (path[name] != L'\0');
    }
    return false;
}

int plx__wide_path(const char *path, wchar_t *wide)
{
    wchar_t text[PLX__WIDE_SIZE], full[PLX__WIDE_SIZE];
    size_t bytes = strlen(path);

    if (bytes == 0)
        return -ENOENT;
    if (bytes >= PLX__WIDE_SIZE)
        return -ENAMETOOLONG;
    if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, text, PLX__WIDE_SIZE))
        return -EINVAL;
    DWORD length = GetFullPathNameW(text, PLX__WIDE_SIZE, full, NULL);
    if (length == 0)
        return plx__win32_failed();
    if (length >= PLX__WIDE_SIZE)
        return -ENAMETOOLONG;
    int rc = wide_prefix(full, length, wide);
    while (rc > 1 && wide[rc - 1] == L'\\' && wide[rc - 2] != L':')
        wide[--rc] = L'\0';
    return rc > 0 && wide_too_long(wide) ? -ENAMETOOLONG : rc;
}

size_t plx__wide_leaf(const wchar_t *path, size_t length)
{
    bool network = wide_begins(path, WIDE_NETWORK);
    const wchar_t *root = path + (network ? WIDE_NETWORK_LENGTH : WIDE_LOCAL_LENGTH);
    const wchar_t *last = wcsrchr(root, L'\\');

    /* \\server\share is a root */
    if (!last || (network && wcschr(root, L'\\') == last))
        return length;
    return (size_t)(last + 1 - path);
}

bool plx__wide_name(const wchar_t *wide, size_t length, char *name, size_t size)
{
    int count = length == 0 ? 0 : WideCharToMultiByte(CP_UTF8, 0, wide, (int)length, name, (int)size - 1, NULL, NULL);

    if (length && count == 0)
        return false;
    name[count] = '\0';
    for (char *at = name; (at = strchr(at, '\\'));)
        *at = '/';
    return true;
}

bool plx__wide_same(const wchar_t *one, size_t length, const wchar_t *other, size_t other_length)
{
    return CompareStringOrdinal(one, (int)length, other, (int)other_length, TRUE) == CSTR_EQUAL;
}

#endif
