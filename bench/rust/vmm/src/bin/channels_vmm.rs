// SPDX-License-Identifier: MIT
//! Messages to a loop of vmm-sys-util, which has no channels: one of std, and an EventFd if nobody
//! has woken yet.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use peer::{Arguments, Flag, Inbox, Outbox, retry};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

struct In {
    epoll: Epoll,
    waker: Arc<EventFd>,
    messages: Receiver<u64>,
    woken: Arc<Flag>,
}

#[derive(Clone)]
struct Out {
    messages: Sender<u64>,
    waker: Arc<EventFd>,
    woken: Arc<Flag>,
}

impl Inbox for In {
    fn receive(&mut self, take: &mut impl FnMut(u64)) -> io::Result<()> {
        let mut events = [EpollEvent::default(); 8];
        retry(|| self.epoll.wait(-1, &mut events))?;
        self.waker.read()?;
        self.woken.lower();
        self.messages.try_iter().for_each(take);
        Ok(())
    }
}

impl Outbox for Out {
    fn send(&self, message: u64) -> io::Result<()> {
        self.messages.send(message).map_err(io::Error::other)?;
        if self.woken.raise() { self.waker.write(1) } else { Ok(()) }
    }
}

fn main() -> io::Result<()> {
    peer::channels("vmm", &Arguments::read(), || {
        let epoll = Epoll::new()?;
        let waker = Arc::new(EventFd::new(EFD_NONBLOCK)?);
        epoll.ctl(ControlOperation::Add, waker.as_raw_fd(), EpollEvent::new(EventSet::IN, 0))?;
        let woken = Arc::<Flag>::default();
        let (sender, receiver) = mpsc::channel();
        let inbox = In { epoll, waker: waker.clone(), messages: receiver, woken: woken.clone() };
        Ok((inbox, Out { messages: sender, waker, woken }))
    })
}
