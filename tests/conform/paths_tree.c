/* SPDX-License-Identifier: MIT */
/* Watched trees: folders that come, go and move, and nothing is lost, nor told twice. */
#include "os/config.h"

#include "folders.h"

#if PLX__HAS_EPOLL
#include <fcntl.h>
#include <unistd.h>
#endif

#define WHOLE (ALL_CHANGES | PLX_PATH_RECURSIVE)

CASE(changes_in_folders_below_are_told_with_their_path)
{
    need_moves_told();
    folder f = folder_open();
    make_folders(&f, "a/b/c");
    int w = watch(&f, "", WHOLE | PLX_PATH_MODIFIED);
    make_file(&f, "a/b/c/file");
    COMES(&f, w, PLX_PATH_CREATED, "a/b/c/file");
    write_file(&f, "a/b/c/file", "text");
    COMES(&f, w, PLX_PATH_MODIFIED, "a/b/c/file");
    move(&f, "a/b/c/file", "a/name");
    uint32_t from = COMES(&f, w, PLX_PATH_MOVED_FROM, "a/b/c/file");
    CHECK_EQ(COMES(&f, w, PLX_PATH_MOVED_TO, "a/name"), from);
    remove_file(&f, "a/name");
    COMES(&f, w, PLX_PATH_DELETED, "a/name");
    remove_folder(&f, "a/b/c");
    COMES(&f, w, PLX_PATH_DELETED, "a/b/c");
    NOTHING(&f);
    folder_close(&f);
}

/* mkdir -p and files at once: the library has watched none of these folders in time. */
CASE(a_tree_made_at_once_is_told_whole_and_once)
{
    folder f = folder_open();
    int w = watch(&f, "", WHOLE);
    for (int i = 0; i < rounds(20); i++) {
        make_folders(&f, "a/b/c");
        make_file(&f, "a/file");
        make_file(&f, "a/b/c/file");
        static const char *const all[] = {"a", "a/b", "a/file", "a/b/c", "a/b/c/file"};
        unsigned seen = 0;
        for (int k = 0; k < 5; k++) {
            plx_path_change change;
            take_change(&f, &change);
            CHECK(change.watch == w && change.changes == PLX_PATH_CREATED && change.cookie == 0);
            for (unsigned n = 0; n < 5; n++)
                if (strcmp(change.name, all[n]) == 0) {
                    CHECK(!(seen & 1u << n));
                    seen |= 1u << n;
                }
        }
        CHECK_EQ(seen, 31);
        NOTHING(&f);
        make_file(&f, "a/b/c/later");
        COMES(&f, w, PLX_PATH_CREATED, "a/b/c/later");
        remove_tree(&f, "a");
        COMES(&f, w, PLX_PATH_DELETED, "a");
        NOTHING(&f);
    }
    folder_close(&f);
}

/* The same while the waiter runs, so that it looks in the midst of it. */
static void make_trees(void *argument)
{
    folder *f = argument;
    for (int i = 0; i < 200; i++) {
        char name[64];
        snprintf(name, sizeof name, "%d/b/c/d", i);
        make_folders(f, name);
        strcat(name, "/file");
        make_file(f, name);
        snprintf(name, sizeof name, "%d/file", i);
        make_file(f, name);
    }
    make_file(f, "end");
}

CASE(trees_made_while_it_looks_are_told_whole_and_once)
{
    static unsigned char seen[200][6];
    plx_path_change change;
    folder f = folder_open();
    int w = watch(&f, "", WHOLE);
    test_thread *thread = thread_start(make_trees, &f);
    for (int left = 200 * 6 + 1; left > 0; left--) {
        char *rest;
        take_change(&f, &change);
        CHECK(change.watch == w && change.changes == PLX_PATH_CREATED);
        if (strcmp(change.name, "end") == 0)
            continue;
        long tree = strtol(change.name, &rest, 10);
        static const char *const parts[] = {"", "/b", "/b/c", "/b/c/d", "/b/c/d/file", "/file"};
        for (int part = 0; part < 6; part++)
            if (strcmp(rest, parts[part]) == 0)
                CHECK(!seen[tree][part]++);
    }
    thread_join(thread);
    for (int tree = 0; tree < 200; tree++)
        for (int part = 0; part < 6; part++)
            CHECK(seen[tree][part]);
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_tree_moved_in_is_told_whole)
{
    folder f = folder_open();
    make_folders(&f, "outside/b/c");
    make_file(&f, "outside/b/file");
    make_folder(&f, "inside");
    int w = watch(&f, "inside", WHOLE);
    move(&f, "outside", "inside/a");
    COMES(&f, w, moves_are_told() ? PLX_PATH_MOVED_TO : PLX_PATH_CREATED, "a"); /* no telling where it was */
    NEXT(&f, w, PLX_PATH_CREATED, "a/b");
    plx_path_change change;
    for (int i = 0; i < 2; i++) {
        take_change(&f, &change);
        CHECK_EQ(change.changes, PLX_PATH_CREATED);
        CHECK(strcmp(change.name, "a/b/c") == 0 || strcmp(change.name, "a/b/file") == 0);
    }
    NOTHING(&f);
    make_file(&f, "inside/a/b/c/more");
    if (trees_are_seen())
        COMES(&f, w, PLX_PATH_CREATED, "a/b/c/more");
    folder_close(&f);
}

