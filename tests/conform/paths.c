/* SPDX-License-Identifier: MIT */
/* Watched paths: what is told of a file and of a folder, and to whom. */
#include "os/config.h"

#include "folders.h"

CASE(changes_of_a_folder_are_told_with_names)
{
    folder f = folder_open();
    make_file(&f, "old");
    int w = watch(&f, "", ALL_CHANGES | PLX_PATH_MODIFIED | PLX_PATH_ATTRIBUTES);
    NOTHING(&f);
    make_file(&f, "new");
    NEXT(&f, w, PLX_PATH_CREATED, "new");
    NOTHING(&f);
    write_file(&f, "old", "text");
    NEXT(&f, w, PLX_PATH_MODIFIED, "old");
    NOTHING(&f);
    set_mode(&f, "new", 0640);
    NEXT(&f, w, PLX_PATH_ATTRIBUTES, "new");
    NOTHING(&f);
    make_folder(&f, "below");
    COMES(&f, w, PLX_PATH_CREATED, "below");
    NOTHING(&f);
    make_file(&f, "below/unseen");
    if (!folder_compares()) /* there its own time is seen to change */
        NOTHING(&f);
    remove_file(&f, "old");
    COMES(&f, w, PLX_PATH_DELETED, "old");
    NOTHING(&f);
    folder_close(&f);
}

CASE(changes_of_a_file_are_told_without_a_name)
{
    folder f = folder_open();
    make_file(&f, "file");
    int w = watch(&f, "file", PLX_PATH_MODIFIED | PLX_PATH_ATTRIBUTES | PLX_PATH_SELF_GONE);
    make_file(&f, "other");
    write_file(&f, "other", "x");
    NOTHING(&f);
    write_file(&f, "file", "text");
    NEXT(&f, w, PLX_PATH_MODIFIED, "");
    NOTHING(&f);
    set_mode(&f, "file", 0640);
    NEXT(&f, w, PLX_PATH_ATTRIBUTES, "");
    remove_file(&f, "other");
    NOTHING(&f);
    folder_close(&f);
}

CASE(closing_after_writing_is_told)
{
    need_events();
    need_seen(PLX_PATH_CLOSED_WRITE);
    folder f = folder_open();
    make_file(&f, "file");
    int w = watch(&f, "", PLX_PATH_CLOSED_WRITE);
    int w_file = watch(&f, "file", PLX_PATH_CLOSED_WRITE);
    make_file(&f, "file"); /* for reading */
    NOTHING(&f);
    write_file(&f, "file", "text");
    COMES(&f, w, PLX_PATH_CLOSED_WRITE, "file");
    write_file(&f, "file", "text");
    COMES(&f, w_file, PLX_PATH_CLOSED_WRITE, "");
    folder_close(&f);
}

CASE(only_what_was_asked_for_is_told)
{
    folder f = folder_open();
    int w = watch(&f, "", PLX_PATH_DELETED);
    make_file(&f, "file");
    write_file(&f, "file", "text");
    set_mode(&f, "file", 0640);
    NOTHING(&f);
    remove_file(&f, "file");
    NEXT(&f, w, PLX_PATH_DELETED, "file");
    NOTHING(&f);
    folder_close(&f);
}

/* Level: what is buffered inside the library counts as what the kernel still has. */
CASE(an_event_comes_with_each_wait_while_a_change_is_unread)
{
    folder f = folder_open();
    plx_path_change change;
    int w = watch(&f, "", PLX_PATH_CREATED);
    for (int i = 0; i < 5; i++)
        make_file(&f, (const char[]){(char)('a' + i), '\0'});
    for (int i = 0; i < 3; i++)
        EXPECT(f.poller, FOLDER_TOKEN, PLX_PATH);
    for (int i = 0; i < 5; i++) {
        EXPECT(f.poller, FOLDER_TOKEN, PLX_PATH);
        EXPECT(f.poller, FOLDER_TOKEN, PLX_PATH);
        CHECK_RC(plx_paths_next(f.paths, &change), 0);
        CHECK(change.watch == w && change.changes == PLX_PATH_CREATED && strlen(change.name) == 1);
    }
    CHECK_RC(plx_paths_next(f.paths, &change), -EAGAIN);
    NOTHING(&f);
    make_file(&f, "more");
    EXPECT(f.poller, FOLDER_TOKEN, PLX_PATH);
    folder_close(&f);
}

