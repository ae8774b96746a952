/* SPDX-License-Identifier: MIT */
/*
 * The system calls of POSIX that the library makes. They go through a table of the C
 * library's functions, constant but in the build for the tests, which can so make each of
 * them fail. The callers below it return 0 or a count, or a negative errno value, and
 * leave errno as it was.
 */
#ifndef PLX__POSIX_H
#define PLX__POSIX_H

#include "os/config.h"

#if PLX__HAS_POSIX
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#if PLX__HAS_THREADS
#include <pthread.h>
#endif
#if PLX__HAS_PROCESSES
#include <signal.h>
#include <sys/wait.h>
#endif

/* Not in every system's poll(2); without it the end of the peer's writing is seen by reading. */
#ifdef POLLRDHUP
#define PLX__POLLRDHUP POLLRDHUP
#else
#define PLX__POLLRDHUP 0
#endif

#ifdef POLLPRI
#define PLX__POLLPRI POLLPRI
#else
#define PLX__POLLPRI 0
#endif

typedef struct plx__posix_calls {
    int (*close)(int fd);
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*write)(int fd, const void *buffer, size_t size);
    int (*pipe)(int fds[2]); /* both ends close-on-exec and non-blocking, or -1 */
    int (*fstat)(int fd, struct stat *status);
    int (*getfl)(int fd);
    int (*poll)(struct pollfd *fds, nfds_t count, int milliseconds);
    ssize_t (*recv)(int fd, void *buffer, size_t size, int flags);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *size);
    int (*clock_gettime)(clockid_t clock, struct timespec *now);
#if PLX__HAS_THREADS
    int (*condattr_setclock)(pthread_condattr_t *attributes, clockid_t clock); /* an errno value */
#endif
#if PLX__HAS_PROCESSES
    int (*sigaction)(int number, const struct sigaction *action, struct sigaction *was);
    int (*waitid)(idtype_t type, id_t id, siginfo_t *info, int options);
    int (*kill)(pid_t pid, int number);
#endif
    int (*open)(const char *path, int flags);
    int (*fstatat)(int folder, const char *path, struct stat *status, int flags);
    char *(*getcwd)(char *buffer, size_t size);
    DIR *(*fdopendir)(int fd);
    struct dirent *(*readdir)(DIR *folder);
    int (*closedir)(DIR *folder);
} plx__posix_calls;

extern PLX__SEAM plx__posix_calls plx__posix;

void plx__close(int fd);
int  plx__read(int fd, void *buffer, size_t size);
int  plx__write(int fd, const void *buffer, size_t size);
/* To wake a thread by; both ends are -1 where there is no other that would. */
int  plx__pipe(int fds[2]);
int  plx__poll(struct pollfd *fds, size_t count, int milliseconds);

/* A folder, to be listed; its last component may be a symbolic link only if `follow`. */
int plx__folder_open(const char *path, bool follow);
/* In an open folder, or from the working folder on (-1). */
int plx__stat(int folder, const char *path, bool follow, struct stat *status);
/* Of an open descriptor. */
int plx__status(int fd, struct stat *status);
int plx__working_folder(char *buffer, size_t size);

/* Lists an open folder, which it closes even if it fails. -ENOMEM, or what the system says. */
int  plx__listing_open(int fd, DIR **listing);
/* The next name but "." and ".."; NULL at the end and after an error, which is in *rc. */
const char *plx__listing_next(DIR *listing, int *rc);
void plx__listing_close(DIR *listing);

/* Which open file a descriptor names, as far as POSIX can tell. */
typedef struct plx__identity {
    uint64_t device;
    uint64_t inode;
} plx__identity;

/*
 * 0 and the identity of a descriptor that poll(2) can wait for; -EPERM for one that is
 * always ready (a file, a folder, a disk, /dev/null), -EBADF if it is closed.
 */
int plx__identify(int fd, plx__identity *identity);

static inline bool plx__identity_same(const plx__identity *one, const plx__identity *other)
{
    return one->device == other->device && one->inode == other->inode;
}

/* Whether a descriptor still names that file, as far as can be told. */
bool plx__identity_holds(const plx__identity *identity, int fd);

/*
 * Whether the descriptor is a pipe or a FIFO. The kernel reports the end of its readers
 * as an error alone; only for a pipe does that mean that writing is over.
 */
bool plx__is_pipe(int fd);

/* Whether it was opened for writing alone, as the writing end of a pipe is on many systems. */
bool plx__is_write_only(int fd);

/* A socket whose reads give 0 at the end of what the peer writes, and only there. */
bool plx__is_stream(int fd);

/*
 * Looks at the next byte of a socket without waiting for it: 1; 0 at the end; -EAGAIN, also
 * where there is no way to look without waiting.
 */
int plx__peek(int fd);

/* A call's own result, or its negated errno after errno was put back to what it was. */
static inline int plx__result(long rc, int saved)
{
    if (rc >= 0)
        return (int)rc;
    int error = errno;
    errno = saved;
    return -error;
}

#endif

#endif
