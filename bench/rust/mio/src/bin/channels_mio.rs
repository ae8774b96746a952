// SPDX-License-Identifier: MIT
//! Messages to a loop of mio: a channel of std, and the Waker if nobody has woken yet.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use mio::{Events, Poll, Token, Waker};
use peer::{Arguments, Flag, Inbox, Outbox, retry};

struct In {
    poll: Poll,
    events: Events,
    messages: Receiver<u64>,
    woken: Arc<Flag>,
}

#[derive(Clone)]
struct Out {
    messages: Sender<u64>,
    waker: Arc<Waker>,
    woken: Arc<Flag>,
}

impl Inbox for In {
    fn receive(&mut self, take: &mut impl FnMut(u64)) -> io::Result<()> {
        retry(|| self.poll.poll(&mut self.events, None))?;
        self.woken.lower();
        self.messages.try_iter().for_each(take);
        Ok(())
    }
}

impl Outbox for Out {
    fn send(&self, message: u64) -> io::Result<()> {
        self.messages.send(message).map_err(io::Error::other)?;
        if self.woken.raise() { self.waker.wake() } else { Ok(()) }
    }
}

fn main() -> io::Result<()> {
    peer::channels("mio", &Arguments::read(), || {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), Token(0))?);
        let woken = Arc::<Flag>::default();
        let (sender, receiver) = mpsc::channel();
        let inbox = In { poll, events: Events::with_capacity(8), messages: receiver, woken: woken.clone() };
        Ok((inbox, Out { messages: sender, waker, woken }))
    })
}
