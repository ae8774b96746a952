/* SPDX-License-Identifier: MIT */
/*
 * Sources and limits that the kernel's polls, or the library's poll(2), have a case of their own for.
 */
#include "os/config.h"

#include "uring.h"

#if PLX__HAS_IO_URING

#include <fcntl.h>
#include <stdlib.h>

/* The other poller sleeps, is exclusive and first in the source's queue: it has the one wake of those. */
static void *sleep_beside(void *beside)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(beside, &event, 1, PLX_SEC(20)), 1);
    return NULL;
}

static void await_readers(plx_poller *beside)
{
    while (!(plx__wake_word(&plx_poller_registry(beside)->wake) & PLX__SLEEPING_MASK))
        sleep_for(PLX_MSEC(1));
    sleep_for(PLX_MSEC(50)); /* it has said so, and goes to sleep */
}

static void an_exclusive_poll_can_be_made_common(void)
{
    plx_options options = {.backend = PLX_BACKEND_EPOLL};
    plx_poller *beside;
    plx_event event;
    int fd = open_counter();

    watchdog(40);
    CHECK_RC(plx_poller_open(&beside, &options), 0);
    CHECK_RC(plx_register(plx_poller_registry(beside), fd, 1, PLX_READABLE | PLX_EDGE | PLX_EXCLUSIVE), 0);
    uring_open();
    CHECK_RC(plx_register(registry, fd, 1, PLX_READABLE | PLX_EDGE | PLX_EXCLUSIVE), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_RC(plx_reregister(registry, fd, 2, PLX_READABLE | PLX_EDGE), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    pthread_t thread = thread_start(sleep_beside, beside);
    await_readers(beside);
    raise_counter(fd);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(5)), 1);
    CHECK_EQ(event.token, 2);
    thread_join(thread);
    plx_poller_close(poller);
    plx_poller_close(beside);
    CHECK(close(fd) == 0);
}

static int arriving = -1; /* the counter that is raised between what a wait asks for and the kernel's answer */

static int arriving_enter(int ring, uint32_t submit, uint32_t least, uint32_t flags, const void *how, size_t size)
{
    if (submit > 0 && arriving >= 0) {
        raise_counter(arriving);
        arriving = -1;
    }
    return uring_watched_enter(ring, submit, least, flags, how, size);
}

/* The kernel does not change a poll that is at work (EALREADY). */
static void a_poll_at_work_is_changed_within_the_wait(void)
{
    plx_event event;
    int fd = open_counter();

    watchdog(20);
    uring_open();
    CHECK_RC(plx_register(registry, fd, 1, PLX_READABLE | PLX_EDGE), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_RC(plx_reregister(registry, fd, 2, PLX_READABLE | PLX_WRITABLE | PLX_EDGE), 0);
    arriving = fd;
    plx__linux.io_uring_enter = arriving_enter;
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 1);
    plx__linux.io_uring_enter = uring_watched_enter;
    CHECK_EQ(arriving, -1);
    CHECK_EQ(event.token, 2);
    CHECK_EQ(event.flags, PLX_READABLE | PLX_WRITABLE);
    plx_poller_close(poller);
    CHECK(close(fd) == 0);
}

/* ---- Many are looked at for one --------------------------------------------------------- */

static void room_for_one_does_not_take_a_call_for_each(void)
{
    enum { MANY = 500 };
    static plx_event events[MANY];
    static int counter[MANY];
    plx_stats before, after;

    watchdog(40);
    uring_open();
    for (int i = 0; i < MANY; i++) {
        counter[i] = open_counter();
        CHECK_RC(plx_register(registry, counter[i], 1, PLX_READABLE | PLX_ONESHOT), 0);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++)
            raise_counter(counter[i]);
        for (int told = 0; told < MANY;)
            told += plx_poller_wait(poller, events, MANY, PLX_SEC(10));
        for (int i = 0; i < MANY; i++) {
            lower_counter(counter[i]);
            CHECK_RC(plx_enable(registry, counter[i], 0), 0);
        }
        if (round == 0)
            CHECK_RC(plx_poller_wait(poller, events, MANY, 0), 0);
    }
    plx_poller_stats(poller, &before);
    CHECK_RC(plx_poller_wait(poller, events, 1, 0), 0);
    plx_poller_stats(poller, &after);
    CHECK(after.kernel_calls - before.kernel_calls < 20);
    plx_poller_close(poller);
    for (int i = 0; i < MANY; i++)
        CHECK(close(counter[i]) == 0);
}

/* ---- poll(2) refuses -------------------------------------------------------------------- */

enum { FEW = 3 };

static int wait_for(plx_nanos timeout)
{
    plx_event events[FEW];

    return plx_poller_wait(poller, events, FEW, timeout);
}

/* Ready, read, ready again; and a wait in between sleeps. */
static void tells_what_holds(const int *counter, uint32_t mode)
{
    plx_stats before, after;

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < FEW; i++)
            raise_counter(counter[i]);
        CHECK_RC(wait_for(PLX_SEC(10)), FEW);
        CHECK_RC(wait_for(0), mode == PLX_LEVEL ? FEW : 0);
        for (int i = 0; i < FEW; i++) {
            lower_counter(counter[i]);
            if (mode)
                CHECK_RC(plx_reregister(registry, counter[i], 1, PLX_READABLE | mode), 0);
        }
        plx_poller_stats(poller, &before);
        CHECK_RC(wait_for(PLX_MSEC(30)), 0);
        plx_poller_stats(poller, &after);
        CHECK(after.kernel_calls - before.kernel_calls < 20);
    }
}

