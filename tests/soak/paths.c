/* SPDX-License-Identifier: MIT */
/*
 * paths [SECONDS [FOLDERS [OPERATIONS]]]: four processes make, rename and delete files and
 * folders in a tree of so many folders, each about so many times a second, while a watcher
 * keeps a model of the tree from the changes alone. At the end the model is compared with a
 * listing. After an overflow the processes are stopped and the model is made from a listing,
 * as a program would look again.
 */
#include "os/config.h"

#include "../tools.h"

#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { WORKERS = 4, FILES = 20, PATH_ROOM = 4096 };

static char root[PATH_ROOM];
static struct counters {
    atomic_long tried, done;
} *counters; /* shared with the workers */

/* ---- The model ------------------------------------------------------------------- */

typedef struct node {
    struct node *next, *children;
    uint32_t cookie; /* on its way */
    bool seen;
    char name[];
} node;

static node *model, *travelling;
static long nodes;

static node *node_make(const char *name, size_t length)
{
    node *made = calloc(1, sizeof *made + length + 1);

    CHECK(made != NULL);
    memcpy(made->name, name, length);
    nodes++;
    return made;
}

static void node_free(node *top)
{
    while (top->children) {
        node *child = top->children;
        top->children = child->next;
        node_free(child);
    }
    nodes--;
    free(top);
}

static node **node_find(node *parent, const char *name, size_t length)
{
    node **place = &parent->children;

    while (*place && (strncmp((*place)->name, name, length) != 0 || (*place)->name[length]))
        place = &(*place)->next;
    return place;
}

/* Where a path is, or would be; folders on the way are made. */
static node **model_place(const char *path)
{
    node *at = model;

    for (;;) {
        size_t length = strcspn(path, "/");
        node **place = node_find(at, path, length);
        if (!path[length])
            return place;
        if (!*place)
            *place = node_make(path, length);
        at = *place;
        path += length + 1;
    }
}

static const char *last_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void model_remove(node **place)
{
    node *gone = *place;

    if (!gone)
        return;
    *place = gone->next;
    node_free(gone);
}

static void model_send(node **place, uint32_t cookie)
{
    node *sent = *place;

    if (!sent)
        return;
    *place = sent->next;
    sent->cookie = cookie;
    sent->next = travelling;
    travelling = sent;
}

static void model_arrive(node **place, const char *name, uint32_t cookie)
{
    node **sent = &travelling;

    model_remove(place);
    while (*sent && (*sent)->cookie != cookie)
        sent = &(*sent)->next;
    node *arrived = node_make(name, strlen(name));
    if (*sent) {
        node *was = *sent;
        *sent = was->next;
        arrived->children = was->children;
        was->children = NULL;
        node_free(was);
    }
    arrived->next = *place;
    *place = arrived;
}

static void model_apply(const plx_path_change *change)
{
    node **place = model_place(change->name);
    const char *name = last_of(change->name);

    if (change->changes == PLX_PATH_CREATED && !*place)
        *place = node_make(name, strlen(name));
    else if (change->changes == PLX_PATH_DELETED)
        model_remove(place);
    else if (change->changes == PLX_PATH_MOVED_FROM)
        model_send(place, change->cookie);
    else if (change->changes == PLX_PATH_MOVED_TO)
        model_arrive(place, name, change->cookie);
}

/* ---- The tree itself ------------------------------------------------------------- */

static long missing, surplus;
static bool learning;

static int list_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    if (where->level == 0)
        return 0;
    path += strlen(root) + 1;
    node **place = model_place(path);
    if (!*place) {
        if (!learning && missing++ < 20)
            printf("not in the model: %s\n", path);
        *place = node_make(last_of(path), strlen(last_of(path)));
    }
    (*place)->seen = true;
    return 0;
}

static void count_surplus(node *top, const char *path)
{
    char below[PATH_ROOM];

    for (node *child = top->children; child; child = child->next) {
        snprintf(below, sizeof below, "%s/%s", path, child->name);
        if (!child->seen && surplus++ < 20)
            printf("not in the tree:%s\n", below);
        child->seen = false;
        count_surplus(child, below);
    }
}

static void learn(void)
{
    while (model->children)
        model_remove(&model->children);
    while (travelling)
        model_remove(&travelling);
    learning = true;
    CHECK(nftw(root, list_one, 32, FTW_PHYS) == 0);
    learning = false;
    count_surplus(model, "");
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void make_tree(long folders)
{
    char path[PATH_ROOM];
    long made = 0;

    for (int depth = 1; made < folders; depth++) {
        long count = 1;
        for (int i = 0; i < depth; i++)
            count *= 10;
        for (long number = 0; number < count && made < folders; number++) {
            size_t length = (size_t)snprintf(path, sizeof path, "%s", root);
            for (long part = count / 10; part; part /= 10)
                length += (size_t)snprintf(path + length, sizeof path - length, "/d%ld", number / part % 10);
            made += mkdir(path, 0700) == 0;
        }
    }
}

/* ---- The workers ----------------------------------------------------------------- */

static void random_folder(random_state *random, char *path)
{
    size_t length = (size_t)snprintf(path, PATH_ROOM, "%s", root);

    for (uint32_t depth = random_below(random, 5); depth > 0; depth--)
        length += (size_t)snprintf(path + length, PATH_ROOM - length, "/d%u", (unsigned)random_below(random, 10));
}

static void random_file(random_state *random, char *path)
{
    random_folder(random, path);
    size_t length = strlen(path);
    snprintf(path + length, PATH_ROOM - length, "/f%u", (unsigned)random_below(random, FILES));
}

static bool make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    return fd >= 0 && close(fd) == 0;
}

