/* SPDX-License-Identifier: MIT */
/* Timers on epoll directly: a timerfd for each. */
#include "timers.h"

#include "../timers/timerfd.h"

int main(int argc, char **argv)
{
    timers_open(argc, argv, "epoll");
    timers_measure(&timerfd);
    return 0;
}
