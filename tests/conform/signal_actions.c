/* SPDX-License-Identifier: MIT */
/*
 * What was there before a signal was watched: it is called, or not, put back, inherited by
 * children of fork, and by programs that they start.
 */
#include "os/config.h"

#include "support.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
#include "signals.h"

#include <setjmp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t called, called_code;
static sigset_t called_mask;

static void count_call(int number)
{
    CHECK(number == SIGUSR1 || number == SIGUSR2);
    called++;
    errno = 99;
}

static void count_call_with_info(int number, siginfo_t *info, void *context)
{
    CHECK(context != NULL && info->si_signo == number);
    called++;
    called_code = info->si_code;
    pthread_sigmask(SIG_BLOCK, NULL, &called_mask);
}

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void install_with_info(int number, int flags, int blocked)
{
    struct sigaction action = {.sa_sigaction = count_call_with_info, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, blocked);
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void told(plx_signals *signals, int number)
{
    send_self(number);
    next_of(signals, number);
    expect_none(signals);
}

CASE(default_action_does_not_happen_while_watched)
{
    static const int fatal[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE, SIGALRM, SIGTSTP};
    enum { COUNT = sizeof fatal / sizeof fatal[0] };
    plx_poller *poller = open_poller();
    for (int i = 0; i < COUNT; i++)
        signal(fatal[i], SIG_DFL); /* whatever this process was started with */
    plx_signals *signals = watch(poller, 1, fatal, COUNT);
    for (int i = 0; i < COUNT; i++)
        told(signals, fatal[i]);
    plx_signals_close(signals);
    for (int i = 0; i < COUNT; i++)
        CHECK(is_default(fatal[i]));
    plx_poller_close(poller);
}

CASE(ignored_signal_is_told_and_ignored_again)
{
    plx_poller *poller = open_poller();
    signal(SIGUSR1, SIG_IGN);
    plx_signals *signals = watch_one(poller, 1, SIGUSR1);
    told(signals, SIGUSR1);
    plx_signals_close(signals);
    send_self(SIGUSR1);
    struct sigaction now;
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
    plx_poller_close(poller);
}

CASE(handler_from_before_is_called_and_put_back)
{
    plx_poller *one = open_poller(), *two = open_poller();
    struct sigaction before, now;
    install(SIGUSR1, count_call, SA_RESTART);
    CHECK(sigaction(SIGUSR1, NULL, &before) == 0);
    plx_signals *first = watch_one(one, 1, SIGUSR1), *second = watch_one(two, 2, SIGUSR1);
    errno = 4711;
    send_self(SIGUSR1);
    CHECK_EQ(errno, 4711); /* whatever that handler did to it */
    CHECK_EQ(called, 1);
    next_of(first, SIGUSR1);
    next_of(second, SIGUSR1);
    plx_signals_close(first);
    told(second, SIGUSR1);
    CHECK_EQ(called, 2);
    plx_signals_close(second);
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0);
    CHECK(now.sa_handler == count_call && now.sa_flags == before.sa_flags);
    send_self(SIGUSR1);
    CHECK_EQ(called, 3);
    plx_poller_close(one);
    plx_poller_close(two);
}

CASE(handler_from_before_gets_its_arguments_and_its_mask)
{
    sigset_t usr2, before;
    plx_poller *poller = open_poller();
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    for (int i = 0; i < 2; i++) {
        install_with_info(SIGUSR1, i ? SA_NODEFER : 0, SIGHUP);
        plx_signals *signals = watch_one(poller, 1, SIGUSR1);
        CHECK(pthread_sigmask(SIG_BLOCK, &usr2, &before) == 0);
        called = 0;
        told(signals, SIGUSR1);
        CHECK_EQ(called, 1);
        CHECK_EQ(called_code, SI_USER);
        CHECK_EQ(sigismember(&called_mask, SIGHUP), 1);
        CHECK_EQ(sigismember(&called_mask, SIGUSR2), 1);
        CHECK_EQ(sigismember(&called_mask, SIGUSR1), i == 0);
        CHECK_EQ(sigismember(&called_mask, SIGTERM), 0);
        CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
        plx_signals_close(signals);
    }
    plx_poller_close(poller);
}

