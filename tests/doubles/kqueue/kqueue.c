/* SPDX-License-Identifier: MIT */
/*
 * A double of kqueue(2) on Linux, for tests, with the semantics that FreeBSD's manual pages
 * state, and macOS' where FreeBSD has nothing (EXCEPT) or less to deal with (EVFILT_PROC). With
 * DOUBLE_PLAIN it is the system that makes most trouble: what was added late is missing (EXCEPT,
 * USER, nanoseconds), a pipe without readers is EBADF as on NetBSD, a FIFO that is open for
 * writing alone has no knote for READ as on OpenBSD, and a process that has ended is one whose
 * end is reported at once, as on FreeBSD. A queue is an epoll set, so that it can be waited for and nested; a filter of a
 * descriptor is an entry of its own, so that each has its own edges: the second filter of a
 * descriptor is entered by a duplicate with a high number. What is a filter, a file or a count
 * elsewhere is an eventfd, a pidfd, a timerfd or an inotify here.
 *
 * Knotes go when their number is closed, whatever duplicates live: the linker wraps close and
 * dup2 of the program. A child of fork has no queue.
 *
 * What it cannot show: the number of a socket's error (fflags says ECONNRESET); the edge of a
 * socket that shuts its own writing; low-water marks between one byte and none at all;
 * that pipes are readable and writable at both ends; closing by anything but close and dup2; a
 * descriptor that is closed while another thread adds it; what each BSD does with regular files,
 * which are EPERM here; the event of a process' end before its zombie.
 */
#define _GNU_SOURCE
#include <sys/event.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

int __real_close(int fd);
int __wrap_close(int fd);
int __real_dup2(int from, int onto);
int __wrap_dup2(int from, int onto);

enum { BUCKETS = 1 << 14, HIGH_NUMBER = DOUBLE_NUMBERS, BATCH = 256 };

#ifdef DOUBLE_PLAIN
enum { PLAIN = 1 };
#else
enum { PLAIN = 0 };
#endif

struct queue;

struct knote {
    struct kevent event; /* as it was added; flags without the verbs */
    struct queue *queue;
    struct knote *same, **same_link;     /* of the ident's bucket */
    struct knote *next, **link;          /* of the queue */
    struct knote *active, **active_link; /* waits to be delivered; link NULL: does not */
    uint64_t serial;
    int number;  /* in the epoll set; -1: is not */
    bool owned;  /* and it is the double's */
    bool disabled;
    int watch;   /* of inotify */
    unsigned found;
    int64_t count;
};

struct queue {
    int epoll;
    int inotify; /* -1: none yet */
    struct knote *knotes;
    struct knote *active;
    struct queue *next;
};

/* What an epoll entry's data says beside a knote's serial. */
enum { DATA_ACTIVE = 1, DATA_INOTIFY = 2, DATA_SERIALS = 16 };

/*
 * Everything is under this lock; it is not held while a kevent sleeps. All signals are blocked in
 * its holder: a handler may call kevent, as it may make any system call.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sigset_t lock_mask; /* its holder's */
static struct queue *queues;
static struct knote *buckets[BUCKETS];
static struct knote *serials[BUCKETS]; /* by their last bits: the newest; older ones are looked for */
static uint64_t serial = DATA_SERIALS;
static int always = -1; /* an eventfd that is readable for ever: in a set that has active knotes */

static void lock_take(void)
{
    sigset_t all, mask;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    pthread_mutex_lock(&lock);
    lock_mask = mask;
}

