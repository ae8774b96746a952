/* SPDX-License-Identifier: MIT */
/* What is done in a temporary folder, by POSIX. */
#include "os/config.h"

#include "folders.h"

#if PLX__HAS_POSIX

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#if PLX__HAS_PROCESSES

static void make_new_folder(char *pattern, char *real)
{
    CHECK(mkdtemp(pattern) != NULL);
    CHECK(realpath(pattern, real) != NULL);
}

static int set_mode_of(const char *path, unsigned mode)
{
    return chmod(path, (mode_t)mode);
}

#else /* WASI */

/* The last letters of the pattern are replaced until the name is a new one. */
static void make_new_folder(char *pattern, char *real)
{
    char *letters = pattern + strlen(pattern) - 6;
    do {
        errno = 0;
        snprintf(letters, 7, "%06u", (unsigned)(plx_now() / 1000 % 1000000));
    } while (mkdir(pattern, 0700) != 0 && errno == EEXIST);
    CHECK_EQ(errno, 0);
    strcpy(real, pattern);
}

static int set_mode_of(const char *path, unsigned mode)
{
    (void)path, (void)mode;
    SKIP("WASI has no chmod");
}

#endif

void make_place(char *path, size_t size)
{
    const char *where = getenv("TMPDIR");
    char made[FOLDER_PATH - 256];
    CHECK(snprintf(made, sizeof made, "%s/pollux.XXXXXX", where && *where ? where : "/tmp") > 0);
    char real[PATH_MAX];
    make_new_folder(made, real);
    CHECK(strlen(real) < size);
    strcpy(path, real);
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

plx_fd hold_open(const folder *f, const char *name)
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
    CHECK(set_mode_of(in_folder(f, name), mode) == 0);
}

void let_go(plx_fd fd)
{
    CHECK(close(fd) == 0);
}

void work_in(const char *path, char *before, size_t size)
{
    if (before)
        CHECK(getcwd(before, size) != NULL);
    CHECK(chdir(path) == 0);
}

int many_changes(void)
{
    return 10000;
}

void need_links_told(void)
{
}

void need_moves_told(void)
{
}

void need_new_names(void)
{
}

bool moves_are_told(void)
{
    return !folder_compares();
}

bool trees_are_seen(void)
{
    return true;
}

void need_trees(void)
{
}

bool watched_can_be_deleted(void)
{
    return true;
}

void need_watched_deleted(void)
{
}

void need_free_names(void)
{
}

void need_cheap_watches(void)
{
}

#endif
