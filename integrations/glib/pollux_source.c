/* SPDX-License-Identifier: MIT */
/*
 * The poller's descriptor is readable whenever a wait would return events, timers and posts
 * included. So GLib's own look at it, between g_source_add_unix_fd and dispatch, is all that
 * is needed: there is no time to prepare and nothing to check.
 *
 * A dispatch is one wait of 0 and one batch, so that GLib's other sources get their turn; what
 * is left keeps the descriptor readable. After the callback nothing is touched: it may have
 * ended the source, and closed the poller.
 */
#include "pollux_source.h"

#include <errno.h>
#include <glib-unix.h>

enum { BATCH = 64 };

struct pollux_source {
    GSource base;
    plx_poller *poller;
};

static gboolean pollux_source_dispatch(GSource *base, GSourceFunc callback, gpointer data)
{
    struct pollux_source *source = (struct pollux_source *)base;
    if (callback == NULL) {
        g_warning("a Pollux source has no callback");
        return G_SOURCE_REMOVE;
    }
    plx_event events[BATCH];
    int count = plx_poller_wait(source->poller, events, BATCH, 0);
    if (count == 0 || count == -EINTR) /* it was a notify, or will be readable again */
        return G_SOURCE_CONTINUE;
    return ((PolluxSourceFunc)(void (*)(void))callback)(events, count, data);
}

static GSourceFuncs functions = {.dispatch = pollux_source_dispatch};

GSource *pollux_source_new(plx_poller *poller)
{
    int descriptor = plx_poller_descriptor(poller);
    if (descriptor < 0)
        return NULL;
    GSource *source = g_source_new(&functions, sizeof(struct pollux_source));
    g_source_set_name(source, "Pollux");
    g_source_add_unix_fd(source, descriptor, G_IO_IN);
    ((struct pollux_source *)source)->poller = poller;
    return source;
}
