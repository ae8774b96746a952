/* SPDX-License-Identifier: MIT */
/* The calls of Windows, and its errors as errno values. */
#include "os/config.h"

#include "os/atomic.h"

#if !PLX__HAS_POSIX
#include "os/win32.h"

/* No function: what was looked for is missing. */
static void win32_missing(void)
{
}

plx__win32_function plx__win32_find(_Atomic(plx__win32_function) *found, const wchar_t *module, const char *name)
{
    plx__win32_function function = atomic_load_explicit(found, PLX__RELAXED);

    if (!function) {
        DWORD saved = GetLastError();
        HMODULE handle = GetModuleHandleW(module);
        function = handle ? (plx__win32_function)GetProcAddress(handle, name) : NULL;
        SetLastError(saved);
        if (!function)
            function = win32_missing;
        atomic_store_explicit(found, function, PLX__RELAXED); /* whoever looks finds the same */
    }
    return function == win32_missing ? NULL : function;
}

bool plx__win32_is_wine(void)
{
    static _Atomic(plx__win32_function) found;

    return plx__win32_find(&found, L"ntdll.dll", "wine_get_version") != NULL;
}

/* ---- Functions that may be missing ----------------------------------------- */

/* One that stands in for `name` and calls it, if it is there.
   NOLINTBEGIN(bugprone-macro-parentheses): both lists bring theirs along */
