/* SPDX-License-Identifier: MIT */
/* Registrations on Pollux. */
#include "churn.h"

#include "pollux.h"

static plx_poller *poller;
static plx_registry *registry;

static void add(int first, int count)
{
    for (int i = first; i < first + count; i++)
        bench_need(plx_register(registry, churn_fds[i], (plx_token)i, PLX_READABLE), "plx_register");
}

static void wait_once(void)
{
    plx_event events[GROUP];
    int count = plx_poller_wait(poller, events, GROUP, 0);
    if (count != 0)
        bench_die("plx_poller_wait", count);
}

static void drop(int first, int count)
{
    for (int i = first; i < first + count; i++)
        bench_need(plx_deregister(registry, churn_fds[i]), "plx_deregister");
}

int main(int argc, char **argv)
{
    churn_open(argc, argv, "pollux");
    poller = peer_poller(NULL);
    registry = plx_poller_registry(poller);
    churn_measure(&(struct churn){add, wait_once, drop});
    plx_poller_close(poller);
    return 0;
}
