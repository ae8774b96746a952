/* SPDX-License-Identifier: MIT */
/* A timerfd for each timer, on epoll, in the timers benchmark. */
#include "subject.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static struct bench_memory timerfd_memory;
static int timerfd_epoll, *timerfd_fds;

static union delay timerfd_delay(plx_nanos nanos)
{
    return (union delay){
        .spec = {.tv_sec = (time_t)(nanos / 1000000000), .tv_nsec = (long)(nanos % 1000000000)}};
}

static bool timerfd_open(int count)
{
    if (!bench_descriptors(count + 32) || (timerfd_epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return false;
    timerfd_fds = bench_array(count, sizeof *timerfd_fds);
    return true;
}

static void timerfd_restart(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++) {
        struct itimerspec time = {.it_value = pass->delays[k].spec};
        if (timerfd_settime(timerfd_fds[pass->order[k]], 0, &time, NULL) < 0)
            bench_die("timerfd_settime", errno);
    }
}

static void timerfd_start(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++) {
        int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = pass->order[k]};
        struct itimerspec time = {.it_value = pass->delays[k].spec};
        if (fd < 0 || epoll_ctl(timerfd_epoll, EPOLL_CTL_ADD, fd, &event) < 0 ||
            timerfd_settime(fd, 0, &time, NULL) < 0)
            bench_die("timerfd", errno);
        timerfd_fds[pass->order[k]] = fd;
    }
}

static void timerfd_cancel(const struct pass *pass)
{
    for (int k = 0; k < pass->count; k++)
        close(timerfd_fds[pass->order[k]]);
}

static int timerfd_fire(void)
{
    struct epoll_event events[256];
    int fired = 0, count;
    do {
        count = epoll_wait(timerfd_epoll, events, 256, 0);
        if (count < 0)
            bench_die("epoll_wait", errno);
        for (int i = 0; i < count; i++) {
            uint64_t times;
            int fd = timerfd_fds[events[i].data.u32];
            fired += read(fd, &times, sizeof times) == sizeof times;
            close(fd);
        }
    } while (count == 256);
    return fired;
}

static void timerfd_close(void)
{
    close(timerfd_epoll);
    free(timerfd_fds);
}

static const struct subject timerfd = {
    .name = "timerfd each",
    .own = sizeof *timerfd_fds,
    .delay = timerfd_delay,
    .open = timerfd_open,
    .start = timerfd_start,
    .restart = timerfd_restart,
    .cancel = timerfd_cancel,
    .fire = timerfd_fire,
    .close = timerfd_close,
    .memory = &timerfd_memory,
    .most = 19000,
};