static void lock_drop(void)
{
    sigset_t mask = lock_mask;

    pthread_mutex_unlock(&lock);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* ---- Memory: not of the heap, which tests look at ------------------------------- */

union piece {
    union piece *next;
    struct knote knote;
    struct queue queue;
};

static union piece *pieces; /* free ones */

static void *piece_get(void)
{
    enum { PIECES = 1024 };

    if (!pieces) {
        union piece *more = mmap(NULL, PIECES * sizeof *more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (more == MAP_FAILED)
            return NULL;
        for (int i = 0; i < PIECES; i++) {
            more[i].next = pieces;
            pieces = &more[i];
        }
    }
    union piece *piece = pieces;
    pieces = piece->next;
    memset(piece, 0, sizeof *piece);
    return piece;
}

static void piece_put(void *memory)
{
    union piece *piece = memory;

    piece->next = pieces;
    pieces = piece;
}

/* ---- Lists ------------------------------------------------------------------ */

static struct queue *queue_find(int number)
{
    struct queue *queue = queues;

    while (queue && queue->epoll != number)
        queue = queue->next;
    return queue;
}

static struct knote *knote_find(const struct queue *queue, uintptr_t ident, short filter)
{
    struct knote *knote = buckets[ident % BUCKETS];

    while (knote && (knote->queue != queue || knote->event.ident != ident || knote->event.filter != filter))
        knote = knote->same;
    return knote;
}

static struct knote *knote_of_serial(const struct queue *queue, uint64_t wanted)
{
    struct knote *knote = serials[wanted % BUCKETS];

    if (knote && knote->serial == wanted)
        return knote->queue == queue ? knote : NULL;
    for (knote = queue->knotes; knote && knote->serial != wanted; knote = knote->next)
        continue;
    return knote;
}

static void knote_activate(struct knote *knote)
{
    struct queue *queue = knote->queue;

    if (knote->active_link || knote->disabled)
        return;
    if (!queue->active) {
        struct epoll_event entry = {.events = EPOLLIN, .data.u64 = DATA_ACTIVE};
        epoll_ctl(queue->epoll, EPOLL_CTL_ADD, always, &entry);
    }
    struct knote **end = &queue->active;
    while (*end)
        end = &(*end)->active;
    *end = knote;
    knote->active = NULL;
    knote->active_link = end;
}

static void knote_deactivate(struct knote *knote)
{
    if (!knote->active_link)
        return;
    *knote->active_link = knote->active;
    if (knote->active)
        knote->active->active_link = knote->active_link;
    knote->active_link = NULL;
    if (!knote->queue->active)
        epoll_ctl(knote->queue->epoll, EPOLL_CTL_DEL, always, NULL);
}

/* ---- What a knote is in the epoll set ---------------------------------------- */

static bool is_pipe(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/* Which has a name, and is open for writing alone. */
static bool is_fifo_writer(int fd)
{
    const long anonymous = 0x50495045; /* PIPEFS_MAGIC */
    struct statfs status;

    return is_pipe(fd) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY && fstatfs(fd, &status) == 0 &&
           status.f_type != anonymous;
}

/* By a write of nothing, which is not for datagrams. */
static bool is_shut_for_writing(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           send(fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
}

static uint32_t knote_mask(const struct knote *knote)
{
    uint32_t mask = knote->event.flags & EV_CLEAR ? (uint32_t)EPOLLET : 0;

    switch (knote->event.filter) {
    case EVFILT_READ:
        return mask | EPOLLRDHUP | (knote->event.fflags & NOTE_LOWAT ? 0 : EPOLLIN);
    case EVFILT_WRITE:
        return mask | EPOLLOUT;
    case EVFILT_EXCEPT:
        return mask | EPOLLPRI | EPOLLIN | EPOLLRDHUP;
    default:
        return EPOLLIN;
    }
}

static void knote_leave(struct knote *knote)
{
    if (knote->number < 0)
        return;
    epoll_ctl(knote->queue->epoll, EPOLL_CTL_DEL, knote->number, NULL);
    if (knote->owned && (knote->event.filter == EVFILT_READ || knote->event.filter == EVFILT_WRITE ||
                         knote->event.filter == EVFILT_EXCEPT)) {
        __real_close(knote->number);
        knote->owned = false;
    }
    if (!knote->owned)
        knote->number = -1;
}

static int high_number(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_NUMBER);

    return copy >= 0 ? copy : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* Into the epoll set: by its number, or, if another filter is there with it, by a duplicate. */
static int knote_enter(struct knote *knote)
{
    struct epoll_event entry = {.events = knote_mask(knote), .data.u64 = knote->serial};
    int number = knote->owned ? knote->number : (int)knote->event.ident;

    if (knote->event.filter == EVFILT_USER || knote->event.filter == EVFILT_VNODE)
        return 0;
    if (knote->event.filter == EVFILT_READ && is_fifo_writer(number)) /* never reports */
        return 0;
    if (epoll_ctl(knote->queue->epoll, EPOLL_CTL_ADD, number, &entry) < 0) {
        if (errno != EEXIST || knote->owned)
            return errno == EEXIST ? 0 : errno;
        number = high_number(number);
        if (number < 0)
            return ENOMEM;
        if (epoll_ctl(knote->queue->epoll, EPOLL_CTL_ADD, number, &entry) < 0) {
            int error = errno;
            __real_close(number);
            return error;
        }
        knote->owned = true;
    }
    knote->number = number;
    return 0;
}

/* ---- Filters of other things ---------------------------------------------------- */

static int proc_attach(struct knote *knote)
{
    int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)knote->event.ident, 0);

    if (pidfd < 0)
        return errno == EINVAL ? ESRCH : errno;
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (poll(&ended, 1, 0) != 0 && !PLAIN) {
        __real_close(pidfd);
        return ESRCH;
    }
    knote->number = high_number(pidfd);
    __real_close(pidfd);
    knote->owned = true;
    return knote->number < 0 ? ENOMEM : 0;
}

static int timer_set(struct knote *knote)
{
    int64_t unit = knote->event.fflags & NOTE_NSECONDS   ? 1
                   : knote->event.fflags & NOTE_USECONDS ? 1000
                   : knote->event.fflags & NOTE_SECONDS  ? 1000000000
                                                         : 1000000;
    if (knote->event.data < 0 || knote->event.data > INT64_MAX / unit)
        return EINVAL;
    int64_t time = knote->event.data * unit;
    time = time ? time : 1;
    struct timespec span = {.tv_sec = (time_t)(time / 1000000000), .tv_nsec = (long)(time % 1000000000)};
    struct itimerspec when = {.it_value = span};
    if (!(knote->event.flags & EV_ONESHOT))
        when.it_interval = span;
    return timerfd_settime(knote->number, 0, &when, NULL) < 0 ? errno : 0;
}

static int timer_attach(struct knote *knote)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (timer < 0)
        return ENOMEM;
    knote->number = high_number(timer);
    __real_close(timer);
    knote->owned = knote->number >= 0;
    return knote->owned ? timer_set(knote) : ENOMEM;
}

/* By way of /proc, so that it is the open file's, whatever its names. */
static int vnode_attach(struct knote *knote)
{
    struct queue *queue = knote->queue;
    char path[64] = "/proc/self/fd/";
    char digits[16];
    int count = 0;
    struct stat status;

    if (fstat((int)knote->event.ident, &status) < 0)
        return EBADF;
    if (queue->inotify < 0) {
        struct epoll_event entry = {.events = EPOLLIN, .data.u64 = DATA_INOTIFY};
        queue->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (queue->inotify < 0)
            return ENOMEM;
        epoll_ctl(queue->epoll, EPOLL_CTL_ADD, queue->inotify, &entry);
    }
    for (uintptr_t left = knote->event.ident; left || !count; left /= 10)
        digits[count++] = (char)('0' + left % 10);
    for (size_t at = strlen(path); count > 0;)
        path[at++] = digits[--count];
    knote->watch = inotify_add_watch(queue->inotify, path,
                                     IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                         IN_MOVE_SELF | IN_DELETE_SELF);
    return knote->watch < 0 ? errno : 0;
}

static void queue_read_inotify(struct queue *queue);

/* What inotify has to say of that makes the queue readable no more. */
static void vnode_detach(struct knote *knote)
{
    struct knote *other = knote->queue->knotes;

    while (other && (other == knote || other->event.filter != EVFILT_VNODE || other->watch != knote->watch))
        other = other->next;
    if (!other) {
        inotify_rm_watch(knote->queue->inotify, knote->watch);
        knote->watch = -1;
        queue_read_inotify(knote->queue);
    }
}

static unsigned vnode_notes(const struct knote *knote, const struct inotify_event *event)
{
    struct stat status;
    unsigned notes = 0;

    if (event->mask & (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO))
        notes |= NOTE_WRITE | (event->mask & IN_ISDIR ? NOTE_LINK : 0);
    if (event->len == 0) { /* else of something in the folder */
        notes |= event->mask & IN_MODIFY ? NOTE_WRITE | NOTE_EXTEND : 0;
        notes |= event->mask & IN_ATTRIB ? NOTE_ATTRIB | NOTE_LINK : 0;
        notes |= event->mask & IN_MOVE_SELF ? NOTE_RENAME : 0;
        if (event->mask & (IN_ATTRIB | IN_DELETE_SELF) &&
            (fstat((int)knote->event.ident, &status) < 0 || status.st_nlink == 0))
            notes |= NOTE_DELETE;
    }
    return notes & knote->event.fflags;
}

static void queue_read_inotify(struct queue *queue)
{
    union {
        struct inotify_event align;
        char bytes[4096];
    } buffer;
    ssize_t length;

    while ((length = read(queue->inotify, buffer.bytes, sizeof buffer.bytes)) > 0)
        for (char *at = buffer.bytes; at < buffer.bytes + length;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            for (struct knote *knote = queue->knotes; knote; knote = knote->next)
                if (knote->event.filter == EVFILT_VNODE && (knote->watch == event->wd || event->wd < 0)) {
                    unsigned notes = event->wd < 0 ? knote->event.fflags : vnode_notes(knote, event);
                    knote->found |= notes;
                    if (notes)
                        knote_activate(knote);
                }
            at += sizeof *event + event->len;
        }
}

/* ---- Changes --------------------------------------------------------------------- */

static void knote_free(struct knote *knote)
{
    if (knote->event.filter == EVFILT_VNODE && knote->watch >= 0)
        vnode_detach(knote);
    knote_deactivate(knote);
    knote_leave(knote);
    if (knote->owned)
        __real_close(knote->number);
    *knote->same_link = knote->same;
    if (knote->same)
        knote->same->same_link = knote->same_link;
    *knote->link = knote->next;
    if (knote->next)
        knote->next->link = knote->link;
    if (serials[knote->serial % BUCKETS] == knote)
        serials[knote->serial % BUCKETS] = NULL;
    piece_put(knote);
}

static struct knote *knote_make(struct queue *queue, const struct kevent *change)
{
    struct knote *knote = piece_get();
    struct knote **bucket = &buckets[change->ident % BUCKETS];

    if (!knote)
        return NULL;
    knote->event = *change;
    knote->event.flags = change->flags & (EV_ONESHOT | EV_CLEAR | EV_DISPATCH);
    knote->queue = queue;
    knote->number = -1;
    knote->watch = -1;
    knote->serial = ++serial;
    serials[serial % BUCKETS] = knote;
    knote->same = *bucket;
    knote->same_link = bucket;
    if (knote->same)
        knote->same->same_link = &knote->same;
    *bucket = knote;
    knote->next = queue->knotes;
    knote->link = &queue->knotes;
    if (knote->next)
        knote->next->link = &knote->next;
    queue->knotes = knote;
    return knote;
}

static bool is_of_descriptor(short filter)
{
    return filter == EVFILT_READ || filter == EVFILT_WRITE || filter == EVFILT_EXCEPT;
}

static int knote_attach(struct knote *knote)
{
    int fd = (int)knote->event.ident;
    struct pollfd state = {.fd = fd, .events = POLLOUT};

    switch (knote->event.filter) {
    case EVFILT_READ:
        return PLAIN && is_fifo_writer(fd) ? EINVAL : 0;
    case EVFILT_WRITE: /* a FIFO may find a reader again; a queue cannot be written */
        if (queue_find(fd))
            return EINVAL;
        if (!is_pipe(fd) || is_fifo_writer(fd) || poll(&state, 1, 0) != 1 || !(state.revents & POLLERR))
            return 0;
        return PLAIN ? EBADF : EPIPE;
    case EVFILT_EXCEPT:
        return PLAIN || queue_find(fd) || !(knote->event.fflags & NOTE_OOB) ? EINVAL : 0;
    case EVFILT_PROC:
        return proc_attach(knote);
    case EVFILT_TIMER:
        return timer_attach(knote);
    case EVFILT_VNODE:
        return vnode_attach(knote);
    case EVFILT_USER:
        return PLAIN ? EINVAL : 0;
    default:
        return EINVAL;
    }
}

/* EV_ADD enables nothing that is there: manual pages say it does, kernels do not do it. */
static void knote_toggle(struct knote *knote, const struct kevent *change)
{
    if (change->flags & EV_DISABLE && !knote->disabled) {
        knote_deactivate(knote);
        knote->disabled = true;
        knote_leave(knote);
    } else if (change->flags & EV_ENABLE && !(change->flags & EV_DISABLE) && knote->disabled) {
        knote->disabled = false;
        (void)knote_enter(knote);
        if (knote->found)
            knote_activate(knote);
    }
}

static int knote_add(struct queue *queue, const struct kevent *change)
{
    struct knote *knote = knote_make(queue, change);

    if (!knote)
        return ENOMEM;
    int error = knote_attach(knote);
    if (error == 0 && !(change->flags & EV_DISABLE))
        error = knote_enter(knote);
    knote->disabled = change->flags & EV_DISABLE;
    if (error)
        knote_free(knote);
    return error;
}

/*
 * Of one that is there: what is asked for and udata are changed, also without EV_ADD; the mode,
 * EV_CLEAR and the like, is not. The filter looks at its source again.
 */
static int knote_change(struct knote *knote, const struct kevent *change)
{
    knote->event.udata = change->udata;
    if (knote->event.filter != EVFILT_USER) {
        knote->event.fflags = change->fflags;
        knote->event.data = change->data;
    }
    if (knote->event.filter == EVFILT_TIMER && change->flags & EV_ADD)
        return timer_set(knote);
    knote_toggle(knote, change);
    if (is_of_descriptor(knote->event.filter) && !knote->disabled && knote->number >= 0) {
        struct epoll_event entry = {.events = knote_mask(knote), .data.u64 = knote->serial};
        epoll_ctl(knote->queue->epoll, EPOLL_CTL_MOD, knote->number, &entry);
    }
    return 0;
}

static int queue_apply(struct queue *queue, const struct kevent *change)
{
    int fd = (int)change->ident;

    if (is_of_descriptor(change->filter) || change->filter == EVFILT_VNODE) {
        if (change->ident > INT_MAX || fcntl(fd, F_GETFD) < 0)
            return EBADF;
        if (queue->epoll == fd)
            return EINVAL;
    }
    struct knote *knote = knote_find(queue, change->ident, change->filter);
    if (!knote && !(change->flags & EV_ADD))
        return ENOENT;
    if (knote && change->flags & EV_DELETE) {
        knote_free(knote);
        return 0;
    }
    int error = knote ? knote_change(knote, change) : knote_add(queue, change);
    if (error == 0 && change->filter == EVFILT_USER && change->fflags & NOTE_TRIGGER) {
        knote = knote_find(queue, change->ident, change->filter);
        knote->found = NOTE_TRIGGER;
        knote_activate(knote);
    }
    return error;
}

/* ---- Events ---------------------------------------------------------------------- */

/* READ, WRITE and EXCEPT as they are now; false if there is nothing. */
static bool knote_look(const struct knote *knote, struct kevent *event)
{
    int fd = (int)knote->event.ident;
    struct pollfd state = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
    int count = 0;

    if (poll(&state, 1, 0) < 0 || state.revents & POLLNVAL)
        return false;
    bool pipe = is_pipe(fd);
    bool over = state.revents & (POLLHUP | POLLERR);
    if (over)
        event->flags |= EV_EOF;
    event->fflags = state.revents & POLLERR && !pipe ? ECONNRESET : 0;
    switch (knote->event.filter) {
    case EVFILT_READ:
        (void)ioctl(fd, FIONREAD, &count);
        event->data = count;
        if (state.revents & POLLRDHUP)
            event->flags |= EV_EOF;
        return event->flags & EV_EOF || (state.revents & POLLIN && !(knote->event.fflags & NOTE_LOWAT));
    case EVFILT_WRITE:
        event->data = state.revents & POLLOUT ? 4096 : 0;
        if (!over && state.revents & POLLOUT && is_shut_for_writing(fd))
            event->flags |= EV_EOF;
        return over || state.revents & POLLOUT;
    default: /* it is as READ, and the error is where the notes are */
        if (state.revents & POLLPRI && !over) {
            event->fflags = NOTE_OOB;
            return true;
        }
        if (state.revents & POLLRDHUP)
            event->flags |= EV_EOF;
        return event->flags & EV_EOF || state.revents & POLLIN;
    }
}

static bool timer_look(const struct knote *knote, struct kevent *event)
{
    uint64_t expirations;

    if (read(knote->number, &expirations, sizeof expirations) != (ssize_t)sizeof expirations)
        return false;
    event->data = (int64_t)expirations;
    return true;
}

static bool active_look(struct knote *knote, struct kevent *event)
{
    if (!knote->found)
        return false;
    event->fflags = knote->event.filter == EVFILT_USER ? 0 : knote->found;
    return true;
}

/* One event of a knote, after which a oneshot is gone and EV_CLEAR is clear. */
static bool knote_deliver(struct knote *knote, struct kevent *event)
{
    bool any;

    if (knote->disabled)
        return false;
    *event = knote->event;
    event->data = 0;
    switch (knote->event.filter) {
    case EVFILT_TIMER:
        any = timer_look(knote, event);
        break;
    case EVFILT_PROC:
        event->flags |= EV_EOF | EV_ONESHOT;
        event->fflags = NOTE_EXIT;
        any = true;
        break;
    case EVFILT_USER:
    case EVFILT_VNODE:
        any = active_look(knote, event);
        break;
    default:
        any = knote_look(knote, event);
    }
    if (!any)
        return false;
    if (event->flags & EV_ONESHOT) {
        knote_free(knote);
        return true;
    }
    if (knote->event.flags & EV_CLEAR) {
        knote->found = 0;
        knote_deactivate(knote);
    }
    if (knote->event.flags & EV_DISPATCH)
        knote_toggle(knote, &(struct kevent){.flags = EV_DISABLE});
    return true;
}

static int queue_deliver_active(struct queue *queue, struct kevent *events, int capacity)
{
    int count = 0;

    for (struct knote *knote = queue->active, *next; knote && count < capacity; knote = next) {
        next = knote->active;
        count += knote_deliver(knote, &events[count]);
    }
    return count;
}

/*
 * Whether an entry's edge is still there. The wait before was told of it as well, and took it:
 * then the entry is asked for another.
 */
static int queue_collect(struct queue *queue, const struct epoll_event *found, int found_count, struct kevent *events,
                         int capacity)
{
    int count = 0;

    for (int i = 0; i < found_count && count < capacity; i++) {
        if (found[i].data.u64 == DATA_INOTIFY)
            queue_read_inotify(queue);
        else if (found[i].data.u64 >= DATA_SERIALS) {
            struct knote *knote = knote_of_serial(queue, found[i].data.u64);
            count += knote && knote_deliver(knote, &events[count]);
        }
    }
    return count + queue_deliver_active(queue, events + count, capacity - count);
}

static struct timespec time_left(const struct timespec *until)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = (int64_t)(until->tv_sec - now.tv_sec) * 1000000000 + until->tv_nsec - now.tv_nsec;
    left = left > 0 ? left : 0;
    return (struct timespec){.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
}

/* The entries of this call are at most `capacity`: no edge is taken that has no place. */
static int queue_scan(int number, struct kevent *events, int capacity, const struct timespec *timeout)
{
    struct epoll_event found[BATCH];
    struct timespec until = {0};
    int most = capacity < BATCH ? capacity : BATCH;
    int count = 0;

    if (timeout) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += timeout->tv_sec;
        until.tv_nsec += timeout->tv_nsec;
    }
    while (count == 0) {
        struct timespec left = timeout ? time_left(&until) : (struct timespec){0};
        int ready = epoll_pwait2(number, found, most, timeout ? &left : NULL, NULL);
        if (ready <= 0)
            return ready;
        lock_take();
        struct queue *queue = queue_find(number);
        count = queue ? queue_collect(queue, found, ready, events, capacity) : 0;
        lock_drop();
        if (timeout && count == 0 && left.tv_sec == 0 && left.tv_nsec == 0)
            return 0;
    }
    return count;
}

