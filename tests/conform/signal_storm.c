/* SPDX-License-Identifier: MIT */
/* Signals by the million, into threads that are anywhere inside the library. */
#include "os/config.h"

#include "support.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
#include "signals.h"

#include <sched.h>

#ifdef SIGRTMIN

enum { SENDERS = 2 };

/* How often the handler from before was called: once for each signal that was delivered. */
static atomic_long delivered[2];

static void count_delivered(int number)
{
    atomic_fetch_add(&delivered[number == SIGUSR1 ? 0 : 1], 1);
}

static void install_counter(void)
{
    struct sigaction action = {.sa_handler = count_delivered, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0);
}

typedef struct storm {
    pthread_t    targets[4];
    int          target_count;
    long         count; /* of signals, each sender's */
    atomic_int   running;
    atomic_int   number;
    test_thread *threads[SENDERS];
} storm;

/* Half to a thread, half to the process, which any thread may get, the senders too. */
static void send_many(void *argument)
{
    storm *self = argument;
    int number = atomic_fetch_add(&self->number, 1) ? SIGUSR1 : SIGRTMIN;
    for (long i = 0; i < self->count; i++) {
        pthread_t target = self->targets[i / 2 % self->target_count];
        int error;
        do {
            if (i % 2)
                error = pthread_kill(target, number);
            else
                error = sigqueue(getpid(), number, (union sigval){.sival_int = (int)i}) == 0 ? 0 : errno;
            CHECK(error == 0 || error == EAGAIN); /* so many real-time signals are pending */
        } while (error && sched_yield() == 0);
    }
    atomic_fetch_sub(&self->running, 1);
}

static void storm_start(storm *self, long count)
{
    self->count = UNDER_THREAD_SANITIZER ? count / 50 : count;
    atomic_init(&self->number, 0);
    atomic_init(&self->running, SENDERS);
    for (int i = 0; i < SENDERS; i++)
        self->threads[i] = thread_start(send_many, self);
}

static void storm_join(storm *self)
{
    for (int i = 0; i < SENDERS; i++)
        thread_join(self->threads[i]);
}

/* Reads all; how many of each number there were. */
static void read_all(plx_signals *signals, long read[2])
{
    plx_signal_info info;
    int rc;
    while ((rc = plx_signals_next(signals, &info)) == 0) {
        CHECK(info.number == SIGUSR1 || info.number == SIGRTMIN);
        CHECK_EQ(info.pid, getpid());
        read[info.number == SIGUSR1 ? 0 : 1]++;
    }
    CHECK_RC(rc, -EAGAIN);
}

/* One turn of a busy loop: whatever takes a lock. */
static void busy_turn(fixture *f, int turn)
{
    plx_timer timer;
    plx_event events[8];
    int numbers[] = {SIGRTMIN, SIGUSR1};
    plx_signals *more;
    CHECK_RC(plx_register(f->registry, f->fd, 1, PLX_READABLE), 0);
    CHECK_RC(plx_timer_start(f->registry, 2, PLX_USEC(turn % 50), 0, &timer), 0);
    CHECK_RC(plx_signals_open(f->registry, 3, numbers, 1 + turn % 2, &more), 0);
    CHECK_RC(plx_post(f->registry, 4, 4), 0);
    CHECK(plx_poller_wait(f->poller, events, 8, turn % 3 ? 0 : PLX_USEC(20)) >= 0);
    (void)plx_timer_cancel(f->registry, timer);
    plx_signals_close(more);
    CHECK_RC(plx_deregister(f->registry, f->fd), 0);
}

CASE(stress_a_million_signals_while_the_loop_does_everything)
{
    static storm s;
    int numbers[] = {SIGUSR1, SIGRTMIN};
    long read[2] = {0};
    fixture f = fixture_open();
    install_counter();
    plx_signals *signals = watch(f.poller, 9, numbers, 2);
    s.targets[0] = pthread_self();
    s.target_count = 1;
    storm_start(&s, rounds(500000));
    for (int turn = 0; atomic_load(&s.running) > 0; turn++) {
        busy_turn(&f, turn);
        if (turn % 5 == 0) /* now and then it fills up */
            read_all(signals, read);
    }
    storm_join(&s);
    read_all(signals, read); /* the last is not to merge */
    send_value(SIGRTMIN, 4711);
    for (bool last = false; !last;) {
        plx_event event;
        plx_signal_info info;
        CHECK(plx_poller_wait(f.poller, &event, 1, PATIENCE) == 1);
        if (event.flags != PLX_SIGNAL)
            continue;
        while (!last && plx_signals_next(signals, &info) == 0) {
            read[info.number == SIGUSR1 ? 0 : 1]++;
            last = info.number == SIGRTMIN && info.status == 4711;
        }
    }
    read_all(signals, read);
    printf("%ld and %ld delivered, %ld and %ld read\n", atomic_load(&delivered[0]), atomic_load(&delivered[1]),
           read[0], read[1]);
    CHECK(read[0] > 0 && read[0] <= atomic_load(&delivered[0]));
    CHECK(read[1] > 1 && read[1] <= atomic_load(&delivered[1]));
    plx_signals_close(signals);
    fixture_close(&f);
}

