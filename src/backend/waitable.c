/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a handle: by a wait packet, which the kernel itself puts into the port, or where
 * there are none by the process' thread pool, one of whose threads does.
 *
 * The traps: a handle that is closed while the pool waits for it is undefined, so we wait for a
 * duplicate. To end a wait and to know whether its callback has run are one call only with
 * INVALID_HANDLE_VALUE, which waits for a callback that runs; ours takes no lock.
 */
#include "os/config.h"

#include "backend/waitable.h"

#if PLX__HAS_IOCP
#include "os/descriptor.h"

/* Files and pipes are signalled by their own traffic, which says nothing. */
static int waitable_check(HANDLE handle, uint32_t *calls)
{
    PUBLIC_OBJECT_BASIC_INFORMATION basic;
    DWORD saved = GetLastError();
    DWORD mode;
    DWORD type = plx__win32.GetFileType(handle);
    bool console = type == FILE_TYPE_CHAR && plx__win32.GetConsoleMode(handle, &mode);

    SetLastError(saved);
    *calls += 2;
    if (type != FILE_TYPE_UNKNOWN && !console)
        return -EPERM;
    NTSTATUS status = plx__win32.NtQueryObject(handle, ObjectBasicInformation, &basic, sizeof basic, NULL);
    if (status < 0)
        return plx__win32_status(status);
    return basic.GrantedAccess & SYNCHRONIZE ? 0 : -EPERM;
}

int plx__waitable_open(plx__waitable *waitable, plx_fd fd, HANDLE port, uint32_t *calls)
{
    HANDLE handle = (HANDLE)fd;
    HANDLE self = GetCurrentProcess();
    int rc = plx__descriptor_is_open(fd) ? waitable_check(handle, calls) : -EBADF;

    ++*calls;
    if (rc < 0)
        return rc;
    DWORD saved = GetLastError();
    rc = plx__win32_result(plx__win32.DuplicateHandle(self, handle, self, &waitable->handle, 0, FALSE,
                                                      DUPLICATE_SAME_ACCESS),
                           saved);
    ++*calls;
    if (rc < 0)
        return rc;
    NTSTATUS status = plx__win32.NtCreateWaitCompletionPacket(&waitable->packet, GENERIC_ALL, NULL);
    ++*calls;
    if (status == PLX__STATUS_NOT_IMPLEMENTED) {
        waitable->packet = NULL;
    } else if (status < 0) {
        plx__win32_close(waitable->handle);
        return plx__win32_status(status);
    }
    waitable->port = port;
    return 0;
}

void plx__waitable_close(plx__waitable *waitable)
{
    if (waitable->packet)
        plx__win32_close(waitable->packet);
    plx__win32_close(waitable->handle);
}

/*
 * In a thread of the pool. It is the only one to know: while the kernel has no memory for it,
 * it tries again.
 */
static VOID CALLBACK waitable_signalled(void *context, BOOLEAN timed_out)
{
    plx__waitable *waitable = context;

    (void)timed_out;
    atomic_store_explicit(&waitable->posted, true, PLX__RELAXED);
    while (!plx__win32.PostQueuedCompletionStatus(waitable->port, 0, 0, waitable->context))
        Sleep(1);
}

int plx__waitable_arm(plx__waitable *waitable, void *context)
{
    if (waitable->packet) {
        BOOLEAN signalled;
        NTSTATUS status = plx__win32.NtAssociateWaitCompletionPacket(waitable->packet, waitable->port,
                                                                     waitable->handle, NULL, context, 0, 0,
                                                                     &signalled);
        return status < 0 ? plx__win32_status(status) : 0;
    }
    DWORD saved = GetLastError();
    waitable->context = context;
    atomic_store_explicit(&waitable->posted, false, PLX__RELAXED);
    return plx__win32_result(plx__win32.RegisterWaitForSingleObject(&waitable->wait, waitable->handle,
                                                                    waitable_signalled, waitable, INFINITE,
                                                                    WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE),
                             saved);
}

static void waitable_unregister(plx__waitable *waitable)
{
    DWORD saved = GetLastError();

    (void)plx__win32.UnregisterWaitEx(waitable->wait, INVALID_HANDLE_VALUE);
    SetLastError(saved);
    waitable->wait = NULL;
}

bool plx__waitable_disarm(plx__waitable *waitable)
{
    if (waitable->packet)
        return plx__win32.NtCancelWaitCompletionPacket(waitable->packet, TRUE) == PLX__STATUS_SUCCESS;
    waitable_unregister(waitable);
    return !atomic_load_explicit(&waitable->posted, PLX__RELAXED);
}

void plx__waitable_done(plx__waitable *waitable)
{
    if (waitable->wait)
        waitable_unregister(waitable);
}

bool plx__waitable_is(const plx__waitable *waitable, plx_fd fd)
{
    return plx__win32.CompareObjectHandles(waitable->handle, (HANDLE)fd);
}

#endif
