/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 server of static files: a whole program on Pollux.
 *
 *     http_server [--port N] [--address A] [--threads N] [--shared] [--backend NAME]
 *                 [--idle SECONDS] [--quiet] FOLDER
 *
 * Port 0, the default, takes a free one. SIGINT and SIGTERM end it, with statistics.
 *
 * THREADS   Each thread has a poller, a listener (SO_REUSEPORT shares the port out) and
 *           the connections that it accepted. A connection is registered once, level, for
 *           as long as it lives. With --shared all threads wait on one poller, and all but
 *           the stop signal is registered PLX_ONESHOT: the thread that got the event has
 *           the connection to itself until it arms it again.
 * A CONNECTION waits for one thing at a time. Normally PLX_READABLE. When its answers
 *           do not all fit the socket, PLX_WRITABLE alone: nothing more is read from a
 *           peer until it took what it asked for, so memory is bounded by two buffers,
 *           and a peer that half-closed meanwhile cannot make the loop spin.
 *           While it is idle it has no buffer.
 * TIME      A connection without progress for 30 seconds (--idle) is shut down; while
 *           others cannot be accepted a sixteenth of that is enough, or who holds all
 *           descriptors keeps everybody out. There is no timer in it: a wait of a second,
 *           and a look at every connection. So there is no answer 408 either; the
 *           connection just ends.
 * FILES     http/request.h and http/answer.h are the protocol, http/files.h finds and
 *           keeps files, http/top.h counts. Here is the loop, and what a connection goes
 *           through:
 *
 *               reading --> answering --> writing     (back to reading when all is sent)
 *                               |
 *                               +--> draining --> closed
 *
 * PLX-TOP   /plx-top is a page that shows the pollers at work, and so is / where FOLDER has
 *           no index.html. It follows /plx-top/events (server-sent events): while somebody
 *           does, a timer of the first poller makes a line of figures each second, and posts
 *           to each poller that has followers, whose thread sends it to them. A follower is a
 *           draining connection. Who reads slowly misses lines, for nothing is kept for
 *           him, and who reads nothing is idle. The page, http/plx-top.html, is built in
 *           by CMake (TOP_PAGE); by a plain compiler line there are the events alone.
 *
 * LEFT OUT  Ranges, compression, folders as lists, uploads. Symbolic links in FOLDER are
 *           not followed at all.
 */
#define _GNU_SOURCE

#include "http/answer.h"
#include "http/files.h"
#include "http/request.h"
#include "http/top.h"
#ifdef TOP_PAGE
#include TOP_PAGE
#else
static const char top_policy[] = "";
static const unsigned char top_page[] = {0};
#endif

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pollux.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
    BUFFER_SIZE = 32 * 1024,         /* one for reading and one for writing, of connections at work */
    ANSWER_ROOM = SMALL_FILE + 4096, /* the most that one answer puts into the buffer at once */
    TURN = 1024 * 1024,              /* bytes sent to one connection before the others get their turn */
    BATCH = 64,                      /* events per wait, and connections per event of the listener */
    SPARES = 8,
    MAX_THREADS = 64,
    MAX_FOLLOWERS = 32,
    FOLLOWER_BUFFER = 2048, /* of the kernel's: who does not read is to be noticed */
    PAGE = -1               /* for a file: the page of plx-top, in memory */
};

#define DRAIN_LIMIT PLX_SEC(2)
#define TICK        PLX_SEC(1)

/* Tokens. A connection's is its address, which is none of these. */
enum { TOKEN_STOP = 1, TOKEN_LISTENER = 2, TOKEN_FIGURES = 3, TOKEN_LINE = 4 };

/* A connection that follows the figures. */
struct follower {
    struct follower *next, **link; /* the list of the loop; NULL until the head of the answer is sent */
    struct connection *connection;
};