/* As a program does that shuts itself in: descriptors stay, but poll(2) takes none of them. */
static void no_number_of_descriptors_is_allowed(void)
{
    static const uint32_t modes[] = {PLX_LEVEL, PLX_EDGE, PLX_ONESHOT};
    pid_t pid = child_start();
    int counter[FEW];

    if (pid == 0) {
        for (int m = 0; m < 3; m++) {
            struct rlimit limit;
            CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
            check_note("mode %#x", (unsigned)modes[m]);
            uring_open();
            for (int i = 0; i < FEW; i++) {
                counter[i] = open_counter();
                CHECK_RC(plx_register(registry, counter[i], 1, PLX_READABLE | modes[m]), 0);
            }
            struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
            CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
            tells_what_holds(counter, modes[m]);
            CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
            CHECK(!uring_moved());
            plx_poller_close(poller);
        }
        exit(0);
    }
    child_end(pid);
}

/* ---- Nothing to wait in ------------------------------------------------------------------ */

/* What the kernel has to say of it is told at once; then a wait sleeps. */
static void is_told_and_rests(int fd, uint32_t interest, uint32_t flags)
{
    plx_event event = {0};
    plx_stats before, after;

    watchdog(40);
    check_note("interest %#x", (unsigned)interest);
    uring_open();
    CHECK_RC(plx_register(registry, fd, 1, interest), 0);
    for (int round = 0; round < 2; round++) {
        CHECK_RC(plx_poller_wait(poller, &event, 1, 0), flags != 0);
        CHECK_EQ(event.flags, flags);
        plx_poller_stats(poller, &before);
        CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_MSEC(30)), 0);
        plx_poller_stats(poller, &after);
        CHECK(after.kernel_calls - before.kernel_calls < 10);
        CHECK_RC(plx_reregister(registry, fd, 1, interest), 0);
    }
    plx_poller_close(poller);
}

static int hung_up_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    const char *name = NULL;

    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
        name = ptsname(master);
    int slave = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    if (slave < 0)
        SKIP("no terminal: %s", strerror(errno));
    CHECK(close(master) == 0);
    return slave;
}

static void a_file_that_wakes_nobody_is_told_once(void)
{
    int terminal = hung_up_terminal();
    int full = open("/dev/full", O_RDWR | O_CLOEXEC);

    CHECK(full >= 0);
    is_told_and_rests(terminal, PLX_READABLE | PLX_EDGE,
                      PLX_READABLE | PLX_READ_CLOSED | PLX_WRITE_CLOSED | PLX_ERROR);
    is_told_and_rests(terminal, PLX_PRIORITY | PLX_ONESHOT, PLX_WRITE_CLOSED | PLX_ERROR);
    is_told_and_rests(full, PLX_WRITABLE | PLX_EDGE, PLX_WRITABLE);
    is_told_and_rests(full, PLX_PRIORITY | PLX_EDGE, 0);
    is_told_and_rests(full, PLX_PRIORITY | PLX_ONESHOT, 0);
    is_told_and_rests(full, PLX_PRIORITY, 0);
    CHECK(close(full) == 0);
    CHECK(close(terminal) == 0);
}

/* ---- Signals --------------------------------------------------------------------------- */

static void nothing(int number)
{
    (void)number;
}

static atomic_bool ended;

/* Again and again: the first may come before the sleep. */
static void *signal_the_sleeper(void *sleeper)
{
    while (!atomic_load(&ended)) {
        if (atomic_load(&uring_asleep) > 0)
            CHECK_EQ(pthread_kill(*(pthread_t *)sleeper, SIGUSR1), 0);
        sleep_for(PLX_MSEC(1));
    }
    return NULL;
}

/* A call that hands over a poll and then sleeps says how many it took, not that a signal came. */
static void a_signal_ends_the_call_that_hands_over(void)
{
    plx_options options = {.backend = PLX_BACKEND_IO_URING, .flags = PLX_RETURN_ON_SIGNAL};
    struct sigaction action = {.sa_handler = nothing};
    pthread_t self = pthread_self();
    plx_event event;
    int ends[2];

    watchdog(40);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    registry = plx_poller_registry(poller);
    open_pair(ends);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 0);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    long entered = atomic_load(&seam.made[SEAM_URING_ENTER]);
    pthread_t thread = thread_start(signal_the_sleeper, &self);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), -EINTR);
    CHECK_EQ(atomic_load(&seam.made[SEAM_URING_ENTER]), entered + 1); /* the first has ended the wait */
    atomic_store(&ended, true);
    thread_join(thread);
    plx_poller_close(poller);
    close_pair(ends);
}

int main(void)
{
    uring_need();
    descriptors_need(500);
    seam_install();
    uring_watch();
    a_signal_ends_the_call_that_hands_over();
    room_for_one_does_not_take_a_call_for_each();
    a_file_that_wakes_nobody_is_told_once();
    an_exclusive_poll_can_be_made_common();
    a_poll_at_work_is_changed_within_the_wait();
    no_number_of_descriptors_is_allowed();
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no io_uring");
}

#endif
