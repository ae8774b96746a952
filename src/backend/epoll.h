/* SPDX-License-Identifier: MIT */
/* The state of the epoll backend, which io_uring's holds one of. */
#ifndef PLX__EPOLL_H
#define PLX__EPOLL_H

#include "core/table.h"

typedef struct plx__epoll {
    int epoll;
    int event;             /* the eventfd that wakes it */
    plx__watch alarm;      /* what the table does not have; its tag is 0: none */
    _Atomic(bool) coarse;  /* no epoll_pwait2 here */
} plx__epoll;

#endif
