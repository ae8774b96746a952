/* SPDX-License-Identifier: MIT */
/* Timers of libev. */
#include "timers.h"

#include "../timers/libev.h"

int main(int argc, char **argv)
{
    timers_open(argc, argv, "libev");
    timers_measure(&libev);
    return 0;
}
