/* SPDX-License-Identifier: MIT */
/*
 * What there is to know of one process, by its number, or by a descriptor that names it
 * for good (pidfd).
 */
#ifndef PLX__PROCESS_H
#define PLX__PROCESS_H

#include "os/config.h"

#include <pollux.h>

/*
 * The looks below: 1 it has ended, and *status says how; 0 it runs; -ECHILD it has ended and
 * how is not ours to know; else the error of a system call. A child is not reaped, but by
 * the two that say so: true if nothing is left of it.
 */
int  plx__process_look(plx_pid pid, plx_exit *status);
bool plx__process_reap(plx_pid pid);

/* Whether that descriptor names the process for good, or tells of its end and no more, perhaps before it is a zombie. */
#define PLX__PIDFD_NAMES PLX__HAS_EPOLL

/* 0 and a descriptor that is readable once the process has ended; -ENOTSUP where there is none. */
int  plx__pidfd_open(plx_pid pid, plx_fd *pidfd);
void plx__pidfd_close(plx_fd pidfd);
int  plx__pidfd_look(plx_fd pidfd, plx_pid pid, plx_exit *status);
bool plx__pidfd_reap(plx_fd pidfd, plx_pid pid);

#endif
