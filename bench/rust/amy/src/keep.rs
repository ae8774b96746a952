// SPDX-License-Identifier: MIT
//! `memory` and `size` on amy, with a timerfd for each timer and an eventfd for each channel.

use std::io;
use std::os::fd::RawFd;

use amy::{Event, Poller, Receiver, Registrar, Sender};
use peer::{Keep, retry};

pub struct Amy {
    poller: Poller,
    registrar: Registrar,
    ids: Vec<usize>,
    timers: Vec<usize>,
    channels: Vec<(Sender<u64>, Receiver<u64>)>,
}

impl Keep for Amy {
    const CRATES: &[&str] = &["amy", "nix"];
    const TIMERS: bool = true;

    fn open() -> io::Result<Amy> {
        let poller = Poller::new()?;
        let registrar = poller.get_registrar();
        Ok(Amy { poller, registrar, ids: vec![], timers: vec![], channels: vec![] })
    }

    /// The program has to know its ids.
    fn descriptors(&mut self, fds: &[RawFd]) -> io::Result<()> {
        self.ids.reserve_exact(fds.len());
        for fd in fds {
            self.ids.push(self.registrar.register(fd, Event::Read)?);
        }
        Ok(())
    }

    fn timers(&mut self, count: usize) -> io::Result<()> {
        self.timers.reserve_exact(count);
        for _ in 0..count {
            self.timers.push(self.registrar.set_timeout(3_600_000)?);
        }
        Ok(())
    }

    fn channels(&mut self, count: usize) -> io::Result<()> {
        self.channels.reserve_exact(count);
        for _ in 0..count {
            self.channels.push(self.registrar.channel()?);
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        retry(|| self.poller.wait(0)).map(drop)
    }
}
