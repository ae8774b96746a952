/* SPDX-License-Identifier: MIT */
/*
 * The calls of Windows and of its NT layer that the library makes, behind a table as in posix.h.
 * Those of ntdll, and those that not every Windows 10, or Wine, has, are looked for at their
 * first use: a missing one fails with STATUS_NOT_IMPLEMENTED.
 *
 * The callers below it return 0, or a negative errno value, and leave GetLastError, which is
 * WSAGetLastError too, as it was.
 */
#ifndef PLX__WIN32_H
#define PLX__WIN32_H

#include "os/config.h"

#if !PLX__HAS_POSIX
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <winsock2.h>
#include <windows.h>
#include <winternl.h>

/* What the headers have only for drivers, or for newer systems than they are. */
#define PLX__STATUS_SUCCESS         ((NTSTATUS)0)
#define PLX__STATUS_PENDING         ((NTSTATUS)0x103)
#define PLX__STATUS_NOT_IMPLEMENTED ((NTSTATUS)0xC0000002)
#define PLX__STATUS_CANCELLED       ((NTSTATUS)0xC0000120)
#define PLX__STATUS_NOT_FOUND       ((NTSTATUS)0xC0000225)

#define PLX__STATUS_IS_ERROR(status) ((ULONG)(status) >> 30 == 3)

#define PLX__TIMER_HIGH_RESOLUTION 2u /* of CreateWaitableTimerExW, Windows 10 1803 */

typedef struct plx__win32_calls {
    BOOL (WINAPI *CloseHandle)(HANDLE handle);
    BOOL (WINAPI *GetHandleInformation)(HANDLE handle, DWORD *flags);
    DWORD (WINAPI *GetFileType)(HANDLE handle);
    BOOL (WINAPI *GetConsoleMode)(HANDLE handle, DWORD *mode);
    BOOL (WINAPI *DuplicateHandle)(HANDLE from, HANDLE handle, HANDLE to, HANDLE *copy, DWORD access, BOOL inherit,
                                   DWORD options);
    BOOL (WINAPI *CompareObjectHandles)(HANDLE one, HANDLE other); /* Windows 10 */
    BOOL (WINAPI *QueryUnbiasedInterruptTimePrecise)(ULONGLONG *ticks); /* Windows 10, not Wine */

    HANDLE (WINAPI *CreateIoCompletionPort)(HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads);
    BOOL (WINAPI *GetQueuedCompletionStatusEx)(HANDLE port, OVERLAPPED_ENTRY *entries, ULONG room, ULONG *count,
                                               DWORD milliseconds, BOOL alertable);
    BOOL (WINAPI *PostQueuedCompletionStatus)(HANDLE port, DWORD bytes, ULONG_PTR key, OVERLAPPED *overlapped);
    BOOL (WINAPI *RegisterWaitForSingleObject)(HANDLE *wait, HANDLE handle, WAITORTIMERCALLBACK callback,
                                               void *context, ULONG milliseconds, ULONG flags);
    BOOL (WINAPI *UnregisterWaitEx)(HANDLE wait, HANDLE event);
    HANDLE (WINAPI *CreateWaitableTimerExW)(SECURITY_ATTRIBUTES *security, const wchar_t *name, DWORD flags,
                                            DWORD access);
    BOOL (WINAPI *SetWaitableTimer)(HANDLE timer, const LARGE_INTEGER *due, LONG period, PTIMERAPCROUTINE routine,
                                    void *argument, BOOL resume);

    int (WSAAPI *getsockopt)(SOCKET socket, int level, int option, char *value, int *size);
    int (WSAAPI *getsockname)(SOCKET socket, struct sockaddr *address, int *size);
    int (WSAAPI *getpeername)(SOCKET socket, struct sockaddr *address, int *size);
    int (WSAAPI *WSAIoctl)(SOCKET socket, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size,
                           DWORD *written, WSAOVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);

    NTSTATUS (NTAPI *NtCreateFile)(HANDLE *file, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
                                   IO_STATUS_BLOCK *status, LARGE_INTEGER *size, ULONG file_attributes, ULONG share,
                                   ULONG disposition, ULONG options, void *extended, ULONG extended_size);
    NTSTATUS (NTAPI *NtDeviceIoControlFile)(HANDLE file, HANDLE event, PIO_APC_ROUTINE routine, void *context,
                                            IO_STATUS_BLOCK *status, ULONG code, void *in, ULONG in_size, void *out,
                                            ULONG out_size);
    NTSTATUS (NTAPI *NtCancelIoFileEx)(HANDLE file, IO_STATUS_BLOCK *which, IO_STATUS_BLOCK *status);
    NTSTATUS (NTAPI *NtQueryObject)(HANDLE handle, OBJECT_INFORMATION_CLASS what, void *information, ULONG size,
                                    ULONG *written);
    /* Windows 8, not Wine 8. */
    NTSTATUS (NTAPI *NtCreateWaitCompletionPacket)(HANDLE *packet, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes);
    NTSTATUS (NTAPI *NtAssociateWaitCompletionPacket)(HANDLE packet, HANDLE port, HANDLE target, void *key,
                                                      void *context, NTSTATUS status, ULONG_PTR information,
                                                      BOOLEAN *signalled);
    NTSTATUS (NTAPI *NtCancelWaitCompletionPacket)(HANDLE packet, BOOLEAN remove);
} plx__win32_calls;

extern PLX__SEAM plx__win32_calls plx__win32;

/*
 * A function of a module that is in the process in any case; NULL where it is missing. The
 * first answer is kept in *found.
 */
typedef void (*plx__win32_function)(void);
plx__win32_function plx__win32_find(_Atomic(plx__win32_function) *found, const wchar_t *module, const char *name);

bool plx__win32_is_wine(void);

/* A code of GetLastError or WSAGetLastError, or a status that is no success, as -errno. */
int plx__win32_error(DWORD code);
int plx__win32_status(NTSTATUS status);

/* 0 if `ok`, else the last error, after it was put back to what it was. */
static inline int plx__win32_result(bool ok, DWORD saved)
{
    if (ok)
        return 0;
    int rc = plx__win32_error(GetLastError());
    SetLastError(saved);
    return rc;
}

static inline void plx__win32_close(HANDLE handle)
{
    DWORD saved = GetLastError();

    (void)plx__win32_result(plx__win32.CloseHandle(handle), saved);
}

#endif

#endif
