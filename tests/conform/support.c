/* SPDX-License-Identifier: MIT */
/*
 * Threads, children and memory of support.h, for POSIX with Linux's /proc where there is one.
 *
 * Whether a thread is blocked is read from its state in /proc: three times "sleeping" in a
 * row, a millisecond apart. Without /proc it is a guess of 50 ms.
 */
#include "os/config.h"
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* ---- Threads ------------------------------------------------------------------ */

struct test_thread {
    pthread_t   id;
    void      (*body)(void *);
    void       *argument;
    atomic_long number; /* of the thread in /proc; 0 until it runs */
};

static void *thread_main(void *argument)
{
    test_thread *self = argument;
#ifdef __linux__
    atomic_store(&self->number, syscall(SYS_gettid));
#else
    atomic_store(&self->number, 1);
#endif
    self->body(self->argument);
    return NULL;
}

test_thread *thread_start(void (*body)(void *), void *argument)
{
    test_thread *thread = malloc(sizeof *thread);
    CHECK(thread != NULL);
    thread->body = body;
    thread->argument = argument;
    atomic_init(&thread->number, 0);
    CHECK_EQ(pthread_create(&thread->id, NULL, thread_main, thread), 0);
    return thread;
}

void thread_join(test_thread *thread)
{
    CHECK_EQ(pthread_join(thread->id, NULL), 0);
    free(thread);
}

/* '?' when the system does not tell. */
static char thread_state(long number)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return '?';
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    char *end_of_name = strrchr(text, ')');
    return end_of_name && end_of_name[1] == ' ' ? end_of_name[2] : '?';
}

void thread_await_asleep(test_thread *thread)
{
    while (atomic_load(&thread->number) == 0)
        sched_yield();
    if (thread_state(atomic_load(&thread->number)) == '?') {
        sleep_for(PLX_MSEC(50));
        return;
    }
    for (int in_a_row = 0; in_a_row < 3;) {
        char state = thread_state(atomic_load(&thread->number));
        in_a_row = state == 'S' || state == '?' ? in_a_row + 1 : 0;
        sleep_for(PLX_MSEC(1));
    }
}

static atomic_int handled;

static void count_interrupt(int number)
{
    (void)number;
    atomic_fetch_add(&handled, 1);
}

bool threads_can_be_interrupted(void)
{
    return true;
}

void thread_interrupt(test_thread *thread)
{
    static atomic_int installed;
    if (!atomic_exchange(&installed, 1)) {
        struct sigaction action = {.sa_handler = count_interrupt};
        sigemptyset(&action.sa_mask);
        CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    }
    CHECK_EQ(pthread_kill(thread->id, SIGUSR1), 0);
}

void thread_signal(test_thread *thread, int number)
{
    CHECK_EQ(pthread_kill(thread->id, number), 0);
}

int interrupts_handled(void)
{
    return atomic_load(&handled);
}

void sleep_for(plx_nanos time)
{
    struct timespec left = {.tv_sec = (time_t)(time / PLX_SEC(1)),
                            .tv_nsec = (long)(time % PLX_SEC(1))};
    while (nanosleep(&left, &left) != 0)
        CHECK_EQ(errno, EINTR);
}

void await_count(atomic_int *count, int least)
{
    for (int i = 0; atomic_load(count) < least; i++) {
        if (i < 20)
            sched_yield();
        else
            sleep_for(PLX_USEC(50));
    }
}

/* ---- Children ------------------------------------------------------------------ */

/* The alarm is for a child that hangs: fork may leave it a lock that nobody opens. */
int in_child(void (*body)(void *), void *argument)
{
    int status;
    fflush(stdout);
    fflush(stderr);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        body(argument);
        check_stop(0);
    }
    while (waitpid(child, &status, 0) != child)
        CHECK_EQ(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

void set_variable(const char *name, const char *value)
{
    CHECK((value ? setenv(name, value, 1) : unsetenv(name)) == 0);
}

/* ---- Memory --------------------------------------------------------------------- */

/* For the whole run of the process: nobody gives it back. */
void *reserve_room(size_t size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    return room == MAP_FAILED ? NULL : room;
}

long heap_in_use(void)
{
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 heap = mallinfo2();
    return (long)(heap.uordblks + heap.hblkhd);
#else
    return -1;
#endif
}

#endif