CASE(handler_for_one_signal_is_called_once)
{
    plx_poller *poller = open_poller();
    install(SIGUSR1, count_call, (int)SA_RESETHAND);
    plx_signals *signals = watch_one(poller, 1, SIGUSR1);
    for (int i = 0; i < 3; i++)
        told(signals, SIGUSR1);
    CHECK_EQ(called, 1);
    plx_signals_close(signals);
    CHECK(is_default(SIGUSR1)); /* as it would be by now */
    install(SIGUSR1, count_call, (int)SA_RESETHAND);
    plx_signals_close(watch_one(poller, 1, SIGUSR1));
    send_self(SIGUSR1);
    CHECK_EQ(called, 2);
    plx_poller_close(poller);
}

static char *stack_used;

static void note_stack(int number)
{
    (void)number;
    stack_used = __builtin_frame_address(0);
}

/* A program that grows its stack by hand has no room on it for handlers. */
CASE(handler_runs_on_the_alternate_stack)
{
    enum { SIZE = 1 << 16 };
    if (UNDER_THREAD_SANITIZER)
        SKIP("the thread sanitizer calls handlers on a stack of its own choice");
    stack_t alternate = {.ss_sp = malloc(SIZE), .ss_size = SIZE}, before;
    plx_poller *poller = open_poller();
    CHECK(alternate.ss_sp != NULL && sigaltstack(&alternate, &before) == 0);
    install(SIGUSR1, note_stack, 0);
    plx_signals *signals = watch_one(poller, 1, SIGUSR1);
    told(signals, SIGUSR1);
    CHECK(stack_used >= (char *)alternate.ss_sp && stack_used < (char *)alternate.ss_sp + SIZE);
    plx_signals_close(signals);
    CHECK(sigaltstack(&before, NULL) == 0);
    free(alternate.ss_sp);
    plx_poller_close(poller);
}

static sigjmp_buf out;

static void jump_out(int number)
{
    (void)number;
    siglongjmp(out, 1);
}

CASE(handler_from_before_may_jump_out)
{
    plx_poller *poller = open_poller();
    install(SIGUSR1, jump_out, 0);
    plx_signals *signals = watch_one(poller, 1, SIGUSR1);
    for (volatile int i = 0; i < 10; i++) {
        if (sigsetjmp(out, 1) == 0) {
            send_self(SIGUSR1);
            check_fail_with(__FILE__, __LINE__, "", "it came back");
        }
        EXPECT(poller, 1, PLX_SIGNAL);
        next_of(signals, SIGUSR1);
    }
    plx_signals_close(signals); /* waits for nobody */
    plx_poller_close(poller);
}

static struct sigaction beneath;

static void pass_on(int number, siginfo_t *info, void *context)
{
    called++;
    if (beneath.sa_flags & SA_SIGINFO)
        beneath.sa_sigaction(number, info, context);
}

CASE(handler_installed_over_ours_stays)
{
    struct sigaction over = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO}, now;
    plx_poller *poller = open_poller();
    plx_signals *signals = watch_one(poller, 1, SIGUSR1);
    sigemptyset(&over.sa_mask);
    CHECK(sigaction(SIGUSR1, &over, &beneath) == 0);
    told(signals, SIGUSR1); /* it passes on */
    CHECK_EQ(called, 1);
    plx_signals_close(signals);
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_sigaction == pass_on);
    send_self(SIGUSR1); /* what was beneath is no more, and harmless */
    CHECK_EQ(called, 2);
    signals = watch_one(poller, 1, SIGUSR1); /* over it, once more, and it still passes on */
    told(signals, SIGUSR1);
    CHECK_EQ(called, 3);
    plx_signals_close(signals);
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_sigaction == pass_on);
    plx_poller_close(poller);
}

