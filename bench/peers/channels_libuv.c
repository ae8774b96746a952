/* SPDX-License-Identifier: MIT */
/* A message to a loop of libuv: a locked queue, and uv_async_send when it was empty. */
#include "channels.h"

#include <uv.h>

static struct queue queue;
static uv_loop_t loop;
static uv_async_t async;

static void send_some(uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (queue_put(&queue, first + i))
            bench_need(uv_async_send(&async), "uv_async_send");
}

static void woken(uv_async_t *handle)
{
    if (channels_take_queue(&queue))
        uv_stop(handle->loop);
}

static void receive(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    channels_open(argc, argv, "libuv");
    queue_open(&queue, 1024);
    bench_need(uv_loop_init(&loop), "uv_loop_init");
    bench_need(uv_async_init(&loop, &async, woken), "uv_async_init");
    channels_measure(&(struct channels){send_some, receive});
    uv_close((uv_handle_t *)&async, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    queue_close(&queue);
    return 0;
}
