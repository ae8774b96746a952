/* SPDX-License-Identifier: MIT */
/*
 * The handler of signals, by POSIX. See docs/design.md, Signals and processes.
 *
 * The traps: several signals that are delivered together nest, the last of them on top, so
 * all are blocked in the handler, or they would be recorded backwards. A handler that runs
 * after a fork, or in a child of vfork, which even shares its memory, would act for the
 * parent: it compares process numbers first. A child that is ignored (SIG_IGN, SA_NOCLDWAIT)
 * leaves no zombie, and must not leave one because of our handler.
 */
#include "os/config.h"

#include "os/fork.h"
#include "os/lock.h"
#include "os/signals.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
#include "os/posix.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#ifndef SI_MESGQ /* no message queues */
#define SI_MESGQ SI_QUEUE
#endif

/* What is known of one number. */
struct signals_number {
    _Atomic(plx__signal_watch *) first;
    _Atomic(const struct sigaction *) before; /* one of the two below; release, acquire */
    _Atomic(bool) installed;                  /* somebody watches; written under the lock */
    _Atomic(bool) spent;                      /* `before` was for one signal (SA_RESETHAND), and had it */
    struct sigaction kept[2];
};

const int plx__signal_child = SIGCHLD;

static struct signals_number signals_numbers[PLX__SIGNALS];

static plx__lock signals_lock = PLX__LOCK_INITIALIZER; /* changes; every signal is blocked in its holder */
static _Atomic(pid_t) signals_process;                 /* whose watches these are */

/*
 * The handlers that may be looking at a list, counted in two phases. Sequentially consistent:
 * a handler counts itself, then looks at the phase again; a remover unlinks, changes the
 * phase, then looks at the count.
 */
static _Atomic(unsigned) signals_phase;
static _Atomic(unsigned) signals_inside[2];

/* ---- In the handler -------------------------------------------------------- */

static unsigned signals_step_in(void)
{
    for (;;) {
        unsigned phase = atomic_load_explicit(&signals_phase, PLX__SEQ_CST);
        atomic_fetch_add_explicit(&signals_inside[phase], 1, PLX__SEQ_CST);
        if (atomic_load_explicit(&signals_phase, PLX__SEQ_CST) == phase)
            return phase;
        atomic_fetch_sub_explicit(&signals_inside[phase], 1, PLX__SEQ_CST);
    }
}

static void signals_step_out(unsigned phase)
{
    atomic_fetch_sub_explicit(&signals_inside[phase], 1, PLX__SEQ_CST);
}

/* Whether a process sent it, which si_pid and si_uid then name. */
static bool signals_sent(const siginfo_t *info)
{
#ifdef SI_TKILL /* Linux's pthread_kill */
    if (info->si_code == SI_TKILL)
        return true;
#endif
    return info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_MESGQ;
}

static plx_signal_info signals_describe(int number, const siginfo_t *info)
{
    plx_signal_info described = {.number = number, .code = info->si_code};
    bool child = number == SIGCHLD && info->si_code > 0 && !signals_sent(info);

    if (child || signals_sent(info)) {
        described.pid = (int64_t)info->si_pid;
        described.uid = (uint32_t)info->si_uid;
    }
    if (child)
        described.status = info->si_status;
    else if (info->si_code == SI_QUEUE || info->si_code == SI_TIMER || info->si_code == SI_MESGQ)
        described.status = info->si_value.sival_int;
    return described;
}

/* Tells who watches, if it is this process; whether somebody does. What was there before is copied. */
static bool signals_tell_all(int number, const siginfo_t *info, struct sigaction *before)
{
    struct signals_number *entry = &signals_numbers[number];

    if (getpid() != atomic_load_explicit(&signals_process, PLX__RELAXED)) {
        *before = *atomic_load_explicit(&entry->before, PLX__ACQUIRE);
        return false;
    }
    plx_signal_info described = signals_describe(number, info);
    unsigned phase = signals_step_in();
    plx__signal_watch *watch = atomic_load_explicit(&entry->first, PLX__SEQ_CST);
    bool told = watch != NULL;
    for (; watch; watch = atomic_load_explicit(&watch->next, PLX__ACQUIRE))
        watch->tell(watch, &described);
    *before = *atomic_load_explicit(&entry->before, PLX__ACQUIRE);
    signals_step_out(phase);
    return told;
}

static void signals_handle(int number, siginfo_t *info, void *context);

static bool signals_ours(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == signals_handle;
}

static bool signals_calls(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO || (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN);
}

/* The mask that a handler had asked for, on top of what was blocked when the signal came. */
static sigset_t signals_mask(const struct sigaction *action, int number, const ucontext_t *context)
{
    sigset_t mask;

    memcpy(&mask, &context->PLX__CONTEXT_MASK, sizeof mask);

    for (int other = 1; other < PLX__SIGNALS; other++)
        if (sigismember(&action->sa_mask, other) == 1)
            (void)sigaddset(&mask, other);
    if (!(action->sa_flags & SA_NODEFER))
        (void)sigaddset(&mask, number);
    return mask;
}

