/* SPDX-License-Identifier: MIT */
/*
 * A poller inside a loop that is not ours: a program that lives on poll(2), as the
 * loops of graphical toolkits do, watches one descriptor more, the poller's. It is
 * readable when a wait would return something; then a wait with timeout 0 takes it.
 */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <pollux.h>
#include <stdio.h>
#include <unistd.h>

enum { TOKEN_PIPE = 1, TOKEN_POST };

static bool seen_pipe, seen_post;

/* Takes what is ready, and no more: the outer loop must not be held up. */
static bool take_events(plx_poller *poller, int inner)
{
    plx_event events[8];
    int count = plx_poller_wait(poller, events, 8, 0);
    for (int i = 0; i < count; i++) {
        char line[120], byte;
        plx_event_describe(&events[i], line, sizeof line);
        printf("the poller has %s\n", line);
        if (events[i].token == TOKEN_PIPE)
            seen_pipe = read(inner, &byte, 1) == 1;
        else if (events[i].token == TOKEN_POST)
            seen_post = true;
    }
    return count >= 0;
}

int main(void)
{
    plx_poller *poller;
    int outer[2], inner[2];
    if (plx_poller_open(&poller, NULL) < 0 || pipe(outer) < 0 || pipe(inner) < 0)
        return 1;
    plx_registry *registry = plx_poller_registry(poller);

    int descriptor = plx_poller_descriptor(poller);
    if (descriptor == -ENOTSUP) {
        printf("the %s backend has no descriptor to nest\n", plx_poller_backend(poller));
        plx_poller_close(poller);
        return 0;
    }
    if (plx_register(registry, inner[0], TOKEN_PIPE, PLX_READABLE) < 0)
        return 1;

    /* One source of the outer loop's own, one of the poller's kernel, one of its queue. */
    if (write(outer[1], "o", 1) != 1 || write(inner[1], "i", 1) != 1 || plx_post(registry, TOKEN_POST, 0) < 0)
        return 1;

    bool seen_outer = false;
    struct pollfd watched[2] = {{.fd = outer[0], .events = POLLIN}, {.fd = descriptor, .events = POLLIN}};
    while (!seen_outer || !seen_pipe || !seen_post) {
        char byte;
        if (poll(watched, 2, 10000) <= 0)
            return 1;
        if (watched[0].revents & POLLIN) {
            seen_outer = read(outer[0], &byte, 1) == 1;
            puts("the outer loop has its own pipe");
        }
        if ((watched[1].revents & POLLIN) && !take_events(poller, inner[0]))
            return 1;
    }
    bool quiet = poll(&watched[1], 1, 0) == 0; /* all was taken, so it is no longer readable */

    plx_poller_close(poller);
    for (int i = 0; i < 2; i++) {
        close(outer[i]);
        close(inner[i]);
    }
    return quiet ? 0 : 1;
}
