/* SPDX-License-Identifier: MIT */
/* What the double of kqueue does is what the manual pages of the BSDs say. */
#define _GNU_SOURCE
#include "../../../check.h"

#include <sys/event.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef DOUBLE_PLAIN
enum { PLAIN = 1 };
#else
enum { PLAIN = 0 };
#endif

static int kq;
static int ends[2];

static void open_all(void)
{
    kq = kqueue();
    CHECK(kq >= 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
}

static void close_all(void)
{
    close(kq);
    close(ends[0]);
    close(ends[1]);
}

static int change(uintptr_t ident, int filter, int flags, unsigned fflags, int64_t data)
{
    struct kevent one;

    EV_SET(&one, ident, filter, flags, fflags, data, &kq);
    return kevent(kq, &one, 1, NULL, 0, NULL) == 0 ? 0 : errno;
}

/* How many events there are now; the first is in *event. */
static int events_now(struct kevent *event)
{
    struct kevent events[8];
    const struct timespec none = {0};
    int count = kevent(kq, NULL, 0, events, 8, &none);

    CHECK(count >= 0);
    if (count > 0)
        *event = events[0];
    return count;
}

static bool is_readable(int fd)
{
    struct pollfd state = {.fd = fd, .events = POLLIN};

    return poll(&state, 1, 0) == 1;
}

static void readiness_is_told_until_it_is_over(void)
{
    struct kevent event;
    char byte;

    open_all();
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_READ, EV_ADD, 0, 0), 0);
    CHECK(events_now(&event) == 0 && !is_readable(kq));
    CHECK_EQ(write(ends[1], "abc", 3), 3);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(events_now(&event), 1);
        CHECK(is_readable(kq));
        CHECK_EQ(event.ident, ends[0]);
        CHECK_EQ(event.filter, EVFILT_READ);
        CHECK_EQ(event.data, 3);
        CHECK(event.udata == &kq && !(event.flags & EV_EOF));
    }
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(events_now(&event), 1);
    CHECK_EQ(event.data, 2);
    close_all();
}

static void filters_of_a_descriptor_are_events_of_their_own(void)
{
    struct kevent event;

    open_all();
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0), 0);
    CHECK_EQ(events_now(&event), 1);
    CHECK_EQ(event.filter, EVFILT_WRITE);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(write(ends[1], "a", 1), 1);
    CHECK_EQ(events_now(&event), 1); /* and not the other's edge again */
    CHECK_EQ(event.filter, EVFILT_READ);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_READ, EV_DELETE, 0, 0), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0), 0);
    CHECK_EQ(events_now(&event), 1); /* a new knote looks at its source */
    close_all();
}

static void a_oneshot_is_gone_and_a_dispatched_one_is_disabled(void)
{
    struct kevent event;

    open_all();
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ADD | EV_ONESHOT, 0, 0), 0);
    CHECK_EQ(events_now(&event), 1);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_DELETE, 0, 0), ENOENT);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ADD | EV_DISPATCH, 0, 0), 0);
    CHECK_EQ(events_now(&event), 1);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ENABLE, 0, 0), 0);
    CHECK_EQ(events_now(&event), 1);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_DELETE, 0, 0), 0);
    close_all();
}

static void a_disabled_one_is_silent_and_stays(void)
{
    struct kevent event;

    open_all();
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ADD | EV_DISABLE, 0, 0), 0);
    CHECK(events_now(&event) == 0 && !is_readable(kq));
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ADD, 0, 0), 0);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ENABLE, 0, 0), 0);
    CHECK_EQ(events_now(&event), 1);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_DISABLE, 0, 0), 0);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_DELETE, 0, 0), 0);
    close_all();
}

