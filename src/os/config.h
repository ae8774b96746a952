/* SPDX-License-Identifier: MIT */
/*
 * What this system has. The only file that tests macros of operating systems; every
 * source file includes it first, directly or through a header, because it also asks
 * the C library for what lies beyond ISO C.
 *
 * -DPLX_OS=posix, kqueue or event_ports uses that of a system and no more.
 */
#ifndef PLX__CONFIG_H
#define PLX__CONFIG_H

#define PLX__OS_posix       1
#define PLX__OS_kqueue      2
#define PLX__OS_event_ports 3
#define PLX__OS_linux       4
#define PLX__OS_windows     5
#define PLX__OS_wasi        6

#define PLX__OS_NUMBER(name) PLX__OS_##name
#define PLX__OS_NAMED(name)  PLX__OS_NUMBER(name)

#if defined(PLX_OS)
#define PLX__OS PLX__OS_NAMED(PLX_OS)
#elif defined(__linux__)
#define PLX__OS PLX__OS_linux
#elif defined(_WIN32)
#define PLX__OS PLX__OS_windows
#elif defined(__wasi__)
#define PLX__OS PLX__OS_wasi
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)
#define PLX__OS PLX__OS_kqueue
#elif defined(__sun)
#define PLX__OS PLX__OS_event_ports
#else
#define PLX__OS PLX__OS_posix
#endif

#if PLX__OS == 0
#error "PLX_OS is posix, kqueue or event_ports"
#endif

#define PLX__HAS_EPOLL       (PLX__OS == PLX__OS_linux)
#define PLX__HAS_KQUEUE      (PLX__OS == PLX__OS_kqueue)
#define PLX__HAS_EVENT_PORTS (PLX__OS == PLX__OS_event_ports)
#define PLX__HAS_IOCP        (PLX__OS == PLX__OS_windows)
#define PLX__HAS_POSIX       (PLX__OS != PLX__OS_windows)
#define PLX__HAS_POLL        PLX__HAS_POSIX
#define PLX__HAS_PIPE2       PLX__HAS_EPOLL

/* WASI is POSIX for one thread that is alone: no locks; no forks, signals and pipes. */
#define PLX__HAS_THREADS   (PLX__OS != PLX__OS_wasi)
#define PLX__HAS_PROCESSES (PLX__OS != PLX__OS_wasi)

/* Readable once a process has ended: PLX__HAS_PIDFD. Readable at a point in time: PLX__HAS_ALARM. */
#define PLX__HAS_PIDFD (PLX__HAS_EPOLL || PLX__HAS_KQUEUE || PLX__HAS_IOCP)
#if PLX__HAS_EPOLL || PLX__HAS_KQUEUE || (PLX__HAS_EVENT_PORTS && (defined(__illumos__) || defined(__linux__)))
#define PLX__HAS_ALARM 1
#else
#define PLX__HAS_ALARM 0
#endif

/* Told that a file changed, and not what: hints.h. */
#define PLX__HAS_HINTS (PLX__HAS_KQUEUE || PLX__HAS_EVENT_PORTS)

/* Machines of 32 bits: files of any size and number, and times beyond 2038. */
#if !defined(_FILE_OFFSET_BITS)
#define _FILE_OFFSET_BITS 64
#define _TIME_BITS 64
#endif

#if PLX__HAS_EPOLL
#define _GNU_SOURCE 1
#include <sys/syscall.h>
#elif PLX__OS == PLX__OS_posix || PLX__OS == PLX__OS_wasi || (PLX__HAS_KQUEUE && defined(__linux__))
#define _XOPEN_SOURCE 700 /* POSIX.1-2008, and the alternate stacks of signals */
#elif defined(__NetBSD__)
#define _NETBSD_SOURCE 1
#elif PLX__HAS_EVENT_PORTS
#undef _XOPEN_SOURCE /* compilers have their own */
#undef __EXTENSIONS__
#define _XOPEN_SOURCE  700
#define __EXTENSIONS__ 1 /* without it the above hides what is the system's own */
#elif PLX__HAS_IOCP
#define WIN32_LEAN_AND_MEAN
#define _CRT_SECURE_NO_WARNINGS /* ISO C is not to be warned of */
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#endif

#if PLX__HAS_EPOLL && defined(SYS_futex) /* 32-bit RISC-V has another */
#define PLX__HAS_FUTEX 1
#else
#define PLX__HAS_FUTEX 0
#endif

#if PLX__HAS_EPOLL && defined(SYS_membarrier) /* Linux 4.3 */
#define PLX__HAS_MEMBARRIER 1
#else
#define PLX__HAS_MEMBARRIER 0
#endif

/* With headers of Linux 6.1, which name all that it needs; not where poll's flags are not epoll's. */
#define PLX__HAS_IO_URING 0
#if PLX__HAS_EPOLL && defined(SYS_io_uring_setup) && defined(__has_include) && !defined(__sparc__)
#if __has_include(<linux/io_uring.h>)
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 1, 0)
#undef PLX__HAS_IO_URING
#define PLX__HAS_IO_URING 1
#endif
#endif
#endif

/* Probes for tracers, where the build says that there is sys/sdt.h: -DPLX_PROBES. */
#if PLX__HAS_EPOLL && defined(PLX_PROBES)
#define PLX__HAS_PROBES 1
#else
#define PLX__HAS_PROBES 0
#endif

/* How paths are watched; -DPOLLUX_PATHS=scan asks for the way that needs nothing. */
#if PLX__HAS_EPOLL && !defined(PLX_PATHS_SCAN)
#define PLX__HAS_INOTIFY 1
#else
#define PLX__HAS_INOTIFY 0
#endif

/* Conditions can be timed by the monotonic clock. */
#if defined(__APPLE__)
#define PLX__HAS_CONDITION_CLOCK 0
#else
#define PLX__HAS_CONDITION_CLOCK (PLX__HAS_POSIX && PLX__HAS_THREADS)
#endif

/* What a struct stat calls its times. */
#if defined(__APPLE__)
#define PLX__STAT_MODIFIED st_mtimespec
#define PLX__STAT_CHANGED  st_ctimespec
#else
#define PLX__STAT_MODIFIED st_mtim
#define PLX__STAT_CHANGED  st_ctim
#endif

/* What a handler's context calls the mask from before: of the type of a sigset_t, or as large. */
#if defined(__OpenBSD__)
#define PLX__CONTEXT_MASK sc_mask
#else
#define PLX__CONTEXT_MASK uc_sigmask
#endif

/* The type of kevent's counts. */
#if defined(__NetBSD__)
#define PLX__KEVENT_COUNT size_t
#else
#define PLX__KEVENT_COUNT int
#endif

/* For functions that are rarely called and must not make the ones that call them slower. */
#if defined(__GNUC__)
#define PLX__RARE __attribute__((noinline, cold))
#define PLX__APART __attribute__((noinline)) /* the same for those that are called often */
#define PLX__INLINE inline __attribute__((always_inline)) /* short; some compilers take a probe for long */
#else
#define PLX__INLINE inline
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
