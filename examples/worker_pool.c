/* SPDX-License-Identifier: MIT */
/*
 * Threads compute while the event loop stays awake. Each has a bounded channel for its jobs and
 * a poller to wait for them; all send results over one channel to the loop, which has a timer too.
 */
#include <pollux.h>
#include <pthread.h>
#include <stdio.h>

enum { WORKERS = 3, JOBS = 300, BOUND = 16, TOKEN_RESULT = 1, TOKEN_TICK };

struct worker {
    pthread_t thread;
    plx_poller *poller;
    plx_sender *jobs, *results;
    plx_receiver *inbox;
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    plx_event event;
    unsigned job;
    int rc = -EAGAIN;
    while (rc != -EPIPE && plx_poller_wait(worker->poller, &event, 1, PLX_FOREVER) == 1)
        while ((rc = plx_receiver_recv(worker->inbox, &job)) == 0) {
            unsigned result = 0;
            for (unsigned i = 1; i <= 100 * job; i++)
                result += i % job == 0;
            plx_sender_send(worker->results, &result);
        }
    plx_sender_release(worker->results); /* -EPIPE: no more jobs, and all are done */
    plx_receiver_close(worker->inbox);
    plx_poller_close(worker->poller);
    return NULL;
}

int main(void)
{
    struct worker workers[WORKERS];
    plx_poller *poller;
    plx_sender *results;
    plx_receiver *outcome;
    plx_timer tick;
    unsigned next = 1, done = 0, ticks = 0, wrong = 0, result;
    if (plx_poller_open(&poller, NULL) < 0 ||
        plx_channel_open(plx_poller_registry(poller), TOKEN_RESULT, sizeof result, &results, &outcome) < 0 ||
        plx_timer_start(plx_poller_registry(poller), TOKEN_TICK, PLX_MSEC(1), PLX_MSEC(1), &tick) < 0)
        return 1;
    for (struct worker *at = workers; at < workers + WORKERS; at++) {
        at->results = plx_sender_retain(results);
        if (plx_poller_open(&at->poller, NULL) < 0 ||
            plx_channel_open_bounded(plx_poller_registry(at->poller), 0, sizeof(unsigned), BOUND, &at->jobs,
                                     &at->inbox) < 0 ||
            pthread_create(&at->thread, NULL, work, at) != 0)
            return 1;
    }
    plx_sender_release(results); /* the workers have theirs: the last to end closes the channel */

    for (int rc = 0, count; rc != -EPIPE;) {
        /* In turn, and never waiting: who is full gets the job when a result has shown progress. */
        while (next <= JOBS && plx_sender_try_send(workers[next % WORKERS].jobs, &next) == 0)
            if (next++ == JOBS)
                for (int i = 0; i < WORKERS; i++)
                    plx_sender_release(workers[i].jobs);
        plx_event events[8];
        if ((count = plx_poller_wait(poller, events, 8, PLX_FOREVER)) < 0)
            return 1;
        for (int i = 0; i < count; i++)
            ticks += events[i].token == TOKEN_TICK;
        while ((rc = plx_receiver_recv(outcome, &result)) == 0)
            done++, wrong += result != 100;
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    plx_receiver_close(outcome);
    plx_poller_close(poller);
    printf("%u jobs by %d workers, %u wrong; the loop saw %u ticks meanwhile\n", done, WORKERS, wrong, ticks);
    return done == JOBS && wrong == 0 ? 0 : 1;
}