static void each_change_has_its_receipt(void)
{
    struct kevent list[3];

    open_all();
    CHECK_EQ(write(ends[1], "a", 1), 1);
    EV_SET(&list[0], ends[0], EVFILT_READ, EV_ADD | EV_RECEIPT, 0, 0, NULL);
    EV_SET(&list[1], ends[0], EVFILT_WRITE, EV_DELETE | EV_RECEIPT, 0, 0, NULL);
    EV_SET(&list[2], ends[1], EVFILT_READ, EV_ADD | EV_RECEIPT, 0, 0, NULL);
    CHECK_EQ(kevent(kq, list, 3, list, 3, NULL), 3); /* and no event, though there is one */
    for (int i = 0; i < 3; i++) {
        CHECK(list[i].flags & EV_ERROR);
        CHECK_EQ(list[i].data, i == 1 ? ENOENT : 0);
    }
    EV_SET(&list[0], ends[0], EVFILT_WRITE, EV_DELETE, 0, 0, NULL);
    CHECK_EQ(kevent(kq, list, 1, list + 1, 1, NULL), 1); /* without it, errors alone */
    CHECK_EQ(list[1].data, ENOENT);
    CHECK_EQ(kevent(kq, list, 1, NULL, 0, NULL), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(change(4711, EVFILT_READ, EV_ADD, 0, 0), EBADF);
    close_all();
}

static void the_end_is_a_flag_of_each_direction(void)
{
    struct kevent event;

    open_all();
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_READ, EV_ADD, NOTE_LOWAT, 1 << 30), 0);
    CHECK_EQ(write(ends[1], "abc", 3), 3);
    CHECK(events_now(&event) == 0 && !is_readable(kq)); /* data is below the mark */
    CHECK_EQ(shutdown(ends[1], SHUT_WR), 0);
    CHECK_EQ(events_now(&event), 1);
    CHECK(event.flags & EV_EOF && event.data == 3);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_READ, EV_DELETE, 0, 0), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ADD, 0, 0), 0);
    CHECK_EQ(events_now(&event), 1);
    CHECK(!(event.flags & EV_EOF));
    close(ends[1]);
    CHECK_EQ(events_now(&event), 1);
    CHECK(event.flags & EV_EOF);
    ends[1] = dup(ends[0]);
    close_all();
}

static void a_pipe_without_readers_is_epipe(void)
{
    struct kevent event;
    int pipes[2];

    open_all();
    CHECK(pipe(pipes) == 0);
    CHECK_EQ(change((uintptr_t)pipes[1], EVFILT_READ, EV_ADD, 0, 0), 0);
    CHECK_EQ(events_now(&event), 0);
    close(pipes[0]);
    CHECK_EQ(events_now(&event), 1); /* seen from its reading side as well */
    CHECK(event.flags & EV_EOF);
    CHECK_EQ(change((uintptr_t)pipes[1], EVFILT_WRITE, EV_ADD, 0, 0), PLAIN ? EBADF : EPIPE);
    close(pipes[1]);
    close_all();
}

static void a_writer_of_a_fifo_is_not_read(void)
{
    struct kevent event;
    char folder[] = "/tmp/pollux.XXXXXX", path[64];

    open_all();
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/fifo", folder);
    CHECK(mkfifo(path, 0600) == 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK), writer = open(path, O_WRONLY | O_NONBLOCK);
    CHECK(reader >= 0 && writer >= 0);
    CHECK_EQ(change((uintptr_t)writer, EVFILT_READ, EV_ADD, 0, 0), PLAIN ? EINVAL : 0);
    close(reader);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(change((uintptr_t)writer, EVFILT_WRITE, EV_ADD, 0, 0), 0);
    CHECK(events_now(&event) == 1 && event.filter == EVFILT_WRITE && event.flags & EV_EOF);
    close(writer);
    CHECK(unlink(path) == 0 && rmdir(folder) == 0);
    close_all();
}

static void own_shutdown_is_the_end_of_writing(void)
{
    struct kevent event;

    open_all();
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ADD, 0, 0), 0);
    CHECK(events_now(&event) == 1 && !(event.flags & EV_EOF));
    CHECK(shutdown(ends[0], SHUT_WR) == 0);
    CHECK(events_now(&event) == 1 && event.flags & EV_EOF);
    close_all();
}

/* EXCEPT is READ with a note, and the error of a socket is where the note is. */
static void exceptional_is_not_all_that_except_reports(void)
{
    struct kevent event;

    open_all();
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_EXCEPT, EV_ADD | EV_CLEAR, NOTE_OOB, 0), 0);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(write(ends[1], "a", 1), 1);
    CHECK(events_now(&event) == 1 && !(event.fflags & NOTE_OOB));
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(write(ends[0], "a", 1), 1);
    close(ends[1]); /* with what was not read: ECONNRESET */
    CHECK(events_now(&event) == 1 && event.flags & EV_EOF && event.fflags & NOTE_OOB);
    ends[1] = dup(ends[0]);
    close_all();
}

