/* SPDX-License-Identifier: MIT */
/*
 * Windows: what AFD's events come to; what the driver is asked; a port that says nothing; handles
 * that can be waited for, by the thread pool and by wait packets, for which a double stands in
 * where the system has none.
 */
#include "os/config.h"

#include "../tools.h"

#if !PLX__HAS_IOCP

int main(void)
{
    SKIP("completion ports are of Windows");
}

#else
#include "backend/afd.h"

static plx_poller *poller;
static plx_registry *registry;
static counted_memory memory;
static plx_event events[8];

static void start(void)
{
    counted_init(&memory);
    CHECK_RC(plx_poller_open(&poller, &(plx_options){.allocator = &memory.allocator}), 0);
    registry = plx_poller_registry(poller);
}

static void stop(void)
{
    plx_poller_close(poller);
    CHECK_EQ(atomic_load(&memory.live), 0);
}

static void expect(plx_token token, uint32_t flags)
{
    CHECK_RC(plx_poller_wait(poller, events, 8, PLX_SEC(20)), 1);
    CHECK_EQ(events[0].token, token);
    CHECK_EQ(events[0].flags, flags);
}

static void expect_nothing(plx_nanos timeout)
{
    CHECK_RC(plx_poller_wait(poller, events, 8, timeout), 0);
}

static DWORD handles_open(void)
{
    DWORD count = 0;

    CHECK(GetProcessHandleCount(GetCurrentProcess(), &count));
    return count;
}

static void await_readable(plx_fd fd)
{
    CHECK_EQ(WSAPoll(&(WSAPOLLFD){.fd = fd, .events = POLLRDNORM}, 1, 20000), 1);
}

/* ---- AFD's events -------------------------------------------------------------------- */

static void interests_ask_for_what_they_report(void)
{
    static const uint32_t single[] = {PLX_READABLE, PLX_WRITABLE, PLX_PRIORITY, PLX_READ_CLOSED, PLX_ERROR};

    CHECK_EQ(plx__afd_events(0), PLX__AFD_LOCAL_CLOSE);
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        uint32_t asked = plx__afd_events(single[i]);
        CHECK(asked & PLX__AFD_LOCAL_CLOSE && asked & PLX__AFD_ABORT && asked & PLX__AFD_CONNECT_FAIL);
        for (uint32_t event = 1; event <= PLX__AFD_CONNECT_FAIL; event <<= 1) /* or a wait would spin on it */
            if (asked & event && event != PLX__AFD_LOCAL_CLOSE)
                CHECK(plx__afd_flags(event) & (single[i] | PLX_ERROR));
    }
    CHECK_EQ(plx__afd_flags(PLX__AFD_RECEIVE), PLX_READABLE);
    CHECK_EQ(plx__afd_flags(PLX__AFD_ACCEPT), PLX_READABLE);
    CHECK_EQ(plx__afd_flags(PLX__AFD_SEND), PLX_WRITABLE);
    CHECK_EQ(plx__afd_flags(PLX__AFD_EXPEDITED), PLX_PRIORITY);
    CHECK_EQ(plx__afd_flags(PLX__AFD_DISCONNECT), PLX_READABLE | PLX_READ_CLOSED);
    CHECK_EQ(plx__afd_flags(PLX__AFD_ABORT), PLX_READ_CLOSED | PLX_WRITE_CLOSED | PLX_ERROR);
    CHECK_EQ(plx__afd_flags(PLX__AFD_CONNECT_FAIL), PLX_READ_CLOSED | PLX_WRITE_CLOSED | PLX_ERROR);
    CHECK_EQ(plx__afd_flags(PLX__AFD_LOCAL_CLOSE), 0);
}

static void codes_become_errno_values(void)
{
    CHECK_EQ(plx__win32_error(ERROR_INVALID_HANDLE), -EBADF);
    CHECK_EQ(plx__win32_error(WSAENOTSOCK), -EBADF);
    CHECK_EQ(plx__win32_error(WSAENOBUFS), -ENOMEM);
    CHECK_EQ(plx__win32_error(0xffffffff), -EIO);
    CHECK_EQ(plx__win32_status((NTSTATUS)0xC0000008), -EBADF); /* STATUS_INVALID_HANDLE */
    CHECK_EQ(plx__win32_status((NTSTATUS)0xC0000024), -EBADF); /* STATUS_OBJECT_TYPE_MISMATCH */
    CHECK_EQ(plx__win32_status((NTSTATUS)0xC000009A), -ENOMEM); /* STATUS_INSUFFICIENT_RESOURCES */
    CHECK_EQ(plx__win32_status(PLX__STATUS_NOT_FOUND), -ENOENT);
}

/* ---- Handles ------------------------------------------------------------------------- */

