/* SPDX-License-Identifier: MIT */
/*
 * A number that was closed while its file lives on leaves a registration in epoll's set that
 * nobody can delete; the library then fills a new set. What is registered survives that in
 * its mode, whoever sleeps in the old set is not forgotten, and a number that is another
 * file by now is not taken along. Calls that fail in the middle postpone it.
 */
#include "os/config.h"

#include "../seam.h"

#if PLX__HAS_EPOLL

#include "core/core.h"

enum { LEVEL = 1, EDGE, ARMED, DISARMED, EXCLUSIVE, NATIVE, SILENT, KINDS, STALE = 50, LATER = 60 };

static plx_poller *poller;
static plx_registry *registry;
static plx_event events[16];

static void start(void)
{
    plx_options options = {.backend = PLX_BACKEND_EPOLL};

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    registry = plx_poller_registry(poller);
    seam_reset();
}

/* A ready registration that cannot be deleted. */
struct ghost {
    int kept, peer;
};

static struct ghost ghost_make(void)
{
    int ends[2];

    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], STALE, PLX_READABLE), 0);
    struct ghost ghost = {.kept = fcntl(ends[0], F_DUPFD_CLOEXEC, 500), .peer = ends[1]};
    CHECK(ghost.kept >= 0);
    CHECK(close(ends[0]) == 0);
    CHECK_RC(plx_deregister(registry, ends[0]), 0);
    put_byte(ends[1]);
    return ghost;
}

static void ghost_end(struct ghost ghost)
{
    CHECK(close(ghost.kept) == 0);
    CHECK(close(ghost.peer) == 0);
}

/* The flags of the event with this token, of all that a wait returns now; 0: none. */
static uint32_t reported(plx_token token)
{
    uint32_t flags = 0;
    int count = plx_poller_wait(poller, events, 16, 0);

    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        CHECK(events[i].token != STALE);
        CHECK(events[i].token != token || flags == 0);
        if (events[i].token == token)
            flags = events[i].flags;
    }
    return flags;
}

static void rebuild_now(void)
{
    long before = atomic_load(&seam.made[SEAM_DUP3]);
    struct ghost ghost = ghost_make();

    (void)reported(STALE);
    CHECK_EQ(atomic_load(&seam.made[SEAM_DUP3]), before + 1);
    (void)reported(STALE);
    CHECK_EQ(atomic_load(&seam.made[SEAM_DUP3]), before + 1); /* one is enough */
    CHECK(!atomic_load(&registry->suspect));
    ghost_end(ghost);
}

/* ---- What survives --------------------------------------------------------------------- */

static int kind[KINDS][2];

static void register_kinds(void)
{
    static const uint32_t interests[KINDS] = {
        [LEVEL] = PLX_READABLE,
        [EDGE] = PLX_READABLE | PLX_EDGE,
        [ARMED] = PLX_READABLE | PLX_ONESHOT,
        [DISARMED] = PLX_READABLE | PLX_ONESHOT,
        [EXCLUSIVE] = PLX_READABLE | PLX_EXCLUSIVE,
        [NATIVE] = EPOLLIN | EPOLLET,
    };

    for (unsigned i = LEVEL; i < KINDS; i++) {
        open_pair(kind[i]);
        if (i == NATIVE)
            CHECK_RC(plx_register_native(registry, kind[i][0], i, interests[i]), 0);
        else
            CHECK_RC(plx_register(registry, kind[i][0], i, interests[i]), 0);
    }
    put_byte(kind[DISARMED][1]);
    put_byte(kind[SILENT][1]);
    CHECK_EQ(reported(DISARMED), PLX_READABLE);
}

