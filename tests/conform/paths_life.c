/* SPDX-License-Identifier: MIT */
/* Watched paths: arguments without meaning, limits, closing, threads, children of fork. */
#include "os/config.h"

#include "folders.h"

#include "source/paths.h"

#if PLX__HAS_EPOLL
#include <sys/eventfd.h>
#endif
#if PLX__HAS_POSIX
#include <unistd.h>
#endif

CASE(wrong_path_arguments_are_einval)
{
    int w = 4711;
    plx_paths *none = NULL;
    plx_path_change change = {.watch = 4711};
    folder f = folder_open();
    errno = 4712;
    CHECK_RC(plx_paths_open(NULL, 1, &none), -EINVAL);
    CHECK_RC(plx_paths_open(f.registry, 1, NULL), -EINVAL);
    CHECK_RC(plx_paths_open(f.registry, PLX_TOKEN_MAX + 1, &none), -EINVAL);
    CHECK(none == NULL);
    CHECK_RC(plx_paths_add(NULL, f.path, PLX_PATH_CREATED, &w), -EINVAL);
    CHECK_RC(plx_paths_add(f.paths, NULL, PLX_PATH_CREATED, &w), -EINVAL);
    CHECK_RC(plx_paths_add(f.paths, f.path, PLX_PATH_CREATED, NULL), -EINVAL);
    CHECK_RC(plx_paths_add(f.paths, f.path, 0, &w), -EINVAL);
    CHECK_RC(plx_paths_add(f.paths, f.path, PLX_PATH_RECURSIVE, &w), -EINVAL);
    CHECK_RC(plx_paths_add(f.paths, f.path, PLX_PATH_CREATED | 0x10000u, &w), -EINVAL);
    CHECK_RC(plx_paths_add(f.paths, f.path, PLX_PATH_OVERFLOW, &w), -EINVAL);
    CHECK_RC(plx_paths_remove(NULL, 1), -EINVAL);
    CHECK_RC(plx_paths_remove(f.paths, 1), -ENOENT);
    CHECK_RC(plx_paths_remove(f.paths, 0), -ENOENT);
    CHECK_RC(plx_paths_remove(f.paths, -1), -ENOENT);
    CHECK_RC(plx_paths_next(NULL, &change), -EINVAL);
    CHECK_RC(plx_paths_next(f.paths, NULL), -EINVAL);
    CHECK_RC(plx_paths_next(f.paths, &change), -EAGAIN);
    CHECK(w == 4711 && change.watch == 4711 && errno == 4712);
    plx_paths_close(NULL);
    NOTHING(&f);
    folder_close(&f);
}

CASE(paths_that_cannot_be_watched_are_the_systems_error)
{
    int w = 4711;
    char name[5000];
    folder f = folder_open();
    make_file(&f, "file");
#if PLX__HAS_POSIX /* on Windows links need a privilege, and a file in the middle is as good as none */
    make_link(&f, "loop", "loop");
    make_link(&f, "nowhere", "dangling");
    CHECK_RC(try_watch(&f, "dangling", PLX_PATH_CREATED, &w), -ENOENT);
    CHECK_RC(try_watch(&f, "loop", PLX_PATH_CREATED, &w), -ELOOP);
    CHECK_RC(try_watch(&f, "file/x", PLX_PATH_CREATED, &w), -ENOTDIR);
#else
    CHECK_RC(try_watch(&f, "file/x", PLX_PATH_CREATED, &w), -ENOENT);
    CHECK_RC(try_watch(&f, "\xff", PLX_PATH_CREATED, &w), -EINVAL);
#endif
    CHECK_RC(try_watch(&f, "none", PLX_PATH_CREATED, &w), -ENOENT);
    CHECK_RC(try_watch(&f, "none/file", PLX_PATH_CREATED, &w), -ENOENT);
    CHECK_RC(plx_paths_add(f.paths, "", PLX_PATH_CREATED, &w), -ENOENT);
    CHECK_RC(try_watch(&f, "file/", PLX_PATH_CREATED, &w), -ENOTDIR);
    memset(name, 'x', 300);
    name[300] = '\0';
    CHECK_RC(try_watch(&f, name, PLX_PATH_CREATED, &w), -ENAMETOOLONG);
    memset(name, '/', sizeof name);
    name[sizeof name - 1] = '\0';
    CHECK_RC(plx_paths_add(f.paths, name, PLX_PATH_CREATED, &w), -ENAMETOOLONG);
    CHECK_EQ(w, 4711);
    make_file(&f, "other");
    NOTHING(&f);
    w = watch(&f, "", PLX_PATH_CREATED);
    make_file(&f, "another");
    NEXT(&f, w, PLX_PATH_CREATED, "another");
    folder_close(&f);
}

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
/* As somebody to whom modes mean something. */
static void watch_unreadable(void *argument)
{
    folder f = folder_open();
    int w = 4711;
    (void)argument;
    make_folders(&f, "a/b/c");
    set_mode(&f, "", 0755);
    set_mode(&f, "a", 0755);
    set_mode(&f, "a/b", geteuid() == 0 ? 0700 : 0);
    if (geteuid() == 0)
        CHECK(seteuid(4711) == 0);
    CHECK_RC(try_watch(&f, "a/b", PLX_PATH_CREATED, &w), -EACCES);
    CHECK_RC(try_watch(&f, "a", PLX_PATH_CREATED | PLX_PATH_RECURSIVE, &w), -EACCES);
    CHECK_EQ(w, 4711);
    w = watch(&f, "a", PLX_PATH_CREATED);
    CHECK(seteuid(getuid()) == 0);
    make_file(&f, "a/file");
    NEXT(&f, w, PLX_PATH_CREATED, "file");
    set_mode(&f, "a/b", 0700);
    folder_close(&f);
}

