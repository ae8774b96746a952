/* SPDX-License-Identifier: MIT */
/*
 * A double of event ports on Linux, written from the manual pages: port_create, port_associate,
 * port_get, port_send, port_alert (3C). A port's descriptor is an epoll set, so that poll(2) and
 * epoll can wait for it: in it are the associated descriptors, an inotify descriptor for the
 * associated files, and while events are queued one that is always readable.
 *
 * It is as unkind as the manual allows: an event is of the moment in which it was queued,
 * whatever became of its file since; an error is returned now and then with events that were
 * delivered; an interrupted call leaves the count as it was; `portev_object` of a user's event is
 * noise. An association ends with the number's close, also if a duplicate lives on: close and dup2
 * are replaced here. The limit of a port counts objects and events.
 *
 * What it cannot show: which events a descriptor has (they are Linux' own); events that come and
 * go while nobody calls; the order among descriptors that become ready between two calls; ports in
 * a child of fork, where a call fails with EACCES; more than one event wanted at least is waited
 * for by looking once a millisecond; a file's FILE_ACCESS, and mounts; project.port-max-ids.
 */
#define _GNU_SOURCE 1 /* ppoll */

#include <port.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct object object;

typedef struct queued {
    struct queued *next;
    port_event_t event;
    object *object; /* NULL: a user's */
} queued;

struct object {
    object *next;    /* of files: the port's list */
    int source;
    uintptr_t key;   /* descriptor, or address of the file_obj */
    int events;
    void *user;
    bool active;     /* may queue an event */
    bool watched;    /* in the epoll set */
    queued entry;
    bool is_queued;
    int watch;       /* inotify's */
    struct stat status;
};

typedef struct port {
    int fd;
    int inotify;
    object **descriptors;
    size_t span;
    object *files;
    queued *first, *last;
    unsigned count; /* queued */
    unsigned objects;
    bool readable;
    bool alert;
    port_event_t alert_event;
} port;

unsigned port_double_most = 65536;

static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pid_t owner;  /* the process that all of this is of */
static port **ports; /* by descriptor */
static size_t ports_span;
static unsigned mischief;

static int always_readable; /* in the set of each port that has events */

/* The linker has all calls of close and dup2 come here. */
int __real_close(int fd);
int __real_dup2(int from, int onto);
int __wrap_close(int fd);
int __wrap_dup2(int from, int onto);

__attribute__((constructor)) static void open_always_readable(void)
{
    int event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

    always_readable = fcntl(event, F_DUPFD_CLOEXEC, 717); /* where no test has a number of its own */
    __real_close(event);
}

/* port_send may be called by handlers of signals, which must not interrupt who has the lock. */
static _Thread_local sigset_t unlocked;

static void lock(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&guard);
    unlocked = before;
}

static void unlock(void)
{
    sigset_t before = unlocked;

    pthread_mutex_unlock(&guard);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* In epoll's data: a descriptor, or one of these. */
enum { DATA_READY = -1, DATA_INOTIFY = -2 };

/* As a kernel's, its memory is not the program's: tests look at the heap. */
static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        abort();
    return memory;
}

/* One size for all; zeros. */
typedef union piece {
    union piece *next;
    port port;
    object object;
} piece;

static piece *spare;

static void *get(void)
{
    enum { AT_ONCE = 256 };

    if (!spare) {
        piece *fresh = map(AT_ONCE * sizeof *fresh);
        for (int i = 0; i < AT_ONCE; i++) {
            fresh[i].next = spare;
            spare = &fresh[i];
        }
    }
    piece *taken = spare;
    spare = taken->next;
    memset(taken, 0, sizeof *taken);
    return taken;
}

static void put(void *pointer)
{
    piece *given = pointer;

    given->next = spare;
    spare = given;
}

/* Room for an element in an array of zeros. */
static void *grow(void *array, size_t *span, size_t index, size_t size)
{
    size_t wanted = *span ? *span : 512;

    while (wanted <= index)
        wanted *= 2;
    if (wanted == *span)
        return array;
    void *larger = map(wanted * size);
    if (array) {
        memcpy(larger, array, *span * size);
        munmap(array, *span * size);
    }
    *span = wanted;
    return larger;
}

