/* SPDX-License-Identifier: MIT */
/*
 * The event of a process' end may come before its zombie: it is reported with the zombie, and
 * nobody spins until then.
 */
#include "os/config.h"

#include "../../../check.h"

#include "os/posix.h"

#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_bool late;
static atomic_int looks;

static int wait_late(idtype_t type, id_t id, siginfo_t *info, int options)
{
    atomic_fetch_add(&looks, 1);
    return atomic_load(&late) ? 0 : waitid(type, id, info, options);
}

static pid_t end_a_child(void)
{
    siginfo_t info;
    pid_t child = fork();

    if (child == 0)
        _exit(7);
    CHECK(child > 0);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    return child;
}

/* The child lives while it is registered: its end is the kernel's event. */
static void the_end_is_told_with_the_zombie(void)
{
    plx_options options = {.backend = PLX_BACKEND_KQUEUE};
    plx_poller *poller;
    plx_process *process;
    plx_event event;
    plx_exit status;
    siginfo_t info;
    int leash[2];

    CHECK(pipe(leash) == 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(leash[1]);
        _exit(read(leash[0], &byte, 1) == 0 ? 7 : 1);
    }
    CHECK(plx_poller_open(&poller, &options) == 0);
    CHECK(plx_process_open(plx_poller_registry(poller), 3, child, &process) == 0);
    atomic_store(&late, true);
    close(leash[1]);
    CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
    atomic_store(&looks, 0);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, PLX_MSEC(250)), 0);
    CHECK_EQ(plx_process_status(process, &status), -EAGAIN);
    CHECK(atomic_load(&looks) < 20);
    atomic_store(&late, false);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, PLX_SEC(10)), 1);
    CHECK(event.token == 3 && event.flags == PLX_PROCESS);
    CHECK_EQ(plx_process_status(process, &status), 0);
    CHECK(status.code == 7 && status.signal == 0);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, PLX_MSEC(150)), 0);
    plx_process_close(process);
    plx_poller_close(poller);
    close(leash[0]);
}

/* The child is on its way out already when it is asked about. */
static void what_was_on_its_way_out_is_told_with_the_zombie(void)
{
    plx_options options = {.backend = PLX_BACKEND_KQUEUE};
    plx_poller *poller;
    plx_process *process;
    plx_event event;
    plx_exit status;
    pid_t child = end_a_child();

    atomic_store(&late, true);
    CHECK(plx_poller_open(&poller, &options) == 0);
    CHECK(plx_process_open(plx_poller_registry(poller), 3, child, &process) == 0);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, PLX_MSEC(250)), 0);
    atomic_store(&late, false);
    CHECK_EQ(plx_poller_wait(poller, &event, 1, PLX_SEC(10)), 1);
    CHECK_EQ(plx_process_status(process, &status), 0);
    CHECK_EQ(status.code, 7);
    plx_process_close(process);
    plx_poller_close(poller);
}

int main(void)
{
    plx__posix.waitid = wait_late;
    the_end_is_told_with_the_zombie();
    what_was_on_its_way_out_is_told_with_the_zombie();
    return 0;
}