static void knotes_go_with_their_number(void)
{
    struct kevent event;

    open_all();
    CHECK_EQ(write(ends[1], "a", 1), 1);
    int number = dup(ends[0]);
    CHECK_EQ(change((uintptr_t)number, EVFILT_READ, EV_ADD, 0, 0), 0);
    CHECK_EQ(events_now(&event), 1);
    close(number);
    CHECK_EQ(events_now(&event), 0); /* the file is open still */
    CHECK_EQ(dup2(ends[0], number), number);
    CHECK_EQ(change((uintptr_t)number, EVFILT_READ, EV_DELETE, 0, 0), ENOENT);
    CHECK_EQ(change((uintptr_t)number, EVFILT_READ, EV_ADD, 0, 0), 0);
    CHECK_EQ(dup2(ends[1], number), number);
    CHECK_EQ(change((uintptr_t)number, EVFILT_READ, EV_DELETE, 0, 0), ENOENT);
    close(number);
    close_all();
}

static void user_events_are_triggered_once_each(void)
{
    struct kevent event;

    open_all();
    CHECK_EQ(change(1, EVFILT_USER, 0, NOTE_TRIGGER, 0), ENOENT);
    CHECK_EQ(change(1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0), 0);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(change(1, EVFILT_USER, 0, NOTE_TRIGGER, 0), 0);
    CHECK_EQ(change(1, EVFILT_USER, 0, NOTE_TRIGGER, 0), 0);
    CHECK(is_readable(kq));
    CHECK_EQ(events_now(&event), 1);
    CHECK_EQ(events_now(&event), 0);
    CHECK(!is_readable(kq));
    close_all();
}

static void a_timer_goes_off_after_its_time(void)
{
    struct kevent event;
    struct timespec before, after;

    open_all();
    clock_gettime(CLOCK_MONOTONIC, &before);
    CHECK_EQ(change(1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_NSECONDS, 3000000), 0);
    CHECK_EQ(kevent(kq, NULL, 0, &event, 1, NULL), 1);
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >= 3000000);
    CHECK_EQ(event.data, 1);
    CHECK_EQ(change(1, EVFILT_TIMER, EV_DELETE, 0, 0), ENOENT);
    CHECK_EQ(change(1, EVFILT_TIMER, EV_ADD, 0, 1), 0); /* milliseconds, again and again */
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kevent(kq, NULL, 0, &event, 1, NULL), 1);
    close_all();
}

static void a_process_tells_its_end(void)
{
    struct kevent event;
    int leash[2];

    open_all();
    CHECK(pipe(leash) == 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(leash[1]);
        CHECK(kevent(kq, NULL, 0, &event, 1, NULL) == -1 && errno == EBADF); /* a child has no queue */
        _exit(read(leash[0], &byte, 1) == 0 ? 7 : 1);
    }
    CHECK_EQ(change((uintptr_t)child, EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0), 0);
    CHECK(events_now(&event) == 0 && !is_readable(kq));
    close(leash[1]);
    CHECK_EQ(kevent(kq, NULL, 0, &event, 1, NULL), 1);
    CHECK(event.fflags & NOTE_EXIT && event.flags & EV_EOF);
    CHECK_EQ(events_now(&event), 0);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 7);
    CHECK_EQ(change((uintptr_t)child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0), ESRCH);
    child = fork();
    if (child == 0)
        _exit(7);
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    CHECK_EQ(change((uintptr_t)child, EVFILT_PROC, EV_ADD, NOTE_EXIT, 0), PLAIN ? 0 : ESRCH);
    CHECK_EQ(events_now(&event), PLAIN);
    CHECK_EQ(waitpid(child, &status, 0), child);
    close(leash[0]);
    close_all();
}

