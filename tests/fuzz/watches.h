/* SPDX-License-Identifier: MIT */
/*
 * What the library adds to poll(2): registrations, modes, tokens. For each number, what it is
 * registered with, and of each event whether it may come, of each wait what had to come.
 *
 * What the contract leaves to a backend, and what is therefore allowed or not owed here:
 *
 *   an edge      May come again after anything was done to the other end, or to the registration
 *                itself; is owed when the source became ready, or more arrived, and is ready still.
 *                On io_uring it may also tell of what was read since, and of each thing that was
 *                done or came about on its own; there a file that was closed while registered goes
 *                within some wait, and its peer tells of that in a later one. It may come once more
 *                for each time that a registration was left behind by a close (the kernel's set is
 *                renewed, on epoll), and when io_uring's set moves to epoll.
 *   a number     that was closed while registered: nothing is owed of it. epoll may tell of a file
 *                that was left behind under it, as long as a duplicate lives; poll says once that it
 *                is closed, and tells of nothing else but what has the same device and inode;
 *                io_uring may tell of anything that was asked for. Registering it again may be
 *                -EEXIST if the same file is back, by device and inode where the backend knows no
 *                more; on epoll also if it is a file that was left behind under this number before.
 *   exclusive    Of several numbers of one file that are registered so, one is told; the others
 *                may not even be told once that one is gone. io_uring makes a poll by number: it
 *                may be for a file that took the number of another before the wait.
 */
#ifndef TESTS_FUZZ_WATCHES_H
#define TESTS_FUZZ_WATCHES_H

#include "trace.h"
#include "world.h"

#include <errno.h>
#include <pollux.h>

enum {
    READINESS = PLX_READABLE | PLX_WRITABLE | PLX_PRIORITY | PLX_READ_CLOSED | PLX_WRITE_CLOSED | PLX_ERROR,
    BOUND = 100 /* waits that may pass something by: there are so many places and no more */
};

#define MODES (PLX_EDGE | PLX_ONESHOT | PLX_EXCLUSIVE)

struct watch {
    bool used;
    plx_token token;
    uint32_t interest; /* as it was given */
    bool native;
    int file;
    bool armed;
    bool strange;     /* the number was closed since */
    bool noticed;     /* and poll has said so */
    bool ever;        /* was strange since the number was last deregistered: backends may differ */
    bool shared;      /* exclusive, and another number had the file as well */
    bool fresh;       /* an edge: something happened since it was told */
    bool owed;        /* an edge: and it must be told, if it is ready still */
    int extra;        /* an edge: so often it may be told without that */
    uint32_t news;    /* what came about since then and is ready still */
    uint32_t seen;    /* what was ready at some time since all was told */
    uint32_t was;     /* ready before this wait */
    uint32_t ready;   /* ready now */
    bool heard;       /* in this wait */
    bool told;        /* since somebody wanted to know */
    uint32_t flags;   /* as it was told last */
    int passed;       /* waits that had no place for it */
};

static struct watch watches[NAMES];
static bool left_behind[NAMES][FILES]; /* the file was registered under this number when that was closed */
static plx_poller *poller; /* NULL: closed */
static plx_registry *registry;
static plx_backend backend;
static bool nested;     /* somebody has the poller's own descriptor */
static bool suspicious; /* the kernel may have had registrations that were left behind */
static plx_token tokens;

static plx_token token_new(void)
{
    plx_token token = plx_registry_new_token(registry);

    AGREE(token == ++tokens);
    return token;
}

/* A set of io_uring that has moved is one of epoll. */
static bool is_ring(void)
{
    return backend == PLX_BACKEND_IO_URING && !nested;
}

static bool watch_is_edge(const struct watch *watch)
{
    return watch->interest & PLX_EDGE && !(watch->interest & PLX_ONESHOT);
}

/* ---- What is ready ----------------------------------------------------------------------- */

/* All that may be reported of it. */
static uint32_t reported(const struct watch *watch)
{
    uint32_t flags = watch->interest & READINESS;

    if (watch->native)
        return READINESS;
    if (flags)
        flags |= PLX_WRITE_CLOSED | PLX_ERROR;
    if (flags & PLX_READABLE && !(watch->interest & PLX_EXCLUSIVE))
        flags |= PLX_READ_CLOSED;
    return flags;
}

