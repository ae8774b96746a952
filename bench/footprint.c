/* SPDX-License-Identifier: MIT */
/*
 * What timers and channels keep: 1,000,000 timers in one poller, then 100,000 channels, idle and
 * after a message each. Bytes that went through plx_options.allocator, the process' resident
 * set, which has the allocator's own share in it, and descriptors. Ends with 1 if the poller
 * has more than three of those, or if closing leaves memory.
 */
#include "process.h"

#include <pollux.h>

enum { DESCRIPTORS = 3 };

static struct bench_memory memory;
static plx_poller *poller;
static plx_registry *registry;

static void print(const char *what, int count, size_t bytes, double pages, int before)
{
    printf("%-38s  %8.1f bytes each  %8.1f resident  %d descriptors more\n", what,
           (double)(memory.bytes - bytes) / count, (process_resident() - pages) / count,
           process_descriptors() - before);
}

static void *array(int count, size_t size)
{
    void *items = bench_array(count, size);
    memset(items, 1, (size_t)count * size); /* resident before the count begins */
    return items;
}

static void channels(int count, int before)
{
    plx_sender **senders = array(count, sizeof *senders);
    plx_receiver **receivers = array(count, sizeof *receivers);
    uint64_t message = 1;
    size_t bytes = memory.bytes;
    double pages = process_resident();
    for (int i = 0; i < count; i++)
        bench_need(plx_channel_open(registry, (plx_token)i, sizeof message, &senders[i], &receivers[i]),
                   "plx_channel_open");
    print("idle channels, of 8 bytes", count, bytes, pages, before);
    for (int i = 0; i < count; i++)
        bench_need(plx_sender_send(senders[i], &message), "plx_sender_send");
    for (int i = 0; i < count; i++)
        bench_need(plx_receiver_recv(receivers[i], &message), "plx_receiver_recv");
    print("the same, after a message each", count, bytes, pages, before);
    for (int i = 0; i < count; i++) {
        plx_sender_release(senders[i]);
        plx_receiver_close(receivers[i]);
    }
    plx_event events[256];
    while (plx_poller_wait(poller, events, 256, 0) > 0)
        ;
    free(senders);
    free(receivers);
}

static void timers(int count, int before)
{
    plx_timer *all = array(count, sizeof *all);
    size_t bytes = memory.bytes;
    double pages = process_resident();
    for (int i = 0; i < count; i++)
        bench_need(plx_timer_start(registry, 7, PLX_SEC(60 + i % 60), 0, &all[i]), "plx_timer_start");
    print("timers", count, bytes, pages, before);
    for (int i = 0; i < count; i++)
        bench_need(plx_timer_cancel(registry, all[i]), "plx_timer_cancel");
    free(all);
}

int main(int argc, char **argv)
{
    int smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    if (argc > 1 && !smoke) {
        fprintf(stderr, "footprint [--smoke]\n");
        return 2;
    }
    int count = smoke ? 1000 : 100000, before = process_descriptors();
    plx_allocator allocator = {.context = &memory,
                               .allocate = bench_allocate,
                               .reallocate = bench_reallocate,
                               .release = bench_release};
    bench_need(plx_poller_open(&poller, &(plx_options){.allocator = &allocator}), "plx_poller_open");
    registry = plx_poller_registry(poller);
    print("an open poller", 1, 0, process_resident(), before);
    timers(10 * count, before);
    channels(count, before);
    int most = process_descriptors() - before;
    plx_poller_close(poller);
    printf("after the close: %zu bytes, %d descriptors more\n", memory.bytes, process_descriptors() - before);
    return most <= DESCRIPTORS && memory.bytes == 0 && process_descriptors() == before ? 0 : 1;
}