static void a_file_tells_of_its_changes(void)
{
    const unsigned notes = NOTE_WRITE | NOTE_EXTEND | NOTE_ATTRIB | NOTE_DELETE | NOTE_RENAME;
    char folder[] = "/tmp/pollux.XXXXXX", path[64], other[64];
    struct kevent event;

    open_all();
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(other, sizeof other, "%s/b", folder);
    int above = open(folder, O_RDONLY), file = open(path, O_RDWR | O_CREAT, 0600);
    CHECK_EQ(change((uintptr_t)file, EVFILT_VNODE, EV_ADD | EV_CLEAR, notes, 0), 0);
    CHECK_EQ(events_now(&event), 0);
    CHECK_EQ(write(file, "a", 1), 1);
    CHECK(events_now(&event) == 1 && event.fflags & NOTE_WRITE);
    CHECK_EQ(events_now(&event), 0);
    CHECK(fchmod(file, 0644) == 0 && events_now(&event) == 1 && event.fflags & NOTE_ATTRIB);
    CHECK_EQ(change((uintptr_t)above, EVFILT_VNODE, EV_ADD | EV_CLEAR, NOTE_WRITE, 0), 0);
    CHECK(rename(path, other) == 0 && events_now(&event) == 2);
    CHECK(unlink(other) == 0 && events_now(&event) == 2);
    close(file);
    close(above);
    CHECK(rmdir(folder) == 0);
    CHECK_EQ(events_now(&event), 0);
    close_all();
}

static void a_queue_nests(void)
{
    struct kevent event;
    const struct timespec none = {0};

    open_all();
    int outer = kqueue();
    EV_SET(&event, kq, EVFILT_READ, EV_ADD, 0, 0, NULL);
    CHECK_EQ(kevent(outer, &event, 1, NULL, 0, NULL), 0);
    CHECK_EQ(kevent(outer, NULL, 0, &event, 1, &none), 0);
    CHECK_EQ(change((uintptr_t)ends[0], EVFILT_WRITE, EV_ADD, 0, 0), 0);
    CHECK_EQ(kevent(outer, NULL, 0, &event, 1, &none), 1);
    CHECK_EQ(event.ident, kq);
    close(outer);
    close_all();
}

static atomic_int taken;

static void *take_many(void *unused)
{
    struct kevent event;

    while (kevent(kq, NULL, 0, &event, 1, NULL) == 1 && event.filter == EVFILT_USER && event.ident == 1)
        atomic_fetch_add(&taken, 1);
    return unused;
}

static void one_of_several_threads_has_an_edge(void)
{
    pthread_t threads[3];

    open_all();
    atomic_store(&taken, 0);
    CHECK_EQ(change(1, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0), 0);
    CHECK_EQ(change(2, EVFILT_USER, EV_ADD, 0, 0), 0); /* level: all of them, to the end */
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, take_many, NULL), 0);
    for (int i = 1; i <= 1000; i++) {
        CHECK_EQ(change(1, EVFILT_USER, 0, NOTE_TRIGGER, 0), 0);
        while (atomic_load(&taken) < i)
            sched_yield();
    }
    CHECK_EQ(change(2, EVFILT_USER, 0, NOTE_TRIGGER, 0), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(atomic_load(&taken), 1000);
    close_all();
}

static void a_time_that_darwin_refuses_is_einval(void)
{
    const struct timespec long_time = {.tv_sec = 100000001};
    struct kevent event;

    open_all();
    CHECK_EQ(kevent(kq, NULL, 0, &event, 1, &long_time), -1);
    CHECK_EQ(errno, EINVAL);
    close_all();
}

int main(void)
{
    readiness_is_told_until_it_is_over();
    filters_of_a_descriptor_are_events_of_their_own();
    a_oneshot_is_gone_and_a_dispatched_one_is_disabled();
    a_disabled_one_is_silent_and_stays();
    each_change_has_its_receipt();
    the_end_is_a_flag_of_each_direction();
    a_pipe_without_readers_is_epipe();
    a_writer_of_a_fifo_is_not_read();
    own_shutdown_is_the_end_of_writing();
    if (!PLAIN)
        exceptional_is_not_all_that_except_reports();
    knotes_go_with_their_number();
    if (!PLAIN)
        user_events_are_triggered_once_each();
    a_timer_goes_off_after_its_time();
    a_process_tells_its_end();
    a_file_tells_of_its_changes();
    a_queue_nests();
    if (!PLAIN)
        one_of_several_threads_has_an_edge();
    a_time_that_darwin_refuses_is_einval();
    return 0;
}
