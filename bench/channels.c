/* SPDX-License-Identifier: MIT */
/*
 * What a message to another thread's loop costs, against an eventfd with a locked queue and
 * a bare lock-free ring. The receiver is on one core, the senders are on another. Each subject
 * in each round, in a process of its own, with a pass to warm up.
 *
 *   throughput  as fast as it goes: time by the wall, and CPU time of the senders' threads and
 *               of the receiver's, which the machine's other work disturbs less
 *   bounded     the same through a channel that holds 1,024
 *   ping-pong   one message at a time: the sender spins until it was taken
 *   latency     sender and receiver on one core: from before the send until the receiver has
 *               it; the sender sleeps until it is answered
 *
 * System calls are counted by the kernel, in a round of their own; in brackets what
 * plx_poller_stats says. "pollux, fenced" runs where membarrier is denied, so that each send
 * makes a fence.
 */
#include "channels/subject.h"

#include "cores.h"

#include "channels/calls.h"
#include "channels/peers.h"
#include "channels/pollux.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static const struct subject *const unbounded[] = {&pollux, &pollux_fenced, &mutex, &bare_ring, NULL};
static const struct subject *const bounded[] = {&pollux, &pollux_fenced, &two_conditions, NULL};

enum { SENDERS = 4, SUBJECTS = 4 };

/* What is measured, and how it came out, per message. */
struct task {
    int senders;
    size_t size, bound;
    uint64_t messages;
    bool turns;   /* the next message when the last was taken */
    bool one_core; /* answered, and the delay is measured */
    bool count;   /* system calls; not timed */
};

enum figure { WALL, SENDER, RECEIVER, CALLS, LIBRARY_CALLS, MEDIAN, LATE, FIGURES };

struct result {
    double figures[FIGURES];
};

/* ---- One run ---- */

struct side {
    const struct subject *subject;
    const struct task *task;
    uint64_t first, count;
    double cpu;
    uint64_t calls;
};

static pthread_barrier_t line;

/* By turns, or one behind the other. */
static void send_all(const struct side *side)
{
    const struct subject *subject = side->subject;
    if (side->task->one_core) {
        for (uint64_t i = 0; i < side->count; i++) {
            subject->send((uint64_t)bench_clock(CLOCK_MONOTONIC), 1);
            while (sem_wait(&receiver.answer) < 0)
                ;
        }
    } else if (side->task->turns) {
        for (uint64_t i = 1; i <= side->count; i++) {
            uint64_t before = atomic_load_explicit(&receiver.taken, memory_order_acquire);
            subject->send(i, 1);
            while (atomic_load_explicit(&receiver.taken, memory_order_acquire) == before)
                ;
        }
    } else {
        subject->send(side->first, side->count);
    }
}

static void receive_all(const struct side *side)
{
    side->subject->receive(side->count);
}

static void work(struct side *side, void (*all)(const struct side *side))
{
    int counter = side->task->count ? calls_open() : -1;
    pthread_barrier_wait(&line);
    double begin = bench_clock(CLOCK_THREAD_CPUTIME_ID);
    uint64_t calls = counter < 0 ? 0 : calls_read(counter);
    all(side);
    if (counter >= 0) {
        side->calls = calls_read(counter) - calls - 1;
        close(counter);
    }
    side->cpu = bench_clock(CLOCK_THREAD_CPUTIME_ID) - begin;
}

static void *work_sender(void *pointer)
{
    struct side *side = pointer;
    pin(cores[side->task->one_core ? 0 : 1]);
    work(side, send_all);
    return NULL;
}

/* Numbers 0 to messages, and the receiver has them all. */
static void check(const struct task *task, uint64_t messages)
{
    if (receiver.count != messages)
        bench_die("messages were lost, or came twice", 0);
    if (!task->turns && !task->one_core && receiver.sum != messages * (messages - 1) / 2)
        bench_die("other messages came than were sent", 0);
}

