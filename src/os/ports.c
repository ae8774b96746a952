/* SPDX-License-Identifier: MIT */
/* The system calls of event ports. */
#include "os/config.h"

#include "os/descriptor.h"

#if PLX__HAS_EVENT_PORTS
#include "os/ports.h"

#include <fcntl.h>
#include <string.h>
#if PLX__HAS_ALARM
#include <sys/timerfd.h>
#endif
#include <unistd.h>

/* There is no flag for it: a fork and exec of another thread in between takes the port along. */
static int ports_create(void)
{
    int port = port_create();

    if (port >= 0 && fcntl(port, F_SETFD, FD_CLOEXEC) < 0) {
        int error = errno;
        close(port);
        errno = error;
        return -1;
    }
    return port;
}

/* Not by name: the count and the time have names of the system's own. */
static int ports_getn(int port, port_event_t *events, unsigned most, unsigned *count, const struct timespec *timeout)
{
    return port_getn(port, events, most, count, timeout);
}

PLX__SEAM plx__ports_calls plx__ports = {
    .port_create = ports_create,
    .port_associate = port_associate,
    .port_dissociate = port_dissociate,
    .port_getn = ports_getn,
    .port_send = port_send,
    .port_alert = port_alert,
#if PLX__HAS_ALARM
    .timerfd_create = timerfd_create,
    .timerfd_settime = timerfd_settime,
#endif
};

/* EAGAIN is a limit of resources here, and EBADFD a descriptor that is closed. */
static int ports_result(int rc, int saved)
{
    int result = plx__result(rc, saved);

    return result == -EBADFD ? -EBADF : result == -EAGAIN ? -ENOSPC : result;
}

int plx__port_open(void)
{
    int saved = errno;
    int rc = plx__result(plx__ports.port_create(), saved);

    return rc == -EAGAIN ? -ENFILE : rc;
}

int plx__port_associate(int port, int fd, int events, void *user)
{
    int saved = errno;
    return ports_result(plx__ports.port_associate(port, PORT_SOURCE_FD, (uintptr_t)fd, events, user), saved);
}

int plx__port_dissociate(int port, int fd)
{
    int saved = errno;
    return ports_result(plx__ports.port_dissociate(port, PORT_SOURCE_FD, (uintptr_t)fd), saved);
}

int plx__port_associate_file(int port, file_obj_t *file, int events, void *user)
{
    int saved = errno;
    return ports_result(plx__ports.port_associate(port, PORT_SOURCE_FILE, (uintptr_t)file, events, user), saved);
}

void plx__port_dissociate_file(int port, file_obj_t *file)
{
    int saved = errno;
    (void)ports_result(plx__ports.port_dissociate(port, PORT_SOURCE_FILE, (uintptr_t)file), saved);
}

/* A third of a year: a sum with the time of day fits 32 bits. Who waits for longer asks again. */
#define PORTS_LONGEST PLX_SEC(10000000)

/*
 * The kernel may have written events when it says EINTR or ETIME, and may have left the count as
 * it was when it has not: the first source tells.
 */
int plx__port_get(int port, void *events, int most, plx_nanos timeout)
{
    plx_nanos clamped = timeout > PORTS_LONGEST ? PORTS_LONGEST : timeout;
    struct timespec limit = {.tv_sec = (time_t)(clamped / 1000000000), .tv_nsec = (long)(clamped % 1000000000)};
    port_event_t before, first = {.portev_source = 0};
    unsigned count = 1;
    int saved = errno;

    memcpy(&before, events, sizeof before);
    memcpy(events, &first, sizeof first);
    int rc = plx__result(plx__ports.port_getn(port, events, (unsigned)most, &count, timeout < 0 ? NULL : &limit),
                         saved);
    memcpy(&first, events, sizeof first);
    if (first.portev_source && count > 0 && (rc == 0 || rc == -EINTR || rc == -ETIME))
        return (int)count;
    memcpy(events, &before, sizeof before);
    return rc == -ETIME ? 0 : rc;
}

int plx__port_send(int port, void *user)
{
    int saved = errno;
    return plx__result(plx__ports.port_send(port, 1, user), saved);
}

int plx__port_alert(int port, bool on, void *user)
{
    int saved = errno;
    return plx__result(plx__ports.port_alert(port, PORT_ALERT_SET, on, user), saved);
}

#endif
