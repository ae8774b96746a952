/* SPDX-License-Identifier: MIT */
/* Processes: their end is told once, their status for ever, and nobody else's is touched. */
#include "os/config.h"

#include "support.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
#include "processes.h"

#include <sys/resource.h>
#if PLX__HAS_EPOLL
#include <sys/syscall.h>
#endif

/* A child that lives until its pipe is closed, then exits with a code; or exits at once. */
typedef struct child {
    pid_t pid;
    int   leash; /* -1 of one that exits at once */
} child;

static child child_start(int code, bool at_once)
{
    int ends[2] = {-1, -1};
    CHECK(at_once || pipe(ends) == 0);
    child c = {.pid = fork(), .leash = ends[1]};
    CHECK(c.pid >= 0);
    if (c.pid == 0) {
        char byte;
        if (!at_once) {
            close(ends[1]);
            while (read(ends[0], &byte, 1) < 0 && errno == EINTR) {
            }
        }
        _exit(code);
    }
    if (!at_once)
        close(ends[0]);
    return c;
}

static void child_let_go(child *c)
{
    CHECK(close(c->leash) == 0);
    c->leash = -1;
}

/* Returns when it is a zombie, which it stays. */
static void await_zombie(pid_t pid)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0)
        CHECK_EQ(errno, EINTR);
}

static plx_process *follow(plx_poller *poller, plx_token token, pid_t pid)
{
    plx_process *process;
    CHECK_RC(plx_process_open(plx_poller_registry(poller), token, pid, &process), 0);
    return process;
}

static void expect_status(plx_process *process, int code, int signal)
{
    for (int i = 0; i < 3; i++) {
        plx_exit status = {-1, -1};
        CHECK_RC(plx_process_status(process, &status), 0);
        CHECK_EQ(status.code, code);
        CHECK_EQ(status.signal, signal);
    }
}

static void expect_no_status(plx_process *process, int rc)
{
    for (int i = 0; i < 3; i++) {
        plx_exit status = {-1, -1};
        CHECK_RC(plx_process_status(process, &status), rc);
        CHECK(status.code == -1 && status.signal == -1);
    }
}

static void expect_reaped(pid_t pid)
{
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
}

static void reports_once(void)
{
    plx_poller *poller = open_poller();
    child c = child_start(37, false);
    plx_process *process = follow(poller, 9, c.pid);
    EXPECT_SILENCE(poller, PLX_MSEC(1));
    expect_no_status(process, -EAGAIN);
    CHECK_EQ(stats_of(poller).registered, 0);
    CHECK_EQ(stats_of(poller).timers, 0);
    child_let_go(&c);
    plx_event event = EXPECT(poller, 9, PLX_PROCESS);
    CHECK(event.native == 0 && event.data == 0);
    EXPECT_REST(poller, PLX_MSEC(5)); /* read or not */
    expect_status(process, 37, 0);
    expect_reaped(c.pid);
    EXPECT_REST(poller, PLX_MSEC(5));
    plx_process_close(process);
    plx_poller_close(poller);
}

CASE(process_reports_its_end_once_and_its_status_for_ever)
{
    in_each_way(reports_once);
}

/* Without descriptors of processes there is a look each 100 ms; not for what is over. */
static void rests_when_it_is_over(void)
{
    plx_event event;
    plx_poller *poller = open_poller();
    child c = child_start(0, true);
    plx_process *process = follow(poller, 1, c.pid);
    EXPECT(poller, 1, PLX_PROCESS);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_MSEC(120)), 0); /* the last look is in it */
    uint64_t calls = stats_of(poller).kernel_calls;
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_MSEC(350)), 0);
    CHECK(stats_of(poller).kernel_calls - calls <= 2);
    expect_status(process, 0, 0);
    plx_process_close(process);
    plx_poller_close(poller);
}

CASE(process_that_is_over_is_looked_at_no_more)
{
    in_each_way(rests_when_it_is_over);
}

