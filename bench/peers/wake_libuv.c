/* SPDX-License-Identifier: MIT */
/* A wake-up by libuv's async handle. */
#include "wake.h"

#include <uv.h>

static uv_loop_t loops[2];
static uv_async_t asyncs[2];

static void wake(int side)
{
    bench_need(uv_async_send(&asyncs[side]), "uv_async_send");
}

static void woken(uv_async_t *async)
{
    if (wake_caught(async == &asyncs[1]))
        uv_stop(async->loop);
}

static void run(int side)
{
    uv_run(&loops[side], UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    wake_open(argc, argv, "libuv");
    for (int side = 0; side < 2; side++) {
        bench_need(uv_loop_init(&loops[side]), "uv_loop_init");
        bench_need(uv_async_init(&loops[side], &asyncs[side], woken), "uv_async_init");
    }
    wake_measure(&(struct wake){wake, run});
    for (int side = 0; side < 2; side++) {
        uv_close((uv_handle_t *)&asyncs[side], NULL);
        uv_run(&loops[side], UV_RUN_DEFAULT);
        uv_loop_close(&loops[side]);
    }
    return 0;
}
