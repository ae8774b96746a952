/* SPDX-License-Identifier: MIT */
/*
 * Watches a tree, and a file in it that an editor saves: by writing another and giving it the
 * name of the first. Without an argument it makes a tree and the changes itself; with one it
 * watches that folder for a minute.
 */
#define _XOPEN_SOURCE 700
#define _DARWIN_C_SOURCE 1 /* mkdtemp, on macOS */
#include <fcntl.h>
#include <pollux.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

/* Prints what has changed; how many were the watched path's own end. */
static int print_changes(plx_paths *paths)
{
    static const char *const what[] = {"created",  "deleted",    "modified", "moved from",
                                       "moved to", "attributes", "written",  "gone"};
    plx_path_change change;
    int gone = 0;

    while (plx_paths_next(paths, &change) == 0) {
        if (change.changes == PLX_PATH_OVERFLOW)
            puts("changes were lost: look again");
        for (int bit = 0; bit < 8; bit++)
            if (change.changes & 1u << bit)
                printf("watch %d: %-10s %s\n", change.watch, what[bit], change.name);
        gone += change.changes == PLX_PATH_SELF_GONE;
    }
    return gone;
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/pollux.XXXXXX";
    const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
    plx_poller *poller;
    plx_paths *paths;
    int tree, file;

    if (!folder || (argc == 1 && chdir(folder) != 0))
        return 1;
    if (argc == 1)
        write_file("notes", "first\n");
    int rc = plx_poller_open(&poller, NULL);
    if (rc == 0)
        rc = plx_paths_open(plx_poller_registry(poller), 1, &paths);
    if (rc == 0)
        rc = plx_paths_add(paths, folder, PLX_PATH_CREATED | PLX_PATH_DELETED | PLX_PATH_RECURSIVE, &tree);
    if (rc == 0 && argc == 1)
        rc = plx_paths_add(paths, "notes", PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE, &file);
    if (rc < 0) {
        fprintf(stderr, "%s\n", plx_strerror(rc));
        return 1;
    }
    if (argc == 1 && mkdir("new", 0700) == 0) {
        write_file("new/file", "in a folder that nobody has watched before\n");
        write_file("notes.saved", "second\n");
        rename("notes.saved", "notes");
    }
    plx_event event;
    int gone = 0;
    for (plx_nanos end = plx_now() + PLX_SEC(argc > 1 ? 60 : 20); plx_now() < end && gone == 0;)
        if (plx_poller_wait_until(poller, &event, 1, end) == 1)
            gone = print_changes(paths);
    plx_paths_close(paths);
    plx_poller_close(poller);
    bool clean = argc > 1 || !(remove("new/file") | remove("new") | remove("notes") | remove(made));
    return clean && (argc > 1 || gone == 1) ? 0 : 1;
}