CASE(a_blocked_wait_returns_for_a_change)
{
    static waiter sleeper;
    folder f = folder_open();
    int w = watch(&f, "", PLX_PATH_CREATED);
    waiter_start_asleep(&sleeper, f.poller);
    make_file(&f, "file");
    CHECK_RC(waiter_join(&sleeper), 1);
    CHECK(sleeper.events[0].token == FOLDER_TOKEN && sleeper.events[0].flags == PLX_PATH);
    NEXT(&f, w, PLX_PATH_CREATED, "file");
    waiter_start_asleep(&sleeper, f.poller); /* a path added while it sleeps counts at once */
    w = watch(&f, "file", PLX_PATH_MODIFIED);
    write_file(&f, "file", "x");
    CHECK_RC(waiter_join(&sleeper), 1);
    NEXT(&f, w, PLX_PATH_MODIFIED, "");
    folder_close(&f);
}

/* The kernel has one watch for an inode; here each is told, and has its own changes. */
CASE(each_add_of_one_path_is_told)
{
    folder f = folder_open();
    int w[3];
    w[0] = watch(&f, "", PLX_PATH_CREATED);
    w[1] = watch(&f, "", PLX_PATH_CREATED | PLX_PATH_DELETED);
    w[2] = watch(&f, "", PLX_PATH_DELETED);
    CHECK(w[0] != w[1] && w[1] != w[2] && w[0] != w[2]);
    make_file(&f, "a");
    NEXT(&f, w[0], PLX_PATH_CREATED, "a");
    NEXT(&f, w[1], PLX_PATH_CREATED, "a");
    NOTHING(&f);
    CHECK_RC(plx_paths_remove(f.paths, w[1]), 0);
    make_file(&f, "b");
    NEXT(&f, w[0], PLX_PATH_CREATED, "b");
    remove_file(&f, "a");
    NEXT(&f, w[2], PLX_PATH_DELETED, "a");
    CHECK_RC(plx_paths_remove(f.paths, w[0]), 0);
    make_file(&f, "c");
    remove_file(&f, "b");
    NEXT(&f, w[2], PLX_PATH_DELETED, "b");
    NOTHING(&f);
    int again = watch(&f, "", PLX_PATH_CREATED);
    CHECK(again != w[0] && again != w[1] && again != w[2]); /* numbers are not used again */
    make_file(&f, "d");
    NEXT(&f, again, PLX_PATH_CREATED, "d");
    NOTHING(&f);
    folder_close(&f);
}

CASE(two_names_of_one_file_are_both_told)
{
    need_links_told();
    folder f = folder_open();
    make_file(&f, "one");
    make_hard_link(&f, "one", "two");
    int one = watch(&f, "one", PLX_PATH_MODIFIED);
    int two = watch(&f, "two", PLX_PATH_MODIFIED);
    write_file(&f, "one", "x");
    NEXT(&f, one, PLX_PATH_MODIFIED, "");
    NEXT(&f, two, PLX_PATH_MODIFIED, "");
    CHECK_RC(plx_paths_remove(f.paths, one), 0);
    write_file(&f, "one", "x");
    NEXT(&f, two, PLX_PATH_MODIFIED, "");
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_folder_and_a_file_in_it_are_both_told)
{
    folder f = folder_open();
    make_file(&f, "file");
    int w_file = watch(&f, "file", PLX_PATH_MODIFIED);
    int w = watch(&f, "", PLX_PATH_MODIFIED);
    write_file(&f, "file", "x");
    COMES(&f, w_file, PLX_PATH_MODIFIED, "");
    write_file(&f, "file", "x");
    COMES(&f, w, PLX_PATH_MODIFIED, "file");
    folder_close(&f);
}