static int queue_apply_all(struct queue *queue, const struct kevent *changes, int change_count, struct kevent *events,
                           int capacity)
{
    int reported = 0;

    for (int i = 0; i < change_count; i++) {
        int error = queue_apply(queue, &changes[i]);
        if (!error && !(changes[i].flags & EV_RECEIPT))
            continue;
        if (reported == capacity) {
            errno = error;
            if (error)
                return -1;
            continue;
        }
        events[reported] = changes[i];
        events[reported].flags = EV_ERROR;
        events[reported++].data = error;
    }
    return reported;
}

int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events, int capacity,
           const struct timespec *timeout)
{
    int saved = errno;

    if (timeout && (timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999 || timeout->tv_sec < 0 ||
                    timeout->tv_sec > 100000000)) { /* as Darwin */
        errno = EINVAL;
        return -1;
    }
    lock_take();
    struct queue *queue = queue_find(kq);
    int rc = queue ? queue_apply_all(queue, changes, change_count, events, capacity) : -1;
    lock_drop();
    if (!queue)
        errno = EBADF;
    if (rc == 0 && capacity > 0)
        rc = queue_scan(kq, events, capacity, timeout);
    if (rc >= 0)
        errno = saved;
    return rc;
}

/* ---- Life -------------------------------------------------------------------------- */

