// SPDX-License-Identifier: MIT
//! Registrations that come and go on vmm-sys-util.

use std::io;
use std::os::fd::RawFd;

use peer::{Arguments, Churn, retry};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

struct Vmm {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Churn for Vmm {
    fn register(&mut self, fd: RawFd, index: usize) -> io::Result<()> {
        self.epoll.ctl(ControlOperation::Add, fd, EpollEvent::new(EventSet::IN, index as u64))
    }

    fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        self.epoll.ctl(ControlOperation::Delete, fd, EpollEvent::default())
    }

    fn wait(&mut self) -> io::Result<usize> {
        retry(|| self.epoll.wait(0, &mut self.events))
    }
}

fn main() -> io::Result<()> {
    let vmm = Vmm { epoll: Epoll::new()?, events: vec![EpollEvent::default(); 256] };
    peer::churn("vmm", &Arguments::read(), vmm)
}
