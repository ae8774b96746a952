/* SPDX-License-Identifier: MIT */
/* Timers of Pollux. */
#include "timers.h"

#include "pollux.h"

#include "../timers/pollux.h"

int main(int argc, char **argv)
{
    timers_open(argc, argv, "pollux");
    plx_poller_close(peer_poller(NULL)); /* which ends the program if there is no such backend */
    setenv("PLX_BACKEND", peer.backend, 1);
    timers_measure(&pollux);
    return 0;
}
