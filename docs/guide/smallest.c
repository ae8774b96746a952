/* SPDX-License-Identifier: MIT */
/* Waits ten seconds for something to read. */
#include <pollux.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    plx_poller *poller;
    int rc = plx_poller_open(&poller, NULL);
    if (rc < 0) {
        fprintf(stderr, "no poller: %s\n", plx_strerror(rc));
        return 1;
    }

    rc = plx_register(plx_poller_registry(poller), STDIN_FILENO, 7, PLX_READABLE);
    if (rc == 0) {
        plx_event event;
        rc = plx_poller_wait(poller, &event, 1, PLX_SEC(10));
        if (rc == 1)
            printf("token %d has something to read\n", (int)event.token);
        else if (rc == 0)
            puts("ten quiet seconds");
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", plx_strerror(rc));
    plx_poller_close(poller);
    return rc < 0;
}
