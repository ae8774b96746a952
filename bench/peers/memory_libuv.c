/* SPDX-License-Identifier: MIT */
/* `memory` and `size` on libuv: handles of the program's, and a locked queue for each channel. */
#include "keep.h"

#include <uv.h>

static uv_loop_t loop;

static void ready(uv_poll_t *handle, int status, int events)
{
    (void)handle, (void)status, (void)events;
}

static void due(uv_timer_t *timer)
{
    (void)timer;
}

static void woken(uv_async_t *async)
{
    (void)async;
}

static void open_loop(void)
{
    bench_need(uv_loop_init(&loop), "uv_loop_init");
}

static void descriptors(const int *fds, int count)
{
    uv_poll_t *handles = bench_array(count, sizeof *handles);
    for (int i = 0; i < count; i++) {
        bench_need(uv_poll_init(&loop, &handles[i], fds[i]), "uv_poll_init");
        bench_need(uv_poll_start(&handles[i], UV_READABLE, ready), "uv_poll_start");
    }
}

static void timers(int count)
{
    uv_timer_t *all = bench_array(count, sizeof *all);
    for (int i = 0; i < count; i++) {
        bench_need(uv_timer_init(&loop, &all[i]), "uv_timer_init");
        bench_need(uv_timer_start(&all[i], due, HOUR * 1000, 0), "uv_timer_start");
    }
}

static void channels(int count)
{
    struct channel {
        struct queue queue;
        uv_async_t wake;
    } *all = bench_array(count, sizeof *all);
    for (int i = 0; i < count; i++) {
        queue_open(&all[i].queue, CHANNEL_ROOM);
        bench_need(uv_async_init(&loop, &all[i].wake, woken), "uv_async_init");
    }
}

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

int main(int argc, char **argv)
{
    return keep_main(argc, argv, "libuv",
                     &(struct keep){.library = "libuv",
                                    .open = open_loop,
                                    .descriptors = descriptors,
                                    .timers = timers,
                                    .channels = channels,
                                    .turn = turn});
}