/* mkdir -p, with a file in each. */
static bool make_deep(random_state *random, char *path)
{
    bool made = false;

    random_folder(random, path);
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(path);
        snprintf(path + length, PATH_ROOM - length, "/d%u", (unsigned)random_below(random, 10));
        made |= mkdir(path, 0700) == 0;
        length = strlen(path);
        snprintf(path + length, PATH_ROOM - length, "/f%u", (unsigned)random_below(random, FILES));
        made |= make_file(path);
        path[length] = '\0';
    }
    return made;
}

static bool operate(random_state *random)
{
    static char one[PATH_ROOM], other[PATH_ROOM];
    uint32_t kind = random_below(random, 100);

    if (kind < 20) {
        random_folder(random, one);
        random_folder(random, other);
        if (kind < 12)
            return strcmp(one, root) && strcmp(other, root) && rename(one, other) == 0;
        return kind < 16 ? strcmp(one, root) && rmdir(one) == 0 : make_deep(random, one);
    }
    random_file(random, one);
    random_file(random, other);
    return kind < 55 ? make_file(one) : kind < 85 ? unlink(one) == 0 : rename(one, other) == 0;
}

_Noreturn static void work(uint64_t seed, plx_nanos end, long rate)
{
    random_state random = {seed};

    for (long i = 1; plx_now() < end; i++) {
        atomic_fetch_add(&counters->done, operate(&random));
        atomic_fetch_add(&counters->tried, 1);
        if (i % 10 == 0)
            sleep_for(PLX_SEC(10) / rate);
    }
    _Exit(0);
}

/* ---- The watcher ----------------------------------------------------------------- */

struct watcher {
    plx_poller *poller;
    plx_paths *paths;
    long events, changes, overflows;
    pid_t workers[WORKERS];
};

static void all_workers(struct watcher *self, int number)
{
    for (int i = 0; i < WORKERS; i++)
        if (self->workers[i])
            kill(self->workers[i], number);
}

/* Takes what is there; whether an overflow was. */
static bool take(struct watcher *self)
{
    plx_path_change change;
    bool overflow = false;
    int rc;

    while ((rc = plx_paths_next(self->paths, &change)) == 0) {
        self->changes++;
        if (change.changes == PLX_PATH_OVERFLOW)
            overflow = true;
        else
            model_apply(&change);
    }
    CHECK_RC(rc, -EAGAIN);
    return overflow;
}

static void watch_once(struct watcher *self, plx_nanos timeout)
{
    plx_event event;

    int count = plx_poller_wait(self->poller, &event, 1, timeout);
    CHECK(count >= 0);
    self->events += count;
    if (!take(self))
        return;
    self->overflows++;
    all_workers(self, SIGSTOP);
    sleep_for(PLX_MSEC(50)); /* until they stand still */
    while (take(self)) {
    }
    learn();
    all_workers(self, SIGCONT);
}

int main(int argc, char **argv)
{
    long seconds = argc > 1 ? atol(argv[1]) : 2;
    long folders = argc > 2 ? atol(argv[2]) : 500;
    long rate = argc > 3 ? atol(argv[3]) : 1000;
    const char *where = getenv("TMPDIR");
    struct watcher self = {0};
    random_state random = random_start();
    int number;

    snprintf(root, sizeof root, "%s/pollux.XXXXXX", where && *where ? where : "/tmp");
    CHECK(mkdtemp(root) != NULL);
    counters = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(counters != MAP_FAILED);
    make_tree(folders);
    plx_nanos end = plx_now() + PLX_SEC(seconds);
    for (int i = 0; i < WORKERS; i++) {
        uint64_t seed = random_next(&random);
        self.workers[i] = fork();
        CHECK(self.workers[i] >= 0);
        if (self.workers[i] == 0) {
            sleep_for(PLX_MSEC(500)); /* while the tree is looked through */
            work(seed, end, rate);
        }
    }
    CHECK_RC(plx_poller_open(&self.poller, NULL), 0);
    CHECK_RC(plx_paths_open(plx_poller_registry(self.poller), 1, &self.paths), 0);
    plx_nanos begin = plx_now();
    CHECK_RC(plx_paths_add(self.paths, root,
                           PLX_PATH_CREATED | PLX_PATH_DELETED | PLX_PATH_MOVED_FROM | PLX_PATH_MOVED_TO |
                               PLX_PATH_RECURSIVE,
                           &number),
             0);
    plx_nanos took = plx_now() - begin;
    model = node_make("", 0);
    all_workers(&self, SIGSTOP);
    sleep_for(PLX_MSEC(50));
    while (take(&self)) {
    }
    learn();
    all_workers(&self, SIGCONT);

    int left = WORKERS;
    while (left > 0) {
        watch_once(&self, PLX_MSEC(100));
        for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0; left--)
            for (int i = 0; i < WORKERS; i++)
                self.workers[i] = self.workers[i] == pid ? 0 : self.workers[i];
    }
    for (int i = 0; i < 5; i++)
        watch_once(&self, PLX_MSEC(50));
    CHECK(nftw(root, list_one, 32, FTW_PHYS) == 0);
    count_surplus(model, "");
    printf("%ld folders looked through in %ld us; %ld operations, %ld done; %ld events, %ld changes, %ld overflows; "
           "%ld names at the end, %ld missing in the model, %ld too many\n",
           folders, (long)(took / 1000), atomic_load(&counters->tried), atomic_load(&counters->done), self.events,
           self.changes, self.overflows, nodes, missing, surplus);
    plx_paths_close(self.paths);
    plx_poller_close(self.poller);
    CHECK(nftw(root, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0);
    while (travelling)
        model_remove(&travelling);
    node_free(model);
    return missing || surplus ? 1 : 0;
}