CASE(a_folder_moved_within_is_watched_under_its_new_name)
{
    need_moves_told();
    folder f = folder_open();
    make_folders(&f, "a/b/c");
    make_folder(&f, "d");
    int w = watch(&f, "", WHOLE);
    move(&f, "a/b", "d/e");
    uint32_t from = COMES(&f, w, PLX_PATH_MOVED_FROM, "a/b");
    CHECK_EQ(COMES(&f, w, PLX_PATH_MOVED_TO, "d/e"), from);
    NOTHING(&f);
    make_file(&f, "d/e/c/file");
    COMES(&f, w, PLX_PATH_CREATED, "d/e/c/file");
    make_folder(&f, "d/e/new");
    COMES(&f, w, PLX_PATH_CREATED, "d/e/new");
    make_file(&f, "d/e/new/file");
    COMES(&f, w, PLX_PATH_CREATED, "d/e/new/file");
    make_folder(&f, "a/b"); /* the old name for another */
    COMES(&f, w, PLX_PATH_CREATED, "a/b");
    make_file(&f, "a/b/file");
    COMES(&f, w, PLX_PATH_CREATED, "a/b/file");
    make_file(&f, "d/e/file");
    COMES(&f, w, PLX_PATH_CREATED, "d/e/file");
    NOTHING(&f);
    folder_close(&f);
}

/* All of it before anybody reads: the library finds nothing where the events say it is. */
CASE(a_new_folder_moved_before_it_was_looked_at_is_watched)
{
    need_new_names();
    folder f = folder_open();
    int w = watch(&f, "", WHOLE);
    make_folders(&f, "a/b");
    make_file(&f, "a/b/file");
    move(&f, "a", "x");
    move(&f, "x", "y");
    make_folder(&f, "y/late");
    move(&f, "y", "z");
    COMES(&f, w, folder_compares() ? PLX_PATH_CREATED : PLX_PATH_MOVED_TO, "z");
    bool file = false, late = false;
    while (!file || !late) {
        plx_path_change change;
        take_change(&f, &change);
        file |= strcmp(change.name, "z/b/file") == 0;
        late |= strcmp(change.name, "z/late") == 0;
        CHECK(change.changes != PLX_PATH_OVERFLOW);
    }
    make_file(&f, "z/b/more");
    COMES(&f, w, PLX_PATH_CREATED, "z/b/more");
    make_file(&f, "z/late/more");
    COMES(&f, w, PLX_PATH_CREATED, "z/late/more");
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_known_folder_moved_with_news_in_it_is_watched_whole)
{
    need_events();
    need_new_names();
    folder f = folder_open();
    make_folders(&f, "a/b");
    int w = watch(&f, "", WHOLE);
    make_folder(&f, "a/b/new"); /* an event of a name that is gone when it is read */
    make_file(&f, "a/b/new/file");
    move(&f, "a", "z");
    NEXT(&f, w, PLX_PATH_CREATED, "a/b/new");
    uint32_t from = NEXT(&f, w, PLX_PATH_MOVED_FROM, "a");
    CHECK_EQ(NEXT(&f, w, PLX_PATH_MOVED_TO, "z"), from);
    COMES(&f, w, PLX_PATH_CREATED, "z/b/new/file");
    make_file(&f, "z/b/new/more");
    COMES(&f, w, PLX_PATH_CREATED, "z/b/new/more");
    NOTHING(&f);
    folder_close(&f);
}

CASE(folders_that_swap_names_keep_their_own)
{
    need_events();
    need_trees();
    folder f = folder_open();
    make_folders(&f, "a/in_a");
    make_folders(&f, "b/in_b");
    int w = watch(&f, "", WHOLE);
    for (int i = 0; i < 9; i++) { /* an odd number, unread until the end */
        move(&f, "a", "t");
        move(&f, "b", "a");
        move(&f, "t", "b");
    }
    for (int i = 0; i < 9; i++) {
        static const char *const names[][2] = {{"a", "t"}, {"b", "a"}, {"t", "b"}};
        for (int k = 0; k < 3; k++) {
            uint32_t from = NEXT(&f, w, PLX_PATH_MOVED_FROM, names[k][0]);
            CHECK_EQ(NEXT(&f, w, PLX_PATH_MOVED_TO, names[k][1]), from);
        }
    }
    NOTHING(&f);
    make_file(&f, "a/in_b/file");
    NEXT(&f, w, PLX_PATH_CREATED, "a/in_b/file");
    make_file(&f, "b/in_a/file");
    NEXT(&f, w, PLX_PATH_CREATED, "b/in_a/file");
    folder_close(&f);
}

