/* SPDX-License-Identifier: MIT */
/*
 * What this system has. The only file that tests macros of operating systems; every
 * source file includes it first, directly or through a header, because it also asks
 * the C library for what lies beyond ISO C.
 */
#ifndef PLX__CONFIG_H
#define PLX__CONFIG_H

#if defined(__linux__)
#define _GNU_SOURCE 1
#define PLX__HAS_EPOLL 1
#define PLX__HAS_PIPE2 1
#define PLX__HAS_PIDFD 1
#include <sys/syscall.h>
#ifdef SYS_futex /* 32-bit RISC-V has another */
#define PLX__HAS_FUTEX 1
#else
#define PLX__HAS_FUTEX 0
#endif
#ifdef SYS_membarrier /* Linux 4.3 */
#define PLX__HAS_MEMBARRIER 1
#else
#define PLX__HAS_MEMBARRIER 0
#endif
#else
#define _XOPEN_SOURCE 700 /* POSIX.1-2008, and the alternate stacks of signals */
#define PLX__HAS_EPOLL 0
#define PLX__HAS_FUTEX 0
#define PLX__HAS_MEMBARRIER 0
#define PLX__HAS_PIPE2 0
#define PLX__HAS_PIDFD 0
#endif

/* How paths are watched; -DPOLLUX_PATHS=scan asks for the way that needs nothing. */
#if PLX__HAS_EPOLL && !defined(PLX_PATHS_SCAN)
#define PLX__HAS_INOTIFY 1
#else
#define PLX__HAS_INOTIFY 0
#endif

#define PLX__HAS_POLL 1

/* For functions that are rarely called and must not make the ones that call them slower. */
#if defined(__GNUC__)
#define PLX__RARE __attribute__((noinline, cold))
#define PLX__APART __attribute__((noinline)) /* the same for those that are called often */
#else
#define PLX__RARE
#define PLX__APART
#endif

/* System calls go through constant tables, which only the build for the tests may change. */
#ifdef PLX_TESTING
#define PLX__SEAM
#else
#define PLX__SEAM const
#endif

#endif
