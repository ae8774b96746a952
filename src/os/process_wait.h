/* SPDX-License-Identifier: MIT */
/* waitid for one process, shared by the files that name it by number and by descriptor. */
#ifndef PLX__PROCESS_WAIT_H
#define PLX__PROCESS_WAIT_H

#include "os/posix.h"

#include <pollux.h>

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES

/* 1 and how it ended; 0 it runs; or the error: -ECHILD if it is no child, or was reaped. */
int plx__process_wait(idtype_t type, id_t id, int options, plx_exit *status);

#endif

#endif
