/* SPDX-License-Identifier: MIT */
/* Pollux in the channels benchmark. */
#include "subject.h"

#include <pollux.h>

enum { POLLUX_BATCH = 256 };

static plx_poller *pollux_poller;
static plx_sender *pollux_sender;
static plx_receiver *pollux_receiver;
static size_t pollux_size;

static void pollux_open(size_t size, size_t bound)
{
    bench_need(plx_poller_open(&pollux_poller, NULL), "plx_poller_open");
    plx_registry *registry = plx_poller_registry(pollux_poller);
    pollux_size = size;
    bench_need(bound ? plx_channel_open_bounded(registry, 7, size, bound, &pollux_sender, &pollux_receiver)
                     : plx_channel_open(registry, 7, size, &pollux_sender, &pollux_receiver),
               "plx_channel_open");
}

static void pollux_send(uint64_t first, uint64_t count)
{
    struct letter letter = {{0}};
    for (uint64_t i = 0; i < count; i++) {
        letter.words[0] = first + i;
        bench_need(plx_sender_send(pollux_sender, &letter), "plx_sender_send");
    }
}

/* Fewer letters than there was room for: the channel was empty. */
static uint64_t pollux_drain(void)
{
    static struct letter batch[POLLUX_BATCH];
    uint64_t done = 0;
    int count;
    do {
        count = plx_receiver_recv_many(pollux_receiver, batch, POLLUX_BATCH);
        if (count > 0) {
            receiver_take(batch, pollux_size, (uint64_t)count);
            done += (uint64_t)count;
        }
    } while (count == POLLUX_BATCH);
    return done;
}

static void pollux_receive(uint64_t count)
{
    plx_event events[16];
    for (uint64_t done = 0; done < count;) {
        int found = plx_poller_wait(pollux_poller, events, 16, PLX_FOREVER);
        bench_need(found, "plx_poller_wait");
        for (int i = 0; i < found; i++)
            if (events[i].flags & PLX_CHANNEL)
                done += pollux_drain();
    }
}

static uint64_t pollux_calls(void)
{
    plx_stats stats;
    plx_poller_stats(pollux_poller, &stats);
    return stats.kernel_calls;
}

static void pollux_close(void)
{
    plx_sender_release(pollux_sender);
    plx_receiver_close(pollux_receiver);
    plx_poller_close(pollux_poller);
}

static const struct subject pollux = {
    .name = "pollux",
    .open = pollux_open,
    .send = pollux_send,
    .receive = pollux_receive,
    .calls = pollux_calls,
    .close = pollux_close,
};

static const struct subject pollux_fenced = {
    .name = "pollux, fenced",
    .denied = true,
    .open = pollux_open,
    .send = pollux_send,
    .receive = pollux_receive,
    .calls = pollux_calls,
    .close = pollux_close,
};
