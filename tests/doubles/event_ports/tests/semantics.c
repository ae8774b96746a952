/* SPDX-License-Identifier: MIT */
/* What the manual pages say of event ports, of the double. */
#include "os/config.h"

#include "../../../tools.h"

#include <port.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int port;
static int ends[2];
static port_event_t got[8];

static const struct timespec at_once;

/* How many there are now; the errors with which events may come are passed over. */
static int fetch(unsigned most)
{
    unsigned count = 1;

    if (port_getn(port, got, most, &count, &at_once) < 0)
        CHECK(errno == ETIME || errno == EINTR);
    return (int)count;
}

static void begin(void)
{
    port = port_create();
    CHECK(port >= 0);
    open_pair(ends);
}

static void end(void)
{
    CHECK(close(port) == 0);
    close_pair(ends);
}

static void associate(int events, uintptr_t user)
{
    CHECK(port_associate(port, PORT_SOURCE_FD, (uintptr_t)ends[0], events, (void *)user) == 0);
}

static bool readable(void)
{
    return poll(&(struct pollfd){.fd = port, .events = POLLIN}, 1, 0) == 1;
}

static void expect_error(int rc, int error)
{
    CHECK_EQ(rc, -1);
    CHECK_EQ(errno, error);
}

static void expect_event(int source, uintptr_t object, int events, uintptr_t user)
{
    CHECK_EQ(fetch(8), 1);
    CHECK_EQ(got[0].portev_source, source);
    CHECK_EQ(got[0].portev_object, object);
    CHECK_EQ(got[0].portev_events, events);
    CHECK_EQ((uintptr_t)got[0].portev_user, user);
}

/* ---- Descriptors ----------------------------------------------------------- */

static void an_association_has_one_event(void)
{
    begin();
    associate(POLLIN, 7);
    CHECK(!readable());
    CHECK_EQ(fetch(8), 0);
    put_byte(ends[1]);
    CHECK(readable());
    expect_event(PORT_SOURCE_FD, (uintptr_t)ends[0], POLLIN, 7);
    CHECK(!readable());
    put_byte(ends[1]);
    CHECK_EQ(fetch(8), 0);
    expect_error(port_dissociate(port, PORT_SOURCE_FD, (uintptr_t)ends[0]), ENOENT);
    associate(POLLIN, 8); /* what is ready already is told at once */
    expect_event(PORT_SOURCE_FD, (uintptr_t)ends[0], POLLIN, 8);
    end();
}

static void a_second_association_replaces_the_first(void)
{
    begin();
    put_byte(ends[1]);
    associate(POLLIN, 1);
    CHECK(readable());
    associate(POLLPRI, 2); /* the event that is queued goes too */
    CHECK_EQ(fetch(8), 0);
    associate(POLLOUT, 3);
    expect_event(PORT_SOURCE_FD, (uintptr_t)ends[0], POLLOUT, 3);
    end();
}

static void an_event_is_of_its_moment(void)
{
    begin();
    put_byte(ends[1]);
    associate(POLLIN, 1);
    drain(ends[0]);
    CHECK(readable());
    expect_event(PORT_SOURCE_FD, (uintptr_t)ends[0], POLLIN, 1);
    end();
}

/* Until its event was fetched there is an association. */
static void dissociating_takes_the_event_along(void)
{
    begin();
    expect_error(port_dissociate(port, PORT_SOURCE_FD, (uintptr_t)ends[0]), ENOENT);
    associate(POLLIN, 1);
    CHECK(port_dissociate(port, PORT_SOURCE_FD, (uintptr_t)ends[0]) == 0);
    put_byte(ends[1]);
    CHECK_EQ(fetch(8), 0);
    associate(POLLIN, 1);
    CHECK(readable());
    CHECK(port_dissociate(port, PORT_SOURCE_FD, (uintptr_t)ends[0]) == 0);
    CHECK(!readable());
    CHECK_EQ(fetch(8), 0);
    end();
}

static void a_hang_up_comes_unasked(void)
{
    begin();
    associate(0, 1);
    put_byte(ends[1]);
    CHECK_EQ(fetch(8), 0);
    CHECK(shutdown(ends[0], SHUT_RDWR) == 0);
    expect_event(PORT_SOURCE_FD, (uintptr_t)ends[0], POLLHUP, 1);
    end();
}

static void a_closed_number_has_no_association(void)
{
    for (int by_dup2 = 0; by_dup2 < 2; by_dup2++) {
        begin();
        put_byte(ends[1]);
        associate(POLLIN, 1);
        int copy = dup(ends[0]);
        if (by_dup2)
            CHECK(dup2(copy, ends[0]) == ends[0]); /* the same file, and a new number */
        else
            CHECK(close(ends[0]) == 0);
        CHECK_EQ(fetch(8), 0);
        expect_error(port_dissociate(port, PORT_SOURCE_FD, (uintptr_t)ends[0]), by_dup2 ? ENOENT : EBADFD);
        if (!by_dup2)
            expect_error(port_associate(port, PORT_SOURCE_FD, (uintptr_t)ends[0], POLLIN, NULL), EBADFD);
        if (!by_dup2)
            CHECK(dup2(copy, ends[0]) == ends[0]);
        CHECK(close(copy) == 0);
        end();
    }
}

