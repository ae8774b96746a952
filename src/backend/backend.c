/* SPDX-License-Identifier: MIT */
/* Which backends there are, and which one a poller gets. */
#include "os/config.h"

#include "backend/backend.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

const plx__backend *const plx__backends[] = {
#if PLX__HAS_EPOLL
    &plx__backend_epoll,
#endif
#if PLX__HAS_IO_URING
    &plx__backend_io_uring,
#endif
#if PLX__HAS_EVENT_PORTS
    &plx__backend_event_ports,
#endif
#if PLX__HAS_KQUEUE
    &plx__backend_kqueue,
#endif
#if PLX__HAS_IOCP
    &plx__backend_iocp,
#endif
#if PLX__HAS_POLL
    &plx__backend_poll,
#endif
    NULL,
};

static int backend_try(const plx__backend *candidate, const plx_allocator *memory, void **state)
{
    void *made = plx__memory_get(memory, candidate->state_size);

    if (!made)
        return -ENOMEM;
    int rc = candidate->init(made, memory);
    if (rc < 0) {
        plx__memory_put(memory, made);
        return rc;
    }
    *state = made;
    return 0;
}

int plx__backend_open(plx_backend wanted, const plx_allocator *memory, const plx__backend **backend, void **state)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): a setenv at the same time is the program's to avoid */
    const char *name = wanted == PLX_BACKEND_AUTO ? getenv("PLX_BACKEND") : NULL;
    bool any = wanted == PLX_BACKEND_AUTO && (!name || !*name);

    for (size_t i = 0; plx__backends[i]; i++) {
        const plx__backend *candidate = plx__backends[i];
        if (any ? candidate->by_name : name ? strcmp(name, candidate->name) != 0 : wanted != candidate->id)
            continue;
        int rc = backend_try(candidate, memory, state);
        if (rc == 0)
            *backend = candidate;
        if (rc != -ENOTSUP || !any)
            return rc;
    }
    return -ENOTSUP;
}
