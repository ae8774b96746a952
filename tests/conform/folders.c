/* SPDX-License-Identifier: MIT */
/* A temporary folder that is watched, for POSIX. */
#include "os/config.h"

#include "folders.h"

#include "source/paths.h"
#if PLX__HAS_HINTS
#include "source/paths_listing.h"
#endif

#include <ftw.h>
#include <limits.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool folder_compares(void)
{
    return plx__paths_way_used->interval != 0;
}

void need_events(void)
{
    const char *way = getenv("CONFORM_PATHS");
    if (folder_compares() || (way && strcmp(way, "scan") == 0))
        SKIP("compared listings do not show it");
}

bool folder_hints(void)
{
    const char *way = getenv("CONFORM_PATHS");
    return PLX__HAS_HINTS && folder_compares() && !(way && strcmp(way, "scan") == 0);
}

#if PLX__HAS_HINTS
/* As if the kernel told of nothing. */
static int open_without_hints(void *state, const plx_allocator *memory, plx_fd *descriptor)
{
    sc_state *sc = state;
    int rc = plx__paths_scan.open(state, memory, descriptor);
    if (rc < 0)
        return rc;
    plx__hints_close(&sc->hints);
    sc->blind = true;
    *descriptor = PLX__NO_DESCRIPTOR;
    return 0;
}
#else
#define open_without_hints plx__paths_scan.open
#endif

/* With hints there is no tick that could stand in for one that is missing. */
static void choose_way(void)
{
    static plx__paths_way often;
    const char *way = getenv("CONFORM_PATHS");
    if (folder_compares() || (way && strcmp(way, "scan") == 0)) {
        bool hints = folder_hints();
        often = plx__paths_scan;
        often.interval = hints ? PLX_SEC(3600) : PLX_MSEC(10);
        often.open = hints ? often.open : open_without_hints;
        plx__paths_way_used = &often;
    }
}

folder folder_open_on(plx_poller *poller)
{
    folder f = {.poller = poller, .registry = plx_poller_registry(poller)};
    const char *where = getenv("TMPDIR");
    choose_way();
    char made[FOLDER_PATH - 256];
    CHECK(snprintf(made, sizeof made, "%s/pollux.XXXXXX", where && *where ? where : "/tmp") > 0);
    CHECK(mkdtemp(made) != NULL);
    char real[PATH_MAX];
    CHECK(realpath(made, real) != NULL);
    CHECK(strlen(real) < sizeof f.path);
    strcpy(f.path, real);
    CHECK_RC(plx_paths_open(f.registry, FOLDER_TOKEN, &f.paths), 0);
    return f;
}

