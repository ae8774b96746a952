/* SPDX-License-Identifier: MIT */
/* The backends that a test runs on: those of this build that the system has. */
#ifndef TESTS_BACKENDS_H
#define TESTS_BACKENDS_H

#include "check.h"

#include "backend/backend.h"

/* Ended by NULL; those that cannot be had here are named. Tried once, by the first call. */
static inline const plx__backend *const *backends_here(void)
{
    static const plx__backend *here[8];
    static bool tried;

    for (size_t i = 0, count = 0; !tried && plx__backends[i]; i++) {
        plx_poller *poller;
        int rc = plx_poller_open(&poller, &(plx_options){.backend = plx__backends[i]->id});
        if (rc == -ENOTSUP) {
            printf("%s cannot be had here\n", plx__backends[i]->name);
            continue;
        }
        CHECK_RC(rc, 0);
        plx_poller_close(poller);
        here[count++] = plx__backends[i];
    }
    tried = true;
    return here;
}

#endif
