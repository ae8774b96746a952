/* SPDX-License-Identifier: MIT */
/*
 * The other libraries in the timers benchmark, as far as they were found when it was built,
 * and a timerfd for each timer. Their timers are structures of the program, here in an array.
 */
/* libev first: its enumerators bear names that libevent makes macros. */
#ifdef BENCH_LIBEV
#include "libev.h"
#endif
#ifdef BENCH_LIBEVENT
#include "libevent.h"
#endif
#ifdef BENCH_LIBUV
#include "libuv.h"
#endif
#include "timerfd.h"