static void tells_the_signal(void)
{
    plx_poller *poller = open_poller();
    child c = child_start(0, false);
    plx_process *process = follow(poller, 1, c.pid);
    CHECK(kill(c.pid, SIGKILL) == 0);
    EXPECT(poller, 1, PLX_PROCESS);
    expect_status(process, 0, SIGKILL);
    expect_reaped(c.pid);
    child_let_go(&c);
    plx_process_close(process);
    plx_poller_close(poller);
}

CASE(killed_process_tells_the_signal)
{
    in_each_way(tells_the_signal);
}

/* A stop is no end. */
static void survives_a_stop(void)
{
    siginfo_t info;
    plx_poller *poller = open_poller();
    child c = child_start(3, false);
    plx_process *process = follow(poller, 1, c.pid);
    CHECK(kill(c.pid, SIGSTOP) == 0);
    while (waitid(P_PID, (id_t)c.pid, &info, WSTOPPED) != 0)
        CHECK_EQ(errno, EINTR);
    EXPECT_SILENCE(poller, PLX_MSEC(2));
    expect_no_status(process, -EAGAIN);
    CHECK(kill(c.pid, SIGCONT) == 0);
    child_let_go(&c);
    EXPECT(poller, 1, PLX_PROCESS);
    expect_status(process, 3, 0);
    plx_process_close(process);
    plx_poller_close(poller);
}

CASE(stopped_process_has_not_ended)
{
    in_each_way(survives_a_stop);
}

static void reports_at_once(void)
{
    plx_poller *poller = open_poller();
    child c = child_start(5, true);
    await_zombie(c.pid);
    plx_process *one = follow(poller, 1, c.pid);
    EXPECT(poller, 1, PLX_PROCESS);
    plx_process *two = follow(poller, 2, c.pid);
    expect_status(two, 5, 0); /* before its event, which comes all the same */
    EXPECT(poller, 2, PLX_PROCESS);
    expect_status(one, 5, 0);
    expect_reaped(c.pid);
    EXPECT_REST(poller, 0);
    plx_process_close(one);
    plx_process_close(two);
    plx_poller_close(poller);
}

CASE(process_that_is_over_already_reports_at_once)
{
    in_each_way(reports_at_once);
}

static void refuses(void)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    plx_process *process = NULL;
    plx_exit status;
    int descriptors = descriptors_open();
    CHECK_RC(plx_process_open(NULL, 1, getpid(), &process), -EINVAL);
    CHECK_RC(plx_process_open(registry, 1, getpid(), NULL), -EINVAL);
    CHECK_RC(plx_process_open(registry, PLX_TOKEN_MAX + 1, getpid(), &process), -EINVAL);
    CHECK_RC(plx_process_open(registry, 1, 0, &process), -EINVAL);
    CHECK_RC(plx_process_open(registry, 1, -1, &process), -EINVAL);
    CHECK_RC(plx_process_open(registry, 1, -getpid(), &process), -EINVAL);
    CHECK_RC(plx_process_open(registry, 1, INT32_MAX, &process), -ESRCH);
    child c = child_start(0, true);
    CHECK_EQ(waitpid(c.pid, NULL, 0), c.pid);
    CHECK_RC(plx_process_open(registry, 1, c.pid, &process), -ESRCH);
    CHECK_RC(plx_process_status(NULL, &status), -EINVAL);
    CHECK(process == NULL);
    plx_process_close(NULL);
    CHECK_EQ(descriptors_open(), descriptors);
    CHECK_EQ(stats_of(poller).timers, 0);
    CHECK(is_default(SIGCHLD));
    process = follow(poller, 1, getpid());
    CHECK_RC(plx_process_status(process, NULL), -EINVAL);
    expect_no_status(process, -EAGAIN);
    plx_process_close(process);
    EXPECT_REST(poller, PLX_MSEC(5));
    plx_poller_close(poller);
    CHECK(is_default(SIGCHLD));
}

CASE(wrong_and_unknown_processes_are_errors)
{
    in_each_way(refuses);
}

