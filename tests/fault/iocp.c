/* SPDX-License-Identifier: MIT */
/*
 * Windows: each call of the backend fails once, at its first time, its second, and so on. What
 * returned an error has changed nothing, what succeeded must be told, and nothing is left behind.
 */
#include "os/config.h"

#include "../tools.h"

#if !PLX__HAS_IOCP

int main(void)
{
    SKIP("completion ports are of Windows");
}

#else
#include "os/win32.h"

enum call { PORT, TAKE, POST, REGISTER, DUPLICATE, OPEN, CONTROL, CANCEL, QUERY, LAYER, CALLS };

static plx__win32_calls real;
static enum call failing;
static atomic_int until; /* calls of that kind before the one that fails */

static bool fails(enum call call)
{
    if (call != failing || atomic_fetch_sub(&until, 1) != 0)
        return false;
    SetLastError(ERROR_NO_SYSTEM_RESOURCES);
    return true;
}

#define REFUSED ((NTSTATUS)0xC000009A) /* STATUS_INSUFFICIENT_RESOURCES */

static HANDLE WINAPI fault_port(HANDLE file, HANDLE port, ULONG_PTR key, DWORD threads)
{
    return fails(PORT) ? NULL : real.CreateIoCompletionPort(file, port, key, threads);
}

static BOOL WINAPI fault_take(HANDLE port, OVERLAPPED_ENTRY *entries, ULONG room, ULONG *count, DWORD milliseconds,
                              BOOL alertable)
{
    return !fails(TAKE) && real.GetQueuedCompletionStatusEx(port, entries, room, count, milliseconds, alertable);
}

static BOOL WINAPI fault_post(HANDLE port, DWORD bytes, ULONG_PTR key, OVERLAPPED *overlapped)
{
    return !fails(POST) && real.PostQueuedCompletionStatus(port, bytes, key, overlapped);
}

static BOOL WINAPI fault_register(HANDLE *wait, HANDLE handle, WAITORTIMERCALLBACK callback, void *context,
                                  ULONG milliseconds, ULONG flags)
{
    return !fails(REGISTER) && real.RegisterWaitForSingleObject(wait, handle, callback, context, milliseconds, flags);
}

static BOOL WINAPI fault_duplicate(HANDLE from, HANDLE handle, HANDLE to, HANDLE *copy, DWORD access, BOOL inherit,
                                   DWORD options)
{
    return !fails(DUPLICATE) && real.DuplicateHandle(from, handle, to, copy, access, inherit, options);
}

static NTSTATUS NTAPI fault_open(HANDLE *file, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes,
                                 IO_STATUS_BLOCK *status, LARGE_INTEGER *size, ULONG file_attributes, ULONG share,
                                 ULONG disposition, ULONG options, void *extended, ULONG extended_size)
{
    return fails(OPEN) ? REFUSED
                       : real.NtCreateFile(file, access, attributes, status, size, file_attributes, share, disposition,
                                           options, extended, extended_size);
}

static NTSTATUS NTAPI fault_control(HANDLE file, HANDLE event, PIO_APC_ROUTINE routine, void *context,
                                    IO_STATUS_BLOCK *status, ULONG code, void *in, ULONG in_size, void *out,
                                    ULONG out_size)
{
    return fails(CONTROL) ? REFUSED
                          : real.NtDeviceIoControlFile(file, event, routine, context, status, code, in, in_size, out,
                                                       out_size);
}

static NTSTATUS NTAPI fault_cancel(HANDLE file, IO_STATUS_BLOCK *which, IO_STATUS_BLOCK *status)
{
    return fails(CANCEL) ? REFUSED : real.NtCancelIoFileEx(file, which, status);
}

static NTSTATUS NTAPI fault_query(HANDLE handle, OBJECT_INFORMATION_CLASS what, void *information, ULONG size,
                                  ULONG *written)
{
    return fails(QUERY) ? REFUSED : real.NtQueryObject(handle, what, information, size, written);
}

static int WSAAPI fault_layer(SOCKET socket, DWORD code, void *in, DWORD in_size, void *out, DWORD out_size,
                              DWORD *written, WSAOVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    return fails(LAYER) ? SOCKET_ERROR
                        : real.WSAIoctl(socket, code, in, in_size, out, out_size, written, overlapped, routine);
}

static void replace_calls(void)
{
    real = plx__win32;
    plx__win32.CreateIoCompletionPort = fault_port;
    plx__win32.GetQueuedCompletionStatusEx = fault_take;
    plx__win32.PostQueuedCompletionStatus = fault_post;
    plx__win32.RegisterWaitForSingleObject = fault_register;
    plx__win32.DuplicateHandle = fault_duplicate;
    plx__win32.NtCreateFile = fault_open;
    plx__win32.NtDeviceIoControlFile = fault_control;
    plx__win32.NtCancelIoFileEx = fault_cancel;
    plx__win32.NtQueryObject = fault_query;
    plx__win32.WSAIoctl = fault_layer;
}

/* ---- What is done while a call fails ------------------------------------------------- */

static SOCKET sockets[2];
static struct sockaddr_in addresses[2];
static HANDLE event;
static plx_poller *poller;

