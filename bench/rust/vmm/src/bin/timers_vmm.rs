// SPDX-License-Identifier: MIT
//! A TimerFd of vmm-sys-util for each timer.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use peer::{Arguments, Counting, Timers, retry};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::timerfd::TimerFd;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Vmm {
    epoll: Epoll,
    events: Vec<EpollEvent>,
    timers: Vec<Option<TimerFd>>,
}

impl Timers for Vmm {
    const OWN: usize = size_of::<Option<TimerFd>>();

    fn start(&mut self, index: usize, delay: Duration) -> io::Result<()> {
        let mut timer = TimerFd::new()?;
        timer.reset(delay, None)?;
        let interest = EpollEvent::new(EventSet::IN, index as u64);
        self.epoll.ctl(ControlOperation::Add, timer.as_raw_fd(), interest)?;
        self.timers[index] = Some(timer);
        Ok(())
    }

    fn restart(&mut self, index: usize, delay: Duration) -> io::Result<()> {
        let timer = self.timers[index].as_mut().expect("it was started");
        Ok(timer.reset(delay, None)?)
    }

    /// To close is to deregister.
    fn cancel(&mut self, index: usize) -> io::Result<()> {
        self.timers[index] = None;
        Ok(())
    }

    fn fire(&mut self) -> io::Result<usize> {
        let mut fired = 0;
        loop {
            let count = retry(|| self.epoll.wait(0, &mut self.events))?;
            for event in &self.events[..count] {
                let mut timer = self.timers[event.data() as usize].take().expect("it was started");
                timer.wait()?;
                fired += 1;
            }
            if count < self.events.len() {
                return Ok(fired);
            }
        }
    }
}

fn main() -> io::Result<()> {
    peer::timers("vmm", &Arguments::read(), |count| {
        let timers = (0..count).map(|_| None).collect();
        Ok(Vmm { epoll: Epoll::new()?, events: vec![EpollEvent::default(); 256], timers })
    })
}
