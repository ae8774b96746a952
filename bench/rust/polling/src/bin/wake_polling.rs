// SPDX-License-Identifier: MIT
//! A wake-up by polling's notify.

use std::io;
use std::sync::Arc;

use peer::Arguments;
use polling::{Events, Poller};

fn main() -> io::Result<()> {
    peer::wake("polling", &Arguments::read(), || {
        let poller = Arc::new(Poller::new()?);
        let notifier = poller.clone();
        let mut events = Events::new();
        let wait = move || {
            events.clear();
            poller.wait(&mut events, None).map(drop)
        };
        Ok((wait, move || notifier.notify()))
    })
}
