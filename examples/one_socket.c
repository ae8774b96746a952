/* SPDX-License-Identifier: MIT */
/*
 * One socket is waited for: first nothing comes and the time runs out, then data
 * comes, and at last the peer has finished.
 */
#define _POSIX_C_SOURCE 200809L

#include <pollux.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOKEN_SOCKET = 1 };

static int fail(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, plx_strerror(rc));
    return 1;
}

/* Waits for one event, says which it was, and returns its flags: 0 if the time ran out. */
static uint32_t wait_for_one(plx_poller *poller, plx_nanos timeout)
{
    plx_event event;
    char line[120];
    plx_nanos begin = plx_now();
    int count = plx_poller_wait(poller, &event, 1, timeout);
    long milliseconds = (long)((plx_now() - begin) / PLX_MSEC(1));

    if (count < 0) {
        fail("plx_poller_wait", count);
        return 0;
    }
    if (count == 0) {
        printf("nothing came in %ld ms\n", milliseconds);
        return 0;
    }
    plx_event_describe(&event, line, sizeof line);
    printf("%s\n", line);
    return event.flags;
}

int main(void)
{
    plx_poller *poller;
    int ends[2]; /* ends[0] is ours, ends[1] plays the peer */
    char text[16];

    int rc = plx_poller_open(&poller, NULL);
    if (rc < 0)
        return fail("plx_poller_open", rc);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return fail("socketpair", -errno);

    rc = plx_register(plx_poller_registry(poller), ends[0], TOKEN_SOCKET, PLX_READABLE);
    if (rc < 0)
        return fail("plx_register", rc);

    bool timed_out = wait_for_one(poller, PLX_MSEC(50)) == 0;

    bool told = write(ends[1], "hello", 5) == 5 && wait_for_one(poller, PLX_SEC(5)) == PLX_READABLE;
    /* The interest is level: until these bytes are read, each wait would tell of them again. */
    bool got = told && read(ends[0], text, sizeof text) == 5;

    /* The end of what a peer sends is readable too, as a read of 0 bytes. */
    shutdown(ends[1], SHUT_WR);
    uint32_t flags = wait_for_one(poller, PLX_SEC(5));
    const uint32_t both = PLX_READABLE | PLX_READ_CLOSED;
    bool finished = (flags & both) == both && read(ends[0], text, sizeof text) == 0;

    plx_deregister(plx_poller_registry(poller), ends[0]); /* before close */
    close(ends[0]);
    close(ends[1]);
    plx_poller_close(poller);
    return timed_out && got && finished ? 0 : 1;
}
