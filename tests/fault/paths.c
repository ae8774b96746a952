/* SPDX-License-Identifier: MIT */
/*
 * Watched trees by inotify when the kernel gives little: one event a read, halves of a rename
 * apart, no more watches.
 */
#include "os/config.h"

#include "../seam.h"

#include <ftw.h>
#include <sys/stat.h>

#if PLX__HAS_INOTIFY

#include <sys/inotify.h>

#define CHANGES                                                                                        \
    (PLX_PATH_CREATED | PLX_PATH_DELETED | PLX_PATH_MOVED_FROM | PLX_PATH_MOVED_TO | PLX_PATH_RECURSIVE)

static char root[] = "/tmp/pollux.XXXXXX";
static bool pausing;
static int reads;
static plx_poller *poller;
static plx_paths *paths;
static int watch;

static const char *in_root(const char *name)
{
    static char made[4][256];
    static int turn;
    char *path = made[turn++ % 4];

    CHECK(snprintf(path, sizeof made[0], "%s/%s", root, name) < (int)sizeof made[0]);
    return path;
}

static void make_folder(const char *name)
{
    CHECK(mkdir(in_root(name), 0700) == 0);
}

static void make_file(const char *name)
{
    int fd = open(in_root(name), O_CREAT | O_RDONLY | O_CLOEXEC, 0600);

    CHECK(fd >= 0 && close(fd) == 0);
}

static void take(plx_path_change *change)
{
    plx_event event;
    int rc;

    while ((rc = plx_paths_next(paths, change)) == -EAGAIN)
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(20)), 1);
    CHECK_RC(rc, 0);
}

static uint32_t next(uint32_t changes, const char *name)
{
    plx_path_change change;

    take(&change);
    check_note("0x%x of \"%s\", expected 0x%x of \"%s\"", (unsigned)change.changes, change.name, (unsigned)changes,
               name);
    CHECK(change.changes == changes && strcmp(change.name, name) == 0);
    CHECK_EQ(change.watch, changes == PLX_PATH_OVERFLOW ? -1 : watch);
    return change.cookie;
}

