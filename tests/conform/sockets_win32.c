/* SPDX-License-Identifier: MIT */
/*
 * Sockets and handles of support.h, for Windows. There is no socketpair: the ends of a stream are
 * a TCP connection on the loopback, so what one end does takes its way to the other.
 */
#include "os/config.h"
#include "support.h"

#if !PLX__HAS_POSIX

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

/* Not before a case needs a socket: timers, channels and wakers do without Winsock. */
static SOCKET inet_socket(int type)
{
    WSADATA data;
    CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    SOCKET fd = WSASocketW(AF_INET, type, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    CHECK(fd != INVALID_SOCKET);
    return fd;
}

static SOCKET tcp_socket(void)
{
    return inet_socket(SOCK_STREAM);
}

static void set_nonblocking(SOCKET fd)
{
    u_long on = 1;
    CHECK(ioctlsocket(fd, (long)FIONBIO, &on) == 0);
}

static struct sockaddr_in address_of(SOCKET fd)
{
    struct sockaddr_in address;
    int length = sizeof address;
    CHECK(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    return address;
}

static SOCKET bound_socket(int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    SOCKET fd = inet_socket(type);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

plx_fd open_listener(void)
{
    SOCKET fd = bound_socket(SOCK_STREAM);
    CHECK(listen(fd, 64) == 0);
    set_nonblocking(fd);
    return fd;
}

static void start_connect(SOCKET fd, SOCKET to)
{
    struct sockaddr_in address = address_of(to);
    set_nonblocking(fd);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
          WSAGetLastError() == WSAEWOULDBLOCK);
}

plx_fd open_client(plx_fd listener)
{
    SOCKET fd = tcp_socket();
    start_connect(fd, listener);
    return fd;
}

void open_datagrams(plx_fd ends[2])
{
    for (int i = 0; i < 2; i++) {
        ends[i] = bound_socket(SOCK_DGRAM);
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
    SOCKET holder = bound_socket(SOCK_STREAM), fd = tcp_socket();
    start_connect(fd, holder);
    closesocket(holder);
    return fd;
}

plx_fd accept_client(plx_fd listener)
{
    SOCKET fd = accept(listener, NULL, NULL);
    if (fd != INVALID_SOCKET)
        set_nonblocking(fd);
    return fd;
}

/* The first end is made first: cases expect the number that was closed last to be given to it. */
void open_tcp(plx_fd ends[2])
{
    BOOL on = TRUE;
    ends[0] = tcp_socket();
    plx_fd listener = open_listener();
    start_connect(ends[0], listener);
    await_ready(listener, READY_IN);
    ends[1] = accept_client(listener);
    CHECK(ends[1] != NO_FD);
    await_ready(ends[0], READY_OUT);
    close_fd(listener);
    for (int i = 0; i < 2; i++)
        CHECK(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, (char *)&on, sizeof on) == 0);
}

void open_stream(plx_fd ends[2])
{
    open_tcp(ends);
}

bool streams_are_tcp(void)
{
    return true;
}

uint32_t behind_data(void)
{
    return PLX_READ_CLOSED;
}

bool pipes_can_be_watched(void)
{
    return false;
}

void open_pipe(plx_fd ends[2])
{
    (void)ends;
    SKIP("a pipe is no socket on Windows");
}

/* ---- Handles that are no sockets ---------------------------------------------- */

int threads_open(void); /* of support_win32.c: their handles do not count */

static plx_fd open_handle(const wchar_t *path, DWORD how, DWORD flags)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              NULL, how, flags, NULL);
    CHECK(file != INVALID_HANDLE_VALUE);
    return (plx_fd)file;
}

plx_fd open_dev_null(void)
{
    return open_handle(L"NUL", OPEN_EXISTING, 0);
}

plx_fd open_regular_file(void)
{
    wchar_t folder[MAX_PATH + 1], path[MAX_PATH + 1];
    CHECK(GetTempPathW(MAX_PATH, folder) > 0);
    CHECK(GetTempFileNameW(folder, L"plx", 0, path) > 0);
    return open_handle(path, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE);
}

plx_fd open_directory(void)
{
    return open_handle(L"\\", OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
}

void close_fd(plx_fd fd)
{
    CHECK(closesocket(fd) == 0 || CloseHandle((HANDLE)fd));
}

void close_pair(const plx_fd ends[2])
{
    close_fd(ends[0]);
    close_fd(ends[1]);
}

void reset_fd(plx_fd fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, (char *)&now, sizeof now) == 0);
    close_fd(fd);
}

plx_fd dup_fd(plx_fd fd)
{
    WSAPROTOCOL_INFOW info;
    CHECK(WSADuplicateSocketW(fd, GetCurrentProcessId(), &info) == 0);
    SOCKET copy = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                             WSA_FLAG_OVERLAPPED);
    CHECK(copy != INVALID_SOCKET);
    return copy;
}

/* Made before all others, so that its number is a low one. */
static HANDLE spare;

__attribute__((constructor)) static void make_spare(void)
{
    spare = CreateEventW(NULL, TRUE, FALSE, NULL);
}

/*
 * Windows chooses the numbers, as a rule the lowest or the one that was closed last: what comes
 * before the one that is wanted is held until that comes. For a moment WSADuplicateSocket opens
 * the process, which is to have the spare number and not the wanted one.
 */
