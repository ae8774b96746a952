/* SPDX-License-Identifier: MIT */
/* Hints that a file changed: each change makes the descriptor readable, until it is drained. */
#include "os/config.h"

#include "../tools.h"

#include "os/hints.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

static counted_memory memory;
static plx__hints hints;
static char folder[] = "/tmp/hints.XXXXXX";
static char path[64], other[64];

static bool readable(void)
{
    return poll(&(struct pollfd){.fd = hints.fd, .events = POLLIN}, 1, 0) == 1;
}

static void expect_told(void)
{
    CHECK(readable());
    CHECK(plx__hints_drain(&hints));
    CHECK(!readable());
    CHECK(!plx__hints_drain(&hints));
}

static void write_to(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    put_byte(fd);
    CHECK(close(fd) == 0);
}

static plx__hint add(const char *name)
{
    plx__hint hint = 0;

    CHECK_RC(plx__hint_add(&hints, name, false, &hint), 0);
    CHECK(hint != 0);
    return hint;
}

static void each_change_of_a_file_is_told(void)
{
    write_to(path);
    plx__hint hint = add(path);
    CHECK(!readable());
    for (int i = 0; i < 3; i++) {
        write_to(path);
        expect_told();
        CHECK(chmod(path, i % 2 ? 0600 : 0640) == 0);
        expect_told();
    }
    CHECK(rename(path, other) == 0);
    expect_told();
    plx__hint_remove(&hints, hint);
    hint = add(other);
    CHECK(unlink(other) == 0);
    expect_told();
    plx__hint_remove(&hints, hint);
}

static void names_in_a_folder_are_told(void)
{
    plx__hint hint = add(folder);

    for (int i = 0; i < 2; i++) {
        write_to(path);
        expect_told();
        CHECK(rename(path, other) == 0);
        expect_told();
        CHECK(unlink(other) == 0);
        expect_told();
    }
    plx__hint_remove(&hints, hint);
    write_to(path);
    CHECK(!readable());
}

/* One that is told of when it is removed, and several at once. */
static void others_are_told_on(void)
{
    plx__hint all[100];

    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        write_to(path);
        all[i] = add(path);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 100; i++) {
            snprintf(path, sizeof path, "%s/%d", folder, i);
            write_to(path);
        }
        expect_told();
    }
    snprintf(path, sizeof path, "%s/%d", folder, 7);
    write_to(path);
    plx__hint_remove(&hints, all[7]);
    CHECK(!readable());
    write_to(path);
    CHECK(!readable());
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "%s/%d", folder, i);
        CHECK(unlink(path) == 0);
        if (i != 7)
            plx__hint_remove(&hints, all[i]);
    }
    CHECK(!readable());
}

static void what_is_not_there_is_an_error(void)
{
    plx__hint hint = 0;

    snprintf(path, sizeof path, "%s/none", folder);
    CHECK_RC(plx__hint_add(&hints, path, true, &hint), -ENOENT);
    CHECK(hint == 0);
    plx__hint_remove(&hints, 0);
}

int main(void)
{
    watchdog(30);
    counted_init(&memory);
    int descriptors = descriptors_open();
    int rc = plx__hints_open(&hints, &memory.allocator);
    if (rc == -ENOTSUP)
        SKIP("this system has nothing that hints");
    CHECK_RC(rc, 0);
    CHECK(mkdtemp(folder) == folder);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(other, sizeof other, "%s/renamed", folder);
    each_change_of_a_file_is_told();
    names_in_a_folder_are_told();
    CHECK(unlink(path) == 0);
    others_are_told_on();
    what_is_not_there_is_an_error();
    CHECK(rmdir(folder) == 0);
    CHECK_EQ(atomic_load(&memory.live), 0);
    plx__hints_close(&hints);
    plx__hints_close(&hints);
    CHECK_EQ(descriptors_open(), descriptors);
    return 0;
}