/* ---- Fetching -------------------------------------------------------------- */

static void as_many_as_there_is_room_for(void)
{
    unsigned count = 1;

    begin();
    for (uintptr_t i = 0; i < 5; i++)
        CHECK(port_send(port, 3, (void *)i) == 0);
    CHECK(port_getn(port, NULL, 0, &count, NULL) == 0);
    CHECK_EQ(count, 5);
    CHECK_EQ(fetch(3), 3);
    CHECK_EQ(got[0].portev_source, PORT_SOURCE_USER);
    CHECK_EQ(got[0].portev_events, 3);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK_EQ((uintptr_t)got[i].portev_user, i);
    CHECK_EQ(fetch(8), 2);
    CHECK_EQ((uintptr_t)got[1].portev_user, 4);
    count = 9;
    expect_error(port_getn(port, got, 8, &count, &at_once), EINVAL);
    expect_error(port_getn(port, got, 8, NULL, &at_once), EINVAL);
    expect_error(port_getn(port, got, 8, &(unsigned){1}, &(struct timespec){.tv_nsec = -1}), EINVAL);
    end();
}

static void errors_may_have_events(void)
{
    int with[2] = {0, 0};

    begin();
    for (int i = 0; i < 100; i++) {
        unsigned count = 1;
        CHECK(port_send(port, 1, NULL) == 0);
        int rc = port_getn(port, got, 8, &count, NULL);
        CHECK_EQ(count, 1);
        CHECK(rc == 0 || errno == ETIME || errno == EINTR);
        with[0] += rc < 0 && errno == ETIME;
        with[1] += rc < 0 && errno == EINTR;
    }
    CHECK(with[0] > 0 && with[1] > 0);
    end();
}

/* The desired number of events does not come; what there is, is delivered. */
static void time_is_up(void)
{
    unsigned count = 2;
    plx_nanos before = plx_now();

    begin();
    CHECK(port_send(port, 1, NULL) == 0);
    expect_error(port_getn(port, got, 8, &count, &(struct timespec){.tv_nsec = 20000000}), ETIME);
    CHECK_EQ(count, 1);
    CHECK(plx_now() - before >= PLX_MSEC(20));
    expect_error(port_getn(port, got, 8, &count, &(struct timespec){.tv_nsec = 1}), ETIME);
    CHECK_EQ(count, 0);
    end();
}

static void ignore(int number)
{
    (void)number;
}

/* The count says nothing then. */
static void a_signal_interrupts(void)
{
    struct sigaction action = {.sa_handler = ignore};
    unsigned count = 1;

    begin();
    sigaction(SIGALRM, &action, NULL);
    alarm(1);
    expect_error(port_getn(port, got, 8, &count, NULL), EINTR);
    CHECK_EQ(count, 1);
    end();
}

enum { THREADS = 4, SENT = 4000 };

static atomic_int taken;
static atomic_int seen[SENT];

static void *take_many(void *unused)
{
    while (atomic_load(&taken) < SENT) {
        port_event_t events[3];
        unsigned count = 1;
        if (port_getn(port, events, 3, &count, &(struct timespec){.tv_nsec = 10000000}) < 0)
            CHECK(errno == ETIME || errno == EINTR);
        for (unsigned i = 0; i < count; i++)
            atomic_fetch_add(&seen[(uintptr_t)events[i].portev_user], 1);
        atomic_fetch_add(&taken, (int)count);
    }
    return unused;
}

