/* SPDX-License-Identifier: MIT */
/*
 * Windows: what one event costs on a poller of many sockets, of which one at a time has
 * something to read. Not part of the build:
 *
 *     x86_64-w64-mingw32-gcc -std=c11 -O2 -Iinclude -Isrc bench/iocp_sockets.c \
 *         src/<all folders>/<all files>.c -o iocp_sockets.exe -lws2_32
 *     iocp_sockets [SOCKETS]...
 */
#include <winsock2.h>

#include <pollux.h>

#include <stdio.h>
#include <stdlib.h>

enum { EVENTS = 2000 };

static void need(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s: error %d\n", what, WSAGetLastError());
        exit(1);
    }
}

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

static void measure(int count)
{
    SOCKET *sockets = calloc((size_t)count, sizeof *sockets);
    struct sockaddr_in *addresses = calloc((size_t)count, sizeof *addresses), unused;
    SOCKET sender = open_socket(&unused);
    plx_poller *poller;
    need(sockets && addresses && plx_poller_open(&poller, NULL) == 0, "open");
    plx_registry *registry = plx_poller_registry(poller);

    for (int i = 0; i < count; i++)
        sockets[i] = open_socket(&addresses[i]);
    plx_nanos opened = plx_now();
    for (int i = 0; i < count; i++)
        need(plx_register(registry, sockets[i], (plx_token)i, PLX_READABLE) == 0, "register");
    plx_nanos registered = plx_now();
    plx_nanos inside = 0;
    unsigned next = 1;
    for (int i = 0; i < EVENTS; i++) {
        char byte = 0;
        plx_event event;
        next = next * 1103515245u + 12345u;
        int to = (int)(next >> 8) % count;
        need(sendto(sender, &byte, 1, 0, (struct sockaddr *)&addresses[to], sizeof addresses[to]) == 1, "send");
        plx_nanos before = plx_now();
        int found = plx_poller_wait(poller, &event, 1, PLX_SEC(10));
        inside += plx_now() - before;
        need(found == 1 && event.token == (plx_token)to, "wait");
        need(recv(sockets[to], &byte, 1, 0) == 1, "receive");
    }
    plx_nanos done = plx_now();
    plx_stats stats;
    plx_poller_stats(poller, &stats);
    plx_poller_close(poller);
    plx_nanos closed = plx_now();
    printf("%5d sockets: register %.1f us each, wait %.1f us, with send and receive %.1f us, %.1f calls an event, close %.1f ms\n",
           count, (double)(registered - opened) / 1e3 / count, (double)inside / 1e3 / EVENTS,
           (double)(done - registered) / 1e3 / EVENTS, (double)stats.kernel_calls / EVENTS,
           (double)(closed - done) / 1e6);
    fflush(stdout);
    for (int i = 0; i < count; i++)
        closesocket(sockets[i]);
    closesocket(sender);
    free(sockets);
    free(addresses);
}

int main(int argc, char **argv)
{
    WSADATA data;

    need(WSAStartup(MAKEWORD(2, 2), &data) == 0, "WSAStartup");
    for (int i = 1; i < argc; i++)
        if (atoi(argv[i]) > 0)
            measure(atoi(argv[i]));
    for (int count = 10; argc < 2 && count <= 1000; count *= 10)
        measure(count);
    return 0;
}
