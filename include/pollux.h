/* SPDX-License-Identifier: MIT */
/*
 * Pollux: one poller that waits for everything, on every operating system.
 *
 * A program registers what it wants to wait for, each with a token of its own
 * choice, and one call returns what is ready:
 *
 *     #include <pollux.h>
 *     #include <stdio.h>
 *     #include <unistd.h>
 *
 *     int main(void)
 *     {
 *         plx_poller *poller;
 *         if (plx_poller_open(&poller, NULL) < 0)
 *             return 1;
 *         plx_register(plx_poller_registry(poller), STDIN_FILENO, 7, PLX_READABLE);
 *
 *         plx_event event;
 *         int count = plx_poller_wait(poller, &event, 1, PLX_SEC(10));
 *         if (count == 1 && event.token == 7)
 *             puts("there is something to read");
 *
 *         plx_poller_close(poller);
 *         return 0;
 *     }
 *
 * CONVENTIONS, which hold for every function below unless it says otherwise
 *
 *   Errors    A function that can fail returns int: 0 or a count on success, a
 *             negative errno value on failure (-EBADF). errno itself is left
 *             alone. A call that fails changes nothing and writes no output.
 *             Each function lists its errors; four are common to all:
 *               -EINVAL         an argument is NULL or has no meaning
 *               -ENOMEM         the allocator or the kernel is out of memory
 *               -PLX_ESHUTDOWN  the poller was closed; only its registry, or an
 *                               object made from it, is still held
 *               -ECHILD         the poller was inherited through fork(); it
 *                               belongs to the parent
 *   Threads   Every function may be called from any thread at any time, also
 *             while others wait. Exceptions: plx_poller_close, and the last
 *             release of an object, end what the caller's other threads must
 *             no longer use. None may be called from a signal handler, and a
 *             thread that is in one must not be cancelled (pthread_cancel).
 *   Time      plx_nanos is a signed 64-bit count of nanoseconds. Nothing is
 *             ever early. PLX_FOREVER (-1) means no limit.
 *   Memory    All of it comes from plx_options.allocator. Waiting allocates none.
 *   Descriptors  Those of the library are close-on-exec. A poller has at most 3
 *             (and for a moment one more, while it renews its kernel set), beside
 *             one for each watched process and each plx_paths, and they are
 *             closed when plx_poller_close returns. The caller's descriptors stay
 *             the caller's: their flags are never changed, nor are they closed. On
 *             Windows, where they are handles, there are up to 4, one for every 32
 *             sockets, and up to 2 for each registered handle that is no socket.
 */
#ifndef POLLUX_H
#define POLLUX_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifndef _WIN32
#include <sys/types.h>
#endif

/* The version of this header. */
#define PLX_VERSION       "0.9.0"
#define PLX_VERSION_MAJOR 0
#define PLX_VERSION_MINOR 9
#define PLX_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32) && defined(PLX_SHARED)
#ifdef PLX_BUILDING
#define PLX_API __declspec(dllexport)
#else
#define PLX_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define PLX_API __attribute__((visibility("default")))
#else
#define PLX_API
#endif

/* ---- Plain values ---------------------------------------------------------- */

/* What can be registered: a file descriptor, on Windows a SOCKET. */
#ifdef _WIN32
typedef uintptr_t plx_fd;
#else
typedef int plx_fd;
#endif

/* Nanoseconds: a duration, or a point on a monotonic clock (292 years fit). */
typedef int64_t plx_nanos;

#define PLX_FOREVER ((plx_nanos)-1)
#define PLX_USEC(n) ((plx_nanos)(n) * 1000)
#define PLX_MSEC(n) ((plx_nanos)(n) * 1000000)
#define PLX_SEC(n)  ((plx_nanos)(n) * 1000000000)

/* The error after plx_poller_close; returned negated. */
#ifdef ESHUTDOWN
#define PLX_ESHUTDOWN ESHUTDOWN
#else
#define PLX_ESHUTDOWN 10058
#endif

/*
 * A token is the caller's name for a source. It comes back with each event of
 * that source. 0 to PLX_TOKEN_MAX; above is -EINVAL. Several sources may share one.
 */
typedef uint64_t plx_token;

#define PLX_TOKEN_MAX ((plx_token)INT64_MAX)

/* A pointer as a token, and back. User-space pointers fit on every system here. */
static inline plx_token plx_token_from_ptr(const void *pointer)
{
    return (plx_token)(uintptr_t)pointer;
}

static inline void *plx_token_ptr(plx_token token)
{
    return (void *)(uintptr_t)token;
}

/* A kind (31 bits; the bit above is dropped) and an index (32 bits) as a token, and back. */
static inline plx_token plx_token_pack(uint32_t kind, uint32_t index)
{
    return (plx_token)(kind & 0x7fffffffu) << 32 | index;
}

static inline uint32_t plx_token_kind(plx_token token)
{
    return (uint32_t)(token >> 32);
}

static inline uint32_t plx_token_index(plx_token token)
{
    return (uint32_t)token;
}

/* ---- Flags: one 32-bit word ------------------------------------------------ */

/*
 * Readiness, asked for as an interest and reported in plx_event.flags.
 *
 * PLX_WRITE_CLOSED and PLX_ERROR are reported unasked; asked for alone they make
 * a registration that reports nothing else. PLX_READ_CLOSED comes with an interest
 * in PLX_READABLE, or alone if asked for alone. An error or a hang-up also sets
 * PLX_READABLE and PLX_WRITABLE as far as they were asked for: a program that looks
 * at these two alone meets the error in its read or write and never hangs.
 * PLX_PRIORITY never implies PLX_READABLE, nor the other way round.
 */
#define PLX_READABLE     0x00000001u /* a read does not block: data, end of file, an error, a connection to accept */
#define PLX_WRITABLE     0x00000004u /* a write does not block: room, an error, a finished or failed connect */
#define PLX_PRIORITY     0x00000002u /* out-of-band data, or what a driver calls exceptional (POLLPRI) */
#define PLX_READ_CLOSED  0x00002000u /* the peer shut down its writing half: what is left to read is the last */
#define PLX_WRITE_CLOSED 0x00000010u /* writing is over: hang-up, or the reader of a pipe is gone */
#define PLX_ERROR        0x00000008u /* an error is pending (SO_ERROR), or the source is broken */