/* Nothing is merged as long as it is read in time: each signal that was delivered is read. */
CASE(stress_each_of_many_signals_is_read_once)
{
    static storm s;
    static waiter w;
    int numbers[] = {SIGUSR1, SIGRTMIN};
    long batches = UNDER_THREAD_SANITIZER ? 5 : rounds(200);
    fixture f = fixture_open();
    install_counter();
    plx_signals *signals = watch(f.poller, 9, numbers, 2);
    for (long batch = 1; batch <= batches; batch++) {
        long read[2] = {0};
        atomic_store(&delivered[0], 0);
        atomic_store(&delivered[1], 0);
        waiter_start(&w, f.poller, 8, PLX_FOREVER);
        s.targets[0] = pthread_self();
        s.target_count = 1;
        storm_start(&s, UNDER_THREAD_SANITIZER ? 500 * 50 : 500); /* both together: less than are kept */
        storm_join(&s);
        CHECK_RC(waiter_join(&w), 1);
        CHECK(w.events[0].flags == PLX_SIGNAL && w.events[0].token == 9);
        read_all(signals, read);
        for (int i = 0; i < 2; i++)
            CHECK_EQ(read[i], atomic_load(&delivered[i]));
    }
    plx_signals_close(signals);
    fixture_close(&f);
}

/* Pollers, and what watches by them, come and go in two threads; each gets signals meanwhile. */
static void open_and_close(void *argument)
{
    storm *self = argument;
    plx_event events[4];
    for (int turn = 0; atomic_load(&self->running) > 0; turn++) {
        plx_signals *signals[3];
        plx_poller *poller = open_poller();
        for (int i = 0; i < 3; i++)
            signals[i] = watch_one(poller, (plx_token)i, i % 2 ? SIGUSR1 : SIGRTMIN);
        for (int i = 0; i < turn % 4; i++)
            CHECK(plx_poller_wait(poller, events, 4, PLX_USEC(50)) >= 0);
        if (turn % 3 == 0) {
            plx_poller_close(poller);
            poller = NULL;
        }
        for (int i = 0; i < 3; i++) {
            long read[2] = {0};
            if (turn % 2)
                read_all(signals[i], read);
            plx_signals_close(signals[i]);
        }
        plx_poller_close(poller);
    }
}

CASE(stress_signals_while_pollers_come_and_go)
{
    static storm s;
    test_thread *threads[2];
    install_counter();
    s.targets[0] = pthread_self();
    s.target_count = 1;
    storm_start(&s, rounds(100000));
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(open_and_close, &s);
    open_and_close(&s);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    storm_join(&s);
    struct sigaction now;
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == count_delivered);
    CHECK(sigaction(SIGRTMIN, NULL, &now) == 0 && now.sa_handler == count_delivered);
    CHECK(atomic_load(&delivered[0]) > 0 && atomic_load(&delivered[1]) > 0);
}

static void fork_often(void *argument)
{
    storm *self = argument;
    while (atomic_load(&self->running) > 0) {
        int status;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            _exit(0);
        while (waitpid(child, &status, 0) != child)
            CHECK_EQ(errno, EINTR);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

CASE(stress_signals_while_children_are_forked)
{
    static storm s;
    fixture f = fixture_open();
    long read[2] = {0};
    int numbers[] = {SIGUSR1, SIGRTMIN};
    install_counter();
    plx_signals *signals = watch(f.poller, 9, numbers, 2);
    s.targets[0] = pthread_self();
    s.target_count = 1;
    storm_start(&s, rounds(20000));
    test_thread *thread = thread_start(fork_often, &s);
    for (int turn = 0; atomic_load(&s.running) > 0; turn++) {
        busy_turn(&f, turn);
        read_all(signals, read);
    }
    thread_join(thread);
    storm_join(&s);
    plx_signals_close(signals);
    fixture_close(&f);
}

#else
NO_REALTIME_SIGNALS(stress_a_million_signals_while_the_loop_does_everything)
NO_REALTIME_SIGNALS(stress_each_of_many_signals_is_read_once)
NO_REALTIME_SIGNALS(stress_signals_while_pollers_come_and_go)
NO_REALTIME_SIGNALS(stress_signals_while_children_are_forked)
#endif

#endif
