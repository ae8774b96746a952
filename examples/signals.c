/* SPDX-License-Identifier: MIT */
/*
 * A program that ends in order when it is told to: SIGTERM and SIGINT are events among others,
 * and SIGHUP makes it read its settings again. Nothing happens inside a signal handler. So that
 * there is something to see, it sends the signals to itself: `kill` does as well.
 */
#define _POSIX_C_SOURCE 200809L
#include <pollux.h>
#include <signal.h>
#include <stdio.h>

enum { TOKEN_SIGNALS = 1, TOKEN_WORK };

static int fail(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, plx_strerror(rc));
    return 1;
}

/* False once the program is to end. */
static bool handle(plx_signals *signals)
{
    plx_signal_info info;
    bool go_on = true;

    while (plx_signals_next(signals, &info) == 0) {
        if (info.number == SIGHUP) {
            printf("the settings are read again\n");
            continue;
        }
        printf("signal %d from process %lld: the end\n", info.number, (long long)info.pid);
        go_on = false;
    }
    return go_on;
}

int main(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    plx_poller *poller;
    plx_signals *signals;
    plx_timer work;

    int rc = plx_poller_open(&poller, NULL);
    if (rc < 0)
        return fail("plx_poller_open", rc);
    plx_registry *registry = plx_poller_registry(poller);
    rc = plx_signals_open(registry, TOKEN_SIGNALS, numbers, 3, &signals);
    if (rc < 0)
        return fail("plx_signals_open", rc);
    rc = plx_timer_start(registry, TOKEN_WORK, PLX_MSEC(5), PLX_MSEC(5), &work);
    if (rc < 0)
        return fail("plx_timer_start", rc);

    int rounds = 0;
    for (bool running = true; running;) {
        plx_event events[8];
        int count = plx_poller_wait(poller, events, 8, PLX_FOREVER);
        if (count < 0)
            return fail("plx_poller_wait", count);
        for (int i = 0; i < count; i++) {
            if (events[i].token == TOKEN_SIGNALS) {
                running = handle(signals);
            } else {
                printf("work, round %d\n", ++rounds);
                raise(rounds < 3 ? SIGHUP : SIGTERM);
            }
        }
    }

    plx_signals_close(signals); /* from here on SIGTERM ends the program as it always did */
    plx_poller_close(poller);
    return rounds >= 3 ? 0 : 1;
}
