/* SPDX-License-Identifier: MIT */
/*
 * What a backend costs a whole program: the CPU time of examples/http_server, on epoll and on
 * io_uring, for each request on connections that are kept, and for each connection that is
 * made for one request.
 *
 * Each of the two has two servers in a round, new ones, so that each is also set against itself.
 * Server and client have a core each, if there are two.
 *
 * What a sender wakes is done on the sender's core: the client pays for a part of the server's
 * readiness, and not the same part with each backend. So there is a second line for both.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends.h"
#include "cores.h"

/* ---- The server ---- */

static char program[4096], folder[] = "/tmp/pollux-http-XXXXXX", file[sizeof folder + 2];

struct server {
    pid_t pid;
    clockid_t clock; /* its CPU time */
    struct sockaddr_in address;
};

static _Noreturn void server_exec(const char *backend, int output)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever ends the benchmark */
    pin(cores[1]);
    dup2(output, STDOUT_FILENO);
    execl(program, program, "--port", "0", "--quiet", "--backend", backend, folder, (char *)NULL);
    _exit(127);
}

static void server_open(struct server *server, const char *backend)
{
    unsigned port = 0;
    char line[256];
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0 || (server->pid = fork()) < 0)
        bench_die("pipe or fork", errno);
    if (server->pid == 0)
        server_exec(backend, ends[1]);
    close(ends[1]);

    FILE *output = fdopen(ends[0], "r");
    if (!output || !fgets(line, sizeof line, output) ||
        sscanf(line, "listening on http://127.0.0.1:%u/", &port) != 1)
        bench_die("http_server did not start", 0);
    fclose(output); /* the server ignores SIGPIPE, and its statistics go nowhere */
    server->address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int rc = clock_getcpuclockid(server->pid, &server->clock);
    if (rc != 0)
        bench_die("clock_getcpuclockid", rc);
}

static void server_close(const struct server *server)
{
    kill(server->pid, SIGTERM);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- The client ---- */

enum { KEPT, NEW, WORKS };

static const char *const requests[] = {"GET /f HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "GET /f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"};

struct client {
    const struct server *server;
    struct peer {
        int fd;
        size_t got; /* of the answer */
    } *peers;
    int count, work;
    size_t answer; /* how long each is: learnt from the first */
    int epoll;
    int unasked, unanswered;
};

static void peer_open(struct client *client, struct peer *peer)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 ||
        connect(peer->fd, (const struct sockaddr *)&client->server->address, sizeof client->server->address) < 0 ||
        epoll_ctl(client->epoll, EPOLL_CTL_ADD, peer->fd, &event) < 0)
        bench_die("connect", errno);
}

static void peer_ask(struct client *client, struct peer *peer)
{
    const char *request = requests[client->work];
    size_t size = strlen(request);
    peer->got = 0;
    client->unasked--;
    if (send(peer->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size)
        bench_die("send", errno);
}

/* The answer of a kept connection ends with its last byte, the other with the connection. */
static void peer_ready(struct client *client, struct peer *peer)
{
    char bytes[4096];
    ssize_t count = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count < 0 || (count == 0 && (client->work == KEPT || peer->got != client->answer)))
        bench_die("an answer that ends early", count < 0 ? errno : 0);
    peer->got += (size_t)count;
    if (peer->got > client->answer)
        bench_die("an answer that is too long", 0);
    if (client->work == KEPT ? peer->got < client->answer : count > 0)
        return;
    client->unanswered--;
    if (client->work == NEW) {
        close(peer->fd);
        peer->fd = -1;
        if (client->unasked > 0)
            peer_open(client, peer);
    }
    if (client->unasked > 0)
        peer_ask(client, peer);
}

