/* SPDX-License-Identifier: MIT */
/*
 * Files: from the path of a request to something that can be sent, and a small cache.
 * Nothing of Pollux is in here. Part of http_server.c, which includes it once.
 *
 * No path leads out of the folder: it is opened name by name, ".." is refused, and no
 * symbolic link is followed.
 */
#ifndef HTTP_FILES_H
#define HTTP_FILES_H

#include "request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_LIMIT = 1024,
    SMALL_FILE = 8 * 1024, /* kept in memory for a second */
    CACHE_SLOTS = 64
};

/* A small file in memory. Its path is as it stood in the request, not decoded. */
struct cached {
    char *body; /* NULL: the slot is empty */
    size_t size, path_length;
    const char *type;
    time_t modified, loaded;
    char modified_text[32], path[128];
};

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {"html", "text/html; charset=utf-8"},
        {"htm", "text/html; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
        {"json", "application/json"},
        {"xml", "application/xml"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"ico", "image/x-icon"},
        {"pdf", "application/pdf"},
        {"wasm", "application/wasm"},
        {"woff2", "font/woff2"},
        {"mp4", "video/mp4"},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot + 1, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

static int hex_value(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit != 0 ? strchr(digits, tolower((unsigned char)digit)) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* Undoes %41. Returns a status: 200, 400, 414. */
static int decode_path(struct text raw, char path[PATH_LIMIT])
{
    size_t length = 0;
    for (size_t i = 0; i < raw.length; i++) {
        char byte = raw.at[i];
        if (byte == '%') {
            int high = i + 2 < raw.length ? hex_value(raw.at[i + 1]) : -1;
            int low = i + 2 < raw.length ? hex_value(raw.at[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0) /* %00 would end the name early */
                return 400;
            byte = (char)(high * 16 + low);
            i += 2;
        }
        if (length + 1 >= PATH_LIMIT)
            return 414;
        path[length++] = byte;
    }
    path[length] = '\0';
    return 200;
}

/* Without O_NONBLOCK the open of a FIFO would hold up every connection of the thread. */
#define OPEN_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* Opens a path below root. Returns a descriptor or a negative errno value. */
static int open_below(int root, char *path)
{
    char *rest = NULL;
    int at = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    char *name = strtok_r(path, "/", &rest);
    for (; name != NULL && at >= 0; name = strtok_r(NULL, "/", &rest)) {
        int next = strcmp(name, "..") == 0 ? (errno = EACCES, -1) : openat(at, name, OPEN_FLAGS);
        int error = errno;
        close(at);
        errno = error;
        at = next;
    }
    return at >= 0 ? at : -errno;
}

static int status_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
        return 404;
    case EACCES:
    case EPERM:
    case ELOOP: /* a symbolic link; some systems say EMLINK */
    case EMLINK:
    case ENXIO: /* a socket */
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return 503;
    default:
        return 500;
    }
}

/* Finds what a path names. Returns a status; with 200 an open file, its size and so on. */
static int find_file(int root, struct text raw, int *file, struct stat *info, const char **type)
{
    char path[PATH_LIMIT];
    int status = decode_path(raw, path);
    if (status != 200)
        return status;
    bool slash = path[strlen(path) - 1] == '/';
    *type = type_of(path);

    int fd = open_below(root, path);
    if (fd >= 0 && fstat(fd, info) == 0 && S_ISDIR(info->st_mode)) {
        if (!slash) { /* links in index.html would lead elsewhere without it */
            close(fd);
            return 301;
        }
        int folder = fd;
        fd = openat(folder, "index.html", OPEN_FLAGS);
        fd = fd >= 0 ? fd : -errno;
        close(folder);
        *type = type_of("index.html");
        slash = false;
    }
    if (fd < 0)
        return status_of(-fd);
    if (fstat(fd, info) < 0 || !S_ISREG(info->st_mode) || slash) {
        close(fd);
        return slash ? 404 : 403;
    }
    *file = fd;
    return 200;
}

static void format_date(char text[32], time_t seconds)
{
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(text, 32, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static struct cached *cache_slot(struct cached *cache, struct text path)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < path.length; i++)
        hash = (hash ^ (unsigned char)path.at[i]) * 16777619u;
    return &cache[hash % CACHE_SLOTS];
}

static const struct cached *cache_find(struct cached *cache, struct text path, time_t now)
{
    struct cached *slot = cache_slot(cache, path);
    bool hit = slot->body != NULL && slot->loaded == now && slot->path_length == path.length &&
               memcmp(slot->path, path.at, path.length) == 0;
    return hit ? slot : NULL;
}

/* Reads a small file into the slot of its path. NULL: it is to be sent as large ones are. */
static const struct cached *cache_load(struct cached *cache, struct text path, time_t now, int file,
                                       const struct stat *info, const char *type)
{
    struct cached *slot = cache_slot(cache, path);
    if (info->st_size > SMALL_FILE || path.length > sizeof slot->path)
        return NULL;
    char *body = malloc(SMALL_FILE);
    ssize_t size = body != NULL ? pread(file, body, SMALL_FILE, 0) : -1;
    if (size != info->st_size) { /* being written, perhaps */
        free(body);
        return NULL;
    }
    free(slot->body);
    slot->body = body;
    slot->size = (size_t)size;
    slot->path_length = path.length;
    slot->type = type;
    slot->modified = info->st_mtime;
    slot->loaded = now;
    format_date(slot->modified_text, info->st_mtime);
    memcpy(slot->path, path.at, path.length);
    return slot;
}

#endif
