/* SPDX-License-Identifier: MIT */
/*
 * plx-watch: runs a command, and runs it again whenever files change.
 *
 * One poller waits for all of it: the paths, the signals, the command's end, and three timers
 * (until the changes pause, until a run that does not end is killed, until a path that is gone
 * is looked for again). Nothing here happens but in answer to an event.
 */
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE   700

#include <pollux.h>

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BAD_USAGE = 2, NOT_FOUND = 127, NOT_STARTED = 126, SIGNALLED = 128 };

/* What an event is about. */
enum { PATHS = 1, SIGNALS, RUN, PAUSE, GRACE, SEARCH };

static const uint32_t changes = PLX_PATH_CREATED | PLX_PATH_DELETED | PLX_PATH_MODIFIED | PLX_PATH_MOVED_FROM |
                                PLX_PATH_MOVED_TO | PLX_PATH_ATTRIBUTES | PLX_PATH_SELF_GONE;

/*
 * A folder, or a file in it: an editor that saves by renaming replaces the file, and a watch of
 * the file itself would end with it.
 */
struct target {
    char *folder;
    char *name; /* of the one file; NULL: everything in the folder */
    int watch;  /* -1: the folder is gone */
};

static struct {
    /* what was asked for */
    struct target *targets;
    int target_count;
    char **ignored; /* patterns of names */
    int ignored_count;
    char **command;
    plx_nanos debounce, grace;
    bool recursive, clear;

    plx_registry *registry;
    plx_paths *paths;
    plx_signals *signals;
    plx_timer pause, search; /* 0: not started */
    plx_timer deadline;      /* of a run that was asked to end */

    plx_process *run; /* NULL: the command is not running */
    pid_t pid;        /* of it and of its process group */
    bool again;       /* something has changed since it was started */
    bool leaving;     /* a signal has told this program to end with the run */
    int status;       /* of the last run, as a shell gives it */
} watch = {.debounce = PLX_MSEC(200), .grace = PLX_SEC(5)};

static const char usage[] =
    "usage: plx-watch [OPTION]... PATH... -- COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs COMMAND, and again whenever a PATH changes: a file, or a folder and what is in it.\n"
    "A run that has not ended by then is ended first.\n"
    "\n"
    "  -r, --recursive        watch folders with all that is below them\n"
    "  -d, --debounce TIME    start when nothing has changed for TIME (200ms)\n"
    "  -g, --grace TIME       kill a run that has not ended TIME after it was asked to (5s)\n"
    "  -i, --ignore PATTERN   names that do not count, such as '*.o' or .git; may be given often\n"
    "  -c, --clear            clear the screen before each run\n"
    "  -h, --help             print this\n"
    "  -V, --version          print the version\n"
    "\n"
    "TIME is a number with ms, s or m. Signals that end a program are passed on to the run; when\n"
    "it has ended, plx-watch ends with its status (128 + N if signal N ended it).\n";

