/* SPDX-License-Identifier: MIT */
/* A proxy's pairs: when one side ends, the other does as well, though it may have an event too. */
#define _POSIX_C_SOURCE 200809L
#include <pollux.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
    struct side *other;
    int fd;
};

static plx_registry *registry;

static struct side *open_side(int fd)
{
    struct side *side = malloc(sizeof *side);
    if (side) {
        *side = (struct side){.fd = fd};
        if (plx_register(registry, fd, plx_token_from_ptr(side), PLX_READABLE) == 0)
            return side;
        free(side);
    }
    close(fd);
    return NULL;
}

/* rest: the events of this wait that were not looked at yet. */
static void end_side(struct side *side, plx_event *rest, int count)
{
    plx_deregister(registry, side->fd); /* no later wait has its token */
    close(side->fd);
    plx_events_forget(rest, count, plx_token_from_ptr(side)); /* nor has this one, from here on */
    free(side);
}

int main(void)
{
    plx_poller *poller;
    int left[2], right[2]; /* [0] is the proxy's, [1] the peer's */
    if (plx_poller_open(&poller, NULL) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, left) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, right) < 0)
        return 1;
    registry = plx_poller_registry(poller);
    struct side *one = open_side(left[0]), *two = open_side(right[0]);
    if (!one || !two)
        return 1;
    one->other = two;
    two->other = one;

    close(left[1]); /* both peers go at once: one wait has both events */
    close(right[1]);
    plx_event events[8];
    int count = plx_poller_wait(poller, events, 8, PLX_SEC(10)), ended = 0;
    printf("%d events\n", count);
    for (int i = 0; i < count; i++) {
        struct side *side = plx_token_ptr(events[i].token);
        if (events[i].flags == 0) {
            puts("one was forgotten");
            continue;
        }
        end_side(side->other, events + i + 1, count - i - 1);
        end_side(side, events + i + 1, count - i - 1);
        puts("a pair has ended");
        ended++;
    }
    plx_poller_close(poller);
    return count == 2 && ended == 1 ? 0 : 1;
}
