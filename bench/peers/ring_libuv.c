/* SPDX-License-Identifier: MIT */
/* The ring on libuv's poll handles, which are level-triggered. */
#include "ring.h"

#include <uv.h>

static uv_loop_t loop;

static void ready(uv_poll_t *handle, int status, int events)
{
    (void)events;
    bench_need(status, "uv_poll_t");
    if (ring_move(handle->data))
        uv_stop(handle->loop);
}

static void run(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    ring_open(argc, argv, "libuv");
    if (peer.mode != LEVEL)
        peer_cannot("libuv knows level alone");
    uv_poll_t *handles = bench_array(peer.n, sizeof *handles);
    bench_need(uv_loop_init(&loop), "uv_loop_init");
    for (int i = 0; i < peer.n; i++) {
        bench_need(uv_poll_init(&loop, &handles[i], ring.pairs[i].in), "uv_poll_init");
        handles[i].data = &ring.pairs[i];
        bench_need(uv_poll_start(&handles[i], UV_READABLE, ready), "uv_poll_start");
    }
    ring_measure(run);
    for (int i = 0; i < peer.n; i++)
        uv_close((uv_handle_t *)&handles[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    free(handles);
    return 0;
}
