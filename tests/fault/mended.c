/* SPDX-License-Identifier: MIT */
/*
 * What a fault once broke, found by conform_faults: a case with one call that fails. Each is here by
 * itself, with that call alone.
 */
#include "os/config.h"

#include "../backends.h"
#include "../seam.h"

#include "source/paths.h"

#include <sys/stat.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <sys/wait.h>

static plx_poller *poller;
static plx_registry *registry;

static void open_poller(plx_backend backend)
{
    CHECK_RC(plx_poller_open(&poller, &(plx_options){.backend = backend}), 0);
    registry = plx_poller_registry(poller);
}

static void fail_each(enum seam_call call, int error)
{
    seam_reset();
    atomic_store(&seam.fail_error, error);
    atomic_store(&seam.fail_each, 1);
    atomic_store(&seam.fail_call, (int)call);
}

/* It was given out, and the other loop heard nothing of what was there already. */
static void descriptor_that_could_not_be_woken_is_an_error(plx_backend backend)
{
    plx_poller *outer;
    plx_event event;

    open_poller(backend);
    CHECK_RC(plx_post(registry, 7, 0), 0);
    fail_each(seam_wake(backend), EIO);
    int rc = plx_poller_descriptor(poller);
    seam_reset();
    if (rc != -ENOTSUP) {
        CHECK_RC(rc, -EIO);
        CHECK_RC(plx_poller_open(&outer, &(plx_options){.backend = backend}), 0);
        CHECK_RC(plx_register(plx_poller_registry(outer), plx_poller_descriptor(poller), 8, PLX_READABLE), 0);
        CHECK_RC(plx_poller_wait(outer, &event, 1, PLX_FOREVER), 1);
        plx_poller_close(outer);
    }
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 1);
    plx_poller_close(poller);
}

/* Nobody heard of a timer whose alarm could not be set when the descriptor was asked for, or a wait left. */
static void timer_whose_alarm_could_not_be_set_is_told(plx_backend backend)
{
    plx_poller *outer;
    plx_event event;
    plx_timer timer;
    int fd;

    for (int asked = 0; asked < 2; asked++) {
        open_poller(backend);
        CHECK_RC(plx_poller_open(&outer, &(plx_options){.backend = backend}), 0);
        fd = asked ? plx_poller_descriptor(poller) : -1;
        CHECK_RC(plx_timer_start(registry, 7, PLX_MSEC(20), PLX_MSEC(20), &timer), 0);
        fail_each(SEAM_TIMERFD_SETTIME, EPERM);
        fd = asked ? fd : plx_poller_descriptor(poller);
        CHECK(!asked || plx_poller_wait(poller, &event, 1, PLX_FOREVER) == 1);
        seam_reset();
        if (fd != -ENOTSUP) {
            CHECK_RC(plx_register(plx_poller_registry(outer), fd, 8, PLX_READABLE), 0);
            do
                CHECK_RC(plx_poller_wait(outer, &event, 1, PLX_FOREVER), 1);
            while (plx_poller_wait(poller, &event, 1, 0) == 0);
            CHECK(event.token == 7 && event.flags == PLX_TIMER);
        }
        plx_poller_close(poller);
        plx_poller_close(outer);
    }
}

/* Nor of the first timer after an alarm that could not be put away: it seemed to be set still. */
static void timer_after_an_alarm_that_stayed_is_told(plx_backend backend)
{
    plx_poller *outer;
    plx_event event;
    plx_timer timer;

    open_poller(backend);
    int fd = plx_poller_descriptor(poller);
    if (fd != -ENOTSUP) {
        CHECK_RC(plx_poller_open(&outer, &(plx_options){.backend = backend}), 0);
        CHECK_RC(plx_register(plx_poller_registry(outer), fd, 8, PLX_READABLE), 0);
        for (int i = 0; i < 2; i++) {
            CHECK_RC(plx_timer_start(registry, 7, PLX_MSEC(1), 0, &timer), 0);
            if (i == 0)
                fail_each(SEAM_TIMERFD_SETTIME, EPERM);
            do
                CHECK_RC(plx_poller_wait(outer, &event, 1, PLX_FOREVER), 1);
            while (plx_poller_wait(poller, &event, 1, 0) == 0);
            CHECK(event.token == 7 && event.flags == PLX_TIMER);
            seam_reset();
        }
        plx_poller_close(outer);
    }
    plx_poller_close(poller);
}