static port *find_port(int fd)
{
    return fd >= 0 && (size_t)fd < ports_span ? ports[fd] : NULL;
}

/* Enters; the port, or NULL and errno. Whoever gets one leaves by leave(). */
static port *enter(int fd)
{
    if (owner != getpid()) {
        errno = fcntl(fd, F_GETFD) < 0 ? EBADF : EACCES;
        return NULL;
    }
    lock();
    port *found = find_port(fd);
    if (found)
        return found;
    unlock();
    errno = fcntl(fd, F_GETFD) < 0 ? EBADF : EBADFD;
    return NULL;
}

static int leave(int rc)
{
    int saved = errno;

    unlock();
    errno = saved;
    return rc;
}

/* ---- The queue ------------------------------------------------------------- */

static void show(port *p)
{
    struct epoll_event readable = {.events = EPOLLIN, .data.fd = DATA_READY};
    bool wanted = p->count > 0 || p->alert;

    if (wanted != p->readable)
        (void)epoll_ctl(p->fd, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, always_readable, &readable);
    p->readable = wanted;
}

static void enqueue(port *p, queued *entry)
{
    entry->next = NULL;
    *(p->first ? &p->last->next : &p->first) = entry;
    p->last = entry;
    p->count++;
    show(p);
}

/* The one event of an association; until it is fetched there is an association. */
static void fire(port *p, object *o, int events)
{
    o->active = false;
    o->is_queued = true;
    o->entry.object = o;
    o->entry.event = (port_event_t){
        .portev_events = events,
        .portev_source = (unsigned short)o->source,
        .portev_object = o->key,
        .portev_user = o->user,
    };
    enqueue(p, &o->entry);
}

static void unqueue(port *p, object *o)
{
    queued **link = &p->first;
    queued *before = NULL;

    if (!o->is_queued)
        return;
    while (*link != &o->entry) {
        before = *link;
        link = &before->next;
    }
    *link = o->entry.next;
    if (p->last == &o->entry)
        p->last = before;
    o->is_queued = false;
    p->count--;
    show(p);
}

static port_event_t dequeue(port *p)
{
    queued *entry = p->first;
    port_event_t event = entry->event;

    p->first = entry->next;
    p->count--;
    if (entry->object)
        entry->object->is_queued = false;
    else
        put(entry);
    return event;
}

/* ---- Descriptors ----------------------------------------------------------- */

static void unwatch(int fd, object *o)
{
    if (o->watched)
        (void)epoll_ctl(fd, EPOLL_CTL_DEL, (int)o->key, NULL);
    o->watched = false;
}

static int watch_descriptor(int fd, port *p, object *o)
{
    struct epoll_event wanted = {.events = (uint32_t)o->events | EPOLLONESHOT, .data.fd = (int)o->key};
    struct pollfd now = {.fd = (int)o->key, .events = (short)o->events};

    unwatch(fd, o);
    o->active = true;
    if (poll(&now, 1, 0) > 0 && now.revents & (o->events | POLLERR | POLLHUP)) {
        fire(p, o, now.revents & (o->events | POLLERR | POLLHUP));
        return 0;
    }
    o->watched = epoll_ctl(fd, EPOLL_CTL_ADD, (int)o->key, &wanted) == 0;
    return o->watched ? 0 : -1;
}

static object *find_descriptor(port *p, uintptr_t key)
{
    return key < p->span ? p->descriptors[key] : NULL;
}

static void drop_descriptor(int fd, port *p, object *o)
{
    unqueue(p, o);
    unwatch(fd, o);
    p->descriptors[o->key] = NULL;
    p->objects--;
    put(o);
}

static int associate_descriptor(int fd, port *p, uintptr_t key, int events, void *user)
{
    object *o = find_descriptor(p, key);

    if (fcntl((int)key, F_GETFD) < 0)
        return fail(EBADFD);
    if (o) {
        unqueue(p, o);
    } else {
        if (p->count + p->objects >= port_double_most)
            return fail(EAGAIN);
        p->descriptors = grow(p->descriptors, &p->span, key, sizeof *p->descriptors);
        o = get();
        o->source = PORT_SOURCE_FD;
        o->key = key;
        p->descriptors[key] = o;
        p->objects++;
    }
    o->events = events;
    o->user = user;
    if (watch_descriptor(fd, p, o) == 0)
        return 0;
    int error = errno;
    drop_descriptor(fd, p, o);
    return fail(error);
}