static void every_kind_still_works(void)
{
    CHECK_EQ(plx_poller_wait(poller, events, 16, 0), 0); /* nothing is ready but what is silent */
    for (unsigned i = LEVEL; i < KINDS; i++)
        if (i != DISARMED && i != SILENT)
            put_byte(kind[i][1]);
    CHECK_EQ(plx_poller_wait(poller, events, 16, 0), 5);
    CHECK_EQ(plx_poller_wait(poller, events, 16, 0), 2); /* level and exclusive */
    put_byte(kind[EDGE][1]);
    CHECK_EQ(reported(EDGE), PLX_READABLE);
    put_byte(kind[NATIVE][1]);
    CHECK_EQ(reported(NATIVE), EPOLLIN);
    put_byte(kind[ARMED][1]);
    CHECK_EQ(reported(ARMED), 0); /* it has reported */
    CHECK_RC(plx_enable(registry, kind[ARMED][0], 0), 0);
    CHECK_EQ(reported(ARMED), PLX_READABLE);
    CHECK_EQ(reported(DISARMED), 0);
    CHECK_RC(plx_enable(registry, kind[DISARMED][0], 0), 0);
    CHECK_EQ(reported(DISARMED), PLX_READABLE);
    CHECK_RC(plx_enable(registry, kind[SILENT][0], PLX_READABLE), 0);
    CHECK_EQ(reported(SILENT), PLX_READABLE);
    CHECK_RC(plx_reregister(registry, kind[EXCLUSIVE][0], EXCLUSIVE, PLX_WRITABLE | PLX_EXCLUSIVE), 0);
    CHECK_EQ(reported(EXCLUSIVE), PLX_WRITABLE);
    for (unsigned i = LEVEL; i < KINDS; i++)
        CHECK_RC(plx_deregister(registry, kind[i][0]), 0);
    CHECK_EQ(plx_poller_wait(poller, events, 16, 0), 0);
}

static void close_kinds(void)
{
    for (unsigned i = LEVEL; i < KINDS; i++)
        close_pair(kind[i]);
}

static void registrations_survive_in_their_modes(void)
{
    start();
    register_kinds();
    rebuild_now();
    every_kind_still_works();
    close_kinds();
    plx_poller_close(poller);
}

/* Each call of it fails once, whatever it is; the next stale event begins it anew. */
static void a_rebuild_that_fails_is_done_later(void)
{
    static const enum seam_call calls[] = {SEAM_EPOLL_CREATE, SEAM_EPOLL_CTL, SEAM_DUP3, SEAM_CLOSE};

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (long number = 1;; number++) {
            check_note("%s number %ld fails", seam_names[calls[i]], number);
            start();
            register_kinds();
            int before = descriptors_open();
            struct ghost ghost = ghost_make();
            seam_reset();
            seam_fail(calls[i], number, calls[i] == SEAM_DUP3 ? EBUSY : ENOMEM);
            (void)reported(STALE);
            long failed = atomic_load(&seam.failed);
            seam_fail(calls[i], 0, 0);
            (void)reported(STALE);
            CHECK_EQ(atomic_load(&seam.made[SEAM_DUP3]),
                     calls[i] == SEAM_DUP3 && failed ? 2 : 1); /* done once, in the end */
            ghost_end(ghost);
            CHECK_EQ(descriptors_open(), before);
            every_kind_still_works();
            close_kinds();
            plx_poller_close(poller);
            if (!failed) {
                CHECK(number > 1);
                break;
            }
        }
}

