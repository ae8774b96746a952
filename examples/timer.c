/* SPDX-License-Identifier: MIT */
/*
 * Three timers: one fires once, one fires every 10 ms until it is cancelled, and one guards
 * against waiting too long; it is cancelled before it is due, so nobody hears of it.
 */
#include <pollux.h>
#include <stdio.h>

enum { TOKEN_ONCE = 1, TOKEN_TICK, TOKEN_GUARD };

static int fail(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, plx_strerror(rc));
    return 1;
}

int main(void)
{
    plx_poller *poller;
    plx_timer once, tick, guard;

    int rc = plx_poller_open(&poller, NULL);
    if (rc < 0)
        return fail("plx_poller_open", rc);
    plx_registry *registry = plx_poller_registry(poller);

    plx_nanos begin = plx_poller_now(poller);
    rc = plx_timer_start(registry, TOKEN_ONCE, PLX_MSEC(25), 0, &once);
    if (rc == 0)
        rc = plx_timer_start(registry, TOKEN_TICK, PLX_MSEC(10), PLX_MSEC(10), &tick);
    if (rc == 0)
        rc = plx_timer_start(registry, TOKEN_GUARD, PLX_SEC(20), 0, &guard);
    if (rc < 0)
        return fail("plx_timer_start", rc);

    uint64_t ticks = 0;
    bool fired = false, guarded = false;
    while ((ticks < 5 || !fired) && !guarded) {
        plx_event events[4];
        int count = plx_poller_wait(poller, events, 4, PLX_FOREVER);
        if (count < 0)
            return fail("plx_poller_wait", count);
        for (int i = 0; i < count; i++) {
            long now = (long)((plx_poller_now(poller) - begin) / PLX_MSEC(1));
            if (events[i].token == TOKEN_ONCE) {
                fired = true;
                printf("once, at %ld ms\n", now);
            } else if (events[i].token == TOKEN_TICK) {
                ticks += events[i].data; /* more than 1 if this program came late */
                printf("tick %d, at %ld ms\n", (int)ticks, now);
            } else {
                guarded = true;
            }
        }
    }

    /* A timer that has fired its last is gone: its handle names nothing any more. */
    bool gone = plx_timer_cancel(registry, once) == -ENOENT;
    bool cancelled = plx_timer_cancel(registry, tick) == 0 && plx_timer_cancel(registry, guard) == 0;
    plx_event event;
    bool silent = plx_poller_wait(poller, &event, 1, PLX_MSEC(30)) == 0;
    printf("cancelled: %s\n", silent ? "nothing more came" : "but something came");
    plx_poller_close(poller);
    return gone && cancelled && silent && !guarded ? 0 : 1;
}