struct connection {
    struct connection *next, **link; /* the list of the loop */
    int fd;
    int file; /* being sent, while file_left > 0; or PAGE */
    int64_t file_at, file_left;
    uint32_t interest;          /* PLX_READABLE or PLX_WRITABLE */
    bool closing;               /* no more requests are taken; ends when all is sent */
    bool refused;               /* the peer may still be sending what nobody reads */
    bool draining;              /* all is sent, and the rest that comes is thrown away */
    _Atomic plx_nanos deadline; /* moved on by progress alone, not by every byte that dribbles in */
    uint32_t asked;             /* requests whose answers are not all sent */
    plx_nanos since;            /* when the first of them was known */
    struct follower *follower;  /* NULL: it does not follow the figures */
    struct input in;
    char *out; /* NULL while there is nothing to be sent */
    uint32_t out_begin, out_end;
};

/* A poller, its listener and its connections: one per thread, or one for all of them. */
struct loop {
    plx_poller *poller;
    plx_registry *registry;
    int listener;
    atomic_bool full; /* no descriptors are left, so the listener is not watched */
    atomic_bool told; /* and that was said on stderr */
    _Atomic plx_nanos next_sweep;
    atomic_long count;    /* of connections */
    pthread_mutex_t lock; /* of the lists alone */
    struct connection *first;
    struct follower *followers;
};

/* One thread, and what no other thread touches. */
struct worker {
    pthread_t thread;
    struct loop *loop;
    plx_nanos now;  /* of this turn of the loop */
    time_t seconds; /* what date says */
    char date[32];
    int64_t turn; /* bytes that may still be sent to this connection in this turn */
    int spares;
    char *spare[SPARES];
    struct cached cache[CACHE_SLOTS];
    struct tally tally;
    uint64_t bytes, client_errors;
    int rc;
};

enum outcome { DONE, BLOCKED, BROKEN };

static int root = -1; /* FOLDER */
static int stop_pipe[2] = {-1, -1};
static bool shared, quiet;

static plx_nanos idle_limit = PLX_SEC(30);

/* What plx-top is made of. */
static struct {
    pthread_mutex_t lock; /* of what is below the arrays */
    struct worker *workers;
    struct loop *loops;
    int threads, pollers;
    char constant[128];
    plx_nanos started;
    int followers;
    plx_timer timer; /* runs while there are any */
    struct figures before;
    size_t length;
    char line[LINE_SIZE];
} top = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char *take_buffer(struct worker *w)
{
    return w->spares > 0 ? w->spare[--w->spares] : malloc(BUFFER_SIZE);
}

static void give_buffer(struct worker *w, char **buffer)
{
    if (*buffer != NULL && w->spares < SPARES)
        w->spare[w->spares++] = *buffer;
    else
        free(*buffer);
    *buffer = NULL;
}

/* ---- Requests and their answers -------------------------------------------- */

/* Adds an answer to what is to be sent. */
static void append_answer(struct worker *w, struct connection *c, const struct request *r, struct answer a)
{
    a.date = w->date;
    a.head = r->head;
    a.connection = c->closing ? "Connection: close\r\n" : r->minor0 ? "Connection: keep-alive\r\n" : "";
    c->out_end += (uint32_t)write_answer(c->out + c->out_end, BUFFER_SIZE - c->out_end, a);
    if (c->asked++ == 0)
        c->since = w->now;
    tally_add(&w->tally.requests, 1);
    w->client_errors += a.status >= 400 && a.status < 500;
}

static bool is_path(struct text path, const char *name)
{
    return path.length == strlen(name) && memcmp(path.at, name, path.length) == 0;
}

/* Where there is no page, nothing is. */
static bool is_page(struct text path, const char *name)
{
    return sizeof top_page > 1 && is_path(path, name);
}

static void answer_small(struct worker *w, struct connection *c, const struct request *r,
                         const struct cached *file)
{
    struct answer a = {.type = file->type, .body = file->body, .modified = file->modified_text};
    a.size = (int64_t)file->size;
    a.status = r->since != 0 && r->since >= file->modified ? 304 : 200;
    append_answer(w, c, r, a);
}

/* The page may have changed with the program, so a browser asks each time. */
static void answer_page(struct worker *w, struct connection *c, const struct request *r)
{
    char fields[512];
    struct answer a = {.status = 200, .size = sizeof top_page, .type = type_of(".html"), .fields = fields};
    snprintf(fields, sizeof fields, "Cache-Control: no-cache\r\nContent-Security-Policy: %s\r\n", top_policy);
    append_answer(w, c, r, a);
    if (!r->head) {
        c->file = PAGE;
        c->file_at = 0;
        c->file_left = sizeof top_page;
    }
}