static void queue_free(struct queue *queue)
{
    struct queue **link = &queues;

    while (queue->knotes)
        knote_free(queue->knotes);
    while (*link != queue)
        link = &(*link)->next;
    *link = queue->next;
    if (queue->inotify >= 0)
        __real_close(queue->inotify);
    piece_put(queue);
}

/* The number is about to name nothing, or something else. */
static void forget_number(int fd)
{
    struct queue *queue = queue_find(fd);

    for (struct knote *knote = buckets[(unsigned)fd % BUCKETS], *next; knote; knote = next) {
        next = knote->same;
        if (knote->event.ident == (uintptr_t)fd &&
            (is_of_descriptor(knote->event.filter) || knote->event.filter == EVFILT_VNODE))
            knote_free(knote);
    }
    if (queue)
        queue_free(queue);
}

int __wrap_close(int fd)
{
    int saved = errno;

    lock_take();
    if (fd >= 0)
        forget_number(fd);
    errno = saved;
    int rc = __real_close(fd);
    lock_drop();
    return rc;
}

int __wrap_dup2(int from, int onto)
{
    lock_take();
    if (from != onto && onto >= 0 && fcntl(from, F_GETFD) >= 0)
        forget_number(onto);
    int rc = __real_dup2(from, onto);
    lock_drop();
    return rc;
}

