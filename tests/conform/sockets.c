/* SPDX-License-Identifier: MIT */
/* Sockets, pipes and descriptors of support.h, for POSIX with Linux's /proc where there is one. */
#include "os/config.h"
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    CHECK(flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}

void open_stream(plx_fd ends[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    set_nonblocking(ends[0]);
    set_nonblocking(ends[1]);
}

void open_pipe(plx_fd ends[2])
{
    CHECK(pipe(ends) == 0);
    set_nonblocking(ends[0]);
    set_nonblocking(ends[1]);
}

bool streams_are_tcp(void)
{
    return false;
}

bool pipes_can_be_watched(void)
{
    return true;
}

uint32_t behind_data(void)
{
    return 0;
}

static struct sockaddr_in address_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    return address;
}

static int tcp_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    return fd;
}

static int bound_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = tcp_socket();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

plx_fd open_listener(void)
{
    int fd = bound_socket();
    CHECK(listen(fd, 64) == 0);
    set_nonblocking(fd);
    return fd;
}

plx_fd open_client(plx_fd listener)
{
    struct sockaddr_in address = address_of(listener);
    int fd = tcp_socket();
    set_nonblocking(fd);
    int rc = connect(fd, (struct sockaddr *)&address, sizeof address);
    CHECK(rc == 0 || errno == EINPROGRESS);
    return fd;
}

void open_datagrams(plx_fd ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 2; i++) {
        ends[i] = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK(ends[i] >= 0 && bind(ends[i], (struct sockaddr *)&address, sizeof address) == 0);
        set_nonblocking(ends[i]);
    }
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in other = address_of(ends[!i]);
        CHECK(connect(ends[i], (struct sockaddr *)&other, sizeof other) == 0);
    }
}

void put_nothing(plx_fd fd)
{
    CHECK(send(fd, "", 0, 0) == 0);
}

/* A bound socket that does not listen keeps its port from everybody, and refuses. */
plx_fd open_refused(void)
{
    int holder = bound_socket();
    struct sockaddr_in address = address_of(holder);
    int fd = tcp_socket();
    set_nonblocking(fd);
    int rc = connect(fd, (struct sockaddr *)&address, sizeof address);
    int error = errno;
    close(holder);
    if (rc < 0 && error == ECONNREFUSED)
        SKIP("this system refuses a connection before connect(2) returns");
    CHECK(rc < 0 && error == EINPROGRESS);
    return fd;
}

plx_fd accept_client(plx_fd listener)
{
    int fd = accept(listener, NULL, NULL);
    if (fd >= 0)
        set_nonblocking(fd);
    return fd;
}

void open_tcp(plx_fd ends[2])
{
    int on = 1;
    plx_fd listener = open_listener();
    ends[0] = open_client(listener);
    await_ready(listener, READY_IN);
    ends[1] = accept_client(listener);
    CHECK(ends[1] >= 0);
    await_ready(ends[0], READY_OUT);
    close(listener);
    for (int i = 0; i < 2; i++)
        CHECK(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
}

plx_fd open_dev_null(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

plx_fd open_regular_file(void)
{
    FILE *file = tmpfile();
    CHECK(file != NULL);
    int fd = dup(fileno(file));
    fclose(file);
    CHECK(fd >= 0);
    return fd;
}

plx_fd open_directory(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
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
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close_fd(fd);
}

plx_fd dup_fd(plx_fd fd)
{
    int copy = dup(fd);
    CHECK(copy >= 0);
    return copy;
}

bool dup_onto(plx_fd fd, plx_fd number)
{
    int rc = dup2(fd, number);
    CHECK(rc == number || errno == EBADF);
    return rc == number;
}

int pending_error(plx_fd fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0);
    return error;
}

void put(plx_fd fd, size_t bytes)
{
    static const char text[512];
    while (bytes > 0) {
        ssize_t done = write(fd, text, bytes < sizeof text ? bytes : sizeof text);
        CHECK(done > 0);
        bytes -= (size_t)done;
    }
}

void put_urgent(plx_fd fd)
{
    CHECK(send(fd, "!", 1, MSG_OOB) == 1);
}

size_t fill(plx_fd fd)
{
    static const char text[4096];
    size_t total = 0;
    for (;;) {
        ssize_t done = write(fd, text, sizeof text);
        if (done < 0)
            break;
        total += (size_t)done;
    }
    CHECK_EQ(errno, EAGAIN);
    return total;
}

size_t drain(plx_fd fd)
{
    char text[65536];
    size_t total = 0;
    ssize_t done;
    while ((done = read(fd, text, sizeof text)) > 0)
        total += (size_t)done;
    return total;
}

bool at_end(plx_fd fd)
{
    char byte;
    return read(fd, &byte, 1) == 0;
}

void shut(plx_fd fd, int how)
{
    static const int names[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    CHECK(shutdown(fd, names[how]) == 0);
}

void await_ready(plx_fd fd, int what)
{
    struct pollfd entry = {.fd = fd};
    short wanted = 0;
    if (what & READY_IN)
        wanted |= POLLIN;
    if (what & READY_OUT)
        wanted |= POLLOUT;
    if (what & READY_URGENT)
        wanted |= POLLPRI;
    entry.events = wanted;
    if (what & READY_HANGUP)
        wanted |= POLLHUP;
    for (int i = 0; i < 20000; i++) {
        CHECK(poll(&entry, 1, 1000) >= 0 || errno == EINTR);
        if ((entry.revents & wanted) == wanted)
            return;
        sleep_for(PLX_USEC(100));
    }
    check_fail_with(__FILE__, __LINE__, "", "descriptor %d has 0x%x, awaited 0x%x", fd,
                    (unsigned)entry.revents, (unsigned)wanted);
}

bool is_readable_within(plx_fd fd, plx_nanos time)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    CHECK(poll(&entry, 1, (int)(time / PLX_MSEC(1))) >= 0);
    return entry.revents & POLLIN;
}

bool is_readable(plx_fd fd)
{
    return is_readable_within(fd, 0);
}

int descriptors_open(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    if (!directory)
        return -1;
    for (struct dirent *entry; (entry = readdir(directory));) {
        bool ours = entry->d_name[0] != '.';
#ifdef DOUBLE_NUMBERS /* from there on they are the double's, in place of what a kernel has */
        ours = ours && atoi(entry->d_name) < DOUBLE_NUMBERS;
#endif
        count += ours;
    }
    closedir(directory);
    return count - 1; /* without the directory's own */
}

bool descriptor_is_open(plx_fd fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

bool descriptor_closes_on_exec(plx_fd fd)
{
    return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

int descriptor_flags(plx_fd fd)
{
    return fcntl(fd, F_GETFL);
}

bool descriptors_allow(int count)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur >= (rlim_t)count)
        return true;
    if (limit.rlim_max < (rlim_t)count)
        return false;
    limit.rlim_cur = (rlim_t)count;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

void descriptors_limit(int count)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)count;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

#endif
