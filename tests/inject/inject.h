/* SPDX-License-Identifier: MIT */
/*
 * One fault in a process that runs one case: a system call of the library, or an allocation,
 * that fails. support.h and seam.h have names in common; what main.c needs of the seam is here.
 */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>
#include <stddef.h>

enum { INJECT_CALLS = 64, INJECT_ERRORS = 5 }; /* at most */
enum { INJECT_AGAIN = 3 }; /* so many calls behind a fault that lasts fail, too */

typedef struct inject_fault {
    int call;    /* below inject_calls() */
    long number; /* from 1; 0: nothing fails */
    int error;
    bool lasts;  /* for three calls more, of the same thread and in the same public function */
} inject_fault;

/* What the process of the case leaves to the one that judges it, in memory of both. */
typedef struct inject_report {
    long made[INJECT_CALLS];
    long live;       /* allocations that were not released */
    int descriptors; /* that were not closed */
    bool met;
    bool paths;      /* were watched by inotify */
    bool told;       /* an overflow of paths: what follows may be missing, so the case ended there */
} inject_report;

int inject_calls(void);
const char *inject_name(int call);
const int *inject_errors(int call); /* INJECT_ERRORS of them, 0 behind the last */

/* Once, before there are threads. */
void inject_begin(const inject_fault *fault, inject_report *report);
void inject_end(void);

/* ---- For the functions of the library that are called in place of the real ones ----- */

long inject_met(void); /* how often this thread met the fault */
void inject_begin_call(bool quiet); /* quiet: it does not say that a wake failed */
void inject_end_call(void);
bool inject_refused(void); /* whether an allocation was, in whatever thread */
void inject_told(void);

struct plx_allocator;
const struct plx_allocator *inject_allocator(const struct plx_allocator *inner); /* NULL: the default */

#endif
