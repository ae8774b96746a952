/* SPDX-License-Identifier: MIT */
/* The system calls of POSIX. */
#include "os/config.h"

#include "os/descriptor.h"
#include "os/posix.h"

#include <fcntl.h>
#include <unistd.h>

#if PLX__HAS_PIPE2

static int posix_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
}

#else

static int posix_set_flags(int fd)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int posix_pipe(int fds[2])
{
    int both[2];

    if (pipe(both) < 0)
        return -1;
    if (posix_set_flags(both[0]) < 0 || posix_set_flags(both[1]) < 0) {
        int error = errno;
        close(both[0]);
        close(both[1]);
        errno = error;
        return -1;
    }
    fds[0] = both[0];
    fds[1] = both[1];
    return 0;
}

#endif

/* Not by name: the C library's may be a macro, or have another signature. */
static int posix_fstat(int fd, struct stat *status)
{
    return fstat(fd, status);
}

PLX__SEAM plx__posix_calls plx__posix = {
    .close = close,
    .read = read,
    .write = write,
    .pipe = posix_pipe,
    .fstat = posix_fstat,
    .poll = poll,
    .clock_gettime = clock_gettime,
    .sigaction = sigaction,
    .waitid = waitid,
    .kill = kill,
};

void plx__close(int fd)
{
    int saved = errno;
    (void)plx__result(plx__posix.close(fd), saved);
}

int plx__read(int fd, void *buffer, size_t size)
{
    int saved = errno;
    return plx__result(plx__posix.read(fd, buffer, size), saved);
}

int plx__write(int fd, const void *buffer, size_t size)
{
    int saved = errno;
    return plx__result(plx__posix.write(fd, buffer, size), saved);
}

int plx__pipe(int fds[2])
{
    int saved = errno;
    return plx__result(plx__posix.pipe(fds), saved);
}

int plx__poll(struct pollfd *fds, size_t count, int milliseconds)
{
    int saved = errno;
    return plx__result(plx__posix.poll(fds, (nfds_t)count, milliseconds), saved);
}

static int posix_status(int fd, struct stat *status)
{
    int saved = errno;
    return plx__result(plx__posix.fstat(fd, status), saved);
}

/* Of the character devices /dev/null is the one that programs are given for a terminal. */
static bool posix_is_null(const struct stat *status)
{
    struct stat null;
    int saved = errno;
    bool same = S_ISCHR(status->st_mode) && stat("/dev/null", &null) == 0 && null.st_rdev == status->st_rdev;

    errno = saved;
    return same;
}

int plx__identify(int fd, plx__identity *identity)
{
    struct stat status;
    int rc = posix_status(fd, &status);

    if (rc < 0)
        return rc;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode) || posix_is_null(&status))
        return -EPERM;
    identity->device = (uint64_t)status.st_dev;
    identity->inode = (uint64_t)status.st_ino;
    return 0;
}

bool plx__is_pipe(int fd)
{
    struct stat status;

    return posix_status(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

bool plx__descriptor_is_open(plx_fd fd)
{
    struct stat status;

    return posix_status(fd, &status) != -EBADF;
}
