/* SPDX-License-Identifier: MIT */
/*
 * The checks that every test here is written with. Header only.
 *
 * A check that fails prints file, line and values, and ends the process with status 1,
 * in whatever thread it stands: a test has one verdict. A test that cannot run where it
 * is ends with SKIP, status 77, and names the limit that it met.
 *
 *     CHECK(condition);
 *     CHECK_EQ(actual, expected);    integers, both printed
 *     CHECK_RC(call, expected);      what a function of the library returned, in words too
 *     check_note("round %d", i);     printed with a later failure in this file
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <inttypes.h>
#include <pollux.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHECK_FAILED = 1, CHECK_SKIPPED = 77, CHECK_NOTE_SIZE = 200 };

#define CHECK(condition)                                                                   \
    ((condition) ? (void)0 : check_fail(__FILE__, __LINE__, check_noted(), #condition))

#define CHECK_EQ(actual, expected)                                                         \
    check_eq(__FILE__, __LINE__, check_noted(), #actual, (intmax_t)(actual),               \
             (intmax_t)(expected))

#define CHECK_RC(call, expected)                                                           \
    check_rc(__FILE__, __LINE__, check_noted(), #call, (call), (expected))

#define SKIP(...) check_skip(__VA_ARGS__)

/* The note of this file; empty until check_note was called. */
static inline char *check_noted(void)
{
    static char text[CHECK_NOTE_SIZE];
    return text;
}

#if defined(__MINGW_PRINTF_FORMAT) /* its C library has two printfs */
#define CHECK_FORMAT(text, first) __attribute__((format(__MINGW_PRINTF_FORMAT, text, first)))
#elif defined(__GNUC__)
#define CHECK_FORMAT(text, first) __attribute__((format(printf, text, first)))
#else
#define CHECK_FORMAT(text, first)
#endif

CHECK_FORMAT(1, 2) static inline void check_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check_noted(), CHECK_NOTE_SIZE, format, arguments);
    va_end(arguments);
}

/* _Exit and not exit: other threads may be running, and nobody is to wait for them. */
_Noreturn static inline void check_stop(int status)
{
    fflush(stdout);
    fflush(stderr);
    _Exit(status);
}

CHECK_FORMAT(4, 5)
_Noreturn static inline void check_fail_with(const char *file, int line, const char *note,
                                             const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s%s\n", note[0] ? "  at: " : "", note);
    check_stop(CHECK_FAILED);
}

_Noreturn static inline void check_fail(const char *file, int line, const char *note,
                                        const char *condition)
{
    check_fail_with(file, line, note, "not so: %s", condition);
}

static inline void check_eq(const char *file, int line, const char *note, const char *text,
                            intmax_t actual, intmax_t expected)
{
    if (actual != expected)
        check_fail_with(file, line, note,
                        "%s is %" PRIdMAX " (0x%" PRIxMAX "), expected %" PRIdMAX " (0x%" PRIxMAX ")",
                        text, actual, (uintmax_t)actual, expected, (uintmax_t)expected);
}

static inline void check_rc(const char *file, int line, const char *note, const char *text,
                            int actual, int expected)
{
    if (actual != expected)
        check_fail_with(file, line, note, "%s returned %d (%s), expected %d (%s)", text, actual,
                        plx_strerror(actual), expected, plx_strerror(expected));
}

CHECK_FORMAT(1, 2) _Noreturn static inline void check_skip(const char *format, ...)
{
    va_list arguments;
    fputs("skip: ", stdout);
    va_start(arguments, format);
    vfprintf(stdout, format, arguments);
    va_end(arguments);
    fputs("\n", stdout);
    check_stop(CHECK_SKIPPED);
}

#endif
