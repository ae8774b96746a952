/* SPDX-License-Identifier: MIT */
/* What a life of a poller leaves behind: a trace for people, and notes to compare backends by. */
#ifndef TESTS_FUZZ_TRACE_H
#define TESTS_FUZZ_TRACE_H

#include "feed.h"

#include <stdarg.h>
#include <stdbool.h>

static bool tracing; /* POLLUX_FUZZ_TRACE is set */

static void __attribute__((format(printf, 1, 2))) trace(const char *format, ...)
{
    va_list arguments;

    if (!tracing)
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* The first of several lives writes, the others compare. */
enum { NOTES = 8192 };

static struct {
    uint64_t note[NOTES];
    size_t count; /* of the first life */
    size_t next;
    bool compares;
} notes;

static void note(uint64_t value)
{
    AGREE(notes.next < NOTES);
    if (notes.compares)
        AGREE(notes.next < notes.count && notes.note[notes.next] == value);
    else
        notes.note[notes.count++] = value;
    notes.next++;
}

static void notes_end(void)
{
    AGREE(notes.next == notes.count);
    notes.compares = true;
    notes.next = 0;
}

#endif
