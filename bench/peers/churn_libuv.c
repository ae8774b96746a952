/* SPDX-License-Identifier: MIT */
/* Registrations on libuv: poll handles started and stopped. */
#include "churn.h"

#include <uv.h>

static uv_loop_t loop;
static uv_poll_t *handles;

static void ready(uv_poll_t *handle, int status, int events)
{
    (void)handle, (void)status, (void)events;
    bench_die("an event of an eventfd that is not ready", 0);
}

static void add(int first, int count)
{
    for (int i = first; i < first + count; i++)
        bench_need(uv_poll_start(&handles[i], UV_READABLE, ready), "uv_poll_start");
}

static void wait_once(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void drop(int first, int count)
{
    for (int i = first; i < first + count; i++)
        bench_need(uv_poll_stop(&handles[i]), "uv_poll_stop");
}

int main(int argc, char **argv)
{
    churn_open(argc, argv, "libuv");
    handles = bench_array(peer.n, sizeof *handles);
    bench_need(uv_loop_init(&loop), "uv_loop_init");
    for (int i = 0; i < peer.n; i++)
        bench_need(uv_poll_init(&loop, &handles[i], churn_fds[i]), "uv_poll_init");
    churn_measure(&(struct churn){add, wait_once, drop});
    for (int i = 0; i < peer.n; i++)
        uv_close((uv_handle_t *)&handles[i], NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    free(handles);
    return 0;
}
