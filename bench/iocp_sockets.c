/* SPDX-License-Identifier: MIT */
/*
 * Windows: what an event costs on a poller of many sockets, beside the plain way to do it, one
 * handle of AFD with a poll for each socket, and wepoll. The sender is quicker than the wait: what
 * a wait reports has come before it, which costs Pollux a second look.
 *
 * All take turns on the same sockets, in an order that moves on with each round; the medians of
 * the rounds are printed.
 *
 *     iocp_sockets [--sockets N] [--burst N] [--events N] [--rounds N]
 */
#include <winsock2.h>

#include <pollux.h>

#include "backend/afd.h"

#ifdef BENCH_WEPOLL
#include "wepoll.h"
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 64, SOCKETS = 5000, ROUNDS = 100 };

static SOCKET sockets[SOCKETS];
static struct sockaddr_in addresses[SOCKETS];
static int count;

static void need(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s: error %d\n", what, WSAGetLastError());
        exit(1);
    }
}

/* ---- Ways to wait ---- */

/* What was found is written as numbers of sockets. */
typedef struct way {
    const char *name;
    void (*open)(void);
    void (*add)(int number);
    int (*wait)(int *numbers);
    void (*close)(void);
} way;

static plx_poller *poller;
static uint64_t calls; /* in waits; until the close, those before */
static bool waited;

static void pollux_open(void)
{
    need(plx_poller_open(&poller, NULL) == 0, "poller");
    waited = false;
}

static uint64_t pollux_calls(void)
{
    plx_stats stats;

    plx_poller_stats(poller, &stats);
    return stats.kernel_calls;
}

static void pollux_add(int number)
{
    need(plx_register(plx_poller_registry(poller), sockets[number], (plx_token)number, PLX_READABLE) == 0, "register");
}

static int pollux_wait(int *numbers)
{
    plx_event events[ROOM];

    if (!waited)
        calls = pollux_calls();
    waited = true;
    int found = plx_poller_wait(poller, events, ROOM, PLX_SEC(10));

    for (int i = 0; i < found; i++)
        numbers[i] = (int)events[i].token;
    return found;
}

static void pollux_close(void)
{
    calls = pollux_calls() - calls;
    plx_poller_close(poller);
}

/* One handle, and what was reported is armed again by the next wait. */
static HANDLE port, device;
static plx__afd_poll polls[SOCKETS];
static int told[ROOM], told_count;

static void handle_open(void)
{
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
    need(port && plx__afd_open(port, &device) == 0, "AFD");
    told_count = 0;
}

static void handle_add(int number)
{
    need(plx__afd_arm(device, (HANDLE)sockets[number], PLX__AFD_RECEIVE, &polls[number]) == 0, "poll");
}

static int handle_wait(int *numbers)
{
    OVERLAPPED_ENTRY entries[ROOM];
    ULONG found = 0;

    for (int i = 0; i < told_count; i++)
        handle_add(told[i]);
    need(GetQueuedCompletionStatusEx(port, entries, ROOM, &found, 10000, FALSE), "port");
    told_count = (int)found;
    for (int i = 0; i < told_count; i++)
        numbers[i] = told[i] = (int)((plx__afd_poll *)(void *)entries[i].lpOverlapped - polls);
    return told_count;
}

static void handle_close(void)
{
    OVERLAPPED_ENTRY entries[ROOM];
    int left = count - told_count;

    CloseHandle(device);
    while (left > 0) {
        ULONG found = 0;
        need(GetQueuedCompletionStatusEx(port, entries, ROOM, &found, 10000, FALSE), "port");
        left -= (int)found;
    }
    CloseHandle(port);
}

#ifdef BENCH_WEPOLL
static HANDLE ep;

static void wepoll_open(void)
{
    ep = epoll_create1(0);
    need(ep != NULL, "epoll_create1");
}

static void wepoll_add(int number)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = number};
    need(epoll_ctl(ep, EPOLL_CTL_ADD, sockets[number], &event) == 0, "epoll_ctl");
}

static int wepoll_wait(int *numbers)
{
    struct epoll_event events[ROOM];
    int found = epoll_wait(ep, events, ROOM, 10000);

    for (int i = 0; i < found; i++)
        numbers[i] = events[i].data.fd;
    return found;
}

static void wepoll_close(void)
{
    epoll_close(ep);
}
#endif

static const way ways[] = {
    {"pollux", pollux_open, pollux_add, pollux_wait, pollux_close},
    {"one handle", handle_open, handle_add, handle_wait, handle_close},
#ifdef BENCH_WEPOLL
    {"wepoll", wepoll_open, wepoll_add, wepoll_wait, wepoll_close},
#endif
};

enum { WAYS = sizeof ways / sizeof ways[0] };

/* ---- A round ---- */

/* Microseconds: for each socket to be added, with its part of the first wait; for an event. */
typedef struct cost {
    double add, wait, whole, close;
} cost;

static SOCKET sender;

static void send_to(int number)
{
    char byte = 0;

    need(sendto(sender, &byte, 1, 0, (struct sockaddr *)&addresses[number], sizeof addresses[number]) == 1, "send");
}