/* Kinds of event, reported. A readiness event has none of them. */
#define PLX_TIMER   0x00010000u
#define PLX_WAKER   0x00020000u
#define PLX_POST    0x00040000u
#define PLX_CHANNEL 0x00080000u
#define PLX_SIGNAL  0x00100000u
#define PLX_PROCESS 0x00200000u
#define PLX_PATH    0x00400000u

/*
 * Modes, given together with an interest.
 *
 * PLX_LEVEL      An event with every wait for as long as the source is ready.
 * PLX_EDGE       An event when the source becomes ready, or ready once more: read or
 *                write until -EAGAIN, or nothing further may be heard. Needs a kernel
 *                that knows edges: ask plx_poller_supports, elsewhere -ENOTSUP.
 * PLX_ONESHOT    One event in all, then silence (errors and hang-ups included) until
 *                plx_reregister or plx_enable arms it again. Works everywhere, and is
 *                the mode for several waiting threads. With PLX_EDGE it means the same.
 * PLX_EXCLUSIVE  For a listener that is registered with several pollers: a connection
 *                wakes one of them, or a few, not all. With PLX_READABLE and
 *                PLX_WRITABLE alone, and without PLX_ONESHOT; PLX_READ_CLOSED is not
 *                reported. Ask plx_poller_supports, elsewhere -ENOTSUP.
 */
#define PLX_LEVEL     0x00000000u
#define PLX_EDGE      0x80000000u
#define PLX_ONESHOT   0x40000000u
#define PLX_EXCLUSIVE 0x10000000u

/* ---- Events ---------------------------------------------------------------- */

/* What a wait returns, one for each source that has something to say. */
typedef struct plx_event {
    plx_token token;  /* of the source */
    uint32_t  flags;  /* what is ready, or which kind of event this is */
    uint32_t  native; /* the kernel's own flags (EPOLL*, POLL*, AFD's); 0 where there are none */
    uint64_t  data;   /* of a timer: expirations since its last report; of a signal: the number of
                         the oldest unread; of a post: the caller's value; otherwise 0 */
} plx_event;

/*
 * Blanks (token 0, flags 0, native 0, data 0) every event with this token.
 *
 * For a handler that ends a source while later events of the same wait still name
 * it: with a count of 64 and the 5th in hand, plx_events_forget(events + 5, 59, token).
 * An event without flags is to be skipped by the loop.
 */
PLX_API void plx_events_forget(plx_event *events, int count, plx_token token);

/*
 * Writes a line for logs, such as "token 7: readable, read closed (native 0x2001)".
 * Works as snprintf does: the result is cut to size, NUL included, and never overruns.
 *
 * Returns  the length of the whole line without its NUL, or -EINVAL.
 */
PLX_API int plx_event_describe(const plx_event *event, char *buffer, size_t size);

/* ---- The poller ------------------------------------------------------------ */

/* The objects of a program: a poller, its registry, and three kinds of source. */
typedef struct plx_poller   plx_poller;
typedef struct plx_registry plx_registry;
typedef struct plx_waker    plx_waker;
typedef struct plx_signals  plx_signals;
typedef struct plx_process  plx_process;

/* Which of the kernel's interfaces a poller waits in. */
typedef enum plx_backend {
    PLX_BACKEND_AUTO = 0, /* the environment's PLX_BACKEND if it is set, else the best that works here */
    PLX_BACKEND_EPOLL,
    PLX_BACKEND_IO_URING,
    PLX_BACKEND_KQUEUE,
    PLX_BACKEND_EVENT_PORTS,
    PLX_BACKEND_POLL,
    PLX_BACKEND_IOCP
} plx_backend;

/* What a poller calls time. */
typedef enum plx_clock {
    PLX_CLOCK_MONOTONIC = 0, /* stands still while the machine sleeps */
    PLX_CLOCK_BOOTTIME,      /* counts the time asleep: what came due meanwhile is due on waking */
    PLX_CLOCK_MANUAL         /* stands still but for plx_poller_advance, for tests: a wait with
                                nothing ready returns 0 at once */
} plx_clock;

/* For plx_options.flags: an interrupted wait that has nothing to return gives -EINTR. */
#define PLX_RETURN_ON_SIGNAL 0x1u

/*
 * Where memory comes from. All three functions are needed; each gets the context.
 * They are called from any thread, also at the same time.
 */
typedef struct plx_allocator {
    void *(*allocate)(void *context, size_t size); /* NULL when there is no memory */
    void *(*reallocate)(void *context, void *pointer, size_t size);
    void (*release)(void *context, void *pointer);
    void *context;
} plx_allocator;

/* Zero means the default, for every field. */
typedef struct plx_options {
    plx_backend          backend;
    plx_clock            clock;
    uint32_t             flags;
    const plx_allocator *allocator; /* copied at open; NULL: malloc and friends */
} plx_options;

/* Totals since open, but for the last two, which are counts of now. */
typedef struct plx_stats {
    uint64_t waits;        /* calls of plx_poller_wait and _wait_until that returned */
    uint64_t events;       /* events returned by them */
    uint64_t kernel_calls; /* system calls made to wait, register, arm and wake */
    uint64_t wakes_sent;   /* wakes, posts, notifies, sends and signals that had to wake the kernel */
    uint64_t wakes_elided; /* those that needed no system call; a send to a channel that has its event
                              coming already is not counted */
    uint64_t registered;   /* descriptors registered now */
    uint64_t timers;       /* timers outstanding now */
} plx_stats;

/*
 * Opens a poller. io_uring is taken by name alone, never by AUTO.
 *
 * Returns  0 and the poller;
 *   -EINVAL   an unknown backend, clock or flag, or an allocator without all of
 *             its functions
 *   -ENOTSUP  the backend asked for (in the options, or by name in the environment
 *             variable PLX_BACKEND when the options say AUTO) or the clock is not to
 *             be had on this system (boot time needs Linux so far); another one is
 *             never taken in its place. Why io_uring is not to be had is said by
 *             plx_poller_describe of any poller
 *   -EMFILE   the process has no descriptor left, -ENFILE the system has none
 *   -ENOMEM
 * Lifetime  options and its allocator are copied; the allocator's context must
 *           outlive the poller and everything made from it.
 */
