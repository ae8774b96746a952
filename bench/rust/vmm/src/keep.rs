// SPDX-License-Identifier: MIT
//! `memory` and `size` on vmm-sys-util: a TimerFd for each timer, an EventFd and a channel of std
//! for each channel.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use peer::{Keep, retry};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};
use vmm_sys_util::timerfd::TimerFd;

pub struct Vmm {
    epoll: Epoll,
    timers: Vec<TimerFd>,
    channels: Vec<(Sender<u64>, Receiver<u64>, EventFd)>,
}

impl Vmm {
    fn watch(&self, fd: RawFd) -> io::Result<()> {
        self.epoll.ctl(ControlOperation::Add, fd, EpollEvent::new(EventSet::IN, fd as u64))
    }
}

impl Keep for Vmm {
    const CRATES: &[&str] = &["vmm_sys_util"];
    const TIMERS: bool = true;

    fn open() -> io::Result<Vmm> {
        Ok(Vmm { epoll: Epoll::new()?, timers: vec![], channels: vec![] })
    }

    fn descriptors(&mut self, fds: &[RawFd]) -> io::Result<()> {
        fds.iter().try_for_each(|&fd| self.watch(fd))
    }

    fn timers(&mut self, count: usize) -> io::Result<()> {
        self.timers.reserve_exact(count);
        for _ in 0..count {
            let mut timer = TimerFd::new()?;
            timer.reset(Duration::from_secs(3600), None)?;
            self.watch(timer.as_raw_fd())?;
            self.timers.push(timer);
        }
        Ok(())
    }

    fn channels(&mut self, count: usize) -> io::Result<()> {
        self.channels.reserve_exact(count);
        for _ in 0..count {
            let (sender, receiver) = mpsc::channel();
            let waker = EventFd::new(EFD_NONBLOCK)?;
            self.watch(waker.as_raw_fd())?;
            self.channels.push((sender, receiver, waker));
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        retry(|| self.epoll.wait(0, &mut [EpollEvent::default(); 16])).map(drop)
    }
}
