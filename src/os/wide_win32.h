/* SPDX-License-Identifier: MIT */
/*
 * Paths as Windows has them: UTF-16, '\' between folders, and with the prefix \\?\, which
 * lifts the limit of 260 units. Outside they are UTF-8.
 */
#ifndef PLX__WIDE_WIN32_H
#define PLX__WIDE_WIN32_H

#include "os/config.h"

#include <pollux.h>

#if PLX__HAS_IOCP
#include <wchar.h>

/* Units of the longest path that plx__wide_path writes, with NUL. */
enum { PLX__WIDE_SIZE = 4096 };

/*
 * Makes a path absolute, without '\' at its end but that of a drive's root. Its length;
 * -EINVAL for what is no UTF-8, -ENOENT, -ENAMETOOLONG.
 */
int plx__wide_path(const char *path, wchar_t *wide);

/* Where the last name of such a path begins; its length if it is a root, which has none. */
size_t plx__wide_leaf(const wchar_t *path, size_t length);

/* With '/' between folders. Whether there was room; what is no UTF-16 becomes U+FFFD. */
bool plx__wide_name(const wchar_t *wide, size_t length, char *name, size_t size);

/* As file systems compare them. */
bool plx__wide_same(const wchar_t *one, size_t length, const wchar_t *other, size_t other_length);

#endif

#endif