/* One byte each to so many sockets in a row, until all have come; the time in waits. */
static plx_nanos burst(const way *subject, int first, int size)
{
    plx_nanos inside = 0;

    for (int i = 0; i < size; i++)
        send_to((first + i) % count);
    for (int left = size; left > 0;) {
        int numbers[ROOM];
        plx_nanos before = plx_now();
        int found = subject->wait(numbers);
        inside += plx_now() - before;
        need(found > 0, "wait");
        for (int i = 0; i < found; i++) {
            char byte;
            need((numbers[i] - first + count) % count < size && recv(sockets[numbers[i]], &byte, 1, 0) == 1, "receive");
        }
        left -= found;
    }
    return inside;
}

static cost run(const way *subject, int events, int size)
{
    static unsigned next = 1;
    plx_nanos start = plx_now(), inside = 0;

    subject->open();
    for (int i = 0; i < count; i++)
        subject->add(i);
    (void)burst(subject, 0, 1);
    plx_nanos added = plx_now();
    int done = 0;
    for (; done < events; done += size) {
        next = next * 1103515245u + 12345u;
        inside += burst(subject, (int)(next >> 8) % count, size);
    }
    plx_nanos ended = plx_now();
    subject->close();
    plx_nanos closed = plx_now();
    return (cost){.add = (double)(added - start) / 1e3 / count,
                  .wait = (double)inside / 1e3 / done,
                  .whole = (double)(ended - added) / 1e3 / done,
                  .close = (double)(closed - ended) / 1e3 / count};
}

static int by_size(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;

    return (a > b) - (a < b);
}

static double median(const cost *costs, size_t member, int rounds)
{
    double values[ROUNDS];

    for (int i = 0; i < rounds; i++)
        memcpy(&values[i], (const char *)&costs[i] + member, sizeof values[i]);
    qsort(values, (size_t)rounds, sizeof values[0], by_size);
    return rounds % 2 ? values[rounds / 2] : (values[rounds / 2 - 1] + values[rounds / 2]) / 2;
}

/* ---- All ---- */

/* A datagram socket of this machine alone, and the address to reach it. */
static SOCKET open_socket(struct sockaddr_in *address)
{
    SOCKET made = socket(AF_INET, SOCK_DGRAM, 0);
    int size = sizeof *address;

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    need(made != INVALID_SOCKET && bind(made, (struct sockaddr *)address, size) == 0 &&
             getsockname(made, (struct sockaddr *)address, &size) == 0,
         "socket");
    return made;
}

static void measure(int size, int events, int rounds)
{
    static cost costs[WAYS][ROUNDS];

    if (size > count)
        size = count;
    for (int i = 0; i < rounds; i++)
        for (int j = 0; j < WAYS; j++)
            costs[(i + j) % WAYS][i] = run(&ways[(i + j) % WAYS], events, size);
    for (int i = 0; i < WAYS; i++) {
        printf("%5d sockets, %2d at once, %-10s  wait %7.1f us, whole event %7.1f us, add %6.1f us, close %6.1f us",
               count, size, ways[i].name, median(costs[i], offsetof(cost, wait), rounds),
               median(costs[i], offsetof(cost, whole), rounds), median(costs[i], offsetof(cost, add), rounds),
               median(costs[i], offsetof(cost, close), rounds));
        if (i == 0)
            printf(", %.2f calls an event", (double)calls / (events + 1));
        printf("\n");
    }
    fflush(stdout);
}

static void measure_sockets(int size, int events, int rounds)
{
    for (int i = 0; i < count; i++)
        sockets[i] = open_socket(&addresses[i]);
    measure(size > 0 ? size : 1, events, rounds);
    if (size == 0)
        measure(10, events, rounds);
    for (int i = 0; i < count; i++)
        closesocket(sockets[i]);
}

int main(int argc, char **argv)
{
    int size = 0, events = 500, rounds = 7, only = 0;
    struct sockaddr_in unused;
    WSADATA data;

    for (int i = 1; i < argc; i++) {
        int value = i + 1 < argc ? atoi(argv[i + 1]) : 0;
        if (strcmp(argv[i], "--smoke") == 0) {
            only = 10, events = 20, rounds = 1;
            continue;
        }
        bool known = value > 0;
        if (known && strcmp(argv[i], "--sockets") == 0 && value <= SOCKETS)
            only = value;
        else if (known && strcmp(argv[i], "--burst") == 0 && value <= ROOM)
            size = value;
        else if (known && strcmp(argv[i], "--events") == 0)
            events = value;
        else if (known && strcmp(argv[i], "--rounds") == 0 && value <= ROUNDS)
            rounds = value;
        else
            known = false;
        if (!known) {
            fprintf(stderr, "usage: iocp_sockets [--sockets N] [--burst N] [--events N] [--rounds N]\n");
            return 2;
        }
        i++;
    }
    need(WSAStartup(MAKEWORD(2, 2), &data) == 0, "WSAStartup");
    sender = open_socket(&unused);
    static const int counts[] = {10, 100, 1000, 5000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        count = only ? only : counts[i];
        measure_sockets(size, events, rounds);
        if (only)
            break;
    }
    closesocket(sender);
    return 0;
}
