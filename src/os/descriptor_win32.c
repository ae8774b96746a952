/* SPDX-License-Identifier: MIT */
/* Handles: what descriptor.h does not need inline. */
#include "os/config.h"

#include "os/descriptor.h"

#if !PLX__HAS_POSIX
#include "os/win32.h"

bool plx__descriptor_is_open(plx_fd fd)
{
    DWORD saved = GetLastError();
    DWORD flags;
    bool open = plx__win32.GetHandleInformation((HANDLE)fd, &flags);

    SetLastError(saved);
    return open;
}

#endif
