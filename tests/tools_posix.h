/* SPDX-License-Identifier: MIT */
/* The system's part of tools.h, for POSIX. */
#ifndef TESTS_TOOLS_POSIX_H
#define TESTS_TOOLS_POSIX_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- Descriptors ------------------------------------------------------------ */

/* How many are open; the same number everywhere where the system does not tell. */
static inline int descriptors_open(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    if (!folder)
        return 0;
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Two ends of a stream, non-blocking and close-on-exec. */
static inline void open_pair(int ends[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(fcntl(ends[i], F_SETFL, O_NONBLOCK) == 0);
        CHECK(fcntl(ends[i], F_SETFD, FD_CLOEXEC) == 0);
    }
}

static inline void close_fd(int fd)
{
    CHECK(close(fd) == 0);
}

static inline void put_byte(int fd)
{
    CHECK_EQ(write(fd, "x", 1), 1);
}

static inline void drain(int fd)
{
    char bytes[512];

    while (read(fd, bytes, sizeof bytes) > 0) {
    }
}

/* ---- Time and threads ------------------------------------------------------- */

static inline void sleep_for(plx_nanos time)
{
    struct timespec left = {.tv_sec = (time_t)(time / 1000000000), .tv_nsec = (long)(time % 1000000000)};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* Every signal is blocked in it, so that the watchdog's reaches the main thread. */
static inline pthread_t thread_start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    CHECK_EQ(pthread_create(&thread, NULL, body, argument), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return thread;
}

/* ---- The watchdog ----------------------------------------------------------- */

static volatile sig_atomic_t watchdog_seconds, watchdog_growled;

/* It growls first: a machine that stood still is no hang, and has had its time then. */
static inline void watchdog_bite(int number)
{
    static const char text[] = "watchdog: this hangs; at: ";

    (void)number;
    if (!watchdog_growled) {
        watchdog_growled = 1;
        alarm((unsigned)watchdog_seconds);
        return;
    }
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    (void)!write(STDERR_FILENO, check_noted(), strlen(check_noted()));
    (void)!write(STDERR_FILENO, "\n", 1);
    if (watchdog_report)
        watchdog_report();
    _Exit(CHECK_FAILED);
}

/* Ends the test with a failure unless it is called again in twice this time; 0 calls it off. */
static inline void watchdog(unsigned seconds)
{
    struct sigaction action = {.sa_handler = watchdog_bite};

    watchdog_seconds = (sig_atomic_t)seconds;
    watchdog_growled = 0;
    sigaction(SIGALRM, &action, NULL);
    alarm(seconds);
}

#endif