folder folder_open(void)
{
    return folder_open_on(open_poller());
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void remove_all(const char *path)
{
    CHECK(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

void folder_close(folder *f)
{
    remove_all(f->path);
    plx_paths_close(f->paths);
    plx_poller_close(f->poller); /* NULL is ignored */
}

const char *in_folder(const folder *f, const char *name)
{
    static _Thread_local char paths[4][FOLDER_PATH];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 4];
    CHECK(snprintf(path, FOLDER_PATH, *name ? "%s/%s" : "%s", f->path, name) < FOLDER_PATH);
    return path;
}

int try_watch(folder *f, const char *name, uint32_t changes, int *number)
{
    return plx_paths_add(f->paths, in_folder(f, name), changes, number);
}

int watch(folder *f, const char *name, uint32_t changes)
{
    int number = 0;
    CHECK_RC(try_watch(f, name, changes, &number), 0);
    CHECK(number > 0);
    return number;
}

int hold_open(const folder *f, const char *name)
{
    int fd = open(in_folder(f, name), O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

void make_file(const folder *f, const char *name)
{
    int fd = open(in_folder(f, name), O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK(close(fd) == 0);
}

void write_file(const folder *f, const char *name, const char *text)
{
    int fd = open(in_folder(f, name), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    CHECK(close(fd) == 0);
}

void make_folder(const folder *f, const char *name)
{
    CHECK(mkdir(in_folder(f, name), 0700) == 0);
}

void make_folders(const folder *f, const char *name)
{
    char part[FOLDER_PATH];
    CHECK(strlen(name) < sizeof part);
    for (size_t i = 0; i == 0 || name[i - 1]; i++) {
        part[i] = name[i];
        if (name[i] && name[i] != '/')
            continue;
        part[i] = '\0';
        CHECK(mkdir(in_folder(f, part), 0700) == 0 || errno == EEXIST);
        part[i] = name[i];
    }
}

void move(const folder *f, const char *from, const char *to)
{
    CHECK(rename(in_folder(f, from), in_folder(f, to)) == 0);
}

void make_link(const folder *f, const char *to, const char *name)
{
    CHECK(symlink(to, in_folder(f, name)) == 0);
}

void make_hard_link(const folder *f, const char *to, const char *name)
{
    CHECK(link(in_folder(f, to), in_folder(f, name)) == 0);
}

void remove_file(const folder *f, const char *name)
{
    CHECK(unlink(in_folder(f, name)) == 0);
}

void remove_folder(const folder *f, const char *name)
{
    CHECK(rmdir(in_folder(f, name)) == 0);
}

void remove_tree(const folder *f, const char *name)
{
    remove_all(in_folder(f, name));
}

void set_mode(const folder *f, const char *name, unsigned mode)
{
    CHECK(chmod(in_folder(f, name), (mode_t)mode) == 0);
}

/* ---- Expectations ----------------------------------------------------------------- */

void take_change(folder *f, plx_path_change *change)
{
    plx_event event;
    int rc;
    while ((rc = plx_paths_next(f->paths, change)) == -EAGAIN) {
        CHECK_RC(plx_poller_wait(f->poller, &event, 1, PATIENCE), 1);
        CHECK_EQ(event.token, FOLDER_TOKEN);
        CHECK(event.flags == PLX_PATH && event.native == 0 && event.data == 0);
    }
    CHECK_RC(rc, 0);
    CHECK(change->name != NULL);
}

uint32_t next_at(const char *file, int line, folder *f, int watch, uint32_t changes, const char *name)
{
    plx_path_change change;
    take_change(f, &change);
    if (change.watch != watch || change.changes != changes || strcmp(change.name, name) != 0)
        check_fail_with(file, line, "", "watch %d: change 0x%x of \"%s\", expected %d: 0x%x of \"%s\"",
                        change.watch, (unsigned)change.changes, change.name, watch, (unsigned)changes, name);
    CHECK((change.cookie != 0) == ((changes & (PLX_PATH_MOVED_FROM | PLX_PATH_MOVED_TO)) != 0));
    return change.cookie;
}

uint32_t comes_at(const char *file, int line, folder *f, int watch, uint32_t changes, const char *name)
{
    plx_path_change change;
    char seen[1024] = "";
    plx_nanos end = plx_now() + PATIENCE;
    while (plx_now() < end) {
        plx_event event;
        int rc = plx_paths_next(f->paths, &change);
        if (rc == -EAGAIN) {
            CHECK(plx_poller_wait(f->poller, &event, 1, PLX_SEC(1)) >= 0);
            continue;
        }
        CHECK_RC(rc, 0);
        if (change.watch == watch && change.changes == changes && strcmp(change.name, name) == 0)
            return change.cookie;
        size_t length = strlen(seen);
        snprintf(seen + length, sizeof seen - length, " %d:0x%x:%s", change.watch, (unsigned)change.changes,
                 change.name);
    }
    check_fail_with(file, line, "", "%d: 0x%x of \"%s\" never came; what came:%s", watch, (unsigned)changes, name,
                    seen);
}

void nothing_at(const char *file, int line, folder *f)
{
    plx_path_change change = {.name = ""};
    plx_event event;
    plx_nanos end = plx_now() + PLX_MSEC(300);
    int rc = -EAGAIN;
    if (!folder_compares() && plx_poller_wait(f->poller, &event, 1, 0) == 1) /* for what was read ahead and is told */
        CHECK_RC(plx_paths_next(f->paths, &change), -EAGAIN);
    if (!folder_compares())
        expect_silence_at(file, line, "", f->poller, PLX_MSEC(2));
    while (folder_compares() && rc == -EAGAIN && plx_now() < end) { /* events for differences that were not asked for */
        CHECK(plx_poller_wait(f->poller, &event, 1, PLX_MSEC(50)) >= 0);
        rc = plx_paths_next(f->paths, &change);
    }
    if (rc == -EAGAIN)
        rc = plx_paths_next(f->paths, &change);
    if (rc != -EAGAIN)
        check_fail_with(file, line, "", "%d, watch %d: change 0x%x of \"%s\", expected none", rc, change.watch,
                        (unsigned)change.changes, change.name);
}
