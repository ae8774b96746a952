/* SPDX-License-Identifier: MIT */
/*
 * Polls of AFD, which Windows does not document and has kept as they are since its NT days.
 *
 * Its traps: it knows the sockets of the base provider alone, so what a filter puts around one
 * is peeled off first. RECEIVE does not fire at the end of the stream, DISCONNECT does. What
 * was found is as old as the completion: whoever takes it late looks again. The driver opens
 * under any name behind its own.
 */
#include "os/config.h"

#include "backend/afd.h"

#if PLX__HAS_IOCP
#include "os/descriptor.h"

#include <mswsock.h>
#include <stddef.h>
#include <string.h>

enum { AFD_LAYERS = 16 };

#define AFD_IOCTL_POLL 0x00012024u

int plx__afd_open(HANDLE port, HANDLE *device)
{
    static wchar_t name[] = L"\\Device\\Afd\\Pollux";
    UNICODE_STRING path = {.Length = sizeof name - sizeof name[0], .MaximumLength = sizeof name, .Buffer = name};
    OBJECT_ATTRIBUTES attributes = {.Length = sizeof attributes, .ObjectName = &path};
    IO_STATUS_BLOCK status;
    HANDLE made;
    NTSTATUS result = plx__win32.NtCreateFile(&made, SYNCHRONIZE, &attributes, &status, NULL, 0,
                                              FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN,
                                              port ? 0 : FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);

    if (result < 0)
        return plx__win32_status(result);
    DWORD saved = GetLastError();
    int rc = plx__win32_result(!port || plx__win32.CreateIoCompletionPort(made, port, 0, 0), saved);
    if (rc < 0)
        plx__win32_close(made);
    else
        *device = made;
    return rc;
}

/* ---- Sockets --------------------------------------------------------------- */

static bool afd_handle(SOCKET socket, DWORD code, SOCKET *found, uint32_t *calls)
{
    DWORD size;

    ++*calls;
    return plx__win32.WSAIoctl(socket, code, NULL, 0, found, sizeof *found, &size, NULL, NULL) == 0;
}

/* Filters that refuse the first question have been seen to answer one of the others. */
static SOCKET afd_base(SOCKET socket, uint32_t *calls)
{
    SOCKET below;

    for (int i = 0; i < AFD_LAYERS; i++) {
        if (afd_handle(socket, SIO_BASE_HANDLE, &below, calls))
            return below;
        if ((!afd_handle(socket, SIO_BSP_HANDLE_POLL, &below, calls) &&
             !afd_handle(socket, SIO_BSP_HANDLE_SELECT, &below, calls)) ||
            below == socket)
            break;
        socket = below;
    }
    return socket;
}

