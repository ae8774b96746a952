/* SPDX-License-Identifier: MIT */
/*
 * Redis' event loop (ae.c) on Pollux: included there in place of ae_epoll.c.
 *
 * ae keeps what is watched of each descriptor in eventLoop->events[fd].mask. While it adds
 * or removes, that is still the mask from before. Its handlers are level-triggered, and
 * change what they wait for one direction at a time, which is what plx_enable and
 * plx_disable are for. Its timers stay its own: aeApiPoll is told when the next is due.
 */
#include <pollux.h>

/* Events per wait. More come with the next one, so this need not grow with the loop. */
enum { AE_POLLUX_BATCH = 1024 };

typedef struct aeApiState {
    plx_poller *poller;
    plx_registry *registry;
    plx_event events[AE_POLLUX_BATCH];
} aeApiState;

/* The rest of Redis looks at errno. */
static int aeApiResult(int rc)
{
    if (rc >= 0)
        return 0;
    errno = -rc;
    return -1;
}

static int aeApiCreate(aeEventLoop *eventLoop)
{
    /* A signal has to end the wait, as it ends epoll_wait: Redis' handlers only set a flag. */
    plx_options options = {.flags = PLX_RETURN_ON_SIGNAL};
    aeApiState *state = zmalloc(sizeof *state);
    int rc = plx_poller_open(&state->poller, &options);
    if (rc < 0) {
        zfree(state);
        return aeApiResult(rc);
    }
    state->registry = plx_poller_registry(state->poller);
    eventLoop->apidata = state;
    return 0;
}

static int aeApiResize(aeEventLoop *eventLoop, int setsize)
{
    AE_NOTUSED(eventLoop);
    AE_NOTUSED(setsize);
    return 0;
}

static void aeApiFree(aeEventLoop *eventLoop)
{
    aeApiState *state = eventLoop->apidata;
    plx_poller_close(state->poller);
    zfree(state);
}

static uint32_t aeApiInterest(int mask)
{
    return (mask & AE_READABLE ? PLX_READABLE : 0) | (mask & AE_WRITABLE ? PLX_WRITABLE : 0);
}

static int aeApiAddEvent(aeEventLoop *eventLoop, int fd, int mask)
{
    aeApiState *state = eventLoop->apidata;
    if (eventLoop->events[fd].mask == AE_NONE)
        return aeApiResult(plx_register(state->registry, fd, (plx_token)fd, aeApiInterest(mask)));
    return aeApiResult(plx_enable(state->registry, fd, aeApiInterest(mask)));
}

/* In a child that Redis forked these return -ECHILD: what the parent watches is left alone. */
static void aeApiDelEvent(aeEventLoop *eventLoop, int fd, int mask)
{
    aeApiState *state = eventLoop->apidata;
    if (aeApiInterest(eventLoop->events[fd].mask & ~mask) == 0)
        plx_deregister(state->registry, fd);
    else
        plx_disable(state->registry, fd, aeApiInterest(mask));
}

/* An error or a hang-up comes with the directions that were asked for: these two are all there is. */
static int aeApiPoll(aeEventLoop *eventLoop, struct timeval *tvp)
{
    aeApiState *state = eventLoop->apidata;
    int capacity = eventLoop->setsize < AE_POLLUX_BATCH ? eventLoop->setsize : AE_POLLUX_BATCH;
    plx_nanos timeout = tvp ? PLX_SEC(tvp->tv_sec) + PLX_USEC(tvp->tv_usec) : PLX_FOREVER;
    int count = plx_poller_wait(state->poller, state->events, capacity, timeout);
    if (count == -EINTR)
        return 0;
    if (count < 0)
        panic("aeApiPoll: %s", plx_strerror(count));

    for (int i = 0; i < count; i++) {
        uint32_t flags = state->events[i].flags;
        eventLoop->fired[i].fd = (int)state->events[i].token;
        eventLoop->fired[i].mask =
            (flags & PLX_READABLE ? AE_READABLE : 0) | (flags & PLX_WRITABLE ? AE_WRITABLE : 0);
    }
    return count;
}

static char *aeApiName(void)
{
    return "pollux";
}
