/* SPDX-License-Identifier: MIT */
/*
 * Two traps. A timeout of 0 must not call libcurl, which is the caller: it becomes an event like
 * the others. And libcurl closes sockets, and opens others with the same numbers, while it is
 * told of an event: a later one of the batch may be of the old socket. That needs nothing here,
 * because libcurl reads and writes without blocking, whatever it is told.
 */
#include "curl_pollux.h"

/* The timer's is that of CURL_SOCKET_TIMEOUT, which is no socket. */
static plx_token token_of(const struct curl_pollux *curl, curl_socket_t socket)
{
    return plx_token_pack(curl->kind, (uint32_t)socket);
}

static int fail(struct curl_pollux *curl, int rc)
{
    if (curl->rc == 0)
        curl->rc = rc;
    return -1; /* no call of libcurl's does anything from now on */
}

/* libcurl gives a socket back before it closes it. `known` is what curl_multi_assign set. */
static int watch_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
    struct curl_pollux *curl = context;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        plx_deregister(curl->registry, socket);
        return 0;
    }
    uint32_t interest = (what & CURL_POLL_IN ? PLX_READABLE : 0) | (what & CURL_POLL_OUT ? PLX_WRITABLE : 0);
    int rc = known ? plx_reregister(curl->registry, socket, token_of(curl, socket), interest)
                   : plx_register(curl->registry, socket, token_of(curl, socket), interest);
    if (rc < 0)
        return fail(curl, rc);
    curl_multi_assign(curl->multi, socket, curl);
    return 0;
}

/* A timer that has fired is gone, so the one before is cancelled in case it has not. */
static int set_timer(CURLM *multi, long milliseconds, void *context)
{
    struct curl_pollux *curl = context;
    (void)multi;
    plx_timer_cancel(curl->registry, curl->timer);
    if (milliseconds < 0)
        return 0;
    int rc = plx_timer_start(curl->registry, token_of(curl, CURL_SOCKET_TIMEOUT), PLX_MSEC(milliseconds), 0,
                             &curl->timer);
    return rc < 0 ? fail(curl, rc) : 0;
}

void curl_pollux_open(struct curl_pollux *curl, CURLM *multi, plx_registry *registry, uint32_t kind)
{
    *curl = (struct curl_pollux){.multi = multi, .registry = registry, .kind = kind};
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, curl);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, curl);
}

static void tell(struct curl_pollux *curl, const plx_event *event)
{
    int ready = (event->flags & PLX_READABLE ? CURL_CSELECT_IN : 0) |
                (event->flags & PLX_WRITABLE ? CURL_CSELECT_OUT : 0) |
                (event->flags & PLX_ERROR ? CURL_CSELECT_ERR : 0);
    curl_multi_socket_action(curl->multi, (curl_socket_t)plx_token_index(event->token), ready,
                             &curl->running);
}

void curl_pollux_events(struct curl_pollux *curl, const plx_event *events, int count)
{
    for (int i = 0; i < count; i++)
        if (events[i].flags != 0 && plx_token_kind(events[i].token) == curl->kind)
            tell(curl, &events[i]);
}

void curl_pollux_close(struct curl_pollux *curl)
{
    plx_timer_cancel(curl->registry, curl->timer);
}
