// SPDX-License-Identifier: MIT
//! N socket pairs or eventfds in a ring, in random order, and A bytes that travel: each event
//! reads one and writes it to the next pair.
//!
//! No byte merges with another: a wait takes every pair that is ready (its events have more than
//! A places), each gives one byte on, and each pair has one predecessor.

use std::io;
use std::os::fd::RawFd;

use crate::{Arguments, Line, Mode, Random, Watch, cannot, check, need_descriptors};

#[derive(Clone, Copy)]
pub struct Pair {
    /// Where this pair's byte is read.
    pub input: RawFd,
    /// The writing end of the next pair.
    output: RawFd,
}

/// Its descriptors are open until the program ends.
pub struct Ring {
    pub pairs: Vec<Pair>,
    pub active: usize,
    events: u64,
    width: usize,
    kind: &'static str,
}

impl Ring {
    pub fn open(arguments: &Arguments) -> io::Result<Ring> {
        let count = arguments.n(1000, 100);
        let active = arguments.active(100, 10);
        if active > count {
            cannot("more bytes than pairs");
        }
        let (width, kind, each) = if arguments.eventfd { (8, "eventfd", 1) } else { (1, "socket", 2) };
        need_descriptors(each * count + 32);

        let ends = (0..count)
            .map(|_| if arguments.eventfd { semaphore() } else { socket_pair() })
            .collect::<io::Result<Vec<_>>>()?;
        let mut order: Vec<usize> = (0..count).collect();
        Random::default().shuffle(&mut order);
        let mut pairs: Vec<Pair> = ends.iter().map(|end| Pair { input: end.0, output: -1 }).collect();
        for (at, &pair) in order.iter().enumerate() {
            pairs[pair].output = ends[order[(at + 1) % count]].1;
        }

        let ring = Ring { pairs, active, events: arguments.events(400_000, 4000), width, kind };
        for byte in 0..active {
            ring.write(ends[byte * count / active].1, 1)?;
        }
        Ok(ring)
    }

    /// Reads from the pair and writes to the next.
    #[inline]
    pub fn travel(&self, index: usize) -> io::Result<()> {
        let pair = &self.pairs[index];
        let mut message = 0u64;
        // SAFETY: the message has room for `width`, which is 1 or 8.
        let got = unsafe { libc::read(pair.input, (&raw mut message).cast(), self.width) };
        if got != self.width as isize {
            return Err(io::Error::last_os_error());
        }
        self.write(pair.output, message)
    }

    #[inline]
    fn write(&self, fd: RawFd, message: u64) -> io::Result<()> {
        // SAFETY: as above.
        let put = unsafe { libc::write(fd, (&raw const message).cast(), self.width) };
        if put == self.width as isize { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Calls `turn`, which waits once and says how many events it had: an eighth of the events to
    /// run warm, then all, measured.
    pub fn measure(
        &self,
        system: &str,
        mode: Mode,
        mut turn: impl FnMut() -> io::Result<u64>,
    ) -> io::Result<()> {
        let mut run = |events: u64| -> io::Result<u64> {
            let mut done = 0;
            while done < events {
                done += turn()?;
            }
            Ok(done)
        };
        run(self.events / 8)?;
        let watch = Watch::start();
        let done = run(self.events)?;
        let (cpu, wall) = watch.per(done);
        Line::new("ring", system)
            .text("mode", mode.name())
            .count("n", self.pairs.len())
            .count("a", self.active)
            .text("kind", self.kind)
            .count("events", done)
            .figure("cpu_ns", cpu)
            .figure("wall_ns", wall)
            .print();
        Ok(())
    }
}

fn socket_pair() -> io::Result<(RawFd, RawFd)> {
    let mut ends = [-1; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: there is room for two.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) })?;
    Ok((ends[0], ends[1]))
}

/// An eventfd that gives one of what was written at a time.
fn semaphore() -> io::Result<(RawFd, RawFd)> {
    let flags = libc::EFD_NONBLOCK | libc::EFD_CLOEXEC | libc::EFD_SEMAPHORE;
    // SAFETY: it takes no pointer.
    let fd = check(unsafe { libc::eventfd(0, flags) })?;
    Ok((fd, fd))
}
