// SPDX-License-Identifier: MIT
//! The ring on amy, which has edges alone. It gives out the ids, one after the other.

use std::io;

use amy::{Event, Poller};
use bench_amy::{EVENTS, FOREVER};
use peer::{Arguments, Mode, Ring, cannot, retry};

fn main() -> io::Result<()> {
    let arguments = Arguments::read();
    let mode = arguments.mode(&[Mode::Edge]);
    let ring = Ring::open(&arguments)?;
    if ring.active > EVENTS {
        cannot("a wait takes 1,024 events, so that bytes would merge and be stuck");
    }
    let mut poller = Poller::new()?;
    let registrar = poller.get_registrar();
    let mut first = None;
    for (index, pair) in ring.pairs.iter().enumerate() {
        let id = registrar.register(&pair.input, Event::Read)?;
        assert_eq!(id, *first.get_or_insert(id) + index);
    }
    let first = first.unwrap_or(0);
    ring.measure("amy", mode, || {
        let events = retry(|| poller.wait(FOREVER))?;
        let mut moved = 0;
        for event in events.iter().filter(|event| event.event.readable()) {
            ring.travel(event.id - first)?;
            moved += 1;
        }
        Ok(moved)
    })
}
