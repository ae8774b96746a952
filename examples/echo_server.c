/* SPDX-License-Identifier: MIT */
/*
 * A TCP echo server of one thread: echo_server PORT [CONNECTIONS]
 * Port 0 takes a free one. It ends after so many connections, if a number is given.
 *
 * Each connection has one buffer and waits for one thing at a time: to read while the
 * buffer is empty, to write while it is not. So a peer that does not read is not read
 * from either, and one that has finished sending still gets all of it back.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <fcntl.h>
#include <pollux.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOKEN_LISTENER = 0 }; /* a connection's token is its address, never 0 */

struct connection {
    int fd;
    bool writing;      /* the interest is PLX_WRITABLE */
    size_t begin, end; /* of what is still to be sent back */
    char bytes[16 * 1024];
};

static plx_registry *registry;
static int listener;
static bool full; /* no descriptor is left, so the listener is not watched */
static long ended;

static void accept_all(void)
{
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        struct connection *connection = malloc(sizeof *connection);
        if (connection != NULL) {
            connection->fd = fd;
            connection->writing = false;
            connection->begin = connection->end = 0;
        }
        if (connection == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
            plx_register(registry, fd, plx_token_from_ptr(connection), PLX_READABLE) < 0) {
            close(fd);
            free(connection);
        }
    }
    if (errno == EMFILE || errno == ENFILE) {
        /* What waits in the queue stays there and keeps the listener ready: a loop that
           went on watching it would spin. The next close makes room. */
        full = true;
        plx_disable(registry, listener, PLX_READABLE);
    }
}

static void end_connection(struct connection *connection)
{
    plx_deregister(registry, connection->fd); /* before close */
    close(connection->fd);
    free(connection);
    ended++;
    if (full) {
        full = false;
        plx_enable(registry, listener, PLX_READABLE);
    }
}

static void serve(struct connection *c)
{
    if (c->begin == c->end) {
        ssize_t got = recv(c->fd, c->bytes, sizeof c->bytes, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) { /* the peer has finished and has all of it back, or has reset */
            end_connection(c);
            return;
        }
        c->begin = 0;
        c->end = (size_t)got;
    }

    ssize_t sent = send(c->fd, c->bytes + c->begin, c->end - c->begin, 0);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        end_connection(c);
        return;
    }
    c->begin += sent > 0 ? (size_t)sent : 0;

    /* In the usual case, where all of it was sent, the interest has not changed. */
    bool writing = c->begin < c->end;
    if (writing != c->writing) {
        c->writing = writing;
        if (plx_reregister(registry, c->fd, plx_token_from_ptr(c), writing ? PLX_WRITABLE : PLX_READABLE) < 0)
            end_connection(c);
    }
}

int main(int argc, char **argv)
{
    plx_poller *poller;
    int port = argc > 1 ? atoi(argv[1]) : 0;
    long limit = argc > 2 ? atol(argv[2]) : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    signal(SIGPIPE, SIG_IGN); /* a reset peer is an error of send, not the end of the program */
    listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, SOMAXCONN) < 0 ||
        fcntl(listener, F_SETFL, O_NONBLOCK) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) < 0) {
        perror("listen");
        return 1;
    }
    int rc = plx_poller_open(&poller, NULL);
    if (rc == 0) {
        registry = plx_poller_registry(poller);
        rc = plx_register(registry, listener, TOKEN_LISTENER, PLX_READABLE);
    }
    printf("echoing on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);

    while (rc >= 0 && (limit == 0 || ended < limit)) {
        plx_event events[64];
        rc = plx_poller_wait(poller, events, 64, PLX_FOREVER);
        for (int i = 0; i < rc; i++)
            if (events[i].token == TOKEN_LISTENER)
                accept_all();
            else
                serve(plx_token_ptr(events[i].token));
    }
    if (rc < 0) {
        fprintf(stderr, "echo_server: %s\n", plx_strerror(rc));
        return 1;
    }
    printf("%ld connections ended\n", ended);
    plx_poller_close(poller);
    close(listener);
    return 0;
}