CASE(a_folder_moved_out_is_told_no_more)
{
    need_trees();
    folder f = folder_open();
    make_folders(&f, "inside/a/b");
    int w = watch(&f, "inside", WHOLE);
    move(&f, "inside/a", "outside");
    COMES(&f, w, moves_are_told() ? PLX_PATH_MOVED_FROM : PLX_PATH_DELETED, "a");
    make_file(&f, "outside/b/file");
    make_folder(&f, "outside/c");
    if (!folder_compares())
        NOTHING(&f);
    move(&f, "outside", "inside/back");
    COMES(&f, w, moves_are_told() ? PLX_PATH_MOVED_TO : PLX_PATH_CREATED, "back");
    COMES(&f, w, PLX_PATH_CREATED, "back/b/file");
    NOTHING(&f);
    make_file(&f, "inside/back/c/file");
    COMES(&f, w, PLX_PATH_CREATED, "back/c/file");
    folder_close(&f);
}

CASE(links_in_a_tree_are_not_followed)
{
    folder f = folder_open();
    make_folder(&f, "outside");
    make_folder(&f, "inside");
    make_link(&f, "../outside", "inside/old");
    int w = watch(&f, "inside", WHOLE);
    make_link(&f, "../outside", "inside/new");
    make_link(&f, ".", "inside/itself");
    COMES(&f, w, PLX_PATH_CREATED, "itself");
    make_file(&f, "outside/file");
    if (!folder_compares())
        NOTHING(&f);
    make_file(&f, "inside/file");
    COMES(&f, w, PLX_PATH_CREATED, "file");
    NOTHING(&f);
    folder_close(&f);
}

CASE(trees_inside_one_another_are_both_told)
{
    need_events();
    need_trees();
    folder f = folder_open();
    make_folders(&f, "a/b");
    int inner = watch(&f, "a", WHOLE);
    int outer = watch(&f, "", WHOLE);
    int flat = watch(&f, "a/b", PLX_PATH_CREATED);
    make_file(&f, "a/b/file");
    NEXT(&f, inner, PLX_PATH_CREATED, "b/file");
    NEXT(&f, outer, PLX_PATH_CREATED, "a/b/file");
    NEXT(&f, flat, PLX_PATH_CREATED, "file");
    make_folder(&f, "a/c");
    make_file(&f, "a/c/file");
    COMES(&f, inner, PLX_PATH_CREATED, "c/file");
    COMES(&f, outer, PLX_PATH_CREATED, "a/c/file");
    NOTHING(&f);
    CHECK_RC(plx_paths_remove(f.paths, outer), 0);
    make_file(&f, "a/c/more");
    NEXT(&f, inner, PLX_PATH_CREATED, "c/more");
    CHECK_RC(plx_paths_remove(f.paths, inner), 0);
    make_file(&f, "a/c/yet");
    make_file(&f, "a/b/yet");
    NEXT(&f, flat, PLX_PATH_CREATED, "yet");
    NOTHING(&f);
    folder_close(&f);
}

CASE(recursive_on_a_file_adds_nothing)
{
    folder f = folder_open();
    make_file(&f, "file");
    int w = watch(&f, "file", PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE | PLX_PATH_RECURSIVE);
    write_file(&f, "file", "x");
    NEXT(&f, w, PLX_PATH_MODIFIED, "");
    remove_file(&f, "file");
    NEXT(&f, w, PLX_PATH_SELF_GONE, "");
    folder_close(&f);
}

/* New folders are looked into also by a watch that is not told of their making. */
CASE(a_tree_watched_without_created_follows_new_folders)
{
    folder f = folder_open();
    int w = watch(&f, "", PLX_PATH_DELETED | PLX_PATH_RECURSIVE);
    plx_path_change change;
    plx_event event;
    make_folders(&f, "a/b");
    make_file(&f, "a/b/file");
    if (folder_compares()) { /* one look at least */
        CHECK_RC(plx_poller_wait(f.poller, &event, 1, PATIENCE), 1);
        CHECK_RC(plx_paths_next(f.paths, &change), -EAGAIN);
    }
    while (plx_poller_wait(f.poller, &event, 1, folder_compares() ? PLX_MSEC(400) : 0) > 0)
        CHECK_RC(plx_paths_next(f.paths, &change), -EAGAIN);
    remove_file(&f, "a/b/file");
    NEXT(&f, w, PLX_PATH_DELETED, "a/b/file");
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_tree_of_many_folders_is_watched)
{
    enum { FOLDERS = 1500 };
    need_trees();
    folder f = folder_open();
    char name[64];
    for (int i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof name, "%d/%d", i % 30, i);
        make_folders(&f, name);
    }
    int w = watch(&f, "", WHOLE);
    for (int i = 0; i < FOLDERS; i += folder_compares() ? 97 : 7) {
        snprintf(name, sizeof name, "%d/%d/file", i % 30, i);
        make_file(&f, name);
        COMES(&f, w, PLX_PATH_CREATED, name);
    }
    remove_tree(&f, "3");
    COMES(&f, w, PLX_PATH_DELETED, "3");
    NOTHING(&f);
    folder_close(&f);
}

