/* SPDX-License-Identifier: MIT */
/*
 * A sender that is held up between its claim of a cell and its message: the claim is made by
 * hand, in the channel's own queue. A receiver that meets it must neither wait, nor be called
 * again and again, nor miss the message when it comes; with the system's barrier, without it,
 * and with one that is taken away. And a sender that comes just after a waiter has looked at the
 * queue, in each of its looks.
 */
#include "os/config.h"

#include "../backends.h"
#include "../seam.h"

#include "backend/backend.h"

#include "core/queue.h"

static bool look_at_queue(const plx__queue *queue);
#define plx__queue_left look_at_queue
#include "../../src/core/channel.c" /* in place of the library's: its inside is looked at */
#undef plx__queue_left

static plx_poller *poller;
static plx_sender *sender;
static plx_receiver *receiver;

struct claim {
    plx__block *block;
    plx__cell *cell;
};

/* As plx__queue_put, up to where it is held up. */
static struct claim claim_cell(void)
{
    uint64_t claim = atomic_fetch_add(&sender->queue.tail, 1);

    CHECK((uint32_t)claim < plx__queue_cells(&sender->queue, (uint32_t)(claim >> 32)));
    plx__block *block = atomic_load(&plx__queue_name(&sender->queue, (uint32_t)(claim >> 32))->block);
    return (struct claim){block, plx__queue_cell(&sender->queue, block, (uint32_t)claim)};
}

static void fill_cell(const struct claim *claim, int64_t number)
{
    memcpy(claim->cell->message, &number, sizeof number);
    atomic_store(&claim->cell->lap, claim->block->lap);
}

static void send_number(int64_t number)
{
    CHECK_RC(plx_sender_send(sender, &number), 0);
}

static void expect_number(int64_t expected)
{
    int64_t number;

    CHECK_RC(plx_receiver_recv(receiver, &number), 0);
    CHECK_EQ(number, expected);
}

static void expect_none(void)
{
    int64_t number;

    CHECK_RC(plx_receiver_recv(receiver, &number), -EAGAIN);
}

static int wait_now(void)
{
    plx_event event;
    int count = plx_poller_wait(poller, &event, 1, 0);

    CHECK(count == 0 || (event.token == 7 && event.flags == PLX_CHANNEL));
    return count;
}

static void open_channel(const plx__backend *backend)
{
    plx_options options = {.backend = backend->id};

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    CHECK_RC(plx_channel_open(plx_poller_registry(poller), 7, sizeof(int64_t), &sender, &receiver), 0);
    send_number(0); /* a block is there */
    expect_number(0);
    CHECK_EQ(wait_now(), 0);
}

static void close_channel(void)
{
    plx_sender_release(sender);
    plx_receiver_close(receiver);
    plx_poller_close(poller);
}

/* ---- A sender that comes after a look -------------------------------------------------- */

static int looks_until; /* the look after which a message is sent; 0: none is */

static bool look_at_queue(const plx__queue *queue)
{
    bool left = plx__queue_left(queue);

    if (looks_until > 0 && --looks_until == 0)
        send_number(2);
    return left;
}

/* The level is still set from the message before, which was taken. */
static void a_message_that_comes_after_a_look_is_told(int looks)
{
    send_number(1);
    CHECK_EQ(wait_now(), 1);
    expect_number(1);
    looks_until = looks;
    int told = wait_now();
    CHECK_EQ(looks_until, 0); /* there were so many */
    CHECK(wait_now() == 1 || told == 1);
    expect_number(2);
    expect_none();
    while (wait_now() == 1) {
    }
}

/* ---- What it looks like from outside ------------------------------------------------ */

/* Whoever waits is told once, tries, and is left in peace until the message is there. */
static void a_held_up_sender_is_not_waited_for(void)
{
    struct claim claim = claim_cell();

    expect_none();
    CHECK(!(atomic_load(&sender->level) & CHANNEL_MESSAGES));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(wait_now(), 0);
    for (int64_t i = 2; i < 4; i++) { /* each that comes behind may look like something to take */
        send_number(i);
        CHECK_EQ(wait_now(), 1);
        expect_none();
        CHECK_EQ(wait_now(), 0);
        CHECK_EQ(wait_now(), 0);
    }
    fill_cell(&claim, 1);
    channel_sent(sender);
    CHECK_EQ(wait_now(), 1);
    for (int i = 1; i < 4; i++)
        expect_number(i);
    expect_none();
    CHECK_EQ(wait_now(), 0);
}

