/* SPDX-License-Identifier: MIT */
/* Timers of libevent. */
#include "timers.h"

#include "../timers/libevent.h"

int main(int argc, char **argv)
{
    timers_open(argc, argv, "libevent");
    timers_measure(&libevent);
    return 0;
}