static void open_sockets(void)
{
    for (int i = 0; i < 2; i++) {
        int size = sizeof addresses[i];
        addresses[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        CHECK(bind(sockets[i], (struct sockaddr *)&addresses[i], size) == 0);
        CHECK(getsockname(sockets[i], (struct sockaddr *)&addresses[i], &size) == 0);
    }
}

static void put(int to)
{
    CHECK(sendto(sockets[1 - to], "x", 1, 0, (struct sockaddr *)&addresses[to], sizeof addresses[to]) == 1);
}

/* Waits, through errors, until these have come, each a bit by its token, and no other. */
static void expect(unsigned tokens)
{
    plx_event events[4];

    for (unsigned seen = 0; seen != tokens;) {
        int count = plx_poller_wait(poller, events, 4, PLX_FOREVER);
        CHECK(count >= 0 || count == -ENOMEM);
        for (int i = 0; i < count; i++) {
            CHECK(events[i].token < 8 && tokens & 1u << events[i].token);
            seen |= 1u << events[i].token;
        }
    }
}

/* What is to come of a call that returned this. */
static unsigned if_done(int rc, plx_token token)
{
    CHECK(rc == 0 || rc == -ENOMEM);
    return rc == 0 ? 1u << token : 0;
}

static void use_poller(plx_registry *registry)
{
    unsigned first = if_done(plx_register(registry, sockets[0], 1, PLX_READABLE), 1);
    unsigned second = if_done(plx_register(registry, sockets[1], 2, PLX_READABLE | PLX_ONESHOT), 2);
    unsigned third = if_done(plx_register_handle(registry, event, 3, PLX_READABLE), 3);
    char byte;

    put(0);
    put(1);
    SetEvent(event);
    expect(first | second | third);
    if (third)
        CHECK_RC(plx_deregister_handle(registry, event), 0);
    CHECK(recv(sockets[0], &byte, 1, 0) == 1 && recv(sockets[1], &byte, 1, 0) == 1);
    if (second && if_done(plx_reregister(registry, sockets[1], 2, PLX_READABLE), 2)) { /* armed for reading, ... */
        unsigned fourth = if_done(plx_reregister(registry, sockets[1], 4, PLX_WRITABLE | PLX_ONESHOT), 4);
        if (fourth)
            expect(fourth); /* ... and told otherwise */
    }
    unsigned fifth = if_done(plx_post(registry, 5, 0), 5);
    if (fifth)
        expect(fifth);
    if (first) { /* due since its report, or armed since */
        int rc = plx_deregister(registry, sockets[0]);
        if (rc < 0)
            CHECK_RC(plx_deregister(registry, sockets[0]), 0);
        CHECK_RC(plx_deregister(registry, sockets[0]), -ENOENT);
    }
}

/* Once through; whether the call that was to fail was made at all. */
static bool run(enum call call, int number)
{
    counted_memory memory;
    DWORD before, after;

    counted_init(&memory);
    check_note("call %d of the kind, number %d", (int)call, number);
    event = CreateEventW(NULL, TRUE, FALSE, NULL);
    CHECK(GetProcessHandleCount(GetCurrentProcess(), &before));
    failing = call;
    atomic_store(&until, number);
    int rc = plx_poller_open(&poller, &(plx_options){.allocator = &memory.allocator});
    if (rc == 0) {
        use_poller(plx_poller_registry(poller));
        plx_poller_close(poller);
    } else {
        CHECK_RC(rc, -ENOMEM);
    }
    CHECK_EQ(atomic_load(&memory.live), 0);
    CHECK(GetProcessHandleCount(GetCurrentProcess(), &after));
    CHECK(after <= before + (number < 2 ? 8 : 0)); /* the thread pool's own, once */
    CloseHandle(event);
    return atomic_load(&until) < 0;
}

/*
 * Who leaves while others sleep arms for them what it has reported. If that fails, one of them has
 * to wake up and try: the source is ready still.
 */
static atomic_int awake;

static void *sleeper(void *unused)
{
    plx_event told;

    (void)unused;
    CHECK_RC(plx_poller_wait(poller, &told, 1, PLX_FOREVER), 1);
    CHECK_EQ(told.token, 1);
    atomic_fetch_add(&awake, 1);
    return NULL;
}

static void what_cannot_be_armed_for_sleepers_wakes_one(void)
{
    pthread_t threads[2];
    char byte;

    CHECK_RC(plx_poller_open(&poller, NULL), 0);
    CHECK_RC(plx_register(plx_poller_registry(poller), sockets[0], 1, PLX_READABLE), 0);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(sleeper, NULL);
    sleep_for(PLX_MSEC(100)); /* who is not asleep by then arms it itself, and shows nothing */
    atomic_store(&until, 0);
    failing = CONTROL;
    put(0);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    CHECK_EQ(atomic_load(&awake), 2);
    CHECK(atomic_load(&until) < 0);
    failing = CALLS;
    plx_poller_close(poller);
    CHECK(recv(sockets[0], &byte, 1, 0) == 1);
}

int main(void)
{
    WSADATA data;

    watchdog(100);
    CHECK_EQ(WSAStartup(MAKEWORD(2, 2), &data), 0);
    open_sockets();
    CHECK(!run(CALLS, 0));
    replace_calls();
    for (int call = 0; call < CALLS; call++) {
        int number = 0;
        while (run((enum call)call, number))
            number++;
        printf("%d: %d\n", call, number);
        fflush(stdout);
        CHECK(number > 0);
    }
    failing = CALLS;
    what_cannot_be_armed_for_sleepers_wakes_one();
    return 0;
}

#endif
