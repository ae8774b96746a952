// SPDX-License-Identifier: MIT
//! Cores, the system calls of a thread, and percentiles.

use std::fs::{File, read_to_string};
use std::io::{self, Read};
use std::mem::{size_of, zeroed};
use std::os::fd::FromRawFd;
use std::sync::OnceLock;

use crate::check;

/// Moves the calling thread to one of the program's first two cores, or its only one.
pub fn pin(which: usize) -> io::Result<()> {
    static CORES: OnceLock<Vec<usize>> = OnceLock::new();
    let cores = CORES.get_or_init(cores);
    // SAFETY: a set of cores is plain bits, and the kernel is told its size.
    unsafe {
        let mut one: libc::cpu_set_t = zeroed();
        libc::CPU_SET(cores[which.min(cores.len() - 1)], &mut one);
        check(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &one)).map(drop)
    }
}

fn cores() -> Vec<usize> {
    // SAFETY: as above.
    unsafe {
        let mut all: libc::cpu_set_t = zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut all);
        (0..libc::CPU_SETSIZE as usize).filter(|&core| libc::CPU_ISSET(core, &all)).collect()
    }
}

/// Counts the system calls of the thread that opened it, by the kernel's own tracepoint.
pub(crate) struct Calls(File);

impl Calls {
    /// `None` without tracefs or the right to use it.
    pub(crate) fn open() -> Option<Calls> {
        let id = read_to_string("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id").ok()?;
        // struct perf_event_attr: type and size in the first word, then config; the rest may be 0.
        let mut event = [0u64; 16];
        event[0] = PERF_TYPE_TRACEPOINT | (size_of::<[u64; 16]>() as u64) << 32;
        event[1] = id.trim().parse().ok()?;
        // SAFETY: the kernel reads as many bytes as the size says, and the descriptor is ours.
        unsafe {
            let fd = libc::syscall(libc::SYS_perf_event_open, event.as_ptr(), 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
            (fd >= 0).then(|| Calls(File::from_raw_fd(fd as i32)))
        }
    }

    /// How many calls were made, this one included.
    pub(crate) fn read(&mut self) -> io::Result<u64> {
        let mut count = [0; 8];
        self.0.read_exact(&mut count)?;
        Ok(u64::from_ne_bytes(count))
    }
}

const PERF_TYPE_TRACEPOINT: u64 = 2;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;

/// The median, and what 99 of 100 stay within.
pub(crate) fn percentiles(values: &mut [u64]) -> (f64, f64) {
    values.sort_unstable();
    let last = values.len() - 1;
    (values[last / 2] as f64, values[last - last / 100] as f64)
}

/// Ends the program: the thread that waits for this one would wait for ever.
pub(crate) fn or_exit<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("Error: {error}");
        std::process::exit(1)
    })
}
