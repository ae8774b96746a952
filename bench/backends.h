/* SPDX-License-Identifier: MIT */
/* Pollux' backends by name, and whether they are to be had here. After bench.h. */
#ifndef POLLUX_BENCH_BACKENDS_H
#define POLLUX_BENCH_BACKENDS_H

#include <pollux.h>

/* The backend named after an option: argv[*at + 1]. Moves on to it. */
static inline plx_backend bench_backend(int argc, char **argv, int *at)
{
    const char *name = *at + 1 < argc ? argv[++*at] : "";
    if (strcmp(name, "epoll") == 0)
        return PLX_BACKEND_EPOLL;
    if (strcmp(name, "io_uring") == 0)
        return PLX_BACKEND_IO_URING;
    if (strcmp(name, "poll") == 0)
        return PLX_BACKEND_POLL;
    fprintf(stderr, "backends: epoll io_uring poll\n");
    exit(2);
}

/* If not, says so in a line that begins with `row`, with the reason if it is known. */
static inline int bench_backend_is_here(plx_backend backend, const char *row)
{
    char line[512];
    const char *reason = NULL;
    plx_poller *poller;
    int rc = plx_poller_open(&poller, &(plx_options){.backend = backend});
    if (rc == 0) {
        plx_poller_close(poller);
        return 1;
    }
    if (backend == PLX_BACKEND_IO_URING &&
        plx_poller_open(&poller, &(plx_options){.backend = PLX_BACKEND_EPOLL}) == 0) {
        plx_poller_describe(poller, line, sizeof line);
        plx_poller_close(poller);
        reason = strstr(line, "no io_uring");
    }
    printf("%s skipped: %s\n", row, reason ? reason : plx_strerror(rc));
    fflush(stdout);
    return 0;
}

#endif
