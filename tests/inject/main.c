/* SPDX-License-Identifier: MIT */
/*
 * conform_faults [--all] [-j JOBS] [CASE [BACKEND]]
 * conform_faults CASE BACKEND CALL NUMBER ERROR [lasting]
 *
 * Runs every conformance case again and again, each time with one system call or one allocation
 * of the library that fails; CASE may be a pattern of the shell. An error is answered by calling
 * again (retry.c), and the case judges. With it: no descriptor and no memory more than without
 * a fault, no hang. Each fault is injected once, and once more so that it lasts until the
 * function that met it returns: what would be undone, or tried again, meets it, too.
 *
 * A case is run three times to count its calls, then once for each of them and each error that
 * it may have (seam_errors.h); without --all for a sample of these. A fault that is not met fails
 * the run, and so does an error of a call that no case has met in a run of all cases. The second
 * form is for a debugger: one fault, in this process.
 */
#include "os/config.h"
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../conform/support.h"

#include "inject.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS "20" /* of what a case repeats */
#ifndef LIMIT
#define LIMIT 60 /* seconds for a case to end, or to hang: twice, for a machine that stood still */
#endif

enum {
    COUNTS = 3,       /* runs without a fault */
    ATTEMPTS = 20,    /* to meet a fault; how often a call is made varies where there are threads */
    HUNG = -1,
    NUMBERS = 300,    /* of a call that a case makes more often than that */
    POINTS = 1 << 15, /* of a case */
};

/* How many faults of a case are injected: less than so many if they would take longer than that. */
typedef struct sample {
    int most, least;
    plx_nanos time;
} sample;

static const sample some = {.most = 16, .time = PLX_MSEC(400)};
static const sample all = {.most = POINTS, .least = 60, .time = PLX_SEC(30)};

/* A case on a backend; once more with paths that are watched by comparing listings. */
typedef struct unit {
    conform_case *entry;
    const char *backend;
    bool scan;
} unit;

static const char *const backends[] = {"epoll", "io_uring", "kqueue", "event_ports", "poll", NULL};

/* Of all processes. */
static struct tally {
    atomic_long injected[sizeof backends / sizeof backends[0]];
    atomic_long met[INJECT_CALLS][INJECT_ERRORS];
    atomic_bool made[INJECT_CALLS]; /* in some case */
    atomic_long told, failed;
} *tally;

static inject_report *report; /* of the run that goes on */

