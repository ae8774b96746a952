/* SPDX-License-Identifier: MIT */
/*
 * The server of `echo` and `accept` on libuv's streams, which its manual wants for TCP in place
 * of poll handles.
 */
#include "server.h"

#include <uv.h>

struct connection {
    uv_tcp_t stream;
    char bytes[4 * REQUEST];
};

static void closed(uv_handle_t *handle)
{
    uv_loop_t *loop = handle->loop;
    free(handle->data);
    if (connection_done())
        uv_stop(loop);
}

static void get_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
    struct connection *connection = handle->data;
    (void)wanted;
    *buffer = uv_buf_init(connection->bytes, sizeof connection->bytes);
}

/* An answer of 64 bytes always has room: none needs a request that waits. */
static void got(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    if (count == 0)
        return;
    if (count > 0) {
        uv_buf_t answer = uv_buf_init(buffer->base, (unsigned)count);
        if (uv_try_write(stream, &answer, 1) != (int)count)
            bench_die("uv_try_write", 0);
        if (!ONCE)
            return;
    }
    uv_close((uv_handle_t *)stream, closed);
}

static void accept_one(uv_stream_t *listener, int status)
{
    struct connection *connection = bench_array(1, sizeof *connection);
    bench_need(status, "uv_listen");
    bench_need(uv_tcp_init(listener->loop, &connection->stream), "uv_tcp_init");
    connection->stream.data = connection;
    bench_need(uv_accept(listener, (uv_stream_t *)&connection->stream), "uv_accept");
    bench_need(uv_read_start((uv_stream_t *)&connection->stream, get_room, got), "uv_read_start");
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    uv_tcp_t listener;
    server_open(argc, argv, "libuv");
    bench_need(uv_loop_init(&loop), "uv_loop_init");
    bench_need(uv_tcp_init(&loop, &listener), "uv_tcp_init");
    bench_need(uv_tcp_open(&listener, server.listener), "uv_tcp_open");
    bench_need(uv_listen((uv_stream_t *)&listener, SOMAXCONN, accept_one), "uv_listen");
    server_start_client();
    uv_run(&loop, UV_RUN_DEFAULT);
    server_await_client();
    uv_close((uv_handle_t *)&listener, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return 0;
}
