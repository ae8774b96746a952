/* SPDX-License-Identifier: MIT */
/* What WASI says otherwise than POSIX. */
#ifndef PLX__WASI_H
#define PLX__WASI_H

#include "os/config.h"

#if PLX__OS == PLX__OS_wasi
#include <poll.h>

/* As poll(2). For ever and for nothing is EDEADLK. */
int plx__wasi_poll(struct pollfd *fds, nfds_t count, int milliseconds);

#endif

#endif
