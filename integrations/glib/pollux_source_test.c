/* SPDX-License-Identifier: MIT */
/*
 * A poller in a GMainLoop: pollux_source_test BACKEND. A test that hangs is ended by CTest; none
 * depends on how fast anything is.
 */
#define _POSIX_C_SOURCE 200809L

#include "check.h"
#include "pollux_source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOKEN_SOCKET = 1, TOKEN_TIMER, TOKEN_POST, THREADS = 4, POSTS = 20000, ROUNDS = 50 };

static plx_options options;

/* A loop with one poller in it, and what its callback saw. */
struct fixture {
    GMainLoop *loop;
    plx_poller *poller;
    plx_registry *registry;
    GSource *source;
    int ends[2]; /* of a socket pair */
    int calls, events, ticks;
    plx_nanos due;
    uint64_t posts[THREADS];
};

static void begin(struct fixture *f, PolluxSourceFunc callback)
{
    *f = (struct fixture){.loop = g_main_loop_new(NULL, FALSE)};
    CHECK_RC(plx_poller_open(&f->poller, &options), 0);
    f->registry = plx_poller_registry(f->poller);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, f->ends), 0);
    f->source = pollux_source_new(f->poller);
    CHECK(f->source != NULL);
    g_source_set_callback(f->source, G_SOURCE_FUNC(callback), f, NULL);
    CHECK(g_source_attach(f->source, NULL) > 0);
}

/* Closes what a callback has not closed. */
static void end(struct fixture *f)
{
    g_source_destroy(f->source);
    g_source_unref(f->source);
    plx_poller_close(f->poller);
    close(f->ends[0]);
    close(f->ends[1]);
    g_main_loop_unref(f->loop);
}

static gboolean write_byte(gpointer data)
{
    struct fixture *f = data;
    CHECK_EQ(write(f->ends[1], "x", 1), 1);
    return ++f->ticks < ROUNDS;
}

static gboolean on_socket(plx_event *events, int count, gpointer data)
{
    struct fixture *f = data;
    char bytes[ROUNDS];
    CHECK_EQ(count, 1);
    CHECK_EQ(events[0].token, TOKEN_SOCKET);
    f->events += (int)read(f->ends[0], bytes, sizeof bytes);
    if (f->events == ROUNDS)
        g_main_loop_quit(f->loop);
    return G_SOURCE_CONTINUE;
}

/* A byte is written when the loop has nothing else to do, and comes back as an event. */
static void sockets_are_heard_of(void)
{
    struct fixture f;
    begin(&f, on_socket);
    CHECK_RC(plx_register(f.registry, f.ends[0], TOKEN_SOCKET, PLX_READABLE), 0);
    g_idle_add(write_byte, &f);
    g_main_loop_run(f.loop);
    CHECK_EQ(f.events, ROUNDS);
    end(&f);
}

static gboolean on_timer(plx_event *events, int count, gpointer data)
{
    struct fixture *f = data;
    plx_timer timer;
    CHECK_EQ(count, 1);
    CHECK_EQ(events[0].token, TOKEN_TIMER);
    CHECK(plx_now() >= f->due);
    if (++f->events == ROUNDS) {
        g_main_loop_quit(f->loop);
    } else {
        f->due = plx_now() + PLX_USEC(1500);
        CHECK_RC(plx_timer_start_at(f->registry, TOKEN_TIMER, f->due, 0, &timer), 0);
    }
    return G_SOURCE_CONTINUE;
}

/* GLib has no time limit of its own then: only the descriptor can end its poll. */
static void timers_end_the_loops_sleep(void)
{
    struct fixture f;
    plx_timer timer;
    begin(&f, on_timer);
    f.due = plx_now() + PLX_MSEC(5);
    CHECK_RC(plx_timer_start_at(f.registry, TOKEN_TIMER, f.due, 0, &timer), 0);
    g_main_loop_run(f.loop);
    CHECK_EQ(f.events, ROUNDS);
    end(&f);
}

struct poster {
    struct fixture *f;
    plx_token token;
};

static gpointer post(gpointer data)
{
    struct poster *poster = data;
    for (uint64_t i = 1; i <= POSTS; i++)
        CHECK_RC(plx_post(poster->f->registry, poster->token, i), 0);
    return NULL;
}

static gboolean on_posts(plx_event *events, int count, gpointer data)
{
    struct fixture *f = data;
    CHECK(count > 0);
    for (int i = 0; i < count; i++)
        CHECK_EQ(events[i].data, ++f->posts[events[i].token - TOKEN_POST]);
    f->events += count;
    if (f->events == THREADS * POSTS)
        g_main_loop_quit(f->loop);
    return G_SOURCE_CONTINUE;
}