static void nothing(void)
{
    plx_path_change change;

    CHECK_RC(plx_paths_next(paths, &change), -EAGAIN);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void begin(void)
{
    strcpy(root + strlen(root) - 6, "XXXXXX");
    CHECK(mkdtemp(root) != NULL);
    make_folder("a");
    make_folder("a/b");
    CHECK_RC(plx_poller_open(&poller, NULL), 0);
    CHECK_RC(plx_paths_open(plx_poller_registry(poller), 1, &paths), 0);
    CHECK_RC(plx_paths_add(paths, root, CHANGES, &watch), 0);
}

static void end(void)
{
    plx_paths_close(paths);
    plx_poller_close(poller);
    CHECK(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

/* ---- Reads -------------------------------------------------------------------------------- */

/* One event, and in between, if asked, none at all. */
static ssize_t read_one(int fd, void *buffer, size_t size)
{
    if (size < 4096)
        return seam.posix.read(fd, buffer, size);
    if (pausing && reads++ % 2) {
        errno = EAGAIN;
        return -1;
    }
    for (size_t room = 16; room <= 512; room += 16) {
        ssize_t rc = seam.posix.read(fd, buffer, room);
        if (rc >= 0 || errno != EINVAL) /* EINVAL: no room for the next */
            return rc;
    }
    return -1;
}

/* Folders that change their names, with news in them, one event a read. */
static void renames_keep_together(void)
{
    begin();
    plx__posix.read = read_one;
    for (int i = 0; i < 5; i++) {
        CHECK(rename(in_root("a"), in_root("c")) == 0);
        make_file("c/file");
        make_folder("c/b/new");
        CHECK(rename(in_root("c"), in_root("a")) == 0);
        uint32_t first = next(PLX_PATH_MOVED_FROM, "a");
        CHECK_EQ(next(PLX_PATH_MOVED_TO, "c"), first);
        next(PLX_PATH_CREATED, "c/file");
        next(PLX_PATH_CREATED, "c/b/new");
        uint32_t second = next(PLX_PATH_MOVED_FROM, "c");
        CHECK_EQ(next(PLX_PATH_MOVED_TO, "a"), second);
        CHECK(first && second && first != second);
        make_file("a/b/new/file");
        next(PLX_PATH_CREATED, "a/b/new/file");
        CHECK(unlink(in_root("a/b/new/file")) == 0 && rmdir(in_root("a/b/new")) == 0 &&
              unlink(in_root("a/file")) == 0);
        next(PLX_PATH_DELETED, "a/b/new/file");
        next(PLX_PATH_DELETED, "a/b/new");
        next(PLX_PATH_DELETED, "a/file");
    }
    plx__posix.read = seam.posix.read;
    nothing();
    end();
}

/*
 * When there seems to be no more, and a folder is not where it was, the program may be told to
 * look again; but all is watched, under its right name.
 */
static void a_pause_within_a_rename_loses_nothing(void)
{
    begin();
    pausing = true;
    plx__posix.read = read_one;
    for (int i = 0; i < 6; i++) {
        const char *from = i % 2 ? "c" : "a", *to = i % 2 ? "a" : "c";
        char name[64];
        plx_path_change change;
        CHECK(rename(in_root(from), in_root(to)) == 0);
        snprintf(name, sizeof name, "%s/b/%d", to, i);
        make_folder(name);
        CHECK(rename(in_root(to), in_root("d")) == 0 && rename(in_root("d"), in_root(to)) == 0);
        make_file("mark");
        do
            take(&change);
        while (strcmp(change.name, "mark") != 0);
        CHECK(unlink(in_root("mark")) == 0);
        strcat(name, "/file");
        make_file(name);
        do
            take(&change);
        while (change.changes != PLX_PATH_CREATED || strcmp(change.name, name) != 0);
    }
    plx__posix.read = seam.posix.read;
    pausing = false;
    end();
}

/* ---- Limits ------------------------------------------------------------------------------- */

/* It is told, once, and mended by itself when there is room again, which is told as well. */
static void a_full_limit_is_told_and_mended(void)
{
    int number = 4711;

    begin();
    seam_fail(SEAM_INOTIFY_ADD, 1, ENOSPC);
    atomic_store(&seam.fail_each, 1);
    CHECK_RC(plx_paths_add(paths, in_root("a"), CHANGES, &number), -ENOSPC);
    CHECK_EQ(number, 4711);
    CHECK(strstr(plx_strerror(-ENOSPC), "fs.inotify.max_user_watches") != NULL);
    make_folder("a/new");
    make_file("a/new/file");
    next(PLX_PATH_CREATED, "a/new");
    next(PLX_PATH_OVERFLOW, "");
    nothing();
    make_file("a/b/file"); /* what is watched still is */
    next(PLX_PATH_CREATED, "a/b/file");
    nothing();
    seam_fail(SEAM_INOTIFY_ADD, 0, 0);
    atomic_store(&seam.fail_each, 0);
    make_file("a/more");
    next(PLX_PATH_CREATED, "a/more");
    next(PLX_PATH_OVERFLOW, "");
    plx_path_change change;
    while (plx_paths_next(paths, &change) == 0) /* what was found again, as if new */
        CHECK(strncmp(change.name, "a/new/", 6) == 0 && change.changes == PLX_PATH_CREATED);
    make_file("a/new/other");
    next(PLX_PATH_CREATED, "a/new/other");
    nothing();
    end();
}

/* Watches that are given up leave none in the kernel. */
static void watches_are_given_back(void)
{
    int numbers[8];

    begin();
    long before = atomic_load(&seam.made[SEAM_INOTIFY_REMOVE]);
    for (int i = 0; i < 8; i++)
        CHECK_RC(plx_paths_add(paths, in_root("a"), CHANGES, &numbers[i]), 0);
    CHECK_RC(plx_paths_remove(paths, watch), 0);
    for (int i = 0; i < 8; i++)
        CHECK_RC(plx_paths_remove(paths, numbers[i]), 0);
    CHECK_EQ(atomic_load(&seam.made[SEAM_INOTIFY_REMOVE]) - before, 3); /* the root, a, a/b */
    end();
}

/* What the kernel does not tell: what happens while it replaces the mask of a watch. */
static int replace_slowly(int inotify, const char *path, uint32_t mask)
{
    if (!(mask & IN_MASK_ADD) && strcmp(path, root) == 0) {
        CHECK(seam.system.inotify_add_watch(inotify, path, IN_MOVE_SELF) > 0);
        make_file("meanwhile");
    }
    return seam.system.inotify_add_watch(inotify, path, mask);
}

static void a_watch_that_ends_takes_nothing_from_another(void)
{
    int other;

    begin();
    plx__linux.inotify_add_watch = replace_slowly;
    CHECK_RC(plx_paths_add(paths, root, CHANGES | PLX_PATH_MODIFIED, &other), 0);
    CHECK_RC(plx_paths_remove(paths, other), 0);
    plx__linux.inotify_add_watch = seam_inotify_add;
    if (access(in_root("meanwhile"), F_OK) == 0)
        next(PLX_PATH_CREATED, "meanwhile");
    make_file("file");
    next(PLX_PATH_CREATED, "file");
    nothing();
    end();
}

/* ---- A look through the tree ------------------------------------------------------------- */

static const char *first; /* of "a" and "c", whichever the library lists before the other */

/* The next read says that events were lost. */
static ssize_t read_overflow(int fd, void *buffer, size_t size)
{
    if (size < 4096)
        return seam.posix.read(fd, buffer, size);
    plx__posix.read = seam.posix.read;
    struct inotify_event lost = {.wd = -1, .mask = IN_Q_OVERFLOW};
    memcpy(buffer, &lost, sizeof lost);
    return sizeof lost;
}

/* Between the two, the folder in the first moves into the second. */
static long list_and_move(int folder, void *buffer, size_t size)
{
    char link[64], path[256] = "";
    long rc = seam.system.getdents64(folder, buffer, size);

    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    CHECK(readlink(link, path, sizeof path - 1) > 0);
    char name = *(strrchr(path, '/') + 1);
    if (rc == 0 && !first && (name == 'a' || name == 'c')) {
        first = name == 'a' ? "a" : "c";
        CHECK(rename(in_root(name == 'a' ? "a/in" : "c/in"), in_root(name == 'a' ? "c/moved" : "a/moved")) == 0);
    }
    return rc;
}

/* It was found in both; what told of its coming is older than the list of where it is. */
static void a_folder_that_moves_during_a_look_stays_watched(void)
{
    plx_path_change change;
    plx_event event;
    const char *file;

    begin();
    make_folder("c");
    make_folder("a/in");
    make_folder("c/in");
    while (plx_poller_wait(poller, &event, 1, PLX_MSEC(50)) == 1)
        while (plx_paths_next(paths, &change) == 0) {
        }
    plx__posix.read = read_overflow;
    plx__linux.getdents64 = list_and_move;
    make_file("news");
    while (plx_poller_wait(poller, &event, 1, PLX_MSEC(200)) == 1)
        while (plx_paths_next(paths, &change) == 0) {
        }
    plx__linux.getdents64 = seam_getdents;
    plx__posix.read = seam_read;
    CHECK(first);
    file = *first == 'a' ? "c/moved/file" : "a/moved/file";
    make_file(file);
    next(PLX_PATH_CREATED, file);
    end();
}

int main(void)
{
    watchdog(25);
    seam_install();
    renames_keep_together();
    a_pause_within_a_rename_loses_nothing();
    a_full_limit_is_told_and_mended();
    watches_are_given_back();
    a_watch_that_ends_takes_nothing_from_another();
    a_folder_that_moves_during_a_look_stays_watched();
    return 0;
}

#else

int main(void)
{
    SKIP("paths are watched without inotify");
}

#endif
