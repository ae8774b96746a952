/* SPDX-License-Identifier: MIT */
/* The system's part of tools.h, for Windows; threads and mutexes are those of winpthreads. */
#ifndef TESTS_TOOLS_WIN32_H
#define TESTS_TOOLS_WIN32_H

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

/* ---- Descriptors ------------------------------------------------------------ */

/* The same number everywhere: Wine does not tell. */
static inline int descriptors_open(void)
{
    return 0;
}

static inline void close_fd(plx_fd fd)
{
    CHECK(closesocket(fd) == 0);
}

static inline plx_fd open_socket(void)
{
    WSADATA data;

    CHECK(WSAStartup(MAKEWORD(2, 2), &data) == 0);
    SOCKET fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd != INVALID_SOCKET);
    return fd;
}

/* Two ends of a stream, non-blocking: a TCP connection on the loopback. */
static inline void open_pair(plx_fd ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int length = sizeof address;
    u_long on = 1;
    plx_fd listener = open_socket();

    CHECK(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    ends[0] = open_socket();
    CHECK(connect(ends[0], (struct sockaddr *)&address, length) == 0);
    ends[1] = accept(listener, NULL, NULL);
    CHECK(ends[1] != INVALID_SOCKET);
    close_fd(listener);
    for (int i = 0; i < 2; i++)
        CHECK(ioctlsocket(ends[i], (long)FIONBIO, &on) == 0);
}

/* Under Wine a send would block while another thread is at one. */
static inline void put_byte(plx_fd fd)
{
    int sent;

    while ((sent = send(fd, "x", 1, 0)) < 0 && WSAGetLastError() == WSAEWOULDBLOCK)
        Sleep(0);
    CHECK_EQ(sent, 1);
}

static inline void drain(plx_fd fd)
{
    char bytes[512];

    while (recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
}

/* ---- Time and threads ------------------------------------------------------- */

static inline void sleep_for(plx_nanos time)
{
    Sleep((DWORD)((time + PLX_MSEC(1) - 1) / PLX_MSEC(1)));
}

static inline pthread_t thread_start(void *(*body)(void *), void *argument)
{
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

/* ---- The watchdog ----------------------------------------------------------- */

static inline void CALLBACK watchdog_bite(void *argument, BOOLEAN fired)
{
    (void)argument, (void)fired;
    fprintf(stderr, "watchdog: this hangs; at: %s\n", check_noted());
    if (watchdog_report)
        watchdog_report();
    fflush(stderr);
    _Exit(CHECK_FAILED);
}

/* Ends the test with a failure unless it is called again in time; 0 calls it off. */
static inline void watchdog(unsigned seconds)
{
    static HANDLE timer;

    if (timer)
        DeleteTimerQueueTimer(NULL, timer, NULL);
    timer = NULL;
    if (seconds)
        CHECK(CreateTimerQueueTimer(&timer, NULL, watchdog_bite, NULL, seconds * 1000, 0, WT_EXECUTEONLYONCE));
}

#endif
