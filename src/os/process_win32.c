/* SPDX-License-Identifier: MIT */
/*
 * Processes by handle, on Windows. A handle is signalled from the end of the process on, and
 * keeps its number from being given to another. Every process tells everybody how it ended
 * whom it lets look, and there is nothing to reap.
 *
 * The traps: 259 is the exit code of a process that runs, and that of one that chose it. A
 * process of somebody else may be waited for, and still not tell its exit code. The system
 * takes a number that is no multiple of 4 for the next lower one that is.
 */
#include "os/config.h"

#include "os/process.h"

#if PLX__HAS_IOCP
#include "os/descriptor.h"
#include "os/sources_win32.h"

int plx__pidfd_open(plx_pid pid, plx_fd *pidfd)
{
    HANDLE process = NULL;

    if (pid % 4 != 0)
        return -ESRCH;
    process = plx__win32_sources.OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
    if (!process && GetLastError() == ERROR_ACCESS_DENIED)
        process = plx__win32_sources.OpenProcess(SYNCHRONIZE, FALSE, pid);
    if (!process)
        return GetLastError() == ERROR_INVALID_PARAMETER ? -ESRCH : plx__win32_failed();
    *pidfd = plx__handle_fd(process);
    return 0;
}

void plx__pidfd_close(plx_fd pidfd)
{
    plx__win32_close(plx__handle_of(pidfd));
}

int plx__pidfd_look(plx_fd pidfd, plx_pid pid, plx_exit *status)
{
    HANDLE process = plx__handle_of(pidfd);
    DWORD code;

    (void)pid;
    switch (plx__win32_sources.WaitForSingleObject(process, 0)) {
    case WAIT_OBJECT_0:
        break;
    case WAIT_TIMEOUT:
        return 0;
    default:
        return plx__win32_failed();
    }
    if (!plx__win32_sources.GetExitCodeProcess(process, &code))
        return GetLastError() == ERROR_ACCESS_DENIED ? -ECHILD : plx__win32_failed();
    *status = (plx_exit){.code = (int)code};
    return 1;
}

bool plx__pidfd_reap(plx_fd pidfd, plx_pid pid)
{
    (void)pidfd;
    (void)pid;
    return true;
}

int plx__process_look(plx_pid pid, plx_exit *status)
{
    plx_fd pidfd = PLX__NO_DESCRIPTOR;
    int rc = plx__pidfd_open(pid, &pidfd);

    if (rc < 0)
        return rc == -ESRCH ? -ECHILD : rc;
    rc = plx__pidfd_look(pidfd, pid, status);
    plx__pidfd_close(pidfd);
    return rc;
}

bool plx__process_reap(plx_pid pid)
{
    (void)pid;
    return true;
}

#endif
