/* SPDX-License-Identifier: MIT */
/* The writing end of a FIFO: systems have no knote for reading it, or one that never reports. */
#include "os/config.h"

#include "../../../check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static plx_poller *poller;
static plx_registry *registry;

static void expect(uint32_t flags)
{
    plx_event event;

    CHECK_EQ(plx_poller_wait(poller, &event, 1, flags ? PLX_SEC(10) : 0), flags != 0);
    if (flags)
        CHECK_EQ(event.flags & ~PLX_ERROR, flags);
}

static void writers_are_told_of_room_and_end(uint32_t mode)
{
    char filled[4096] = {0};
    int reader = open(path, O_RDONLY | O_NONBLOCK), writer = open(path, O_WRONLY | O_NONBLOCK);

    CHECK(reader >= 0 && writer >= 0);
    CHECK_EQ(plx_register(registry, writer, 1, PLX_WRITABLE | mode), 0);
    CHECK_EQ(plx_register(registry, writer, 1, PLX_WRITABLE | mode), -EEXIST);
    expect(PLX_WRITABLE);
    if (mode == PLX_LEVEL)
        expect(PLX_WRITABLE);
    CHECK_EQ(plx_reregister(registry, writer, 1, 0), 0);
    expect(0);
    CHECK_EQ(plx_register(registry, writer, 1, 0), -EEXIST);
    while (write(writer, filled, sizeof filled) > 0)
        continue;
    CHECK_EQ(plx_reregister(registry, writer, 1, PLX_WRITABLE | PLX_READ_CLOSED | mode), 0);
    expect(0);
    close(reader);
    expect(PLX_WRITABLE | PLX_WRITE_CLOSED);
    CHECK_EQ(plx_deregister(registry, writer), 0);
    CHECK_EQ(plx_deregister(registry, writer), -ENOENT);
    CHECK_EQ(plx_register(registry, writer, 1, PLX_WRITABLE | mode), 0); /* nobody reads it */
    expect(PLX_WRITABLE | PLX_WRITE_CLOSED);
    close(writer);
    CHECK_EQ(plx_deregister(registry, writer), 0); /* its number is closed */
}

static void an_end_alone_is_told(void)
{
    int reader = open(path, O_RDONLY | O_NONBLOCK), writer = open(path, O_WRONLY | O_NONBLOCK);

    CHECK(reader >= 0 && writer >= 0);
    CHECK_EQ(plx_register(registry, writer, 1, PLX_WRITE_CLOSED), 0);
    expect(0);
    expect(0);
    close(reader);
    expect(PLX_WRITE_CLOSED);
    expect(PLX_WRITE_CLOSED);
    CHECK_EQ(plx_deregister(registry, writer), 0);
    close(writer);
}

int main(void)
{
    plx_options options = {.backend = PLX_BACKEND_KQUEUE};
    char folder[] = "/tmp/pollux.XXXXXX";

    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK_EQ(plx_poller_open(&poller, &options), 0);
    registry = plx_poller_registry(poller);
    writers_are_told_of_room_and_end(PLX_LEVEL);
    writers_are_told_of_room_and_end(PLX_EDGE);
    writers_are_told_of_room_and_end(PLX_ONESHOT);
#ifdef DOUBLE_PLAIN
    an_end_alone_is_told();
#else
    (void)an_end_alone_is_told; /* the knote for reading is there, and never reports */
#endif
    plx_poller_close(poller);
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
    return 0;
}