static int dissociate_descriptor(int fd, port *p, uintptr_t key)
{
    object *o = find_descriptor(p, key);

    if (fcntl((int)key, F_GETFD) < 0)
        return fail(EBADFD);
    if (!o)
        return fail(ENOENT);
    bool alive = o->active || o->is_queued;
    drop_descriptor(fd, p, o);
    return alive ? 0 : fail(ENOENT);
}

/* ---- Files ----------------------------------------------------------------- */

static bool same_time(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

/* What of the wanted is not as it was when the caller looked. */
static int file_changes(const object *o, const file_obj_t *file, const struct stat *now)
{
    return (same_time(&file->fo_atime, &now->st_atim) ? 0 : o->events & FILE_ACCESS) |
           (same_time(&file->fo_mtime, &now->st_mtim) ? 0 : o->events & FILE_MODIFIED) |
           (same_time(&file->fo_ctime, &now->st_ctim) ? 0 : o->events & FILE_ATTRIB);
}

static object **find_file(port *p, uintptr_t key)
{
    object **link = &p->files;

    while (*link && (*link)->key != key)
        link = &(*link)->next;
    return link;
}

static void read_inotify(port *p);

/* Who is not associated is not told; what inotify says of the end of its watch is swallowed. */
static void drop_watch(port *p, object *o)
{
    int watch = o->watch;

    o->watch = -1;
    for (const object *other = p->files; other; other = other->next)
        if (other->watch == watch)
            return;
    if (watch < 0)
        return;
    (void)inotify_rm_watch(p->inotify, watch); /* it may have gone with the file */
    read_inotify(p);
}

static void drop_file(port *p, object **link)
{
    object *o = *link;

    unqueue(p, o);
    o->active = false;
    *link = o->next;
    drop_watch(p, o);
    p->objects--;
    put(o);
}

static void fire_file(port *p, object *o, int events)
{
    fire(p, o, events);
    drop_watch(p, o);
}

static int open_inotify(int fd, port *p)
{
    struct epoll_event readable = {.events = EPOLLIN, .data.fd = DATA_INOTIFY};

    if (p->inotify >= 0)
        return 0;
    p->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return p->inotify < 0 ? -1 : epoll_ctl(fd, EPOLL_CTL_ADD, p->inotify, &readable);
}

static int associate_file(int fd, port *p, uintptr_t key, int events, void *user)
{
    const uint32_t told = IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                          IN_DELETE_SELF | IN_MOVE_SELF | IN_MASK_ADD;
    const file_obj_t *file = (const file_obj_t *)key;
    object **link = find_file(p, key);
    bool follow = !(events & FILE_NOFOLLOW);
    struct stat now;

    if (open_inotify(fd, p) < 0)
        return -1;
    if (*link)
        drop_file(p, link);
    if (p->count + p->objects >= port_double_most)
        return fail(EAGAIN);
    int watch = inotify_add_watch(p->inotify, file->fo_name, told | (follow ? 0 : IN_DONT_FOLLOW));
    if (watch < 0 || fstatat(AT_FDCWD, file->fo_name, &now, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    object *o = get();
    o->source = PORT_SOURCE_FILE;
    o->key = key;
    o->events = events;
    o->user = user;
    o->watch = watch;
    o->next = p->files;
    p->files = o;
    p->objects++;
    o->active = true;
    int changes = file_changes(o, file, &now);
    if (changes)
        fire_file(p, o, changes);
    return 0;
}

static int dissociate_file(port *p, uintptr_t key)
{
    object **link = find_file(p, key);

    if (!*link)
        return fail(ENOENT);
    bool alive = (*link)->active || (*link)->is_queued;
    drop_file(p, link);
    return alive ? 0 : fail(ENOENT);
}

static int file_events(uint32_t mask)
{
    const uint32_t names = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

    return (mask & (IN_MODIFY | names) ? FILE_MODIFIED : 0) | (mask & (IN_ATTRIB | IN_MODIFY | names) ? FILE_ATTRIB : 0) |
           (mask & IN_DELETE_SELF ? FILE_DELETE : 0) | (mask & IN_MOVE_SELF ? FILE_RENAME_FROM : 0);
}

static void tell_files(port *p, int watch, uint32_t mask)
{
    for (object *o = p->files; o; o = o->next) {
        int events = file_events(mask) & (o->events | FILE_EXCEPTION);
        if (o->watch == watch && o->active && events)
            fire_file(p, o, events);
    }
}

static void read_inotify(port *p)
{
    _Alignas(struct inotify_event) char bytes[4096];
    struct inotify_event event;
    ssize_t size;

    while ((size = read(p->inotify, bytes, sizeof bytes)) > 0)
        for (const char *at = bytes; at < bytes + size; at += sizeof event + event.len) {
            memcpy(&event, at, sizeof event);
            tell_files(p, event.wd, event.mask);
        }
}

/* ---- Calls ----------------------------------------------------------------- */

/* Queues what has become ready. */
static void pump(int fd, port *p)
{
    struct epoll_event found[64];
    int count;

    do {
        bool inotify = false;
        count = epoll_wait(fd, found, 64, 0);
        for (int i = 0; i < count; i++) {
            int number = found[i].data.fd;
            inotify |= number == DATA_INOTIFY;
            if (number < 0)
                continue;
            object *o = find_descriptor(p, (uintptr_t)number);
            unwatch(fd, o);
            fire(p, o, (int)found[i].events & (o->events | POLLERR | POLLHUP));
        }
        if (inotify)
            read_inotify(p);
    } while (count == 64);
}

static void begin(void)
{
    if (owner == getpid())
        return;
    owner = getpid(); /* a child of fork begins anew */
    guard = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    ports = NULL;
    ports_span = 0;
    spare = NULL;
}

int port_create(void)
{
    int fd = epoll_create1(0);

    if (fd < 0)
        return -1;
    begin();
    lock();
    port *made = get();
    made->inotify = -1;
    made->fd = fd;
    ports = grow(ports, &ports_span, (size_t)fd, sizeof *ports);
    ports[fd] = made;
    unlock();
    return fd;
}

int port_associate(int fd, int source, uintptr_t key, int events, void *user)
{
    port *p = enter(fd);

    if (!p)
        return -1;
    pump(fd, p);
    if (source == PORT_SOURCE_FD)
        return leave(associate_descriptor(fd, p, key, events, user));
    return leave(source == PORT_SOURCE_FILE ? associate_file(fd, p, key, events, user) : fail(EINVAL));
}

int port_dissociate(int fd, int source, uintptr_t key)
{
    port *p = enter(fd);

    if (!p)
        return -1;
    if (source == PORT_SOURCE_FD)
        return leave(dissociate_descriptor(fd, p, key));
    return leave(source == PORT_SOURCE_FILE ? dissociate_file(p, key) : fail(EINVAL));
}

int port_send(int fd, int events, void *user)
{
    port *p = enter(fd);

    if (!p)
        return -1;
    if (p->count + p->objects >= port_double_most)
        return leave(fail(EAGAIN));
    queued *entry = get();
    entry->event = (port_event_t){
        .portev_events = events,
        .portev_source = PORT_SOURCE_USER,
        .portev_object = UINTPTR_MAX / 3,
        .portev_user = user,
    };
    enqueue(p, entry);
    return leave(0);
}

int port_alert(int fd, int flags, int events, void *user)
{
    port *p = flags == PORT_ALERT_SET || flags == PORT_ALERT_UPDATE ? enter(fd) : (fail(EINVAL), NULL);

    if (!p)
        return -1;
    if (flags == PORT_ALERT_UPDATE && events && p->alert)
        return leave(fail(EBUSY));
    p->alert = events != 0;
    p->alert_event = (port_event_t){
        .portev_events = events,
        .portev_source = PORT_SOURCE_ALERT,
        .portev_user = user,
    };
    show(p);
    return leave(0);
}

static unsigned take(port *p, port_event_t *events, unsigned most)
{
    unsigned count = 0;

    if (p->alert) {
        events[0] = p->alert_event;
        return 1;
    }
    while (count < most && p->first)
        events[count++] = dequeue(p);
    show(p);
    return count;
}

/* The end of a call that has events: every seventh time with an error all the same. */
static int deliver(port *p, port_event_t *events, unsigned most, unsigned *count)
{
    *count = take(p, events, most);
    if (++mischief % 7 == 0)
        return fail(mischief % 2 ? ETIME : EINTR);
    return 0;
}

static struct timespec sum(struct timespec one, struct timespec other)
{
    long nanos = one.tv_nsec + other.tv_nsec;

    return (struct timespec){.tv_sec = one.tv_sec + other.tv_sec + nanos / 1000000000, .tv_nsec = nanos % 1000000000};
}

/* False once it is over. */
static bool left(const struct timespec *deadline, struct timespec *rest)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    rest->tv_sec = deadline->tv_sec - now.tv_sec;
    rest->tv_nsec = deadline->tv_nsec - now.tv_nsec;
    if (rest->tv_nsec < 0) {
        rest->tv_sec--;
        rest->tv_nsec += 1000000000;
    }
    return rest->tv_sec >= 0 && (rest->tv_sec > 0 || rest->tv_nsec > 0);
}

/* Sleeps until something may be there: 0, or -1 and EINTR. */
static int sleep_on(int fd, unsigned wanted, const struct timespec *deadline)
{
    struct pollfd set = {.fd = fd, .events = POLLIN};
    struct timespec rest;

    if (wanted > 1) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        return 0;
    }
    if (deadline && !left(deadline, &rest))
        return 0;
    return ppoll(&set, 1, deadline ? &rest : NULL, NULL) < 0 ? -1 : 0;
}

int port_getn(int fd, port_event_t events[], unsigned most, unsigned *count, const struct timespec *timeout)
{
    struct timespec deadline, rest;
    unsigned wanted = count ? *count : 0;

    if (!count || (most > 0 && (!events || wanted > most)) ||
        (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 1000000000)))
        return fail(EINVAL);
    if (timeout) {
        clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline = sum(deadline, *timeout);
    }
    for (;;) {
        port *p = enter(fd);
        if (!p)
            return -1;
        pump(fd, p);
        if (most == 0) {
            *count = p->count;
            return leave(0);
        }
        if (p->alert || (p->count > 0 && p->count >= wanted) || wanted == 0)
            return leave(wanted == 0 ? 0 : deliver(p, events, most, count));
        if (timeout && !left(&deadline, &rest)) {
            *count = take(p, events, most);
            return leave(fail(ETIME));
        }
        leave(0);
        if (sleep_on(fd, wanted, timeout ? &deadline : NULL) < 0)
            return -1;
    }
}