static void a_signalled_handle_is_readable(void)
{
    HANDLE manual = CreateEventW(NULL, TRUE, FALSE, NULL);
    HANDLE automatic = CreateEventW(NULL, FALSE, FALSE, NULL);
    start();
    CHECK_RC(plx_register_handle(registry, manual, 1, PLX_READABLE), 0);
    CHECK_RC(plx_register_handle(registry, manual, 2, PLX_READABLE), -EEXIST);
    CHECK_RC(plx_register_handle(registry, automatic, 2, PLX_READABLE), 0);
    expect_nothing(0);
    SetEvent(manual);
    expect(1, PLX_READABLE);
    expect(1, PLX_READABLE); /* level */
    CHECK_RC(plx_disable(registry, (plx_fd)manual, PLX_READABLE), 0);
    expect_nothing(PLX_MSEC(5));
    CHECK_RC(plx_enable(registry, (plx_fd)manual, PLX_READABLE), 0);
    expect(1, PLX_READABLE);
    ResetEvent(manual);
    CHECK(plx_poller_wait(poller, events, 8, PLX_MSEC(1)) >= 0); /* one that was on its way */
    expect_nothing(PLX_MSEC(5));
    SetEvent(automatic);
    expect(2, PLX_READABLE);
    expect_nothing(PLX_MSEC(5)); /* the wait has reset it */
    CHECK_RC(plx_reregister(registry, (plx_fd)manual, 3, PLX_READABLE | PLX_ONESHOT), 0);
    SetEvent(manual);
    expect(3, PLX_READABLE);
    expect_nothing(PLX_MSEC(5));
    CHECK_RC(plx_deregister_handle(registry, manual), 0);
    CHECK_RC(plx_deregister_handle(registry, manual), -ENOENT);
    CHECK_RC(plx_deregister_handle(registry, automatic), 0);
    SetEvent(automatic);
    expect_nothing(PLX_MSEC(5));
    stop();
    CHECK_EQ(WaitForSingleObject(automatic, 0), WAIT_OBJECT_0); /* nobody else has taken it */
    CloseHandle(manual);
    CloseHandle(automatic);
}

static atomic_int posts;

static BOOL WINAPI count_post(HANDLE port, DWORD bytes, ULONG_PTR key, OVERLAPPED *overlapped)
{
    BOOL posted = PostQueuedCompletionStatus(port, bytes, key, overlapped);

    atomic_fetch_add(&posts, 1);
    return posted;
}

/*
 * Wine 8 crashes, or runs a callback after its wait has ended, if the wait ends as it is signalled
 * (dlls/ntdll/threadpool.c): there the callback comes first.
 */
static void await_post(int number)
{
    while (plx__win32_is_wine() && atomic_load(&posts) < number)
        Sleep(0);
}

static void handles_end_in_any_state(void)
{
    BOOL (WINAPI *post)(HANDLE, DWORD, ULONG_PTR, OVERLAPPED *) = plx__win32.PostQueuedCompletionStatus;

    plx__win32.PostQueuedCompletionStatus = count_post;
    for (int i = 0; i < 200; i++) {
        HANDLE event = CreateEventW(NULL, TRUE, i % 2, NULL);
        int before = atomic_load(&posts);
        start();
        CHECK_RC(plx_register_handle(registry, event, 1, PLX_READABLE), 0);
        if (i % 3 == 0)
            SetEvent(event);
        if (i % 2 || i % 3 == 0)
            await_post(before + 1);
        if (i % 4 == 0)
            CHECK_RC(plx_deregister_handle(registry, event), 0);
        if (i % 5 == 0)
            CloseHandle(event);
        stop();
        if (i % 5 != 0)
            CloseHandle(event);
    }
    plx__win32.PostQueuedCompletionStatus = post;
}