/* Nor of any, once a set was renewed and the alarm did not get into the new one. */
static void renewed_set_has_the_alarm(plx_backend backend)
{
    plx_poller *outer;
    plx_event event;
    plx_timer timer;
    int ends[2];

    open_poller(backend);
    CHECK_RC(plx_poller_open(&outer, &(plx_options){.backend = backend}), 0);
    int fd = plx_poller_descriptor(poller);
    for (int call = 1; call <= 6; call++) {
        open_pair(ends);
        int copy = dup(ends[0]);
        CHECK_RC(plx_register(registry, ends[0], 9, PLX_WRITABLE), 0);
        close_fd(ends[0]);
        CHECK_RC(plx_deregister(registry, ends[0]), 0);
        seam_reset();
        seam_fail(SEAM_EPOLL_CTL, call, ENOSPC);
        for (int i = 0; i < 2; i++)
            CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
        seam_reset();
        CHECK_RC(plx_register(plx_poller_registry(outer), fd, 8, PLX_READABLE), 0);
        CHECK_RC(plx_timer_start(registry, 7, PLX_MSEC(1), 0, &timer), 0);
        do
            CHECK_RC(plx_poller_wait(outer, &event, 1, PLX_FOREVER), 1);
        while (plx_poller_wait(poller, &event, 1, 0) == 0);
        CHECK(event.token == 7 && event.flags == PLX_TIMER);
        CHECK_RC(plx_deregister(plx_poller_registry(outer), fd), 0);
        close_fd(copy);
        close_fd(ends[1]);
    }
    plx_poller_close(outer);
    plx_poller_close(poller);
}

/* A register over one that was closed was deaf on io_uring: its event had come before it was known. */
static void number_that_could_not_be_looked_at_again_is_not_registered(plx_backend backend)
{
    plx_event event;
    int ends[2], other[2];

    open_poller(backend);
    open_pair(ends);
    open_pair(other);
    CHECK_RC(plx_register(registry, ends[0], 7, PLX_READABLE), 0);
    CHECK_EQ(dup2(other[0], ends[0]), ends[0]);
    seam_reset();
    seam_fail(backend == PLX_BACKEND_EPOLL ? SEAM_EPOLL_CTL : SEAM_FSTAT, 2, ENOMEM);
    int rc = plx_register(registry, ends[0], 8, PLX_WRITABLE);
    seam_reset();
    CHECK_RC(rc, -ENOMEM);
    CHECK_RC(plx_register(registry, ends[0], 8, PLX_WRITABLE), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 1);
    CHECK_EQ(event.token, 8);
    plx_poller_close(poller);
    close_pair(ends);
    close_pair(other);
}

/* What the closed file reports was told under its number, instead of an error. */
static void oneshot_that_was_closed_is_told_without_a_look(plx_backend backend)
{
    plx_event event;
    int ends[2];

    open_poller(backend);
    open_pair(ends);
    put_byte(ends[1]);
    CHECK_RC(plx_register(registry, ends[0], 7, PLX_READABLE | PLX_ONESHOT), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
        CHECK_RC(plx_reregister(registry, ends[0], 7, PLX_READABLE | PLX_ONESHOT), 0);
    }
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    close_fd(ends[0]);
    CHECK_RC(plx_reregister(registry, ends[0], 7, PLX_READABLE | PLX_ONESHOT), 0);
    fail_each(SEAM_POLL, ENOMEM);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    seam_reset();
    CHECK(event.token == 7 && event.flags & PLX_ERROR);
    plx_poller_close(poller);
    close_fd(ends[1]);
}

/* poll(2) says so where there is no memory; to the library's caller it would mean another thing. */
static void wait_never_returns_eagain(plx_backend backend)
{
    plx_event event;

    open_poller(backend);
    fail_each(SEAM_POLL, EAGAIN);
    int rc = plx_poller_wait(poller, &event, 1, 0);
    seam_reset();
    CHECK_RC(rc, backend == PLX_BACKEND_POLL ? -ENOMEM : 0);
    plx_poller_close(poller);
}

/* Its time was up, and what was ready not told. */
static void wait_of_no_time_that_is_interrupted_looks_again(plx_backend backend)
{
    static const enum seam_call waits[] = {SEAM_EPOLL_WAIT, SEAM_URING_ENTER, SEAM_POLL, SEAM_KEVENT, SEAM_PORT_GETN};
    plx_event event;
    int ends[2];

    open_poller(backend);
    open_pair(ends);
    put_byte(ends[1]);
    CHECK_RC(plx_register(registry, ends[0], 7, PLX_READABLE), 0);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        seam_reset();
        seam_fail(waits[i], 1, EINTR);
        CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 1);
        CHECK_RC(plx_notify(registry), 0); /* it takes no event away */
        seam_reset();
        seam_fail(waits[i], 1, EINTR);
        CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 1);
    }
    seam_reset();
    plx_poller_close(poller);
    close_pair(ends);
}

