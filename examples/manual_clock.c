/* SPDX-License-Identifier: MIT */
/*
 * A program's timeouts, tested without waiting for them. The logic is a session: it sends a
 * ping when nothing was heard for 30 s, and is dead when no answer comes within 10 s more.
 * It takes the poller as it is, so the test gives it one with a clock that it moves itself.
 */
#include <pollux.h>
#include <stdio.h>

enum { TOKEN_SESSION = 1 };

struct session {
    plx_registry *registry;
    plx_timer timer;
    int pings;
    bool waiting, dead; /* for an answer; for good */
};

static int session_begin(struct session *session, plx_registry *registry)
{
    *session = (struct session){.registry = registry};
    return plx_timer_start(registry, TOKEN_SESSION, PLX_SEC(30), 0, &session->timer);
}

static void session_heard(struct session *session)
{
    session->waiting = false;
    if (plx_timer_restart(session->registry, session->timer, PLX_SEC(30), 0) == -ENOENT) /* it has fired */
        plx_timer_start(session->registry, TOKEN_SESSION, PLX_SEC(30), 0, &session->timer);
}

static void session_timed_out(struct session *session)
{
    session->dead = session->waiting;
    if (session->dead)
        return;
    session->waiting = true;
    session->pings++;
    plx_timer_start(session->registry, TOKEN_SESSION, PLX_SEC(10), 0, &session->timer);
}

/* Lets time pass, and what falls due in it happen. A wait never sleeps on this clock. */
static void pass(plx_poller *poller, struct session *session, plx_nanos time)
{
    plx_event event;
    plx_poller_advance(poller, time);
    while (plx_poller_wait(poller, &event, 1, PLX_FOREVER) == 1)
        session_timed_out(session);
    printf("at %2ld s: %d pings, %s\n", (long)(plx_poller_now(poller) / PLX_SEC(1)), session->pings,
           session->dead      ? "dead"
           : session->waiting ? "waiting"
                              : "alive");
}

int main(void)
{
    plx_poller *poller;
    struct session session;
    if (plx_poller_open(&poller, &(plx_options){.clock = PLX_CLOCK_MANUAL}) < 0 ||
        session_begin(&session, plx_poller_registry(poller)) < 0)
        return 1;

    pass(poller, &session, PLX_SEC(30) - 1); /* to the nanosecond */
    bool patient = session.pings == 0;
    pass(poller, &session, 1);
    bool pinged = session.pings == 1 && session.waiting;
    pass(poller, &session, PLX_SEC(9));
    session_heard(&session);
    pass(poller, &session, PLX_SEC(29));
    bool answered = session.pings == 1 && !session.waiting;
    pass(poller, &session, PLX_SEC(1));
    pass(poller, &session, PLX_SEC(10));
    bool died = session.pings == 2 && session.dead;

    plx_poller_close(poller);
    return patient && pinged && answered && died ? 0 : 1;
}