PLX_API int plx_poller_open(plx_poller **poller, const plx_options *options);

/*
 * Closes a poller. Its waits, in whatever thread, return -ECANCELED before this
 * returns. Its descriptors are closed, its registrations are gone, the registered
 * descriptors are left as they are. NULL is ignored.
 *
 * Threads   once, and not from two threads; nobody may use the poller afterwards. A
 *           thread that waits in a loop may be between two waits at that moment: let it
 *           hold the registry (plx_registry_retain), and its next wait returns -ECANCELED
 *           as well. Registries, wakers and so on that are still held stay valid: their
 *           calls return -PLX_ESHUTDOWN, and they are released in any order.
 * Portability  in a child made by fork() it frees the child's copy, and the parent's
 *           poller and its registrations stay as they are.
 */
PLX_API void plx_poller_close(plx_poller *poller);

/*
 * Waits until something is ready, the timeout has passed, or plx_notify was called.
 * Writes what is ready to events, from the start, at most capacity of them. What does
 * not fit comes with the next wait. A timeout of 0 returns what is ready now. The
 * array's other elements are scratch space.
 *
 * No kind of source (the kernel's readiness; due timers; all the rest) starves
 * another: with a capacity of 2 or more each that has something gets a place in every
 * wait, or with three of them and two places, in every second. Within a kind the sources
 * take turns; timers come in the order of their deadlines.
 *
 * Returns  the number of events; 0 when the time is up or a notify ended the wait;
 *   -EINVAL     capacity is below 1, events is NULL, or the timeout is negative and
 *               not PLX_FOREVER
 *   -EINTR      a signal handler ran and there is nothing to return; only with
 *               PLX_RETURN_ON_SIGNAL, otherwise the wait goes on with the time left. (With
 *               the poll backend, in the one thread that is in poll(2); not in those that
 *               wait for their turn.)
 *   -ECANCELED  the poller is being closed by another thread
 *   -ECHILD     after fork(), in the child
 *   -EDEADLK    on WASI, for ever with nothing registered and no timer: nobody could end it
 *   An error of the kernel's own wait (-EPERM from a sandbox) is returned as it is.
 * Threads  several may wait at once, up to 65,535. Each post, each wake, each edge and each oneshot
 *          event goes to one of them. A level event goes to every one that waits while
 *          the source is ready: threads that share sources register them oneshot. On
 *          io_uring an edge may come once more when a second thread begins to wait.
 * Units    timeout in nanoseconds, on the poller's clock; the poll backend rounds up to
 *          milliseconds, and so does iocp, which then waits for the next tick of the system's
 *          clock (up to 16 ms), unless the system has high-resolution timers (Windows 10 1803).
 */
PLX_API int plx_poller_wait(plx_poller *poller, plx_event *events, int capacity, plx_nanos timeout);

/*
 * Waits as plx_poller_wait does, until a point in time on the clock of plx_poller_now. One in
 * the past is due now.
 *
 * Returns  as plx_poller_wait.
 */
PLX_API int plx_poller_wait_until(plx_poller *poller, plx_event *events, int capacity, plx_nanos deadline);

/*
 * The poller's registry: the half that any thread may hold.
 *
 * Lifetime  borrowed; valid as long as the poller. plx_registry_retain makes it last.
 */
PLX_API plx_registry *plx_poller_registry(plx_poller *poller);

/*
 * A descriptor that is readable whenever a wait would return events, or would end for a
 * notify, so that a poller can be a source of another loop (poll, epoll, another poller).
 * Use it for that alone, and take what is ready with a timeout of 0: after a notify it may
 * be nothing. From the first call on, a wake that finds nobody waiting makes its system call too.
 *
 * Returns  the descriptor; -ENOTSUP where the backend has none (poll, iocp); -EMFILE, -ENFILE,
 *          -ENOSPC or -ENOMEM for the timers'; an error of the kernel's wake call, if there is
 *          something to return already.
 * Lifetime  it is the poller's: do not close it. Its number never changes. One thing
 *           ends an outer epoll's watch of it: a source that is closed while registered
 *           and lives on in a duplicate makes the library renew its kernel set (see
 *           plx_register), and the outer epoll must then be given the number again.
 * Portability  an event port may be readable for what was dealt with since it was last waited
 *           for: the next wait returns nothing, and ends that. Solaris has none (-ENOTSUP):
 *           only on illumos can timers make it readable.
 */
PLX_API int plx_poller_descriptor(plx_poller *poller);

/* The backend in use: "epoll", "io_uring", "kqueue", "event_ports", "poll" or "iocp". */
PLX_API const char *plx_poller_backend(const plx_poller *poller);

/* Whether all of these interests and modes work here, natively or emulated. */
PLX_API bool plx_poller_supports(const plx_poller *poller, uint32_t flags);

/* Writes the counters. Costs no system call; several threads' waits are all in it. */
PLX_API void plx_poller_stats(const plx_poller *poller, plx_stats *stats);

/*
 * Writes one line about the poller, as plx_event_describe does about an event.
 *
 * Returns  as plx_event_describe.
 */
PLX_API int plx_poller_describe(const plx_poller *poller, char *buffer, size_t size);

/* Now, on the poller's clock: what deadlines of waits and timers are measured on. */
PLX_API plx_nanos plx_poller_now(const plx_poller *poller);

/*
 * Moves a manual clock on. What comes due is returned by the next wait. The clock starts
 * at 0.
 *
 * Returns  0; -EINVAL `by` is negative, or the poller has another clock; -ECHILD.
 */
PLX_API int plx_poller_advance(plx_poller *poller, plx_nanos by);

/* Now, on the system's monotonic clock. Where it starts is the system's choice. */
PLX_API plx_nanos plx_now(void);

/*
 * One clear sentence for what a function of this library returned, such as -ENOENT.
 * 0 and counts are "Success.". The text is static.
 */