/* A grandchild whose parent waits for it, and lives on until its own pipe is closed. */
static pid_t start_grandchild(int leash[2], child *between)
{
    int back[2], own[2];
    pid_t grandchild;
    char byte;
    CHECK(pipe(leash) == 0 && pipe(back) == 0 && pipe(own) == 0);
    between->pid = fork();
    CHECK(between->pid >= 0);
    if (between->pid == 0) {
        grandchild = fork();
        close(own[1]);
        if (grandchild == 0) {
            close(leash[1]);
            while (read(leash[0], &byte, 1) < 0 && errno == EINTR) {
            }
            _exit(8);
        }
        close(leash[1]);
        if (write(back[1], &grandchild, sizeof grandchild) != sizeof grandchild)
            _exit(1);
        while (waitpid(grandchild, NULL, 0) < 0 && errno == EINTR) {
        }
        while (read(own[0], &byte, 1) < 0 && errno == EINTR) {
        }
        _exit(0);
    }
    close(leash[0]);
    close(own[0]);
    between->leash = own[1];
    CHECK_EQ(read(back[0], &grandchild, sizeof grandchild), sizeof grandchild);
    close_pair(back);
    return grandchild;
}

static void follows_a_stranger(void)
{
    plx_poller *poller = open_poller();
    child between = {0};
    int leash[2];
    pid_t stranger = start_grandchild(leash, &between);
    plx_process *process = follow(poller, 4, stranger);
    EXPECT_SILENCE(poller, PLX_MSEC(1));
    expect_no_status(process, -EAGAIN);
    CHECK(close(leash[1]) == 0);
    EXPECT(poller, 4, PLX_PROCESS);
    expect_no_status(process, -ECHILD);
    EXPECT_REST(poller, PLX_MSEC(5));
    child_let_go(&between);
    CHECK_EQ(waitpid(between.pid, NULL, 0), between.pid);
    plx_process_close(process);
    plx_poller_close(poller);
}

CASE(process_that_is_no_child_reports_without_a_status)
{
    in_each_way(follows_a_stranger);
}

static void hears_of_what_others_reap(void)
{
    plx_poller *poller = open_poller();
    child c = child_start(1, false);
    plx_process *process = follow(poller, 4, c.pid);
    child_let_go(&c);
    CHECK_EQ(waitpid(c.pid, NULL, 0), c.pid); /* before anybody looks */
    EXPECT(poller, 4, PLX_PROCESS);
    expect_no_status(process, -ECHILD);
    EXPECT_REST(poller, PLX_MSEC(2));
    plx_process_close(process);
    plx_poller_close(poller);
}

CASE(process_reaped_by_others_reports_without_a_status)
{
    in_each_way(hears_of_what_others_reap);
}

