/* SPDX-License-Identifier: MIT */
/*
 * A Pollux poller as a source of a GLib main loop:
 *
 *     static gboolean on_events(plx_event *events, int count, gpointer data);
 *
 *     GSource *source = pollux_source_new(poller);
 *     g_source_set_callback(source, G_SOURCE_FUNC(on_events), data, NULL);
 *     g_source_attach(source, NULL);
 *     g_source_unref(source);
 *
 * From then on nobody else waits in the poller. Its registry is used as ever, from any thread.
 */
#ifndef POLLUX_SOURCE_H
#define POLLUX_SOURCE_H

#include <glib.h>
#include <pollux.h>

/*
 * Called with what plx_poller_wait returned: a count of events, or a negative errno value.
 * G_SOURCE_REMOVE ends the source.
 */
typedef gboolean (*PolluxSourceFunc)(plx_event *events, int count, gpointer data);

/*
 * Makes a source, which is to be given a callback and attached.
 *
 * Returns  the source; NULL where plx_poller_descriptor fails (-ENOTSUP on the poll backend).
 * Lifetime  the poller stays the caller's, and is closed after the source was destroyed: at the
 *           earliest in the callback, after g_source_destroy.
 */
GSource *pollux_source_new(plx_poller *poller);

#endif
