/* SPDX-License-Identifier: MIT */
/*
 * What the conformance cases stand on: the poller under test, expectations about its next
 * wait, and small portable names for sockets, threads and children. The system's own calls
 * are in support.c and sockets.c, those of Windows in *_win32.c, so that most cases need no header but this one.
 *
 * A case is a function in a file of its theme, and a line in cases.txt:
 *
 *     CASE(double_register_is_eexist)
 *     {
 *         ...
 *     }
 *
 * CASE enters it into the executable's list before main runs. cases.txt is what the build
 * reads; `conform --check cases.txt` fails if the two differ in either direction.
 */
#ifndef CONFORM_SUPPORT_H
#define CONFORM_SUPPORT_H

#include "../check.h"

#include <stdatomic.h>
#include <string.h>

/* ---- Cases ------------------------------------------------------------------ */

typedef struct conform_case {
    const char *name;
    void (*run)(void);
    struct conform_case *next;
} conform_case;

extern conform_case *conform_cases; /* all of them, by name */
void conform_enter(conform_case *entry);
conform_case *conform_find(const char *name);

#define CASE(name)                                                                     \
    static void name(void);                                                            \
    __attribute__((constructor)) static void name##_enter(void)                        \
    {                                                                                  \
        static conform_case entry = {#name, name, NULL};                               \
        conform_enter(&entry);                                                         \
    }                                                                                  \
    static void name(void)

/* ---- The poller under test -------------------------------------------------- */

extern const char *conform_backend; /* its name, from the command line */
void conform_need_backend(void); /* a backend that this system lacks is no failure of a case */

plx_backend backend_id(void);
bool backend_is(const char *name);

plx_poller *open_poller(void);                    /* default options, or the case fails */
plx_poller *open_with(const plx_options *options); /* their backend is replaced */
plx_fd descriptor_of(plx_poller *poller);         /* skips the case where the backend has none */

/* How often a case repeats itself: usual, or what CONFORM_ROUNDS says. */
int rounds(int usual);

/* ---- Expectations ------------------------------------------------------------ */

/* Longer than any healthy wait takes, short enough for the test's own time limit. */
#define PATIENCE PLX_SEC(20)

/* The next wait returns one event, with this token and exactly these flags. */
#define EXPECT(poller, token, flags)                                                   \
    expect_at(__FILE__, __LINE__, check_noted(), poller, token, flags, 0)

/* The same; the flags in allowed may be there or not. */
#define EXPECT_WITH(poller, token, flags, allowed)                                     \
    expect_at(__FILE__, __LINE__, check_noted(), poller, token, flags, allowed)

/* Nothing is ready, twice in a row, and for as long as given. */
#define EXPECT_SILENCE(poller, time)                                                   \
    expect_silence_at(__FILE__, __LINE__, check_noted(), poller, time)

/* The same, and that the wait sleeps: a handful of kernel calls, whatever the kernel reports. */
#define EXPECT_REST(poller, time)                                                      \
    expect_rest_at(__FILE__, __LINE__, check_noted(), poller, time)

plx_event expect_at(const char *file, int line, const char *note, plx_poller *poller,
                    plx_token token, uint32_t flags, uint32_t allowed);
void expect_silence_at(const char *file, int line, const char *note, plx_poller *poller,
                       plx_nanos time);

void expect_rest_at(const char *file, int line, const char *note, plx_poller *poller,
                    plx_nanos time);

plx_stats stats_of(const plx_poller *poller);

/* ---- Descriptors -------------------------------------------------------------- */

#define NO_FD ((plx_fd)-1)

/* All are non-blocking. Of a pipe, ends[0] is read and ends[1] is written. */
void open_stream(plx_fd ends[2]);
void open_stream_as(plx_fd number, plx_fd ends[2]); /* ends[0] has this number, which is free */
void open_tcp(plx_fd ends[2]);
void open_pipe(plx_fd ends[2]);
void open_datagrams(plx_fd ends[2]);        /* connected with each other, on the loopback */
bool streams_are_tcp(void);                 /* for want of a socketpair */
uint32_t behind_data(void);                 /* what may be told only once all data was read */
bool pipes_can_be_watched(void);

plx_fd open_listener(void);                 /* TCP, on a free port of the loopback */
plx_fd open_client(plx_fd listener);        /* starts to connect, does not wait for it */
plx_fd open_refused(void);                  /* starts to connect where nobody listens */
plx_fd accept_client(plx_fd listener);      /* NO_FD: nobody is there */
plx_fd open_dev_null(void);
plx_fd open_regular_file(void);
plx_fd open_directory(void);

void close_fd(plx_fd fd);
void close_pair(const plx_fd ends[2]);
void reset_fd(plx_fd fd);                   /* closes a TCP socket with a reset */
plx_fd dup_fd(plx_fd fd);
void move_onto(plx_fd fd, plx_fd number);   /* or the case is skipped: this number is not to be had */
bool dup_onto(plx_fd fd, plx_fd number);    /* false: this number is not to be had; the old file is closed */
int pending_error(plx_fd fd);               /* SO_ERROR, which this clears */

void put(plx_fd fd, size_t bytes);          /* all of them, or the case fails */
void put_nothing(plx_fd fd);                /* a datagram without bytes */
void put_urgent(plx_fd fd);                 /* one byte out of band */
size_t fill(plx_fd fd);                     /* writes until it would block */
size_t drain(plx_fd fd);                    /* reads until it would block, or the end */
bool at_end(plx_fd fd);                     /* a read gives end of file, now */

enum { SHUT_IN, SHUT_OUT, SHUT_BOTH };
void shut(plx_fd fd, int how);

/* Waits, without the library, until the system itself says so. */
enum { READY_IN = 1, READY_OUT = 2, READY_URGENT = 4, READY_HANGUP = 8 };
void await_ready(plx_fd fd, int what);
bool is_readable(plx_fd fd);                /* now, to poll(2) */
bool is_readable_within(plx_fd fd, plx_nanos time); /* sleeps until then at the most */

int descriptors_open(void);                 /* -1: this system does not tell */
bool descriptor_is_open(plx_fd fd);
bool descriptor_closes_on_exec(plx_fd fd);
int descriptor_flags(plx_fd fd);
bool descriptors_allow(int count);          /* raises the soft limit if need be */
void descriptors_limit(int count);          /* lowers it: no number from count up */

/* A registered socket that was closed, and whose open file lives on in a duplicate. */
typedef struct ghost {
    plx_fd number; /* free again */
    plx_fd copy, peer;
} ghost;

ghost make_ghost(plx_registry *registry, plx_token token, uint32_t interest);
void end_ghost(const ghost *self);

/* ---- What most cases begin with: a poller, and two connected ends ---------------- */

typedef struct fixture {
    plx_poller   *poller;
    plx_registry *registry;
    plx_fd        fd, peer;
} fixture;

fixture fixture_open(void); /* the ends of a stream */
fixture fixture_open_on(void (*open)(plx_fd ends[2]));
void fixture_close(fixture *f); /* a peer that the case has closed is NO_FD */

/* ---- Threads ------------------------------------------------------------------ */

typedef struct test_thread test_thread;

test_thread *thread_start(void (*body)(void *), void *argument);
void thread_join(test_thread *thread);      /* frees it */
void thread_await_asleep(test_thread *thread);
bool threads_can_be_interrupted(void);
void thread_interrupt(test_thread *thread); /* runs a signal handler in it, without SA_RESTART */
int interrupts_handled(void);
void thread_signal(test_thread *thread, int number);
void sleep_for(plx_nanos time);
void await_count(atomic_int *count, int least);

/* A thread that waits once. */
typedef struct waiter {
    plx_poller  *poller;
    int          capacity; /* at most 64; 0 counts as 64 */
    plx_nanos    timeout;
    plx_event    events[64];
    int          rc;
    atomic_int   done;
    test_thread *thread;
} waiter;

void waiter_start(waiter *self, plx_poller *poller, int capacity, plx_nanos timeout);
void waiter_start_asleep(waiter *self, plx_poller *poller); /* returns once it is blocked, for ever */
int waiter_join(waiter *self);                              /* what the wait returned */

/* ---- Children ------------------------------------------------------------------ */

/* Runs body in a child of fork, which then exits at once; the status it ended with. */
int in_child(void (*body)(void *), void *argument);

/* Some of what a case does on purpose is a bug in the eyes of a sanitizer. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER true
#endif
#endif
#ifndef UNDER_THREAD_SANITIZER
#define UNDER_THREAD_SANITIZER false
#endif

/* With any that makes a fork slow. */
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER true
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER UNDER_THREAD_SANITIZER
#endif

void set_variable(const char *name, const char *value); /* NULL removes it */

/* ---- Memory --------------------------------------------------------------------- */

/* Counts, refuses on demand, and knows what it did not hand out itself. */
typedef struct counting {
    plx_allocator allocator;
    atomic_long   live;    /* blocks handed out and not released */
    atomic_long   calls;   /* allocations so far, refused ones included */
    atomic_long   refuse;  /* the call of this number is refused; 0: none is */
} counting;

void counting_init(counting *memory);
void counting_refuse(counting *memory, long nth); /* the nth call from now; 0 stops it */
plx_poller *open_counting(counting *memory);

void *reserve_room(size_t size); /* address space that costs no memory until it is used; NULL */
long heap_in_use(void); /* bytes of the C library's heap; -1: it does not tell */

#endif
