/* SPDX-License-Identifier: MIT */
/*
 * What the servers of `echo` and `accept` share. Both send back what comes, 64 bytes at a time;
 * built with PEER_ACCEPT, a server closes after the first. The client is a process of its own on
 * the other core, the same for all: see echo_client.c, which also prints the line.
 *
 * A server's loop ends when the last connection of the run was closed, as connection_done says.
 */
#ifndef POLLUX_BENCH_SERVER_H
#define POLLUX_BENCH_SERVER_H

#include "peer.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef PEER_ACCEPT
#define SERVER_WORKLOAD "accept"
enum { ONCE = 1 };
#else
#define SERVER_WORKLOAD "echo"
enum { ONCE = 0 };
#endif

enum { REQUEST = 64 };

static struct server {
    int listener; /* does not block */
    int left;     /* connections to close before the end */
    int port;
    pid_t client;
} server;

/* A client that fails takes the server along. */
static inline void server_client_ended(int number)
{
    int status;
    (void)number;
    if (waitpid(server.client, &status, WNOHANG) == server.client) {
        server.client = 0;
        if (status != 0)
            _exit(1);
    }
}

static inline void server_open(int argc, char **argv, const char *system)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct peer defaults = {
        .workload = SERVER_WORKLOAD, .system = system, .connections = ONCE ? 10000 : 100, .seconds = 2};
    peer_open(argc, argv, defaults, (struct peer){.connections = 100, .seconds = 0.2});
    if (!bench_descriptors(ONCE ? 256 : peer.connections + 64))
        peer_cannot("the limit of open descriptors is too low");
    server.left = peer.connections + (ONCE ? peer.connections / 8 : 0);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server.listener < 0 || bind(server.listener, (struct sockaddr *)&address, size) < 0 ||
        listen(server.listener, SOMAXCONN) < 0 ||
        getsockname(server.listener, (struct sockaddr *)&address, &size) < 0)
        bench_die("listen", errno);
    server.port = ntohs(address.sin_port);
}

static inline _Noreturn void server_exec_client(void)
{
    char program[4096], port[16], connections[16], seconds[32];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 32);
    program[size > 0 ? size : 0] = '\0';
    char *name = strrchr(program, '/');
    strcpy(name ? name + 1 : program, "echo_client");
    snprintf(port, sizeof port, "%d", server.port);
    snprintf(connections, sizeof connections, "%d", peer.connections);
    snprintf(seconds, sizeof seconds, "%g", peer.seconds);
    execl(program, program, "--workload", peer.workload, "--system", peer.system, "--port", port,
          "--connections", connections, "--seconds", seconds, peer.backend ? "--backend" : (char *)NULL,
          peer.backend, (char *)NULL);
    bench_die(program, errno);
}

/* Called when the server is about to enter its loop. */
static inline void server_start_client(void)
{
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = server_client_ended, .sa_flags = SA_RESTART}, NULL);
    sigset_t child, before;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &before);
    server.client = fork();
    if (server.client < 0)
        bench_die("fork", errno);
    if (server.client == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        server_exec_client();
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    pin(cores[0]);
}

/* After the loop. */
static inline void server_await_client(void)
{
    while (server.client != 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* A connection that waits to be accepted; negative: none. */
static inline int server_accept(void)
{
    int fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        bench_die("accept4", errno);
    return fd;
}

/* Reads what is there and sends it back. True: the connection is to be closed. */
static inline bool connection_echo(int fd)
{
    char bytes[4 * REQUEST];
    ssize_t count = recv(fd, bytes, sizeof bytes, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (count <= 0)
        return true;
    if (send(fd, bytes, (size_t)count, MSG_NOSIGNAL) != count)
        bench_die("send", errno);
    return ONCE;
}

/* One was closed. True: it was the last of the run. */
static inline bool connection_done(void)
{
    return --server.left == 0;
}

#endif
