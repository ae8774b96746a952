/* SPDX-License-Identifier: MIT */
/*
 * A kernel or a sandbox without epoll, or without eventfd: who asks for epoll gets -ENOTSUP, who
 * asks for nothing gets poll. A limit is no absence. Nothing is left open.
 */
#include "os/config.h"

#include "../seam.h"

#if PLX__HAS_EPOLL

static int lowest_free(void)
{
    int fd = dup(0);

    CHECK(fd >= 0);
    CHECK(close(fd) == 0);
    return fd;
}

static void opens(enum seam_call call, int error, plx_backend backend, int expected)
{
    plx_options options = {.backend = backend};
    plx_poller *poller;
    int before = lowest_free();

    check_note("%s: %s", seam_names[call], strerror(error));
    seam_fail(call, 1, error);
    CHECK_RC(plx_poller_open(&poller, &options), expected);
    CHECK_EQ(atomic_load(&seam.failed), 1);
    if (expected == 0) {
        CHECK(strcmp(plx_poller_backend(poller), "poll") == 0);
        plx_poller_close(poller);
    }
    CHECK_EQ(lowest_free(), before);
}

int main(void)
{
    static const enum seam_call calls[] = {SEAM_EPOLL_CREATE, SEAM_EVENTFD, SEAM_EPOLL_CTL};

    watchdog(20);
    CHECK(unsetenv("PLX_BACKEND") == 0);
    seam_install();
    for (int i = 0; i < 3; i++) {
        opens(calls[i], ENOSYS, PLX_BACKEND_EPOLL, -ENOTSUP);
        opens(calls[i], ENOSYS, PLX_BACKEND_AUTO, 0);
        opens(calls[i], EPERM, PLX_BACKEND_EPOLL, -ENOTSUP);
        opens(calls[i], EPERM, PLX_BACKEND_AUTO, 0);
        opens(calls[i], ENOMEM, PLX_BACKEND_EPOLL, -ENOMEM);
        opens(calls[i], EMFILE, PLX_BACKEND_AUTO, -EMFILE);
    }
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no epoll");
}

#endif
