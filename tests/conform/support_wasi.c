/* SPDX-License-Identifier: MIT */
/* All of support.h that WASI does not have, and the little that it has. */
#include "os/config.h"
#include "support.h"

#if PLX__HAS_POSIX && !PLX__HAS_PROCESSES

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NO_SOCKETS() SKIP("a program of WASI makes no sockets")
#define NO_PIPES()   SKIP("WASI has no pipes")
#define NO_THREADS() SKIP("WASI has no threads")

/* ---- Descriptors -------------------------------------------------------------- */

void open_stream(plx_fd ends[2])
{
    (void)ends;
    NO_SOCKETS();
}

void open_tcp(plx_fd ends[2])
{
    (void)ends;
    NO_SOCKETS();
}

void open_pipe(plx_fd ends[2])
{
    (void)ends;
    NO_PIPES();
}

void open_datagrams(plx_fd ends[2])
{
    (void)ends;
    NO_SOCKETS();
}

bool streams_are_tcp(void)
{
    return false;
}

uint32_t behind_data(void)
{
    return 0;
}

bool pipes_can_be_watched(void)
{
    return true;
}

plx_fd open_listener(void)
{
    NO_SOCKETS();
}

plx_fd open_client(plx_fd listener)
{
    (void)listener;
    NO_SOCKETS();
}

plx_fd open_refused(void)
{
    NO_SOCKETS();
}

plx_fd accept_client(plx_fd listener)
{
    (void)listener;
    NO_SOCKETS();
}

static plx_fd opened(const char *path, int flags)
{
    int fd = open(path, flags, 0600);
    CHECK(fd >= 0);
    return fd;
}

plx_fd open_dev_null(void)
{
    return opened("/dev/null", O_RDWR);
}

plx_fd open_regular_file(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/pollux.%lld", (long long)plx_now());
    plx_fd fd = opened(path, O_RDWR | O_CREAT | O_EXCL);
    CHECK(unlink(path) == 0);
    return fd;
}

plx_fd open_directory(void)
{
    return opened("/", O_RDONLY | O_DIRECTORY);
}

void close_fd(plx_fd fd)
{
    CHECK(close(fd) == 0);
}

void close_pair(const plx_fd ends[2])
{
    close_fd(ends[0]);
    close_fd(ends[1]);
}

void reset_fd(plx_fd fd)
{
    (void)fd;
    NO_SOCKETS();
}

plx_fd dup_fd(plx_fd fd)
{
    (void)fd;
    SKIP("WASI has no dup");
}

bool dup_onto(plx_fd fd, plx_fd number)
{
    (void)fd, (void)number;
    SKIP("WASI has no dup");
}

int pending_error(plx_fd fd)
{
    (void)fd;
    NO_SOCKETS();
}

void put(plx_fd fd, size_t bytes)
{
    (void)fd, (void)bytes;
    NO_SOCKETS();
}

void put_nothing(plx_fd fd)
{
    (void)fd;
    NO_SOCKETS();
}

void put_urgent(plx_fd fd)
{
    (void)fd;
    NO_SOCKETS();
}

size_t fill(plx_fd fd)
{
    (void)fd;
    NO_SOCKETS();
}

size_t drain(plx_fd fd)
{
    (void)fd;
    NO_SOCKETS();
}

bool at_end(plx_fd fd)
{
    (void)fd;
    NO_SOCKETS();
}

void shut(plx_fd fd, int how)
{
    (void)fd, (void)how;
    NO_SOCKETS();
}

void await_ready(plx_fd fd, int what)
{
    (void)fd, (void)what;
    NO_SOCKETS();
}

bool is_readable(plx_fd fd)
{
    (void)fd;
    NO_SOCKETS();
}

bool is_readable_within(plx_fd fd, plx_nanos time)
{
    (void)fd, (void)time;
    NO_SOCKETS();
}

bool descriptor_is_open(plx_fd fd)
{
    return fcntl(fd, F_GETFL) >= 0;
}

int descriptors_open(void)
{
    enum { NUMBERS = 256 };
    int count = 0;
    for (plx_fd fd = 0; fd < NUMBERS; fd++)
        count += descriptor_is_open(fd);
    return count;
}

bool descriptor_closes_on_exec(plx_fd fd)
{
    (void)fd;
    return true;
}

int descriptor_flags(plx_fd fd)
{
    return fcntl(fd, F_GETFL);
}

bool descriptors_allow(int count)
{
    (void)count;
    return true;
}

void descriptors_limit(int count)
{
    (void)count;
    SKIP("WASI has no limit of descriptors to lower");
}

/* ---- Threads ------------------------------------------------------------------ */

test_thread *thread_start(void (*body)(void *), void *argument)
{
    (void)body, (void)argument;
    NO_THREADS();
}

void thread_join(test_thread *thread)
{
    (void)thread;
    NO_THREADS();
}

void thread_await_asleep(test_thread *thread)
{
    (void)thread;
    NO_THREADS();
}

bool threads_can_be_interrupted(void)
{
    return false;
}

void thread_interrupt(test_thread *thread)
{
    (void)thread;
    NO_THREADS();
}

void thread_signal(test_thread *thread, int number)
{
    (void)thread, (void)number;
    NO_THREADS();
}

int interrupts_handled(void)
{
    return 0;
}

static plx_nanos host_now(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (plx_nanos)now.tv_sec * PLX_SEC(1) + now.tv_nsec;
}

/* Hosts end a sleep early, Node among them. */
void sleep_for(plx_nanos time)
{
    plx_nanos until = host_now() + time;
    for (plx_nanos left = time; left > 0; left = until - host_now())
        CHECK(nanosleep(&(struct timespec){left / PLX_SEC(1), (long)(left % PLX_SEC(1))}, NULL) == 0);
}

void await_count(atomic_int *count, int least)
{
    CHECK(atomic_load(count) >= least); /* nobody else will */
}

/* ---- Children ------------------------------------------------------------------ */

int in_child(void (*body)(void *), void *argument)
{
    (void)body, (void)argument;
    SKIP("WASI has no fork");
}

void set_variable(const char *name, const char *value)
{
    CHECK((value ? setenv(name, value, 1) : unsetenv(name)) == 0);
}

/* ---- Memory --------------------------------------------------------------------- */

void *reserve_room(size_t size)
{
    (void)size;
    return NULL;
}

long heap_in_use(void)
{
    return -1;
}

#endif