PLX_API const char *plx_strerror(int rc);

/* ---- The registry ---------------------------------------------------------- */

/*
 * Takes or drops a reference. A registry that is retained may outlive its poller.
 * release ignores NULL; retain returns its argument.
 */
PLX_API plx_registry *plx_registry_retain(plx_registry *registry);
PLX_API void plx_registry_release(plx_registry *registry);

/* A token that this poller has never returned before here: 1, 2, 3 and so on. */
PLX_API plx_token plx_registry_new_token(plx_registry *registry);

/*
 * Starts to watch a descriptor, with an interest (readiness flags, and a mode). An
 * interest of 0 keeps the registration and reports nothing. If the source is ready
 * already, an event follows, in every mode. It acts at once, also on a wait that is
 * blocked in another thread.
 *
 * A registration is of the open file, not of the number. Deregister before close. A
 * program that closes first corrupts nothing: the kernel forgets the registration with
 * the last duplicate of the file, the number can be registered again, and what an old
 * file still reports is never returned under a new registration. With epoll it may make
 * an edge of another source come once more.
 *
 * Returns  0;
 *   -EEXIST   it is registered already: plx_reregister changes it
 *   -EBADF    not an open descriptor
 *   -EPERM    a regular file, a directory or another thing that is always ready
 *   -EINVAL   unknown or contradictory flags, a token above PLX_TOKEN_MAX, or the
 *             poller's own descriptor
 *   -ENOTSUP  a mode that this backend does not have
 *   -ELOOP    pollers nested in a circle, or too deep
 *   -ENOSPC   the user's limit of epoll registrations (fs.epoll.max_user_watches), or of a
 *             port's objects (process.max-port-events)
 *   -ENOMEM, -PLX_ESHUTDOWN, -ECHILD
 * Portability
 *   io_uring     holds the file until it is deregistered: after a close without it the peer of
 *                a socket sees no end, and its events may still come. It knows files as poll
 *                does. An edge may tell of what was read before the wait. See
 *                docs/io_uring.md.
 *   poll         knows an open file by its device and inode numbers: after a close without
 *                deregister it cannot tell a new eventfd, or the same FIFO opened again,
 *                from the old one (-EEXIST until deregistered). A number that it finds
 *                closed it reports once, as PLX_ERROR. Where poll(2) has no POLLRDHUP it
 *                looks at stream sockets that are readable instead: PLX_READ_CLOSED comes
 *                once what is before the end was read, and alone it is -ENOTSUP.
 *   kqueue       PLX_PRIORITY is -ENOTSUP on FreeBSD and NetBSD. A second register of an
 *                edge-triggered registration, refused with -EEXIST, may make an event. A
 *                socket that shut its own writing half has PLX_WRITE_CLOSED. An error that a
 *                datagram socket has pending (ICMP) makes it readable and writable, and is
 *                no PLX_ERROR. macOS does not tell that the other side of a FIFO (mkfifo) is
 *                gone, and FreeBSD tells its writer only with PLX_WRITABLE.
 *   event ports  forget a registration with its number, also while a duplicate of the file
 *                lives.
 *   Windows      WSAStartup is the program's; until then a socket is -EPERM. A socket is known
 *                by its addresses: one that was bound or connected since may be registered
 *                a second time, in place of the first; after a close without deregister one
 *                bound to the same address under the same number passes for the old one;
 *                and a stale registration that is ready may speak for an unregistered
 *                socket that got its number. PLX_READ_CLOSED may come once what is before
 *                the end was read; what this end shut down itself is not told.
 *   WASI         has no PLX_PRIORITY (-ENOTSUP), and hears nothing of a descriptor that is
 *                awaited neither to be readable nor writable.
 */
PLX_API int plx_register(plx_registry *registry, plx_fd fd, plx_token token, uint32_t interest);

/*
 * Replaces token, interest and mode, and arms a oneshot again. If the source is ready
 * at that moment, an event follows, in every mode.
 *
 * Returns  0; -ENOENT it is not registered (open or not, or the number was closed and
 *          is another file now); -EBADF it was registered and is closed; else as
 *          plx_register.
 * Portability  io_uring asks nothing of the kernel when a oneshot that has reported is armed
 *          again as it was, from its second time on: if its number was closed by then, the
 *          next wait says so with PLX_ERROR, or nothing does if it is another file.
 */
PLX_API int plx_reregister(plx_registry *registry, plx_fd fd, plx_token token, uint32_t interest);

/*
 * Stops watching. No wait that begins after this returns gives an event of it, and the
 * library holds no reference to the file any more; where it has to close the ring of
 * io_uring while that one's thread runs, the kernel holds it for a moment. It never waits
 * for other threads' code; on the poll backend it waits for a blocked poll(2) to be
 * interrupted.
 *
 * Returns  0, also if the descriptor was closed in the meantime; -ENOENT it is not
 *          registered; -PLX_ESHUTDOWN, -ECHILD.
 */
PLX_API int plx_deregister(plx_registry *registry, plx_fd fd);

/*
 * Adds to, or takes from, the interest. Token and mode stay. enable arms a oneshot
 * again, disable does not. Both take readiness flags alone.
 *
 * Returns  0, also if nothing changes, and then the kernel was not asked; -EINVAL a mode
 *          bit among the flags, or a native registration; else as plx_reregister.
 */
PLX_API int plx_enable(plx_registry *registry, plx_fd fd, uint32_t interest);
PLX_API int plx_disable(plx_registry *registry, plx_fd fd, uint32_t interest);

/*
 * What a descriptor is registered with; token and interest may be NULL. The interest is
 * the one given, modes included; of a native registration, the kernel's flags.
 *
 * Returns  0; -ENOENT it is not registered; -PLX_ESHUTDOWN, -ECHILD.
 */
PLX_API int plx_lookup(plx_registry *registry, plx_fd fd, plx_token *token, uint32_t *interest);

/*
 * As plx_register and plx_reregister, with the kernel's own flags: EPOLL* with epoll and
 * io_uring. The event's native field has what the kernel reported, its flags the translation.
 *
 * Returns  as plx_register and plx_reregister; -ENOTSUP with other backends; -EINVAL if
 *          the kernel refuses the flags.
 */
