// SPDX-License-Identifier: MIT
//! The ring on vmm-sys-util, which is epoll by other names.

use std::io;

use peer::{Arguments, Mode, Ring, retry};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

fn main() -> io::Result<()> {
    let arguments = Arguments::read();
    let mode = arguments.mode(&[Mode::Level, Mode::Edge, Mode::Oneshot]);
    let ring = Ring::open(&arguments)?;
    let epoll = Epoll::new()?;
    let interest = match mode {
        Mode::Level => EventSet::IN,
        Mode::Edge => EventSet::IN | EventSet::EDGE_TRIGGERED,
        Mode::Oneshot => EventSet::IN | EventSet::ONE_SHOT,
    };
    let mut events = vec![EpollEvent::default(); ring.active + 1];
    for (index, pair) in ring.pairs.iter().enumerate() {
        epoll.ctl(ControlOperation::Add, pair.input, EpollEvent::new(interest, index as u64))?;
    }
    ring.measure("vmm", mode, || {
        let count = retry(|| epoll.wait(-1, &mut events))?;
        let mut moved = 0;
        for event in events[..count].iter().filter(|event| event.event_set().contains(EventSet::IN)) {
            let index = event.data();
            ring.travel(index as usize)?;
            if mode == Mode::Oneshot {
                let input = ring.pairs[index as usize].input;
                epoll.ctl(ControlOperation::Modify, input, EpollEvent::new(interest, index))?;
            }
            moved += 1;
        }
        Ok(moved)
    })
}
