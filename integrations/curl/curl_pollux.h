/* SPDX-License-Identifier: MIT */
/*
 * The transfers of a libcurl multi handle in a Pollux poller, through libcurl's multi-socket
 * interface: it says which sockets to watch and when to call back, and is told of both.
 *
 *     struct curl_pollux curl;
 *     curl_pollux_open(&curl, multi, registry, KIND_CURL);
 *     curl_multi_add_handle(multi, easy);
 *     while (curl.rc == 0) {
 *         int count = plx_poller_wait(poller, events, CAPACITY, PLX_FOREVER);
 *         curl_pollux_events(&curl, events, count);
 *         ... curl_multi_info_read(multi, &left), and events of other kinds
 *     }
 *
 * All of it belongs to one thread, as a multi handle does.
 */
#ifndef CURL_POLLUX_H
#define CURL_POLLUX_H

#include <curl/curl.h>
#include <pollux.h>

struct curl_pollux {
    CURLM *multi;
    plx_registry *registry;
    uint32_t kind; /* of the tokens: plx_token_pack(kind, socket) */
    plx_timer timer;
    int running; /* transfers, as libcurl counts them */
    int rc;      /* 0, or the first error of a registration or a timer: then it is over */
};

/*
 * Sets the multi handle's socket and timer callbacks. No other source of the poller has
 * tokens of this kind.
 */
void curl_pollux_open(struct curl_pollux *curl, CURLM *multi, plx_registry *registry, uint32_t kind);

/* Tells libcurl of those events of a wait that are its own. */
void curl_pollux_events(struct curl_pollux *curl, const plx_event *events, int count);

/* Ends it. After curl_multi_cleanup, which gives the last sockets back. */
void curl_pollux_close(struct curl_pollux *curl);

#endif
