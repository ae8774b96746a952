/* SPDX-License-Identifier: MIT */
/*
 * What each operation costs in system calls, counted where they are made, and whether the
 * poller's own statistics say the same.
 */
#include "os/config.h"

#include "../backends.h"
#include "../seam.h"

#include "backend/backend.h"
#include "core/core.h"

#include <poll.h>

static const plx__backend *backend;
static plx_poller *poller;
static plx_registry *registry;
static plx_event events[64];

static void start(void)
{
    plx_options options = {.backend = backend->id};

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    registry = plx_poller_registry(poller);
    seam_reset();
}

/* Since the last reset exactly so many of this call, and so many in all. */
#define CHECK_COST(call, number, total)                  \
    do {                                                 \
        CHECK_EQ(atomic_load(&seam.made[call]), number); \
        CHECK_EQ(seam_total(), total);                   \
        seam_reset();                                    \
    } while (0)

/* ---- Without anybody asleep, on every backend --------------------------------------- */

static void what_is_sent_to_a_poller_that_is_awake_costs_nothing(void)
{
    plx_waker *waker;

    start();
    CHECK_RC(plx_waker_open(registry, 1, &waker), 0);
    for (int i = 0; i < 10; i++) {
        CHECK_RC(plx_post(registry, 2, 0), 0);
        CHECK_RC(plx_waker_wake(waker), 0);
        CHECK_RC(plx_notify(registry), 0);
    }
    plx_token token;
    uint32_t interest;
    plx_stats stats;
    CHECK_RC(plx_lookup(registry, 1, &token, &interest), -ENOENT);
    plx_poller_stats(poller, &stats);
    (void)plx_registry_new_token(registry);
    plx_waker_release(waker);
    CHECK_COST(SEAM_WRITE, 0, 0);
    plx_poller_close(poller);
}

/* ---- epoll --------------------------------------------------------------------------- */

static void a_wait_with_events_is_one_call(void)
{
    int ends[40][2];

    start();
    for (int i = 0; i < 40; i++) {
        open_pair(ends[i]);
        put_byte(ends[i][1]);
        CHECK_RC(plx_register(registry, ends[i][0], 1, PLX_READABLE | (i % 2 ? PLX_ONESHOT : 0)), 0);
    }
    seam_reset();
    CHECK_RC(plx_poller_wait(poller, events, 64, PLX_FOREVER), 40);
    CHECK_COST(SEAM_EPOLL_WAIT, 1, 1);
    for (int i = 0; i < 5; i++) {
        CHECK_RC(plx_poller_wait(poller, events, 64, 0), 20);
        CHECK_COST(SEAM_EPOLL_WAIT, 1, 1);
        CHECK_RC(plx_poller_wait(poller, events, 8, PLX_SEC(9)), 8);
        CHECK_COST(SEAM_EPOLL_PWAIT2, 1, 1);
        CHECK_RC(plx_post(registry, 2, 2), 0);
        CHECK_RC(plx_poller_wait(poller, events, 64, PLX_SEC(9)), 21);
        CHECK_COST(SEAM_EPOLL_WAIT, 1, 1);
    }
    plx_poller_close(poller);
    for (int i = 0; i < 40; i++)
        close_pair(ends[i]);
}

static void a_change_is_one_call(void)
{
    int ends[2];

    start();
    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    seam_reset();
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    CHECK_COST(SEAM_EPOLL_CTL, 1, 1);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), -EEXIST);
    CHECK_COST(SEAM_EPOLL_CTL, 1, 1);
    CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_WRITABLE | PLX_EDGE), 0);
    CHECK_COST(SEAM_EPOLL_CTL, 1, 1);
    CHECK_RC(plx_enable(registry, ends[0], PLX_READABLE), 0);
    CHECK_COST(SEAM_EPOLL_CTL, 1, 1);
    CHECK_RC(plx_enable(registry, ends[0], PLX_READABLE), 0); /* it is already */
    CHECK_COST(SEAM_EPOLL_CTL, 0, 0);
    CHECK_RC(plx_disable(registry, ends[0], PLX_WRITABLE), 0);
    CHECK_COST(SEAM_EPOLL_CTL, 1, 1);
    CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_READABLE | PLX_EXCLUSIVE), 0);
    CHECK_COST(SEAM_EPOLL_CTL, 2, 2); /* the kernel cannot change these */
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    CHECK_COST(SEAM_EPOLL_CTL, 1, 1);
    CHECK_RC(plx_deregister(registry, ends[0]), -ENOENT);
    CHECK_COST(SEAM_EPOLL_CTL, 0, 0);
    CHECK_RC(plx_reregister(registry, ends[0], 1, PLX_READABLE), -ENOENT);
    CHECK_COST(SEAM_EPOLL_CTL, 0, 0);
    plx_poller_close(poller);
    close_pair(ends);
}

