/* SPDX-License-Identifier: MIT */
/* What drivers and kernel files call exceptional: a terminal in packet mode, the table of mounts. */
#include "os/config.h"
#if !defined(__linux__)
#define _XOPEN_SOURCE 700
#elif !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "support.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif

/* In packet mode a flush of the other side is told as an exceptional condition, before any data. */
CASE(terminal_in_packet_mode_reports_priority)
{
    fixture s = fixture_open();
    int on = 1, master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (master < 0)
        SKIP("no pseudo terminals: %s", strerror(errno));
    CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
    if (!plx_poller_supports(s.poller, PLX_PRIORITY)) {
        close(master);
        fixture_close(&s);
        SKIP("%s knows nothing exceptional here", conform_backend);
    }
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
#ifdef TIOCPKT
    CHECK(ioctl(master, TIOCPKT, &on) == 0);
    CHECK_RC(plx_register(s.registry, master, 3, PLX_PRIORITY), 0);
    EXPECT_SILENCE(s.poller, 0);
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    EXPECT(s.poller, 3, PLX_PRIORITY);
    char packet[16];
    CHECK_EQ(read(master, packet, sizeof packet), 1); /* the status byte uses it up */
    EXPECT_SILENCE(s.poller, 0);
    CHECK(write(slave, "x", 1) == 1);
    EXPECT_SILENCE(s.poller, PLX_MSEC(20)); /* readable is not asked for */
    CHECK_RC(plx_deregister(s.registry, master), 0);
#else
    (void)on;
#endif
    close(slave);
    close(master);
    fixture_close(&s);
}

#ifdef __linux__

/* Has poll, and is a regular file to fstat: such files are always ready to most backends. */
CASE(table_of_mounts_reports_priority_and_error)
{
    fixture s = fixture_open();
    if (unshare(CLONE_NEWNS) != 0) { /* this process's own table */
        fixture_close(&s);
        SKIP("a mount of one's own needs CAP_SYS_ADMIN: %s", strerror(errno));
    }
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    int mounts = open("/proc/self/mounts", O_RDONLY);
    CHECK(mounts >= 0);
    if (!plx_poller_supports(s.poller, PLX_PRIORITY)) {
        CHECK_RC(plx_register(s.registry, mounts, 3, PLX_PRIORITY), -ENOTSUP);
    } else if (!backend_is("epoll")) {
        CHECK_RC(plx_register(s.registry, mounts, 3, PLX_PRIORITY), -EPERM);
    } else {
        CHECK_RC(plx_register(s.registry, mounts, 3, PLX_PRIORITY | PLX_EDGE), 0);
        EXPECT_SILENCE(s.poller, 0);
        CHECK(mount("none", "/mnt", "tmpfs", 0, NULL) == 0);
        EXPECT(s.poller, 3, PLX_PRIORITY | PLX_ERROR);
        CHECK(umount("/mnt") == 0);
    }
    close(mounts);
    fixture_close(&s);
}

#else

CASE(table_of_mounts_reports_priority_and_error)
{
    SKIP("%s is of Linux alone", "/proc/self/mounts");
}

#endif

#else

CASE(terminal_in_packet_mode_reports_priority)
{
    SKIP("no pseudo terminals with packets here");
}

CASE(table_of_mounts_reports_priority_and_error)
{
    SKIP("%s is of Linux alone", "/proc/self/mounts");
}

#endif
