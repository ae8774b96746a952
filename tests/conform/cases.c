/* SPDX-License-Identifier: MIT */
/* The list of all cases, and whether they can be run on a backend. */
#include "support.h"

conform_case *conform_cases;

const char *conform_backend = "";

void conform_enter(conform_case *entry)
{
    conform_case **place = &conform_cases;
    while (*place && strcmp((*place)->name, entry->name) < 0)
        place = &(*place)->next;
    entry->next = *place;
    *place = entry;
}

conform_case *conform_find(const char *name)
{
    for (conform_case *entry = conform_cases; entry; entry = entry->next)
        if (strcmp(entry->name, name) == 0)
            return entry;
    return NULL;
}

void conform_need_backend(void)
{
    plx_poller *poller;
    plx_options options = {.backend = backend_id()};
    if (options.backend == PLX_BACKEND_AUTO)
        check_fail_with(__FILE__, __LINE__, "", "no backend is called \"%s\"", conform_backend);
    int rc = plx_poller_open(&poller, &options);
    if (rc == -ENOTSUP)
        SKIP("this system has no %s", conform_backend);
    CHECK_RC(rc, 0);
    CHECK(strcmp(plx_poller_backend(poller), conform_backend) == 0);
    plx_poller_close(poller);
}