static _Noreturn void fail(int status, const char *format, ...)
{
    va_list arguments;

    fputs("plx-watch: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(status);
}

static void need(int rc, const char *what)
{
    if (rc < 0)
        fail(1, "%s: %s", what, plx_strerror(rc));
}

static void *need_memory(void *pointer)
{
    if (!pointer)
        fail(1, "out of memory");
    return pointer;
}

/* ---- The run --------------------------------------------------------------- */

/*
 * In a process group of its own, so that what the command starts ends with it; without the
 * terminal's input, which a group in the background must not read.
 */
static _Noreturn void become_command(void)
{
    setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    execvp(watch.command[0], watch.command);
    int error = errno;
    fprintf(stderr, "plx-watch: %s: %s\n", watch.command[0], strerror(error));
    _exit(error == ENOENT ? NOT_FOUND : NOT_STARTED);
}

static void start_run(void)
{
    watch.again = false;
    if (watch.clear)
        fputs("\033[H\033[2J\033[3J", stdout);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        fail(1, "fork: %s", strerror(errno));
    if (pid == 0)
        become_command();
    setpgid(pid, pid); /* here too: whoever comes first, a signal to the group finds it */
    watch.pid = pid;
    need(plx_process_open(watch.registry, RUN, pid, &watch.run), "cannot watch the command");
}

/* Asks the run to end, and has it killed if it does not. */
static void end_run(int signal)
{
    kill(-watch.pid, signal);
    if (watch.deadline == 0)
        need(plx_timer_start(watch.registry, GRACE, watch.grace, 0, &watch.deadline), "timer");
}

static void run_ended(void)
{
    plx_exit end;
    int rc = plx_process_status(watch.run, &end);

    if (rc == -EAGAIN)
        return;
    need(rc, "cannot tell how the command ended");
    watch.status = end.signal ? SIGNALLED + end.signal : end.code;
    plx_process_close(watch.run);
    watch.run = NULL;
    if (watch.deadline)
        plx_timer_cancel(watch.registry, watch.deadline);
    watch.deadline = 0;
    if (watch.again && !watch.leaving)
        start_run();
}

/* ---- Changes --------------------------------------------------------------- */

static bool is_ignored(const char *name)
{
    for (int i = 0; i < watch.ignored_count; i++)
        for (const char *part = name; part; part = strchr(part, '/')) {
            part += *part == '/';
            size_t length = strcspn(part, "/");
            char piece[NAME_MAX + 1];
            snprintf(piece, sizeof piece, "%.*s", (int)length, part);
            if (fnmatch(watch.ignored[i], piece, 0) == 0)
                return true;
        }
    return false;
}

static bool is_ours(const struct target *target, const plx_path_change *change)
{
    if (target->watch != change->watch || is_ignored(change->name))
        return false;
    return !target->name || strcmp(change->name, target->name) == 0 || change->changes & PLX_PATH_OVERFLOW;
}

static int add_target(struct target *target)
{
    uint32_t asked = changes | (watch.recursive && !target->name ? PLX_PATH_RECURSIVE : 0);
    int rc = plx_paths_add(watch.paths, target->folder, asked, &target->watch);

    if (rc < 0)
        target->watch = -1;
    return rc;
}

static void changed(void)
{
    if (watch.pause)
        plx_timer_cancel(watch.registry, watch.pause);
    need(plx_timer_start(watch.registry, PAUSE, watch.debounce, 0, &watch.pause), "timer");
}

/* A folder that is gone may come back: a build that makes it anew, a branch that is changed. */
static void search_later(void)
{
    if (watch.search == 0)
        need(plx_timer_start(watch.registry, SEARCH, PLX_MSEC(100), PLX_MSEC(100), &watch.search), "timer");
}

static void search(void)
{
    bool missing = false;

    for (int i = 0; i < watch.target_count; i++) {
        struct target *target = &watch.targets[i];
        if (target->watch >= 0)
            continue;
        if (add_target(target) < 0)
            missing = true;
        else
            changed();
    }
    if (!missing) {
        plx_timer_cancel(watch.registry, watch.search);
        watch.search = 0;
    }
}

static void take_changes(void)
{
    plx_path_change change;
    int rc;

    while ((rc = plx_paths_next(watch.paths, &change)) == 0) {
        if (change.watch == -1) /* what was lost may have been anything */
            changed();
        for (int i = 0; i < watch.target_count; i++) {
            struct target *target = &watch.targets[i];
            if (target->watch != change.watch)
                continue;
            if (is_ours(target, &change))
                changed();
            if (change.changes & PLX_PATH_SELF_GONE && *change.name == '\0') {
                plx_paths_remove(watch.paths, target->watch);
                target->watch = -1;
                changed();
                search_later();
            }
        }
    }
    if (rc != -EAGAIN)
        need(rc, "cannot watch");
}

/* The changes have paused: now the command may run. */
static void paused(void)
{
    watch.pause = 0;
    if (watch.leaving)
        return;
    watch.again = true;
    if (watch.run)
        end_run(SIGTERM);
    else
        start_run();
}

/* ---- Signals --------------------------------------------------------------- */

static void take_signals(void)
{
    plx_signal_info info;

    while (plx_signals_next(watch.signals, &info) == 0) {
        if (info.number == SIGUSR1 || info.number == SIGUSR2) {
            if (watch.run)
                kill(-watch.pid, info.number);
            continue;
        }
        watch.leaving = true;
        if (watch.run)
            end_run(info.number);
    }
}

/* ---- The command line ------------------------------------------------------ */

static plx_nanos parse_time(const char *option, const char *text)
{
    static const struct {
        const char *unit;
        plx_nanos length;
    } units[] = {{"ms", PLX_MSEC(1)}, {"s", PLX_SEC(1)}, {"m", PLX_SEC(60)}};
    char *end;

    errno = 0;
    double number = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0 && number >= 0 && number <= 1e6)
            return (plx_nanos)(number * (double)units[i].length);
    fail(BAD_USAGE, "%s: not a time such as 200ms, 1.5s or 1m: %s", option, text);
}