#else
static void watch_unreadable(void *argument)
{
    (void)argument;
    SKIP("modes mean nothing here");
}
#endif

CASE(a_folder_that_may_not_be_read_is_eacces)
{
    CHECK_EQ(in_child(watch_unreadable, NULL), 0);
}

CASE(what_cannot_be_seen_is_enotsup)
{
    int w;
    folder f = folder_open();
    int rc = try_watch(&f, "", PLX_PATH_CLOSED_WRITE | PLX_PATH_CREATED, &w);
    CHECK_RC(rc, plx__paths_way_used->cannot & PLX_PATH_CLOSED_WRITE ? -ENOTSUP : 0);
    folder_close(&f);
}

CASE(an_object_costs_one_descriptor_and_no_registration)
{
    need_cheap_watches();
    folder f = folder_open();
    int before = descriptors_open();
    plx_paths *more[3];
    int w;
    for (int i = 0; i < 3; i++)
        CHECK_RC(plx_paths_open(f.registry, 9, &more[i]), 0);
    make_folders(&f, "a/b/c");
    for (int i = 0; i < 50; i++)
        CHECK_RC(plx_paths_add(more[i % 3], f.path, ALL_CHANGES | PLX_PATH_RECURSIVE, &w), 0);
    if (before >= 0 && !folder_hints()) /* which cost one for each folder and file */
        CHECK_EQ(descriptors_open() - before, folder_compares() ? 0 : 3);
    CHECK_EQ(stats_of(f.poller).registered, 0);
    CHECK_EQ(stats_of(f.poller).timers, 0);
    for (int i = 0; i < 3; i++)
        plx_paths_close(more[i]);
    CHECK_EQ(descriptors_open(), before);
    CHECK_EQ(stats_of(f.poller).registered, 0);
    NOTHING(&f);
    folder_close(&f);
}

CASE(no_descriptor_left_is_emfile)
{
    need_events();
    folder f = folder_open();
    plx_paths *more = NULL;
    if (!PLX__HAS_POSIX)
        SKIP("no limit of handles that could be met, on Windows");
    if (!descriptors_allow(64))
        SKIP("fewer than 64 descriptors are allowed");
    plx_fd fd = dup_fd(0);
    descriptors_limit((int)fd);
    CHECK_RC(plx_paths_open(f.registry, 9, &more), -EMFILE);
    CHECK(more == NULL);
    close_fd(fd);
    descriptors_limit((int)fd + 16);
    folder_close(&f);
}

