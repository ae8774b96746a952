/* SPDX-License-Identifier: MIT */
/*
 * A kernel without epoll_pwait2 (ENOSYS), and a container that denies it (EPERM): waits with
 * a limit fall back to milliseconds, still end, and are still never early. First through the
 * table of system calls, then with a filter in the kernel itself.
 */
#include "os/config.h"

#include "../seam.h"

#if PLX__HAS_EPOLL

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* Waits with limits that are not whole milliseconds, and one that an event ends. */
static void finite_waits_work(void)
{
    static const plx_nanos limits[] = {
        1, 999, PLX_USEC(300), PLX_MSEC(1), PLX_MSEC(1) + 1, PLX_USEC(2700), PLX_MSEC(9)};
    plx_options options = {.backend = PLX_BACKEND_EPOLL};
    plx_poller *poller;
    plx_event event;
    int ends[2];

    CHECK_RC(plx_poller_open(&poller, &options), 0);
    open_pair(ends);
    CHECK_RC(plx_register(plx_poller_registry(poller), ends[0], 3, PLX_READABLE), 0);
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            plx_nanos begun = plx_now();
            CHECK_RC(plx_poller_wait(poller, &event, 1, limits[i]), 0);
            plx_nanos taken = plx_now() - begun;
            CHECK(taken >= limits[i]);
            CHECK(taken < PLX_SEC(5));
            CHECK_RC(plx_poller_wait_until(poller, &event, 1, plx_now() + limits[i]), 0);
        }
    put_byte(ends[1]);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_SEC(100)), 1);
    CHECK_RC(plx_poller_wait(poller, &event, 1, INT64_MAX - 1), 1);
    CHECK_RC(plx_poller_wait(poller, &event, 1, PLX_FOREVER), 1);
    CHECK_RC(plx_poller_wait(poller, &event, 1, 0), 1);
    plx_poller_close(poller);
    close_pair(ends);
}

/* It is asked once, and not again. */
static void an_absent_call_is_not_asked_twice(int error)
{
    seam_reset();
    seam_fail(SEAM_EPOLL_PWAIT2, 1, error);
    atomic_store(&seam.fail_each, 1); /* always */
    finite_waits_work();
    CHECK_EQ(atomic_load(&seam.made[SEAM_EPOLL_PWAIT2]), 1);
    CHECK(atomic_load(&seam.made[SEAM_EPOLL_WAIT]) > 20);
    seam_reset();
}

/* ---- The kernel's own refusal --------------------------------------------------------------- */

static bool deny(int error)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof program / sizeof program[0], .filter = program};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static void child(int error)
{
    watchdog(20);
    if (!deny(error))
        SKIP("the kernel takes no seccomp filter: %s", strerror(errno));
    errno = 0;
    CHECK(syscall(SYS_epoll_pwait2, -1, NULL, 0, NULL, NULL, (size_t)0) == -1);
    CHECK_EQ(errno, error); /* it is the filter that answers */
    finite_waits_work();
    check_stop(0);
}

static void a_filter_that_denies_it_is_coped_with(int error)
{
    int status;

    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        child(error);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHECK_SKIPPED)
        check_stop(CHECK_SKIPPED);
    CHECK_EQ(WEXITSTATUS(status), 0);
}

int main(void)
{
    watchdog(60);
    finite_waits_work();
    a_filter_that_denies_it_is_coped_with(ENOSYS);
    a_filter_that_denies_it_is_coped_with(EPERM);
    seam_install();
    an_absent_call_is_not_asked_twice(ENOSYS);
    an_absent_call_is_not_asked_twice(EPERM);
    return 0;
}

#else

int main(void)
{
    SKIP("this system has no epoll");
}

#endif
