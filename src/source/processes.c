/* SPDX-License-Identifier: MIT */
/*
 * Processes as a source: by pidfd, which the kernel watches, and which reports once; or,
 * where there is none, by a look after each SIGCHLD and at each tick, in a turn on the ready
 * queue.
 *
 * The trap: a number is given to another process as soon as somebody has waited for the
 * first. So nobody waits but for one number, and before this library does, every object with
 * that number looks how its process ended: all of them have the answer, and no later one
 * that gets the number does.
 */
#include "os/config.h"

#include "core/core.h"
#include "core/memory.h"
#include "os/process.h"
#include "os/signals.h"

struct plx_process {
    plx__source source; /* first: a source is its process; on the queue only without a pidfd */
    plx__attachment attachment;
    plx__signal_watch watch; /* of SIGCHLD, without a pidfd */
    bool watching;           /* it is; under the registry's lock */
    plx_registry *registry;
    plx_token token;
    plx_pid pid;
    _Atomic(uint32_t) holds; /* as a waker's */
    _Atomic(bool) closed;
    _Atomic(bool) reported;
    plx_process *next, **link; /* those whose numbers have the same end; what follows, too, under their lock */
    plx_fd pidfd;              /* PLX__NO_DESCRIPTOR: none */
    bool over;                 /* its poller was closed */
    int known;                 /* 1: `status`; -ECHILD; 0: not yet */
    bool reaped;
    plx_exit status;
};

enum { PROCESSES_LISTS = 1024 };

/* All of this process', by number. The lock is taken after a registry's and a ready queue's. */
static plx__lock processes_lock = PLX__LOCK_INITIALIZER;
static plx_process *processes_list[PROCESSES_LISTS];

static void processes_fork_child(void)
{
    (void)plx__lock_init(&processes_lock);
    for (int i = 0; i < PROCESSES_LISTS; i++)
        processes_list[i] = NULL;
}

static plx_process **process_list(plx_pid pid)
{
    return &processes_list[(unsigned long)pid % PROCESSES_LISTS];
}

static void process_drop_hold(plx_process *process)
{
    if (atomic_fetch_sub_explicit(&process->holds, 1, PLX__ACQ_REL) == 1)
        plx__memory_put(&process->registry->memory, process);
}

/* ---- How it ended; under the list's lock ----------------------------------- */

/* As plx__process_look, and remembers. */
static int process_look(plx_process *process)
{
    if (process->known || process->over)
        return process->known;
    int rc = process->pidfd != PLX__NO_DESCRIPTOR ? plx__pidfd_look(process->pidfd, process->pid, &process->status)
                                 : plx__process_look(process->pid, &process->status);
    if (rc == 1 || rc == -ECHILD)
        process->known = rc;
    return rc;
}

/*
 * By number there is no telling a later process with it, so one reaping is for all. An error leaves
 * the zombie: not all of them have the answer yet.
 */
static int process_reap(plx_process *process)
{
    bool by_pidfd = process->pidfd != PLX__NO_DESCRIPTOR;

    for (plx_process *other = *process_list(process->pid); other; other = other->next) {
        int rc = other->pid == process->pid ? process_look(other) : 0;
        if (rc < 0 && !other->known)
            return rc;
    }
    process->reaped = by_pidfd ? plx__pidfd_reap(process->pidfd, process->pid) : plx__process_reap(process->pid);
    for (plx_process *other = *process_list(process->pid); other; other = other->next)
        if (other->pid == process->pid && (!PLX__PIDFD_NAMES || other->pidfd == PLX__NO_DESCRIPTOR))
            other->reaped |= process->reaped;
    return 1;
}

static void process_list_add(plx_process *process)
{
    plx_process **list = process_list(process->pid);
    process->next = *list;
    process->link = list;
    if (process->next)
        process->next->link = &process->next;
    *list = process;
}

static void process_list_remove(plx_process *process)
{
    plx__lock_take(&processes_lock);
    *process->link = process->next;
    if (process->next)
        process->next->link = process->link;
    plx__lock_drop(&processes_lock);
}

