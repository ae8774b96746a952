/* SPDX-License-Identifier: MIT */
/* Lines for logs. */
#include "os/config.h"

#include "core/core.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Text that may be longer than its buffer, as snprintf has it. */
struct text {
    char *buffer;
    size_t size;
    size_t length;
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void text_add(struct text *text, const char *format, ...)
{
    size_t used = text->length < text->size ? text->length : text->size;
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(text->buffer ? text->buffer + used : NULL, text->size - used, format, arguments);
    va_end(arguments);
    if (length > 0)
        text->length += (size_t)length;
}

static const struct {
    uint32_t flag;
    const char *name;
} flag_names[] = {
    {PLX_READABLE, "readable"},
    {PLX_WRITABLE, "writable"},
    {PLX_PRIORITY, "priority"},
    {PLX_READ_CLOSED, "read closed"},
    {PLX_WRITE_CLOSED, "write closed"},
    {PLX_ERROR, "error"},
    {PLX_TIMER, "timer"},
    {PLX_WAKER, "waker"},
    {PLX_POST, "post"},
    {PLX_CHANNEL, "channel"},
    {PLX_SIGNAL, "signal"},
    {PLX_PROCESS, "process"},
    {PLX_PATH, "path"},
};

int plx_event_describe(const plx_event *event, char *buffer, size_t size)
{
    struct text text = {.buffer = buffer, .size = buffer ? size : 0};
    const char *separator = "";

    if (!event || (!buffer && size > 0))
        return -EINVAL;
    text_add(&text, "token %" PRIu64 ": ", event->token);
    for (size_t i = 0; i < sizeof flag_names / sizeof flag_names[0]; i++) {
        if (event->flags & flag_names[i].flag) {
            text_add(&text, "%s%s", separator, flag_names[i].name);
            separator = ", ";
        }
    }
    if (!*separator)
        text_add(&text, "nothing");
    if (event->data)
        text_add(&text, ", data %" PRIu64, event->data);
    if (event->native)
        text_add(&text, " (native 0x%" PRIx32 ")", event->native);
    return (int)text.length;
}

/* What is to be known of the poller's backend, and why another cannot be had. */
static void text_add_remarks(struct text *text, const plx_registry *registry)
{
    for (size_t i = 0; plx__backends[i]; i++) {
        const plx__backend *backend = plx__backends[i];
        bool own = backend == registry->backend;
        const char *remark = backend->remark ? backend->remark(own ? registry->state : NULL) : NULL;
        if (remark && own)
            text_add(text, "; %s", remark);
        else if (remark)
            text_add(text, "; no %s: %s", backend->name, remark);
    }
}

int plx_poller_describe(const plx_poller *poller, char *buffer, size_t size)
{
    struct text text = {.buffer = buffer, .size = buffer ? size : 0};
    plx_stats stats;

    if (!poller || (!buffer && size > 0))
        return -EINVAL;
    plx_poller_stats(poller, &stats);
    text_add(&text,
             "%s: %" PRIu64 " registered, %" PRIu64 " waits, %" PRIu64 " events, %" PRIu64 " kernel calls, %" PRIu64
             " wakes sent, %" PRIu64 " elided",
             plx_poller_backend(poller), stats.registered, stats.waits, stats.events, stats.kernel_calls,
             stats.wakes_sent, stats.wakes_elided);
    text_add_remarks(&text, &poller->registry);
    return (int)text.length;
}

void plx_events_forget(plx_event *events, int count, plx_token token)
{
    for (int i = 0; events && i < count; i++)
        if (events[i].token == token)
            events[i] = (plx_event){0};
}
