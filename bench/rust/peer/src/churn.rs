// SPDX-License-Identifier: MIT
//! N eventfds, not ready, that are registered and deregistered in groups, with one wait between
//! that does not block.

use std::io;
use std::os::fd::RawFd;

use crate::{Arguments, Line, Watch, eventfd, need_descriptors};

const GROUP: usize = 256;

/// What a system does with a group.
pub trait Churn {
    fn register(&mut self, fd: RawFd, index: usize) -> io::Result<()>;
    fn deregister(&mut self, fd: RawFd) -> io::Result<()>;
    /// Waits for nothing, and says how many events there were.
    fn wait(&mut self) -> io::Result<usize>;
}

/// Goes through all of them until there were so many events as asked for, after one pass to run
/// warm.
pub fn churn(system: &str, arguments: &Arguments, mut subject: impl Churn) -> io::Result<()> {
    let count = arguments.n(4096, 300);
    need_descriptors(count + 32);
    let fds = (0..count).map(|_| eventfd()).collect::<io::Result<Vec<RawFd>>>()?;
    let passes = arguments.events(400_000, 3000) / count as u64 + 1;
    pass(&fds, &mut subject)?;
    let watch = Watch::start();
    for _ in 0..passes {
        pass(&fds, &mut subject)?;
    }
    let pairs = passes * count as u64;
    let (cpu, wall) = watch.per(pairs);
    Line::new("churn", system)
        .count("n", count)
        .count("events", pairs)
        .figure("cpu_ns", cpu)
        .figure("wall_ns", wall)
        .print();
    Ok(())
}

fn pass(fds: &[RawFd], subject: &mut impl Churn) -> io::Result<()> {
    for group in fds.chunks(GROUP) {
        for (index, &fd) in group.iter().enumerate() {
            subject.register(fd, index)?;
        }
        assert_eq!(subject.wait()?, 0, "an event, but nothing is ready");
        for &fd in group {
            subject.deregister(fd)?;
        }
    }
    Ok(())
}