/* Each peer has one request out at a time, until `total` are answered. */
static void client_run(struct client *client, int total)
{
    struct epoll_event events[64];
    client->unasked = client->unanswered = total;
    for (int i = 0; i < client->count && client->unasked > 0; i++) {
        if (client->peers[i].fd < 0)
            peer_open(client, &client->peers[i]);
        peer_ask(client, &client->peers[i]);
    }
    while (client->unanswered > 0) {
        int count = epoll_wait(client->epoll, events, 64, 10000);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            bench_die("the server does not answer", count < 0 ? errno : 0);
        for (int i = 0; i < count; i++)
            peer_ready(client, events[i].data.ptr);
    }
}

/* How long an answer is, from a connection that the server closes: the other has one header less. */
static size_t client_learn(const struct client *client)
{
    static const char closing[] = "Connection: close\r\n";
    char bytes[4096];
    ssize_t count;
    size_t size = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        connect(fd, (const struct sockaddr *)&client->server->address, sizeof client->server->address) < 0 ||
        send(fd, requests[NEW], strlen(requests[NEW]), MSG_NOSIGNAL) < 0)
        bench_die("connect", errno);
    while (size < sizeof bytes && (count = recv(fd, bytes + size, sizeof bytes - size, 0)) > 0)
        size += (size_t)count;
    close(fd);
    if (size < 15 || memcmp(bytes, "HTTP/1.1 200 OK", 15) != 0)
        bench_die("an answer that is not 200", 0);
    return client->work == NEW ? size : size - strlen(closing);
}

static void client_open(struct client *client, const struct server *server, int work, int count)
{
    *client = (struct client){.server = server, .work = work, .count = count};
    client->peers = bench_array(count, sizeof *client->peers);
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client->epoll < 0)
        bench_die("epoll_create1", errno);
    for (int i = 0; i < count; i++)
        client->peers[i].fd = -1;
    client->answer = client_learn(client);
}

static void client_close(struct client *client)
{
    for (int i = 0; i < client->count; i++)
        if (client->peers[i].fd >= 0)
            close(client->peers[i].fd);
    close(client->epoll);
    free(client->peers);
}

/* ---- Measuring ---- */

struct plan {
    int connections, rounds;
    int requests[WORKS]; /* in a round, of each server */
    const char *subject;
};

struct cost {
    double server, both; /* ns of CPU time for each request */
};

static struct cost measure_once(const struct plan *plan, int work, const char *backend)
{
    struct server server;
    struct client client;
    int total = plan->requests[work];
    server_open(&server, backend);
    client_open(&client, &server, work, plan->connections);
    client_run(&client, total / 8 + plan->connections);

    double client_start = bench_clock(CLOCK_PROCESS_CPUTIME_ID), server_start = bench_clock(server.clock);
    client_run(&client, total);
    double spent = bench_clock(server.clock) - server_start;
    double both = spent + bench_clock(CLOCK_PROCESS_CPUTIME_ID) - client_start;

    client_close(&client);
    server_close(&server);
    return (struct cost){spent / total, both / total};
}

enum { SLOTS = 4 }; /* epoll, the subject, and both again */

static void print_row(const char *name, double *values[SLOTS], int rounds)
{
    double *derived = bench_array(rounds, 3 * sizeof *derived);
    double *ratio = derived, *epoll = derived + rounds, *subject = derived + 2 * rounds;
    for (int i = 0; i < rounds; i++) {
        ratio[i] = (values[1][i] + values[3][i]) / (values[0][i] + values[2][i]);
        epoll[i] = values[2][i] / values[0][i];
        subject[i] = values[3][i] / values[1][i];
    }
    double *columns[] = {values[0], values[1], ratio, epoll, subject};
    struct bench_quartiles q[5];
    for (int i = 0; i < 5; i++)
        q[i] = bench_quartiles(columns[i], rounds);
    printf("%-24s %6.0f (%6.0f %6.0f)  %6.0f (%6.0f %6.0f)  %6.3f  %6.3f (%.3f %.3f)  %6.3f (%.3f %.3f)  "
           "%6.3f (%.3f %.3f)\n",
           name, q[0].median, q[0].low, q[0].high, q[1].median, q[1].low, q[1].high,
           q[1].median / q[0].median, q[2].median, q[2].low, q[2].high, q[3].median, q[3].low, q[3].high,
           q[4].median, q[4].low, q[4].high);
    free(derived);
}