static void answer_file(struct worker *w, struct connection *c, const struct request *r)
{
    const struct cached *cached = cache_find(w->cache, r->path, w->seconds);
    if (cached != NULL) {
        answer_small(w, c, r, cached);
        return;
    }

    int file;
    struct stat info;
    struct answer a = {0};
    a.status = find_file(root, r->path, &file, &info, &a.type);
    if (a.status == 404 && is_page(r->path, "/")) {
        answer_page(w, c, r);
        return;
    }
    if (a.status != 200) {
        a.name = r->path;
        while (memchr(a.name.at, '/', a.name.length) != NULL)
            text_cut(&a.name, '/');
        append_answer(w, c, r, a);
        return;
    }
    cached = cache_load(w->cache, r->path, w->seconds, file, &info, a.type);
    if (cached != NULL) {
        close(file);
        answer_small(w, c, r, cached);
        return;
    }

    char date[32];
    format_date(date, info.st_mtime);
    a.modified = date;
    a.size = info.st_size;
    a.status = r->since != 0 && r->since >= info.st_mtime ? 304 : 200;
    append_answer(w, c, r, a);
    if (r->head || a.status == 304 || a.size == 0) {
        close(file);
    } else {
        c->file = file;
        c->file_at = 0;
        c->file_left = a.size;
    }
}

/* Makes a follower of a connection; the first of all starts the timer. False: there is no room. */
static bool follower_open(struct connection *c)
{
    struct follower *f = calloc(1, sizeof *f);
    if (f == NULL)
        return false;
    f->connection = c;
    pthread_mutex_lock(&top.lock);
    bool room = top.followers < MAX_FOLLOWERS;
    if (room && top.followers == 0)
        room = plx_timer_start(top.loops[0].registry, TOKEN_FIGURES, 0, TICK, &top.timer) == 0;
    if (room) {
        top.followers++;
        c->follower = f;
    }
    pthread_mutex_unlock(&top.lock);
    if (!room)
        free(f);
    return room;
}

/* It is in no list any more. */
static void follower_close(struct follower *f)
{
    pthread_mutex_lock(&top.lock);
    if (--top.followers == 0)
        plx_timer_cancel(top.loops[0].registry, top.timer);
    pthread_mutex_unlock(&top.lock);
    free(f);
}

static void answer_follower(struct worker *w, struct connection *c, const struct request *r)
{
    struct answer a = {.status = 200, .size = -1, .type = "text/event-stream"};
    a.fields = "Cache-Control: no-store\r\n";
    if (!r->head && !follower_open(c))
        a.status = 503;
    else
        c->closing = true; /* the end of the connection is that of the answer */
    append_answer(w, c, r, a);
}

static void answer_request(struct worker *w, struct connection *c, const struct request *r)
{
    if (is_path(r->path, "/plx-top/events"))
        answer_follower(w, c, r);
    else if (is_page(r->path, "/plx-top"))
        answer_page(w, c, r);
    else
        answer_file(w, c, r);
}

/* Answers what was asked and fits the buffer. Returns whether there was anything. */
static bool answer_requests(struct worker *w, struct connection *c)
{
    bool answered = false;
    while (!c->closing && c->file_left == 0 && c->out_end + ANSWER_ROOM <= BUFFER_SIZE) {
        struct text head = {0};
        struct request r = {0};
        int status = take_head(&c->in, &head);
        if (status == 0)
            break;
        if (c->out == NULL && (c->out = take_buffer(w)) == NULL) {
            c->closing = true; /* no memory, no answer */
            break;
        }
        answered = true;
        if (status == 200)
            status = parse_head(head, &r);
        c->closing = !r.keep;
        c->refused = c->closing && status != 200;
        c->in.skip = r.body;
        if (status == 200)
            answer_request(w, c, &r);
        else
            append_answer(w, c, &r, (struct answer){.status = status});
    }
    return answered;
}

/* ---- Connections: the state machine ---------------------------------------- */

static void listener_watch(struct loop *loop)
{
    plx_enable(loop->registry, loop->listener, PLX_READABLE); /* arms it too, where it is oneshot */
}

