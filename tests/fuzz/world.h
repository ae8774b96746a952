/* SPDX-License-Identifier: MIT */
/*
 * The system's side of the model: open files, the numbers that name them, and nothing of the
 * library. What is readable or writable is not modelled: poll(2) is asked.
 *
 * The numbers are fixed ones, so that the same bytes meet the same numbers on every backend, and
 * few, so that they are used again and again.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include "feed.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST = 64, NUMBERS = 10, NAMES = NUMBERS + 1, NOTHING = -1, CHUNK = 4096 };

/* An operation opens two files at the most, and there is a poller's descriptor. */
enum { OPERATIONS = 200, FILES = 2 * OPERATIONS + 1 };

enum kind { STREAM, PIPE, COUNTER, LONELY, FOLDER, KINDS, POLLER };

/* An open file. Once closed it is never used again. */
struct file {
    enum kind kind;
    int names;    /* how many numbers it has */
    int peer;     /* the other end; itself; or NOTHING */
    int identity; /* device and inode, which both ends of a pipe share, and all that are anonymous */
    bool pinned;  /* it or its peer was closed while registered: a kernel may still hold it */
};

static struct file files[FILES];
static int file_count;
static int name[NAMES];  /* number -> file, or NOTHING; the last is a poller's own */
static int inner_number; /* of that poller's descriptor, or NOTHING */

static int number_of(int place)
{
    return place < NUMBERS ? FIRST + place : inner_number;
}

static const struct file *file_at(int place)
{
    return name[place] == NOTHING ? NULL : &files[name[place]];
}

/* The first number that is free, or NOTHING. */
static int place_free(void)
{
    for (int place = 0; place < NUMBERS; place++)
        if (name[place] == NOTHING)
            return place;
    return NOTHING;
}

static void world_begin(void)
{
    file_count = 0;
    inner_number = NOTHING;
    for (int place = 0; place < NAMES; place++)
        name[place] = NOTHING;
}

/* ---- Opening and closing --------------------------------------------------------------- */

static int file_add(enum kind kind, int peer, int identity)
{
    files[file_count] = (struct file){.kind = kind, .peer = peer, .identity = identity};
    return file_count++;
}

static void name_add(int place, int file)
{
    name[place] = file;
    files[file].names++;
}

/* A descriptor as it came from the system gets the number of its place. */
static void place_fill(int place, int fd, int file)
{
    AGREE(dup2(fd, FIRST + place) >= 0 && close(fd) == 0);
    name_add(place, file);
}

static int open_one(enum kind kind)
{
    if (kind == COUNTER)
        return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (kind == LONELY)
        return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void world_open_one(enum kind kind)
{
    enum { ANONYMOUS = -2 };
    int place = place_free();

    if (place == NOTHING)
        return;
    int fd = open_one(kind);
    AGREE(fd >= 0);
    int file = file_add(kind, NOTHING, kind == COUNTER ? ANONYMOUS : file_count);
    if (kind == COUNTER)
        files[file].peer = file;
    place_fill(place, fd, file);
}

/* Of a pipe, the first end is read and the second is written. */
static void world_open_pair(enum kind kind)
{
    int ends[2], file[2];

    AGREE((kind == PIPE ? pipe2(ends, O_NONBLOCK | O_CLOEXEC)
                        : socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)) == 0);
    int identity = file_count;
    file[0] = file_add(kind, identity + 1, identity);
    file[1] = file_add(kind, identity, kind == PIPE ? identity : identity + 1);
    for (int i = 0; i < 2; i++) {
        int place = place_free();
        if (place == NOTHING)
            AGREE(close(ends[i]) == 0); /* without a number: closed at once */
        else
            place_fill(place, ends[i], file[i]);
    }
}

static void world_open(enum kind kind)
{
    if (kind == STREAM || kind == PIPE)
        world_open_pair(kind);
    else
        world_open_one(kind);
}

/* The descriptor of a poller, which is never closed here: it is the poller's. */
static void world_adopt(int descriptor)
{
    inner_number = descriptor;
    name_add(NUMBERS, file_add(POLLER, NOTHING, -2));
}

static void world_close(int place)
{
    AGREE(close(number_of(place)) == 0);
    files[name[place]].names--;
    name[place] = NOTHING;
}

static void world_dup(int from)
{
    int place = place_free();

    if (place == NOTHING)
        return;
    AGREE(dup2(number_of(from), number_of(place)) >= 0);
    name_add(place, name[from]);
}

static void world_dup_onto(int from, int onto)
{
    AGREE(dup2(number_of(from), number_of(onto)) >= 0);
    if (name[onto] != NOTHING)
        files[name[onto]].names--;
    name_add(onto, name[from]);
}

/* ---- Bytes ------------------------------------------------------------------------------ */

enum { AS_MUCH_AS_GOES = 255, ATTEMPTS = 100 };

static ssize_t write_some(int fd, enum kind kind, size_t size)
{
    static const char bytes[CHUNK];

    return kind == STREAM ? send(fd, bytes, size, MSG_NOSIGNAL) : write(fd, bytes, size);
}

/* Whether anything was written. Each size is far from what a buffer holds, but for the last. */
static bool world_write(int place, unsigned size)
{
    int fd = number_of(place);
    enum kind kind = files[name[place]].kind;
    bool any = false;

    if (kind == FOLDER || kind == POLLER)
        return false;
    if (kind == COUNTER) {
        uint64_t number = size == AS_MUCH_AS_GOES ? UINT64_MAX - 1 : size + 1;
        return write(fd, &number, sizeof number) > 0;
    }
    if (size != AS_MUCH_AS_GOES)
        return write_some(fd, kind, size + 1) > 0;
    for (int i = 0; i < ATTEMPTS && write_some(fd, kind, CHUNK) > 0; i++)
        any = true;
    return any;
}

/* Out of band. */
static bool world_write_urgent(int place)
{
    return files[name[place]].kind == STREAM && send(number_of(place), "u", 1, MSG_OOB | MSG_NOSIGNAL) == 1;
}

static bool world_read(int place, unsigned size)
{
    static char bytes[CHUNK];
    int fd = number_of(place);
    enum kind kind = files[name[place]].kind;
    bool any = false;

    if (kind == FOLDER || kind == POLLER)
        return false;
    if (kind == COUNTER || size != AS_MUCH_AS_GOES)
        return read(fd, bytes, kind == COUNTER ? 8 : size + 1) > 0;
    for (int i = 0; i < ATTEMPTS && read(fd, bytes, sizeof bytes) > 0; i++)
        any = true;
    return any;
}

static void world_shut(int place, int how)
{
    if (files[name[place]].kind == STREAM || files[name[place]].kind == LONELY)
        (void)shutdown(number_of(place), how);
}

static bool is_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};

    return poll(&one, 1, 0) == 1;
}

#endif