static void *wait_for_one(void *unused)
{
    CHECK_RC(plx_poller_wait(poller, events, 64, PLX_FOREVER), 1);
    return unused;
}

/* Woken, it takes the event and returns: the eventfd is not read, and nothing is armed. */
static void a_wake_is_one_write_and_nothing_else(void)
{
    plx_waker *waker;

    start();
    CHECK_RC(plx_waker_open(registry, 1, &waker), 0);
    for (int i = 0; i < 50; i++) {
        pthread_t waiter = thread_start(wait_for_one, NULL);
        while (!(plx__wake_word(&registry->wake) & PLX__SLEEPING_MASK) ||
               atomic_load(&seam.made[SEAM_EPOLL_WAIT]) == 0)
            sleep_for(PLX_USEC(20));
        sleep_for(PLX_USEC(200));
        CHECK_COST(SEAM_EPOLL_WAIT, 1, 1);
        CHECK_RC(plx_waker_wake(waker), 0);
        thread_join(waiter);
        CHECK_COST(SEAM_WRITE, 1, 1);
    }
    plx_waker_release(waker);
    plx_poller_close(poller);
}

/* ---- Statistics ------------------------------------------------------------------------ */

enum { PAIRS = 12 };

static int pair[PAIRS][2];
static atomic_bool over;

static uint32_t random_interest(random_state *random)
{
    uint32_t interest =
        (random_below(random, 4) ? PLX_READABLE : 0) | (random_below(random, 3) ? 0 : PLX_WRITABLE);

    switch (random_below(random, 4)) {
    case 0:
        return interest | PLX_ONESHOT;
    case 1:
        return interest | (PLX_EDGE & backend->modes);
    case 2:
        return interest | (PLX_EXCLUSIVE & backend->modes);
    default:
        return interest;
    }
}

/* Every third is a pipe: the end of its readers is looked at more closely. */
static void open_ends(int *ends)
{
    if ((ends - pair[0]) / 2 % 3 == 0)
        CHECK(seam.posix.pipe(ends) == 0);
    else
        open_pair(ends);
}

/* Closed while registered, with and without a duplicate that lives on, and opened anew. */
static void replace_pair(int *ends, bool duplicate)
{
    int kept = duplicate ? dup(ends[0]) : -1;

    put_byte(ends[1]);
    CHECK(close(ends[0]) == 0);
    (void)plx_deregister(registry, ends[0]);
    CHECK(plx_poller_wait(poller, events, 64, 0) >= 0);
    if (duplicate)
        CHECK(close(kept) == 0);
    CHECK(close(ends[1]) == 0);
    open_ends(ends);
}

/* Nothing is closed while another thread may be looking at it. */
static void do_anything(random_state *random, bool company)
{
    int *ends = pair[random_below(random, PAIRS)];
    int end = ends[random_below(random, 2)];
    uint32_t interest = random_interest(random);

    switch (random_below(random, 14)) {
    case 0:
    case 1:
        (void)plx_register(registry, end, 1, interest);
        break;
    case 2:
        (void)plx_reregister(registry, end, 2, interest);
        break;
    case 3:
        (void)plx_deregister(registry, end);
        break;
    case 4:
        (void)plx_enable(registry, end, PLX_READABLE);
        break;
    case 5:
        (void)plx_disable(registry, end, PLX_WRITABLE);
        break;
    case 6:
    case 7:
        CHECK_RC(plx_post(registry, 3, 3), 0);
        break;
    case 8:
        CHECK_RC(plx_notify(registry), 0);
        break;
    case 9:
        (void)!write(end, "x", 1);
        break;
    case 10:
        drain(end);
        break;
    case 11:
        if (random_below(random, 2))
            (void)plx_register(registry, ends[1], 4, PLX_WRITABLE);
        if (!company)
            replace_pair(ends, random_below(random, 2));
        break;
    default:
        CHECK(plx_poller_wait(poller, events, 64, random_below(random, 3) ? 0 : PLX_USEC(50)) >= 0);
        break;
    }
}

static void *wait_along(void *unused)
{
    plx_event own[4];

    while (!atomic_load(&over))
        CHECK(plx_poller_wait(poller, own, 4, PLX_FOREVER) >= 0);
    return unused;
}

/* What was counted of each call, for whoever has to find the one that was not. */
static void note_counts(int step)
{
    char text[CHECK_NOTE_SIZE] = "";
    size_t length = 0;

    for (int i = 0; i < SEAM_CALLS && length < sizeof text; i++)
        if (atomic_load(&seam.made[i]))
            length += (size_t)snprintf(text + length, sizeof text - length, " %s %ld", seam_names[i],
                                       atomic_load(&seam.made[i]));
    check_note("%s, step %d:%s", backend->name, step, text);
}