/* Each allocation fails once: nothing is watched then, and nothing is lost that was. */
CASE(adding_without_memory_is_enomem_and_changes_nothing)
{
    counting memory;
    folder f = folder_open_on(open_counting(&memory));
    make_folders(&f, "a/b/c");
    make_folders(&f, "d/e");
    int first = watch(&f, "a", PLX_PATH_CREATED);
    int w = 4711, refused = 0;
    for (long nth = 1;; nth++) {
        long live = atomic_load(&memory.live);
        counting_refuse(&memory, nth);
        int rc = try_watch(&f, "", ALL_CHANGES | PLX_PATH_RECURSIVE, &w);
        bool met = atomic_load(&memory.calls) >= atomic_load(&memory.refuse);
        counting_refuse(&memory, 0);
        if (!met) {
            CHECK_RC(rc, 0);
            break;
        }
        if (rc == 0) { /* the system does not tell of something then: it is looked at instead */
            CHECK(folder_compares());
            CHECK_RC(plx_paths_remove(f.paths, w), 0);
            w = 4711;
            continue;
        }
        refused++;
        CHECK_RC(rc, -ENOMEM);
        CHECK_EQ(w, 4711);
        CHECK(atomic_load(&memory.live) <= live + 1); /* a table may have grown */
    }
    CHECK(refused >= (PLX__HAS_IOCP ? 3 : 7));
    make_file(&f, "a/file");
    COMES(&f, first, PLX_PATH_CREATED, "file");
    const char *name = trees_are_seen() ? "d/e/file" : "file";
    make_file(&f, name);
    COMES(&f, w, PLX_PATH_CREATED, name);
    folder_close(&f);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* Reading takes memory for new folders: without it the program is told to look again. */
CASE(new_folders_without_memory_are_an_overflow)
{
    counting memory;
    folder_may_be_blind();
    folder f = folder_open_on(open_counting(&memory));
    int w = watch(&f, "", ALL_CHANGES | PLX_PATH_RECURSIVE);
    plx_path_change change;
    plx_event event;
    int overflows = 0;
    for (long nth = 1; nth < 40; nth++) {
        bool overflow = false, last = false;
        make_folders(&f, "a/b");
        make_file(&f, "a/b/file");
        make_file(&f, "last");
        CHECK_RC(plx_poller_wait(f.poller, &event, 1, PATIENCE), 1);
        counting_refuse(&memory, nth);
        while (!last) {
            int rc = plx_paths_next(f.paths, &change);
            if (rc == -EAGAIN) {
                CHECK(plx_poller_wait(f.poller, &event, 1, PLX_SEC(1)) >= 0);
                last = folder_compares() && overflow;
                continue;
            }
            CHECK_RC(rc, 0);
            overflow |= change.changes == PLX_PATH_OVERFLOW;
            last |= strcmp(change.name, "last") == 0;
        }
        long calls = atomic_load(&memory.calls);
        bool met = calls >= atomic_load(&memory.refuse);
        counting_refuse(&memory, 0);
        overflows += overflow;
        while (plx_poller_wait(f.poller, &event, 1, PLX_MSEC(folder_compares() ? 250 : 1)) > 0)
            while (plx_paths_next(f.paths, &change) == 0) {
            }
        make_file(&f, "a/b/new"); /* and goes on */
        if (trees_are_seen())
            COMES(&f, w, PLX_PATH_CREATED, "a/b/new");
        remove_tree(&f, "a");
        COMES(&f, w, PLX_PATH_DELETED, "a");
        remove_file(&f, "last");
        COMES(&f, w, PLX_PATH_DELETED, "last");
        if (!met || (folder_compares() && nth > 3))
            break;
    }
    CHECK(overflows > 0);
    folder_close(&f);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

CASE(waiting_for_changes_takes_no_memory)
{
    need_events();
    counting memory;
    folder f = folder_open_on(open_counting(&memory));
    plx_event event;
    make_folders(&f, "a");
    int w = watch(&f, "", ALL_CHANGES | PLX_PATH_RECURSIVE);
    for (int i = 0; i < 50; i++) {
        long calls = atomic_load(&memory.calls);
        make_folder(&f, "a/b");
        make_file(&f, "file");
        CHECK_RC(plx_poller_wait(f.poller, &event, 1, PATIENCE), 1);
        CHECK_EQ(atomic_load(&memory.calls), calls);
        remove_folder(&f, "a/b");
        remove_file(&f, "file");
        COMES(&f, w, PLX_PATH_DELETED, "file");
    }
    folder_close(&f);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

CASE(paths_outlive_their_poller)
{
    plx_path_change change;
    plx_event event;
    int w;
    folder warm = folder_open(); /* what the system keeps from then on is not ours */
    watch(&warm, "", PLX_PATH_CREATED);
    EXPECT_SILENCE(warm.poller, 0);
    folder_close(&warm);
    int before = descriptors_open();
    folder f = folder_open();
    int first = watch(&f, "", ALL_CHANGES | PLX_PATH_RECURSIVE);
    make_file(&f, "a");
    make_file(&f, "b");
    CHECK_RC(plx_poller_wait(f.poller, &event, 1, PATIENCE), 1);
    CHECK(f.registry == plx_registry_retain(f.registry));
    plx_poller_close(f.poller);
    f.poller = NULL;
    CHECK_EQ(descriptors_open(), before);
    CHECK_RC(try_watch(&f, "", PLX_PATH_CREATED, &w), -PLX_ESHUTDOWN);
    CHECK_RC(plx_paths_remove(f.paths, first), -PLX_ESHUTDOWN);
    plx_paths *none;
    CHECK_RC(plx_paths_open(f.registry, 1, &none), -PLX_ESHUTDOWN);
    int rc, count = 0;
    while ((rc = plx_paths_next(f.paths, &change)) == 0) { /* what was read can still be had */
        CHECK(change.watch == first && change.changes == PLX_PATH_CREATED);
        count++;
    }
    CHECK_RC(rc, -PLX_ESHUTDOWN);
    CHECK(count >= 1);
    plx_registry_release(f.registry);
    folder_close(&f);
}

CASE(closing_an_object_ends_its_events)
{
    plx_event event;
    folder f = folder_open();
    for (int i = 0; i < rounds(50); i++) {
        plx_paths *paths;
        int w;
        CHECK_RC(plx_paths_open(f.registry, 9, &paths), 0);
        CHECK_RC(plx_paths_add(paths, f.path, PLX_PATH_CREATED | PLX_PATH_RECURSIVE, &w), 0);
        if (i % 2)
            make_file(&f, "file");
        if (i % 3 == 0)
            CHECK(plx_poller_wait(f.poller, &event, 1, 0) >= 0);
        plx_paths_close(paths);
        EXPECT_SILENCE(f.poller, 0);
        if (i % 2)
            remove_file(&f, "file");
    }
    NOTHING(&f);
    folder_close(&f);
}

typedef struct adder {
    folder    *f;
    atomic_int stop;
} adder;

static void add_and_remove(void *argument)
{
    adder *self = argument;
    for (int i = 0; !atomic_load(&self->stop); i++) {
        int w = watch(self->f, i % 2 ? "" : "a", ALL_CHANGES | (i % 3 ? PLX_PATH_RECURSIVE : 0));
        CHECK_RC(plx_paths_remove(self->f->paths, w), 0);
    }
}

CASE(adding_and_removing_while_others_wait_and_read)
{
    need_events();
    folder f = folder_open();
    make_folders(&f, "a/b/c");
    int w = watch(&f, "a/b", PLX_PATH_CREATED | PLX_PATH_DELETED);
    adder self = {.f = &f};
    test_thread *threads[2];
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(add_and_remove, &self);
    for (int i = 0; i < rounds(300); i++) {
        make_file(&f, "a/b/file");
        COMES(&f, w, PLX_PATH_CREATED, "file");
        remove_file(&f, "a/b/file");
        COMES(&f, w, PLX_PATH_DELETED, "file");
    }
    atomic_store(&self.stop, 1);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    folder_close(&f);
}

/*
 * Linux tells nothing of what happens while the mask of a watch is being replaced, also of what
 * the old mask and the new one have. Each change is awaited by itself: it is told, or lost.
 */
static void add_and_remove_all(void *argument)
{
    adder *self = argument;
    while (!atomic_load(&self->stop))
        CHECK_RC(plx_paths_remove(self->f->paths, watch(self->f, "", ALL_CHANGES)), 0);
}

CASE(no_change_is_lost_while_another_watch_of_the_folder_ends)
{
    need_events();
    folder f = folder_open();
    int w = watch(&f, "", PLX_PATH_CREATED | PLX_PATH_DELETED);
    adder self = {.f = &f};
    test_thread *thread = thread_start(add_and_remove_all, &self);
    for (int i = 0; i < rounds(500); i++) {
        make_file(&f, "file");
        COMES(&f, w, PLX_PATH_CREATED, "file");
        remove_file(&f, "file");
        COMES(&f, w, PLX_PATH_DELETED, "file");
    }
    atomic_store(&self.stop, 1);
    thread_join(thread);
    folder_close(&f);
}

/* A change wakes a poller that is a source of another loop. */
CASE(a_change_makes_the_descriptor_readable)
{
    folder f = folder_open();
    plx_fd descriptor = descriptor_of(f.poller);
    int w = watch(&f, "", PLX_PATH_CREATED);
    if (!folder_compares()) /* which ticks */
        CHECK(!is_readable(descriptor));
    make_file(&f, "a");
    await_ready(descriptor, READY_IN);
    EXPECT(f.poller, FOLDER_TOKEN, PLX_PATH);
    if (!folder_compares())
        CHECK(is_readable(descriptor)); /* it is unread */
    NEXT(&f, w, PLX_PATH_CREATED, "a");
    NOTHING(&f);
    make_file(&f, "b");
    await_ready(descriptor, READY_IN);
    COMES(&f, w, PLX_PATH_CREATED, "b");
    folder_close(&f);
}

static void use_in_child(void *argument)
{
    folder *f = argument;
    plx_path_change change;
    int w;
    CHECK_RC(try_watch(f, "", PLX_PATH_CREATED, &w), -ECHILD);
    CHECK_RC(plx_paths_remove(f->paths, 1), -ECHILD);
    CHECK_RC(plx_paths_next(f->paths, &change), -ECHILD);
    int before = descriptors_open();
    plx_paths_close(f->paths);
    CHECK(before < 0 || folder_compares() || descriptors_open() == before - 1);
    plx_poller_close(f->poller);
}

CASE(paths_in_a_child_are_echild_and_harmless)
{
    folder f = folder_open();
    make_folders(&f, "a/b");
    int w = watch(&f, "", ALL_CHANGES | PLX_PATH_RECURSIVE);
    make_file(&f, "before");
    CHECK_EQ(in_child(use_in_child, &f), 0);
    COMES(&f, w, PLX_PATH_CREATED, "before");
    make_file(&f, "a/b/after");
    COMES(&f, w, PLX_PATH_CREATED, "a/b/after");
    folder_close(&f);
}

/* Asked for without an event: what was read with it is not forgotten. */
CASE(what_was_read_ahead_has_an_event)
{
    need_events();
    folder f = folder_open();
    plx_path_change change;
    plx_event event;
    watch(&f, "", PLX_PATH_CREATED);
    CHECK_RC(plx_poller_wait(f.poller, &event, 1, 0), 0);
    make_file(&f, "one");
    make_file(&f, "two");
    CHECK_RC(plx_paths_next(f.paths, &change), 0);
    CHECK(strcmp(change.name, "one") == 0);
    CHECK_RC(plx_poller_wait(f.poller, &event, 1, PATIENCE), 1);
    CHECK_EQ(event.flags, PLX_PATH);
    CHECK_RC(plx_paths_next(f.paths, &change), 0);
    CHECK(strcmp(change.name, "two") == 0);
    folder_close(&f);
}

static plx_fd open_eventfd(void)
{
#if PLX__HAS_EPOLL
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(fd >= 0);
    return fd;
#else
    SKIP("no eventfd, which looks like %s", "an object's descriptor");
#endif
}

/* To the poll backend a closed eventfd and the object's descriptor look like one file. */
CASE(number_that_was_closed_while_registered_may_become_an_objects)
{
    need_events();
    for (int keeps_copy = 0; keeps_copy < 2; keeps_copy++) { /* which is ready, and nobody's any more */
        plx_poller *poller = open_poller();
        plx_registry *registry = plx_poller_registry(poller);
        plx_fd number = open_eventfd();
        plx_fd copy = keeps_copy ? dup_fd(number) : NO_FD;
        check_note("a copy is kept: %d", keeps_copy);
        CHECK_RC(plx_register(registry, number, 1, PLX_READABLE), 0);
        close_fd(number);
        folder f = folder_open_on(poller);
        CHECK_RC(plx_lookup(registry, number, NULL, NULL), -ENOENT);
        CHECK_EQ(stats_of(poller).registered, 0);
        int w = watch(&f, "", PLX_PATH_CREATED);
        make_file(&f, "file");
        NEXT(&f, w, PLX_PATH_CREATED, "file");
        uint64_t before = stats_of(poller).kernel_calls;
        EXPECT_SILENCE(poller, PLX_MSEC(20));
        CHECK(stats_of(poller).kernel_calls - before < 40);
        folder_close(&f);
        if (keeps_copy)
            close_fd(copy);
    }
}