static void connection_unlink(struct loop *loop, struct connection *c)
{
    struct follower *f = c->follower;
    pthread_mutex_lock(&loop->lock);
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    if (f != NULL && f->link != NULL) {
        *f->link = f->next;
        if (f->next != NULL)
            f->next->link = f->link;
    }
    pthread_mutex_unlock(&loop->lock);
    atomic_fetch_sub(&loop->count, 1);
    if (f != NULL)
        follower_close(f);
}

static void connection_close_file(struct connection *c)
{
    if (c->file_left > 0 && c->file != PAGE)
        close(c->file);
}

/* Only the thread that has its event calls this, so no other event of it is under way. */
static void connection_close(struct worker *w, struct connection *c)
{
    struct loop *loop = w->loop;
    connection_unlink(loop, c); /* first of all: c->fd of what is in a list is used */
    plx_deregister(loop->registry, c->fd);
    close(c->fd);
    connection_close_file(c);
    give_buffer(w, &c->in.bytes);
    give_buffer(w, &c->out);
    free(c);
    if (atomic_load(&loop->full) && atomic_exchange(&loop->full, false))
        listener_watch(loop); /* a descriptor is free again */
}

/* In the usual case, level and unchanged, there is nothing to do, and no system call. */
static bool connection_watch(struct worker *w, struct connection *c, uint32_t interest)
{
    if (c->interest == interest && !shared)
        return true;
    c->interest = interest;
    /* With PLX_ONESHOT another thread may have it from here on: the last access to *c. */
    return plx_reregister(w->loop->registry, c->fd, plx_token_from_ptr(c),
                          interest | (shared ? PLX_ONESHOT : PLX_LEVEL)) == 0;
}

/* One read per event: level and oneshot interest report what is left, and others get their turn. */
static enum outcome connection_read(struct worker *w, struct connection *c)
{
    char rubbish[4096];
    if (c->in.bytes == NULL && !c->draining) {
        c->deadline = w->now + idle_limit; /* for the whole request, from its first byte on */
        c->in.bytes = take_buffer(w);
        if (c->in.bytes == NULL)
            return BROKEN;
    }
    char *at = c->draining ? rubbish : c->in.bytes + c->in.end;
    size_t room = c->draining ? sizeof rubbish : BUFFER_SIZE - c->in.end;

    ssize_t count = recv(c->fd, at, room, MSG_DONTWAIT);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? DONE : BROKEN;
    if (count == 0) /* it has finished, and has all its answers, or there would be no interest in reading */
        return BROKEN;
    if (!c->draining) {
        c->in.end += (uint32_t)count;
        return DONE;
    }
    c->in.skip -= (uint64_t)count < c->in.skip ? (uint64_t)count : c->in.skip;
    return c->in.skip > 0 ? DONE : BROKEN;
}

/* Fills the rest of the buffer from the file. False: the file is shorter than its head said. */
static bool connection_refill(struct connection *c)
{
    size_t room = BUFFER_SIZE - c->out_end;
    if (c->file_left < (int64_t)room)
        room = (size_t)c->file_left;
    ssize_t count = (ssize_t)room;
    if (c->file == PAGE)
        memcpy(c->out + c->out_end, top_page + c->file_at, room);
    else
        count = pread(c->file, c->out + c->out_end, room, (off_t)c->file_at);
    if (count <= 0)
        return false;
    if (count == c->file_left)
        connection_close_file(c);
    c->out_end += (uint32_t)count;
    c->file_at += count;
    c->file_left -= count;
    return true;
}