/* ---- By pidfd; under the registry's lock ----------------------------------- */

static plx_process *process_of(plx__attachment *attachment)
{
    return (plx_process *)((char *)attachment - offsetof(plx_process, attachment));
}

static void process_fill(plx_process *process, plx_event *event)
{
    atomic_store_explicit(&process->reported, true, PLX__RELAXED);
    *event = (plx_event){.token = process->token, .flags = PLX_PROCESS};
}

/* ---- Without ---------------------------------------------------------------- */

static plx__taken process_take(plx__source *source, plx_event *event)
{
    plx_process *process = (plx_process *)source;
    bool ended = false;

    plx__source_unclaim(source);
    if (!atomic_load_explicit(&process->closed, PLX__ACQUIRE) &&
        !atomic_load_explicit(&process->reported, PLX__RELAXED)) {
        plx__lock_take(&processes_lock);
        (void)process_look(process);
        ended = process->known != 0;
        plx__lock_drop(&processes_lock);
    }
    if (ended)
        process_fill(process, event);
    process_drop_hold(process);
    return ended ? PLX__TOOK_ALL : PLX__TOOK_NOTHING;
}

static void process_drop(plx__source *source)
{
    process_drop_hold((plx_process *)source);
}

static const plx__source_kind process_kind = {.take = process_take, .drop = process_drop};

static void process_push(plx_process *process)
{
    if (plx__source_claim(&process->source)) {
        atomic_fetch_add_explicit(&process->holds, 1, PLX__RELAXED);
        plx__ready_push(&process->registry->ready, &process->source);
    }
    (void)plx__wake_send(process->registry);
}

/* In the handler of SIGCHLD: somebody's child, perhaps this one. */
static void process_tell(plx__signal_watch *watch, const plx_signal_info *info)
{
    (void)info;
    process_push(watch->owner);
}

static bool process_tick(plx__attachment *attachment)
{
    plx_process *process = process_of(attachment);
    bool needed = process->pidfd == PLX__NO_DESCRIPTOR && !atomic_load_explicit(&process->reported, PLX__RELAXED);

    if (needed)
        process_push(process);
    return needed;
}

/* SIGCHLD is for promptness; where it cannot be had, or somebody keeps it blocked, there is the tick. */
static int process_poll(plx_process *process)
{
    process->watch = (plx__signal_watch){.number = plx__signal_child, .owner = process, .tell = process_tell};
    int rc = plx__signals_add(&process->watch, 1);
    if (rc < 0 && rc != -ENOTSUP)
        return rc;
    process->watching = rc == 0;
    plx__lock_take(&processes_lock);
    rc = process_look(process);
    plx__lock_drop(&processes_lock);
    if (rc == -ECHILD)
        return -ESRCH;
    if (rc >= 0)
        rc = plx__attachment_tick(&process->attachment);
    if (rc == 0)
        process_push(process);
    return rc;
}

/* ---- Life ------------------------------------------------------------------- */

/* Its descriptor and its signal are given back; under the registry's lock, or in a child. */
static void process_release(plx_process *process, bool forked)
{
    if (process->watching && !forked)
        plx__signals_remove(&process->watch, 1);
    process->watching = false;
    if (process->pidfd != PLX__NO_DESCRIPTOR && (!forked || PLX__FORK_INHERITS))
        plx__pidfd_close(process->pidfd);
    process->pidfd = PLX__NO_DESCRIPTOR;
}

/*
 * It stays readable for ever. What tells of an end and no more may do so while there is no zombie
 * yet, and no status: then it is polled from now on.
 */
static bool process_report(plx__attachment *attachment, plx_event *event)
{
    plx_process *process = process_of(attachment);
    bool late = false;

    plx__attachment_unwatch(attachment);
    if (!PLX__PIDFD_NAMES) {
        plx__lock_take(&processes_lock);
        late = process_look(process) == 0;
        if (late)
            process_release(process, false);
        plx__lock_drop(&processes_lock);
    }
    if (late && process_poll(process) == 0)
        return false;
    process_fill(process, event);
    return true;
}

