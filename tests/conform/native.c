/* SPDX-License-Identifier: MIT */
/* Registrations with the kernel's own flags: EPOLL* where there is epoll, else -ENOTSUP. */
#include "support.h"

#ifdef __linux__
#include <sys/epoll.h>
#else /* never reached: need_native ends the case before the kernel's flags matter */
enum { EPOLLIN = 0x1, EPOLLOUT = 0x4, EPOLLRDHUP = 0x2000, EPOLLHUP = 0x10 };
enum { EPOLLET = 0x20000000, EPOLLONESHOT = 0x40000000, EPOLLEXCLUSIVE = 0x10000000 };
#endif

/* A backend without the kernel's flags says so and registers nothing. */
static fixture need_native(void)
{
    fixture s = fixture_open();
    if (backend_is("epoll") || backend_is("io_uring"))
        return s;
    CHECK_RC(plx_register_native(s.registry, s.fd, 1, 1), -ENOTSUP);
    CHECK_RC(plx_lookup(s.registry, s.fd, NULL, NULL), -ENOENT);
    CHECK_RC(plx_register(s.registry, s.fd, 1, PLX_READABLE), 0);
    CHECK_RC(plx_reregister_native(s.registry, s.fd, 2, 1), -ENOTSUP);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    fixture_close(&s);
    SKIP("%s has no flags of epoll", conform_backend);
}

CASE(native_flags_go_to_the_kernel_and_come_back)
{
    fixture s = need_native();
    CHECK_RC(plx_register_native(s.registry, s.fd, 1, EPOLLIN), 0);
    EXPECT_SILENCE(s.poller, 0);
    put(s.peer, 1);
    plx_event event = EXPECT(s.poller, 1, PLX_READABLE);
    CHECK(event.native & EPOLLIN);
    CHECK_RC(plx_reregister_native(s.registry, s.fd, 2, EPOLLIN | EPOLLOUT | EPOLLRDHUP), 0);
    event = EXPECT(s.poller, 2, PLX_READABLE | PLX_WRITABLE);
    CHECK_EQ(event.native, EPOLLIN | EPOLLOUT);
    shut(s.peer, SHUT_OUT);
    event = EXPECT(s.poller, 2, PLX_READABLE | PLX_WRITABLE | PLX_READ_CLOSED);
    CHECK_EQ(event.native, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    CHECK_RC(plx_deregister(s.registry, s.fd), 0);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(native_lookup_tells_the_kernels_flags)
{
    fixture s = need_native();
    plx_token token = 0;
    uint32_t interest = 0;
    CHECK_RC(plx_register_native(s.registry, s.fd, 7, EPOLLIN | EPOLLET), 0);
    CHECK_RC(plx_lookup(s.registry, s.fd, &token, &interest), 0);
    CHECK_EQ(token, 7);
    CHECK_EQ(interest, EPOLLIN | EPOLLET);
    CHECK_EQ(stats_of(s.poller).registered, 1);
    fixture_close(&s);
}

CASE(native_errors_are_those_of_register)
{
    fixture s = need_native();
    plx_fd file = open_regular_file();
    CHECK_RC(plx_register_native(s.registry, NO_FD, 1, EPOLLIN), -EBADF);
    CHECK_RC(plx_register_native(s.registry, file, 1, EPOLLIN), -EPERM);
    CHECK_RC(plx_register_native(s.registry, s.fd, PLX_TOKEN_MAX + 1, EPOLLIN), -EINVAL);
    CHECK_RC(plx_reregister_native(s.registry, s.fd, 1, EPOLLIN), -ENOENT);
    CHECK_RC(plx_register_native(NULL, s.fd, 1, EPOLLIN), -EINVAL);
    CHECK_RC(plx_register_native(s.registry, s.fd, 1, EPOLLIN), 0);
    CHECK_RC(plx_register_native(s.registry, s.fd, 2, EPOLLOUT), -EEXIST);
    CHECK_RC(plx_register(s.registry, s.fd, 2, PLX_WRITABLE), -EEXIST);
    CHECK_RC(plx_reregister_native(s.registry, s.fd, PLX_TOKEN_MAX + 1, EPOLLOUT), -EINVAL);
    EXPECT_SILENCE(s.poller, 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    fixture_close(&s);
    close_fd(file);
}

CASE(native_flags_that_the_kernel_refuses_are_einval)
{
    fixture s = need_native();
    if (!backend_is("epoll")) {
        fixture_close(&s);
        SKIP("%s refuses no combination of flags", conform_backend);
    }
    CHECK_RC(plx_register_native(s.registry, s.fd, 1, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT), -EINVAL);
    CHECK_RC(plx_lookup(s.registry, s.fd, NULL, NULL), -ENOENT);
    CHECK_RC(plx_register_native(s.registry, s.fd, 1, EPOLLIN), 0);
    CHECK_RC(plx_reregister_native(s.registry, s.fd, 2, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT),
             -EINVAL);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE); /* as it was before the refusal */
    CHECK_EQ(stats_of(s.poller).registered, 1);
    fixture_close(&s);
}

CASE(enable_and_disable_of_a_native_registration_are_einval)
{
    fixture s = need_native();
    CHECK_RC(plx_register_native(s.registry, s.fd, 1, EPOLLIN), 0);
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_WRITABLE), -EINVAL);
    CHECK_RC(plx_disable(s.registry, s.fd, PLX_READABLE), -EINVAL);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    CHECK_RC(plx_reregister(s.registry, s.fd, 2, PLX_READABLE), 0); /* an ordinary one now */
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_WRITABLE), 0);
    EXPECT(s.poller, 2, PLX_READABLE | PLX_WRITABLE);
    CHECK_RC(plx_reregister_native(s.registry, s.fd, 3, EPOLLOUT), 0); /* and native again */
    CHECK_RC(plx_enable(s.registry, s.fd, PLX_READABLE), -EINVAL);
    EXPECT(s.poller, 3, PLX_WRITABLE);
    fixture_close(&s);
}

CASE(native_oneshot_is_silent_until_reregistered)
{
    fixture s = need_native();
    CHECK_RC(plx_register_native(s.registry, s.fd, 1, EPOLLIN | EPOLLONESHOT), 0);
    put(s.peer, 1);
    EXPECT(s.poller, 1, PLX_READABLE);
    put(s.peer, 1);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    shut(s.peer, SHUT_BOTH);
    EXPECT_SILENCE(s.poller, PLX_MSEC(1));
    CHECK_RC(plx_reregister_native(s.registry, s.fd, 2, EPOLLIN | EPOLLONESHOT), 0);
    EXPECT_WITH(s.poller, 2, PLX_READABLE | PLX_WRITE_CLOSED, PLX_READ_CLOSED);
    EXPECT_SILENCE(s.poller, 0);
    fixture_close(&s);
}

CASE(native_edge_reports_each_arrival_once)
{
    fixture s = need_native();
    CHECK_RC(plx_register_native(s.registry, s.fd, 1, EPOLLIN | EPOLLET), 0);
    for (int i = 0; i < 3; i++) {
        put(s.peer, 1);
        EXPECT(s.poller, 1, PLX_READABLE);
        EXPECT_SILENCE(s.poller, 0);
    }
    CHECK_RC(plx_reregister_native(s.registry, s.fd, 1, EPOLLIN | EPOLLET), 0);
    EXPECT(s.poller, 1, PLX_READABLE);
    fixture_close(&s);
}
