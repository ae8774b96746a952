// SPDX-License-Identifier: MIT
//! Registrations that come and go on amy.

use std::io;
use std::os::fd::RawFd;

use amy::{Event, Poller, Registrar};
use peer::{Arguments, Churn, retry};

struct Amy {
    poller: Poller,
    registrar: Registrar,
}

impl Churn for Amy {
    fn register(&mut self, fd: RawFd, _index: usize) -> io::Result<()> {
        self.registrar.register(&fd, Event::Read).map(drop)
    }

    fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        self.registrar.deregister(&fd)
    }

    fn wait(&mut self) -> io::Result<usize> {
        retry(|| self.poller.wait(0)).map(|events| events.len())
    }
}

fn main() -> io::Result<()> {
    let poller = Poller::new()?;
    let registrar = poller.get_registrar();
    peer::churn("amy", &Arguments::read(), Amy { poller, registrar })
}
