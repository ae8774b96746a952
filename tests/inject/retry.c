/* SPDX-License-Identifier: MIT */
/*
 * The library as a case sees it that does not know of the fault: a call that met it and returned
 * an error is made once more, and the second result counts. "A call that fails changes nothing"
 * is what such a case passes by: it cannot tell that there was a first call.
 *
 * The linker puts __wrap_NAME in place of NAME for each NAME of the lists below, which the build
 * reads: RETRIED(NAME, and ENDED(NAME, begin a line each.
 */
#include "../check.h"

#include "inject.h"

#include <string.h>

enum { OUTPUTS = 2, OUTPUT_SIZE = 64 };

/* What a function writes to when it succeeds. */
typedef struct output {
    const void *where; /* NULL: nothing */
    size_t size;
    unsigned char before[OUTPUT_SIZE];
} output;

/* What a call is judged by. */
typedef struct call {
    long met;   /* before it */
    bool quiet; /* a wake that fails is no error of it: what it would have told comes with a later wait */
    output outputs[OUTPUTS];
    bool sends;
    int results;
    plx_registry *registry; /* with these a registration is looked at; NULL: none */
    plx_fd fd;
    int known;
    plx_token token;
    uint32_t interest;
} call;

static bool interrupts; /* some poller is to return at signals */

static void begin(call *self)
{
    self->met = inject_met();
    inject_begin_call(self->quiet);
    for (int i = 0; i < OUTPUTS && self->outputs[i].where; i++)
        memcpy(self->outputs[i].before, self->outputs[i].where, self->outputs[i].size);
    if (self->registry)
        self->known = plx_lookup(self->registry, self->fd, &self->token, &self->interest);
}

static void check_registration(const char *name, const call *self)
{
    plx_token token = self->token;
    uint32_t interest = self->interest;

    if (self->known != plx_lookup(self->registry, self->fd, &token, &interest) || token != self->token ||
        interest != self->interest)
        check_fail_with(__FILE__, __LINE__, "", "%s failed and changed the registration", name);
}

/*
 * Whether it is made once more. A wait that another thread's signal ends is no error of this one. A
 * send may meet a fault of the receiver's thread as often as that one does.
 */
static bool end(const char *name, call *self, int rc, int own)
{
    bool met = inject_met() != self->met;

    if (self->results++ > 0)
        return self->sends && rc == -ENOMEM && self->results <= INJECT_AGAIN + 1;
    inject_end_call();
    if (self->sends && rc == -ENOMEM) /* for a message that waits the receiver's thread asks for memory */
        met = inject_refused();
    if (!met || rc >= 0)
        return false;
    if (rc != own && (rc == -EAGAIN || (rc == -EINTR && !interrupts)))
        check_fail_with(__FILE__, __LINE__, "", "%s returned %d (%s)", name, rc, plx_strerror(rc));
    for (int i = 0; i < OUTPUTS && self->outputs[i].where; i++)
        if (memcmp(self->outputs[i].before, self->outputs[i].where, self->outputs[i].size) != 0)
            check_fail_with(__FILE__, __LINE__, "", "%s failed and wrote its output", name);
    if (self->registry)
        check_registration(name, self);
    return true;
}