/* Twice as many changes as the kernel's queue holds. */
static long queue_bound(void)
{
    long bound = PLX__HAS_POSIX ? 16384 : 4 * many_changes(); /* not so many that it is Wine that loses them */
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    if (file) {
        CHECK(fscanf(file, "%ld", &bound) == 1);
        fclose(file);
    }
    return bound;
}

CASE(an_overflow_is_told_and_everything_is_watched_after_it)
{
    need_events();
    folder f = folder_open();
    long bound = queue_bound();
    if (bound > 100000)
        SKIP("fs.inotify.max_queued_events is %ld", bound);
    make_folder(&f, "a");
    make_file(&f, "victim");
    int w = watch(&f, "", WHOLE);
    int flat = watch(&f, "a", PLX_PATH_CREATED);
    int victim = watch(&f, "victim", PLX_PATH_SELF_GONE);
    for (long i = 0; i < bound; i++) { /* two events each, which the kernel cannot merge */
        make_file(&f, "a/file");
        remove_file(&f, "a/file");
    }
    make_folders(&f, "lost/b"); /* nobody hears of these */
    remove_file(&f, "victim");
    plx_path_change change;
    bool gone = false;
    do {
        take_change(&f, &change);
        gone |= change.watch == victim; /* where each watch has a queue of its own */
    } while (change.changes != PLX_PATH_OVERFLOW);
    CHECK(change.watch == -1 && strcmp(change.name, "") == 0 && change.cookie == 0);
    if (!gone)
        COMES(&f, victim, PLX_PATH_SELF_GONE, "");
    while (plx_paths_next(f.paths, &change) == 0)
        CHECK(change.changes != PLX_PATH_OVERFLOW || !PLX__HAS_POSIX);
    make_file(&f, "lost/b/file");
    if (trees_are_seen())
        COMES(&f, w, PLX_PATH_CREATED, "lost/b/file");
    make_file(&f, "a/file");
    unsigned told = 0;
    while (told != 3) {
        take_change(&f, &change);
        CHECK(change.changes == PLX_PATH_CREATED || !trees_are_seen());
        told |= change.watch == flat ? 1 : strcmp(change.name, "a/file") == 0 ? 2 : 0;
    }
    NOTHING(&f);
    folder_close(&f);
}

/* 0 or an errno value. */
static int exchange(const char *one, const char *other)
{
#if PLX__HAS_EPOLL && defined(SYS_renameat2)
    return syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2u /* RENAME_EXCHANGE */) == 0 ? 0 : errno;
#else
    (void)one, (void)other;
    return ENOSYS;
#endif
}

/* Two folders take each other's names in one step: the kernel tells of a move over each. */
CASE(folders_that_are_exchanged_stay_watched)
{
    need_events();
    folder f = folder_open();
    plx_path_change change;
    plx_event event;
    make_folders(&f, "a/sub");
    make_folders(&f, "b/sub");
    int w = watch(&f, "", PLX_PATH_CREATED | PLX_PATH_RECURSIVE);
    char a[FOLDER_PATH], b[FOLDER_PATH];
    snprintf(a, sizeof a, "%s", in_folder(&f, "a"));
    snprintf(b, sizeof b, "%s", in_folder(&f, "b"));
    int error = exchange(a, b);
    if (error) {
        folder_close(&f);
        SKIP("no renames that exchange: %s", strerror(error));
    }
    while (plx_poller_wait(f.poller, &event, 1, PLX_MSEC(100)) == 1) /* perhaps told to look again */
        while (plx_paths_next(f.paths, &change) == 0)
            CHECK(change.changes == PLX_PATH_OVERFLOW);
    make_file(&f, "a/file");
    COMES(&f, w, PLX_PATH_CREATED, "a/file");
    make_file(&f, "b/file");
    COMES(&f, w, PLX_PATH_CREATED, "b/file");
    make_file(&f, "a/sub/file");
    COMES(&f, w, PLX_PATH_CREATED, "a/sub/file");
    make_file(&f, "b/sub/file");
    COMES(&f, w, PLX_PATH_CREATED, "b/sub/file");
    folder_close(&f);
}
