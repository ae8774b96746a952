// SPDX-License-Identifier: MIT
//! Messages through amy's own channel.

use std::io;

use amy::{Poller, Receiver, Sender};
use bench_amy::FOREVER;
use peer::{Arguments, Inbox, Outbox, retry};

struct In {
    poller: Poller,
    messages: Receiver<u64>,
}

#[derive(Clone)]
struct Out(Sender<u64>);

impl Inbox for In {
    fn receive(&mut self, take: &mut impl FnMut(u64)) -> io::Result<()> {
        retry(|| self.poller.wait(FOREVER))?;
        while let Ok(message) = self.messages.try_recv() {
            take(message);
        }
        Ok(())
    }
}

impl Outbox for Out {
    fn send(&self, message: u64) -> io::Result<()> {
        self.0.send(message).map_err(bench_amy::failed)
    }
}

fn main() -> io::Result<()> {
    peer::channels("amy", &Arguments::read(), || {
        let poller = Poller::new()?;
        let (sender, messages) = poller.get_registrar().channel()?;
        Ok((In { poller, messages }, Out(sender)))
    })
}
