// SPDX-License-Identifier: MIT
//! A wake-up by mio's Waker.

use std::io;

use mio::{Events, Poll, Token, Waker};
use peer::{Arguments, retry};

fn main() -> io::Result<()> {
    peer::wake("mio", &Arguments::read(), || {
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(8);
        let waker = Waker::new(poll.registry(), Token(0))?;
        let wait = move || retry(|| poll.poll(&mut events, None));
        Ok((wait, move || waker.wake()))
    })
}
