/* SPDX-License-Identifier: MIT */
/* The echo server for Windows: echo_server_windows PORT [CONNECTIONS]. A connection waits for one
   thing at a time, so a peer that does not read is not read from either. */
#include <winsock2.h>
#include <ws2tcpip.h>

#include <pollux.h>
#include <stdio.h>
#include <stdlib.h>

struct connection {
    SOCKET fd;
    int begin, end; /* of what is still to be sent back; PLX_WRITABLE is for that */
    char bytes[16 * 1024];
};
static plx_registry *registry;
static SOCKET listener; /* its token is 0; a connection's is its address */
static long ended;

static void end_connection(struct connection *c)
{
    plx_deregister(registry, c->fd); /* before closesocket */
    closesocket(c->fd);
    free(c);
    ended++;
}

static void accept_one(void)
{
    SOCKET fd = accept(listener, NULL, NULL); /* non-blocking, as the listener is */
    struct connection *c = fd == INVALID_SOCKET ? NULL : calloc(1, sizeof *c);
    if (c && plx_register(registry, c->fd = fd, plx_token_from_ptr(c), PLX_READABLE) == 0)
        return;
    closesocket(fd);
    free(c);
}

static void serve(struct connection *c)
{
    bool was_writing = c->begin < c->end;
    int size = was_writing ? 1 : recv(c->fd, c->bytes, sizeof c->bytes, 0);
    if (!was_writing && size > 0)
        c->begin = 0, c->end = size;
    if (size > 0 && (size = send(c->fd, c->bytes + c->begin, c->end - c->begin, 0)) > 0)
        c->begin += size;
    bool over = size == 0 || (size < 0 && WSAGetLastError() != WSAEWOULDBLOCK); /* all sent back, or a reset */
    bool writing = c->begin < c->end;
    if (!over && writing != was_writing) /* seldom: as a rule all of it was sent */
        over = plx_reregister(registry, c->fd, plx_token_from_ptr(c), writing ? PLX_WRITABLE : PLX_READABLE) < 0;
    if (over)
        end_connection(c);
}

int main(int argc, char **argv)
{
    WSADATA winsock; /* is the program's to start: Pollux does not */
    u_long on = 1;
    long limit = argc > 2 ? atol(argv[2]) : 0;
    struct sockaddr_in address = {.sin_family = AF_INET};
    int length = sizeof address;
    if (WSAStartup(MAKEWORD(2, 2), &winsock) != 0)
        return 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((u_short)(argc > 1 ? atoi(argv[1]) : 0));
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, SOMAXCONN) != 0 ||
        ioctlsocket(listener, (long)FIONBIO, &on) != 0)
        return fprintf(stderr, "echo_server: error %d\n", WSAGetLastError()), 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("echoing on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    plx_poller *poller = NULL;
    int rc = plx_poller_open(&poller, NULL);
    if (rc == 0)
        rc = plx_register(registry = plx_poller_registry(poller), listener, 0, PLX_READABLE);
    for (plx_event events[64]; rc >= 0 && (limit == 0 || ended < limit);) {
        rc = plx_poller_wait(poller, events, 64, PLX_FOREVER);
        for (int i = 0; i < rc; i++)
            events[i].token ? serve(plx_token_ptr(events[i].token)) : accept_one();
    }
    printf("%ld connections ended; %s\n", ended, plx_strerror(rc));
    plx_poller_close(poller);
    return rc < 0;
}