static void process_detach(plx__attachment *attachment)
{
    plx_process *process = process_of(attachment);

    plx__lock_take(&processes_lock);
    (void)process_look(process);
    process->over = true;
    process_release(process, false);
    plx__lock_drop(&processes_lock);
}

static const plx__attachment_kind process_attachment = {
    .report = process_report,
    .tick = process_tick,
    .detach = process_detach,
};

/* Under the registry's lock. What the backend cannot watch is polled. */
static int process_watch(plx_process *process)
{
    plx__lock_take(&processes_lock); /* who reaps it finds this object with its pidfd, or there is none any more */
    int rc = plx__pidfd_open(process->pid, &process->pidfd);
    process_list_add(process);
    plx__lock_drop(&processes_lock);
    process->registry->lock_calls++;
    plx__attach(process->registry, &process->attachment);
    if (rc == 0) {
        rc = plx__attachment_watch(&process->attachment, process->pidfd);
        if (rc == -EPERM) {
            plx__lock_take(&processes_lock);
            process_release(process, false);
            plx__lock_drop(&processes_lock);
            rc = -ENOTSUP;
        }
    }
    if (rc == -ENOTSUP)
        rc = process_poll(process);
    if (rc < 0) {
        plx__detach(&process->attachment);
        process_list_remove(process);
        process_release(process, false);
    }
    return rc;
}

int plx_process_open(plx_registry *registry, plx_token token, plx_pid pid, plx_process **process)
{
    static _Atomic(bool) forks_watched;
    int rc = plx__registry_check(registry);

    if (rc == 0 && (!process || token > PLX_TOKEN_MAX || pid <= 0))
        rc = -EINVAL;
    if (rc == 0)
        rc = plx__fork_call(&forks_watched, processes_fork_child);
    if (rc < 0)
        return rc;
    plx_process *made = plx__memory_get(&registry->memory, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->source.kind = &process_kind;
    made->attachment.kind = &process_attachment;
    made->registry = registry;
    made->token = token;
    made->pid = pid;
    made->pidfd = PLX__NO_DESCRIPTOR;
    atomic_init(&made->holds, 1);
    rc = plx__registry_lock(registry);
    if (rc < 0)
        goto free_process;
    rc = process_watch(made);
    if (rc < 0)
        goto unlock;
    (void)plx_registry_retain(registry);
    plx__registry_unlock(registry);
    *process = made;
    return 0;

unlock:
    plx__registry_unlock(registry);
free_process:
    atomic_store_explicit(&made->closed, true, PLX__RELEASE); /* a SIGCHLD may have queued it */
    process_drop_hold(made);
    return rc;
}

int plx_process_status(plx_process *process, plx_exit *status)
{
    if (!process || !status)
        return -EINVAL;
    if (plx__forked(process->registry))
        return -ECHILD;
    plx__lock_take(&processes_lock);
    int rc = process_look(process);
    if (rc == 1 && !process->reaped)
        rc = process_reap(process);
    if (rc == 0)
        rc = process->over ? -PLX_ESHUTDOWN : -EAGAIN;
    if (rc == 1)
        *status = process->status;
    plx__lock_drop(&processes_lock);
    return rc == 1 ? 0 : rc;
}

void plx_process_close(plx_process *process)
{
    if (!process)
        return;
    plx_registry *registry = process->registry;
    bool forked = plx__forked(registry);
    if (!forked) {
        process_list_remove(process);
        plx__lock_take(&registry->lock);
        plx__detach(&process->attachment);
    }
    process_release(process, forked);
    if (!forked)
        plx__lock_drop(&registry->lock);
    atomic_store_explicit(&process->closed, true, PLX__RELEASE);
    process_drop_hold(process);
    plx_registry_release(registry);
}
