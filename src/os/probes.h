/* SPDX-License-Identifier: MIT */
/*
 * Places where a tracer can look in (bpftrace, gdb): one instruction that does nothing
 * until then, and a note in the file that says where it is and what is in which register.
 * docs/tracing.md lists them. Only with PLX_PROBES, as they take sys/sdt.h to compile.
 */
#ifndef PLX__PROBES_H
#define PLX__PROBES_H

#include "os/config.h"

#if PLX__HAS_PROBES
/* Tracers count here that they look in, for what would cost something to show. */
#define PLX__PROBES(X) \
    X(wait_begin) X(wait_end) X(event) X(registered) X(reregistered) X(deregistered) X(wake_sent) X(wake_elided) \
    X(timer_fired)

#define PLX__PROBE_WATCHERS(name) extern __attribute__((visibility("hidden"))) unsigned short pollux_##name##_semaphore;
PLX__PROBES(PLX__PROBE_WATCHERS)
#undef PLX__PROBE_WATCHERS

#define _SDT_HAS_SEMAPHORES 1
#define SDT_USE_VARIADIC    1
#include <sys/sdt.h>
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments" /* of sys/sdt.h */
#endif

#define PLX__PROBE(name, ...)    STAP_PROBEV(pollux, name, __VA_ARGS__)
#define PLX__PROBE_WATCHED(name) __builtin_expect(pollux_##name##_semaphore != 0, 0)
#else
#define PLX__PROBE(name, ...)    plx__probe_nothing(0, __VA_ARGS__)
#define PLX__PROBE_WATCHED(name) false

/* What a probe would have shown is used, as the compiler sees it. */
static inline void plx__probe_nothing(int unused, ...)
{
    (void)unused;
}
#endif

#endif
