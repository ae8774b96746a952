/* SPDX-License-Identifier: MIT */
/*
 * Event ports for a system that has none: what the library uses of <port.h>, by the manual
 * pages. What the double shows, and what it cannot, is said in ports.c.
 */
#ifndef DOUBLES_PORT_H
#define DOUBLES_PORT_H

#include <stdint.h>
#include <time.h>

enum {
    PORT_SOURCE_AIO = 1,
    PORT_SOURCE_TIMER,
    PORT_SOURCE_USER,
    PORT_SOURCE_FD,
    PORT_SOURCE_ALERT,
    PORT_SOURCE_MQ,
    PORT_SOURCE_FILE,
};

enum { PORT_ALERT_SET = 1, PORT_ALERT_UPDATE = 2 };

/* Of files: the first four are asked for, the others are told unasked. */
#define FILE_ACCESS      0x00000001
#define FILE_MODIFIED    0x00000002
#define FILE_ATTRIB      0x00000004
#define FILE_TRUNC       0x00100000
#define FILE_NOFOLLOW    0x10000000
#define FILE_DELETE      0x00000010
#define FILE_RENAME_TO   0x00000020
#define FILE_RENAME_FROM 0x00000040
#define UNMOUNTED        0x20000000
#define MOUNTEDOVER      0x40000000
#define FILE_EXCEPTION   (FILE_DELETE | FILE_RENAME_TO | FILE_RENAME_FROM | UNMOUNTED | MOUNTEDOVER)

typedef struct port_event {
    int            portev_events;
    unsigned short portev_source;
    unsigned short portev_pad;
    uintptr_t      portev_object;
    void          *portev_user;
} port_event_t;

typedef struct file_obj {
    struct timespec fo_atime;
    struct timespec fo_mtime;
    struct timespec fo_ctime;
    uintptr_t       fo_pad[3];
    char           *fo_name;
} file_obj_t;

int port_create(void);
int port_associate(int port, int source, uintptr_t object, int events, void *user);
int port_dissociate(int port, int source, uintptr_t object);
int port_get(int port, port_event_t *event, struct timespec *timeout);
int port_getn(int port, port_event_t events[], unsigned most, unsigned *count, const struct timespec *timeout);
int port_send(int port, int events, void *user);
int port_alert(int port, int flags, int events, void *user);

/* For tests of the double and with it. The most objects and events of a port, process.max-port-events. */
extern unsigned port_double_most;

#endif