#define WIN32_NT(name, parameters, arguments)                                                   \
    static NTSTATUS NTAPI win32_##name parameters                                               \
    {                                                                                           \
        static _Atomic(plx__win32_function) found;                                              \
        plx__win32_function function = plx__win32_find(&found, L"ntdll.dll", #name);            \
        return function ? ((NTSTATUS(NTAPI *) parameters)function)arguments : PLX__STATUS_NOT_IMPLEMENTED; \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

WIN32_NT(NtCreateFile,
         (HANDLE * file, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, IO_STATUS_BLOCK *status,
          LARGE_INTEGER *size, ULONG file_attributes, ULONG share, ULONG disposition, ULONG options, void *extended,
          ULONG extended_size),
         (file, access, attributes, status, size, file_attributes, share, disposition, options, extended,
          extended_size))
WIN32_NT(NtDeviceIoControlFile,
         (HANDLE file, HANDLE event, PIO_APC_ROUTINE routine, void *context, IO_STATUS_BLOCK *status, ULONG code,
          void *in, ULONG in_size, void *out, ULONG out_size),
         (file, event, routine, context, status, code, in, in_size, out, out_size))
WIN32_NT(NtCancelIoFileEx, (HANDLE file, IO_STATUS_BLOCK *which, IO_STATUS_BLOCK *status), (file, which, status))
WIN32_NT(NtQueryObject,
         (HANDLE handle, OBJECT_INFORMATION_CLASS what, void *information, ULONG size, ULONG *written),
         (handle, what, information, size, written))
WIN32_NT(NtCreateWaitCompletionPacket, (HANDLE * packet, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes),
         (packet, access, attributes))
WIN32_NT(NtAssociateWaitCompletionPacket,
         (HANDLE packet, HANDLE port, HANDLE target, void *key, void *context, NTSTATUS status, ULONG_PTR information,
          BOOLEAN *signalled),
         (packet, port, target, key, context, status, information, signalled))
WIN32_NT(NtCancelWaitCompletionPacket, (HANDLE packet, BOOLEAN remove), (packet, remove))

static BOOL WINAPI win32_compare(HANDLE one, HANDLE other)
{
    static _Atomic(plx__win32_function) found;
    plx__win32_function function = plx__win32_find(&found, L"kernelbase.dll", "CompareObjectHandles");

    return !function || ((BOOL(WINAPI *)(HANDLE, HANDLE))function)(one, other);
}

static BOOL WINAPI win32_unbiased_time(ULONGLONG *ticks)
{
    static _Atomic(plx__win32_function) found;
    plx__win32_function function = plx__win32_find(&found, L"kernelbase.dll", "QueryUnbiasedInterruptTimePrecise");

    if (function)
        ((void(WINAPI *)(ULONGLONG *))function)(ticks);
    return function != NULL;
}

PLX__SEAM plx__win32_calls plx__win32 = {
    .CloseHandle = CloseHandle,
    .GetHandleInformation = GetHandleInformation,
    .GetFileType = GetFileType,
    .GetConsoleMode = GetConsoleMode,
    .DuplicateHandle = DuplicateHandle,
    .CompareObjectHandles = win32_compare,
    .QueryUnbiasedInterruptTimePrecise = win32_unbiased_time,
    .CreateIoCompletionPort = CreateIoCompletionPort,
    .GetQueuedCompletionStatusEx = GetQueuedCompletionStatusEx,
    .PostQueuedCompletionStatus = PostQueuedCompletionStatus,
    .RegisterWaitForSingleObject = RegisterWaitForSingleObject,
    .UnregisterWaitEx = UnregisterWaitEx,
    .CreateWaitableTimerExW = CreateWaitableTimerExW,
    .SetWaitableTimer = SetWaitableTimer,
    .getsockopt = getsockopt,
    .getsockname = getsockname,
    .getpeername = getpeername,
    .WSAIoctl = WSAIoctl,
    .NtCreateFile = win32_NtCreateFile,
    .NtDeviceIoControlFile = win32_NtDeviceIoControlFile,
    .NtCancelIoFileEx = win32_NtCancelIoFileEx,
    .NtQueryObject = win32_NtQueryObject,
    .NtCreateWaitCompletionPacket = win32_NtCreateWaitCompletionPacket,
    .NtAssociateWaitCompletionPacket = win32_NtAssociateWaitCompletionPacket,
    .NtCancelWaitCompletionPacket = win32_NtCancelWaitCompletionPacket,
};

/* ---- Errors ---------------------------------------------------------------- */

static const struct {
    DWORD code;
    int error;
} win32_errors[] = {
    {ERROR_INVALID_FUNCTION, ENOTSUP},
    {ERROR_FILE_NOT_FOUND, ENOENT},
    {ERROR_PATH_NOT_FOUND, ENOENT},
    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
    {ERROR_ACCESS_DENIED, EACCES},
    {ERROR_INVALID_HANDLE, EBADF},
    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
    {ERROR_OUTOFMEMORY, ENOMEM},
    {ERROR_INVALID_DRIVE, ENOENT},
    {ERROR_SHARING_VIOLATION, EACCES},
    {ERROR_NOT_SUPPORTED, ENOTSUP},
    {ERROR_BAD_NETPATH, ENOENT},
    {ERROR_BAD_NET_NAME, ENOENT},
    {ERROR_INVALID_PARAMETER, EINVAL},
    {ERROR_BROKEN_PIPE, EPIPE},
    {ERROR_CALL_NOT_IMPLEMENTED, ENOTSUP},
    {ERROR_INVALID_NAME, ENOENT},
    {ERROR_PROC_NOT_FOUND, ENOTSUP},
    {ERROR_BAD_PATHNAME, ENOENT},
    {ERROR_ALREADY_EXISTS, EEXIST},
    {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
    {ERROR_NO_DATA, EPIPE},
    {WAIT_TIMEOUT, ETIMEDOUT},
    {ERROR_DIRECTORY, ENOTDIR},
    {ERROR_OPERATION_ABORTED, ECANCELED},
    {ERROR_NOT_FOUND, ENOENT},
    {ERROR_NO_SYSTEM_RESOURCES, ENOMEM},
    {ERROR_WORKING_SET_QUOTA, ENOMEM},
    {ERROR_COMMITMENT_LIMIT, ENOMEM},
    {ERROR_NOT_ENOUGH_QUOTA, ENOMEM},
    {ERROR_CANT_RESOLVE_FILENAME, ELOOP},
    {WSAEBADF, EBADF},
    {WSAEACCES, EACCES},
    {WSAEINVAL, EINVAL},
    {WSAEMFILE, EMFILE},
    {WSAENOTSOCK, EBADF},
    {WSAEOPNOTSUPP, ENOTSUP},
    {WSAENOBUFS, ENOMEM},
    {WSASYSNOTREADY, ENOTSUP},
    {WSANOTINITIALISED, ENOTSUP},
};

int plx__win32_error(DWORD code)
{
    for (size_t i = 0; i < sizeof win32_errors / sizeof win32_errors[0]; i++)
        if (code == win32_errors[i].code)
            return -win32_errors[i].error;
    return -EIO;
}

int plx__win32_status(NTSTATUS status)
{
    static _Atomic(plx__win32_function) found;
    plx__win32_function function = plx__win32_find(&found, L"ntdll.dll", "RtlNtStatusToDosError");

    return function ? plx__win32_error(((ULONG(NTAPI *)(NTSTATUS))function)(status)) : -EIO;
}

#endif