/* One of two objects could not look, the other reaped the child, and the first had -ECHILD for ever. */
static void end_that_one_object_could_not_look_at_is_kept(plx_backend backend)
{
    plx_process *processes[2];
    plx_exit status;
    int leash[2];

    open_pair(leash);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(leash[1]);
        (void)!poll(&(struct pollfd){.fd = leash[0], .events = POLLIN}, 1, -1);
        _exit(3);
    }
    open_poller(backend);
    for (int i = 0; i < 2; i++)
        CHECK_RC(plx_process_open(registry, 7, child, &processes[i]), 0);
    close_pair(leash);
    CHECK(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT) == 0);
    seam_reset();
    seam_fail(SEAM_WAITID, 2, EPERM);
    int rc = plx_process_status(processes[0], &status);
    seam_reset();
    CHECK_RC(rc, -EPERM);
    for (int i = 0; i < 2; i++) {
        CHECK_RC(plx_process_status(processes[i], &status), 0);
        CHECK(status.code == 3 && status.signal == 0);
        plx_process_close(processes[i]);
    }
    CHECK(waitpid(child, NULL, 0) == -1 && errno == ECHILD);
    plx_poller_close(poller);
}

/* A path that could not be looked at, for want of memory, was told to be gone. */
static void path_that_could_not_be_looked_at_is_not_gone(plx_backend backend)
{
    char file[] = "/tmp/pollux.XXXXXX";
    plx_paths *paths;
    plx_path_change change;
    plx_event event;
    int watch, fd = mkstemp(file);

    CHECK(fd >= 0);
    open_poller(backend);
    CHECK_RC(plx_paths_open(registry, 7, &paths), 0);
    CHECK_RC(plx_paths_add(paths, file, PLX_PATH_ATTRIBUTES | PLX_PATH_SELF_GONE, &watch), 0);
    for (int i = 0; i < 2; i++) {
        CHECK(fchmod(fd, i ? 0700 : 0600) == 0);
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
        CHECK_RC(plx_paths_next(paths, &change), 0);
        CHECK_EQ(change.changes, PLX_PATH_ATTRIBUTES);
        fail_each(SEAM_FSTATAT, ENOMEM);
        CHECK_RC(plx_paths_next(paths, &change), -EAGAIN);
        seam_reset();
    }
    fail_each(SEAM_FSTATAT, ENOMEM);
    CHECK_RC(plx_paths_add(paths, file, PLX_PATH_ATTRIBUTES, &watch), -ENOMEM);
    seam_reset();
    plx_paths_close(paths);
    plx_poller_close(poller);
    close(fd);
    CHECK(unlink(file) == 0);
}

/*
 * So it was where listings are compared, and what is in a folder was told to be deleted; and what
 * may not be looked at when its watch begins, to be created as soon as it may.
 */
static void listing_that_could_not_look_tells_nothing(plx_backend backend)
{
    static plx__paths_way often;
    char folder[] = "/tmp/pollux.XXXXXX", file[64];
    plx_paths *paths;
    plx_path_change change;
    plx_event event;
    int watch;

    CHECK(mkdtemp(folder) != NULL);
    CHECK(snprintf(file, sizeof file, "%s/file", folder) < (int)sizeof file);
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    open_poller(backend);
    often = plx__paths_scan;
    often.interval = PLX_MSEC(10);
    const plx__paths_way *way = plx__paths_way_used;
    plx__paths_way_used = &often;
    CHECK_RC(plx_paths_open(registry, 7, &paths), 0);
    plx__paths_way_used = way;
    seam_reset();
    seam_fail(SEAM_FSTATAT, 2, EACCES); /* the file, after the folder */
    CHECK_RC(plx_paths_add(paths, folder, PLX_PATH_CREATED | PLX_PATH_DELETED | PLX_PATH_MODIFIED | PLX_PATH_SELF_GONE, &watch), 0);
    CHECK_EQ(atomic_load(&seam.failed), 1);
    for (int call = 1; call <= 4; call++) { /* of a look that finds a difference, and one that tells it */
        CHECK(chmod(folder, call % 2 ? 0700 : 0750) == 0);
        seam_reset();
        seam_fail(SEAM_FSTATAT, call, ENOMEM);
        while (atomic_load(&seam.failed) == 0) {
            CHECK(plx_poller_wait(poller, &event, 1, PLX_MSEC(20)) >= 0);
            CHECK_RC(plx_paths_next(paths, &change), -EAGAIN);
        }
    }
    seam_reset();
    CHECK(unlink(file) == 0);
    while (plx_paths_next(paths, &change) == -EAGAIN)
        CHECK(plx_poller_wait(poller, &event, 1, PLX_FOREVER) >= 0);
    CHECK_EQ(change.changes, PLX_PATH_DELETED);
    plx_paths_close(paths);
    plx_poller_close(poller);
    close(fd);
    CHECK(rmdir(folder) == 0);
}

