/* SPDX-License-Identifier: MIT */
/* One thread and no other process: what nobody can ever end says so, and what there is not. */
#include "os/config.h"

#include "../check.h"

#include <errno.h>

static plx_poller *poller;
static plx_registry *registry;

static void wait_for_nothing_is_edeadlk(void)
{
    plx_event event;
    plx_timer timer;
    plx_nanos start = plx_now();

    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), -EDEADLK);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_MSEC(20)), 0);
    CHECK(plx_now() - start >= PLX_MSEC(20));
    CHECK_RC(plx_notify(registry), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 0);
    CHECK_RC(plx_post(registry, 3, 4), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    CHECK(event.token == 3 && event.data == 4);
    CHECK_RC(plx_timer_start(registry, 5, PLX_MSEC(10), 0, &timer), 0);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    CHECK_EQ(event.token, 5);
}

/* The message is the sender's again, and the channel as it was. */
static void full_channel_is_edeadlk_or_etimedout(size_t bound)
{
    plx_sender *sender;
    plx_receiver *receiver;
    int sent = 1, received;

    CHECK_RC(plx_channel_open_bounded(registry, 6, sizeof sent, bound, &sender, &receiver), 0);
    for (; sent <= (int)bound; sent++)
        CHECK_RC(plx_sender_send(sender, &sent), 0);
    for (int round = 0; round < 2; round++) {
        plx_nanos start = plx_now();
        CHECK_RC(plx_sender_send(sender, &sent), -EDEADLK);
        CHECK_RC(plx_sender_try_send(sender, &sent), -EAGAIN);
        CHECK_RC(plx_sender_send_until(sender, &sent, start), -ETIMEDOUT);
        CHECK_RC(plx_sender_send_until(sender, &sent, start + PLX_MSEC(20)), -ETIMEDOUT);
        CHECK(plx_now() - start >= PLX_MSEC(20));
    }
    for (int i = 1; i <= (int)bound; i++) {
        CHECK_RC(plx_receiver_recv(receiver, &received), 0);
        CHECK_EQ(received, i);
    }
    CHECK_RC(plx_receiver_recv(receiver, &received), -EAGAIN);
    plx_sender_release(sender);
    plx_receiver_close(receiver);
}

static void signals_and_processes_are_enotsup(void)
{
    plx_signals *signals;
    plx_process *process;

    CHECK_RC(plx_signals_open(registry, 7, &(int){2}, 1, &signals), -ENOTSUP);
    CHECK_RC(plx_signals_open(registry, 7, &(int){-2}, 1, &signals), -EINVAL);
    CHECK_RC(plx_process_open(registry, 7, 1, &process), -ENOTSUP);
    CHECK_RC(plx_process_open(registry, 7, -1, &process), -EINVAL);
    CHECK_RC(plx_poller_descriptor(poller), -ENOTSUP);
}

int main(void)
{
    CHECK_RC(plx_poller_open(&poller, NULL), 0);
    registry = plx_poller_registry(poller);
    wait_for_nothing_is_edeadlk();
    full_channel_is_edeadlk_or_etimedout(0);
    full_channel_is_edeadlk_or_etimedout(3);
    signals_and_processes_are_enotsup();
    plx_poller_close(poller);
    return 0;
}
