// SPDX-License-Identifier: MIT
//! The ring on polling, whose own mode is oneshot.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;

use peer::{Arguments, Mode, Ring};
use polling::{Event, Events, PollMode, Poller};

fn main() -> io::Result<()> {
    let arguments = Arguments::read();
    let mode = arguments.mode(&[Mode::Oneshot, Mode::Level, Mode::Edge]);
    let ring = Ring::open(&arguments)?;
    let poller = Poller::new()?;
    let poll_mode = match mode {
        Mode::Level => PollMode::Level,
        Mode::Edge => PollMode::Edge,
        Mode::Oneshot => PollMode::Oneshot,
    };
    let mut events = Events::with_capacity(NonZeroUsize::MIN.saturating_add(ring.active));
    for (index, pair) in ring.pairs.iter().enumerate() {
        // SAFETY: it stays open for as long as the poller.
        unsafe { poller.add_with_mode(pair.input, Event::readable(index), poll_mode)? };
    }
    ring.measure("polling", mode, || {
        events.clear();
        poller.wait(&mut events, None)?;
        let mut moved = 0;
        for event in events.iter().filter(|event| event.readable) {
            ring.travel(event.key)?;
            if mode == Mode::Oneshot {
                // SAFETY: it is open.
                let source = unsafe { BorrowedFd::borrow_raw(ring.pairs[event.key].input) };
                poller.modify(source, Event::readable(event.key))?;
            }
            moved += 1;
        }
        Ok(moved)
    })
}
