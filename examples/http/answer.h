/* SPDX-License-Identifier: MIT */
/*
 * HTTP answers: from struct answer to bytes. Nothing of Pollux is in here. Part of
 * http_server.c, which includes it once.
 */
#ifndef HTTP_ANSWER_H
#define HTTP_ANSWER_H

#include "request.h"

#include <inttypes.h>
#include <stdio.h>

struct answer {
    int status;
    int64_t size; /* -1: it ends with the connection */
    const char *type;
    const char *body; /* in memory, or NULL */
    const char *date, *modified;
    struct text name;       /* with 301: of a folder that was asked for without the slash at its end */
    const char *fields;     /* more of the head, as whole lines, or NULL */
    bool head;              /* the body is left out */
    const char *connection; /* what becomes of it, as a whole line, or "" */
};

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Internal Server Error";
}

/*
 * Writes an answer's head, and its body if that is in memory. There is room for a head
 * of 4 KiB, which is more than any has, and the body. Returns the length.
 */
static size_t write_answer(char *at, size_t room, struct answer a)
{
    char text[64];
    if (a.status != 200 && a.status != 304) {
        a.size = snprintf(text, sizeof text, "%d %s\n", a.status, reason_of(a.status));
        a.type = "text/plain; charset=utf-8";
        a.body = text;
        a.fields = NULL;
    }

    int length = snprintf(at, room, "HTTP/1.1 %d %s\r\nDate: %s\r\n", a.status, reason_of(a.status), a.date);
    if (a.status != 304)
        length += snprintf(at + length, room - (size_t)length, "Content-Type: %s\r\n", a.type);
    if (a.status != 304 && a.size >= 0)
        length += snprintf(at + length, room - (size_t)length, "Content-Length: %" PRId64 "\r\n", a.size);
    if (a.fields != NULL)
        length += snprintf(at + length, room - (size_t)length, "%s", a.fields);
    if (a.modified != NULL)
        length += snprintf(at + length, room - (size_t)length, "Last-Modified: %s\r\n", a.modified);
    if (a.status == 301)
        length += snprintf(at + length, room - (size_t)length, "Location: ./%.*s/\r\n", (int)a.name.length,
                           a.name.at);
    if (a.status == 405)
        length += snprintf(at + length, room - (size_t)length, "Allow: GET, HEAD\r\n");
    length += snprintf(at + length, room - (size_t)length, "%s\r\n", a.connection);

    if (a.body == NULL || a.head || a.status == 304)
        return (size_t)length;
    memcpy(at + length, a.body, (size_t)a.size);
    return (size_t)length + (size_t)a.size;
}

#endif
