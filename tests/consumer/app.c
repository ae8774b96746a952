/* SPDX-License-Identifier: MIT */
/* A program outside the library's build, in C and in C++ alike: wakes a poller, and sees it. */
#include <pollux.h>

#include <stdio.h>

int main(void)
{
    plx_poller *poller;
    int rc = plx_poller_open(&poller, NULL);

    if (rc < 0) {
        fprintf(stderr, "%s\n", plx_strerror(rc));
        return 1;
    }

    plx_event event;
    plx_token token = plx_token_pack(3, 7);
    plx_post(plx_poller_registry(poller), token, 42);
    int count = plx_poller_wait(poller, &event, 1, PLX_SEC(10));

    plx_poller_close(poller);
    return count == 1 && event.token == token && event.flags == PLX_POST && event.data == 42 ? 0 : 1;
}
