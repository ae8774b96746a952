/* SPDX-License-Identifier: MIT */
/* A TCP echo server of four threads on one poller: crowd PORT [CONNECTIONS]. Everything is
   registered oneshot, so whoever has an event has its connection alone until it is armed again. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pollux.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 4 };

struct connection {
    int fd;
    size_t begin, end; /* of what is still to be sent back */
    char bytes[16 * 1024];
};

static plx_poller *poller;
static plx_registry *registry;
static int listener; /* its token is 0; a connection's is its address */
static long limit;
static atomic_long ended;

static int set_up(int fd)
{
    if (fd >= 0 && (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0))
        perror("fcntl");
    return fd;
}

static void end_connection(struct connection *c)
{
    plx_deregister(registry, c->fd);
    close(c->fd);
    free(c);
    if (atomic_fetch_add(&ended, 1) + 1 == limit)
        for (int i = 0; i < THREADS; i++)
            plx_post(registry, 0, 0); /* each thread takes one, and ends */
    plx_enable(registry, listener, PLX_READABLE); /* there is a descriptor again, if there was none */
}

static void accept_one(void)
{
    int fd = set_up(accept(listener, NULL, NULL));
    bool full = fd < 0 && (errno == EMFILE || errno == ENFILE);
    struct connection *c = fd < 0 ? NULL : calloc(1, sizeof *c);
    plx_token token = plx_token_from_ptr(c);
    if (fd >= 0 && (!c || plx_register(registry, c->fd = fd, token, PLX_READABLE | PLX_ONESHOT) < 0)) {
        close(fd);
        free(c);
    }
    if (!full) /* else it waits for an end: armed, it would be ready at once */
        plx_enable(registry, listener, PLX_READABLE);
}

static void serve(struct connection *c)
{
    ssize_t size = 1;
    if (c->begin == c->end && (size = recv(c->fd, c->bytes, sizeof c->bytes, 0)) > 0)
        c->begin = 0, c->end = (size_t)size;
    if (size > 0 && (size = send(c->fd, c->bytes + c->begin, c->end - c->begin, MSG_NOSIGNAL)) > 0)
        c->begin += (size_t)size;
    bool over = size == 0 || (size < 0 && errno != EAGAIN);
    uint32_t interest = c->begin < c->end ? PLX_WRITABLE : PLX_READABLE;
    if (over || plx_reregister(registry, c->fd, plx_token_from_ptr(c), interest | PLX_ONESHOT) < 0)
        end_connection(c); /* once armed, c may be another thread's: nothing touches it after that */
}

static void *work(void *unused)
{
    plx_event event;
    while (plx_poller_wait(poller, &event, 1, PLX_FOREVER) == 1 && !(event.flags & PLX_POST))
        event.token ? serve(plx_token_ptr(event.token)) : accept_one();
    return unused;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    limit = argc > 2 ? atol(argv[2]) : 0;
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    listener = set_up(socket(AF_INET, SOCK_STREAM, 0));
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, SOMAXCONN) < 0)
        return perror("crowd"), 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    dprintf(STDOUT_FILENO, "echoing on 127.0.0.1:%d\n", ntohs(address.sin_port));

    int rc = plx_poller_open(&poller, NULL);
    if (rc == 0)
        rc = plx_register(registry = plx_poller_registry(poller), listener, 0, PLX_READABLE | PLX_ONESHOT);
    if (rc < 0)
        return fprintf(stderr, "crowd: %s\n", plx_strerror(rc)), 1;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%ld connections ended\n", atomic_load(&ended));
    plx_poller_close(poller);
    return 0;
}