/* What poll(2) says, in the library's terms. */
static uint32_t translated(int revents, enum kind kind)
{
    uint32_t flags = 0;

    flags |= revents & (POLLIN | POLLRDNORM) ? PLX_READABLE : 0;
    flags |= revents & POLLOUT ? PLX_WRITABLE : 0;
    flags |= revents & POLLPRI ? PLX_PRIORITY : 0;
    flags |= revents & POLLRDHUP ? PLX_READ_CLOSED : 0;
    flags |= revents & POLLHUP ? PLX_READ_CLOSED | PLX_WRITE_CLOSED : 0;
    flags |= revents & POLLERR ? PLX_ERROR : 0;
    flags |= revents & POLLERR && kind == PIPE ? PLX_WRITE_CLOSED : 0;
    return flags;
}

/* What is to be told of it. Of a native one the kernel says what it was asked for, and no more. */
static uint32_t watch_readiness(const struct watch *watch, int revents)
{
    enum kind kind = files[watch->file].kind;

    if (watch->native)
        return translated(revents & ((int)watch->interest | POLLERR | POLLHUP), kind);
    uint32_t both = revents & (POLLERR | POLLHUP) ? PLX_READABLE | PLX_WRITABLE : 0;
    return (translated(revents, kind) | both) & reported(watch);
}

/* What came about since the last look is an arrival. */
static void watch_observe(struct watch *watch, uint32_t ready)
{
    if (ready & ~watch->ready)
        watch->fresh = watch->owed = true;
    watch->news = (watch->news | ~watch->ready) & ready;
    watch->seen |= ready;
    watch->ready = ready;
}

/* Whether another has the same file, exclusively; with io_uring also who was left behind with its number. */
static bool watch_shares(const struct watch *watch)
{
    for (int place = 0; place < NAMES && watch->interest & PLX_EXCLUSIVE; place++) {
        const struct watch *other = &watches[place];
        if (other != watch && other->used && other->interest & PLX_EXCLUSIVE &&
            (other->file == watch->file || (is_ring() && name[place] == watch->file)))
            return true;
    }
    return false;
}

static void observe(void)
{
    struct pollfd set[NAMES];
    struct watch *of[NAMES];
    nfds_t count = 0;

    for (int place = 0; place < NAMES; place++)
        if (watches[place].used && !watches[place].strange) {
            set[count] = (struct pollfd){.fd = number_of(place),
                                         .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM};
            of[count++] = &watches[place];
            watches[place].shared |= watch_shares(&watches[place]);
        }
    AGREE(poll(set, count, 0) >= 0);
    for (nfds_t i = 0; i < count; i++) {
        AGREE(!(set[i].revents & POLLNVAL));
        watch_observe(of[i], watch_readiness(of[i], set[i].revents));
    }
}

/* Something was done to a file that its watchers may be told of; or bytes arrived there. */
static void touch(int file, bool arrived)
{
    for (int place = 0; place < NAMES; place++)
        if (watches[place].used && watches[place].file == file) {
            watches[place].extra += is_ring() && watches[place].fresh && watches[place].seen;
            watches[place].fresh = true;
            watches[place].owed |= arrived && watches[place].interest & PLX_READABLE;
        }
}

static void touch_peer(int place, bool arrived)
{
    int peer = file_at(place)->peer;

    if (peer != NOTHING)
        touch(peer, arrived);
}

/* ---- Registering --------------------------------------------------------------------------- */

/* What the arguments alone are refused for; 0: for nothing. */
static int refusal(uint32_t interest, bool native)
{
    if (native)
        return backend == PLX_BACKEND_POLL ? -ENOTSUP : 0;
    if (interest & ~(READINESS | MODES))
        return -EINVAL;
    if (interest & PLX_EXCLUSIVE && interest & (PLX_ONESHOT | PLX_PRIORITY | PLX_READ_CLOSED))
        return -EINVAL;
    return interest & (PLX_EDGE | PLX_EXCLUSIVE) && backend == PLX_BACKEND_POLL ? -ENOTSUP : 0;
}

