/* SPDX-License-Identifier: MIT */
/* One story, told to three pipes that are registered in three modes: who hears of what. */
#define _POSIX_C_SOURCE 200809L
#include <pollux.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MODES = 3 };

static const char *const names[MODES] = {"level", "edge", "oneshot"};
static const uint32_t modes[MODES] = {PLX_LEVEL, PLX_EDGE, PLX_ONESHOT};
static int ends[MODES][2];
static bool there[MODES];
static plx_poller *poller;

static void require(bool fine, const char *what)
{
    if (!fine) {
        perror(what);
        exit(1);
    }
}

static void write_byte(void)
{
    for (int i = 0; i < MODES; i++)
        require(write(ends[i][1], "!", 1) == 1, "write");
}

static void read_all(void)
{
    char bytes[16];
    for (int i = 0; i < MODES; i++)
        require(read(ends[i][0], bytes, sizeof bytes) > 0, "read");
}

static void wait_now(const char *what)
{
    plx_event events[MODES];
    bool heard[MODES] = {false};
    int count = plx_poller_wait(poller, events, MODES, 0);
    for (int i = 0; i < count; i++)
        heard[events[i].token] = true;
    printf("%-26s", what);
    for (int i = 0; i < MODES; i++)
        printf(" %8s", !there[i] ? "-" : heard[i] ? "event" : ".");
    puts("");
}

int main(void)
{
    require(plx_poller_open(&poller, NULL) == 0, "plx_poller_open");
    plx_registry *registry = plx_poller_registry(poller);
    printf("%-26s", "");
    for (int i = 0; i < MODES; i++) {
        require(pipe(ends[i]) == 0, "pipe");
        there[i] = plx_poller_supports(poller, PLX_READABLE | modes[i]);
        if (there[i])
            require(plx_register(registry, ends[i][0], (plx_token)i, PLX_READABLE | modes[i]) == 0,
                    "register");
        printf(" %8s", names[i]);
    }
    puts("");

    write_byte();
    wait_now("a byte arrives");
    wait_now("nobody reads it");
    write_byte();
    wait_now("another arrives");
    read_all();
    wait_now("both are read");
    write_byte();
    wait_now("a third arrives");
    plx_enable(registry, ends[2][0], PLX_READABLE);
    wait_now("the oneshot is armed again");
    plx_poller_close(poller);
    return 0;
}
