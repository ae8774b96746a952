/* SPDX-License-Identifier: MIT */
/* The system calls of POSIX. */
#include "os/config.h"

#include "os/descriptor.h"

#if PLX__HAS_POSIX
#include "os/posix.h"
#include "os/wasi.h"

#include <fcntl.h>
#include <unistd.h>

#if PLX__HAS_PIPE2

static int posix_pipe(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
}

#elif !PLX__HAS_PROCESSES

static int posix_pipe(int fds[2])
{
    fds[0] = fds[1] = -1;
    return 0;
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

static int posix_getfl(int fd)
{
    return fcntl(fd, F_GETFL);
}

static int posix_fstatat(int folder, const char *path, struct stat *status, int flags)
{
    return fstatat(folder, path, status, flags);
}

static int posix_open(const char *path, int flags)
{
    return open(path, flags);
}

static struct dirent *posix_readdir(DIR *folder)
{
    /* cppcheck-suppress readdirCalled ; two threads never share a folder, and readdir_r is deprecated */
    return readdir(folder); /* NOLINT(concurrency-mt-unsafe): the same */
}

#if PLX__HAS_PROCESSES

#define posix_poll poll

/* Of the character devices /dev/null is the one that programs are given for a terminal. */
static bool posix_is_null(int fd, const struct stat *status)
{
    struct stat null;
    int saved = errno;
    bool same = stat("/dev/null", &null) == 0 && null.st_rdev == status->st_rdev;

    (void)fd;
    errno = saved;
    return same;
}

#else

#define posix_poll plx__wasi_poll

/* The folder of /dev/null need not be there; its poll(2) says it. */
static bool posix_is_null(int fd, const struct stat *status)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};

    (void)status;
    return plx__poll(&one, 1, 0) == -EPERM;
}

#endif

#if PLX__HAS_CONDITION_CLOCK

static int posix_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    return pthread_condattr_setclock(attributes, clock);
}

#elif PLX__HAS_THREADS

static int posix_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    (void)attributes;
    (void)clock;
    return ENOTSUP;
}

#endif

PLX__SEAM plx__posix_calls plx__posix = {
    .close = close,
    .read = read,
    .write = write,
    .pipe = posix_pipe,
    .fstat = posix_fstat,
    .getfl = posix_getfl,
    .poll = posix_poll,
    .recv = recv,
    .getsockopt = getsockopt,
    .clock_gettime = clock_gettime,
#if PLX__HAS_THREADS
    .condattr_setclock = posix_condattr_setclock,
#endif
#if PLX__HAS_PROCESSES
    .sigaction = sigaction,
    .waitid = waitid,
    .kill = kill,
#endif
    .open = posix_open,
    .fstatat = posix_fstatat,
    .getcwd = getcwd,
    .fdopendir = fdopendir,
    .readdir = posix_readdir,
    .closedir = closedir,
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

/* Its EAGAIN is for want of memory, and does not say that nothing is ready. */
int plx__poll(struct pollfd *fds, size_t count, int milliseconds)
{
    int saved = errno;
    int rc = plx__result(plx__posix.poll(fds, (nfds_t)count, milliseconds), saved);

    return rc == -EAGAIN ? -ENOMEM : rc;
}

int plx__status(int fd, struct stat *status)
{
    int saved = errno;
    return plx__result(plx__posix.fstat(fd, status), saved);
}

int plx__identify(int fd, plx__identity *identity)
{
    struct stat status;
    int rc = plx__status(fd, &status);

    if (rc < 0)
        return rc;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode) ||
        (S_ISCHR(status.st_mode) && posix_is_null(fd, &status)))
        return -EPERM;
    identity->device = (uint64_t)status.st_dev;
    identity->inode = (uint64_t)status.st_ino;
    return 0;
}

bool plx__identity_holds(const plx__identity *identity, int fd)
{
    plx__identity now;
    int rc = plx__identify(fd, &now);

    return rc == 0 ? plx__identity_same(identity, &now) : rc != -EBADF && rc != -EPERM;
}

bool plx__is_pipe(int fd)
{
    struct stat status;

    return plx__status(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

bool plx__is_write_only(int fd)
{
    int saved = errno;
    int flags = plx__result(plx__posix.getfl(fd), saved);

    return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY;
}

bool plx__is_stream(int fd)
{
    int type;
    socklen_t size = sizeof type;
    int saved = errno;
    int rc = plx__result(plx__posix.getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size), saved);

    return rc == 0 && type == SOCK_STREAM;
}

int plx__peek(int fd)
{
#ifdef MSG_DONTWAIT
    char byte;
    int saved = errno;

    return plx__result(plx__posix.recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), saved);
#else
    (void)fd;
    return -EAGAIN;
#endif
}

bool plx__descriptor_is_open(plx_fd fd)
{
    struct stat status;

    return plx__status(fd, &status) != -EBADF;
}

/* A signal may interrupt it where the file system is another machine's, or a program's. */
int plx__folder_open(const char *path, bool follow)
{
    int saved = errno;
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
    int rc;

    do
        rc = plx__result(plx__posix.open(path, flags), saved);
    while (rc == -EINTR);
    return rc;
}

int plx__stat(int folder, const char *path, bool follow, struct stat *status)
{
    int saved = errno;
    int from = folder < 0 ? AT_FDCWD : folder;

    return plx__result(plx__posix.fstatat(from, path, status, follow ? 0 : AT_SYMLINK_NOFOLLOW), saved);
}

int plx__working_folder(char *buffer, size_t size)
{
    int saved = errno;

    if (plx__posix.getcwd(buffer, size))
        return 0;
    return plx__result(-1, saved);
}

int plx__listing_open(int fd, DIR **listing)
{
    int saved = errno;

    *listing = plx__posix.fdopendir(fd);
    if (*listing)
        return 0;
    int rc = plx__result(-1, saved);
    plx__close(fd);
    return rc;
}

const char *plx__listing_next(DIR *listing, int *rc)
{
    int saved = errno;
    const struct dirent *entry;

    do {
        errno = 0;
        entry = plx__posix.readdir(listing);
    } while (entry && entry->d_name[0] == '.' &&
             (!entry->d_name[1] || (entry->d_name[1] == '.' && !entry->d_name[2])));
    *rc = entry ? 0 : -errno;
    errno = saved;
    return entry ? entry->d_name : NULL;
}

void plx__listing_close(DIR *listing)
{
    int saved = errno;

    (void)plx__result(plx__posix.closedir(listing), saved);
}

#endif
