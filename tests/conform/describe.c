/* SPDX-License-Identifier: MIT */
/* Text for people: events, pollers, errors. Errors of arguments, and errno, are here as well. */
#include "support.h"

#include <limits.h>

/* Every size from nothing to more than enough: cut as snprintf cuts, and never overrun. */
static void check_cuts(int (*describe)(const void *, char *, size_t), const void *what)
{
    char whole[512], cut[520];
    int length = describe(what, whole, sizeof whole);
    CHECK(length > 0 && length < (int)sizeof whole);
    CHECK_EQ(strlen(whole), length);
    CHECK(strchr(whole, '\n') == NULL);
    CHECK_EQ(describe(what, NULL, 0), length);
    for (size_t size = 0; size <= (size_t)length + 3; size++) {
        size_t kept = size == 0 ? 0 : size <= (size_t)length ? size - 1 : (size_t)length;
        memset(cut, '#', sizeof cut);
        CHECK_EQ(describe(what, cut, size), length);
        CHECK(memcmp(cut, whole, kept) == 0);
        if (size > 0)
            CHECK_EQ(cut[kept], '\0');
        for (size_t i = size; i < sizeof cut; i++)
            CHECK_EQ(cut[i], '#');
    }
    CHECK_RC(describe(what, NULL, 1), -EINVAL);
    memset(cut, '#', sizeof cut);
    CHECK_RC(describe(NULL, cut, sizeof cut), -EINVAL);
    CHECK_EQ(cut[0], '#');
}

static int describe_event(const void *what, char *buffer, size_t size)
{
    return plx_event_describe(what, buffer, size);
}

static int describe_poller(const void *what, char *buffer, size_t size)
{
    return plx_poller_describe(what, buffer, size);
}

CASE(event_descriptions_are_cut_like_snprintf)
{
    static const plx_event events[] = {
        {7, PLX_READABLE | PLX_READ_CLOSED, 0x2001, 0},
        {0, 0, 0, 0},
        {PLX_TOKEN_MAX, 0xffffffffu, 0xffffffffu, UINT64_MAX},
        {1, PLX_POST, 0, 99},
        {2, PLX_WAKER, 0, 0},
        {3, PLX_ERROR | PLX_WRITE_CLOSED | PLX_WRITABLE, 0x1c, 0},
    };
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        check_note("event %zu", i);
        check_cuts(describe_event, &events[i]);
    }
}

/* Each flag has a word of its own, and the token is in the line. */
CASE(event_descriptions_tell_flags_and_token)
{
    static const uint32_t flags[] = {
        PLX_READABLE, PLX_WRITABLE, PLX_PRIORITY, PLX_READ_CLOSED, PLX_WRITE_CLOSED, PLX_ERROR,
        PLX_TIMER,    PLX_WAKER,    PLX_POST,     PLX_CHANNEL,     PLX_SIGNAL,       PLX_PROCESS,
        PLX_PATH,     0,
    };
    enum { COUNT = sizeof flags / sizeof flags[0] };
    char lines[COUNT][200];
    for (int i = 0; i < COUNT; i++) {
        plx_event event = {123456789, flags[i], 0, 0};
        CHECK(plx_event_describe(&event, lines[i], sizeof lines[i]) > 0);
        CHECK(strstr(lines[i], "123456789") != NULL);
        for (int k = 0; k < i; k++) {
            check_note("\"%s\"", lines[i]);
            CHECK(strcmp(lines[i], lines[k]) != 0);
        }
    }
    plx_event event = {7, PLX_READABLE | PLX_READ_CLOSED, 0x2001, 0};
    CHECK(plx_event_describe(&event, lines[0], sizeof lines[0]) > 0);
    CHECK(strstr(lines[0], "token 7") && strstr(lines[0], "readable") &&
          strstr(lines[0], "read closed") && strstr(lines[0], "2001"));
}

