/* SPDX-License-Identifier: MIT */
/* A message through Pollux' channel. */
#include "channels.h"

#include "pollux.h"

enum { BATCH = 256 };

static plx_poller *poller;
static plx_sender *sender;
static plx_receiver *receiver;

static void send_some(uint64_t first, uint64_t count)
{
    for (uint64_t message = first; message < first + count; message++)
        bench_need(plx_sender_send(sender, &message), "plx_sender_send");
}

/* Fewer than there is room for: the channel is empty. True: that was all. */
static bool drain(void)
{
    uint64_t batch[BATCH];
    int count;
    bool done = false;
    do {
        count = plx_receiver_recv_many(receiver, batch, BATCH);
        if (count > 0)
            done = channels_take(batch, (size_t)count);
    } while (count == BATCH);
    return done;
}

static void receive(void)
{
    plx_event events[16];
    bool done = false;
    while (!done) {
        int count = plx_poller_wait(poller, events, 16, PLX_FOREVER);
        bench_need(count, "plx_poller_wait");
        for (int i = 0; i < count; i++)
            done |= drain();
    }
}

int main(int argc, char **argv)
{
    channels_open(argc, argv, "pollux");
    poller = peer_poller(NULL);
    bench_need(plx_channel_open(plx_poller_registry(poller), 7, sizeof(uint64_t), &sender, &receiver),
               "plx_channel_open");
    channels_measure(&(struct channels){send_some, receive});
    plx_sender_release(sender);
    plx_receiver_close(receiver);
    plx_poller_close(poller);
    return 0;
}
