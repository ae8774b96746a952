/* SPDX-License-Identifier: MIT */
/*
 * The client of all servers of `echo` and `accept`, whatever they are written in. A server
 * listens on 127.0.0.1 and starts it as its child:
 *
 *     echo_client --workload echo|accept --system NAME [--backend NAME] --port P
 *                 --connections C --seconds S
 *
 * echo    C connections, on each one request of 64 bytes in flight, S / 4 seconds to warm up
 *         and then S seconds. Then it closes all of them.
 * accept  C / 8 connections and then C, 100 in flight: one request on each, which the server
 *         answers, and closes.
 *
 * It prints the line of JSON, to the stdout that it has from the server: it reads its parent's
 * CPU time at the moments between which it counts.
 */
#include "peer.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST = 64, IN_FLIGHT = 100, LATENCIES_PER_SECOND = 1000000, PATIENCE = 10000 };

struct connection {
    int fd;
    int got;     /* of the answer */
    double sent; /* when */
};

static struct connection *connections;
static int epoll, port;
static clockid_t server_clock;

/* ---- A connection ---- */

static void connection_open(struct connection *connection)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        bench_die("connect", errno);
}

static void connection_ask(struct connection *connection)
{
    static const char request[REQUEST];
    connection->got = 0;
    connection->sent = bench_clock(CLOCK_MONOTONIC);
    if (send(connection->fd, request, REQUEST, MSG_NOSIGNAL) != REQUEST)
        bench_die("send", errno);
}

/* Without a TIME_WAIT: thousands of connections are made in a second. */
static void connection_reset(struct connection *connection)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(connection->fd);
}

/* What came: -1 nothing, 0 the end, else bytes. */
static int connection_read(struct connection *connection)
{
    char bytes[4 * REQUEST];
    ssize_t count = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EINTR)
        bench_die("recv", errno);
    if (count > 0 && (connection->got += (int)count) > REQUEST)
        bench_die("a longer answer than was asked for", 0);
    return (int)count;
}

static int wait_for_events(struct epoll_event *events, int capacity)
{
    int count = epoll_wait(epoll, events, capacity, PATIENCE);
    if (count < 0 && errno != EINTR)
        bench_die("epoll_wait", errno);
    if (count == 0)
        bench_die("the server does not answer", 0);
    return count;
}

/* ---- echo ---- */

static float *latencies;
static int latency_count, latency_most;
static uint64_t answered;
static int in_flight;
static bool ending; /* an answer is not followed by a request */

static void echo_ready(struct connection *connection)
{
    int count = connection_read(connection);
    if (count == 0)
        bench_die("the server closed a connection", 0);
    if (count < 0 || connection->got < REQUEST)
        return;
    if (ending) {
        in_flight--;
        return;
    }
    double sent = connection->sent;
    connection_ask(connection);
    answered++;
    if (latency_count < latency_most)
        latencies[latency_count++] = (float)(connection->sent - sent);
}

static void echo_turn(void)
{
    struct epoll_event events[256];
    int count = wait_for_events(events, 256);
    for (int i = 0; i < count; i++)
        echo_ready(events[i].data.ptr);
}

static void echo_run(double seconds)
{
    double end = bench_clock(CLOCK_MONOTONIC) + seconds * 1e9;
    while (bench_clock(CLOCK_MONOTONIC) < end)
        echo_turn();
}

/* A close before the answer would be an error for the server. */
static void echo_end(void)
{
    ending = true;
    in_flight = peer.connections;
    while (in_flight > 0)
        echo_turn();
    for (int i = 0; i < peer.connections; i++)
        close(connections[i].fd);
}

static int compare(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

static void echo(void)
{
    latencies = bench_array((int)(peer.seconds * LATENCIES_PER_SECOND), sizeof *latencies);
    connections = bench_array(peer.connections, sizeof *connections);
    for (int i = 0; i < peer.connections; i++)
        connection_open(&connections[i]);
    for (int i = 0; i < peer.connections; i++)
        connection_ask(&connections[i]);
    echo_run(peer.seconds / 4);
    answered = 0;
    latency_most = (int)(peer.seconds * LATENCIES_PER_SECOND);
    double wall = bench_clock(CLOCK_MONOTONIC), cpu = bench_clock(server_clock);
    echo_run(peer.seconds);
    cpu = bench_clock(server_clock) - cpu;
    wall = bench_clock(CLOCK_MONOTONIC) - wall;
    echo_end();
    if (answered == 0)
        bench_die("no answer in all that time", 0);

    qsort(latencies, (size_t)latency_count, sizeof *latencies, compare);
    line_begin();
    line_number("connections", peer.connections);
    line_number("seconds", wall / 1e9);
    line_number("requests_per_s", (double)answered / wall * 1e9);
    line_number("p50_us", latencies[latency_count / 2] / 1e3);
    line_number("p99_us", latencies[latency_count - 1 - latency_count / 100] / 1e3);
    line_number("server_cpu_ns", cpu / (double)answered);
    line_end();
}

/* ---- accept ---- */

/* True: it has its answer and its end. */
static bool accept_ready(struct connection *connection)
{
    if (connection_read(connection) != 0)
        return false;
    if (connection->got != REQUEST)
        bench_die("an answer that ends early", 0);
    connection_reset(connection);
    return true;
}

static void accept_run(int total)
{
    struct epoll_event events[IN_FLIGHT];
    int unasked = total, unanswered = total;
    for (int i = 0; i < IN_FLIGHT && unasked > 0; i++, unasked--) {
        connection_open(&connections[i]);
        connection_ask(&connections[i]);
    }
    while (unanswered > 0) {
        int count = wait_for_events(events, IN_FLIGHT);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!accept_ready(connection))
                continue;
            unanswered--;
            if (unasked > 0) {
                unasked--;
                connection_open(connection);
                connection_ask(connection);
            }
        }
    }
}

static void accept_all(void)
{
    connections = bench_array(IN_FLIGHT, sizeof *connections);
    accept_run(peer.connections / 8);
    double wall = bench_clock(CLOCK_MONOTONIC), cpu = bench_clock(server_clock);
    accept_run(peer.connections);
    cpu = bench_clock(server_clock) - cpu;
    wall = bench_clock(CLOCK_MONOTONIC) - wall;

    line_begin();
    line_number("connections", peer.connections);
    line_number("cpu_ns", cpu / peer.connections);
    line_number("wall_ns", wall / peer.connections);
    line_end();
}

int main(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--workload") == 0)
            peer.workload = argv[i + 1];
        else if (strcmp(argv[i], "--system") == 0)
            peer.system = argv[i + 1];
        else if (strcmp(argv[i], "--backend") == 0)
            peer.backend = argv[i + 1];
        else if (strcmp(argv[i], "--port") == 0)
            port = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--connections") == 0)
            peer.connections = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--seconds") == 0)
            peer.seconds = peer_seconds(argv[i + 1]);
    }
    if (!peer.workload || !peer.system || port < 1 || peer.connections < 1 || peer.seconds <= 0) {
        fprintf(stderr, "echo_client: it is started by a server\n");
        return 2;
    }
    if (!bench_descriptors(peer.connections + 32))
        bench_die("the limit of open descriptors is too low", 0);
    int rc = clock_getcpuclockid(getppid(), &server_clock);
    if (rc != 0)
        bench_die("clock_getcpuclockid", rc);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        bench_die("epoll_create1", errno);
    find_cores();
    pin(cores[1]);
    if (strcmp(peer.workload, "accept") == 0)
        accept_all();
    else
        echo();
    return 0;
}