/* The process has no descriptor left for a new set, for long: waits still end in time. */
static void waits_end_while_a_rebuild_cannot_be_done(void)
{
    int ends[2];

    start();
    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], LEVEL, PLX_READABLE), 0);
    struct ghost ghost = ghost_make();
    atomic_store(&seam.fail_error, EMFILE);
    atomic_store(&seam.fail_each, 1);
    atomic_store(&seam.fail_call, SEAM_EPOLL_CREATE);
    for (int capacity = 1; capacity <= 3; capacity++) {
        check_note("room for %d", capacity);
        CHECK_RC(plx_poller_wait(poller, events, capacity, 0), 0);
        plx_nanos begun = plx_now();
        CHECK_RC(plx_poller_wait(poller, events, capacity, PLX_MSEC(5)), 0);
        CHECK(plx_now() - begun >= PLX_MSEC(5));
        CHECK(plx_now() - begun < PLX_SEC(5));
        CHECK_RC(plx_notify(registry), 0);
        CHECK_RC(plx_poller_wait(poller, events, capacity, PLX_FOREVER), 0);
    }
    put_byte(ends[1]); /* the ready one is not hidden by the one that is in the way */
    CHECK_RC(plx_poller_wait(poller, events, 1, PLX_FOREVER), 1);
    CHECK_EQ(events[0].token, LEVEL);
    CHECK(atomic_load(&seam.failed) > 0);
    seam_reset();
    CHECK_EQ(reported(LEVEL), PLX_READABLE);
    CHECK_EQ(reported(LEVEL), PLX_READABLE);
    CHECK_EQ(atomic_load(&seam.made[SEAM_DUP3]), 1);
    ghost_end(ghost);
    close_pair(ends);
    plx_poller_close(poller);
}

/* ---- What is not taken along -------------------------------------------------------------- */

/* Closed behind the library's back; the number is another file, which nobody registered. */
static void a_reused_number_is_not_adopted(uint32_t interest)
{
    int old[2], fresh[2];

    check_note("interest %#x", interest);
    start();
    open_pair(old);
    open_pair(fresh);
    CHECK_RC(plx_register(registry, old[0], LEVEL, interest), 0);
    put_byte(fresh[1]);
    CHECK_EQ(dup2(fresh[0], old[0]), old[0]);
    rebuild_now();
    CHECK_EQ(plx_poller_wait(poller, events, 16, PLX_MSEC(1)), 0);
    CHECK_RC(plx_reregister(registry, old[0], LEVEL, interest), -ENOENT);
    CHECK_RC(plx_register(registry, old[0], LATER, interest), 0);
    CHECK(reported(LATER) & PLX_READABLE);
    close_pair(old);
    close_pair(fresh);
    plx_poller_close(poller);
}

/* It was the registration's, and is not any more when it has been taken over: it is asked for once more. */
static void a_number_that_changes_hands_meanwhile_leaves_a_doubt(void)
{
    enum { LAST_LOOK = 4 }; /* after the eventfd, the first look, and the taking over */
    int ends[2];

    start();
    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], LEVEL, PLX_READABLE), 0);
    struct ghost ghost = ghost_make();
    seam_reset();
    seam_fail(SEAM_EPOLL_CTL, LAST_LOOK, ENOENT);
    CHECK_EQ(reported(LEVEL), 0);
    CHECK_EQ(atomic_load(&seam.made[SEAM_DUP3]), 1);
    CHECK(atomic_load(&registry->suspect));
    put_byte(ends[1]);
    CHECK_EQ(reported(LEVEL), 0); /* it is not in the new set */
    seam_reset();
    rebuild_now();
    ghost_end(ghost);
    close_pair(ends);
    plx_poller_close(poller);
}

/* Of two numbers that are free again one becomes the new set's own, for a moment. */
static void a_closed_number_does_not_stand_in_the_way(uint32_t interest)
{
    int early[2], late[2];

    check_note("interest %#x", interest);
    start();
    open_pair(early);
    open_pair(late);
    CHECK_RC(plx_register(registry, early[0], LEVEL, interest), 0);
    CHECK_RC(plx_register(registry, early[1], LEVEL, interest), 0);
    CHECK_RC(plx_register(registry, late[0], LATER, interest), 0);
    struct ghost ghost = ghost_make();
    close_pair(early);
    put_byte(late[1]);
    CHECK_EQ(reported(LATER), PLX_READABLE);
    CHECK_EQ(reported(LATER), PLX_READABLE);
    CHECK_EQ(atomic_load(&seam.made[SEAM_DUP3]), 1);
    ghost_end(ghost);
    close_pair(late);
    plx_poller_close(poller);
}

/* ---- Who sleeps in the old set ---------------------------------------------------------------- */

