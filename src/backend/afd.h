/* SPDX-License-Identifier: MIT */
/*
 * Polls of AFD, the driver behind Windows' sockets: one request to be told, through a completion
 * port, when any of some events holds for a socket. It is what select() is made of there.
 */
#ifndef PLX__AFD_H
#define PLX__AFD_H

#include "os/config.h"

#include <pollux.h>

#if PLX__HAS_IOCP
#include "os/win32.h"

#define PLX__AFD_RECEIVE      0x001u
#define PLX__AFD_EXPEDITED    0x002u
#define PLX__AFD_SEND         0x004u
#define PLX__AFD_DISCONNECT   0x008u /* the peer will send no more */
#define PLX__AFD_ABORT        0x010u
#define PLX__AFD_LOCAL_CLOSE  0x020u /* told whether asked for or not */
#define PLX__AFD_ACCEPT       0x080u
#define PLX__AFD_CONNECT_FAIL 0x100u

/* What the driver is given, and gives back: the order and the sizes are its own. */
typedef struct plx__afd_subject {
    HANDLE socket;
    ULONG events; /* asked for, and found */
    NTSTATUS status;
} plx__afd_subject;

typedef struct plx__afd_request {
    LARGE_INTEGER timeout;
    ULONG count;
    ULONG exclusive;
    plx__afd_subject subject; /* the first of so many */
} plx__afd_request;

/* The kernel's from the arming until its completion was taken from the port. */
typedef struct plx__afd_poll {
    IO_STATUS_BLOCK status;
    plx__afd_request request;
} plx__afd_poll;

/* A handle to the driver. With a port, completions go there, each with its poll's address. */
int plx__afd_open(HANDLE port, HANDLE *device);

/* What tells sockets apart: hashes of their addresses. */
typedef struct plx__afd_identity {
    uint64_t local; /* 0: none yet */
    uint64_t peer;  /* of a stream, whose addresses stay what they are from then on; 0: none */
} plx__afd_identity;

/*
 * Whether it is a socket; then also as the driver knows it, below what others have put around
 * it, and its identity.
 */
bool plx__afd_socket(plx_fd fd, HANDLE *socket, plx__afd_identity *identity, uint32_t *calls);

/* -EBADF if its number is closed, -ENOENT if it is another stream's, as far as addresses can tell. */
int plx__afd_check(plx_fd fd, const plx__afd_identity *was, uint32_t *calls);

/* Asks; a completion follows whenever it returns 0. -EBADF if it is not an open socket any more. */
int plx__afd_arm(HANDLE device, HANDLE socket, uint32_t events, plx__afd_poll *poll);

/* -ENOENT if it has completed already. A completion follows in any case. */
int plx__afd_cancel(HANDLE device, plx__afd_poll *poll);

/* What a completed poll says, 0 if nothing: it was cancelled, or failed. */
uint32_t plx__afd_found(const plx__afd_poll *poll);

/*
 * What holds now, of the events that each subject has; `device` is one without a port. At most
 * PLX__AFD_LOOKS different sockets; if one of them is closed, no answer but -EBADF.
 */
enum { PLX__AFD_LOOKS = 64 };
int plx__afd_look(HANDLE device, plx__afd_subject *subjects, int count);

/* The events to ask for on behalf of our flags, and the flags that events come to. */
uint32_t plx__afd_events(uint32_t flags);
uint32_t plx__afd_flags(uint32_t events);

#endif

#endif
