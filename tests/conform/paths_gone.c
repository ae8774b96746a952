/* SPDX-License-Identifier: MIT */
/* Watched paths that are deleted, moved away or replaced, in every way. */
#include "folders.h"

/* Over: once told, and then nothing; the number can still be removed, once. */
static void expect_gone(folder *f, int w)
{
    COMES(f, w, PLX_PATH_SELF_GONE, "");
    NOTHING(f);
    CHECK_RC(plx_paths_remove(f->paths, w), 0);
    CHECK_RC(plx_paths_remove(f->paths, w), -ENOENT);
}

CASE(a_file_replaced_by_rename_is_gone)
{
    folder f = folder_open();
    make_file(&f, "file");
    int w = watch(&f, "file", PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    write_file(&f, "new", "saved by an editor");
    move(&f, "new", "file");
    NEXT(&f, w, PLX_PATH_SELF_GONE, "");
    NOTHING(&f);
    write_file(&f, "file", "not watched any more");
    NOTHING(&f);
    CHECK_RC(plx_paths_remove(f.paths, w), 0);
    w = watch(&f, "file", PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    write_file(&f, "file", "watched");
    NEXT(&f, w, PLX_PATH_MODIFIED, "");
    folder_close(&f);
}

CASE(a_deleted_file_is_gone)
{
    folder f = folder_open();
    make_file(&f, "file");
    int w = watch(&f, "file", PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    remove_file(&f, "file");
    expect_gone(&f, w);
    folder_close(&f);
}

/* Again and again: the kernel says so before the name is really free. */
CASE(a_deleted_file_with_another_link_is_gone)
{
    folder f = folder_open();
    for (int i = 0; i < rounds(200); i++) {
        make_file(&f, "file");
        make_hard_link(&f, "file", "link");
        int w = watch(&f, "file", PLX_PATH_SELF_GONE);
        int other = watch(&f, "link", PLX_PATH_SELF_GONE);
        remove_file(&f, "file");
        NEXT(&f, w, PLX_PATH_SELF_GONE, "");
        CHECK_RC(plx_paths_remove(f.paths, w), 0);
        remove_file(&f, "link");
        NEXT(&f, other, PLX_PATH_SELF_GONE, "");
        CHECK_RC(plx_paths_remove(f.paths, other), 0);
        if (folder_compares() && i == 5)
            break;
    }
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_deleted_file_that_is_held_open_is_gone)
{
    need_free_names();
    folder f = folder_open();
    make_file(&f, "file");
    int w = watch(&f, "file", PLX_PATH_SELF_GONE);
    plx_fd fd = hold_open(&f, "file");
    remove_file(&f, "file");
    expect_gone(&f, w);
    let_go(fd);
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_deleted_folder_is_gone)
{
    need_watched_deleted();
    folder f = folder_open();
    make_folder(&f, "below");
    int w = watch(&f, "below", ALL_CHANGES);
    int deep = watch(&f, "below/", ALL_CHANGES | PLX_PATH_RECURSIVE);
    remove_folder(&f, "below");
    COMES(&f, w, PLX_PATH_SELF_GONE, "");
    CHECK_RC(plx_paths_remove(f.paths, w), 0);
    make_folder(&f, "below"); /* another */
    make_file(&f, "below/file");
    if (!folder_compares())
        NEXT(&f, deep, PLX_PATH_SELF_GONE, "");
    folder_close(&f);
}

CASE(a_deleted_folder_that_is_held_open_is_gone)
{
    need_watched_deleted();
    folder f = folder_open();
    make_folder(&f, "below");
    int w = watch(&f, "below", PLX_PATH_CREATED | PLX_PATH_SELF_GONE);
    plx_fd fd = hold_open(&f, "below");
    remove_folder(&f, "below");
    expect_gone(&f, w);
    let_go(fd);
    NOTHING(&f);
    folder_close(&f);
}

CASE(a_path_that_is_moved_away_is_gone)
{
    folder f = folder_open();
    make_folder(&f, "below");
    make_file(&f, "file");
    int w = watch(&f, "below", ALL_CHANGES | PLX_PATH_RECURSIVE);
    int w_file = watch(&f, "file", PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    move(&f, "below", "elsewhere");
    NEXT(&f, w, PLX_PATH_SELF_GONE, "");
    make_file(&f, "elsewhere/file");
    NOTHING(&f);
    move(&f, "file", "other");
    NEXT(&f, w_file, PLX_PATH_SELF_GONE, "");
    write_file(&f, "other", "x");
    NOTHING(&f);
    folder_close(&f);
}

CASE(other_changes_are_no_end)
{
    folder f = folder_open();
    make_file(&f, "file");
    make_file(&f, "file.old");
    int w = watch(&f, "file", PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    make_hard_link(&f, "file", "link");
    set_mode(&f, "file", 0640);
    remove_file(&f, "link");
    remove_file(&f, "file.old");
    NOTHING(&f);
    write_file(&f, "file", "x");
    NEXT(&f, w, PLX_PATH_MODIFIED, "");
    NOTHING(&f);
    folder_close(&f);
}

CASE(an_end_that_was_not_asked_for_is_silent)
{
    folder f = folder_open();
    make_file(&f, "file");
    int w = watch(&f, "file", PLX_PATH_MODIFIED);
    remove_file(&f, "file");
    NOTHING(&f);
    write_file(&f, "file", "another");
    NOTHING(&f);
    CHECK_RC(plx_paths_remove(f.paths, w), 0);
    folder_close(&f);
}

CASE(what_came_before_the_end_is_told_first)
{
    need_events();
    need_watched_deleted();
    folder f = folder_open();
    make_folder(&f, "below");
    int w = watch(&f, "below", ALL_CHANGES);
    make_file(&f, "below/file");
    remove_file(&f, "below/file");
    remove_folder(&f, "below");
    NEXT(&f, w, PLX_PATH_CREATED, "file");
    NEXT(&f, w, PLX_PATH_DELETED, "file");
    NEXT(&f, w, PLX_PATH_SELF_GONE, "");
    NOTHING(&f);
    folder_close(&f);
}

/* The kernel tells of the move of a file under whatever name; the watch is of one name. */
CASE(another_hard_link_may_be_renamed)
{
    need_events();
    folder f = folder_open();
    make_file(&f, "file");
    make_hard_link(&f, "file", "link");
    int w = watch(&f, "file", PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE);
    move(&f, "link", "other");
    NOTHING(&f);
    write_file(&f, "file", "text");
    COMES(&f, w, PLX_PATH_MODIFIED, "");
    folder_close(&f);
}