/* Whether a number that was closed since may pass for what it was, or for what it was even before. */
static bool is_back(const struct watch *watch, int place)
{
    const struct file *now = file_at(place);

    if (!now)
        return false;
    if (backend != PLX_BACKEND_EPOLL && now->identity == files[watch->file].identity)
        return true;
    return (backend == PLX_BACKEND_EPOLL || nested) && left_behind[place][name[place]];
}

/* The kernel was told of a registration, and looks at the source. */
static void watch_renew(struct watch *watch)
{
    watch->fresh = watch->owed = true;
    watch->news = watch->seen = watch->ready = watch->was = 0;
    watch->passed = 0;
}

static void watch_set(struct watch *watch, plx_token token, uint32_t interest, bool native)
{
    watch->token = token;
    watch->interest = interest;
    watch->native = native;
    watch->armed = true;
    watch->shared = false;
    watch_renew(watch);
}

/* A registration was left behind in the kernel, perhaps: its set will be renewed, perhaps. */
static void suspect(void)
{
    suspicious = true;
    for (int place = 0; place < NAMES; place++)
        watches[place].extra++;
}

static void agree_on_lookup(int place)
{
    const struct watch *watch = &watches[place];
    plx_token token = 0;
    uint32_t interest = 0;
    int rc = plx_lookup(registry, number_of(place), &token, &interest);

    AGREE(rc == (watch->used ? 0 : -ENOENT));
    AGREE(!watch->used || (token == watch->token && interest == watch->interest));
}

/* What a call returned, for the comparison of backends, where the contract fixes it. */
static void watch_returned(int place, bool fixed, int rc)
{
    if (fixed)
        note(((uint64_t)place << 32) + (uint32_t)-rc);
    agree_on_lookup(place);
}

static void do_register(int place, uint32_t interest, bool native)
{
    struct watch *watch = &watches[place];
    const struct file *file = file_at(place);
    bool fixed = !watch->ever;
    plx_token token = token_new();
    int rc = (native ? plx_register_native : plx_register)(registry, number_of(place), token, interest);

    trace("register %d, token %d, interest 0x%x%s: %d", place, (int)token, (unsigned)interest,
          native ? ", native" : "", rc);
    if (refusal(interest, native))
        AGREE(rc == refusal(interest, native));
    else if (!file)
        AGREE(rc == -EBADF);
    else if (file->kind == FOLDER)
        AGREE(rc == -EPERM);
    else if (!watch->used)
        AGREE(rc == 0);
    else if (!watch->strange)
        AGREE(rc == -EEXIST);
    else
        AGREE(rc == 0 || (rc == -EEXIST && is_back(watch, place)));
    if (rc == 0) {
        if (watch->used)
            suspect();
        *watch = (struct watch){.used = true, .file = name[place], .ever = watch->used, .extra = suspicious};
        watch_set(watch, token, interest, native);
    }
    watch_returned(place, fixed, rc);
}

/*
 * What a change returns once the kernel is asked. It knows the number as what it was, or it was
 * not asked: io_uring arms a oneshot again in good faith.
 */
static void agree_on_change(struct watch *watch, int place, int rc)
{
    if (!watch->strange) {
        AGREE(rc == 0);
        return;
    }
    bool trusted = is_ring() && watch->interest & PLX_ONESHOT && !watch->armed;
    if (rc < 0)
        AGREE(rc == (file_at(place) ? -ENOENT : -EBADF));
    else
        AGREE(is_back(watch, place) || trusted);
    if (rc == 0 && !is_ring()) {
        watch->strange = watch->noticed = false;
        watch->file = name[place];
    }
}