static void each_event_is_one_threads(void)
{
    pthread_t threads[THREADS];

    begin();
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(take_many, NULL);
    for (uintptr_t i = 0; i < SENT; i++)
        CHECK(port_send(port, 1, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    for (int i = 0; i < SENT; i++)
        CHECK_EQ(atomic_load(&seen[i]), 1);
    end();
}

/* ---- Limits, alerts, errors ------------------------------------------------ */

static void a_full_port_can_be_alerted(void)
{
    unsigned before = port_double_most;

    begin();
    port_double_most = 2;
    associate(POLLIN, 1);
    CHECK(port_send(port, 1, NULL) == 0);
    expect_error(port_send(port, 1, NULL), EAGAIN);
    expect_error(port_associate(port, PORT_SOURCE_FD, (uintptr_t)ends[1], POLLIN, NULL), EAGAIN);
    CHECK(port_alert(port, PORT_ALERT_SET, 5, (void *)6) == 0);
    expect_error(port_alert(port, PORT_ALERT_UPDATE, 5, NULL), EBUSY);
    for (int i = 0; i < 2; i++) /* to each, again and again, and nothing else */
        expect_event(PORT_SOURCE_ALERT, 0, 5, 6);
    CHECK(port_alert(port, PORT_ALERT_SET, 0, NULL) == 0);
    CHECK_EQ(fetch(8), 1);
    CHECK_EQ(got[0].portev_source, PORT_SOURCE_USER);
    CHECK(!readable());
    port_double_most = before;
    end();
}

static void what_is_no_port_is_an_error(void)
{
    unsigned count = 1;

    begin();
    expect_error(port_send(-1, 1, NULL), EBADF);
    expect_error(port_send(ends[0], 1, NULL), EBADFD);
    expect_error(port_getn(ends[0], got, 8, &count, &at_once), EBADFD);
    expect_error(port_associate(port, PORT_SOURCE_USER, 0, 0, NULL), EINVAL);
    expect_error(port_dissociate(port, PORT_SOURCE_TIMER, 0), EINVAL);
    end();
}

/* A child is not the owner of the parent's associations; what it closes is its own. */
static void a_child_leaves_the_parents_alone(void)
{
    int status;

    begin();
    associate(POLLIN, 1);
    pid_t pid = fork();
    if (pid == 0) {
        bool denied = port_dissociate(port, PORT_SOURCE_FD, (uintptr_t)ends[0]) < 0 && errno == EACCES;
        close(ends[0]);
        close(port);
        port = port_create();
        _exit(denied && port >= 0 && port_send(port, 1, NULL) == 0 && fetch(8) == 1 ? 0 : 1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    put_byte(ends[1]);
    expect_event(PORT_SOURCE_FD, (uintptr_t)ends[0], POLLIN, 1);
    end();
}

/* ---- Files ----------------------------------------------------------------- */

static char path[] = "/tmp/port_double.XXXXXX";
static file_obj_t file = {.fo_name = path};

static void look(void)
{
    struct stat status;

    CHECK(stat(path, &status) == 0);
    file.fo_atime = status.st_atim;
    file.fo_mtime = status.st_mtim;
    file.fo_ctime = status.st_ctim;
}

static int watch(int events)
{
    return port_associate(port, PORT_SOURCE_FILE, (uintptr_t)&file, events, (void *)9);
}

static void files_are_watched_for_one_event(void)
{
    begin();
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    look();
    CHECK(watch(FILE_MODIFIED | FILE_ATTRIB) == 0);
    CHECK_EQ(fetch(8), 0);
    put_byte(fd);
    CHECK(readable());
    CHECK_EQ(fetch(8), 1);
    CHECK(got[0].portev_source == PORT_SOURCE_FILE && got[0].portev_object == (uintptr_t)&file);
    CHECK(got[0].portev_events & FILE_MODIFIED && got[0].portev_user == (void *)9);
    put_byte(fd);
    CHECK_EQ(fetch(8), 0);
    CHECK(watch(FILE_MODIFIED) == 0); /* it is not as it was at the look */
    expect_event(PORT_SOURCE_FILE, (uintptr_t)&file, FILE_MODIFIED, 9);
    look();
    CHECK(watch(FILE_ATTRIB) == 0);
    CHECK(fchmod(fd, 0640) == 0);
    expect_event(PORT_SOURCE_FILE, (uintptr_t)&file, FILE_ATTRIB, 9);
    look();
    CHECK(watch(FILE_MODIFIED) == 0);
    CHECK(port_dissociate(port, PORT_SOURCE_FILE, (uintptr_t)&file) == 0);
    put_byte(fd);
    CHECK_EQ(fetch(8), 0);
    expect_error(port_dissociate(port, PORT_SOURCE_FILE, (uintptr_t)&file), ENOENT);
    look();
    CHECK(watch(FILE_MODIFIED) == 0);
    CHECK(close(fd) == 0);
    CHECK(unlink(path) == 0);
    expect_event(PORT_SOURCE_FILE, (uintptr_t)&file, FILE_DELETE, 9);
    expect_error(watch(FILE_MODIFIED), ENOENT);
    end();
}

int main(void)
{
    watchdog(30);
    an_association_has_one_event();
    a_second_association_replaces_the_first();
    an_event_is_of_its_moment();
    dissociating_takes_the_event_along();
    a_hang_up_comes_unasked();
    a_closed_number_has_no_association();
    as_many_as_there_is_room_for();
    errors_may_have_events();
    time_is_up();
    each_event_is_one_threads();
    a_full_port_can_be_alerted();
    what_is_no_port_is_an_error();
    a_child_leaves_the_parents_alone();
    files_are_watched_for_one_event();
    a_signal_interrupts();
    return 0;
}
