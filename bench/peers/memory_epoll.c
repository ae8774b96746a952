/* SPDX-License-Identifier: MIT */
/*
 * `memory` and `size` on epoll directly, where the program keeps nothing for a descriptor: a
 * timerfd for each timer, and an eventfd with a locked queue for each channel.
 */
#include "keep.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

static int epoll;

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        bench_die("epoll_ctl ADD", errno);
}

static void open_loop(void)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        bench_die("epoll_create1", errno);
}

static void descriptors(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        watch(fds[i]);
}

static void timers(int count)
{
    struct itimerspec due = {.it_value.tv_sec = HOUR};
    int *fds = bench_array(count, sizeof *fds);
    for (int i = 0; i < count; i++) {
        fds[i] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        watch(fds[i]);
        timerfd_settime(fds[i], 0, &due, NULL);
    }
}

static void channels(int count)
{
    struct channel {
        struct queue queue;
        int wake;
    } *all = bench_array(count, sizeof *all);
    for (int i = 0; i < count; i++) {
        queue_open(&all[i].queue, CHANNEL_ROOM);
        watch(all[i].wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    }
}

static void turn(void)
{
    struct epoll_event events[16];
    if (epoll_wait(epoll, events, 16, 0) != 0)
        bench_die("epoll_wait", errno);
}

int main(int argc, char **argv)
{
    return keep_main(argc, argv, "epoll",
                     &(struct keep){.most_timers = 5000,
                                    .open = open_loop,
                                    .descriptors = descriptors,
                                    .timers = timers,
                                    .channels = channels,
                                    .turn = turn});
}
