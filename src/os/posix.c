/* SPDX-License-Identifier: MIT */
/* The system calls of POSIX, with negative errno values for results. */
#include "os/config.h"

#include "os/posix.h"
#include "os/descriptor.h"

#include <fcntl.h>
#include <unistd.h>

static int posix_close(int fd)
{
    int saved = errno;
    return plx__posix_result(close(fd), saved);
}

static int posix_read(int fd, void *buffer, size_t size)
{
    int saved = errno;
    return plx__posix_result(read(fd, buffer, size), saved);
}

static int posix_write(int fd, const void *buffer, size_t size)
{
    int saved = errno;
    return plx__posix_result(write(fd, buffer, size), saved);
}

static int posix_set_flags(int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int posix_pipe(int fds[2])
{
    int saved = errno;
    int both[2];
    int rc = plx__posix_result(pipe(both), saved);

    if (rc < 0)
        return rc;
    if (posix_set_flags(both[0]) < 0 || posix_set_flags(both[1]) < 0) {
        rc = plx__posix_result(-1, saved);
        (void)posix_close(both[0]);
        (void)posix_close(both[1]);
        return rc;
    }
    fds[0] = both[0];
    fds[1] = both[1];
    return 0;
}

static int posix_fstat(int fd, struct stat *status)
{
    int saved = errno;
    return plx__posix_result(fstat(fd, status), saved);
}

static int posix_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    int saved = errno;
    return plx__posix_result(poll(fds, count, milliseconds), saved);
}

static int posix_clock_gettime(clockid_t clock, struct timespec *now)
{
    int saved = errno;
    return plx__posix_result(clock_gettime(clock, now), saved);
}

PLX__SEAM plx__posix_calls plx__posix = {
    .close = posix_close,
    .read = posix_read,
    .write = posix_write,
    .pipe = posix_pipe,
    .fstat = posix_fstat,
    .poll = posix_poll,
    .clock_gettime = posix_clock_gettime,
};

/* Of the character devices /dev/null is the one that programs are given for a terminal. */
static bool posix_is_null(const struct stat *status)
{
    struct stat null;
    int saved = errno;
    bool same = S_ISCHR(status->st_mode) && stat("/dev/null", &null) == 0 && null.st_rdev == status->st_rdev;

    errno = saved;
    return same;
}

int plx__posix_identify(int fd, plx__identity *identity)
{
    struct stat status;
    int rc = plx__posix.fstat(fd, &status);

    if (rc < 0)
        return rc;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode) || posix_is_null(&status))
        return -EPERM;
    identity->device = (uint64_t)status.st_dev;
    identity->inode = (uint64_t)status.st_ino;
    return 0;
}

bool plx__descriptor_is_open(plx_fd fd)
{
    struct stat status;

    return plx__posix.fstat(fd, &status) != -EBADF;
}

bool plx__posix_is_pipe(int fd)
{
    struct stat status;

    return plx__posix.fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}