PLX_API int plx_register_native(plx_registry *registry, plx_fd fd, plx_token token, uint32_t native);
PLX_API int plx_reregister_native(plx_registry *registry, plx_fd fd, plx_token token, uint32_t native);

#ifdef _WIN32
/*
 * As plx_register and plx_deregister, with a handle that can be waited for: an event, a
 * process, a thread, a semaphore, a waitable timer, a console's input. It is PLX_READABLE
 * when it is signalled, and nothing else; the wait for it takes the signal of what resets
 * itself (an auto-reset event, one count of a semaphore; not for a mutex, which would be
 * owned by another thread). All functions for descriptors take such a handle, cast to
 * plx_fd, as well. The poller holds a duplicate until it is deregistered.
 *
 * Returns  as plx_register and plx_deregister; -EPERM what cannot be waited for, files, pipes
 *          and NUL among it.
 */
PLX_API int plx_register_handle(plx_registry *registry, void *handle, plx_token token, uint32_t interest);
PLX_API int plx_deregister_handle(plx_registry *registry, void *handle);
#endif

/*
 * Makes the current wait, or the next one, return, with no event for it. Several before
 * a wait returns count as one; the next wait that returns uses it up, with events or
 * without.
 *
 * Returns  0; -PLX_ESHUTDOWN, -ECHILD; an error of the kernel's wake call, and then
 *          nothing was notified.
 */
PLX_API int plx_notify(plx_registry *registry);

/*
 * Queues an event: one per call, in order, never merged. It is returned with PLX_POST,
 * the token and the data. No system call if the poller is awake, or already woken.
 *
 * Returns  0; -EINVAL a token above PLX_TOKEN_MAX; -ENOMEM; -PLX_ESHUTDOWN, -ECHILD; an
 *          error of the kernel's wake call, and then nothing was posted.
 */
PLX_API int plx_post(plx_registry *registry, plx_token token, uint64_t data);

/* ---- Wakers ---------------------------------------------------------------- */

/*
 * A waker reports PLX_WAKER with its token after it was woken. Any number of them costs
 * no descriptor. It is made with one reference.
 *
 * Returns  0 and the waker; -EINVAL a token above PLX_TOKEN_MAX; -ENOMEM;
 *          -PLX_ESHUTDOWN, -ECHILD.
 * Lifetime  may outlive its poller.
 */
PLX_API int plx_waker_open(plx_registry *registry, plx_token token, plx_waker **waker);

/*
 * Makes the waker's event. Any number of wakes before a wait make one. What a thread
 * wrote before it woke is visible to the thread that gets the event. No system call if
 * the poller is awake, or already woken.
 *
 * Returns  0; -PLX_ESHUTDOWN, -ECHILD; an error of the kernel's wake call, and then the
 *          event is kept and comes with a later wait, or at once with the next wake.
 */
PLX_API int plx_waker_wake(plx_waker *waker);

/*
 * Takes or drops a reference. Once the last is gone, no wait that begins later returns
 * an event of the waker. release ignores NULL; retain returns its argument.
 */
PLX_API plx_waker *plx_waker_retain(plx_waker *waker);
PLX_API void plx_waker_release(plx_waker *waker);

/* ---- Timers ---------------------------------------------------------------- */

/*
 * A timer reports PLX_TIMER with its token when it is due, with the number of expirations
 * since its last report as data (1, or more when waits came late). Any number of timers
 * costs no descriptor, and some tens of nanoseconds each to start, restart or cancel. The
 * handle is a plain value: never 0, never given out twice by a poller.
 */
typedef uint64_t plx_timer;

/*
 * Starts a timer that is due `first` after this call, and then every `interval`, which
 * keeps its phase: a late report does not shift the next. An interval of 0 fires once; the
 * timer is gone once its event is returned. A `first` of PLX_FOREVER is never due, until a
 * restart. plx_timer_start_at takes a deadline on the clock of plx_poller_now instead; one
 * in the past is due now.
 *
 * Returns  0 and the handle;
 *   -EINVAL  `first` is negative and not PLX_FOREVER, `interval` is negative, or a token
 *            above PLX_TOKEN_MAX
 *   -ENOMEM, -PLX_ESHUTDOWN, -ECHILD
 *   An error of the kernel's wake call, and then nothing was started.
 * Units    nanoseconds, on the poller's clock. Never early; a deadline beyond 292 years never
 *          comes. Linux may be late by its slack for timeouts, 50 microseconds unless a
 *          thread asks for less (PR_SET_TIMERSLACK).
 */
PLX_API int plx_timer_start(plx_registry *registry, plx_token token, plx_nanos first, plx_nanos interval,
                            plx_timer *timer);
PLX_API int plx_timer_start_at(plx_registry *registry, plx_token token, plx_nanos deadline, plx_nanos interval,
                               plx_timer *timer);

/*
 * Gives a timer a new time, counted from this call, and a new interval. Expirations that
 * were not reported yet are forgotten. Where it may have fired its last, cancel it instead,
 * whatever that returns, and start another.
 *
 * Returns  0; -ENOENT it has fired its last, or was cancelled; else as plx_timer_start, and
 *          then the timer is as it was.
 */
PLX_API int plx_timer_restart(plx_registry *registry, plx_timer timer, plx_nanos first, plx_nanos interval);

/*
 * Ends a timer. No wait that begins after this returned 0 gives an event of it, also if it
 * was due already.
 *
 * Returns  0; -ENOENT it came too late: the timer has fired its last, or was cancelled;
 *          -PLX_ESHUTDOWN, -ECHILD.
 */
PLX_API int plx_timer_cancel(plx_registry *registry, plx_timer timer);

/* ---- Channels -------------------------------------------------------------- */

/*
 * A channel: many senders in any threads, and one receiver that wakes the poller. A message
 * is copied in and out, `size` bytes; a size of 0 counts. Messages of one sender arrive in
 * their order. A channel costs no descriptor, and a send makes no system call if the poller
 * is awake, or already woken.
 *
 * The receiver reports PLX_CHANNEL with its token, with each wait for as long as messages
 * are left. The last sender's release makes an event with PLX_READ_CLOSED in it, also when
 * messages are left, and once: whoever has seen it takes what is left until -EPIPE. (A
 * message that is being sent may have its event a moment before it can be received; recv
 * then gives -EAGAIN, and another event follows.)
 */
