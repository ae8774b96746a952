/* SPDX-License-Identifier: MIT */
/* The system calls of event ports (illumos, Solaris), behind a table as in posix.h. */
#ifndef PLX__PORTS_H
#define PLX__PORTS_H

#include "os/posix.h"

#include <pollux.h>

#if PLX__HAS_EVENT_PORTS
#include <port.h>

typedef struct plx__ports_calls {
    int (*port_create)(void); /* close-on-exec */
    int (*port_associate)(int port, int source, uintptr_t object, int events, void *user);
    int (*port_dissociate)(int port, int source, uintptr_t object);
    int (*port_getn)(int port, port_event_t *events, unsigned most, unsigned *count, const struct timespec *timeout);
    int (*port_send)(int port, int events, void *user);
    int (*port_alert)(int port, int flags, int events, void *user);
#if PLX__HAS_ALARM /* illumos has them, Solaris has not */
    int (*timerfd_create)(int clock, int flags);
    int (*timerfd_settime)(int timer, int flags, const struct itimerspec *when, struct itimerspec *was);
#endif
} plx__ports_calls;

extern PLX__SEAM plx__ports_calls plx__ports;

int  plx__port_open(void);
/* The descriptor: poll(2)'s events. -ENOSPC: the port has as many objects as it may have. */
int  plx__port_associate(int port, int fd, int events, void *user);
/* 0: it was associated, or its event was not fetched yet; -ENOENT: neither. */
int  plx__port_dissociate(int port, int fd);

/* The same of a path, by its object's address. */
int  plx__port_associate_file(int port, file_obj_t *file, int events, void *user);
void plx__port_dissociate_file(int port, file_obj_t *file);

/*
 * Waits for one event at least and fetches up to `most`: how many, 0 when the time is over, or
 * -EINTR. May return early. Without events nothing is written.
 */
int plx__port_get(int port, void *events, int most, plx_nanos timeout);

/* An event of the source PORT_SOURCE_USER. */
int plx__port_send(int port, void *user);
/* One of the source PORT_SOURCE_ALERT, to all who wait, until it is called off. */
int plx__port_alert(int port, bool on, void *user);

#endif

#endif
