// SPDX-License-Identifier: MIT
//! The ring on mio, which has edges alone.

use std::io;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use peer::{Arguments, Mode, Ring, retry};

fn main() -> io::Result<()> {
    let arguments = Arguments::read();
    let mode = arguments.mode(&[Mode::Edge]);
    let ring = Ring::open(&arguments)?;
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(ring.active + 1);
    for (index, pair) in ring.pairs.iter().enumerate() {
        poll.registry().register(&mut SourceFd(&pair.input), Token(index), Interest::READABLE)?;
    }
    ring.measure("mio", mode, || {
        retry(|| poll.poll(&mut events, None))?;
        let mut moved = 0;
        for event in events.iter().filter(|event| event.is_readable()) {
            ring.travel(event.token().0)?;
            moved += 1;
        }
        Ok(moved)
    })
}