static uint64_t afd_hash(const void *bytes, int size)
{
    const unsigned char *byte = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (int i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static plx__afd_identity afd_identify(SOCKET socket, bool stream, uint32_t *calls)
{
    plx__afd_identity identity = {0};
    struct sockaddr_storage address;
    int size = sizeof address;

    if (plx__win32.getsockname(socket, (struct sockaddr *)&address, &size) == 0)
        identity.local = afd_hash(&address, size);
    size = sizeof address;
    if (stream && plx__win32.getpeername(socket, (struct sockaddr *)&address, &size) == 0)
        identity.peer = afd_hash(&address, size);
    *calls += 1u + stream;
    return identity;
}

bool plx__afd_socket(plx_fd fd, HANDLE *socket, plx__afd_identity *identity, uint32_t *calls)
{
    DWORD saved = GetLastError();
    int type, size = sizeof type;
    bool is_socket = plx__win32.getsockopt((SOCKET)fd, SOL_SOCKET, SO_TYPE, (char *)&type, &size) == 0;

    ++*calls;
    if (is_socket) {
        *socket = (HANDLE)afd_base((SOCKET)fd, calls);
        *identity = afd_identify((SOCKET)fd, type == SOCK_STREAM, calls);
    }
    SetLastError(saved);
    return is_socket;
}

/* A connection that was reset has no peer any more: that is no change. */
int plx__afd_check(plx_fd fd, const plx__afd_identity *was, uint32_t *calls)
{
    plx__afd_identity now = {0};
    DWORD saved = GetLastError();

    if (was->peer)
        now = afd_identify((SOCKET)fd, true, calls);
    SetLastError(saved);
    if (now.peer)
        return now.peer == was->peer && now.local == was->local ? 0 : -ENOENT;
    ++*calls;
    return plx__descriptor_is_open(fd) ? 0 : -EBADF;
}

/* ---- Polls ----------------------------------------------------------------- */

/* Only after an error no completion follows: a warning is a status of one. */
static int afd_ask(HANDLE device, IO_STATUS_BLOCK *status, void *request, size_t size, void *context)
{
    status->Status = PLX__STATUS_PENDING;
    NTSTATUS result = plx__win32.NtDeviceIoControlFile(device, NULL, NULL, context, status, AFD_IOCTL_POLL, request,
                                                       (ULONG)size, request, (ULONG)size);

    return PLX__STATUS_IS_ERROR(result) ? plx__win32_status(result) : 0;
}

int plx__afd_arm(HANDLE device, HANDLE socket, uint32_t events, plx__afd_poll *poll)
{
    poll->request = (plx__afd_request){
        .timeout.QuadPart = INT64_MAX, .count = 1, .subject = {.socket = socket, .events = events}};
    return afd_ask(device, &poll->status, &poll->request, sizeof poll->request, poll);
}

int plx__afd_cancel(HANDLE device, plx__afd_poll *poll)
{
    IO_STATUS_BLOCK answer;
    NTSTATUS status = plx__win32.NtCancelIoFileEx(device, &poll->status, &answer);

    return status < 0 ? plx__win32_status(status) : 0;
}

uint32_t plx__afd_found(const plx__afd_poll *poll)
{
    return poll->status.Status == PLX__STATUS_SUCCESS && poll->request.count > 0 ? poll->request.subject.events : 0;
}

/* The answer names those of which something holds. */
static ULONG afd_answer(const plx__afd_subject *answer, ULONG count, HANDLE socket)
{
    for (ULONG i = 0; i < count; i++)
        if (answer[i].socket == socket)
            return answer[i].events;
    return 0;
}

int plx__afd_look(HANDLE device, plx__afd_subject *subjects, int count)
{
    union {
        plx__afd_request request;
        char room[sizeof(plx__afd_request) + (PLX__AFD_LOOKS - 1) * sizeof(plx__afd_subject)];
    } all;
    plx__afd_subject *asked = &all.request.subject;
    size_t size = sizeof(plx__afd_request) + (size_t)(count - 1) * sizeof *asked;
    IO_STATUS_BLOCK status;

    all.request = (plx__afd_request){.count = (ULONG)count};
    memcpy((char *)&all + offsetof(plx__afd_request, subject), subjects, (size_t)count * sizeof *asked);
    int rc = afd_ask(device, &status, &all, size, NULL);
    if (rc < 0)
        return rc;
    ULONG found = status.Status == PLX__STATUS_SUCCESS ? all.request.count : 0;
    for (int i = 0; i < count; i++)
        subjects[i].events = afd_answer(asked, found, subjects[i].socket);
    return 0;
}

/* ---- Events and flags ------------------------------------------------------ */

uint32_t plx__afd_events(uint32_t flags)
{
    uint32_t events = PLX__AFD_LOCAL_CLOSE;

    if (flags)
        events |= PLX__AFD_ABORT | PLX__AFD_CONNECT_FAIL;
    if (flags & PLX_READABLE)
        events |= PLX__AFD_RECEIVE | PLX__AFD_ACCEPT | PLX__AFD_DISCONNECT;
    if (flags & PLX_READ_CLOSED)
        events |= PLX__AFD_DISCONNECT;
    if (flags & PLX_WRITABLE)
        events |= PLX__AFD_SEND;
    if (flags & PLX_PRIORITY)
        events |= PLX__AFD_EXPEDITED;
    return events;
}

uint32_t plx__afd_flags(uint32_t events)
{
    uint32_t flags = 0;

    if (events & (PLX__AFD_RECEIVE | PLX__AFD_ACCEPT))
        flags |= PLX_READABLE;
    if (events & PLX__AFD_DISCONNECT)
        flags |= PLX_READABLE | PLX_READ_CLOSED;
    if (events & PLX__AFD_SEND)
        flags |= PLX_WRITABLE;
    if (events & PLX__AFD_EXPEDITED)
        flags |= PLX_PRIORITY;
    if (events & (PLX__AFD_ABORT | PLX__AFD_CONNECT_FAIL))
        flags |= PLX_READ_CLOSED | PLX_WRITE_CLOSED | PLX_ERROR;
    return flags;
}

#endif