typedef struct plx_sender   plx_sender;
typedef struct plx_receiver plx_receiver;

/*
 * Opens a channel that always takes another message, or one that holds `bound` of them at
 * most. A bound of 0 is a rendezvous: a send returns once its message was taken. The sender
 * is made with one reference.
 *
 * Returns  0, the sender and the receiver; -EINVAL a token above PLX_TOKEN_MAX, or a size
 *          that no memory could hold; -ENOMEM; -PLX_ESHUTDOWN, -ECHILD.
 * Lifetime  both may outlive the poller: what was sent can still be received.
 * Units    size in bytes, bound in messages. Memory is taken as messages come, in blocks,
 *          which are used again.
 * Portability  on Linux the first channel of a process that has several threads takes some ten
 *          milliseconds to open, while the kernel prepares membarrier(2) for all of them.
 */
PLX_API int plx_channel_open(plx_registry *registry, plx_token token, size_t size, plx_sender **sender,
                             plx_receiver **receiver);
PLX_API int plx_channel_open_bounded(plx_registry *registry, plx_token token, size_t size, size_t bound,
                                     plx_sender **sender, plx_receiver **receiver);

/*
 * Sends a message. Where a bounded channel is full, send waits for room, try_send gives
 * -EAGAIN, and send_until waits until the deadline; a send that finds room succeeds whatever
 * its deadline. A rendezvous never has room: its message is handed over while the sender
 * waits. Room goes to the senders in the order in which they began to wait. (A thread that
 * waits for room in a channel that it receives from itself waits for ever; where there is
 * one thread, on WASI, that is -EDEADLK.)
 *
 * Returns  0; -EINVAL; -EAGAIN, -ETIMEDOUT as above; -EPIPE the receiver is closed, also
 *          while the send waited; -ENOMEM; -PLX_ESHUTDOWN the poller is closed, also while
 *          the send waited; -ECHILD. A message whose send failed is never received. If the
 *          kernel's wake call fails, the message is sent all the same: its event comes with a
 *          later wait, or at once with the next send, which tries the call again.
 * Threads   any number may use one sender at the same time. What a thread wrote before it
 *          sent is visible to the thread that receives the message. Where the channel is not
 *          full, a send waits for nobody.
 * Units    the deadline is on the clock of plx_now; PLX_FOREVER never comes.
 */
PLX_API int plx_sender_send(plx_sender *sender, const void *message);
PLX_API int plx_sender_try_send(plx_sender *sender, const void *message);
PLX_API int plx_sender_send_until(plx_sender *sender, const void *message, plx_nanos deadline);

/* Takes or drops a reference. release ignores NULL; retain returns its argument. */
PLX_API plx_sender *plx_sender_retain(plx_sender *sender);
PLX_API void plx_sender_release(plx_sender *sender);

/*
 * Takes the oldest message, or up to `count` of them, one behind the other. Neither waits.
 *
 * Returns  recv 0, recv_many how many were taken; -EAGAIN there is none; -EPIPE there is none
 *          and every sender is gone; -EINVAL, also for a count of 0; -ECHILD.
 * Threads   one at a time, any thread, also while others wait.
 */
PLX_API int plx_receiver_recv(plx_receiver *receiver, void *message);
PLX_API int plx_receiver_recv_many(plx_receiver *receiver, void *messages, size_t count);

/*
 * Ends a channel: unread messages are dropped, senders get -EPIPE, those that wait too, and
 * no wait that begins later returns its event. NULL is ignored.
 */
PLX_API void plx_receiver_close(plx_receiver *receiver);

/* ---- Signals --------------------------------------------------------------- */

/*
 * Watched signals become events:
 *
 *     int numbers[] = {SIGINT, SIGTERM};
 *     plx_signals *signals;
 *     int rc = plx_signals_open(registry, 7, numbers, 2, &signals);
 *     ...
 *     plx_signal_info info;
 *     while (plx_signals_next(signals, &info) == 0)
 *         printf("signal %d from process %lld\n", info.number, (long long)info.pid);
 *
 * A handler of the library's, shared by the whole process, records and wakes. No thread has
 * to block anything; one that blocks a signal keeps it blocked. While a number is watched
 * its default action does not happen. A handler that the program had installed before is
 * still called, after the recording, with the mask it asked for; system calls that are
 * interrupted are restarted (SA_RESTART), also those that it meant to interrupt.
 */
typedef struct plx_signal_info {
    int      number;
    int      code;   /* si_code, as the system has it: SI_USER, SI_QUEUE, CLD_EXITED ... */
    int64_t  pid;    /* who sent it, or the child of a SIGCHLD; 0 where the system does not say */
    uint32_t uid;    /* and whose process that is */
    int      status; /* SIGCHLD: the child's exit status or signal; sigqueue, timer_create, mq_notify:
                        the int of the value; otherwise 0 */
} plx_signal_info;

/*
 * Starts to watch signals. For as long as one is unread, each wait returns PLX_SIGNAL with
 * the token, and the number of the oldest as data. Several objects, of one poller or of
 * several, may watch the same number: each is told. A number that is listed twice counts once.
 * An object takes some 38 KiB, for what may come unread.
 *
 * Returns  0 and the object;
 *   -EINVAL   count is below 1, a token above PLX_TOKEN_MAX, or a number that is no signal,
 *             cannot be caught (SIGKILL, SIGSTOP), or is what the program's own faults raise
 *             (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP: a handler that returns from one meets
 *             it again)
 *   -ENOTSUP  this machine's 64-bit atomics take a lock, which a handler must not; or WASI,
 *             which has no signals
 *   -ENOMEM, -PLX_ESHUTDOWN, -ECHILD
 * Lifetime  may outlive its poller; what was recorded before plx_poller_close can still be
 *           read.
 * Portability  a handler that the program installs over the library's while a number is
 *           watched takes the signals for itself. It can pass them on with all three
 *           arguments, as sa_sigaction is given them. After fork() the child acts as if
 *           nothing were watched: the action from before, default or handler, happens.
 *           On Windows they are events of the console: SIGINT (Ctrl+C), SIGBREAK (Ctrl+Break) and
 *           SIGTERM (the console is closed, the user logs off, the system shuts down); any other
 *           number is -EINVAL, and raise() is the C library's own affair. `code` is the event as
 *           Windows counts them. Handlers of the program's are not called while a number is
 *           watched. After SIGTERM the system ends the process in a few seconds, whatever it does
 *           (5 for a closed console): it is the time to leave in order.
 */