CASE(two_objects_are_both_told)
{
    plx_paths *second;
    plx_path_change change;
    plx_event events[4];
    int number;
    folder f = folder_open();
    int w = watch(&f, "", PLX_PATH_CREATED);
    CHECK_RC(plx_paths_open(f.registry, 8, &second), 0);
    CHECK_RC(plx_paths_add(second, f.path, PLX_PATH_CREATED, &number), 0);
    make_file(&f, "file");
    unsigned seen = 0;
    while (seen != 3) {
        int count = plx_poller_wait(f.poller, events, 4, PATIENCE);
        CHECK(count > 0);
        for (int i = 0; i < count; i++)
            seen |= events[i].token == FOLDER_TOKEN ? 1 : 2;
    }
    CHECK_RC(plx_paths_next(second, &change), 0);
    CHECK(change.watch == number && strcmp(change.name, "file") == 0);
    plx_paths_close(second);
    NEXT(&f, w, PLX_PATH_CREATED, "file");
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_removed_watch_tells_nothing_more)
{
    plx_path_change change;
    folder f = folder_open();
    int w = watch(&f, "", PLX_PATH_CREATED);
    make_file(&f, "a");
    make_file(&f, "b");
    EXPECT(f.poller, FOLDER_TOKEN, PLX_PATH);
    CHECK_RC(plx_paths_remove(f.paths, w), 0);
    CHECK_RC(plx_paths_next(f.paths, &change), -EAGAIN);
    CHECK_RC(plx_paths_remove(f.paths, w), -ENOENT);
    make_file(&f, "c");
    NOTHING(&f);
    w = watch(&f, "", PLX_PATH_CREATED);
    make_file(&f, "d");
    NEXT(&f, w, PLX_PATH_CREATED, "d");
    NOTHING(&f);
    folder_close(&f);
}

/* A second add must not be told of what the first has not read yet. */
CASE(what_was_before_an_add_is_not_told_to_it)
{
    need_events();
    folder f = folder_open();
    int first = watch(&f, "", PLX_PATH_CREATED);
    make_file(&f, "before");
    int second = watch(&f, "", PLX_PATH_CREATED);
    make_file(&f, "after");
    NEXT(&f, first, PLX_PATH_CREATED, "before");
    plx_path_change change;
    int told = 0;
    for (int i = 0; i < 2; i++) { /* of one change no watch is told before another */
        take_change(&f, &change);
        CHECK(change.changes == PLX_PATH_CREATED && strcmp(change.name, "after") == 0);
        told += change.watch;
    }
    CHECK_EQ(told, first + second);
    NOTHING(&f);
    folder_close(&f);
}

CASE(names_may_be_any_bytes)
{
#if PLX__HAS_POSIX
    static const char *const names[] = {" ", "\n", "\xff\xfe\x80", "-rf", "a\tb", "..."};
#else /* any characters */
    static const char *const names[] = {"a b", "-rf", "\xc3\xa4", "\xe6\x97\xa5", "\xf0\x9f\x8c\x8d", "a;b'c"};
#endif
    folder f = folder_open();
    char longest[256];
    int w = watch(&f, "", PLX_PATH_CREATED | PLX_PATH_RECURSIVE);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        make_file(&f, names[i]);
        NEXT(&f, w, PLX_PATH_CREATED, names[i]);
    }
    memset(longest, 'x', 255);
    longest[255] = '\0';
    make_file(&f, longest);
    NEXT(&f, w, PLX_PATH_CREATED, longest);
    NOTHING(&f);
    folder_close(&f);
}