/* A folder that a signal interrupted the opening of was -EINTR, or an overflow. */
static void folder_whose_opening_is_interrupted_is_opened(plx_backend backend)
{
    char folder[] = "/tmp/pollux.XXXXXX";
    plx_paths *paths;
    int watch;

    CHECK(mkdtemp(folder) != NULL);
    open_poller(backend);
    CHECK_RC(plx_paths_open(registry, 7, &paths), 0);
    seam_reset();
    seam_fail(SEAM_OPEN, 1, EINTR);
    CHECK_RC(plx_paths_add(paths, folder, PLX_PATH_CREATED | PLX_PATH_RECURSIVE, &watch), 0);
    CHECK_EQ(atomic_load(&seam.failed), 1);
    seam_reset();
    plx_paths_close(paths);
    plx_poller_close(poller);
    CHECK(rmdir(folder) == 0);
}

#if PLX__HAS_INOTIFY && defined(SYS_renameat2)
static void in_folder(char *path, const char *folder, const char *name)
{
    CHECK(snprintf(path, 64, "%s/%s", folder, name) < 64);
}

static void exchange(const char *folder)
{
    char a[64], b[64];

    in_folder(a, folder, "a");
    in_folder(b, folder, "b");
    CHECK(syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2u /* RENAME_EXCHANGE */) == 0);
}

/* Whether it was told, or to look again. */
static bool takes(plx_paths *paths, const char *name)
{
    plx_path_change change;
    bool told = false;
    int rc;

    while ((rc = plx_paths_next(paths, &change)) == 0)
        told |= change.changes == PLX_PATH_OVERFLOW || strcmp(change.name, name) == 0;
    CHECK_RC(rc, -EAGAIN);
    return told;
}

static void make(const char *file)
{
    int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    CHECK(fd >= 0 && close(fd) == 0);
}

/* Each had the other's name from then on, if the one look that would have shown it failed. */
static void folders_that_are_exchanged_are_looked_at_again(plx_backend backend, enum seam_call call)
{
    char folder[] = "/tmp/pollux.XXXXXX", a[64], b[64], file[64], other[64];
    plx_paths *paths;
    int watch;

    CHECK(mkdtemp(folder) != NULL);
    in_folder(a, folder, "a");
    in_folder(b, folder, "b");
    in_folder(file, folder, "a/file");
    in_folder(other, folder, "other");
    CHECK(mkdir(a, 0700) == 0 && mkdir(b, 0700) == 0);
    open_poller(backend);
    CHECK_RC(plx_paths_open(registry, 7, &paths), 0);
    CHECK_RC(plx_paths_add(paths, folder, PLX_PATH_CREATED | PLX_PATH_RECURSIVE, &watch), 0);
    for (int number = 1;; number++) {
        check_note("%s number %d fails", seam_names[call], number);
        exchange(folder);
        seam_reset();
        seam_fail(call, number, ENOMEM);
        (void)takes(paths, "");
        bool failed = atomic_load(&seam.failed) > 0;
        seam_reset();
        make(file);
        make(other); /* a later change, after which it looks for what it could not */
        CHECK(takes(paths, "a/file"));
        CHECK(unlink(file) == 0 && unlink(other) == 0);
        if (!failed) {
            CHECK(number > 1);
            break;
        }
    }
    plx_paths_close(paths);
    plx_poller_close(poller);
    CHECK(rmdir(a) == 0 && rmdir(b) == 0 && rmdir(folder) == 0);
}
#endif

int main(void)
{
    seam_install();
    watchdog(60);
    for (size_t i = 0; backends_here()[i]; i++) {
        plx_backend backend = backends_here()[i]->id;
        check_note("%s", backends_here()[i]->name);
        descriptor_that_could_not_be_woken_is_an_error(backend);
        timer_whose_alarm_could_not_be_set_is_told(backend);
        timer_after_an_alarm_that_stayed_is_told(backend);
        if (backend == PLX_BACKEND_EPOLL)
            renewed_set_has_the_alarm(backend);
        if (backend == PLX_BACKEND_EPOLL || backend == PLX_BACKEND_IO_URING)
            number_that_could_not_be_looked_at_again_is_not_registered(backend);
        if (backend == PLX_BACKEND_IO_URING)
            oneshot_that_was_closed_is_told_without_a_look(backend);
        wait_never_returns_eagain(backend);
        wait_of_no_time_that_is_interrupted_looks_again(backend);
        end_that_one_object_could_not_look_at_is_kept(backend);
#if PLX__HAS_INOTIFY && defined(SYS_renameat2)
        folders_that_are_exchanged_are_looked_at_again(backend, SEAM_OPEN);
        folders_that_are_exchanged_are_looked_at_again(backend, SEAM_FSTAT);
#endif
        if (PLX__HAS_INOTIFY)
            path_that_could_not_be_looked_at_is_not_gone(backend);
        if (PLX__HAS_EPOLL)
            listing_that_could_not_look_tells_nothing(backend);
        folder_whose_opening_is_interrupted_is_opened(backend);
    }
    return 0;
}
