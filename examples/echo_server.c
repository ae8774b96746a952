/* SPDX-License-Identifier: MIT */
/* A TCP echo server of one thread: echo_server PORT [CONNECTIONS]. A connection waits for one
   thing at a time, so a peer that does not read is not read from either. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pollux.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int fd;
    size_t begin, end; /* of what is still to be sent back; PLX_WRITABLE is for that */
    char bytes[16 * 1024];
};
static plx_registry *registry;
static int listener; /* its token is 0; a connection's is its address */
static long ended;

static void end_connection(struct connection *c)
{
    plx_deregister(registry, c->fd); /* before close */
    close(c->fd);
    free(c);
    ended++;
    plx_enable(registry, listener, PLX_READABLE); /* there is a descriptor again, if there was none */
}

static int set_up(int fd) /* Linux and the BSDs have accept4 for it, macOS has not */
{
    if (fd >= 0 && (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0))
        perror("fcntl");
    return fd;
}

static void accept_one(void)
{
    int fd = set_up(accept(listener, NULL, NULL));
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) /* it stays ready: to watch it on would spin */
        plx_disable(registry, listener, PLX_READABLE);
    struct connection *c = fd < 0 ? NULL : calloc(1, sizeof *c);
    if (c && plx_register(registry, c->fd = fd, plx_token_from_ptr(c), PLX_READABLE) == 0)
        return;
    close(fd);
    free(c);
}

static void serve(struct connection *c)
{
    bool was_writing = c->begin < c->end;
    ssize_t size = was_writing ? 1 : recv(c->fd, c->bytes, sizeof c->bytes, 0);
    if (!was_writing && size > 0)
        c->begin = 0, c->end = (size_t)size;
    if (size > 0 && (size = send(c->fd, c->bytes + c->begin, c->end - c->begin, MSG_NOSIGNAL)) > 0)
        c->begin += (size_t)size;
    bool over = size == 0 || (size < 0 && errno != EAGAIN); /* the peer has all of it back, or has reset */
    bool writing = c->begin < c->end;
    if (!over && writing != was_writing) /* seldom: as a rule all of it was sent */
        over = plx_reregister(registry, c->fd, plx_token_from_ptr(c), writing ? PLX_WRITABLE : PLX_READABLE) < 0;
    if (over)
        end_connection(c);
}

int main(int argc, char **argv)
{
    long limit = argc > 2 ? atol(argv[2]) : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    listener = set_up(socket(AF_INET, SOCK_STREAM, 0));
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, SOMAXCONN) < 0)
        return perror("echo_server"), 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    dprintf(STDOUT_FILENO, "echoing on 127.0.0.1:%d\n", ntohs(address.sin_port));
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
