/* SPDX-License-Identifier: MIT */
/*
 * Who watches which signal, in the whole process. The handler is installed with the first
 * watch of a number, and what was there before is put back with the last.
 */
#ifndef PLX__SIGNALS_H
#define PLX__SIGNALS_H

#include "os/atomic.h"

#include <pollux.h>

/* Numbers are below this: Linux has 64 of them, on MIPS 128. */
#define PLX__SIGNALS 129

typedef struct plx__signal_watch plx__signal_watch;

struct plx__signal_watch {
    int number;
    void *owner;
    /*
     * Called in the handler, with every signal blocked, by several threads at once, and with
     * any lock of the library perhaps held by the thread that it interrupts.
     */
    void (*tell)(plx__signal_watch *watch, const plx_signal_info *info);
    _Atomic(plx__signal_watch *) next; /* release when linked; handlers acquire */
};

/* SIGCHLD. */
extern const int plx__signal_child;

/* Whether plx__signals_add takes the number. */
bool plx__signals_valid(int number);

/* Adds all or none: 0, -EINVAL, -ENOTSUP, -ENOMEM. */
int plx__signals_add(plx__signal_watch *watches, int count);

/* When it returns no handler is, or will be, in `tell` for them. */
void plx__signals_remove(plx__signal_watch *watches, int count);

#endif