static void do_reregister(int place, uint32_t interest, bool native)
{
    struct watch *watch = &watches[place];
    bool fixed = !watch->ever;
    plx_token token = token_new();
    int rc = (native ? plx_reregister_native : plx_reregister)(registry, number_of(place), token, interest);

    trace("reregister %d, token %d, interest 0x%x%s: %d", place, (int)token, (unsigned)interest,
          native ? ", native" : "", rc);
    if (refusal(interest, native))
        AGREE(rc == refusal(interest, native));
    else if (!watch->used)
        AGREE(rc == -ENOENT);
    else
        agree_on_change(watch, place, rc);
    if (rc == 0)
        watch_set(watch, token, interest, native);
    watch_returned(place, fixed, rc);
}

/* The error of enable and disable that asks no kernel, or 0. */
static int adjusting_fails(const struct watch *watch, uint32_t interest)
{
    if (interest & ~(uint32_t)READINESS)
        return -EINVAL;
    if (!watch->used)
        return -ENOENT;
    return watch->native ? -EINVAL : 0;
}

static void do_enable(int place, uint32_t interest)
{
    struct watch *watch = &watches[place];
    bool fixed = !watch->ever;
    uint32_t now = watch->interest | interest;
    int rc = plx_enable(registry, number_of(place), interest);

    trace("enable %d, interest 0x%x: %d", place, (unsigned)interest, rc);
    if (adjusting_fails(watch, interest))
        AGREE(rc == adjusting_fails(watch, interest));
    else if (refusal(now, false))
        AGREE(rc == refusal(now, false));
    else if (now == watch->interest && watch->armed)
        AGREE(rc == 0);
    else {
        agree_on_change(watch, place, rc);
        if (rc == 0)
            watch_set(watch, watch->token, now, false);
    }
    watch_returned(place, fixed, rc);
}

/* It arms nothing; an edge that is ready may be told again. */
static void do_disable(int place, uint32_t interest)
{
    struct watch *watch = &watches[place];
    bool fixed = !watch->ever;
    uint32_t now = watch->interest & ~interest;
    int rc = plx_disable(registry, number_of(place), interest);

    trace("disable %d, interest 0x%x: %d", place, (unsigned)interest, rc);
    if (adjusting_fails(watch, interest))
        AGREE(rc == adjusting_fails(watch, interest));
    else if (now == watch->interest)
        AGREE(rc == 0);
    else {
        agree_on_change(watch, place, rc);
        if (rc == 0) {
            watch->interest = now;
            watch->ready &= reported(watch);
            watch->news &= reported(watch);
            watch->seen &= reported(watch);
            watch->fresh = true;
        }
    }
    watch_returned(place, fixed, rc);
}

static void do_deregister(int place)
{
    struct watch *watch = &watches[place];
    bool fixed = !watch->ever;
    int rc = plx_deregister(registry, number_of(place));

    trace("deregister %d: %d", place, rc);
    AGREE(rc == (watch->used ? 0 : -ENOENT));
    if (watch->used && watch->strange)
        suspect();
    *watch = (struct watch){0};
    watch_returned(place, fixed, rc);
}

/* The number is about to name its file no more. */
static void watch_leave(int place)
{
    struct watch *watch = &watches[place];
    struct file *file = &files[name[place]];

    if (watch->used) {
        left_behind[place][watch->file] = true;
        watch->strange = watch->ever = true;
        file->pinned = true;
        if (file->peer != NOTHING)
            files[file->peer].pinned = true;
    }
}

/* ---- A wait ---------------------------------------------------------------------------------- */

static void watches_begin(void)
{
    observe();
    for (int place = 0; place < NAMES; place++) {
        watches[place].was = watches[place].ready;
        watches[place].heard = false;
    }
}

static bool any_left_behind_lives(int place)
{
    for (int file = 0; file < file_count; file++)
        if (left_behind[place][file] && files[file].names > 0)
            return true;
    return false;
}

static void agree_on_strange(struct watch *watch, int place, uint32_t flags)
{
    bool is_open = file_at(place) != NULL;

    if (backend == PLX_BACKEND_EPOLL)
        AGREE(any_left_behind_lives(place));
    if (backend == PLX_BACKEND_POLL && is_open)
        AGREE(is_back(watch, place));
    if (backend == PLX_BACKEND_POLL && !is_open) {
        AGREE(flags & PLX_ERROR && !watch->noticed);
        watch->noticed = true;
    }
}

