// SPDX-License-Identifier: MIT
//! Registrations that come and go on polling, in its own mode.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use peer::{Arguments, Churn};
use polling::{Event, Events, Poller};

struct Polling {
    poller: Poller,
    events: Events,
}

impl Churn for Polling {
    fn register(&mut self, fd: RawFd, index: usize) -> io::Result<()> {
        // SAFETY: it is deregistered before it is closed.
        unsafe { self.poller.add(fd, Event::readable(index)) }
    }

    fn deregister(&mut self, fd: RawFd) -> io::Result<()> {
        // SAFETY: it is open.
        self.poller.delete(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    fn wait(&mut self) -> io::Result<usize> {
        self.events.clear();
        self.poller.wait(&mut self.events, Some(Duration::ZERO))
    }
}

fn main() -> io::Result<()> {
    let polling = Polling { poller: Poller::new()?, events: Events::new() };
    peer::churn("polling", &Arguments::read(), polling)
}
