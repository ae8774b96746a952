// SPDX-License-Identifier: MIT
//! Registrations that come and go on mio.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use peer::{Arguments, Churn, retry};

struct Mio {
    poll: Poll,
    events: Events,
}

impl Churn for Mio {
    fn register(&mut self, fd: RawFd, index: usize) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&fd), Token(index), Interest::READABLE)
    }

    fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&fd))
    }

    fn wait(&mut self) -> io::Result<usize> {
        retry(|| self.poll.poll(&mut self.events, Some(Duration::ZERO)))?;
        Ok(self.events.iter().count())
    }
}

fn main() -> io::Result<()> {
    let mio = Mio { poll: Poll::new()?, events: Events::with_capacity(256) };
    peer::churn("mio", &Arguments::read(), mio)
}