static void agree_on_edge(struct watch *watch, uint32_t flags)
{
    if (is_ring())
        AGREE(!(flags & ~watch->seen));
    else
        AGREE(flags == watch->was || flags == watch->ready);
    if (!watch->fresh) {
        AGREE(watch->extra > 0);
        watch->extra--;
    }
    watch->news &= ~flags;
    watch->fresh = watch->owed = watch->news != 0;
    if (watch->extra == 0)
        watch->seen = watch->ready;
}

static void hear_readiness(const plx_event *event)
{
    int place = 0;

    while (place < NAMES && !(watches[place].used && watches[place].token == event->token))
        place++;
    AGREE(place < NAMES); /* or the token is stale, or nobody's */
    struct watch *watch = &watches[place];
    AGREE(!watch->heard && watch->armed);
    AGREE(event->flags && !(event->flags & ~reported(watch)));
    AGREE(event->data == 0 && event->native != 0);
    if (watch->strange)
        agree_on_strange(watch, place, event->flags);
    else if (watch_is_edge(watch))
        agree_on_edge(watch, event->flags);
    else
        AGREE(event->flags == watch->was || event->flags == watch->ready);
    if (watch->interest & PLX_ONESHOT)
        watch->armed = false;
    watch->heard = watch->told = true;
    watch->flags = event->flags;
}

/* A poller's descriptor wakes with POLLIN alone: epoll does not tell who asked for POLLRDNORM. */
static bool watch_is_deaf(const struct watch *watch)
{
    return watch->native && files[watch->file].kind == POLLER && !(watch->interest & POLLIN);
}

/*
 * Whether there must be an event, if it is ready to this extent. Where PLX_PRIORITY is asked for,
 * io_uring asks what is ready of what came: it may have been read since.
 */
static bool watch_owes(const struct watch *watch, uint32_t ready)
{
    if (!watch->used || watch->strange || !watch->armed || !ready || watch->shared || watch_is_deaf(watch))
        return false;
    if (is_ring() && watch_is_edge(watch) && watch->interest & PLX_PRIORITY)
        return false;
    return !watch_is_edge(watch) || watch->owed;
}

/*
 * Whether the kernel may have something for a wait that is nobody's, and takes a place: a
 * registration that is silent, or was left behind; a wake for the loop outside.
 */
static bool watches_may_hide(void)
{
    bool may = suspicious || nested;

    for (int place = 0; place < NAMES; place++) {
        const struct watch *watch = &watches[place];
        may |= watch->used && (watch->strange || !watch->armed || !reported(watch));
    }
    return may;
}

/* What was owed and did not come had no place, and not for long. */
static void watches_end(bool full)
{
    bool excused = full || watches_may_hide();

    for (int place = 0; place < NAMES; place++) {
        struct watch *watch = &watches[place];
        if (!watch->heard && watch_owes(watch, watch->was & watch->ready))
            AGREE(excused && ++watch->passed <= BOUND);
        else
            watch->passed = 0;
        watch->owed &= (watch->was | watch->ready) != 0;
    }
}

/* Whether anything is owed now; or of what is owed, something that was not told since. */
static bool watches_owe(bool untold)
{
    for (int place = 0; place < NAMES; place++)
        if (watch_owes(&watches[place], watches[place].ready) && !(untold && watches[place].told))
            return true;
    return false;
}

/* Whether there may be an event with each wait, though none is owed. */
static bool watches_may_speak(void)
{
    for (int place = 0; place < NAMES; place++)
        if (watches[place].used &&
            (watches[place].strange || watches[place].shared || watch_is_deaf(&watches[place])))
            return true;
    return false;
}

/* What all backends must say alike: of levels, what each was told to be. */
static void watches_compare(void)
{
    for (int place = 0; place < NAMES; place++) {
        const struct watch *watch = &watches[place];
        if (watch->used && !watch->ever && !(watch->interest & MODES) && !files[watch->file].pinned &&
            !watch_is_deaf(watch))
            note((uint64_t)(place + NAMES) << 32 | (watch->told ? watch->flags : 0));
    }
}

#endif
