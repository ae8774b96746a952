/* SPDX-License-Identifier: MIT */
/* The calls of Windows that signals, processes and paths make. */
#include "os/config.h"

#include <pollux.h>

#if PLX__HAS_IOCP
#include "os/sources_win32.h"

PLX__SEAM plx__win32_sources_calls plx__win32_sources = {
    .SetConsoleCtrlHandler = SetConsoleCtrlHandler,
    .OpenProcess = OpenProcess,
    .GetExitCodeProcess = GetExitCodeProcess,
    .WaitForSingleObject = WaitForSingleObject,
    .ResetEvent = ResetEvent,
    .SetEvent = SetEvent,
    .CreateEventW = CreateEventW,
    .CreateFileW = CreateFileW,
    .GetFileInformationByHandle = GetFileInformationByHandle,
    .GetFinalPathNameByHandleW = GetFinalPathNameByHandleW,
    .ReadDirectoryChangesW = ReadDirectoryChangesW,
    .GetOverlappedResult = GetOverlappedResult,
    .CancelIoEx = CancelIoEx,
    .FindFirstFileW = FindFirstFileW,
    .FindNextFileW = FindNextFileW,
    .FindClose = FindClose,
};

int plx__win32_failed(void)
{
    return plx__win32_error(GetLastError());
}

#endif
