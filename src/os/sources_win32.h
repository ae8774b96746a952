/* SPDX-License-Identifier: MIT */
/*
 * The calls of Windows that signals, processes and paths make, behind a table as in posix.h.
 * Those below it return a negative errno value where they fail.
 */
#ifndef PLX__SOURCES_WIN32_H
#define PLX__SOURCES_WIN32_H

#include "os/win32.h"

#include <pollux.h>

#if PLX__HAS_IOCP

typedef struct plx__win32_sources_calls {
    BOOL(WINAPI *SetConsoleCtrlHandler)(PHANDLER_ROUTINE handler, BOOL add);
    HANDLE(WINAPI *OpenProcess)(DWORD access, BOOL inherit, DWORD pid);
    BOOL(WINAPI *GetExitCodeProcess)(HANDLE process, DWORD *code);
    DWORD(WINAPI *WaitForSingleObject)(HANDLE handle, DWORD milliseconds);
    BOOL(WINAPI *ResetEvent)(HANDLE event);
    BOOL(WINAPI *SetEvent)(HANDLE event);
    HANDLE(WINAPI *CreateEventW)(SECURITY_ATTRIBUTES *security, BOOL manual, BOOL set, const wchar_t *name);
    HANDLE(WINAPI *CreateFileW)(const wchar_t *path, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security,
                                DWORD disposition, DWORD flags, HANDLE model);
    BOOL(WINAPI *GetFileInformationByHandle)(HANDLE file, BY_HANDLE_FILE_INFORMATION *information);
    DWORD(WINAPI *GetFinalPathNameByHandleW)(HANDLE file, wchar_t *path, DWORD size, DWORD flags);
    BOOL(WINAPI *ReadDirectoryChangesW)(HANDLE folder, void *buffer, DWORD size, BOOL subtree, DWORD filter,
                                        DWORD *count, OVERLAPPED *overlapped,
                                        LPOVERLAPPED_COMPLETION_ROUTINE routine);
    BOOL(WINAPI *GetOverlappedResult)(HANDLE file, OVERLAPPED *overlapped, DWORD *count, BOOL wait);
    BOOL(WINAPI *CancelIoEx)(HANDLE file, OVERLAPPED *overlapped);
    HANDLE(WINAPI *FindFirstFileW)(const wchar_t *pattern, WIN32_FIND_DATAW *found);
    BOOL(WINAPI *FindNextFileW)(HANDLE listing, WIN32_FIND_DATAW *found);
    BOOL(WINAPI *FindClose)(HANDLE listing);
} plx__win32_sources_calls;

extern PLX__SEAM plx__win32_sources_calls plx__win32_sources;

/* What GetLastError says, as a negative errno value. */
int plx__win32_failed(void);

static inline HANDLE plx__handle_of(plx_fd fd)
{
    return (HANDLE)fd;
}

static inline plx_fd plx__handle_fd(HANDLE handle)
{
    return (plx_fd)handle;
}

#endif

#endif
