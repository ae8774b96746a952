// SPDX-License-Identifier: MIT
//! Timers of amy: each is a message to the poller, which makes it a timerfd in its next wait.

use std::io;
use std::time::Duration;

use amy::{Poller, Registrar};
use bench_amy::EVENTS;
use peer::{Arguments, Counting, Timers, retry};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Amy {
    poller: Poller,
    registrar: Registrar,
    ids: Vec<usize>,
}

impl Timers for Amy {
    const OWN: usize = size_of::<usize>();

    fn start(&mut self, index: usize, delay: Duration) -> io::Result<()> {
        self.ids[index] = self.registrar.set_timeout(delay.as_micros().div_ceil(1000) as usize)?;
        Ok(())
    }

    fn restart(&mut self, index: usize, delay: Duration) -> io::Result<()> {
        self.cancel(index)?;
        self.start(index, delay)
    }

    fn cancel(&mut self, index: usize) -> io::Result<()> {
        self.registrar.cancel_timeout(self.ids[index])
    }

    fn settle(&mut self) -> io::Result<usize> {
        retry(|| self.poller.wait(0)).map(|events| events.len())
    }

    fn fire(&mut self) -> io::Result<usize> {
        let mut fired = 0;
        loop {
            let events = retry(|| self.poller.wait(0))?.len();
            fired += events;
            if events < EVENTS {
                return Ok(fired);
            }
        }
    }
}

fn main() -> io::Result<()> {
    peer::timers("amy", &Arguments::read(), |count| {
        let poller = Poller::new()?;
        let registrar = poller.get_registrar();
        Ok(Amy { poller, registrar, ids: vec![0; count] })
    })
}