enum { SLEEPERS = 4 };

static atomic_int returned;

static void await_sleepers(void)
{
    while ((plx__wake_word(&registry->wake) & PLX__SLEEPING_MASK) != SLEEPERS * PLX__SLEEPING)
        sleep_for(PLX_USEC(50));
}

static void *sleep_until_later(void *unused)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    CHECK_EQ(event.token, LATER);
    atomic_fetch_add(&returned, 1);
    return unused;
}

/* The renewal, here or in one of them, once or several times; then all get what is registered. */
static void sleepers_get_what_is_registered_later(int rebuilds)
{
    pthread_t sleepers[SLEEPERS];
    int later[2];

    start();
    atomic_store(&returned, 0);
    for (int i = 0; i < SLEEPERS; i++)
        sleepers[i] = thread_start(sleep_until_later, NULL);
    await_sleepers();
    sleep_for(PLX_USEC(500));
    for (int i = 1; i <= rebuilds; i++) {
        struct ghost ghost = ghost_make();
        while (atomic_load(&seam.made[SEAM_DUP3]) < i)
            (void)plx_poller_wait(poller, events, 16, 0);
        ghost_end(ghost);
    }
    CHECK_EQ(atomic_load(&returned), 0);
    open_pair(later);
    put_byte(later[1]);
    CHECK_RC(plx_register(registry, later[0], LATER, PLX_READABLE), 0);
    for (int i = 0; i < SLEEPERS; i++)
        thread_join(sleepers[i]);
    close_pair(later);
    plx_poller_close(poller);
}

/* A post reaches a sleeper of whichever set, and close sends all of them home. */
static void *sleep_until_closed(void *unused)
{
    plx_event event;
    int rc;

    while ((rc = plx_poller_wait(poller, &event, 1, PLX_FOREVER)) != -ECANCELED) {
        CHECK_RC(rc, 1);
        atomic_fetch_add(&returned, 1);
    }
    return unused;
}

static void wakes_and_close_reach_sleepers_of_the_old_set(void)
{
    pthread_t sleepers[SLEEPERS];

    start();
    atomic_store(&returned, 0);
    for (int i = 0; i < SLEEPERS; i++)
        sleepers[i] = thread_start(sleep_until_closed, NULL);
    for (int i = 1; i <= 30; i++) {
        struct ghost ghost = ghost_make();
        CHECK_RC(plx_post(registry, LATER, 0), 0);
        while (atomic_load(&seam.made[SEAM_DUP3]) < i)
            sleep_for(PLX_USEC(50)); /* the sleepers meet the stale event */
        CHECK_RC(plx_post(registry, LATER, 0), 0);
        await_count(&returned, 2 * i);
        ghost_end(ghost);
    }
    await_sleepers(); /* who is about to wait would meet a poller that is no more */
    plx_poller_close(poller);
    for (int i = 0; i < SLEEPERS; i++)
        thread_join(sleepers[i]);
}

int main(void)
{
    seam_install();
    watchdog(20);
    registrations_survive_in_their_modes();
    a_rebuild_that_fails_is_done_later();
    a_reused_number_is_not_adopted(PLX_READABLE);
    a_reused_number_is_not_adopted(PLX_READABLE | PLX_EDGE);
    a_reused_number_is_not_adopted(PLX_READABLE | PLX_EXCLUSIVE);
    a_number_that_changes_hands_meanwhile_leaves_a_doubt();
    a_closed_number_does_not_stand_in_the_way(PLX_READABLE);
    a_closed_number_does_not_stand_in_the_way(PLX_READABLE | PLX_EXCLUSIVE);
    for (int i = 0; i < ROUNDS(100); i++) {
        check_note("round %d", i);
        watchdog(20);
        sleepers_get_what_is_registered_later(1 + i % 3);
    }
    wakes_and_close_reach_sleepers_of_the_old_set();
    waits_end_while_a_rebuild_cannot_be_done();
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no epoll");
}

#endif