CASE(watched_children_that_are_ignored_leave_no_zombie)
{
    need_ignored_children_to_vanish();
    plx_poller *poller = open_poller();
    signal(SIGCHLD, SIG_IGN);
    plx_signals *signals = watch_one(poller, 1, SIGCHLD);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        _exit(0);
    CHECK(waitpid(child, NULL, 0) == -1 && errno == ECHILD); /* once it is gone */
    plx_signals_close(signals);
    plx_poller_close(poller);
}

CASE(handler_that_wants_no_stops_hears_of_none)
{
    plx_poller *poller = open_poller();
    install_with_info(SIGCHLD, SA_NOCLDSTOP, SIGHUP);
    plx_signals *signals = watch_one(poller, 1, SIGCHLD);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    EXPECT(poller, 1, PLX_SIGNAL);
    CHECK_EQ(next_of(signals, SIGCHLD).code, CLD_STOPPED);
    CHECK_EQ(called, 0);
    CHECK(kill(child, SIGKILL) == 0);
    for (plx_signal_info info = {0}; info.code != CLD_KILLED;) {
        EXPECT(poller, 1, PLX_SIGNAL);
        info = next_of(signals, SIGCHLD);
    }
    CHECK_EQ(called, 1);
    CHECK_EQ(waitpid(child, NULL, 0), child);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

/* ---- Children -------------------------------------------------------------------- */

typedef struct heir {
    plx_poller  *poller;
    plx_signals *signals;
} heir;

static heir heir_open(int number)
{
    heir h;
    h.poller = open_poller();
    h.signals = watch_one(h.poller, 1, number);
    return h;
}

static void heir_close(heir *h)
{
    plx_signals_close(h->signals);
    plx_poller_close(h->poller);
}

static void terminate_self(void *argument)
{
    (void)argument;
    signal(SIGALRM, SIG_DFL);
    struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
    raise(SIGTERM);
    check_stop(55);
}

CASE(child_dies_of_what_its_parent_watches)
{
    heir h = heir_open(SIGTERM);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(in_child(terminate_self, NULL), 1000 + SIGTERM);
    EXPECT_REST(h.poller, 0);
    told(h.signals, SIGTERM);
    heir_close(&h);
}

static void call_handler(void *argument)
{
    (void)argument;
    called = 0;
    raise(SIGUSR1);
    raise(SIGUSR1);
    check_stop(called == 2 ? 0 : 1);
}

CASE(childs_signal_goes_to_the_handler_from_before_alone)
{
    install(SIGUSR1, count_call, 0);
    heir h = heir_open(SIGUSR1);
    CHECK_EQ(in_child(call_handler, NULL), 0);
    EXPECT_REST(h.poller, 0);
    expect_none(h.signals);
    told(h.signals, SIGUSR1);
    CHECK_EQ(called, 1);
    heir_close(&h);
}

static void use_and_close(void *argument)
{
    heir *h = argument;
    plx_signal_info info = {.number = 5};
    plx_signals *more = NULL;
    int number = SIGUSR2;
    CHECK_RC(plx_signals_next(h->signals, &info), -ECHILD);
    CHECK_EQ(info.number, 5);
    CHECK_RC(plx_signals_open(plx_poller_registry(h->poller), 1, &number, 1, &more), -ECHILD);
    CHECK(more == NULL);
    plx_signals_close(h->signals);
    plx_poller_close(h->poller);
}

static void watch_for_itself(void *argument)
{
    plx_poller *own = open_poller();
    for (int i = 0; i < 2; i++) {
        plx_signals *signals = watch_one(own, 9, SIGTERM);
        raise(SIGTERM);
        EXPECT(own, 9, PLX_SIGNAL);
        next_of(signals, SIGTERM);
        if (i == 0)
            use_and_close(argument);
        plx_signals_close(signals);
        CHECK(is_default(SIGTERM));
    }
    plx_poller_close(own);
    terminate_self(NULL);
}

CASE(signals_in_a_child_are_echild_and_the_parents_go_on)
{
    counting memory;
    heir h;
    h.poller = open_counting(&memory);
    h.signals = watch_one(h.poller, 1, SIGTERM);
    send_self(SIGTERM); /* unread while the child lives and dies */
    CHECK_EQ(in_child(use_and_close, &h), 0);
    CHECK_EQ(in_child(watch_for_itself, &h), 1000 + SIGTERM);
    EXPECT(h.poller, 1, PLX_SIGNAL);
    next_of(h.signals, SIGTERM);
    told(h.signals, SIGTERM);
    heir_close(&h);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* A child of vfork shares the memory, and must not write what is the parent's. */
CASE(signal_of_a_vforked_child_is_its_own)
{
    if (UNDER_THREAD_SANITIZER)
        SKIP("the thread sanitizer does not know vfork");
    heir h = heir_open(SIGTERM);
    int status;
    pid_t child = vfork();
    CHECK(child >= 0);
    if (child == 0) {
        kill(getpid(), SIGTERM);
        _exit(1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    expect_none(h.signals);
    EXPECT_REST(h.poller, 0);
    told(h.signals, SIGTERM);
    heir_close(&h);
}

static int status_of_program(const char *script)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

CASE(program_started_meanwhile_has_default_actions_and_nothing_blocked)
{
    int numbers[] = {SIGTERM, SIGUSR1, SIGCHLD};
    plx_poller *poller = open_poller();
    plx_signals *signals = watch(poller, 1, numbers, 3);
    sigset_t mask;
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    for (int number = 1; number < 64; number++)
        CHECK(sigismember(&mask, number) != 1);
    CHECK_EQ(status_of_program("kill -TERM $$; exit 3"), 1000 + SIGTERM);
    CHECK_EQ(status_of_program("kill -USR1 $$; exit 3"), 1000 + SIGUSR1);
    CHECK_EQ(status_of_program("exit 3"), 3);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

/* ---- Life ------------------------------------------------------------------------- */

CASE(signals_of_a_closed_poller_can_still_be_read)
{
    counting memory;
    struct sigaction now;
    plx_poller *poller = open_counting(&memory);
    plx_registry *registry = plx_registry_retain(plx_poller_registry(poller));
    install(SIGUSR1, count_call, 0);
    plx_signals *one = watch_one(poller, 1, SIGUSR1), *two = watch_one(poller, 2, SIGUSR1), *more = NULL;
    int number = SIGUSR1;
    for (int i = 0; i < 3; i++)
        send_self(SIGUSR1);
    plx_signals_close(two);
    plx_poller_close(poller);
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == count_call);
    send_self(SIGUSR1); /* nobody's any more */
    CHECK_EQ(called, 4);
    for (int i = 0; i < 3; i++)
        next_of(one, SIGUSR1);
    expect_none(one);
    CHECK_RC(plx_signals_open(registry, 1, &number, 1, &more), -PLX_ESHUTDOWN);
    CHECK(more == NULL);
    plx_registry_release(registry);
    plx_signals_close(one);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

CASE(signals_without_memory_are_enomem_and_leave_nothing)
{
    counting memory;
    plx_poller *poller = open_counting(&memory);
    int number = SIGUSR1;
    for (long nth = 1;; nth++) {
        plx_signals *signals = NULL;
        long live = atomic_load(&memory.live);
        counting_refuse(&memory, nth);
        int rc = plx_signals_open(plx_poller_registry(poller), 1, &number, 1, &signals);
        counting_refuse(&memory, 0);
        if (rc == 0) {
            CHECK(nth > 1);
            told(signals, SIGUSR1);
            plx_signals_close(signals);
            break;
        }
        CHECK_RC(rc, -ENOMEM);
        CHECK(signals == NULL && is_default(SIGUSR1));
        CHECK_EQ(atomic_load(&memory.live), live);
    }
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

/* exec puts the default in a handler's place, but leaves what is ignored: so does a child with ours. */
CASE(ignored_signal_that_is_watched_stays_ignored_over_exec)
{
    plx_poller *poller = open_poller();
    signal(SIGUSR1, SIG_IGN);
    plx_signals *signals = watch_one(poller, 1, SIGUSR1);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "kill -USR1 $$; exit 7", (char *)NULL);
        _exit(1);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    plx_signals_close(signals);
    plx_poller_close(poller);
}

#endif