static void add_path(char *folder, char *name)
{
    size_t size = ((size_t)watch.target_count + 1) * sizeof *watch.targets;

    watch.targets = need_memory(realloc(watch.targets, size));
    watch.targets[watch.target_count++] = (struct target){.folder = folder, .name = name, .watch = -1};
}

static void add_file(const char *path)
{
    char *copy = need_memory(strdup(path)), *other = need_memory(strdup(path));

    add_path(need_memory(strdup(dirname(copy))), need_memory(strdup(basename(other))));
    free(copy);
    free(other);
}

/* Of a link to a file, both ends: either may be replaced. */
static void parse_path(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        fail(BAD_USAGE, "%s: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode)) {
        add_path(need_memory(strdup(path)), NULL);
        return;
    }
    add_file(path);
    if (lstat(path, &status) == 0 && S_ISLNK(status.st_mode)) {
        char *resolved = realpath(path, NULL);
        if (resolved)
            add_file(resolved);
        free(resolved);
    }
}

static void parse(int argc, char **argv)
{
    static const struct option options[] = {
        {"recursive", no_argument, NULL, 'r'},      {"debounce", required_argument, NULL, 'd'},
        {"grace", required_argument, NULL, 'g'},    {"ignore", required_argument, NULL, 'i'},
        {"clear", no_argument, NULL, 'c'},          {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},        {0},
    };
    int option;

    watch.ignored = need_memory(calloc((size_t)argc, sizeof *watch.ignored));
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:rd:g:i:chV", options, NULL)) != -1)
        switch (option) {
        case 'r': watch.recursive = true; break;
        case 'd': watch.debounce = parse_time("--debounce", optarg); break;
        case 'g': watch.grace = parse_time("--grace", optarg); break;
        case 'i': watch.ignored[watch.ignored_count++] = optarg; break;
        case 'c': watch.clear = true; break;
        case 'h': fputs(usage, stdout); exit(0);
        case 'V': puts("plx-watch " PLX_VERSION); exit(0);
        case ':': fail(BAD_USAGE, "%s wants a value; see --help", argv[optind - 1]);
        default: fail(BAD_USAGE, "no such option: %s; see --help", argv[optind - 1]);
        }
    int first = optind;
    /* getopt has passed over a "--" that stands before any path */
    bool found = first > 1 && strcmp(argv[first - 1], "--") == 0;
    for (; !found && optind < argc; optind++)
        if (strcmp(argv[optind], "--") == 0) {
            found = true;
            break;
        } else {
            parse_path(argv[optind]);
        }
    optind += found && optind < argc && strcmp(argv[optind], "--") == 0;
    if (watch.target_count == 0)
        fail(BAD_USAGE, "no path to watch; see --help");
    if (!found || optind == argc)
        fail(BAD_USAGE, "no command after --; see --help");
    watch.command = argv + optind;
}

/* ---- The loop -------------------------------------------------------------- */

static void handle(const plx_event *event)
{
    switch (event->token) {
    case PATHS: take_changes(); break;
    case SIGNALS: take_signals(); break;
    case RUN: run_ended(); break;
    case PAUSE: paused(); break;
    case SEARCH: search(); break;
    case GRACE:
        watch.deadline = 0;
        kill(-watch.pid, SIGKILL);
        break;
    }
}

int main(int argc, char **argv)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    plx_poller *poller;

    parse(argc, argv);
    need(plx_poller_open(&poller, NULL), "cannot open a poller");
    watch.registry = plx_poller_registry(poller);
    need(plx_signals_open(watch.registry, SIGNALS, numbers, sizeof numbers / sizeof numbers[0], &watch.signals),
         "cannot watch signals");
    need(plx_paths_open(watch.registry, PATHS, &watch.paths), "cannot watch paths");
    for (int i = 0; i < watch.target_count; i++) {
        int rc = add_target(&watch.targets[i]);
        if (rc < 0)
            fail(BAD_USAGE, "%s: %s", watch.targets[i].folder, plx_strerror(rc));
    }

    start_run();
    while (!(watch.leaving && !watch.run)) {
        plx_event events[8];
        int count = plx_poller_wait(poller, events, 8, PLX_FOREVER);
        need(count, "cannot wait");
        for (int i = 0; i < count; i++)
            handle(&events[i]);
    }
    plx_paths_close(watch.paths);
    plx_signals_close(watch.signals);
    plx_poller_close(poller);
    return watch.status;
}