CASE(both_halves_of_a_rename_carry_one_cookie)
{
    folder f = folder_open();
    make_file(&f, "a");
    make_file(&f, "c");
    int w = watch(&f, "", ALL_CHANGES);
    move(&f, "a", "b");
    uint32_t from = NEXT(&f, w, PLX_PATH_MOVED_FROM, "a");
    uint32_t to = NEXT(&f, w, PLX_PATH_MOVED_TO, "b");
    CHECK(from != 0 && from == to);
    move(&f, "c", "a");
    uint32_t other = NEXT(&f, w, PLX_PATH_MOVED_FROM, "c");
    CHECK(other != 0 && other != from);
    CHECK_EQ(NEXT(&f, w, PLX_PATH_MOVED_TO, "a"), other);
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_rename_between_two_watches_carries_one_cookie)
{
    need_events();
    need_moves_told();
    folder f = folder_open();
    make_folder(&f, "one");
    make_folder(&f, "two");
    make_folder(&f, "outside");
    make_file(&f, "one/file");
    int one = watch(&f, "one", ALL_CHANGES);
    int two = watch(&f, "two", ALL_CHANGES);
    move(&f, "one/file", "two/name");
    uint32_t from = NEXT(&f, one, PLX_PATH_MOVED_FROM, "file");
    CHECK_EQ(NEXT(&f, two, PLX_PATH_MOVED_TO, "name"), from);
    move(&f, "two/name", "outside/name");
    (void)NEXT(&f, two, PLX_PATH_MOVED_FROM, "name");
    NOTHING(&f);
    move(&f, "outside/name", "one/again");
    (void)NEXT(&f, one, PLX_PATH_MOVED_TO, "again");
    NOTHING(&f);
    folder_close(&f);
}

/* More renames than one read of the kernel's queue returns. */
CASE(renames_are_paired_across_reads)
{
    need_events();
    int renames = many_changes() / 2;
    folder f = folder_open();
    make_file(&f, "0");
    int w = watch(&f, "", PLX_PATH_MOVED_FROM | PLX_PATH_MOVED_TO);
    for (int i = 0; i < renames; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "%d", i);
        snprintf(to, sizeof to, "%d", i + 1);
        move(&f, from, to);
    }
    for (int i = 0; i < renames; i++) {
        char from[16], to[16];
        snprintf(from, sizeof from, "%d", i);
        snprintf(to, sizeof to, "%d", i + 1);
        uint32_t cookie = NEXT(&f, w, PLX_PATH_MOVED_FROM, from);
        CHECK_EQ(NEXT(&f, w, PLX_PATH_MOVED_TO, to), cookie);
    }
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_path_that_is_a_link_is_followed)
{
    folder f = folder_open();
    make_folder(&f, "real");
    make_link(&f, "real", "link");
    int w = watch(&f, "link", PLX_PATH_CREATED | PLX_PATH_SELF_GONE);
    make_file(&f, "real/file");
    NEXT(&f, w, PLX_PATH_CREATED, "file");
    make_folder(&f, "other");
    make_link(&f, "other", "new");
    move(&f, "new", "link"); /* the link is another now */
    NEXT(&f, w, PLX_PATH_SELF_GONE, "");
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_relative_path_stays_what_it_was)
{
    int w;
    folder f = folder_open();
    char before[FOLDER_PATH];
    make_file(&f, "file");
    work_in(f.path, before, sizeof before);
    CHECK_RC(plx_paths_add(f.paths, "file", PLX_PATH_MODIFIED | PLX_PATH_ATTRIBUTES | PLX_PATH_SELF_GONE, &w), 0);
    work_in(before, NULL, 0);
    set_mode(&f, "file", 0640);
    NEXT(&f, w, PLX_PATH_ATTRIBUTES, "");
    remove_file(&f, "file");
    COMES(&f, w, PLX_PATH_SELF_GONE, "");
    folder_close(&f);
}
