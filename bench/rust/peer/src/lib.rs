// SPDX-License-Identifier: MIT
//! What the programs share: arguments, clocks, the line of JSON, and for each workload the part
//! that is the same on every system.
//!
//! A program prints one JSON object and ends with 0, or says on stderr what its system cannot do
//! and ends with 77.

mod arguments;
mod channels;
mod churn;
mod json;
mod keep;
mod memory;
mod ring;
mod server;
mod threads;
mod timers;
mod wake;

pub use arguments::{Arguments, Mode};
pub use channels::{Flag, Inbox, Outbox, channels};
pub use churn::{Churn, churn};
pub use json::Line;
pub use keep::{Keep, memory, size};
pub use memory::Counting;
pub use ring::{Pair, Ring};
pub use server::{Service, Table, waiting};
pub use threads::pin;
pub use timers::{Timers, timers};
pub use wake::wake;

use std::io;
use std::time::Duration;

/// A clock of the kernel's.
#[derive(Clone, Copy)]
pub enum Clock {
    /// CPU time of the calling thread.
    Thread,
    /// Time that passes.
    Wall,
}

impl Clock {
    pub fn now(self) -> Duration {
        let clock = match self {
            Clock::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
            Clock::Wall => libc::CLOCK_MONOTONIC,
        };
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: both clocks exist, and the kernel writes to nothing but `now`.
        unsafe { libc::clock_gettime(clock, &mut now) };
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    }
}

/// CPU time of the thread and wall time since it was started.
pub struct Watch {
    cpu: Duration,
    wall: Duration,
}

impl Watch {
    pub fn start() -> Watch {
        Watch { cpu: Clock::Thread.now(), wall: Clock::Wall.now() }
    }

    /// Nanoseconds for each of `count`, by the thread's CPU and by the wall.
    pub fn per(&self, count: u64) -> (f64, f64) {
        let (cpu, wall) = (Clock::Thread.now() - self.cpu, Clock::Wall.now() - self.wall);
        (cpu.as_nanos() as f64 / count as f64, wall.as_nanos() as f64 / count as f64)
    }
}

/// Ends the program because its system cannot do this.
pub fn cannot(reason: &str) -> ! {
    eprintln!("{reason}");
    std::process::exit(77)
}

/// What a system call returned, or its error.
pub(crate) fn check(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// Calls again whatever a signal interrupted.
#[inline]
pub fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => return result,
        }
    }
}

/// Raises the soft limit of descriptors; ends the program if so many are not to be had.
pub fn need_descriptors(wanted: usize) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls are given a limit of the right type.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
    if limit.rlim_max < wanted as libc::rlim_t {
        cannot(&format!("{wanted} descriptors are wanted, the limit is {}", limit.rlim_max));
    }
}

/// Not ready, and open until the program ends.
pub(crate) fn eventfd() -> io::Result<std::os::fd::RawFd> {
    // SAFETY: it takes no pointer.
    check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })
}

/// xorshift, as the C programs have it.
pub struct Random(u64);

impl Default for Random {
    fn default() -> Random {
        Random(0x9e37_79b9_7f4a_7c15)
    }
}

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Shuffles from the last to the first, so that all programs have the same order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, (self.draw() % (i as u64 + 1)) as usize);
        }
    }
}