/*
 * The program's handler may once have been put over ours, and pass on to it what it is called
 * with by ours: it gets a copy that says so, at its end, which the kernel fills with zeros.
 */
static const void *const signals_seen[2] = {signals_numbers, &signals_lock};

static siginfo_t signals_mark(const siginfo_t *info)
{
    siginfo_t marked = *info;

    memcpy((char *)&marked + sizeof marked - sizeof signals_seen, signals_seen, sizeof signals_seen);
    return marked;
}

static bool signals_marked(const siginfo_t *info)
{
    const char *end = (const char *)info + sizeof *info;

    return memcmp(end - sizeof signals_seen, signals_seen, sizeof signals_seen) == 0;
}

/* The program's own handler. It may leave by siglongjmp: nothing is held here. */
static void signals_call(const struct sigaction *action, int number, const siginfo_t *info, void *context)
{
    sigset_t during;
    siginfo_t marked = signals_mark(info);
    bool masked = context != NULL;

    if (action->sa_flags & SA_NOCLDSTOP && number == SIGCHLD &&
        (info->si_code == CLD_STOPPED || info->si_code == CLD_CONTINUED))
        return;
    if ((unsigned)action->sa_flags & SA_RESETHAND &&
        atomic_exchange_explicit(&signals_numbers[number].spent, true, PLX__RELAXED))
        return;
    if (masked) {
        sigset_t mask = signals_mask(action, number, context);
        (void)pthread_sigmask(SIG_SETMASK, &mask, &during);
    }
    if (action->sa_flags & SA_SIGINFO)
        action->sa_sigaction(number, &marked, context);
    else
        action->sa_handler(number);
    if (masked)
        (void)pthread_sigmask(SIG_SETMASK, &during, NULL);
}

/*
 * Nobody watches, and the default is what was there before: it follows when the handler
 * returns. Not if another handler has our place, and has called this one.
 */
static void signals_default(int number, const struct sigaction *before)
{
    struct sigaction now;

    if (plx__posix.sigaction(number, NULL, &now) != 0)
        return;
    bool ours = signals_ours(&now);
    if (ours && getpid() != atomic_load_explicit(&signals_process, PLX__RELAXED)) {
        (void)plx__posix.sigaction(number, before, NULL);
        (void)plx__posix.kill(getpid(), number); /* musl's raise would take a child of vfork for its parent */
        return;
    }
    if (!ours && signals_calls(&now)) /* ours in this process: opened again, and told by the next */
        return;
    (void)raise(number);
}

static void signals_handle(int number, siginfo_t *info, void *context)
{
    struct signals_number *entry = &signals_numbers[number];
    struct sigaction before;
    int saved = errno;

    if (signals_marked(info))
        return;
    bool told = signals_tell_all(number, info, &before);

    if (!told && getpid() == atomic_load_explicit(&signals_process, PLX__RELAXED) &&
        atomic_load_explicit(&entry->installed, PLX__SEQ_CST))
        told = signals_tell_all(number, info, &before); /* closed, and opened again, under this handler */
    if (signals_calls(&before))
        signals_call(&before, number, info, context);
    else if (!told && before.sa_handler == SIG_DFL)
        signals_default(number, &before);
    errno = saved;
}

/* ---- Changes --------------------------------------------------------------- */

/* Puts back what was there before, unless somebody has put another in our place. */
static void signals_uninstall(struct signals_number *entry, int number)
{
    struct sigaction before = *atomic_load_explicit(&entry->before, PLX__RELAXED);
    struct sigaction now;
    int saved = errno;

    if ((unsigned)before.sa_flags & SA_RESETHAND && atomic_load_explicit(&entry->spent, PLX__RELAXED)) {
        before.sa_flags &= ~SA_SIGINFO;
        before.sa_handler = SIG_DFL;
    }
    if (plx__posix.sigaction(number, NULL, &now) != 0 || signals_ours(&now))
        (void)plx__posix.sigaction(number, &before, NULL);
    errno = saved;
}

/* In a child, which has one thread: nothing is watched. What was there before is kept for its handlers. */
static void signals_fork_child(void)
{
    (void)plx__lock_init(&signals_lock);
    for (int number = 0; number < PLX__SIGNALS; number++) {
        if (atomic_load_explicit(&signals_numbers[number].before, PLX__RELAXED))
            signals_uninstall(&signals_numbers[number], number);
        atomic_store_explicit(&signals_numbers[number].first, NULL, PLX__RELAXED);
        atomic_store_explicit(&signals_numbers[number].installed, false, PLX__RELAXED);
    }
    atomic_store_explicit(&signals_inside[0], 0, PLX__RELAXED);
    atomic_store_explicit(&signals_inside[1], 0, PLX__RELAXED);
    atomic_store_explicit(&signals_process, getpid(), PLX__RELAXED);
}

static void signals_take_lock(sigset_t *mask)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, mask);
    plx__lock_take(&signals_lock);
}

