/* SPDX-License-Identifier: MIT */
/*
 * Four threads wait on one poller. Its sources are registered PLX_ONESHOT: an event
 * goes to one thread, and the source is then silent until that thread arms it again,
 * so no two threads ever work on one source at the same time.
 */
#define _POSIX_C_SOURCE 200809L

#include <pollux.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 4, SOURCES = 8, ROUNDS = 2000 };

struct source {
    int ends[2];      /* the threads read ends[0], main writes ends[1] */
    long seen;        /* not atomic: who holds the event has the source alone */
    atomic_bool busy; /* only here to show that this is so */
};

static struct source sources[SOURCES];
static atomic_long left = (long)SOURCES * ROUNDS;
static atomic_int collisions;

static void *work(void *argument)
{
    plx_poller *poller = argument;
    plx_event event;
    while (plx_poller_wait(poller, &event, 1, PLX_SEC(30)) == 1) {
        if (event.flags & PLX_POST)
            return NULL; /* one post per thread, and one event per wait: each ends one thread */

        struct source *source = plx_token_ptr(event.token);
        char bytes[64];
        if (atomic_exchange(&source->busy, true))
            atomic_fetch_add(&collisions, 1);
        ssize_t count = read(source->ends[0], bytes, sizeof bytes);
        if (count > 0)
            source->seen += count;
        atomic_store(&source->busy, false);
        /* Bytes that are there by now make the next event at once; none is missed. */
        plx_enable(plx_poller_registry(poller), source->ends[0], PLX_READABLE);
        if (count > 0 && atomic_fetch_sub(&left, count) == count)
            for (int i = 0; i < THREADS; i++)
                plx_post(plx_poller_registry(poller), 0, 0);
    }
    return NULL;
}

int main(void)
{
    plx_poller *poller;
    pthread_t threads[THREADS];
    if (plx_poller_open(&poller, NULL) < 0)
        return 1;
    plx_registry *registry = plx_poller_registry(poller);
    for (int i = 0; i < SOURCES; i++) {
        plx_token token = plx_token_from_ptr(&sources[i]);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, sources[i].ends) < 0 ||
            plx_register(registry, sources[i].ends[0], token, PLX_READABLE | PLX_ONESHOT) < 0)
            return 1;
    }
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, poller) != 0)
            return 1;
    for (int i = 0; i < SOURCES * ROUNDS; i++)
        if (write(sources[i % SOURCES].ends[1], "x", 1) != 1)
            return 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    plx_poller_close(poller);
    long seen = 0;
    for (int i = 0; i < SOURCES; i++)
        seen += sources[i].seen;
    printf("%d threads read %ld bytes, %d times two at once\n", THREADS, seen, atomic_load(&collisions));
    return seen == SOURCES * ROUNDS && atomic_load(&collisions) == 0 ? 0 : 1;
}