/* The level is set for what was in front; the held-up one keeps it until somebody tries. */
static void what_was_sent_before_comes_first(void)
{
    int64_t numbers[4];

    send_number(1);
    struct claim claim = claim_cell();
    CHECK_EQ(wait_now(), 1);
    CHECK_RC(plx_receiver_recv_many(receiver, numbers, 4), 1);
    CHECK_EQ(numbers[0], 1);
    expect_none();
    CHECK_EQ(wait_now(), 0);
    fill_cell(&claim, 2);
    channel_sent(sender);
    CHECK_EQ(wait_now(), 1);
    expect_number(2);
    CHECK_EQ(wait_now(), 0);
}

static void a_receiver_may_close_over_a_held_up_sender(const plx__backend *backend)
{
    counted_memory memory;
    plx_options options = {.backend = backend->id, .allocator = &memory.allocator};

    counted_init(&memory);
    CHECK_RC(plx_poller_open(&poller, &options), 0);
    CHECK_RC(plx_channel_open(plx_poller_registry(poller), 7, sizeof(int64_t), &sender, &receiver), 0);
    send_number(0);
    struct claim claim = claim_cell();
    send_number(2);
    plx_receiver_close(receiver);
    CHECK_EQ(wait_now(), 0);
    fill_cell(&claim, 1);
    channel_sent(sender);
    CHECK_EQ(wait_now(), 0);
    plx_sender_release(sender);
    CHECK_EQ(wait_now(), 0);
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

#if PLX__HAS_MEMBARRIER

#include <linux/membarrier.h>

/* ---- The barrier ------------------------------------------------------------------------ */

static struct claim held_up;

/* The sender goes on between the receiver's two steps, and has seen the level as it was before. */
static int fill_at_the_barrier(int command)
{
    if (held_up.cell && command == MEMBARRIER_CMD_PRIVATE_EXPEDITED)
        fill_cell(&held_up, 1);
    return seam.system.membarrier(command);
}

/* Its message is taken at once, and those behind it keep the level. */
static void a_message_that_comes_at_the_barrier_is_taken(const plx__backend *backend)
{
    open_channel(backend);
    if (atomic_load(&sender->fenced)) {
        close_channel();
        return;
    }
    plx__linux.membarrier = fill_at_the_barrier;
    held_up = claim_cell();
    send_number(2);
    expect_number(1);
    held_up.cell = NULL;
    plx__linux.membarrier = seam_membarrier;
    CHECK_EQ(wait_now(), 1);
    expect_number(2);
    CHECK_EQ(wait_now(), 0);
    close_channel();
}

/* Missing from the beginning: every sender makes a fence, no receiver asks again. */
static void without_a_barrier_senders_are_fenced(const plx__backend *backend, int error)
{
    seam_reset();
    atomic_store(&seam.fail_each, 1);
    atomic_store(&seam.fail_error, error);
    atomic_store(&seam.fail_call, SEAM_MEMBARRIER);
    open_channel(backend);
    CHECK(atomic_load(&sender->fenced));
    long asked = atomic_load(&seam.made[SEAM_MEMBARRIER]);
    CHECK_EQ(asked, 1);
    a_held_up_sender_is_not_waited_for();
    what_was_sent_before_comes_first();
    CHECK_EQ(atomic_load(&seam.made[SEAM_MEMBARRIER]), asked);
    close_channel();
    seam_reset();
}

/* Taken away later, as a sandbox does: from the first refusal on senders are fenced, new ones too. */
static void a_barrier_that_is_taken_away_is_not_relied_on(const plx__backend *backend, int error)
{
    plx_sender *other;
    plx_receiver *others;

    seam_reset();
    open_channel(backend);
    if (!atomic_load(&sender->fenced)) {
        atomic_store(&seam.fail_each, 1);
        atomic_store(&seam.fail_error, error);
        atomic_store(&seam.fail_call, SEAM_MEMBARRIER);
        a_held_up_sender_is_not_waited_for();
        CHECK(atomic_load(&sender->fenced));
        long asked = atomic_load(&seam.made[SEAM_MEMBARRIER]);
        what_was_sent_before_comes_first();
        CHECK_EQ(atomic_load(&seam.made[SEAM_MEMBARRIER]), asked);
        CHECK_RC(plx_channel_open(plx_poller_registry(poller), 8, 8, &other, &others), 0);
        CHECK(atomic_load(&other->fenced));
        plx_receiver_close(others);
        plx_sender_release(other);
        CHECK_EQ(wait_now(), 0);
    }
    close_channel();
    seam_reset();
}

static void run_barriers(const plx__backend *backend)
{
    static const int errors[] = {EINVAL, ENOSYS, EPERM};

    a_message_that_comes_at_the_barrier_is_taken(backend);
    for (int i = 0; i < 3; i++) {
        check_note("%s, membarrier fails: %s", backend->name, strerror(errors[i]));
        without_a_barrier_senders_are_fenced(backend, errors[i]);
        a_barrier_that_is_taken_away_is_not_relied_on(backend, errors[i]);
    }
}

#else

static void run_barriers(const plx__backend *backend)
{
    (void)backend;
}

#endif

/* ---- A wake that fails --------------------------------------------------------------------- */

static atomic_int woken;

static void *sleep_once(void *unused)
{
    plx_event event;

    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    CHECK(event.token == 7 && event.flags == PLX_CHANNEL);
    atomic_store(&woken, 1);
    return unused;
}

/* The send has succeeded; the next one makes the call again, though the level is set. */
static void a_message_whose_wake_failed_is_kept(const plx__backend *backend)
{
    seam_reset();
    open_channel(backend);
    atomic_store(&woken, 0);
    pthread_t thread = thread_start(sleep_once, NULL);
    while (!(plx__wake_word(&sender->registry->wake) & PLX__SLEEPING_MASK))
        sleep_for(PLX_USEC(50));
    atomic_store(&seam.fail_each, 1);
    atomic_store(&seam.fail_error, EIO);
    atomic_store(&seam.fail_call, (int)seam_wake(backend->id));
    for (int i = 1; i < 4; i++) {
        long failed = atomic_load(&seam.failed);
        send_number(i);
        CHECK(atomic_load(&seam.failed) > failed);
        CHECK_EQ(atomic_load(&woken), 0);
    }
    atomic_store(&seam.fail_call, SEAM_CALLS);
    send_number(4);
    thread_join(thread);
    for (int i = 1; i < 5; i++)
        expect_number(i);
    CHECK_EQ(wait_now(), 0);
    close_channel();
}

/* Or it comes with a later wait, without another send. */
static void a_later_wait_finds_a_message_whose_wake_failed(const plx__backend *backend)
{
    seam_reset();
    open_channel(backend);
    atomic_store(&woken, 0);
    pthread_t thread = thread_start(sleep_once, NULL);
    while (!(plx__wake_word(&sender->registry->wake) & PLX__SLEEPING_MASK))
        sleep_for(PLX_USEC(50));
    atomic_store(&seam.fail_each, 1);
    atomic_store(&seam.fail_error, EIO);
    atomic_store(&seam.fail_call, (int)seam_wake(backend->id));
    send_number(1);
    atomic_store(&seam.fail_call, SEAM_CALLS);
    CHECK_EQ(wait_now(), 1);
    thread_join(thread); /* whom that wait has woken for what it left */
    expect_number(1);
    CHECK_EQ(wait_now(), 0);
    close_channel();
}

int main(void)
{
    seam_install();
    watchdog(60);
    for (size_t i = 0; backends_here()[i]; i++) {
        check_note("%s", backends_here()[i]->name);
        open_channel(backends_here()[i]);
        a_held_up_sender_is_not_waited_for();
        what_was_sent_before_comes_first();
        for (int looks = 1; looks <= 2; looks++)
            a_message_that_comes_after_a_look_is_told(looks);
        close_channel();
        a_receiver_may_close_over_a_held_up_sender(backends_here()[i]);
        run_barriers(backends_here()[i]);
        check_note("%s", backends_here()[i]->name);
        a_message_whose_wake_failed_is_kept(backends_here()[i]);
        if (backends_here()[i]->shared) /* elsewhere the thread asleep has the kernel to itself */
            a_later_wait_finds_a_message_whose_wake_failed(backends_here()[i]);
    }
    return 0;
}