static void what_cannot_be_waited_for_is_refused(void)
{
    HANDLE ends[2], null = CreateFileW(L"NUL", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    wchar_t path[MAX_PATH];
    HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

    CHECK(GetModuleFileNameW(NULL, path, MAX_PATH) > 0);
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(null != INVALID_HANDLE_VALUE && file != INVALID_HANDLE_VALUE && CreatePipe(&ends[0], &ends[1], NULL, 0));
    start();
    CHECK_RC(plx_register_handle(registry, null, 1, PLX_READABLE), -EPERM);
    CHECK_RC(plx_register_handle(registry, file, 1, PLX_READABLE), -EPERM);
    CHECK_RC(plx_register_handle(registry, ends[0], 1, PLX_READABLE), -EPERM);
    CHECK_RC(plx_register_handle(registry, GetCurrentProcess(), 1, PLX_READABLE), -EBADF);
    CHECK_RC(plx_register_handle(registry, NULL, 1, PLX_READABLE), -EBADF);
    CloseHandle(event);
    CHECK_RC(plx_register_handle(registry, event, 1, PLX_READABLE), -EBADF);
    stop();
    CloseHandle(null);
    CloseHandle(file);
    CloseHandle(ends[0]);
    CloseHandle(ends[1]);
}

/* ---- Sockets ------------------------------------------------------------------------- */

static plx__win32_calls real;
static atomic_int controls; /* requests to AFD */

static NTSTATUS NTAPI count_control(HANDLE file, HANDLE event, PIO_APC_ROUTINE routine, void *context,
                                    IO_STATUS_BLOCK *status, ULONG code, void *in, ULONG in_size, void *out,
                                    ULONG out_size)
{
    atomic_fetch_add(&controls, 1);
    return real.NtDeviceIoControlFile(file, event, routine, context, status, code, in, in_size, out, out_size);
}

/* Whoever knows which completions may be over asks the driver about all of them at once. */
static void a_wait_looks_again_in_one_call(void)
{
    enum { COUNT = 10, DRAINED = 3, CLOSED = 7 };
    plx_fd ends[COUNT][2];

    real = plx__win32;
    plx__win32.NtDeviceIoControlFile = count_control;
    start();
    for (plx_token i = 0; i < COUNT; i++) {
        open_pair(ends[i]);
        CHECK_RC(plx_register(registry, ends[i][0], i, PLX_READABLE | PLX_ONESHOT), 0);
    }
    expect_nothing(0);
    for (int closed = 0; closed < 2; closed++) {
        unsigned seen = 0, wanted = (1u << COUNT) - 1 - (1u << DRAINED) - (closed ? 1u << CLOSED : 0);
        for (int i = 0; i < COUNT; i++) {
            put_byte(ends[i][1]);
            await_readable(ends[i][0]);
        }
        drain(ends[DRAINED][0]);
        if (closed)
            close_fd(ends[CLOSED][0]);
        atomic_store(&controls, 0);
        plx_event all[COUNT];
        int count = plx_poller_wait(poller, all, COUNT, 0);
        for (int i = 0; i < count; i++)
            seen |= 1u << all[i].token;
        CHECK_EQ(seen, wanted);
        CHECK_EQ(count, COUNT - 1 - closed);
        if (!closed)
            CHECK(atomic_load(&controls) <= 2); /* the other arms the drained one */
        for (int i = 0; i < COUNT && !closed; i++) {
            drain(ends[i][0]);
            CHECK_RC(plx_reregister(registry, ends[i][0], (plx_token)i, PLX_READABLE | PLX_ONESHOT), 0);
        }
    }
    stop();
    for (int i = 0; i < COUNT; i++) {
        if (i != CLOSED)
            close_fd(ends[i][0]);
        close_fd(ends[i][1]);
    }
    plx__win32 = real;
}

/* After a warning a completion follows as after success. */
static NTSTATUS NTAPI warn_control(HANDLE file, HANDLE event, PIO_APC_ROUTINE routine, void *context,
                                   IO_STATUS_BLOCK *status, ULONG code, void *in, ULONG in_size, void *out,
                                   ULONG out_size)
{
    NTSTATUS result = count_control(file, event, routine, context, status, code, in, in_size, out, out_size);

    return result < 0 ? result : (NTSTATUS)0x80000005; /* STATUS_BUFFER_OVERFLOW */
}

static void a_warning_is_no_error(void)
{
    plx_fd ends[2];

    real = plx__win32;
    plx__win32.NtDeviceIoControlFile = warn_control;
    start();
    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    put_byte(ends[1]);
    expect(1, PLX_READABLE);
    drain(ends[0]);
    expect_nothing(PLX_MSEC(5));
    stop();
    close_pair(ends);
    plx__win32 = real;
}

/* A port that hands out nothing. */
static atomic_bool mute;

static BOOL WINAPI mute_take(HANDLE port, OVERLAPPED_ENTRY *entries, ULONG room, ULONG *count, DWORD milliseconds,
                             BOOL alertable)
{
    if (!atomic_load(&mute))
        return real.GetQueuedCompletionStatusEx(port, entries, room, count, milliseconds, alertable);
    CHECK(milliseconds <= 1000);
    SetLastError(WAIT_TIMEOUT);
    return FALSE;
}

static void closing_ends_though_nothing_completes(void)
{
    plx_fd ends[2];

    real = plx__win32;
    plx__win32.GetQueuedCompletionStatusEx = mute_take;
    start();
    open_pair(ends);
    CHECK_RC(plx_register(registry, ends[0], 1, PLX_READABLE), 0);
    atomic_store(&mute, true);
    plx_poller_close(poller);
    atomic_store(&mute, false);
    CHECK(atomic_load(&memory.live) > 0); /* the kernel's, for good */
    plx__win32 = real;
    close_pair(ends);
}

/* ---- Wait packets: a double, by the thread pool ---------------------------------------- */

typedef struct packet {
    HANDLE key; /* an event of no use, for a handle */
    HANDLE wait, port;
    void *context;
    atomic_bool posted;
} packet;

static packet packets[64];
static atomic_int packets_made, packets_armed;

static packet *packet_of(HANDLE key)
{
    for (int i = 0; i < 64; i++)
        if (packets[i].key == key)
            return &packets[i];
    check_fail(__FILE__, __LINE__, "", "a packet");
}

static NTSTATUS NTAPI packet_create(HANDLE *key, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes)
{
    (void)access;
    (void)attributes;
    packet *made = packet_of(NULL);
    *made = (packet){.key = CreateEventW(NULL, TRUE, FALSE, NULL)};
    *key = made->key;
    atomic_fetch_add(&packets_made, 1);
    return PLX__STATUS_SUCCESS;
}

static VOID CALLBACK packet_signalled(void *context, BOOLEAN timed_out)
{
    packet *which = context;

    (void)timed_out;
    atomic_store(&which->posted, true);
    CHECK(plx__win32.PostQueuedCompletionStatus(which->port, 0, 0, which->context));
}

static NTSTATUS NTAPI packet_associate(HANDLE key, HANDLE port, HANDLE target, void *port_key, void *context,
                                       NTSTATUS status, ULONG_PTR information, BOOLEAN *signalled)
{
    packet *which = packet_of(key);

    CHECK(!port_key && !status && !information);
    if (which->wait)
        UnregisterWaitEx(which->wait, INVALID_HANDLE_VALUE);
    which->port = port;
    which->context = context;
    atomic_store(&which->posted, false);
    *signalled = FALSE;
    CHECK(RegisterWaitForSingleObject(&which->wait, target, packet_signalled, which, INFINITE,
                                      WT_EXECUTEINWAITTHREAD | WT_EXECUTEONLYONCE));
    atomic_fetch_add(&packets_armed, 1);
    return PLX__STATUS_SUCCESS;
}

/* One that is in the port cannot be taken back by this double. */
static NTSTATUS NTAPI packet_cancel(HANDLE key, BOOLEAN remove)
{
    packet *which = packet_of(key);

    CHECK(remove);
    if (which->wait)
        UnregisterWaitEx(which->wait, INVALID_HANDLE_VALUE);
    which->wait = NULL;
    return atomic_load(&which->posted) ? PLX__STATUS_PENDING : PLX__STATUS_SUCCESS;
}

static BOOL WINAPI packet_close(HANDLE handle)
{
    for (int i = 0; i < 64; i++)
        if (handle && packets[i].key == handle) {
            CHECK_EQ(packet_cancel(handle, TRUE) >= 0, true);
            packets[i].key = NULL;
        }
    return CloseHandle(handle);
}

static void with_wait_packets(void)
{
    real = plx__win32;
    plx__win32.NtCreateWaitCompletionPacket = packet_create;
    plx__win32.NtAssociateWaitCompletionPacket = packet_associate;
    plx__win32.NtCancelWaitCompletionPacket = packet_cancel;
    plx__win32.CloseHandle = packet_close;
    a_signalled_handle_is_readable();
    handles_end_in_any_state();
    CHECK(atomic_load(&packets_made) > 200 && atomic_load(&packets_armed) > 200);
    start(); /* a timer of the kernel's beside the port's time */
    int armed = atomic_load(&packets_armed);
    plx_nanos before = plx_now();
    expect_nothing(PLX_MSEC(30));
    CHECK(plx_now() - before >= PLX_MSEC(30));
    CHECK(atomic_load(&packets_armed) > armed);
    stop();
    for (int i = 0; i < 64; i++)
        CHECK(!packets[i].key);
    plx__win32 = real;
}

int main(void)
{
    WSADATA data;

    watchdog(60);
    interests_ask_for_what_they_report();
    codes_become_errno_values();
    a_signalled_handle_is_readable(); /* without Winsock */
    CHECK_EQ(WSAStartup(MAKEWORD(2, 2), &data), 0);
    a_signalled_handle_is_readable();
    DWORD before = handles_open();
    handles_end_in_any_state();
    CHECK(handles_open() <= before + 4); /* the pool has some of its own */
    what_cannot_be_waited_for_is_refused();
    a_wait_looks_again_in_one_call();
    a_warning_is_no_error();
    closing_ends_though_nothing_completes();
    with_wait_packets();
    return 0;
}

#endif
