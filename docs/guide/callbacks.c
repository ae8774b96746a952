/* SPDX-License-Identifier: MIT */
/* A loop that calls back, for who comes from one: a source begins with the function for its events. */
#define _POSIX_C_SOURCE 200809L
#include <pollux.h>
#include <stdio.h>
#include <unistd.h>

struct source {
    void (*ready)(struct source *source, const plx_event *event);
};

struct input {
    struct source source; /* first: the address of both */
    int fd;
};

static plx_registry *registry;
static bool over;

static void run(plx_poller *poller)
{
    while (!over) {
        plx_event events[64];
        int count = plx_poller_wait(poller, events, 64, PLX_FOREVER);
        if (count < 0) {
            fprintf(stderr, "%s\n", plx_strerror(count));
            return;
        }
        for (int i = 0; i < count && !over; i++) {
            struct source *source = plx_token_ptr(events[i].token);
            if (events[i].flags) /* else it was forgotten, see plx_events_forget */
                source->ready(source, &events[i]);
        }
    }
}

static void input_ready(struct source *source, const plx_event *event)
{
    struct input *input = (struct input *)source;
    char text[256];
    ssize_t size = read(input->fd, text, sizeof text);
    (void)event;
    if (size > 0)
        printf("read %.*s", (int)size, text);
    else
        plx_deregister(registry, input->fd);
}

static void timer_ready(struct source *source, const plx_event *event)
{
    (void)source;
    printf("%d time-out, and over\n", (int)event->data);
    over = true;
}

int main(void)
{
    struct input input = {.source.ready = input_ready, .fd = STDIN_FILENO};
    struct source guard = {.ready = timer_ready};
    plx_poller *poller;
    plx_timer timer;
    int rc = plx_poller_open(&poller, NULL);
    if (rc < 0)
        return fprintf(stderr, "no poller: %s\n", plx_strerror(rc)), 1;
    registry = plx_poller_registry(poller);
    rc = plx_register(registry, input.fd, plx_token_from_ptr(&input), PLX_READABLE);
    if (rc == 0)
        rc = plx_timer_start(registry, plx_token_from_ptr(&guard), PLX_MSEC(500), 0, &timer);
    if (rc == 0)
        run(poller);
    else
        fprintf(stderr, "%s\n", plx_strerror(rc));
    plx_poller_close(poller);
    return over ? 0 : 1;
}