/* Alone, and then with another thread that waits, so that there is somebody to wake. */
static void statistics_are_what_was_counted(bool company)
{
    random_state random = random_start();
    pthread_t waiter = pthread_self();
    plx_stats stats;

    for (int i = 0; i < PAIRS; i++)
        open_ends(pair[i]);
    start();
    atomic_store(&over, false);
    if (company)
        waiter = thread_start(wait_along, NULL);
    for (int i = 0; i < ROUNDS(20000); i++) {
        do_anything(&random, company);
        if (!company) {
            plx_poller_stats(poller, &stats);
            if (stats.kernel_calls != (uint64_t)seam_total())
                note_counts(i);
            CHECK_EQ(stats.kernel_calls, seam_total());
        }
    }
    atomic_store(&over, true);
    if (company) {
        CHECK_RC(plx_notify(registry), 0);
        thread_join(waiter);
    }
    plx_poller_stats(poller, &stats);
    note_counts(ROUNDS(20000));
    CHECK_EQ(stats.kernel_calls, seam_total());
    CHECK(stats.kernel_calls > (uint64_t)ROUNDS(20000) / 4);
    plx_poller_close(poller);
    for (int i = 0; i < PAIRS; i++)
        close_pair(pair[i]);
}

/* ---- io_uring ---------------------------------------------------------------------- */

/* A round of events in which each source is armed again: what is armed costs no call. */
static void a_oneshot_armed_again_is_no_call(void)
{
    int ends[40][2];

    start();
    for (int i = 0; i < 40; i++) {
        open_pair(ends[i]);
        CHECK_RC(plx_register(registry, ends[i][0], (plx_token)i, PLX_READABLE | PLX_ONESHOT), 0);
    }
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 40; i++)
            put_byte(ends[i][1]);
        int count = 0;
        seam_reset();
        while (count < 40)
            count += plx_poller_wait(poller, events + count, 64 - count, PLX_FOREVER);
        if (round > 2)
            CHECK(seam_total() <= 8); /* 20 completions a call, and two looks */
        seam_reset();
        for (int i = 0; i < 40; i++) {
            drain(ends[i][0]);
            CHECK_RC(plx_reregister(registry, ends[i][0], (plx_token)i, PLX_READABLE | PLX_ONESHOT), 0);
        }
        CHECK_EQ(seam_total(), round ? 0 : 40);
    }
    plx_poller_close(poller);
    for (int i = 0; i < 40; i++)
        close_pair(ends[i]);
}

/* Told once, a level or a oneshot has nothing in the kernel that would have to be removed. */
static void what_was_told_once_is_deregistered_without_a_call(void)
{
    int ends[2];

    start();
    for (int i = 0; i < 2; i++) {
        open_pair(ends);
        put_byte(ends[1]);
        CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE | (i ? PLX_ONESHOT : 0)), 0);
        CHECK_RC(plx_poller_wait(poller, events, 64, PLX_FOREVER), 1);
        seam_reset();
        CHECK_RC(plx_deregister(registry, ends[0]), 0);
        CHECK_EQ(seam_total(), 0);
        close_pair(ends);
    }
    plx_poller_close(poller);
}

static void need_pwait2(void)
{
#if PLX__HAS_EPOLL
    int saved = errno;
    if (plx__linux.epoll_pwait2(-1, NULL, 0, NULL) < 0 && errno == ENOSYS)
        SKIP("this kernel has no epoll_pwait2");
    errno = saved;
#endif
}

/* It is the caller's, also where nobody hears of a failure. */
static void errno_is_left_by_a_close_that_fails(void)
{
    plx_options options = {.backend = backend->id};
    plx_poller *one;

    CHECK_RC(plx_poller_open(&one, &options), 0);
    seam_fail(SEAM_CLOSE, 1, EIO);
    errno = EDOM;
    plx_poller_close(one);
    CHECK_EQ(errno, EDOM);
    CHECK_EQ(atomic_load(&seam.failed), 1);
    seam_reset();
}

int main(void)
{
    watchdog(100);
    need_pwait2();
    seam_install();
    for (size_t i = 0; backends_here()[i]; i++) {
        backend = backends_here()[i];
        check_note("%s", backend->name);
        what_is_sent_to_a_poller_that_is_awake_costs_nothing();
        if (backend->id == PLX_BACKEND_EPOLL) {
            a_wait_with_events_is_one_call();
            a_change_is_one_call();
            a_wake_is_one_write_and_nothing_else();
        }
        if (backend->id == PLX_BACKEND_IO_URING) {
            a_oneshot_armed_again_is_no_call();
            what_was_told_once_is_deregistered_without_a_call();
        }
        statistics_are_what_was_counted(false);
        check_note("%s, with company", backend->name);
        statistics_are_what_was_counted(true);
        errno_is_left_by_a_close_that_fails();
    }
    return 0;
}