int port_get(int fd, port_event_t *event, struct timespec *timeout)
{
    unsigned count = 1;
    int rc = port_getn(fd, event, 1, &count, timeout);

    return rc == 0 || (errno != EINTR && errno != ETIME) || count == 0 ? rc : 0;
}

/* ---- Numbers that are closed ----------------------------------------------- */

static void close_port(int fd, port *p)
{
    for (size_t key = 0; key < p->span; key++)
        if (p->descriptors[key])
            drop_descriptor(fd, p, p->descriptors[key]);
    while (p->files)
        drop_file(p, &p->files);
    while (p->first)
        (void)dequeue(p);
    ports[fd] = NULL;
    if (p->inotify >= 0)
        __real_close(p->inotify);
    if (p->descriptors)
        munmap(p->descriptors, p->span * sizeof(object *));
    put(p);
}

static void forget(int fd)
{
    if (fd < 0 || owner != getpid())
        return;
    lock();
    for (size_t number = 0; number < ports_span; number++) {
        object *o = ports[number] ? find_descriptor(ports[number], (uintptr_t)fd) : NULL;
        if (o)
            drop_descriptor((int)number, ports[number], o);
    }
    if (find_port(fd))
        close_port(fd, ports[fd]);
    unlock();
}

int __wrap_close(int fd)
{
    forget(fd);
    return __real_close(fd);
}

int __wrap_dup2(int from, int onto)
{
    if (from != onto && fcntl(from, F_GETFD) >= 0)
        forget(onto);
    return __real_dup2(from, onto);
}
