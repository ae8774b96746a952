/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests: from the bytes that came to struct request. No system call is in here,
 * and nothing of Pollux. Part of http_server.c, which includes it once.
 *
 * What comes may be cut anywhere and may be anything. Where the head leaves a doubt about
 * where the next request begins, it is refused, and the connection ends.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    HEAD_LIMIT = 8 * 1024, /* bytes of a head */
    BODY_LIMIT = 64 * 1024 /* bytes of a body: it is read, and thrown away */
};

struct text {
    const char *at;
    size_t length;
};

struct request {
    struct text path; /* not decoded */
    bool head;        /* only the head of the answer is wanted */
    bool minor0;      /* HTTP/1.0 */
    bool keep;        /* the connection stays open */
    time_t since;
    uint64_t body;
};

/*
 * What was read of a connection, in one buffer:
 *
 *     | taken | whole lines | the begin of a line | not looked at yet | free |
 *             begin         line                  scanned             end
 */
struct input {
    char *bytes; /* NULL while there is nothing in it */
    uint32_t begin, line, scanned, end;
    uint64_t skip; /* bytes to come that are a request's body */
};
static bool text_is(struct text text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.at, word, text.length) == 0;
}

/* Cuts off what comes before the separator, which goes too; all of it if there is none. */
static struct text text_cut(struct text *text, char separator)
{
    const char *at = text->length > 0 ? memchr(text->at, separator, text->length) : NULL;
    struct text part = {text->at, at != NULL ? (size_t)(at - text->at) : text->length};
    size_t gone = at != NULL ? part.length + 1 : part.length;
    text->at += gone;
    text->length -= gone;
    return part;
}

static struct text text_trim(struct text text)
{
    for (; text.length > 0 && (*text.at == ' ' || *text.at == '\t'); text.length--)
        text.at++;
    while (text.length > 0 && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
        text.length--;
    return text;
}

static struct text text_line(struct text *text)
{
    struct text line = text_cut(text, '\n');
    if (line.length > 0 && line.at[line.length - 1] == '\r')
        line.length--;
    return line;
}

static bool is_token(struct text text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!isalnum((unsigned char)text.at[i]) &&
            (text.at[i] == 0 || !strchr("!#$%&'*+-.^_`|~", text.at[i])))
            return false;
    return text.length > 0;
}

/* No control characters; a tab and a space are allowed in values only. */
static bool is_visible(struct text text, bool value)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if ((byte <= ' ' && !(value && (byte == ' ' || byte == '\t'))) || byte == 0x7f)
            return false;
    }
    return true;
}

/* The first line: the method is left to the caller. Returns a status. */
static int parse_line(struct text line, struct text *method, struct request *r)
{
    *method = text_cut(&line, ' ');
    struct text target = text_cut(&line, ' ');
    const char *version = line.at;
    if (!is_token(*method) || target.length == 0 || !is_visible(target, false) || line.length != 8 ||
        memcmp(version, "HTTP/", 5) != 0 || !isdigit((unsigned char)version[5]) || version[6] != '.' ||
        !isdigit((unsigned char)version[7]))
        return 400;
    if (version[5] != '1')
        return 505;
    r->minor0 = version[7] == '0';

    if (target.length > 7 && strncasecmp(target.at, "http://", 7) == 0) { /* as proxies are asked */
        const char *slash = memchr(target.at + 7, '/', target.length - 7);
        target.length = slash != NULL ? target.length - (size_t)(slash - target.at) : 1;
        target.at = slash != NULL ? slash : "/";
    }
    r->path = text_cut(&target, '?');
    return r->path.length > 0 && (*r->path.at == '/' || text_is(r->path, "*")) ? 200 : 400;
}

static int parse_length(struct text value, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (!isdigit((unsigned char)value.at[i]))
            return 400;
        if (*length <= BODY_LIMIT) /* what is too large stays too large */
            *length = *length * 10 + (uint64_t)(value.at[i] - '0');
    }
    return value.length > 0 ? 200 : 400;
}

/*
 * A whole head. Returns 200 for what can be answered with a file, 405 and 501 for other
 * methods, and the rest for what leaves unclear where the next request begins.
 */
