/* SPDX-License-Identifier: MIT */
/* Waiting for a handle by way of a completion port: once, from each arming to its completion. */
#ifndef PLX__WAITABLE_H
#define PLX__WAITABLE_H

#include "os/config.h"

#include <pollux.h>

#if PLX__HAS_IOCP
#include "os/atomic.h"
#include "os/win32.h"

typedef struct plx__waitable {
    HANDLE port;
    HANDLE handle; /* a duplicate: the caller may close its own at any time */
    HANDLE packet; /* where the system has wait packets, else NULL */
    HANDLE wait;   /* else: in the thread pool, from the arming on */
    void *context;
    _Atomic(bool) posted; /* by the pool's thread; relaxed: UnregisterWaitEx orders it */
} plx__waitable;

/* -EBADF closed; -EPERM it cannot be waited for; -ENOMEM. */
int  plx__waitable_open(plx__waitable *waitable, plx_fd fd, HANDLE port, uint32_t *calls);
void plx__waitable_close(plx__waitable *waitable);

/* A completion with this context follows once it is signalled. */
int plx__waitable_arm(plx__waitable *waitable, void *context);

/* Whether no completion will follow any more; false: it is in the port, or was taken from it. */
bool plx__waitable_disarm(plx__waitable *waitable);

/* Its completion was taken from the port. */
void plx__waitable_done(plx__waitable *waitable);

/* Whether the handle still names the same object. */
bool plx__waitable_is(const plx__waitable *waitable, plx_fd fd);

#endif

#endif
