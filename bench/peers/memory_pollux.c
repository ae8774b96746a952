/* SPDX-License-Identifier: MIT */
/* `memory` and `size` on Pollux. A program keeps a timer's name, and two ends of a channel. */
#include "keep.h"

#include "pollux.h"

static plx_poller *poller;
static plx_registry *registry;

static void open_loop(void)
{
    poller = peer_poller(NULL);
    registry = plx_poller_registry(poller);
}

static void descriptors(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        bench_need(plx_register(registry, fds[i], (plx_token)i, PLX_READABLE), "plx_register");
}

static void timers(int count)
{
    plx_timer *all = bench_array(count, sizeof *all);
    for (int i = 0; i < count; i++)
        bench_need(plx_timer_start(registry, (plx_token)i, PLX_SEC(HOUR), 0, &all[i]), "plx_timer_start");
}

static void channels(int count)
{
    struct channel {
        plx_sender *sender;
        plx_receiver *receiver;
    } *all = bench_array(count, sizeof *all);
    for (int i = 0; i < count; i++)
        bench_need(
            plx_channel_open(registry, (plx_token)i, sizeof(uint64_t), &all[i].sender, &all[i].receiver),
            "plx_channel_open");
}

static void turn(void)
{
    plx_event events[16];
    int count = plx_poller_wait(poller, events, 16, 0);
    if (count != 0)
        bench_die("plx_poller_wait", count);
}

int main(int argc, char **argv)
{
    return keep_main(argc, argv, "pollux",
                     &(struct keep){.library = "libpollux",
                                    .open = open_loop,
                                    .descriptors = descriptors,
                                    .timers = timers,
                                    .channels = channels,
                                    .turn = turn});
}
