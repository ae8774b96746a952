// SPDX-License-Identifier: MIT
//! `memory` and `size` on polling, whose poller is notified for all channels.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use peer::Keep;
use polling::{Event, Events, Poller};

pub struct Polling {
    poller: Poller,
    events: Events,
    channels: Vec<(Sender<u64>, Receiver<u64>)>,
}

impl Keep for Polling {
    const CRATES: &[&str] = &["polling", "rustix"];
    const TIMERS: bool = false;

    fn open() -> io::Result<Polling> {
        Ok(Polling { poller: Poller::new()?, events: Events::new(), channels: vec![] })
    }

    fn descriptors(&mut self, fds: &[RawFd]) -> io::Result<()> {
        for (index, &fd) in fds.iter().enumerate() {
            // SAFETY: it is open until the program ends.
            unsafe { self.poller.add(fd, Event::readable(index))? };
        }
        Ok(())
    }

    fn timers(&mut self, _count: usize) -> io::Result<()> {
        Ok(())
    }

    fn channels(&mut self, count: usize) -> io::Result<()> {
        self.channels = (0..count).map(|_| unbounded()).collect();
        self.poller.notify()
    }

    fn turn(&mut self) -> io::Result<()> {
        self.events.clear();
        self.poller.wait(&mut self.events, Some(Duration::ZERO)).map(drop)
    }
}