PLX_API int plx_signals_open(plx_registry *registry, plx_token token, const int *numbers, int count,
                             plx_signals **signals);

/*
 * Takes the oldest unread signal. 1,024 are kept, each with its sender and in the order of
 * their coming; beyond that those of one number merge into one, which stands where the first
 * of them would.
 *
 * Returns  0; -EAGAIN nothing is unread; -ECHILD.
 */
PLX_API int plx_signals_next(plx_signals *signals, plx_signal_info *info);

/*
 * Ends the watching; unread signals are dropped, and no wait that begins later returns its event. With
 * the last object that watches a number the action from before is put back, unless the program
 * has installed another over the library's meanwhile: then that one stays. NULL is ignored.
 */
PLX_API void plx_signals_close(plx_signals *signals);

/* ---- Processes ------------------------------------------------------------- */

/* A process number; on Windows a DWORD. */
#ifdef _WIN32
typedef unsigned long plx_pid;
#else
typedef pid_t plx_pid;
#endif

/* How a process ended: killed by a signal, or with signal 0 it exited with a code. */
typedef struct plx_exit {
    int code;
    int signal;
} plx_exit;

/*
 * Starts to watch a process, a child or any other. Its end makes one PLX_PROCESS event, at
 * once if it is over already. Several objects may watch the same process: each is told. The
 * library waits for nobody but the process named, and reaps it in plx_process_status alone:
 * what the program does not ask for stays for its own waitpid().
 *
 * Returns  0 and the object;
 *   -EINVAL  pid is not above 0, or a token above PLX_TOKEN_MAX
 *   -ESRCH   there is no such process, or it is the number of a thread
 *   -EMFILE  the process has no descriptor left, -ENFILE the system has none
 *   -ENOSPC  the user's limit of epoll registrations (fs.epoll.max_user_watches)
 *   -ENOTSUP WASI, which has no processes
 *   -ENOMEM, -PLX_ESHUTDOWN, -ECHILD (as everywhere)
 *   Without a descriptor, an error of the system's own call (-EPERM from a sandbox).
 * Lifetime  may outlive its poller.
 * Portability  on Linux each object costs a descriptor (pidfd), and with kqueue (EVFILT_PROC),
 *           where an end that nobody looked at is not known any more once the number is
 *           another child's. Elsewhere, and where a sandbox
 *           denies that, children are looked at after each SIGCHLD, which is then watched as
 *           by plx_signals_open, and all of them every 100 ms on the poller's clock: the end of
 *           a process that is not a child is noticed that late, once its parent has waited
 *           for it, and not if its number is given to a new process in between.
 *           On Windows each object costs a handle, which keeps the number from being used again.
 *           Any process tells its exit code, a child or not; `signal` is 0, and the code is what
 *           TerminateProcess was given, or the exception's. One that may be waited for, and not
 *           asked, has -ECHILD for a status; one that may not even be waited for is -EACCES.
 */
PLX_API int plx_process_open(plx_registry *registry, plx_token token, plx_pid pid, plx_process **process);

/*
 * How the process ended. Reaps a child: no zombie is left. Once known, the answer stays the
 * same, and all objects that watch the process have it.
 *
 * Returns  0;
 *   -EAGAIN  it runs
 *   -ECHILD  it has ended and how is not ours to know: it is no child, somebody else waited
 *            for it first, or SIGCHLD is ignored; also after fork(), in the child
 *   -PLX_ESHUTDOWN  it ran when the poller was closed
 *   An error of the system's own call (-EPERM from a sandbox) is returned as it is.
 */
PLX_API int plx_process_status(plx_process *process, plx_exit *status);

/*
 * Stops watching; the process is left alone, and so is a zombie whose status nobody asked
 * for. No wait that begins later returns its event. NULL is ignored.
 */
PLX_API void plx_process_close(plx_process *process);

/* ---- Paths ----------------------------------------------------------------- */

/*
 * An object that watches files and folders reports PLX_PATH with its token, with each wait
 * for as long as plx_paths_next has something to tell:
 *
 *     plx_paths_open(registry, 7, &paths);
 *     plx_paths_add(paths, "conf", PLX_PATH_CREATED | PLX_PATH_MODIFIED | PLX_PATH_RECURSIVE, &watch);
 *     ... an event with token 7:
 *     plx_path_change change;
 *     while (plx_paths_next(paths, &change) == 0)
 *         printf("%d: %s%s\n", change.watch, change.name, change.changes & PLX_PATH_OVERFLOW ? " look again" : "");
 *
 * It costs one descriptor, whatever the number of watches.
 */
typedef struct plx_paths plx_paths;

/* What can be asked for, and is told, one a change. Of a folder: of what is directly in it. */
#define PLX_PATH_CREATED      0x00000001u /* made, or found in a folder that is new itself */
#define PLX_PATH_DELETED      0x00000002u
#define PLX_PATH_MODIFIED     0x00000004u /* contents or size */
#define PLX_PATH_MOVED_FROM   0x00000008u /* had this name; it has another now, or is outside */
#define PLX_PATH_MOVED_TO     0x00000010u /* has this name now, in place of what may have had it */
#define PLX_PATH_ATTRIBUTES   0x00000020u /* permissions, owner, times, links */
#define PLX_PATH_CLOSED_WRITE 0x00000040u /* closed by somebody who could write */
#define PLX_PATH_SELF_GONE    0x00000080u /* the path itself was deleted, moved or replaced: the watch is over */

/* Told unasked, with watch -1: changes were lost, look again at all that is watched. */
#define PLX_PATH_OVERFLOW 0x00000100u