static void run_pass(const struct subject *subject, const struct task *task, uint64_t messages,
                     struct result *result)
{
    struct side sides[SENDERS], own = {.subject = subject, .task = task, .count = messages};
    pthread_t threads[SENDERS];
    uint64_t counted = subject->calls ? subject->calls() : 0, each = messages / (uint64_t)task->senders;
    receiver.count = receiver.sum = 0;
    atomic_store(&receiver.taken, 0);
    pthread_barrier_init(&line, NULL, (unsigned)task->senders + 1);
    for (int i = 0; i < task->senders; i++) {
        sides[i] = (struct side){.subject = subject, .task = task, .first = (uint64_t)i * each, .count = each};
        if (pthread_create(&threads[i], NULL, work_sender, &sides[i]) != 0)
            bench_die("pthread_create", EAGAIN);
    }
    double begin = bench_clock(CLOCK_MONOTONIC);
    work(&own, receive_all);
    result->figures[WALL] = bench_clock(CLOCK_MONOTONIC) - begin;
    result->figures[SENDER] = 0;
    result->figures[RECEIVER] = own.cpu;
    result->figures[CALLS] = (double)own.calls;
    for (int i = 0; i < task->senders; i++) {
        pthread_join(threads[i], NULL);
        result->figures[SENDER] += sides[i].cpu;
        result->figures[CALLS] += (double)sides[i].calls;
    }
    if (subject->calls)
        result->figures[LIBRARY_CALLS] = (double)(subject->calls() - counted);
    for (int figure = WALL; figure <= LIBRARY_CALLS; figure++)
        result->figures[figure] /= (double)messages;
    pthread_barrier_destroy(&line);
    check(task, messages);
}

static void run(const struct subject *subject, const struct task *task, struct result *result)
{
    *result = (struct result){{0}};
    if (task->one_core) {
        receiver.delays = bench_array((int)task->messages, sizeof *receiver.delays);
        sem_init(&receiver.answer, 0, 0);
    }
    pin(cores[0]);
    subject->open(task->size, task->bound);
    uint64_t warm = task->messages / 4 / (uint64_t)task->senders * (uint64_t)task->senders;
    run_pass(subject, task, warm, result);
    run_pass(subject, task, task->messages, result);
    subject->close();
    if (task->one_core) {
        int count = (int)task->messages;
        result->figures[MEDIAN] = bench_quartiles(receiver.delays, count).median;
        result->figures[LATE] = receiver.delays[count - 1 - count / 100];
    }
}

/* ---- In a process of its own ---- */

/* EPERM for membarrier from now on. */
static void deny_membarrier(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof steps / sizeof steps[0], .filter = steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        bench_die("seccomp", errno);
}

static struct result run_apart(const struct subject *subject, const struct task *task)
{
    struct result result;
    int ends[2], status;
    if (pipe(ends) < 0)
        bench_die("pipe", errno);
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        bench_die("fork", errno);
    if (child == 0) {
        if (subject->denied)
            deny_membarrier();
        run(subject, task, &result);
        _exit(write(ends[1], &result, sizeof result) != (ssize_t)sizeof result);
    }
    close(ends[1]);
    bool whole = read(ends[0], &result, sizeof result) == (ssize_t)sizeof result;
    close(ends[0]);
    if (waitpid(child, &status, 0) != child || status != 0 || !whole)
        bench_die(subject->name, 0);
    return result;
}

/* ---- Tables ---- */

/* The figures of each subject, by subject, figure and round. */
struct table {
    const struct subject *const *subjects;
    const char *only;
    int rounds;
    double *values[SUBJECTS][FIGURES];
    struct result counted[SUBJECTS];
};

static bool wanted(const struct table *table, int subject)
{
    return subject == 0 || !table->only || strcmp(table->only, table->subjects[subject]->name) == 0;
}

static void measure(struct table *table, const struct task *task)
{
    int subjects = 0;
    for (; table->subjects[subjects]; subjects++)
        for (int figure = 0; figure < FIGURES; figure++)
            table->values[subjects][figure] = bench_array(table->rounds, sizeof(double));
    for (int round = 0; round < table->rounds; round++)
        for (int turn = 0; turn < subjects; turn++) {
            int i = (round % 2 ? subjects - 1 - turn + round : turn + round) % subjects;
            if (!wanted(table, i))
                continue;
            struct result result = run_apart(table->subjects[i], task);
            for (int figure = 0; figure < FIGURES; figure++)
                table->values[i][figure][round] = result.figures[figure];
        }
    struct task counting = *task;
    counting.count = true;
    for (int i = 0; i < subjects && !task->one_core; i++)
        if (wanted(table, i))
            table->counted[i] = run_apart(table->subjects[i], &counting);
}

static void forget(struct table *table)
{
    for (int i = 0; table->subjects[i]; i++)
        for (int figure = 0; figure < FIGURES; figure++)
            free(table->values[i][figure]);
}