CASE(poller_descriptions_are_cut_like_snprintf)
{
    char line[300];
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    open_stream(ends);
    check_cuts(describe_poller, poller);
    CHECK_RC(plx_register(plx_poller_registry(poller), ends[0], 1, PLX_READABLE), 0);
    CHECK(plx_poller_describe(poller, line, sizeof line) > 0);
    CHECK(strstr(line, conform_backend) != NULL);
    check_cuts(describe_poller, poller);
    plx_poller_close(poller);
    close_pair(ends);
}

CASE(each_error_has_a_sentence_of_its_own)
{
    static const int errors[] = {0,       -EINVAL, -ENOMEM,   -PLX_ESHUTDOWN, -ECHILD, -EEXIST,
                                 -EBADF,  -EPERM,  -ENOTSUP,  -ELOOP,         -ENOSPC, -ENOENT,
                                 -EMFILE, -ENFILE, -EINTR,    -ECANCELED};
    enum { COUNT = sizeof errors / sizeof errors[0] };
    for (int i = 0; i < COUNT; i++) {
        const char *text = plx_strerror(errors[i]);
        check_note("%d: \"%s\"", errors[i], text ? text : "(null)");
        CHECK(text != NULL && strlen(text) > 5);
        CHECK(text[strlen(text) - 1] == '.');
        CHECK(strchr(text, '\n') == NULL);
        CHECK(plx_strerror(errors[i]) == text); /* static */
        for (int k = 0; k < i; k++)
            CHECK(strcmp(text, plx_strerror(errors[k])) != 0);
    }
    CHECK(strcmp(plx_strerror(0), "Success.") == 0);
    CHECK(strcmp(plx_strerror(1), "Success.") == 0);
    CHECK(strcmp(plx_strerror(INT_MAX), "Success.") == 0);
    CHECK(plx_strerror(INT_MIN) != NULL && plx_strerror(-99999) != NULL);
    CHECK(strcmp(plx_strerror(-99999), "Success.") != 0);
}

/* ---- Arguments --------------------------------------------------------------------------- */

CASE(null_arguments_are_einval)
{
    plx_event event = {1, 2, 3, 4};
    plx_waker *waker = NULL;
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    CHECK_RC(plx_poller_wait(NULL, &event, 1, 0), -EINVAL);
    CHECK_RC(plx_poller_wait_until(NULL, &event, 1, 0), -EINVAL);
    CHECK_RC(plx_poller_wait(poller, NULL, 1, 0), -EINVAL);
    CHECK_RC(plx_poller_wait_until(poller, NULL, 1, 0), -EINVAL);
    CHECK_RC(plx_poller_descriptor(NULL), -EINVAL);
    CHECK_RC(plx_register(NULL, 0, 1, PLX_READABLE), -EINVAL);
    CHECK_RC(plx_reregister(NULL, 0, 1, PLX_READABLE), -EINVAL);
    CHECK_RC(plx_deregister(NULL, 0), -EINVAL);
    CHECK_RC(plx_enable(NULL, 0, PLX_READABLE), -EINVAL);
    CHECK_RC(plx_disable(NULL, 0, PLX_READABLE), -EINVAL);
    CHECK_RC(plx_lookup(NULL, 0, NULL, NULL), -EINVAL);
    CHECK_RC(plx_notify(NULL), -EINVAL);
    CHECK_RC(plx_post(NULL, 1, 1), -EINVAL);
    CHECK_RC(plx_waker_open(NULL, 1, &waker), -EINVAL);
    CHECK_RC(plx_waker_open(registry, 1, NULL), -EINVAL);
    CHECK_RC(plx_waker_wake(NULL), -EINVAL);
    CHECK(plx_registry_retain(NULL) == NULL);
    plx_registry_release(NULL);
    plx_waker_release(NULL);
    plx_poller_close(NULL);
    CHECK(waker == NULL && event.token == 1);
    EXPECT_SILENCE(poller, 0);
    plx_poller_close(poller);
}

