// SPDX-License-Identifier: MIT
//! Messages to a loop of polling: crossbeam's channel, and notify, which wakes once until the
//! wait has returned.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use peer::{Arguments, Inbox, Outbox};
use polling::{Events, Poller};

struct In {
    poller: Arc<Poller>,
    events: Events,
    messages: Receiver<u64>,
}

#[derive(Clone)]
struct Out {
    poller: Arc<Poller>,
    messages: Sender<u64>,
}

impl Inbox for In {
    fn receive(&mut self, take: &mut impl FnMut(u64)) -> io::Result<()> {
        self.events.clear();
        self.poller.wait(&mut self.events, None)?;
        self.messages.try_iter().for_each(take);
        Ok(())
    }
}

impl Outbox for Out {
    fn send(&self, message: u64) -> io::Result<()> {
        self.messages.send(message).map_err(io::Error::other)?;
        self.poller.notify()
    }
}

fn main() -> io::Result<()> {
    peer::channels("polling", &Arguments::read(), || {
        let poller = Arc::new(Poller::new()?);
        let (sender, receiver) = unbounded();
        let inbox = In { poller: poller.clone(), events: Events::new(), messages: receiver };
        Ok((inbox, Out { poller, messages: sender }))
    })
}
