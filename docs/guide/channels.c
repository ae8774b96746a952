/* SPDX-License-Identifier: MIT */
/* Threads write a log that one thread prints: a bounded channel, so that none runs ahead of it. */
#define _POSIX_C_SOURCE 200809L
#include <pollux.h>
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 3, LINES = 100, BOUND = 16, TOKEN_LOG = 1 };

struct line {
    int thread, number;
    char text[48];
};

struct writer {
    pthread_t thread;
    int number;
    plx_sender *log;
};

static void *work(void *argument)
{
    struct writer *writer = argument;
    for (int i = 1; i <= LINES; i++) {
        struct line line = {.thread = writer->number, .number = i};
        snprintf(line.text, sizeof line.text, "thread %d has done %d of %d", line.thread, i, LINES);
        if (plx_sender_send(writer->log, &line) < 0) /* waits while 16 are unread */
            break;
    }
    plx_sender_release(writer->log);
    return NULL;
}

int main(void)
{
    plx_poller *poller;
    plx_sender *log;
    plx_receiver *lines;
    struct writer writers[THREADS];
    if (plx_poller_open(&poller, NULL) < 0 ||
        plx_channel_open_bounded(plx_poller_registry(poller), TOKEN_LOG, sizeof(struct line), BOUND, &log,
                                 &lines) < 0)
        return 1;
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.number = i, .log = plx_sender_retain(log)};
        if (pthread_create(&writers[i].thread, NULL, work, &writers[i]) != 0)
            return 1;
    }
    plx_sender_release(log); /* each thread has its own: the last to go ends the channel */

    int last[THREADS] = {0}, wrong = 0, rc = 0;
    while (rc != -EPIPE) { /* there is none, and nobody left to send one */
        plx_event events[8];
        int count = plx_poller_wait(poller, events, 8, PLX_FOREVER);
        if (count < 0)
            return fprintf(stderr, "%s\n", plx_strerror(count)), 1;
        struct line line;
        while ((rc = plx_receiver_recv(lines, &line)) == 0) {
            wrong += line.number != ++last[line.thread]; /* of one sender they come in order */
            if (line.number == LINES)
                puts(line.text);
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
    plx_receiver_close(lines);
    plx_poller_close(poller);
    return wrong == 0 ? 0 : 1;
}
