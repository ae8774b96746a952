/* SPDX-License-Identifier: MIT */
/* Signals: what is told, to whom, in which order, and how much of it is kept. */
#include "os/config.h"

#include "support.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
#include "signals.h"

CASE(signal_is_reported_with_its_sender)
{
    plx_poller *poller = open_poller();
    plx_signals *signals = watch_one(poller, 7, SIGUSR1);
    EXPECT_SILENCE(poller, 0);
    send_self(SIGUSR1);
    plx_event event = EXPECT(poller, 7, PLX_SIGNAL);
    CHECK_EQ(event.data, SIGUSR1);
    CHECK_EQ(event.native, 0);
    plx_signal_info info = next_of(signals, SIGUSR1);
    CHECK_EQ(info.code, SI_USER);
    CHECK_EQ(info.pid, getpid());
    CHECK_EQ(info.uid, getuid());
    CHECK_EQ(info.status, 0);
    expect_none(signals);
    EXPECT_REST(poller, PLX_MSEC(5));
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(signal_comes_with_each_wait_until_it_is_read)
{
    int numbers[] = {SIGUSR1, SIGUSR2};
    plx_poller *poller = open_poller();
    plx_signals *signals = watch(poller, 1, numbers, 2);
    send_self(SIGUSR2);
    send_self(SIGUSR1);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(EXPECT(poller, 1, PLX_SIGNAL).data, SIGUSR2);
    next_of(signals, SIGUSR2);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(EXPECT(poller, 1, PLX_SIGNAL).data, SIGUSR1);
    next_of(signals, SIGUSR1);
    EXPECT_REST(poller, PLX_MSEC(5));
    send_self(SIGUSR1);
    EXPECT(poller, 1, PLX_SIGNAL);
    next_of(signals, SIGUSR1);
    EXPECT_REST(poller, 0);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(signal_before_the_wait_is_not_lost)
{
    plx_poller *poller = open_poller();
    plx_signals *signals = watch_one(poller, 1, SIGTERM);
    for (int i = 0; i < 200; i++) {
        send_self(SIGTERM);
        next_of(signals, SIGTERM); /* read without a wait: the next wait has nothing */
        EXPECT_SILENCE(poller, 0);
        send_self(SIGTERM);
        EXPECT(poller, 1, PLX_SIGNAL);
        next_of(signals, SIGTERM);
    }
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(wrong_signal_arguments_are_einval)
{
    static const int refused[] = {0, -1, INT32_MIN, INT32_MAX, 1000, SIGKILL, SIGSTOP,
                                  SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_signals *signals = NULL;
    plx_signal_info info;
    int good = SIGUSR1;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        int pair[] = {SIGUSR1, refused[i]};
        check_note("signal %d", refused[i]);
        CHECK_RC(plx_signals_open(registry, 1, &refused[i], 1, &signals), -EINVAL);
        CHECK_RC(plx_signals_open(registry, 1, pair, 2, &signals), -EINVAL);
    }
    check_note("arguments");
    CHECK_RC(plx_signals_open(NULL, 1, &good, 1, &signals), -EINVAL);
    CHECK_RC(plx_signals_open(registry, 1, NULL, 1, &signals), -EINVAL);
    CHECK_RC(plx_signals_open(registry, 1, &good, 1, NULL), -EINVAL);
    CHECK_RC(plx_signals_open(registry, 1, &good, 0, &signals), -EINVAL);
    CHECK_RC(plx_signals_open(registry, 1, &good, -1, &signals), -EINVAL);
    CHECK_RC(plx_signals_open(registry, PLX_TOKEN_MAX + 1, &good, 1, &signals), -EINVAL);
    CHECK_RC(plx_signals_next(NULL, &info), -EINVAL);
    CHECK(signals == NULL);
    plx_signals_close(NULL);
    CHECK(is_default(SIGUSR1)); /* nothing was installed */
    signals = watch_one(poller, PLX_TOKEN_MAX, SIGUSR1);
    CHECK_RC(plx_signals_next(signals, NULL), -EINVAL);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

/* A number that the C library keeps for itself is refused by sigaction, after others were taken. */
CASE(number_that_the_system_refuses_undoes_the_rest)
{
    int last_valid = 0;
    plx_poller *poller = open_poller();
    plx_signals *signals = NULL;
    for (int number = 1; number < 129; number++) {
        struct sigaction was;
        int pair[] = {SIGUSR1, number};
        if (sigaction(number, NULL, &was) == 0) {
            last_valid = number;
            continue;
        }
        check_note("signal %d", number);
        CHECK_RC(plx_signals_open(plx_poller_registry(poller), 1, pair, 2, &signals), -EINVAL);
        CHECK(is_default(SIGUSR1));
    }
    signals = watch_one(poller, 1, last_valid);
    while (kill(getpid(), last_valid) != 0) { /* an emulator takes actions for numbers that it cannot send */
        CHECK_EQ(errno, EINVAL);
        plx_signals_close(signals);
        signals = watch_one(poller, 1, --last_valid);
    }
    EXPECT(poller, 1, PLX_SIGNAL);
    next_of(signals, last_valid);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(number_listed_twice_counts_once)
{
    int numbers[300];
    plx_poller *poller = open_poller();
    for (int i = 0; i < 300; i++)
        numbers[i] = i % 3 ? SIGUSR1 : SIGUSR2;
    plx_signals *signals = watch(poller, 1, numbers, 300);
    send_self(SIGUSR1);
    EXPECT(poller, 1, PLX_SIGNAL);
    next_of(signals, SIGUSR1);
    expect_none(signals);
    plx_signals_close(signals);
    CHECK(is_default(SIGUSR1) && is_default(SIGUSR2));
    plx_poller_close(poller);
}

CASE(each_object_of_each_poller_is_told)
{
    int both[] = {SIGUSR1, SIGUSR2};
    plx_poller *one = open_poller(), *two = open_poller();
    plx_signals *first = watch(one, 1, both, 2), *second = watch_one(one, 2, SIGUSR1);
    plx_signals *third = watch_one(two, 3, SIGUSR1);
    plx_event events[4];
    send_self(SIGUSR1);
    CHECK_RC(plx_poller_wait(one, events, 4, PATIENCE), 2);
    CHECK(events[0].token + events[1].token == 3);
    EXPECT(two, 3, PLX_SIGNAL);
    next_of(first, SIGUSR1);
    next_of(second, SIGUSR1);
    next_of(third, SIGUSR1);
    send_self(SIGUSR2);
    EXPECT(one, 1, PLX_SIGNAL);
    EXPECT_SILENCE(two, 0);
    next_of(first, SIGUSR2);
    plx_signals_close(second);
    send_self(SIGUSR1);
    EXPECT(one, 1, PLX_SIGNAL);
    EXPECT(two, 3, PLX_SIGNAL);
    plx_signals_close(first); /* unread */
    EXPECT_SILENCE(one, 0);
    next_of(third, SIGUSR1);
    plx_signals_close(third);
    CHECK(is_default(SIGUSR1) && is_default(SIGUSR2));
    plx_poller_close(one);
    plx_poller_close(two);
}

CASE(closed_signals_are_silent_though_unread)
{
    counting memory;
    plx_poller *poller = open_counting(&memory);
    for (int i = 0; i < 20; i++) {
        plx_signals *signals = watch_one(poller, 1, SIGUSR1);
        send_self(SIGUSR1);
        if (i % 2)
            EXPECT(poller, 1, PLX_SIGNAL);
        plx_signals_close(signals);
        if (i % 4 < 2)
            EXPECT_REST(poller, 0);
    }
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

CASE(child_signal_tells_of_the_child)
{
    plx_poller *poller = open_poller();
    plx_signals *signals = watch_one(poller, 1, SIGCHLD);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(42);
    EXPECT(poller, 1, PLX_SIGNAL);
    plx_signal_info info = next_of(signals, SIGCHLD);
    CHECK_EQ(info.code, CLD_EXITED);
    CHECK_EQ(info.pid, child);
    CHECK_EQ(info.uid, getuid());
    CHECK_EQ(info.status, 42);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    send_self(SIGCHLD); /* by a process: no child's status */
    info = next_of(signals, SIGCHLD);
    CHECK(info.code == SI_USER && info.pid == getpid() && info.status == 0);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

/* ---- Order, and how many ------------------------------------------------------- */

#ifdef SIGRTMIN

/* The kernel delivers lower numbers first, those of one number as they were sent. */
CASE(realtime_signals_keep_the_order_of_delivery)
{
    enum { NUMBERS = 4, EACH = 100 };
    if (UNDER_THREAD_SANITIZER)
        SKIP("the thread sanitizer delivers signals late, and those of one number as one");
    int numbers[NUMBERS];
    sigset_t mask, before;
    plx_poller *poller = open_poller();
    sigemptyset(&mask);
    for (int i = 0; i < NUMBERS; i++) {
        numbers[i] = SIGRTMIN + i;
        sigaddset(&mask, numbers[i]);
    }
    plx_signals *signals = watch(poller, 1, numbers, NUMBERS);
    CHECK(pthread_sigmask(SIG_BLOCK, &mask, &before) == 0);
    for (int k = 0; k < EACH; k++)
        for (int i = NUMBERS - 1; i >= 0; i--)
            send_value(numbers[i], k);
    EXPECT_SILENCE(poller, 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    EXPECT(poller, 1, PLX_SIGNAL);
    for (int i = 0; i < NUMBERS; i++)
        for (int k = 0; k < EACH; k++) {
            plx_signal_info info = next_of(signals, numbers[i]);
            CHECK_EQ(info.code, SI_QUEUE);
            CHECK_EQ(info.pid, getpid());
            CHECK_EQ(info.status, k);
        }
    expect_none(signals);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(a_thousand_unread_are_kept_and_then_merged_by_number)
{
    enum { KEPT = 1024 };
    if (UNDER_THREAD_SANITIZER)
        SKIP("the thread sanitizer delivers signals late, and those of one number as one");
    int numbers[] = {SIGRTMIN, SIGRTMIN + 1, SIGUSR1};
    plx_poller *poller = open_poller();
    plx_signals *signals = watch(poller, 1, numbers, 3);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < KEPT; i++)
            send_value(SIGRTMIN + i % 2, i);
        for (int i = 0; i < 50; i++) {
            send_self(SIGUSR1); /* the first that does not fit */
            send_value(SIGRTMIN + 1, 5000 + i);
        }
        for (int i = 0; i < 10; i++) {
            CHECK_EQ(EXPECT(poller, 1, PLX_SIGNAL).data, SIGRTMIN + i % 2);
            CHECK_EQ(next_of(signals, SIGRTMIN + i % 2).status, i);
        }
        send_value(SIGRTMIN, 9000); /* there is room again: it comes after those that merged */
        for (int i = 10; i < KEPT; i++)
            CHECK_EQ(next_of(signals, SIGRTMIN + i % 2).status, i);
        next_of(signals, SIGUSR1);
        CHECK_EQ(next_of(signals, SIGRTMIN + 1).status, 5000);
        CHECK_EQ(EXPECT(poller, 1, PLX_SIGNAL).data, SIGRTMIN);
        CHECK_EQ(next_of(signals, SIGRTMIN).status, 9000);
        expect_none(signals);
        EXPECT_REST(poller, 0);
    }
    plx_signals_close(signals);
    plx_poller_close(poller);
}

#else
NO_REALTIME_SIGNALS(realtime_signals_keep_the_order_of_delivery)
NO_REALTIME_SIGNALS(a_thousand_unread_are_kept_and_then_merged_by_number)
#endif

/* ---- Waits ----------------------------------------------------------------------- */

CASE(signal_ends_a_blocked_wait)
{
    static waiter w;
    plx_poller *poller = open_poller();
    plx_signals *signals = watch_one(poller, 5, SIGUSR1);
    for (int i = 0; i < 10; i++) {
        waiter_start_asleep(&w, poller);
        if (i % 2)
            thread_signal(w.thread, SIGUSR1); /* in the thread that waits */
        else
            send_self(SIGUSR1);
        CHECK_RC(waiter_join(&w), 1);
        CHECK(w.events[0].token == 5 && w.events[0].flags == PLX_SIGNAL && w.events[0].data == SIGUSR1);
        next_of(signals, SIGUSR1);
        expect_none(signals);
    }
    plx_signals_close(signals);
    plx_poller_close(poller);
}

/* The wait has something to return, so it does not return that it was interrupted. */
CASE(watched_signal_is_an_event_and_no_eintr)
{
    static waiter w;
    plx_poller *poller = open_with(&(plx_options){.flags = PLX_RETURN_ON_SIGNAL});
    plx_signals *signals = watch_one(poller, 5, SIGUSR2);
    for (int i = 0; i < 10; i++) {
        waiter_start_asleep(&w, poller);
        thread_signal(w.thread, SIGUSR2);
        CHECK_RC(waiter_join(&w), 1);
        CHECK_EQ(w.events[0].data, SIGUSR2);
        next_of(signals, SIGUSR2);
    }
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(signal_makes_the_descriptor_readable_until_it_is_read)
{
    plx_poller *poller = open_poller();
    plx_signals *signals = watch_one(poller, 1, SIGUSR1);
    int descriptor = plx_poller_descriptor(poller);
    if (descriptor == -ENOTSUP)
        SKIP("%s has no descriptor for nesting", conform_backend);
    CHECK(!is_readable(descriptor));
    send_self(SIGUSR1);
    for (int i = 0; i < 3; i++) {
        CHECK(is_readable(descriptor));
        EXPECT(poller, 1, PLX_SIGNAL);
    }
    CHECK(is_readable(descriptor));
    next_of(signals, SIGUSR1);
    EXPECT_SILENCE(poller, 0);
    CHECK(!is_readable(descriptor));
    plx_signals_close(signals);
    plx_poller_close(poller);
}

static void sleep_in_read(void *argument)
{
    plx_fd *ends = argument;
    char byte;
    errno = 4711;
    CHECK_EQ(read(ends[0], &byte, 1), 1); /* not EINTR */
    CHECK_EQ(errno, 4711);
}

CASE(interrupted_calls_are_restarted_and_errno_is_left)
{
    if (UNDER_THREAD_SANITIZER)
        SKIP("the thread sanitizer delivers signals late, and those of one number as one");
    plx_fd ends[2];
    plx_poller *poller = open_poller();
    plx_signals *signals = watch_one(poller, 1, SIGUSR1);
    CHECK(pipe(ends) == 0);
    test_thread *thread = thread_start(sleep_in_read, ends);
    for (int i = 0; i < 20; i++) {
        thread_await_asleep(thread);
        thread_signal(thread, SIGUSR1);
        EXPECT(poller, 1, PLX_SIGNAL);
        next_of(signals, SIGUSR1);
    }
    put(ends[1], 1);
    thread_join(thread);
    close_pair(ends);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(signals_cost_no_descriptor)
{
    plx_signals *signals[100];
    plx_poller *poller = open_poller();
    int before = descriptors_open();
    for (int i = 0; i < 100; i++)
        signals[i] = watch_one(poller, 1, SIGUSR1);
    CHECK_EQ(descriptors_open(), before);
    CHECK_EQ(stats_of(poller).registered, 0);
    for (int i = 0; i < 100; i++)
        plx_signals_close(signals[i]);
    plx_poller_close(poller);
}

#endif