/* The median, the quartiles, and the median of the ratios to the first subject, round by round. */
static void print_figure(const struct table *table, int subject, enum figure figure)
{
    double ratios[1000];
    for (int round = 0; round < table->rounds; round++)
        ratios[round] = table->values[subject][figure][round] / table->values[0][figure][round];
    double ratio = bench_quartiles(ratios, table->rounds).median;
    double sorted[1000];
    memcpy(sorted, table->values[subject][figure], (size_t)table->rounds * sizeof sorted[0]);
    struct bench_quartiles q = bench_quartiles(sorted, table->rounds);
    printf("  %7.1f (%7.1f %7.1f) %5.2f", q.median, q.low, q.high, ratio);
}

static void print_calls(const struct table *table, int subject)
{
    if (table->counted[subject].figures[CALLS] > 0)
        printf("  %8.4f", table->counted[subject].figures[CALLS]);
    else
        printf("  %8s", "-");
    if (table->subjects[subject]->calls)
        printf(" (%.4f)", table->counted[subject].figures[LIBRARY_CALLS]);
}

static void print_table(const struct table *table, const enum figure *figures, const char *const *heads, int count,
                        bool calls)
{
    printf("%-15s", "");
    for (int i = 0; i < count; i++)
        printf("  %-31s", heads[i]);
    printf("%s\n", calls ? "  system calls" : "");
    for (int subject = 0; table->subjects[subject]; subject++) {
        if (!wanted(table, subject))
            continue;
        printf("%-15s", table->subjects[subject]->name);
        for (int i = 0; i < count; i++)
            print_figure(table, subject, figures[i]);
        if (calls)
            print_calls(table, subject);
        printf("\n");
    }
    printf("\n");
}

static void show(const struct subject *const *subjects, const char *only, int rounds, const struct task *task)
{
    static const enum figure busy[] = {WALL, SENDER, RECEIVER}, delay[] = {MEDIAN, LATE};
    static const char *const busy_heads[] = {"wall", "senders' CPU", "receiver's CPU"};
    static const char *const delay_heads[] = {"median", "99 of 100 within"};
    struct table table = {.subjects = subjects, .only = only, .rounds = rounds};
    measure(&table, task);
    if (task->one_core)
        print_table(&table, delay, delay_heads, 2, false);
    else
        print_table(&table, busy, busy_heads, task->turns ? 1 : 3, true);
    forget(&table);
}

int main(int argc, char **argv)
{
    uint64_t messages = 1000000, single = 20000;
    int rounds = 9, senders = 0, size = 0;
    const char *only = NULL, *part = "";

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--smoke") == 0)
            messages = 4000, single = 200, rounds = 1;
        else if (strcmp(argv[i], "--messages") == 0)
            messages = (uint64_t)bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--rounds") == 0)
            rounds = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--senders") == 0)
            senders = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--size") == 0)
            size = bench_argument(argc, argv, &i);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (argv[i][0] != '-' && !*part)
            part = argv[i];
        else {
            fprintf(stderr, "channels [--smoke] [--messages M] [--rounds R] [--senders 1|2|4] [--size 8|64]\n"
                            "         [--only SUBJECT] [throughput|bounded|ping-pong|latency]\n");
            return 2;
        }
    }
    if (rounds > 999)
        rounds = 999;
    messages -= messages % SENDERS;
    choose_cores("senders and receiver");
    printf("ns per message: median of %d rounds (quartiles), and the ratio to the first line\n\n", rounds);
    for (size_t bytes = 8; bytes <= 64; bytes += 56)
        for (int many = 1; many <= SENDERS; many *= 2) {
            if ((*part && strcmp(part, "throughput") != 0) || (senders && many != senders) ||
                (size && bytes != (size_t)size))
                continue;
            printf("throughput, %zu bytes, %d sender(s)\n", bytes, many);
            show(unbounded, only, rounds, &(struct task){.senders = many, .size = bytes, .messages = messages});
        }
    for (int many = 1; many <= SENDERS; many *= 2) {
        if ((*part && strcmp(part, "bounded") != 0) || (senders && many != senders))
            continue;
        printf("bounded to 1,024, 8 bytes, %d sender(s)\n", many);
        show(bounded, only, rounds,
             &(struct task){.senders = many, .size = 8, .bound = 1024, .messages = messages / 4});
    }
    if (!*part || strcmp(part, "ping-pong") == 0) {
        printf("ping-pong, 8 bytes, two cores\n");
        show(unbounded, only, rounds,
             &(struct task){.senders = 1, .size = 8, .messages = single, .turns = true});
    }
    if (!*part || strcmp(part, "latency") == 0) {
        printf("latency, 8 bytes, one core\n");
        show(unbounded, only, rounds,
             &(struct task){.senders = 1, .size = 8, .messages = single, .one_core = true});
    }
    return 0;
}
