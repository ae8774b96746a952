/* SPDX-License-Identifier: MIT */
/*
 * Processes by number. waitid is asked about the one number and never about any child, which
 * would take those of the program. WNOHANG leaves the structure as it is when nothing has
 * ended, so its process number is cleared before.
 */
#include "os/config.h"

#include "os/process.h"

#if PLX__HAS_POSIX && PLX__HAS_PROCESSES
#include "os/process_wait.h"

int plx__process_wait(idtype_t type, id_t id, int options, plx_exit *status)
{
    siginfo_t info;
    int saved = errno;
    int rc;

    do {
        info.si_pid = 0;
        rc = plx__result(plx__posix.waitid(type, id, &info, WEXITED | WNOHANG | options), saved);
    } while (rc == -EINTR);
    if (rc < 0 || info.si_pid == 0)
        return rc;
    bool exited = info.si_code == CLD_EXITED;
    *status = (plx_exit){.code = exited ? info.si_status : 0, .signal = exited ? 0 : info.si_status};
    return 1;
}

/* A process that is no child counts as running until its parent has waited for it. */
int plx__process_look(plx_pid pid, plx_exit *status)
{
    int saved = errno;
    int rc = plx__process_wait(P_PID, (id_t)pid, WNOWAIT, status);

    if (rc >= 0)
        return rc;
    int there = plx__result(plx__posix.kill(pid, 0), saved);
    if (there == -ESRCH)
        return -ECHILD;
    return rc == -ECHILD ? 0 : rc;
}

bool plx__process_reap(plx_pid pid)
{
    plx_exit status;
    int rc = plx__process_wait(P_PID, (id_t)pid, 0, &status);

    return rc == 1 || rc == -ECHILD;
}

#endif