/* No process outlives the one that waits for it. */
static pid_t fork_bound(void)
{
    pid_t forked = fork();
    CHECK(forked >= 0);
#ifdef __linux__
    if (forked == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    return forked;
}

static void *shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

/* ---- One run ------------------------------------------------------------------------------ */

static void run_case(const unit *self, const inject_fault *fault)
{
    conform_backend = self->backend;
    if (self->scan)
        set_variable("CONFORM_PATHS", "scan");
    inject_begin(fault, report);
    self->entry->run();
    inject_end();
}

static pid_t child; /* whose process group is its own */
static volatile sig_atomic_t growls;

static void bite(int number)
{
    (void)number;
    if (++growls < 2)
        alarm(LIMIT);
    else
        kill(-child, SIGKILL);
}

/* What it prints is kept in this file. The status it ended with, or HUNG. */
static int run_apart(const unit *self, const inject_fault *fault, int output)
{
    int status;
    CHECK(ftruncate(output, 0) == 0 && lseek(output, 0, SEEK_SET) == 0);
    *report = (inject_report){0};
    growls = 0;
    child = fork_bound();
    if (child == 0) {
        setpgid(0, 0);
        signal(SIGALRM, SIG_DFL);
        CHECK(dup2(output, 1) == 1 && dup2(output, 2) == 2);
        close(output);
        run_case(self, fault);
        check_stop(0);
    }
    setpgid(child, child);
    alarm(LIMIT);
    while (waitpid(child, &status, 0) != child)
        CHECK_EQ(errno, EINTR);
    alarm(0);
    kill(-child, SIGKILL); /* children that a failed case left */
    if (growls >= 2)
        return HUNG;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void print_output(int output)
{
    char text[4096];
    ssize_t length = pread(output, text, sizeof text, 0);
    if (length > 0)
        fwrite(text, 1, (size_t)length, stderr);
}

static void complain(const unit *self, const inject_fault *fault, const char *what)
{
    fprintf(stderr, "%s: %sconform_faults %s %s %s %ld %d%s (%s)\n", what,
            self->scan ? "CONFORM_PATHS=scan " : "", self->entry->name, self->backend, inject_name(fault->call),
            fault->number, fault->error, fault->lasts ? " lasting" : "", strerror(fault->error));
    fflush(stderr);
    atomic_fetch_add(&tally->failed, 1);
}

/* ---- One case ----------------------------------------------------------------------------- */

/* A call that is made now more, now less often, is to be met in every run. */
static void count_run(inject_report *counted, bool first)
{
    for (int call = 0; call < inject_calls(); call++) {
        long made = report->made[call], least = counted->made[call];
        if (!first && made != least)
            made = (made < least ? made : least) / 4;
        counted->made[call] = made;
    }
    counted->paths = report->paths;
    counted->live = report->live > counted->live ? report->live : counted->live;
    counted->descriptors = report->descriptors > counted->descriptors ? report->descriptors : counted->descriptors;
}

/* What its runs make, and what they leave at most. False: it was skipped, takes too long, or fails. */
static bool count_calls(const unit *self, const sample *taken, inject_report *counted, plx_nanos *time, int output)
{
    int passed = 0, status = 0;
    *counted = (inject_report){0};
    *time = INT64_MAX;
    for (int attempt = 0; passed < COUNTS && attempt < ATTEMPTS && status != CHECK_SKIPPED; attempt++) {
        plx_nanos begun = plx_now();
        status = run_apart(self, &(inject_fault){0}, output);
        if (status != 0)
            continue;
        if (plx_now() - begun < *time)
            *time = plx_now() - begun;
        count_run(counted, passed++ == 0);
        if (*time > taken->time && !taken->least)
            return false;
    }
    if (passed < COUNTS && status != CHECK_SKIPPED) {
        print_output(output);
        complain(self, &(inject_fault){0}, "fails without a fault");
    }
    return passed == COUNTS;
}

/* NULL: all is as it should be. */
static const char *judge(int status, const inject_report *counted)
{
    if (status == HUNG)
        return "hangs";
    if (report->told) {
        atomic_fetch_add(&tally->told, 1);
        return NULL;
    }
    if (status != 0)
        return status == CHECK_SKIPPED ? "is skipped" : "fails";
    if (!report->met)
        return "never met";
    if (report->live > counted->live)
        return "leaves memory";
    return report->descriptors > counted->descriptors ? "leaves a descriptor" : NULL;
}

/*
 * It is wrong if it is so twice: a case that looks at the clock may fail where a machine stands still.
 * A call that is made now more, now less often, is taken earlier, if need be.
 */
static void inject(const unit *self, inject_fault *fault, const inject_report *counted, int output)
{
    static const char never[] = "never met";
    const char *wrong = never;
    for (int attempt = 1, fails = 0; attempt <= ATTEMPTS && wrong && fails < 2; attempt++) {
        wrong = judge(run_apart(self, fault, output), counted);
        fails += wrong && strcmp(wrong, never) != 0;
        if (attempt % 4 == 0 && fault->number > 1)
            fault->number /= 2;
    }
    if (wrong) {
        print_output(output);
        complain(self, fault, wrong);
    }
}

/* What is over by itself does not last. */
static bool may_last(int error)
{
    return error != EINTR && error != EAGAIN && error != EBUSY;
}

static const char WAITS[] = "waits"; /* the calls that a wait is made of */
static const char LOOKS[] = "looks"; /* those that compare a listing with what is kept */

/* What is not injected: the case asks for more than is promised once such a call has failed. */
static const struct excuse {
    const char *entry; /* a pattern */
    const char *call;
    int error; /* 0: any */
    bool lasting;
} excuses[] = {
    /* counts calls, waits or descriptors, or memory that it refuses by its number */
    {"*_system_call", "*", 0, false},
    {"*_one_call", "*", 0, false},
    {"*_without_memory_*", "*", 0, false},
    {"every_wake_is_either_sent_or_elided", "*", 0, false},
    {"wait*_counted", WAITS, 0, false},
    {"*_makes_few_system_calls", "*", 0, false},
    {"process_that_is_over_is_looked_at_no_more", WAITS, 0, false},
    {"poller_descriptions_are_cut_like_snprintf", "*", 0, false}, /* which say why there is no io_uring */
    /* a wait whose look into the kernel fails returns what else there is, timers due by its clock too */
    {"*share*", WAITS, 0, false},
    {"*starves*", WAITS, 0, false},
    {"*turns", WAITS, 0, false},
    {"a_batch_is_filled_by_whoever_has_something", WAITS, 0, false},
    {"each_kind_has_a_place_in_every_wait", WAITS, 0, false},
    {"work_in_a_circle_needs_no_further_memory", WAITS, 0, false},
    {"kinds_of_one_number_stay_apart", WAITS, 0, false},
    /* its polls hold a file that was closed under them, and events of it may still come */
    {"number_that_has_changed_hands_is_silent", "io_uring_enter", 0, false},
    {"number_that_has_changed_hands_is_silent", "poll", 0, false},
    /* a ring that may not be entered lets its files go when the kernel has done away with it */
    {"peer_sees_the_end_at_once_after_deregister_and_close", "io_uring_enter", 0, true},
    /* all registrations move to an epoll set, which tells of edges once more */
    {"*edge*", "io_uring_*", 0, false},
    {"reregister_of_a_ready_source_reports_in_every_mode", "io_uring_*", 0, false},
    /* what an old file reports is there until the kernel's set could be renewed */
    {"an_old_file_does_not_hide_a_ready_one", "*", 0, false},
    {"descriptor_survives_the_silencing_of_an_old_file", "*", 0, false},
    {"other_registrations_outlive_the_silencing", "*", 0, false},
    {"descriptor_hears_of_timers_after_the_silencing_of_an_old_file", "*", 0, false},
    /* one that is exclusive is changed by taking it out, and could not be put back either */
    {"exclusive_*", "epoll_ctl", 0, true},
    {"native_flags_*", "epoll_ctl", 0, false},
    /* a wait that cannot set the alarm makes the descriptor readable instead */
    {"*descriptor*", "timerfd_settime", 0, false},
    {"timers_reach_a_wait_on_the_outer_poller", "timerfd_settime", 0, false},
    /* a call for a signal's action, or to raise it again, that is true of every program: it cannot fail */
    {"*", "sigaction", 0, false},
    {"*", "kill", 0, false},
    /* the folder above is one that may not be read: it is no guard of what is in it */
    {"*", "inotify_add_watch", EACCES, false},
    /* the event is for the error, which plx_paths_next returns */
    {"*", "read", EIO, false},
    /* the folder is one that may not be read any more */
    {"paths_outlive_their_poller", "open", EACCES, false},
    /* what is open has a status: what it is, and whether it is the same, is asked of nobody else */
    {"both_ends_of_pipes", "fstat", 0, false},
    {"half_close_*", "fstat", 0, false},
    {"data_and_urgent_data_are_told_apart_in_any_mode", "poll", 0, false},
    {"number_that_*", "fstat", 0, false},
    {"a_registration_that_fails_keeps_no_memory", "fstat", 0, false},
    /* without a pidfd there is nothing to show, or a number stands for whoever has it */
    {"descriptors_of_processes_cannot_be_registered", "pidfd_open", 0, false},
    {"process_without_descriptors_left_is_emfile", "pidfd_open", 0, false},
    {"process_makes_the_descriptor_readable", "pidfd_open", 0, false},
    {"status_of_a_later_process_with_the_number_is_not_told", "pidfd_open", 0, false},
    /* a close has no second try, and what was not reaped is with the next plx_process_status */
    {"processes_of_a_closed_poller_keep_what_was_known", "waitid", 0, false},
    /* what could be looked at, and not reaped for as long as the call lasts, is a zombie until the next call */
    {"*process*", "waitid", 0, true},
    /* a wait that failed is called again, and its poller may be closed by then */
    {"close_sends_all_waiters_home", WAITS, 0, false},
    /* an eventfd takes what is written to it: with that, one sleeper of a set that was replaced wakes the next */
    {"all_waiters_outlive_the_silencing", "write", 0, true},
    /* what a look could not see comes with the next one, for which the case does not wait */
    {"two_objects_are_both_told", LOOKS, 0, false},
    {"two_names_of_one_file_are_both_told", LOOKS, 0, false},
    {"paths_outlive_their_poller", LOOKS, 0, false},
    {"an_end_that_was_not_asked_for_is_silent", LOOKS, 0, false},
    {"only_what_was_asked_for_is_told", LOOKS, 0, false},
    {"an_event_comes_with_each_wait_while_a_change_is_unread", LOOKS, 0, false},
    {"a_tree_watched_without_created_follows_new_folders", LOOKS, 0, false},
    {"a_folder_moved_within_is_watched_under_its_new_name", LOOKS, 0, false},
    /* and what may not be looked at is known by its name alone */
    {"*", LOOKS, EACCES, false},
    /* how far the kernel's queue goes is asked of nobody else */
    {"what_was_before_an_add_is_not_told_to_it", "ioctl*", 0, false},
};

static bool is_call(const unit *self, const char *pattern, const char *name)
{
    static const char *const waits[] = {"epoll_wait", "epoll_pwait2", "io_uring_enter", "poll", "kevent", "port_getn", NULL};
    static const char *const looks[] = {"open", "fstat", "fstatat", "fdopendir", "readdir", NULL};
    if (pattern != WAITS && pattern != LOOKS)
        return fnmatch(pattern, name, 0) == 0;
    for (const char *const *call = pattern == WAITS ? waits : looks; *call; call++)
        if (strcmp(*call, name) == 0)
            return pattern == WAITS || self->scan;
    return false;
}

static bool is_excused(const unit *self, const inject_fault *fault)
{
    for (size_t i = 0; i < sizeof excuses / sizeof excuses[0]; i++)
        if (fnmatch(excuses[i].entry, self->entry->name, 0) == 0 &&
            is_call(self, excuses[i].call, inject_name(fault->call)) &&
            (!excuses[i].error || excuses[i].error == fault->error) && (!excuses[i].lasting || fault->lasts))
            return true;
    return false;
}

/* Of each call the first NUMBERS, or as many evenly, with each of its errors. How many. */
static int list_points(const unit *self, const inject_report *counted, inject_fault *points)
{
    int count = 0;
    for (int call = 0; call < inject_calls(); call++) {
        long made = counted->made[call], numbers = made < NUMBERS ? made : NUMBERS;
        for (long i = 0; i < numbers; i++)
            for (int k = 0; k < INJECT_ERRORS && inject_errors(call)[k]; k++)
                for (int lasts = 0; lasts <= may_last(inject_errors(call)[k]) && count < POINTS; lasts++) {
                    points[count] = (inject_fault){call, 1 + i * made / numbers, inject_errors(call)[k], lasts};
                    count += !is_excused(self, &points[count]);
                }
    }
    return count;
}

static void note_met(const inject_fault *fault)
{
    for (int k = 0; k < INJECT_ERRORS; k++)
        if (inject_errors(fault->call)[k] == fault->error)
            atomic_fetch_add(&tally->met[fault->call][k], 1);
}

static int sample_size(const sample *taken, int found, plx_nanos time)
{
    plx_nanos fit = taken->time / (time + 1);
    int count = fit < taken->least ? taken->least : fit < taken->most ? (int)fit : taken->most;
    return count < found ? count : found;
}

/* Another sample for each case. */
static unsigned first_of(const char *name)
{
    unsigned first = 0;
    while (*name)
        first = first * 31 + (unsigned char)*name++;
    return first;
}

/* Whether it watches paths in the kernel's way. */
static bool run_unit(const unit *self, const sample *taken, int output)
{
    static inject_fault points[POINTS];
    inject_report counted;
    plx_nanos time;
    if (!count_calls(self, taken, &counted, &time, output))
        return false;
    for (int call = 0; call < inject_calls(); call++)
        if (counted.made[call] > 0)
            atomic_store(&tally->made[call], true);
    int found = list_points(self, &counted, points);
    int count = sample_size(taken, found, time);
    int first = (int)(first_of(self->entry->name) % POINTS);
    for (int i = 0; i < count; i++) {
        int point = (i * found / count + first) % found;
        inject(self, &points[point], &counted, output);
        note_met(&points[point]);
    }
    for (int i = 0; backends[i]; i++)
        if (strcmp(backends[i], self->backend) == 0)
            atomic_fetch_add(&tally->injected[i], count);
    printf("%s %s%s: %d faults of %d, %.1f ms\n", self->entry->name, self->backend, self->scan ? " scan" : "", count,
           found, (double)time / 1e6);
    return counted.paths;
}

static void run_job(const unit *self, const sample *taken)
{
    char name[] = "/tmp/pollux.XXXXXX";
    int output = mkstemp(name);
    CHECK(output >= 0 && unlink(name) == 0);
    report = shared(sizeof *report);
    signal(SIGALRM, bite);
    if (run_unit(self, taken, output))
        (void)run_unit(&(unit){.entry = self->entry, .backend = self->backend, .scan = true}, taken, output);
}

/* ---- All cases ---------------------------------------------------------------------------- */

static int running;

static void end_job(void)
{
    int status;
    pid_t ended;
    while ((ended = wait(&status)) < 0)
        CHECK_EQ(errno, EINTR);
    if (status != 0)
        atomic_fetch_add(&tally->failed, 1);
    running--;
}

static void start_job(const unit *self, const sample *taken, int jobs)
{
    while (running >= jobs)
        end_job();
    fflush(stdout);
    running++;
    pid_t job = fork_bound();
    if (job == 0) {
        run_job(self, taken);
        exit(0);
    }
}

static bool is_here(const char *backend)
{
    int status;
    fflush(stdout);
    pid_t asked = fork_bound();
    if (asked == 0) {
        conform_backend = backend;
        conform_need_backend();
        exit(0);
    }
    CHECK(waitpid(asked, &status, 0) == asked);
    return status == 0;
}

/* Every call that the library makes on this system in any case, with every error. */
static void check_all_met(void)
{
    conform_case none = {.name = ""};
    for (int call = 0; call < inject_calls(); call++)
        for (int k = 0; k < INJECT_ERRORS && inject_errors(call)[k]; k++)
            if (atomic_load(&tally->made[call]) && !atomic_load(&tally->met[call][k]) &&
                !is_excused(&(unit){.entry = &none}, &(inject_fault){call, 1, inject_errors(call)[k], false})) {
                fprintf(stderr, "never met: %s fails: %s\n", inject_name(call), strerror(inject_errors(call)[k]));
                atomic_fetch_add(&tally->failed, 1);
            }
}

static int find_call(const char *name)
{
    for (int call = 0; call < inject_calls(); call++)
        if (strcmp(inject_name(call), name) == 0)
            return call;
    return -1;
}

static int usage(void)
{
    fputs("usage: conform_faults [--all] [-j JOBS] [CASE [BACKEND]] | CASE BACKEND CALL NUMBER ERROR [lasting]\n",
          stderr);
    return 2;
}

static int run_one(int count, const char **words)
{
    inject_fault fault = {.call = find_call(words[2]), .lasts = count == 6};
    unit self = {.entry = conform_find(words[0]), .backend = words[1]};
    if (!self.entry || fault.call < 0)
        return usage();
    fault.number = atol(words[3]);
    fault.error = atoi(words[4]);
    report = shared(sizeof *report);
    run_case(&self, &fault);
    printf("%s; %ld allocations and %d descriptors are left\n", report->met ? "met" : "never met", report->live,
           report->descriptors);
    return 0;
}

static int print_tally(bool everything)
{
    long total = 0;
    if (everything)
        check_all_met();
    for (int i = 0; backends[i]; i++) {
        long injected = atomic_load(&tally->injected[i]);
        if (injected)
            printf("%s: %ld faults\n", backends[i], injected);
        total += injected;
    }
    printf("%ld faults injected, %ld of them answered by an overflow of paths, %ld wrong\n", total,
           atomic_load(&tally->told), atomic_load(&tally->failed));
    return atomic_load(&tally->failed) != 0;
}

int main(int argc, char **argv)
{
    const sample *taken = &some;
    const char *words[6];
    int count = 0, jobs = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--all") == 0)
            taken = &all;
        else if (strcmp(argv[i], "-j") == 0 && i + 1 < argc)
            jobs = atoi(argv[++i]);
        else if (count == 6 || argv[i][0] == '-')
            return usage();
        else
            words[count++] = argv[i];
    }
    signal(SIGPIPE, SIG_IGN);
    set_variable("CONFORM_ROUNDS", ROUNDS);
    tally = shared(sizeof *tally);
    if (count > 2)
        return count < 5 ? usage() : run_one(count, words);
    for (int i = 0; backends[i]; i++) {
        if ((count > 1 && strcmp(words[1], backends[i]) != 0) || !is_here(backends[i]))
            continue;
        for (conform_case *entry = conform_cases; entry; entry = entry->next)
            if (count == 0 || fnmatch(words[0], entry->name, 0) == 0)
                start_job(&(unit){.entry = entry, .backend = backends[i]}, taken, jobs);
    }
    while (running > 0)
        end_job();
    return print_tally(count == 0 && taken == &all);
}