/* With the others: all folders below as well, those to come included. Nothing more of a file. */
#define PLX_PATH_RECURSIVE 0x80000000u

/* One change, as plx_paths_next gives it. */
typedef struct plx_path_change {
    int         watch;   /* the number that plx_paths_add gave, or -1 */
    uint32_t    changes; /* one of the above */
    uint32_t    cookie;  /* the same, and not 0, in both halves of a rename; else 0 */
    const char *name;    /* relative to the watched path, "" for the path itself; any bytes but NUL;
                            valid until the next plx_paths_next or plx_paths_close */
} plx_path_change;

/*
 * Opens an object that watches nothing yet.
 *
 * Returns  0 and the object; -EINVAL a token above PLX_TOKEN_MAX;
 *   -EMFILE   no descriptor left, or the user's limit of inotify objects is reached
 *             (fs.inotify.max_user_instances); -ENFILE the system has none
 *   -ENOTSUP  the system, or a sandbox, does not have inotify
 *   -ENOMEM, -PLX_ESHUTDOWN, -ECHILD
 *   An error of plx_register.
 * Lifetime  until plx_paths_close; may outlive its poller.
 */
PLX_API int plx_paths_open(plx_registry *registry, plx_token token, plx_paths **paths);

/*
 * Watches a path for these changes from now on. Each add has a number of its own (1, 2, 3
 * and so on) and each is told, also if two are of one path, or one is inside the other. A
 * path that is a symbolic link is followed; links inside a folder are not.
 *
 * A recursive watch loses nothing of a folder that is made, or moved in: what is found in it
 * is told as PLX_PATH_CREATED (if that was asked for), once, though the order among them may
 * not be the order of their making. A folder that is moved within the tree is told as moved,
 * what is in it goes along; of a folder moved out nothing more is told.
 *
 * PLX_PATH_SELF_GONE: the name was deleted or moved away, or is another file now (an
 * editor's save by rename), also if other hard links or open descriptors keep the file.
 * Nothing more is told of that watch, asked for this change or not; its number stays until
 * plx_paths_remove. Moving a folder above the path is not noticed; then new folders of a tree
 * cannot be found, and each of them is an overflow.
 *
 * PLX_PATH_OVERFLOW is told when the kernel's queue was full
 * (fs.inotify.max_queued_events), and when a new folder of a recursive tree could not be
 * watched (a limit below, no permission, no memory, a path too long). All watches go on;
 * the library looks for folders that came meanwhile before it tells, and where it met a
 * limit again after later changes; once it has them all it tells so once more. A program
 * that looks again after each of them has missed nothing.
 *
 * Returns  0 and the number;
 *   -EINVAL   no change among `changes`, or an unknown one
 *   -ENOENT   there is no such path; -ENOTDIR, -ELOOP, -ENAMETOOLONG, -EACCES as the
 *             system says of a path; -EACCES also a folder that cannot be read, of a
 *             recursive watch anywhere in its tree
 *   -ENOSPC   the user's limit of inotify watches (fs.inotify.max_user_watches): one a
 *             folder, and one of the folder above for PLX_PATH_SELF_GONE
 *   -ENOTSUP  a change that this system cannot see
 *   -EMFILE, -ENFILE  no descriptor left to look through folders with, of a recursive watch
 *   -ENOMEM, -PLX_ESHUTDOWN, -ECHILD
 *   An error leaves nothing watched.
 * Threads  any, also while others wait or call plx_paths_next; it holds the object's lock
 *          for as long as it takes to look through a tree.
 * Portability  where the system has nothing better the library compares listings once a
 *          second: PLX_PATH_CLOSED_WRITE is -ENOTSUP, what came and went in between is not
 *          seen, each waiting program pays for the looking, and `cookie` pairs names of one
 *          inode. With kqueue (EVFILT_VNODE) it compares at once when something has changed:
 *          each watched folder costs a descriptor, and each file where PLX_PATH_MODIFIED or
 *          PLX_PATH_ATTRIBUTES is asked for; of those that it cannot have, or not open, it
 *          looks once a second.
 *          On Windows (ReadDirectoryChangesW) paths are UTF-8, with '/' or '\\' (-EINVAL: it is
 *          none), of any case and up to 4,095 bytes; names are told with '/'. PLX_PATH_CLOSED_WRITE
 *          is -ENOTSUP, and so is a volume that does not tell of changes. A move from one folder
 *          to another is a deletion and a creation; a change is told under the name that it was
 *          made by, not under other hard links; setting the time of the last write counts as
 *          PLX_PATH_MODIFIED, and one write may be told twice. Changes are in order within a watch,
 *          and each watch has its own queue, of 64 KiB, and up to three handles. A folder above a
 *          path that is watched cannot be renamed.
 */
PLX_API int plx_paths_add(plx_paths *paths, const char *path, uint32_t changes, int *watch);

/*
 * Ends a watch. No plx_paths_next that begins after this returned tells a change of it. The
 * number is not used again.
 *
 * Returns  0, also for a watch that is over (PLX_PATH_SELF_GONE); -ENOENT there is no such
 *          number; -PLX_ESHUTDOWN, -ECHILD.
 */
PLX_API int plx_paths_remove(plx_paths *paths, int watch);

/*
 * Takes the next change, oldest first.
 *
 * Returns  0 and a change; -EAGAIN there is none now: an event follows when there is. A
 *          recursive watch may make an event that ends in -EAGAIN here, because the library
 *          had a new folder to look into, and where listings are compared any watch may;
 *   -PLX_ESHUTDOWN  the poller was closed, and what had been read is used up
 *   -ECHILD
 *   An error of the system's read.
 * Threads  one at a time, any thread: the name is shared.
 */
PLX_API int plx_paths_next(plx_paths *paths, plx_path_change *change);

/*
 * Closes the object and ends its watches. No wait that begins after this returns an event of
 * it. NULL is ignored. In a child made by fork() it frees the child's copy.
 *
 * Threads  once; nobody may use the object afterwards.
 */
PLX_API void plx_paths_close(plx_paths *paths);

#ifdef __cplusplus
}
#endif

#endif
