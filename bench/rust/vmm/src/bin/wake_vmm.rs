// SPDX-License-Identifier: MIT
//! A wake-up by an EventFd of vmm-sys-util.

use std::io;
use std::os::fd::AsRawFd;

use peer::{Arguments, retry};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

fn main() -> io::Result<()> {
    peer::wake("vmm", &Arguments::read(), || {
        let epoll = Epoll::new()?;
        let waker = EventFd::new(EFD_NONBLOCK)?;
        let woken = waker.try_clone()?;
        epoll.ctl(ControlOperation::Add, woken.as_raw_fd(), EpollEvent::new(EventSet::IN, 0))?;
        let mut events = [EpollEvent::default(); 8];
        let wait = move || {
            retry(|| epoll.wait(-1, &mut events))?;
            woken.read().map(drop)
        };
        Ok((wait, move || waker.write(1)))
    })
}
