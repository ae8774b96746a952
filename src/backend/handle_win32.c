/* SPDX-License-Identifier: MIT */
/* Handles are registered as descriptors are: on Windows they are numbered by one table. */
#include "os/config.h"

#include <pollux.h>

#if PLX__HAS_IOCP

int plx_register_handle(plx_registry *registry, void *handle, plx_token token, uint32_t interest)
{
    return plx_register(registry, (plx_fd)handle, token, interest);
}

int plx_deregister_handle(plx_registry *registry, void *handle)
{
    return plx_deregister(registry, (plx_fd)handle);
}

#endif
