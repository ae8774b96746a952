// SPDX-License-Identifier: MIT
//! Two threads that wait each for the other's wake-up, and how long one takes: from before the
//! call until the other thread has returned from its wait.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::threads::{or_exit, percentiles, pin};
use crate::{Arguments, Clock, Line};

/// Which round it is, and when the wake-up was sent. A waiter that returns without a new round
/// was not woken, and waits on.
#[derive(Default)]
struct Ball {
    round: AtomicU64,
    stamp: AtomicU64,
}

impl Ball {
    fn throw(&self, round: u64, wake: &impl Fn() -> io::Result<()>) -> io::Result<()> {
        self.stamp.store(Clock::Wall.now().as_nanos() as u64, Ordering::Relaxed);
        // Pairs with the load of `wait_for`.
        self.round.store(round, Ordering::Release);
        wake()
    }

    fn wait_for(&self, round: u64, wait: &mut impl FnMut() -> io::Result<()>) -> io::Result<u64> {
        loop {
            wait()?;
            let now = Clock::Wall.now().as_nanos() as u64;
            if self.round.load(Ordering::Acquire) == round {
                return Ok(now - self.stamp.load(Ordering::Relaxed));
            }
        }
    }
}

/// `open` gives a wait, which returns if woken, and what wakes it from another thread.
pub fn wake<Wait, Wake>(
    system: &str,
    arguments: &Arguments,
    open: impl Fn() -> io::Result<(Wait, Wake)>,
) -> io::Result<()>
where
    Wait: FnMut() -> io::Result<()> + Send,
    Wake: Fn() -> io::Result<()> + Send,
{
    let rounds = arguments.events(50_000, 500);
    let cores = arguments.cores(2);
    let warm = rounds / 8;
    let (mut near_wait, near_wake) = open()?;
    let (mut far_wait, far_wake) = open()?;
    let (near, far) = (Ball::default(), Ball::default());
    let mut delays = Vec::with_capacity(rounds as usize);

    thread::scope(|scope| {
        let (near, far) = (&near, &far);
        let other = scope.spawn(move || {
            or_exit(pin(cores - 1));
            for round in 1..=warm + rounds {
                or_exit(far.wait_for(round, &mut far_wait));
                or_exit(near.throw(round, &near_wake));
            }
            near_wake // not dropped before its last wake-up was seen
        });
        pin(0)?;
        for round in 1..=warm + rounds {
            far.throw(round, &far_wake)?;
            let delay = near.wait_for(round, &mut near_wait)?;
            if round > warm {
                delays.push(delay);
            }
        }
        other.join().expect("the other thread");
        Ok::<(), io::Error>(())
    })?;
    let (p50, p99) = percentiles(&mut delays);
    Line::new("wake", system).count("cores", cores).figure("p50_ns", p50).figure("p99_ns", p99).print();
    Ok(())
}