static void measure(const struct plan *plan, int work)
{
    static const char *const names[WORKS][2] = {{"a request, kept", "  with its client"},
                                                {"a connection, new", "  with its client"}};
    int rounds = plan->rounds;
    double *values = bench_array(rounds, 2 * SLOTS * sizeof *values);
    double *server[SLOTS], *both[SLOTS];
    for (int i = 0; i < SLOTS; i++) {
        server[i] = values + i * rounds;
        both[i] = values + (SLOTS + i) * rounds;
    }
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < SLOTS; i++) {
            int slot = bench_turn(round, i, SLOTS);
            struct cost cost = measure_once(plan, work, slot % 2 ? plan->subject : "epoll");
            server[slot][round] = cost.server;
            both[slot][round] = cost.both;
        }
    print_row(names[work][0], server, rounds);
    print_row(names[work][1], both, rounds);
    fflush(stdout);
    free(values);
}

/* ---- The program ---- */

static void folder_remove(void)
{
    unlink(file);
    rmdir(folder);
}

static void end(int number)
{
    folder_remove();
    _exit(128 + number);
}

static void folder_make(void)
{
    static const char bytes[200];
    if (!mkdtemp(folder))
        bench_die(folder, errno);
    snprintf(file, sizeof file, "%s/f", folder);
    atexit(folder_remove);
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes)
        bench_die(file, errno);
    close(fd);
}

/* Unless it is named: the one of this build. */
static void find_program(const char *named)
{
    if (named) {
        snprintf(program, sizeof program, "%s", named);
    } else {
        ssize_t size = readlink("/proc/self/exe", program, sizeof program - 64);
        program[size > 0 ? size : 0] = '\0';
        char *name = strrchr(program, '/');
        strcpy(name ? name : program, "/../examples/http_server");
    }
    if (access(program, X_OK) < 0) {
        fprintf(stderr, "http: there is no %s\n", program);
        exit(77);
    }
}

int main(int argc, char **argv)
{
    struct plan plan = {.connections = 100, .rounds = 41, .requests = {8000, 1500}, .subject = "io_uring"};
    plx_backend backend = PLX_BACKEND_IO_URING;
    const char *named = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0) {
            plan.rounds = 1;
            plan.requests[KEPT] = plan.requests[NEW] = 200;
        } else if (strcmp(argv[i], "--backend") == 0) {
            backend = bench_backend(argc, argv, &i);
            plan.subject = argv[i];
        } else if (strcmp(argv[i], "--server") == 0 && i + 1 < argc) {
            named = argv[++i];
        } else if (strcmp(argv[i], "--connections") == 0) {
            plan.connections = bench_argument(argc, argv, &i);
        } else if (strcmp(argv[i], "--rounds") == 0) {
            plan.rounds = bench_argument(argc, argv, &i);
        } else {
            fprintf(stderr, "http [--smoke] [--backend epoll|io_uring|poll] [--connections C] [--rounds R]\n"
                            "     [--server PROGRAM]\n");
            return 2;
        }
    }
    find_program(named);
    if (!bench_backend_is_here(backend, "http"))
        return 77;
    if (!bench_descriptors(plan.connections + 32))
        bench_die("the limit of open descriptors is too low", 0);
    choose_cores("server and client");
    pin(cores[0]);
    folder_make();

    printf("http_server, 200 bytes, %d connections, %d rounds of %d requests and of %d connections; ns of CPU "
           "time each, quartiles in brackets\n",
           plan.connections, plan.rounds, plan.requests[KEPT], plan.requests[NEW]);
    printf("%-24s %-22s  %-22s  %6s  %-20s  %-20s  %s\n", "", "epoll", plan.subject, "ratio", "paired ratio",
           "epoll to itself", "the other to itself");
    for (int work = KEPT; work < WORKS; work++)
        measure(&plan, work);
    return 0;
}