bool dup_onto(plx_fd fd, plx_fd number)
{
    enum { TRIES = 64 };
    plx_fd held[TRIES];
    int count = 0;
    bool got = false;
    closesocket(number);
    while (!got && count < TRIES) {
        CloseHandle(spare);
        plx_fd copy = dup_fd(fd);
        make_spare();
        got = copy == number;
        if (!got)
            held[count++] = copy;
    }
    while (count > 0)
        close_fd(held[--count]);
    return got;
}

int pending_error(plx_fd fd)
{
    int error = 0, length = sizeof error;
    CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, (char *)&error, &length) == 0);
    return error == WSAECONNREFUSED ? ECONNREFUSED : error;
}

/* ---- Bytes -------------------------------------------------------------------- */

void put(plx_fd fd, size_t bytes)
{
    static const char text[512];
    while (bytes > 0) {
        int done = send(fd, text, (int)(bytes < sizeof text ? bytes : sizeof text), 0);
        CHECK(done > 0);
        bytes -= (size_t)done;
    }
}

void put_urgent(plx_fd fd)
{
    CHECK(send(fd, "!", 1, MSG_OOB) == 1);
}

static bool is_ready_within(SOCKET fd, short events, plx_nanos time)
{
    WSAPOLLFD entry = {.fd = fd, .events = events};
    CHECK(WSAPoll(&entry, 1, (int)(time / PLX_MSEC(1))) >= 0);
    return entry.revents & (events | POLLERR | POLLHUP);
}

/* TCP moves what was written to the peer's side a moment later, and then there is room again. */
#define MOMENT PLX_MSEC(20)

size_t fill(plx_fd fd)
{
    static const char text[4096];
    size_t total = 0;
    do {
        int done;
        while ((done = send(fd, text, sizeof text, 0)) > 0)
            total += (size_t)done;
        CHECK_EQ(WSAGetLastError(), WSAEWOULDBLOCK);
    } while (is_ready_within(fd, POLLWRNORM, MOMENT));
    return total;
}

/* The last part of much may still be on its way. */
size_t drain(plx_fd fd)
{
    static _Thread_local char text[65536];
    size_t total = 0;
    do {
        int done;
        while ((done = recv(fd, text, sizeof text, 0)) > 0)
            total += (size_t)done;
        if (done == 0)
            break;
    } while (total >= sizeof text && is_ready_within(fd, POLLRDNORM, MOMENT));
    return total;
}

bool at_end(plx_fd fd)
{
    char byte;
    is_ready_within(fd, POLLRDNORM, PATIENCE);
    return recv(fd, &byte, 1, 0) == 0;
}

void shut(plx_fd fd, int how)
{
    static const int names[] = {SD_RECEIVE, SD_SEND, SD_BOTH};
    CHECK(shutdown(fd, names[how]) == 0);
}

/* ---- Readiness ---------------------------------------------------------------- */

/* WSAPoll says HUP alone where POSIX says IN as well. */
void await_ready(plx_fd fd, int what)
{
    WSAPOLLFD entry = {.fd = fd};
    short wanted = 0;
    if (what & READY_IN)
        wanted |= POLLRDNORM;
    if (what & READY_OUT)
        wanted |= POLLWRNORM;
    if (what & READY_URGENT)
        wanted |= POLLRDBAND;
    entry.events = wanted;
    if (what & READY_HANGUP)
        wanted = POLLHUP;
    for (plx_nanos until = plx_now() + PATIENCE; plx_now() < until;) {
        CHECK(WSAPoll(&entry, 1, 1000) >= 0);
        if ((entry.revents & wanted) == wanted || (wanted == POLLRDNORM && entry.revents & POLLHUP))
            return;
        sleep_for(PLX_MSEC(1));
    }
    check_fail_with(__FILE__, __LINE__, "", "socket %d has 0x%x, awaited 0x%x", (int)fd,
                    (unsigned)entry.revents, (unsigned)wanted);
}

bool is_readable_within(plx_fd fd, plx_nanos time)
{
    return is_ready_within(fd, POLLRDNORM, time);
}

bool is_readable(plx_fd fd)
{
    return is_readable_within(fd, 0);
}

/* ---- What the process has open -------------------------------------------------- */

/*
 * Wine does not count handles: then each number is asked for, until a long row of them is free.
 * The first socket makes Winsock open handles of its own.
 */
int descriptors_open(void)
{
    static bool warm;
    DWORD told = 0;
    int count = 0;
    if (!warm) {
        plx_fd ends[2];
        open_stream(ends);
        close_pair(ends);
        warm = true;
    }
    if (GetProcessHandleCount(GetCurrentProcess(), &told) && told > 0)
        return (int)told - threads_open();
    for (plx_fd number = 4, free_for = 0; free_for < 256; number += 4, free_for++)
        if (descriptor_is_open(number)) {
            count++;
            free_for = 0;
        }
    return count - threads_open();
}

bool descriptor_is_open(plx_fd fd)
{
    DWORD flags;
    return GetHandleInformation((HANDLE)fd, &flags);
}

bool descriptor_closes_on_exec(plx_fd fd)
{
    DWORD flags;
    return GetHandleInformation((HANDLE)fd, &flags) && !(flags & HANDLE_FLAG_INHERIT);
}

int descriptor_flags(plx_fd fd)
{
    (void)fd;
    SKIP("a socket does not tell whether it blocks on Windows");
}

bool descriptors_allow(int count)
{
    (void)count;
    return true;
}

void descriptors_limit(int count)
{
    (void)count;
    SKIP("handles have no limit on Windows");
}

#endif