static enum outcome connection_write(struct worker *w, struct connection *c)
{
    while (c->out_begin < c->out_end || c->file_left > 0) {
        if (w->turn <= 0)
            return BLOCKED;
        /* The begin of a file goes along with its head, in one call. */
        if (c->file_left > 0 && c->out_begin == 0 && c->out_end < BUFFER_SIZE && !connection_refill(c))
            return BROKEN;
        ssize_t count = send(c->fd, c->out + c->out_begin, c->out_end - c->out_begin, MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? BLOCKED : BROKEN;
        w->turn -= count;
        w->bytes += (uint64_t)count;
        c->deadline = w->now + idle_limit;
        c->out_begin += (uint32_t)count;
        if (c->out_begin == c->out_end)
            c->out_begin = c->out_end = 0;
    }
    if (c->asked > 0)
        tally_add(&w->tally.latency[latency_slot((uint64_t)(plx_now() - c->since))], c->asked);
    c->asked = 0;
    return DONE;
}

/*
 * All is sent, and the connection is to end. A close with unread bytes resets it, and the
 * reset may overtake the answer. So where bytes may still come, the end is announced and
 * they are read.
 */
static enum outcome connection_drain(struct worker *w, struct connection *c)
{
    if ((!c->refused && c->in.begin == c->in.end && c->in.skip == 0) || shutdown(c->fd, SHUT_WR) < 0)
        return BROKEN;
    c->draining = true;
    c->in.begin = c->in.end;
    c->in.skip = 4 * BODY_LIMIT;
    c->deadline = w->now + DRAIN_LIMIT;
    return DONE;
}

/* The head of its answer is sent: the lines may follow, and what it still says is thrown away. */
static void follower_join(struct worker *w, struct connection *c)
{
    struct loop *loop = w->loop;
    struct follower *f = c->follower;
    int size = FOLLOWER_BUFFER;
    setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    c->draining = true;
    c->in.begin = c->in.end;
    c->in.skip = 4 * BODY_LIMIT;
    pthread_mutex_lock(&loop->lock);
    f->next = loop->followers;
    f->link = &loop->followers;
    if (f->next != NULL)
        f->next->link = &f->next;
    loop->followers = f;
    pthread_mutex_unlock(&loop->lock);
}

/* A connection has an event: it is ready for what it waits for, or broken, which the call tells. */
static void connection_ready(struct worker *w, struct connection *c)
{
    enum outcome outcome = c->interest == PLX_READABLE ? connection_read(w, c) : DONE;

    w->turn = TURN;
    while (outcome == DONE && (answer_requests(w, c) || c->out_end > 0 || c->file_left > 0))
        outcome = connection_write(w, c);

    if (outcome == DONE && c->closing && !c->draining) {
        if (c->follower != NULL)
            follower_join(w, c);
        else
            outcome = connection_drain(w, c);
    }
    if (outcome == DONE) { /* all is sent; what is idle keeps no memory */
        give_buffer(w, &c->out);
        if (!input_settle(&c->in))
            give_buffer(w, &c->in.bytes);
    }
    if (outcome == BROKEN || !connection_watch(w, c, outcome == BLOCKED ? PLX_WRITABLE : PLX_READABLE))
        connection_close(w, c);
}

static bool connection_open(struct worker *w, int fd)
{
    struct loop *loop = w->loop;
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return false;
    c->fd = fd;
    c->interest = PLX_READABLE;
    c->deadline = w->now + idle_limit;

    pthread_mutex_lock(&loop->lock);
    c->next = loop->first;
    c->link = &loop->first;
    if (c->next != NULL)
        c->next->link = &c->next;
    loop->first = c;
    pthread_mutex_unlock(&loop->lock);
    atomic_fetch_add(&loop->count, 1);

    /* The last step: with --shared another thread may have an event of it at once. */
    if (plx_register(loop->registry, fd, plx_token_from_ptr(c),
                     PLX_READABLE | (shared ? PLX_ONESHOT : PLX_LEVEL)) < 0) {
        connection_unlink(loop, c);
        free(c);
        return false;
    }
    return true;
}

static void listener_ready(struct worker *w)
{
    struct loop *loop = w->loop;
    for (int i = 0; i < BATCH; i++) {
        int fd = accept(loop->listener, NULL, NULL);
        if (fd >= 0) {
            tally_add(&w->tally.accepted, 1);
            if (!connection_open(w, fd))
                close(fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            break;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            /*
             * EMFILE, as a rule. What cannot be accepted stays in the queue and keeps the
             * listener ready, so a loop that goes on watching it spins. The next close
             * watches it again, and each sweep: the descriptors may be another thread's.
             */
            if (!quiet && !atomic_exchange(&loop->told, true))
                fprintf(stderr, "no connection can be accepted now: %s\n", plx_strerror(-errno));
            plx_disable(loop->registry, loop->listener, PLX_READABLE);
            atomic_store(&loop->full, true);
            return;
        }
    }
    if (shared)
        listener_watch(loop);
}

/*
 * Shuts down what made no progress for too long. The shutdown makes it ready, and so the
 * thread that gets the event closes it, as any other end: no thread frees another's.
 */
static void sweep(struct worker *w)
{
    struct loop *loop = w->loop;
    plx_nanos due = atomic_load(&loop->next_sweep);
    if (w->now < due || !atomic_compare_exchange_strong(&loop->next_sweep, &due, w->now + TICK))
        return;
    bool full = atomic_exchange(&loop->full, false);
    plx_nanos limit = w->now + (full ? idle_limit - idle_limit / 16 : 0);
    pthread_mutex_lock(&loop->lock);
    for (struct connection *c = loop->first; c != NULL; c = c->next)
        if (atomic_load_explicit(&c->deadline, memory_order_relaxed) < limit)
            shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&loop->lock);
    if (full)
        listener_watch(loop);
}

/* ---- The figures: a line each second, and who follows them ------------------ */

/* The timer's event. One that was on its way when the last follower went finds none. */
static void take_figures(void)
{
    struct figures f = {0};
    pthread_mutex_lock(&top.lock); /* no line has less than the one before */
    for (int i = 0; i < top.threads; i++)
        figures_add_thread(&f, &top.workers[i].tally);
    for (int i = 0; i < top.pollers; i++) {
        figures_add_poller(&f, top.loops[i].poller);
        f.open += (uint64_t)atomic_load(&top.loops[i].count);
    }
    plx_nanos up = plx_now() - top.started;
    top.length = figures_write(top.line, sizeof top.line, &f, &top.before, up, top.constant);
    top.before = f;
    pthread_mutex_unlock(&top.lock);

    for (int i = 0; i < top.pollers; i++) {
        struct loop *loop = &top.loops[i];
        pthread_mutex_lock(&loop->lock);
        bool followed = loop->followers != NULL;
        pthread_mutex_unlock(&loop->lock);
        if (followed)
            plx_post(loop->registry, TOKEN_LINE, 0); /* without memory for it a line is left out */
    }
}

/* A line goes whole or not at all: nothing piles up here for who does not read. */
static void follower_send(struct worker *w, struct follower *f, const char *line, size_t length)
{
    struct connection *c = f->connection;
    ssize_t count = send(c->fd, line, length, MSG_DONTWAIT);
    if (count < 0) /* slow, or broken, which is an event of its own */
        return;
    if ((size_t)count < length) /* what follows would make no sense; a browser comes again */
        shutdown(c->fd, SHUT_RDWR);
    w->bytes += (uint64_t)count;
    c->deadline = w->now + idle_limit;
}

static void send_line(struct worker *w)
{
    char line[LINE_SIZE];
    pthread_mutex_lock(&top.lock);
    size_t length = top.length;
    memcpy(line, top.line, length);
    pthread_mutex_unlock(&top.lock);

    pthread_mutex_lock(&w->loop->lock);
    for (struct follower *f = w->loop->followers; f != NULL; f = f->next)
        follower_send(w, f, line, length);
    pthread_mutex_unlock(&w->loop->lock);
}

/* ---- The loop, and the program --------------------------------------------- */

/* The byte is never read: the pipe stays readable, and so every poller and every thread sees it. */
static void stop(int number)
{
    int error = errno;
    (void)number;
    if (write(stop_pipe[1], "", 1) < 0) {
        /* the pipe is full of stops */
    }
    errno = error;
}

static void *work(void *argument)
{
    struct worker *w = argument;
    struct loop *loop = w->loop;
    plx_event events[BATCH];

    for (bool running = true; running;) {
        bool idle = atomic_load(&loop->count) == 0 && !atomic_load(&loop->full);
        int count = plx_poller_wait(loop->poller, events, BATCH, idle ? PLX_FOREVER : TICK);
        if (count < 0) {
            fprintf(stderr, "wait: %s\n", plx_strerror(count));
            w->rc = count;
            stop(0); /* the other threads end too */
            break;
        }
        w->now = plx_now();
        time_t seconds = time(NULL);
        if (seconds != w->seconds) {
            w->seconds = seconds;
            format_date(w->date, seconds);
        }
        for (int i = 0; i < count; i++) {
            tally_event(&w->tally, events[i].flags);
            if (events[i].token == TOKEN_STOP)
                running = false;
            else if (events[i].token == TOKEN_LISTENER)
                listener_ready(w);
            else if (events[i].token == TOKEN_FIGURES)
                take_figures();
            else if (events[i].token == TOKEN_LINE)
                send_line(w);
            else
                connection_ready(w, plx_token_ptr(events[i].token));
        }
        sweep(w);
    }
    return NULL;
}

/* Opens a listener, and puts the port that was taken in for 0. Returns 0 or a negative errno value. */
static int listener_open(struct sockaddr_in *address, bool share_port, int *listener)
{
    socklen_t length = sizeof *address;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        return -errno;
    /* Connections inherit TCP_NODELAY: an answer must not wait until the one before is acknowledged. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        (share_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || bind(fd, (struct sockaddr *)address, length) < 0 ||
        listen(fd, SOMAXCONN) < 0 || getsockname(fd, (struct sockaddr *)address, &length) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    *listener = fd;
    return 0;
}

static int loop_open(struct loop *loop, plx_backend backend, struct sockaddr_in *address, bool share_port)
{
    plx_options options = {.backend = backend};
    pthread_mutex_init(&loop->lock, NULL);
    int rc = plx_poller_open(&loop->poller, &options);
    if (rc == 0)
        rc = listener_open(address, share_port, &loop->listener);
    if (rc == 0) {
        loop->registry = plx_poller_registry(loop->poller);
        rc = plx_register(loop->registry, stop_pipe[0], TOKEN_STOP, PLX_READABLE);
    }
    if (rc == 0)
        rc = plx_register(loop->registry, loop->listener, TOKEN_LISTENER,
                          PLX_READABLE | (shared ? PLX_ONESHOT : PLX_LEVEL));
    return rc;
}

/* No thread works on it any more. */
static void loop_close(struct loop *loop)
{
    plx_poller_close(loop->poller);
    if (loop->listener >= 0)
        close(loop->listener);
    while (loop->first != NULL) {
        struct connection *c = loop->first;
        loop->first = c->next;
        close(c->fd);
        connection_close_file(c);
        free(c->follower);
        free(c->in.bytes);
        free(c->out);
        free(c);
    }
    pthread_mutex_destroy(&loop->lock);
}

static void worker_close(struct worker *w)
{
    for (int i = 0; i < w->spares; i++)
        free(w->spare[i]);
    for (int i = 0; i < CACHE_SLOTS; i++)
        free(w->cache[i].body);
}

static void print_statistics(const struct worker *workers, int threads, const struct loop *loops, int pollers)
{
    uint64_t requests = 0, connections = 0, bytes = 0, errors = 0;
    for (int i = 0; i < threads; i++) {
        requests += tally_get(&workers[i].tally.requests);
        connections += tally_get(&workers[i].tally.accepted);
        bytes += workers[i].bytes;
        errors += workers[i].client_errors;
    }
    printf("requests: %" PRIu64 "\nconnections: %" PRIu64 "\n", requests, connections);
    printf("bytes sent: %" PRIu64 "\n4xx answers: %" PRIu64 "\n", bytes, errors);
    for (int i = 0; i < pollers; i++) {
        plx_stats stats;
        plx_poller_stats(loops[i].poller, &stats);
        double per_wait = stats.waits > 0 ? (double)stats.events / (double)stats.waits : 0;
        printf("poller %d (%s): ", i, plx_poller_backend(loops[i].poller));
        printf("waits: %" PRIu64 ", events: %" PRIu64 ", events per wait: %.2f, ", stats.waits, stats.events,
               per_wait);
        printf("kernel calls: %" PRIu64 ", wakes: %" PRIu64 "\n", stats.kernel_calls, stats.wakes_sent);
    }
}

static void top_init(struct worker *workers, int threads, struct loop *loops, int pollers)
{
    top.workers = workers;
    top.threads = threads;
    top.loops = loops;
    top.pollers = pollers;
    top.started = plx_now();
    snprintf(top.constant, sizeof top.constant,
             "\"version\":\"%s\",\"backend\":\"%s\",\"threads\":%d,\"pollers\":%d", PLX_VERSION,
             plx_poller_backend(loops[0].poller), threads, pollers);
}

static int usage(void)
{
    fputs("usage: http_server [--port N] [--address A] [--threads N] [--shared] [--backend NAME]\n"
          "                   [--idle SECONDS] [--quiet] FOLDER\n",
          stderr);
    return 2;
}

static bool parse_number(const char *text, long limit, int *number)
{
    char *end;
    long value = text != NULL ? strtol(text, &end, 10) : -1;
    if (value < 0 || value > limit || end == text || *end != '\0')
        return false;
    *number = (int)value;
    return true;
}

static bool parse_backend(const char *name, plx_backend *backend)
{
    static const char *const names[] = {"auto", "epoll", "io_uring", "kqueue", "event_ports", "poll", "iocp"};
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) {
            *backend = (plx_backend)i;
            return true;
        }
    return false;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    plx_backend backend = PLX_BACKEND_AUTO;
    const char *folder = NULL;
    int port = 0, threads = 1, idle = 30;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool good = true;
        if (strcmp(argv[i], "--port") == 0)
            good = parse_number(value, 65535, &port), i++;
        else if (strcmp(argv[i], "--address") == 0)
            good = value != NULL && inet_pton(AF_INET, value, &address.sin_addr) == 1, i++;
        else if (strcmp(argv[i], "--threads") == 0)
            good = parse_number(value, MAX_THREADS, &threads) && threads > 0, i++;
        else if (strcmp(argv[i], "--idle") == 0)
            good = parse_number(value, 86400, &idle), i++;
        else if (strcmp(argv[i], "--backend") == 0)
            good = parse_backend(value, &backend), i++;
        else if (strcmp(argv[i], "--shared") == 0)
            shared = true;
        else if (strcmp(argv[i], "--quiet") == 0)
            quiet = true;
        else
            good = argv[i][0] != '-' && folder == NULL, folder = argv[i];
        if (!good)
            return usage();
    }
    if (folder == NULL)
        return usage();
    address.sin_port = htons((uint16_t)port);
    idle_limit = PLX_SEC(idle);

