/* SPDX-License-Identifier: MIT */
/* Timers of libuv. */
#include "timers.h"

#include "../timers/libuv.h"

int main(int argc, char **argv)
{
    timers_open(argc, argv, "libuv");
    timers_measure(&libuv);
    return 0;
}