CASE(capacity_below_one_is_einval)
{
    static const int wrong[] = {0, -1, INT_MIN};
    plx_event event = {1, 2, 3, 4};
    plx_poller *poller = open_poller();
    CHECK_RC(plx_post(plx_poller_registry(poller), 1, 1), 0);
    for (size_t i = 0; i < 3; i++) {
        CHECK_RC(plx_poller_wait(poller, &event, wrong[i], PLX_FOREVER), -EINVAL);
        CHECK_RC(plx_poller_wait_until(poller, &event, wrong[i], PLX_FOREVER), -EINVAL);
    }
    CHECK_EQ(event.token, 1);
    EXPECT(poller, 1, PLX_POST);
    plx_poller_close(poller);
}

/* More than epoll_wait takes at once: that limit is not the caller's concern. */
CASE(enormous_capacity_is_no_error)
{
    static const int capacity = INT_MAX / 12 + 1;
    if ((size_t)capacity > SIZE_MAX / sizeof(plx_event))
        SKIP("no addresses for an array of %d events", capacity);
    plx_event *events = reserve_room((size_t)capacity * sizeof *events);
    if (!events)
        SKIP("no room for an array of %d events", capacity);
    plx_poller *poller = open_poller();
    CHECK_RC(plx_poller_wait(poller, events, capacity, 0), 0);
    CHECK_RC(plx_post(plx_poller_registry(poller), 1, 1), 0);
    CHECK_RC(plx_poller_wait(poller, events, capacity, PLX_FOREVER), 1);
    plx_poller_close(poller);
}

/* ---- errno -------------------------------------------------------------------------------- */

CASE(errno_is_left_alone)
{
    enum { MARK = 4711 };
    plx_event event;
    plx_poller *poller, *none;
    plx_fd ends[2];
    char line[100];
    open_stream(ends);
    plx_fd file = open_regular_file();
    plx_options options = {.backend = backend_id()}, absent = {.backend = PLX_BACKEND_IOCP};
    errno = MARK;
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    CHECK_EQ(errno, MARK);
    plx_poller_open(&none, &absent);
    CHECK_EQ(errno, MARK);
    plx_registry *registry = plx_poller_registry(poller);
    CHECK_RC(plx_register(registry, NO_FD, 1, PLX_READABLE), -EBADF);
    CHECK_RC(plx_register(registry, file, 1, PLX_READABLE), -EPERM);
    CHECK_EQ(errno, MARK);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_WRITABLE), 0);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_WRITABLE), -EEXIST);
    CHECK_RC(plx_reregister(registry, ends[1], 1, PLX_WRITABLE), -ENOENT);
    CHECK_EQ(errno, MARK);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    CHECK_RC(plx_deregister(registry, ends[0]), -ENOENT);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_MSEC(1)), 0);
    CHECK_EQ(errno, MARK);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_WRITABLE), 0);
    close_pair(ends);
    errno = MARK;
    CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_WRITABLE), -EBADF);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_RC(plx_post(registry, 1, 1), 0);
    CHECK_RC(plx_notify(registry), 0);
    if (!UNDER_SANITIZER && SIZE_MAX > UINT32_MAX) { /* sanitizers end a program that asks for so much */
        plx_sender *sender;
        plx_receiver *receiver;
        CHECK_RC(plx_channel_open(registry, 1, SIZE_MAX / 4, &sender, &receiver), 0);
        CHECK_RC(plx_sender_send(sender, line), -ENOMEM);
        plx_sender_release(sender);
        plx_receiver_close(receiver);
    }
    plx_poller_descriptor(poller);
    plx_poller_describe(poller, line, sizeof line);
    plx_strerror(-99999);
    plx_register_native(registry, NO_FD, 1, 1);
    CHECK_EQ(errno, MARK);
    plx_poller_close(poller);
    CHECK_EQ(errno, MARK);
    close_fd(file);
}