int kqueue(void)
{
    int number = epoll_create1(0);

    if (number < 0)
        return -1;
    lock_take();
    struct queue *queue = piece_get();
    if (queue) {
        *queue = (struct queue){.epoll = number, .inotify = -1, .next = queues};
        queues = queue;
    }
    lock_drop();
    if (queue)
        return number;
    __real_close(number);
    errno = ENOMEM;
    return -1;
}

static void fork_prepare(void)
{
    lock_take();
}

static void fork_parent(void)
{
    lock_drop();
}

/* The sets are shared with the parent: nothing may be taken out of them, their numbers are closed. */
static void fork_child(void)
{
    while (queues) {
        struct queue *queue = queues;
        queues = queue->next;
        while (queue->knotes) {
            struct knote *knote = queue->knotes;
            queue->knotes = knote->next;
            if (knote->owned)
                __real_close(knote->number);
            piece_put(knote);
        }
        if (queue->inotify >= 0)
            __real_close(queue->inotify);
        __real_close(queue->epoll);
        piece_put(queue);
    }
    memset(buckets, 0, sizeof buckets);
    memset(serials, 0, sizeof serials);
    sigset_t mask = lock_mask;
    pthread_mutex_init(&lock, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* Before anything counts the descriptors of the process. */
__attribute__((constructor)) static void begin(void)
{
    int event = eventfd(1, EFD_CLOEXEC);

    always = high_number(event);
    __real_close(event);
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}