/* RETRIED(name, the error that is no failure or 0, parameters, arguments, what to look at). */
#define RETRIED(name, own, parameters, arguments, ...)                                     \
    int __real_##name parameters;                                                          \
    int __wrap_##name parameters;                                                          \
    int __wrap_##name parameters                                                           \
    {                                                                                      \
        call self = {__VA_ARGS__};                                                         \
        begin(&self);                                                                      \
        int rc = __real_##name arguments;                                                  \
        while (end(#name, &self, rc, own))                                                 \
            rc = __real_##name arguments;                                                  \
        return rc;                                                                         \
    }

/* What cannot fail copes. */
#define ENDED(name, type)                                                                  \
    void __real_##name(type *self);                                                        \
    void __wrap_##name(type *self);                                                        \
    void __wrap_##name(type *self)                                                         \
    {                                                                                      \
        inject_begin_call(true);                                                           \
        __real_##name(self);                                                               \
        inject_end_call();                                                                 \
    }

#define OUT(pointer) {.where = (pointer), .size = sizeof *(pointer)}
#define NOTHING .met = 0
#define QUIET .quiet = true
#define SENDS .quiet = true, .sends = true
#define ONE(pointer) .outputs = {OUT(pointer)}
#define BOTH(one, other) .outputs = {OUT(one), OUT(other)}
#define REGISTRATION(its_registry, its_fd) .registry = (its_registry), .fd = (its_fd)

// clang-format off
RETRIED(plx_poller_wait, 0, (plx_poller *p, plx_event *e, int n, plx_nanos t), (p, e, n, t), QUIET)
RETRIED(plx_poller_wait_until, 0, (plx_poller *p, plx_event *e, int n, plx_nanos t), (p, e, n, t), QUIET)
RETRIED(plx_poller_descriptor, 0, (plx_poller *p), (p), NOTHING)
RETRIED(plx_poller_advance, 0, (plx_poller *p, plx_nanos t), (p, t), QUIET)
RETRIED(plx_register, 0, (plx_registry *r, plx_fd f, plx_token t, uint32_t i), (r, f, t, i), REGISTRATION(r, f))
RETRIED(plx_reregister, 0, (plx_registry *r, plx_fd f, plx_token t, uint32_t i), (r, f, t, i), REGISTRATION(r, f))
RETRIED(plx_register_native, 0, (plx_registry *r, plx_fd f, plx_token t, uint32_t n), (r, f, t, n), REGISTRATION(r, f))
RETRIED(plx_reregister_native, 0, (plx_registry *r, plx_fd f, plx_token t, uint32_t n), (r, f, t, n), REGISTRATION(r, f))
RETRIED(plx_deregister, 0, (plx_registry *r, plx_fd f), (r, f), REGISTRATION(r, f))
RETRIED(plx_enable, 0, (plx_registry *r, plx_fd f, uint32_t i), (r, f, i), REGISTRATION(r, f))
RETRIED(plx_disable, 0, (plx_registry *r, plx_fd f, uint32_t i), (r, f, i), REGISTRATION(r, f))
RETRIED(plx_notify, 0, (plx_registry *r), (r), NOTHING)
RETRIED(plx_post, 0, (plx_registry *r, plx_token t, uint64_t d), (r, t, d), NOTHING)
RETRIED(plx_waker_open, 0, (plx_registry *r, plx_token t, plx_waker **o), (r, t, o), ONE(o))
RETRIED(plx_waker_wake, 0, (plx_waker *w), (w), NOTHING)
RETRIED(plx_timer_start, 0, (plx_registry *r, plx_token t, plx_nanos f, plx_nanos i, plx_timer *o), (r, t, f, i, o), ONE(o))
RETRIED(plx_timer_start_at, 0, (plx_registry *r, plx_token t, plx_nanos d, plx_nanos i, plx_timer *o), (r, t, d, i, o), ONE(o))
RETRIED(plx_timer_restart, 0, (plx_registry *r, plx_timer t, plx_nanos f, plx_nanos i), (r, t, f, i), NOTHING)
RETRIED(plx_timer_cancel, 0, (plx_registry *r, plx_timer t), (r, t), NOTHING)
RETRIED(plx_channel_open, 0, (plx_registry *r, plx_token t, size_t n, plx_sender **s, plx_receiver **o), (r, t, n, s, o), BOTH(s, o))
RETRIED(plx_channel_open_bounded, 0, (plx_registry *r, plx_token t, size_t n, size_t b, plx_sender **s, plx_receiver **o), (r, t, n, b, s, o), BOTH(s, o))
RETRIED(plx_sender_send, 0, (plx_sender *s, const void *m), (s, m), SENDS)
RETRIED(plx_sender_try_send, -EAGAIN, (plx_sender *s, const void *m), (s, m), SENDS)
RETRIED(plx_sender_send_until, 0, (plx_sender *s, const void *m, plx_nanos d), (s, m, d), SENDS)
RETRIED(plx_receiver_recv, -EAGAIN, (plx_receiver *r, void *m), (r, m), NOTHING)
RETRIED(plx_receiver_recv_many, -EAGAIN, (plx_receiver *r, void *m, size_t n), (r, m, n), NOTHING)
RETRIED(plx_signals_open, 0, (plx_registry *r, plx_token t, const int *n, int c, plx_signals **o), (r, t, n, c, o), ONE(o))
RETRIED(plx_signals_next, -EAGAIN, (plx_signals *s, plx_signal_info *o), (s, o), ONE(o))
RETRIED(plx_process_open, 0, (plx_registry *r, plx_token t, plx_pid p, plx_process **o), (r, t, p, o), ONE(o))
RETRIED(plx_process_status, -EAGAIN, (plx_process *p, plx_exit *o), (p, o), ONE(o))
RETRIED(plx_paths_open, 0, (plx_registry *r, plx_token t, plx_paths **o), (r, t, o), ONE(o))
RETRIED(plx_paths_add, 0, (plx_paths *p, const char *n, uint32_t c, int *o), (p, n, c, o), ONE(o), QUIET)
RETRIED(plx_paths_remove, 0, (plx_paths *p, int w), (p, w), NOTHING)

ENDED(plx_poller_close, plx_poller)
ENDED(plx_registry_release, plx_registry)
ENDED(plx_waker_release, plx_waker)
ENDED(plx_sender_release, plx_sender)
ENDED(plx_receiver_close, plx_receiver)
ENDED(plx_signals_close, plx_signals)
ENDED(plx_process_close, plx_process)
ENDED(plx_paths_close, plx_paths)
// clang-format on

#undef RETRIED
#define RETRIED(name, parameters) int __real_##name parameters; int __wrap_##name parameters; int __wrap_##name parameters

/* Its memory is counted. */
RETRIED(plx_poller_open, (plx_poller **poller, const plx_options *options))
{
    call self = {ONE(poller)};
    plx_options mine = options ? *options : (plx_options){0};

    mine.allocator = inject_allocator(mine.allocator);
    interrupts = interrupts || mine.flags & PLX_RETURN_ON_SIGNAL;
    begin(&self);
    int rc = __real_plx_poller_open(poller, &mine);
    return end("plx_poller_open", &self, rc, 0) ? __real_plx_poller_open(poller, &mine) : rc;
}

/* An overflow in place of a change is what it promises. */
RETRIED(plx_paths_next, (plx_paths *paths, plx_path_change *change))
{
    call self = {ONE(change), QUIET};

    begin(&self);
    int rc = __real_plx_paths_next(paths, change);
    if (end("plx_paths_next", &self, rc, -EAGAIN))
        rc = __real_plx_paths_next(paths, change);
    if (rc == 0 && change->changes == PLX_PATH_OVERFLOW)
        inject_told();
    return rc;
}