static void hears_of_ignored_children(void)
{
    plx_poller *poller = open_poller();
    struct sigaction now;
    signal(SIGCHLD, SIG_IGN);
    child c = child_start(1, false);
    plx_process *process = follow(poller, 4, c.pid);
    child_let_go(&c);
    EXPECT(poller, 4, PLX_PROCESS);
    expect_no_status(process, -ECHILD);
    plx_process_close(process);
    CHECK(sigaction(SIGCHLD, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    plx_poller_close(poller);
}

CASE(ignored_children_report_without_a_status)
{
    need_ignored_children_to_vanish();
    in_each_way(hears_of_ignored_children);
}

/* Without pidfd nothing comes by SIGCHLD then: the tick has to do. */
static void hears_though_sigchld_is_blocked(void)
{
    plx_poller *poller = open_poller();
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
    child c = child_start(1, false);
    plx_process *process = follow(poller, 4, c.pid);
    child_let_go(&c);
    EXPECT(poller, 4, PLX_PROCESS);
    expect_status(process, 1, 0);
    plx_process_close(process);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    plx_poller_close(poller);
}

CASE(process_ends_a_wait_though_its_signal_is_blocked)
{
    in_each_way(hears_though_sigchld_is_blocked);
}

static void tells_each_watcher(void)
{
    plx_poller *one = open_poller(), *two = open_poller();
    plx_event events[4];
    child c = child_start(6, false);
    plx_process *first = follow(one, 1, c.pid), *second = follow(one, 2, c.pid), *third = follow(two, 3, c.pid);
    plx_process *quitter = follow(two, 4, c.pid);
    plx_process_close(quitter);
    child_let_go(&c);
    int count = plx_poller_wait(one, events, 4, PATIENCE);
    if (count == 1)
        count += plx_poller_wait(one, events + 1, 3, PATIENCE);
    CHECK_EQ(count, 2);
    CHECK_EQ(events[0].token + events[1].token, 3);
    EXPECT(two, 3, PLX_PROCESS);
    expect_status(second, 6, 0);
    expect_reaped(c.pid);
    expect_status(first, 6, 0);
    plx_process_close(second);
    expect_status(third, 6, 0);
    EXPECT_REST(one, 0);
    EXPECT_REST(two, 0);
    plx_process_close(first);
    plx_process_close(third);
    plx_poller_close(one);
    plx_poller_close(two);
}

CASE(each_watcher_of_a_process_has_event_and_status)
{
    in_each_way(tells_each_watcher);
}

static void leaves_the_zombie(void)
{
    int status;
    plx_poller *poller = open_poller();
    for (int i = 0; i < 2; i++) {
        child c = child_start(11, false);
        plx_process *process = follow(poller, 1, c.pid);
        child_let_go(&c);
        await_zombie(c.pid);
        if (i)
            EXPECT(poller, 1, PLX_PROCESS);
        plx_process_close(process);
        EXPECT_REST(poller, 0);
        CHECK_EQ(waitpid(c.pid, &status, 0), c.pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 11);
    }
    plx_poller_close(poller);
}

CASE(close_without_status_leaves_the_zombie)
{
    in_each_way(leaves_the_zombie);
}

/* Children that nobody named are the program's. */
static void leaves_other_children(void)
{
    plx_poller *poller = open_poller();
    child named = child_start(1, true), other = child_start(2, true);
    plx_process *process = follow(poller, 1, named.pid);
    EXPECT(poller, 1, PLX_PROCESS);
    await_zombie(other.pid);
    expect_status(process, 1, 0);
    int status;
    CHECK_EQ(waitpid(other.pid, &status, 0), other.pid);
    CHECK_EQ(WEXITSTATUS(status), 2);
    plx_process_close(process);
    plx_poller_close(poller);
}

CASE(children_that_were_not_named_are_left_alone)
{
    in_each_way(leaves_other_children);
}

static void ends_a_wait(void)
{
    static waiter w;
    plx_poller *poller = open_poller();
    for (int i = 0; i < 5; i++) {
        child c = child_start(i, false);
        plx_process *process = NULL;
        if (i % 2)
            process = follow(poller, 3, c.pid);
        waiter_start_asleep(&w, poller);
        if (!process)
            process = follow(poller, 3, c.pid); /* during the wait */
        child_let_go(&c);
        CHECK_RC(waiter_join(&w), 1);
        CHECK(w.events[0].token == 3 && w.events[0].flags == PLX_PROCESS);
        expect_status(process, i, 0);
        plx_process_close(process);
    }
    plx_poller_close(poller);
}

CASE(process_ends_a_blocked_wait)
{
    in_each_way(ends_a_wait);
}

/* Of several waiting threads, one has the event; the others are sent home. */
static void is_one_waiters(void)
{
    enum { WAITERS = 4 };
    static waiter waiters[WAITERS];
    plx_poller *poller = open_poller();
    child c = child_start(0, false);
    plx_process *process = follow(poller, 3, c.pid);
    plx_registry_retain(plx_poller_registry(poller));
    for (int i = 0; i < WAITERS; i++)
        waiter_start_asleep(&waiters[i], poller);
    child_let_go(&c);
    for (int done = 0; done == 0;) {
        sleep_for(PLX_USEC(100));
        for (int i = 0; i < WAITERS; i++)
            done += atomic_load(&waiters[i].done);
    }
    expect_status(process, 0, 0);
    plx_process_close(process);
    plx_registry *registry = plx_poller_registry(poller);
    plx_poller_close(poller);
    int events = 0;
    for (int i = 0; i < WAITERS; i++) {
        int rc = waiter_join(&waiters[i]);
        CHECK(rc == -ECANCELED || rc == 1);
        events += rc == 1;
    }
    plx_registry_release(registry);
    CHECK_EQ(events, 1);
}

CASE(process_is_told_to_one_of_several_waiters)
{
    in_each_way(is_one_waiters);
}

CASE(process_makes_the_descriptor_readable)
{
    plx_poller *poller = open_poller();
    int descriptor = plx_poller_descriptor(poller);
    if (descriptor == -ENOTSUP)
        SKIP("%s has no descriptor for nesting", conform_backend);
    child c = child_start(0, false);
    plx_process *process = follow(poller, 3, c.pid);
    if (processes_have_descriptors()) /* others are looked at time and again */
        CHECK(!is_readable(descriptor));
    child_let_go(&c);
    await_ready(descriptor, READY_IN);
    EXPECT(poller, 3, PLX_PROCESS);
    if (processes_have_descriptors())
        CHECK(!is_readable(descriptor));
    expect_status(process, 0, 0);
    plx_process_close(process);
    plx_poller_close(poller);
}

/* ---- Life ------------------------------------------------------------------------- */

static void outlives_its_poller(void)
{
    counting memory;
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
    plx_process *more = NULL;
    child over = child_start(1, true), running = child_start(2, false), read = child_start(3, true);
    int descriptors = descriptors_open();
    await_zombie(over.pid);
    await_zombie(read.pid);
    plx_process *processes[] = {follow(poller, 1, over.pid), follow(poller, 2, running.pid),
                                follow(poller, 3, read.pid)};
    expect_status(processes[2], 3, 0);
    plx_poller_close(poller);
    CHECK(descriptors_open() < descriptors || descriptors < 0);
    CHECK(is_default(SIGCHLD));
    expect_status(processes[0], 1, 0); /* known by then, and reaped now */
    expect_reaped(over.pid);
    expect_no_status(processes[1], -PLX_ESHUTDOWN);
    expect_status(processes[2], 3, 0);
    child_let_go(&running);
    CHECK_EQ(waitpid(running.pid, NULL, 0), running.pid);
    expect_no_status(processes[1], -PLX_ESHUTDOWN);
    CHECK_RC(plx_process_open(registry, 1, getpid(), &more), -PLX_ESHUTDOWN);
    CHECK(more == NULL);
    plx_process_close(processes[1]);
    plx_registry_release(registry);
    plx_process_close(processes[0]);
    plx_process_close(processes[2]);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

CASE(processes_of_a_closed_poller_keep_what_was_known)
{
    in_each_way(outlives_its_poller);
}

typedef struct heir {
    plx_poller  *poller;
    plx_process *process;
    child        child;
} heir;

static void use_and_close(void *argument)
{
    heir *h = argument;
    plx_process *more = NULL;
    expect_no_status(h->process, -ECHILD);
    CHECK_RC(plx_process_open(plx_poller_registry(h->poller), 1, getpid(), &more), -ECHILD);
    CHECK(more == NULL);
    plx_process_close(h->process);
    plx_poller_close(h->poller);
    plx_poller *own = open_poller(); /* its own */
    child c = child_start(4, false);
    plx_process *process = follow(own, 2, c.pid), *stranger = follow(own, 3, h->child.pid);
    child_let_go(&c);
    EXPECT(own, 2, PLX_PROCESS);
    expect_status(process, 4, 0);
    expect_reaped(c.pid);
    expect_no_status(stranger, -EAGAIN);
    plx_process_close(stranger);
    plx_process_close(process);
    plx_poller_close(own);
}

static void survives_a_fork(void)
{
    heir h = {.poller = open_poller(), .child = child_start(9, false)};
    h.process = follow(h.poller, 1, h.child.pid);
    CHECK_EQ(in_child(use_and_close, &h), 0);
    EXPECT_SILENCE(h.poller, 0);
    expect_no_status(h.process, -EAGAIN);
    child_let_go(&h.child);
    EXPECT(h.poller, 1, PLX_PROCESS);
    expect_status(h.process, 9, 0);
    plx_process_close(h.process);
    plx_poller_close(h.poller);
}

CASE(processes_in_a_child_are_echild_and_the_parents_go_on)
{
    in_each_way(survives_a_fork);
}

CASE(process_without_descriptors_left_is_emfile)
{
    plx_poller *poller = open_poller();
    plx_process *process = NULL;
    int first = descriptors_open();
    if (first < 0)
        SKIP("this system does not tell how many descriptors are open");
    plx_process *probe = follow(poller, 1, getpid());
    bool costs = descriptors_open() > first;
    plx_process_close(probe);
    if (!costs)
        SKIP("a process costs no descriptor here");
    child c = child_start(2, false);
    struct rlimit limit, before;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    limit = before;
    limit.rlim_cur = (rlim_t)dup(0); /* the first free number */
    close((int)limit.rlim_cur);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_RC(plx_process_open(plx_poller_registry(poller), 1, c.pid, &process), -EMFILE);
    CHECK(process == NULL);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_EQ(stats_of(poller).timers, 0);
    process = follow(poller, 1, c.pid);
    child_let_go(&c);
    EXPECT(poller, 1, PLX_PROCESS);
    expect_status(process, 2, 0);
    plx_process_close(process);
    plx_poller_close(poller);
}

/* A kernel set that is renewed has the processes in it as well. */
CASE(process_survives_the_renewal_of_the_kernels_set)
{
    plx_poller *poller = open_poller();
    plx_fd ends[2];
    child c = child_start(2, false);
    plx_process *process = follow(poller, 1, c.pid);
    ghost g = make_ghost(plx_poller_registry(poller), 5, PLX_READABLE);
    open_stream(ends);
    CHECK_RC(plx_deregister(plx_poller_registry(poller), g.number), 0);
    put(g.peer, 1);
    EXPECT_SILENCE(poller, PLX_MSEC(1));
    child_let_go(&c);
    EXPECT(poller, 1, PLX_PROCESS);
    expect_status(process, 2, 0);
    plx_process_close(process);
    end_ghost(&g);
    close_pair(ends);
    plx_poller_close(poller);
}

/* They are the library's: for the program they are not there. */
CASE(descriptors_of_processes_cannot_be_registered)
{
    plx_poller *poller = open_poller();
    plx_registry *registry = plx_poller_registry(poller);
    child c = child_start(2, false);
    int number = dup(0); /* the first that is free */
    close(number);
    plx_process *process = follow(poller, 1, c.pid);
    if (!descriptor_is_open(number))
        SKIP("a process costs no descriptor here");
    CHECK_RC(plx_register(registry, number, 2, PLX_READABLE), -EINVAL);
    CHECK_RC(plx_reregister(registry, number, 2, PLX_READABLE), -ENOENT);
    CHECK_RC(plx_lookup(registry, number, NULL, NULL), -ENOENT);
    CHECK_RC(plx_deregister(registry, number), -ENOENT);
    CHECK_EQ(stats_of(poller).registered, 0);
    child_let_go(&c);
    EXPECT(poller, 1, PLX_PROCESS);
    expect_status(process, 2, 0);
    plx_process_close(process);
    plx_poller_close(poller);
}

static void runs_out_of_memory(void)
{
    counting memory;
    plx_poller *poller = open_counting(&memory);
    child c = child_start(1, false);
    int descriptors = descriptors_open();
    bool done = false;
    for (long nth = 1; !done; nth++) {
        plx_process *process = NULL;
        counting_refuse(&memory, nth);
        int rc = plx_process_open(plx_poller_registry(poller), 1, c.pid, &process);
        counting_refuse(&memory, 0);
        done = rc == 0;
        if (done) {
            CHECK(nth > 1);
            plx_process_close(process);
        } else {
            CHECK_RC(rc, -ENOMEM);
            CHECK(process == NULL);
        }
        CHECK_EQ(descriptors_open(), descriptors);
        CHECK(is_default(SIGCHLD));
        EXPECT_SILENCE(poller, 0);
    }
    child_let_go(&c);
    CHECK_EQ(waitpid(c.pid, NULL, 0), c.pid);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

CASE(processes_without_memory_are_enomem_and_leave_nothing)
{
    in_each_way(runs_out_of_memory);
}

#ifdef SYS_clone3

/* A child with this number, if the system lets us choose it; else -1. */
static pid_t fork_as(pid_t pid, int code)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size;
    } wanted = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};
    pid_t forked = (pid_t)syscall(SYS_clone3, &wanted, sizeof wanted);
    if (forked == 0)
        syscall(SYS_exit_group, code);
    return forked;
}

/* The first process' end is never looked at before its number is another's. */
CASE(status_of_a_later_process_with_the_number_is_not_told)
{
    if (!processes_have_descriptors())
        SKIP("a process is known by its number alone here");
    plx_poller *poller = open_poller();
    child first = child_start(1, false);
    plx_process *old = follow(poller, 1, first.pid);
    child_let_go(&first);
    CHECK_EQ(waitpid(first.pid, NULL, 0), first.pid);
    pid_t second = fork_as(first.pid, 9);
    if (second < 0)
        SKIP("no choice of process numbers here: %s", strerror(errno));
    CHECK_EQ(second, first.pid);
    await_zombie(second);
    plx_process *young = follow(poller, 2, second);
    plx_event events[4];
    CHECK_RC(plx_poller_wait(poller, events, 4, PATIENCE), 2);
    expect_status(young, 9, 0);
    expect_reaped(second);
    expect_no_status(old, -ECHILD);
    plx_process_close(old);
    plx_process_close(young);
    plx_poller_close(poller);
}

#else

CASE(status_of_a_later_process_with_the_number_is_not_told)
{
    SKIP("no choice of process numbers here");
}

#endif

/* ---- Many -------------------------------------------------------------------------- */

/* Some are over before they are watched, some are not; all are told, once, and none is left. */
static void counts_instant_exits(void)
{
    enum { AT_ONCE = 250 };
    static plx_process *processes[AT_ONCE];
    static pid_t pids[AT_ONCE];
    static int told[AT_ONCE];
    int batches = rounds(UNDER_SANITIZER ? 1000 : 3500) / AT_ONCE; /* in three ways */
    plx_poller *poller = open_poller();
    for (int batch = 0; batch < batches; batch++) {
        check_note("batch %d", batch);
        memset(told, 0, sizeof told);
        for (int i = 0; i < AT_ONCE; i++) {
            pids[i] = child_start(i % 200, true).pid;
            processes[i] = follow(poller, (plx_token)i, pids[i]);
        }
        for (int left = AT_ONCE; left > 0;) {
            plx_event events[32];
            int count = plx_poller_wait(poller, events, 32, PATIENCE);
            CHECK(count > 0);
            for (int k = 0; k < count; k++, left--) {
                CHECK(events[k].flags == PLX_PROCESS && events[k].token < AT_ONCE);
                CHECK_EQ(++told[events[k].token], 1);
            }
        }
        EXPECT_SILENCE(poller, 0);
        for (int i = 0; i < AT_ONCE; i++) {
            plx_exit status;
            CHECK_RC(plx_process_status(processes[i], &status), 0);
            CHECK(status.code == i % 200 && status.signal == 0);
            plx_process_close(processes[i]);
        }
        CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1); /* no zombie, no child at all */
        CHECK_EQ(errno, ECHILD);
    }
    plx_poller_close(poller);
}

CASE(stress_instant_exits_are_all_told_once)
{
    in_each_way(counts_instant_exits);
}

#endif
