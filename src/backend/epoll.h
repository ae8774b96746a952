/* SPDX-License-Identifier: MIT */
/* The state of the epoll backend, which io_uring's holds one of. */
#ifndef PLX__EPOLL_H
#define PLX__EPOLL_H

#include "os/atomic.h"

typedef struct plx__epoll {
    int epoll;
    int event;             /* the eventfd that wakes it */
    _Atomic(bool) coarse;  /* no epoll_pwait2 here */
} plx__epoll;

#endif
