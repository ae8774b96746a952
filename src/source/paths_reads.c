/* SPDX-License-Identifier: MIT */
/*
 * Reading the changes of a folder, on Windows. The kernel gathers them from the first call
 * on, between calls too, in a buffer of its own, as large as the first one's; if that was too
 * small, a read ends with nothing.
 *
 * The traps: a read is cancelled when the thread that began it exits; nothing is lost, and
 * it is begun again. All reads of an object have one event, and beginning one resets it:
 * whoever wants to sleep looks at all of them after the last was begun.
 */
#include "os/config.h"

#include "source/paths.h"

#if PLX__HAS_IOCP
#include "source/paths_reads.h"

#include "core/memory.h"

#include <errno.h>

static int read_begin(rd_state *rd, rd_read *read)
{
    read->overlapped = (OVERLAPPED){.hEvent = rd->event};
    rd->begun++;
    if (!plx__win32_sources.ReadDirectoryChangesW(read->folder, read->buffer, read->size, read->subtree,
                                                  read->filter, NULL, &read->overlapped, NULL))
        return GetLastError() == ERROR_INVALID_FUNCTION ? -ENOTSUP : plx__win32_failed();
    read->pending = true;
    return 0;
}

static int read_open_folder(rd_read *read, const wchar_t *folder)
{
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    BY_HANDLE_FILE_INFORMATION information;

    read->folder = plx__win32_sources.CreateFileW(folder, FILE_LIST_DIRECTORY | SYNCHRONIZE, share, NULL, OPEN_EXISTING,
                                                  FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OVERLAPPED, NULL);
    if (read->folder == INVALID_HANDLE_VALUE) {
        read->folder = NULL;
        return plx__win32_failed();
    }
    if (!plx__win32_sources.GetFileInformationByHandle(read->folder, &information))
        return plx__win32_failed();
    return information.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? 0 : -ENOTDIR;
}

int plx__read_open(rd_state *rd, rd_read *read, const wchar_t *folder, DWORD filter, bool subtree, DWORD size)
{
    read->filter = filter;
    read->subtree = subtree;
    read->size = size;
    int rc = read_open_folder(read, folder);
    if (rc == 0) {
        read->buffer = plx__memory_get(rd->memory, size);
        rc = read->buffer ? read_begin(rd, read) : -ENOMEM;
    }
    if (rc < 0)
        plx__read_free(rd, read);
    return rc;
}

/* False while it is pending; the error of its end in *error. */
static bool read_ended(rd_read *read, DWORD *error)
{
    DWORD count = 0;
    bool good = plx__win32_sources.GetOverlappedResult(read->folder, &read->overlapped, &count, FALSE);

    *error = good ? ERROR_SUCCESS : GetLastError();
    if (*error == ERROR_IO_INCOMPLETE)
        return false;
    read->pending = false;
    read->filled = good ? count : 0;
    read->at = 0;
    return true;
}

/* The event may be set by other reads: it is, for them, when this returns. */
static void read_cancel(rd_state *rd, rd_read *read)
{
    DWORD error;

    (void)plx__win32_sources.CancelIoEx(read->folder, &read->overlapped);
    while (!read_ended(read, &error)) {
        (void)plx__win32_sources.ResetEvent(rd->event);
        if (read_ended(read, &error))
            break;
        (void)plx__win32_sources.WaitForSingleObject(rd->event, INFINITE);
    }
    (void)plx__win32_sources.SetEvent(rd->event);
}

void plx__read_close(rd_state *rd, rd_read *read)
{
    if (read->pending)
        read_cancel(rd, read);
    if (read->folder)
        plx__win32_close(read->folder);
    read->folder = NULL;
}

void plx__read_free(rd_state *rd, rd_read *read)
{
    plx__read_close(rd, read);
    plx__memory_put(rd->memory, read->buffer);
    read->buffer = NULL;
    read->filled = read->at = 0;
}

rd_filled plx__read_fill(rd_state *rd, rd_read *read)
{
    DWORD error;

    while (read->at >= read->filled) {
        if (!read->folder)
            return RD_NOTHING;
        int rc = read->pending ? 0 : read_begin(rd, read);
        if (rc < 0) {
            rd->lost |= rc == -ENOMEM || rc == -ENOBUFS;
            plx__read_close(rd, read);
            return RD_OVER;
        }
        if (!read_ended(read, &error))
            return RD_NOTHING;
        if (error == ERROR_NOTIFY_ENUM_DIR || (error == ERROR_SUCCESS && read->filled == 0))
            return RD_LOST;
        if (error != ERROR_SUCCESS && error != ERROR_OPERATION_ABORTED) {
            plx__read_close(rd, read);
            return RD_OVER;
        }
    }
    return RD_SOMETHING;
}

FILE_NOTIFY_INFORMATION *plx__read_present(const rd_read *read)
{
    return (FILE_NOTIFY_INFORMATION *)(void *)(read->buffer + read->at);
}

void plx__read_consume(rd_read *read)
{
    DWORD size = plx__read_present(read)->NextEntryOffset;

    read->at = size ? read->at + size : read->filled;
}

#endif