    root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || pipe(stop_pipe) < 0 || fcntl(stop_pipe[1], F_SETFL, O_NONBLOCK) < 0) {
        perror(folder);
        return 1;
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN; /* a reset peer is an error of send, not the end of the program */
    sigaction(SIGPIPE, &action, NULL);

    int pollers = shared ? 1 : threads, rc = 0, opened = 0, started = 1;
    struct loop *loops = calloc((size_t)pollers, sizeof *loops);
    struct worker *workers = calloc((size_t)threads, sizeof *workers);
    if (loops == NULL || workers == NULL)
        rc = -ENOMEM;
    while (rc == 0 && opened < pollers) {
        loops[opened].listener = -1;
        rc = loop_open(&loops[opened++], backend, &address, pollers > 1);
    }
    if (rc == 0) {
        char text[INET_ADDRSTRLEN];
        printf("listening on http://%s:%d/\n", inet_ntop(AF_INET, &address.sin_addr, text, sizeof text),
               ntohs(address.sin_port));
        fflush(stdout);
        for (int i = 0; i < threads; i++)
            workers[i].loop = &loops[shared ? 0 : i];
        top_init(workers, threads, loops, pollers);
        for (; started < threads && rc == 0; started += rc == 0)
            rc = -pthread_create(&workers[started].thread, NULL, work, &workers[started]);
        if (rc == 0)
            work(&workers[0]); /* the main thread is the first of them */
        else
            stop(0); /* what was started ends */
        for (int i = 1; i < started; i++)
            pthread_join(workers[i].thread, NULL);
        for (int i = 0; i < threads && rc == 0; i++)
            rc = workers[i].rc;
        print_statistics(workers, threads, loops, pollers);
    }
    if (rc < 0)
        fprintf(stderr, "http_server: %s\n", plx_strerror(rc));

    for (int i = 0; i < opened; i++)
        loop_close(&loops[i]);
    for (int i = 0; workers != NULL && i < threads; i++)
        worker_close(&workers[i]);
    free(loops);
    free(workers);
    close(root);
    close(stop_pipe[0]);
    close(stop_pipe[1]);
    return rc == 0 ? 0 : 1;
}