static int parse_head(struct text head, struct request *r)
{
    struct text method;
    int status = parse_line(text_line(&head), &method, r);
    if (status != 200)
        return status;

    int hosts = 0, lengths = 0;
    bool coded = false, expects = false, close_asked = false, keep_asked = false;
    for (struct text line = text_line(&head); line.length > 0; line = text_line(&head)) {
        bool colon = memchr(line.at, ':', line.length) != NULL;
        struct text name = text_cut(&line, ':'), value = text_trim(line);
        if (!colon || !is_token(name) || !is_visible(value, true))
            return 400;
        if (text_is(name, "Host")) {
            hosts++;
        } else if (text_is(name, "Content-Length")) {
            if (++lengths > 1 || parse_length(value, &r->body) != 200)
                return 400;
        } else if (text_is(name, "Transfer-Encoding")) {
            coded = true;
        } else if (text_is(name, "Expect")) {
            expects = true;
        } else if (text_is(name, "Connection")) {
            while (value.length > 0) {
                struct text option = text_trim(text_cut(&value, ','));
                close_asked = close_asked || text_is(option, "close");
                keep_asked = keep_asked || text_is(option, "keep-alive");
            }
        } else if (text_is(name, "If-Modified-Since") && value.length < 32) {
            char date[32] = {0};
            struct tm parts = {0};
            memcpy(date, value.at, value.length);
            const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
            r->since = end != NULL && *end == '\0' ? timegm(&parts) : 0;
        }
    }

    if (hosts > 1 || (hosts == 0 && !r->minor0) || (coded && lengths > 0))
        return 400;
    if (coded) /* chunks; who sends a body to a server of files can do so with its length */
        return 501;
    if (r->body > BODY_LIMIT)
        return 413;
    /* Who expects "100 Continue" may leave out the body after another answer, or not. */
    r->keep = !close_asked && (!r->minor0 || keep_asked) && !(expects && r->body > 0);

    r->head = method.length == 4 && memcmp(method.at, "HEAD", 4) == 0;
    if (r->head || (method.length == 3 && memcmp(method.at, "GET", 3) == 0))
        return text_is(r->path, "*") ? 400 : 200;
    static const char *const known[] = {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (text_is(method, known[i]))
            return 405;
    return 501;
}

/*
 * Looks for a whole head in what was read, and takes it. Returns 200; 0 when there is
 * none yet; or the status of one that is too long.
 */
static int take_head(struct input *in, struct text *head)
{
    uint32_t have = in->end - in->begin;
    uint32_t skip = in->skip < have ? (uint32_t)in->skip : have;
    if (skip > 0) {
        in->skip -= skip;
        in->begin = in->line = in->scanned = in->begin + skip;
    }
    while (in->scanned < in->end) {
        const char *at = memchr(in->bytes + in->scanned, '\n', in->end - in->scanned);
        if (at == NULL) {
            in->scanned = in->end;
            break;
        }
        const char *line = in->bytes + in->line;
        bool empty = at == line || (at == line + 1 && *line == '\r');
        bool first = in->line == in->begin;
        in->line = in->scanned = (uint32_t)(at + 1 - in->bytes);
        if (in->scanned - in->begin > HEAD_LIMIT)
            return first ? 414 : 431;
        if (empty) {
            *head = (struct text){in->bytes + in->begin, in->scanned - in->begin};
            in->begin = in->scanned;
            if (!first) /* an empty line before a request is not one */
                return 200;
        }
    }
    if (in->end - in->begin > HEAD_LIMIT)
        return in->line == in->begin ? 414 : 431;
    return 0;
}

/* Moves what is left to the begin of the buffer. Returns whether there was anything. */
static bool input_settle(struct input *in)
{
    if (in->begin == in->end) {
        in->begin = in->line = in->scanned = in->end = 0;
        return false;
    }
    memmove(in->bytes, in->bytes + in->begin, in->end - in->begin);
    in->line -= in->begin;
    in->scanned -= in->begin;
    in->end -= in->begin;
    in->begin = 0;
    return true;
}

#endif