/* Each comes once and in order, also those that did not fit into a batch. */
static void posts_of_threads_are_heard_of(void)
{
    struct fixture f;
    struct poster posters[THREADS];
    GThread *threads[THREADS];
    begin(&f, on_posts);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){&f, TOKEN_POST + (plx_token)i};
        threads[i] = g_thread_new("poster", post, &posters[i]);
    }
    g_main_loop_run(f.loop);
    for (int i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    end(&f);
}

static gboolean tick(gpointer data)
{
    struct fixture *f = data;
    if (++f->ticks >= ROUNDS && f->events >= ROUNDS)
        g_main_loop_quit(f->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean on_unread(plx_event *events, int count, gpointer data)
{
    struct fixture *f = data;
    CHECK(events != NULL && count >= 1);
    f->events++;
    return G_SOURCE_CONTINUE;
}

/* A socket that nobody reads is always ready, and so is a timeout of 0: neither starves the other. */
static void the_poller_and_glib_take_turns(void)
{
    struct fixture f;
    begin(&f, on_unread);
    CHECK_EQ(write(f.ends[1], "x", 1), 1);
    CHECK_RC(plx_register(f.registry, f.ends[0], TOKEN_SOCKET, PLX_READABLE), 0);
    guint timeout = g_timeout_add(0, tick, &f);
    g_main_loop_run(f.loop);
    CHECK(f.ticks < 10 * f.events && f.events < 10 * f.ticks);
    g_source_remove(timeout);
    end(&f);
}

static gboolean on_last(plx_event *events, int count, gpointer data)
{
    struct fixture *f = data;
    CHECK(events != NULL && count >= 1);
    f->events++;
    return G_SOURCE_REMOVE;
}

static gboolean on_close(plx_event *events, int count, gpointer data)
{
    struct fixture *f = data;
    CHECK(events != NULL && count >= 1);
    f->events++;
    g_source_destroy(f->source);
    plx_poller_close(f->poller);
    f->poller = NULL;
    return G_SOURCE_CONTINUE;
}

static gboolean quit_after_ticks(gpointer data)
{
    struct fixture *f = data;
    if (++f->ticks == ROUNDS)
        g_main_loop_quit(f->loop);
    return f->ticks < ROUNDS;
}

/* The socket stays ready, the source is asked no more; its poller may be closed in the callback. */
static void a_source_ends_in_its_callback(void)
{
    PolluxSourceFunc ways[] = {on_last, on_close};
    for (int i = 0; i < 2; i++) {
        struct fixture f;
        check_note("way %d", i);
        begin(&f, ways[i]);
        CHECK_EQ(write(f.ends[1], "x", 1), 1);
        CHECK_RC(plx_register(f.registry, f.ends[0], TOKEN_SOCKET, PLX_READABLE), 0);
        g_timeout_add(1, quit_after_ticks, &f);
        g_main_loop_run(f.loop);
        CHECK_EQ(f.events, 1);
        CHECK(g_source_is_destroyed(f.source));
        end(&f);
    }
    check_note("%s", "");
}

/* Not to be called. */
static gboolean on_nothing(plx_event *events, int count, gpointer data)
{
    (void)events, (void)data;
    CHECK_EQ(count, 0);
    return G_SOURCE_CONTINUE;
}

/* It is used up by the wait that had nothing to return. */
static void a_notify_does_not_make_the_loop_spin(void)
{
    struct fixture f;
    begin(&f, on_nothing);
    CHECK_RC(plx_notify(f.registry), 0);
    while (g_main_context_iteration(NULL, FALSE))
        CHECK(++f.calls < ROUNDS);
    end(&f);
}

static void a_poller_without_a_descriptor_is_refused(void)
{
    plx_options without = {.backend = PLX_BACKEND_POLL};
    plx_poller *poller;
    CHECK_RC(plx_poller_open(&poller, &without), 0);
    CHECK(pollux_source_new(poller) == NULL);
    plx_poller_close(poller);
}

/* The lowest number that is free: the same again when nothing was left open. */
static int free_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

int main(int argc, char **argv)
{
    CHECK_EQ(argc, 2);
    if (strcmp(argv[1], "io_uring") == 0) {
        plx_poller *poller;
        options.backend = PLX_BACKEND_IO_URING;
        if (plx_poller_open(&poller, &options) == -ENOTSUP)
            SKIP("io_uring is not to be had here");
        plx_poller_close(poller);
    }
    g_main_context_iteration(NULL, FALSE); /* it opens what it keeps */
    int before = free_descriptor();

    sockets_are_heard_of();
    timers_end_the_loops_sleep();
    posts_of_threads_are_heard_of();
    the_poller_and_glib_take_turns();
    a_source_ends_in_its_callback();
    a_notify_does_not_make_the_loop_spin();
    a_poller_without_a_descriptor_is_refused();

    CHECK_EQ(free_descriptor(), before);
    return 0;
}
