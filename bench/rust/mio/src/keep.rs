// SPDX-License-Identifier: MIT
//! `memory` and `size` on mio, which has one Waker in a Poll: all channels share it.

use std::io;
use std::os::fd::RawFd;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use peer::{Keep, retry};

pub struct Mio {
    poll: Poll,
    events: Events,
    waker: Option<Waker>,
    channels: Vec<(Sender<u64>, Receiver<u64>)>,
}

impl Keep for Mio {
    const CRATES: &[&str] = &["mio"];
    const TIMERS: bool = false;

    fn open() -> io::Result<Mio> {
        Ok(Mio { poll: Poll::new()?, events: Events::with_capacity(16), waker: None, channels: vec![] })
    }

    fn descriptors(&mut self, fds: &[RawFd]) -> io::Result<()> {
        for (index, fd) in fds.iter().enumerate() {
            self.poll.registry().register(&mut SourceFd(fd), Token(index), Interest::READABLE)?;
        }
        Ok(())
    }

    fn timers(&mut self, _count: usize) -> io::Result<()> {
        Ok(())
    }

    fn channels(&mut self, count: usize) -> io::Result<()> {
        self.waker = Some(Waker::new(self.poll.registry(), Token(usize::MAX))?);
        self.channels = (0..count).map(|_| mpsc::channel()).collect();
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        retry(|| self.poll.poll(&mut self.events, Some(Duration::ZERO)))
    }
}