static void signals_drop_lock(const sigset_t *mask)
{
    plx__lock_drop(&signals_lock);
    (void)pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* Until no handler is inside that came before. They are short, and wait for nobody. */
static void signals_settle(void)
{
    const struct timespec moment = {.tv_nsec = 50000};
    unsigned phase = atomic_load_explicit(&signals_phase, PLX__RELAXED);

    atomic_store_explicit(&signals_phase, !phase, PLX__SEQ_CST);
    for (int i = 0; atomic_load_explicit(&signals_inside[phase], PLX__SEQ_CST) != 0; i++) {
        if (i < 100)
            (void)sched_yield();
        else
            (void)nanosleep(&moment, NULL);
    }
}

static void signals_link(struct signals_number *entry, plx__signal_watch *watch)
{
    atomic_store_explicit(&watch->next, atomic_load_explicit(&entry->first, PLX__RELAXED), PLX__RELAXED);
    atomic_store_explicit(&entry->first, watch, PLX__SEQ_CST);
}

/* Its `next` stays: a handler may be at it. */
static void signals_unlink(struct signals_number *entry, plx__signal_watch *watch)
{
    _Atomic(plx__signal_watch *) *link = &entry->first;

    while (atomic_load_explicit(link, PLX__RELAXED) != watch)
        link = &atomic_load_explicit(link, PLX__RELAXED)->next;
    atomic_store_explicit(link, atomic_load_explicit(&watch->next, PLX__RELAXED), PLX__SEQ_CST);
}

/* Keeps what is there now, in the copy that no handler reads. Ours may be there, in a child. */
static void signals_keep(struct signals_number *entry, const struct sigaction *was)
{
    const struct sigaction *kept = atomic_load_explicit(&entry->before, PLX__RELAXED);
    struct sigaction *free_one = &entry->kept[kept == &entry->kept[0]];

    if (signals_ours(was) && kept)
        return;
    *free_one = *was;
    atomic_store_explicit(&entry->spent, false, PLX__RELAXED);
    atomic_store_explicit(&entry->before, free_one, PLX__RELEASE);
    signals_settle();
}

/* The handler takes the place of what is there. Somebody watches already. */
static int signals_install(struct signals_number *entry, int number)
{
    struct sigaction action = {.sa_flags = SA_RESTART | SA_ONSTACK | SA_SIGINFO};
    struct sigaction was;
    int saved = errno;
    int rc = plx__result(plx__posix.sigaction(number, NULL, &was), saved);

    if (rc < 0)
        return rc;
    signals_keep(entry, &was);
    action.sa_sigaction = signals_handle;
    (void)sigfillset(&action.sa_mask);
    bool ignored = !(was.sa_flags & SA_SIGINFO) && was.sa_handler == SIG_IGN;
    if (number == SIGCHLD && (ignored || was.sa_flags & SA_NOCLDWAIT))
        action.sa_flags |= SA_NOCLDWAIT;
    return plx__result(plx__posix.sigaction(number, &action, NULL), saved);
}

static int signals_add_one(plx__signal_watch *watch)
{
    struct signals_number *entry = &signals_numbers[watch->number];

    signals_link(entry, watch);
    if (atomic_load_explicit(&entry->installed, PLX__RELAXED))
        return 0;
    int rc = signals_install(entry, watch->number);
    if (rc < 0)
        signals_unlink(entry, watch);
    else
        atomic_store_explicit(&entry->installed, true, PLX__SEQ_CST);
    return rc;
}

static void signals_remove_one(plx__signal_watch *watch)
{
    struct signals_number *entry = &signals_numbers[watch->number];
    bool last = atomic_load_explicit(&entry->first, PLX__RELAXED) == watch &&
                !atomic_load_explicit(&watch->next, PLX__RELAXED);

    if (last) {
        signals_uninstall(entry, watch->number);
        atomic_store_explicit(&entry->installed, false, PLX__SEQ_CST);
    }
    signals_unlink(entry, watch);
}

bool plx__signals_valid(int number)
{
    static const int never[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (number == never[i])
            return false;
    return number > 0 && number < PLX__SIGNALS;
}

int plx__signals_add(plx__signal_watch *watches, int count)
{
    static _Atomic(bool) forks_watched;
    sigset_t mask;
    int added = 0;

    if (ATOMIC_LLONG_LOCK_FREE != 2 || ATOMIC_POINTER_LOCK_FREE != 2 || ATOMIC_INT_LOCK_FREE != 2)
        return -ENOTSUP;
    int rc = plx__fork_call(&forks_watched, signals_fork_child);
    if (rc < 0)
        return rc;
    signals_take_lock(&mask);
    atomic_store_explicit(&signals_process, getpid(), PLX__RELAXED);
    while (added < count && (rc = signals_add_one(&watches[added])) == 0)
        added++;
    if (rc < 0) {
        for (int i = 0; i < added; i++)
            signals_remove_one(&watches[i]);
        signals_settle();
    }
    signals_drop_lock(&mask);
    return rc;
}

void plx__signals_remove(plx__signal_watch *watches, int count)
{
    sigset_t mask;

    signals_take_lock(&mask);
    for (int i = 0; i < count; i++)
        signals_remove_one(&watches[i]);
    signals_settle();
    signals_drop_lock(&mask);
}

#endif
