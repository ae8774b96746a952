// SPDX-License-Identifier: MIT
//! N timers, started, restarted, cancelled and fired by the passes of the C benchmark `timers`, in
//! order or shuffled, for systems that have a descriptor for each.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use crate::memory::allocated;
use crate::{Arguments, Clock, Line, Random, need_descriptors};

pub trait Timers {
    /// Bytes that the program keeps for each.
    const OWN: usize;

    fn start(&mut self, index: usize, delay: Duration) -> io::Result<()>;
    fn restart(&mut self, index: usize, delay: Duration) -> io::Result<()>;
    fn cancel(&mut self, index: usize) -> io::Result<()>;

    /// What the system does about all that only in its next wait. How many fired in it.
    fn settle(&mut self) -> io::Result<usize> {
        Ok(0)
    }

    /// How many have fired, without waiting.
    fn fire(&mut self) -> io::Result<usize>;
}

/// In which order, and with which delays.
struct Plan {
    order: Vec<usize>,
    first: Vec<Duration>,
    second: Vec<Duration>,
    soon: Vec<Duration>,
}

impl Plan {
    fn new(count: usize, shuffled: bool) -> Plan {
        let mut random = Random::default();
        let mut plan = Plan { order: (0..count).collect(), first: vec![], second: vec![], soon: vec![] };
        let micros = count as u64;
        // As in C: none fires before all are started.
        let lead = Duration::from_micros(2000 + 5 * micros.min(20_000) + micros);
        for _ in 0..count {
            let mut below = |nanos: u64| Duration::from_nanos(random.draw() % nanos);
            plan.first.push(Duration::from_secs(1) + below(59_000_000_000));
            plan.second.push(Duration::from_secs(1) + below(59_000_000_000));
            plan.soon.push(lead + below(micros * 1000));
        }
        if shuffled {
            random.shuffle(&mut plan.order);
        }
        plan
    }
}

/// `open` gives a system with places for so many timers.
pub fn timers<T: Timers>(
    system: &str,
    arguments: &Arguments,
    open: impl Fn(usize) -> io::Result<T>,
) -> io::Result<()> {
    let count = arguments.n(10_000, 500);
    need_descriptors(count + 32);
    let plan = Plan::new(count, arguments.shuffled);
    let mut timers = open(count)?;
    let empty = allocated();
    run_pass(&mut timers, &plan, |timers, i| timers.start(i, plan.first[i]))?;
    let bytes = (allocated() - empty) as f64 / count as f64 + T::OWN as f64;
    run_pass(&mut timers, &plan, |timers, i| timers.cancel(i))?;
    let (start, _) = run_pass(&mut timers, &plan, |timers, i| timers.start(i, plan.first[i]))?;
    let (restart, _) = run_pass(&mut timers, &plan, |timers, i| timers.restart(i, plan.second[i]))?;
    let (cancel, _) = run_pass(&mut timers, &plan, |timers, i| timers.cancel(i))?;
    let (_, early) = run_pass(&mut timers, &plan, |timers, i| timers.start(i, plan.soon[i]))?;
    let fire = run_fire(&mut timers, count - early)?;
    Line::new("timers", system)
        .count("n", count)
        .text("order", if arguments.shuffled { "shuffled" } else { "sequential" })
        .figure("start_ns", start)
        .figure("cancel_ns", cancel)
        .figure("restart_ns", restart)
        .figure("fire_ns", fire)
        .figure("bytes", bytes)
        .print();
    Ok(())
}

/// CPU time for each, and how many fired.
fn run_pass<T: Timers>(
    timers: &mut T,
    plan: &Plan,
    mut work: impl FnMut(&mut T, usize) -> io::Result<()>,
) -> io::Result<(f64, usize)> {
    let begin = Clock::Thread.now();
    for &index in &plan.order {
        work(timers, index)?;
    }
    let fired = timers.settle()?;
    Ok(((Clock::Thread.now() - begin).as_nanos() as f64 / plan.order.len() as f64, fired))
}

/// The same for those that fire, by a look in each millisecond. Looks that find none do not count.
fn run_fire(timers: &mut impl Timers, count: usize) -> io::Result<f64> {
    let mut used = Duration::ZERO;
    let mut next = Clock::Wall.now();
    let mut left = count;
    while left > 0 {
        next += Duration::from_millis(1);
        sleep(next.saturating_sub(Clock::Wall.now()));
        let begin = Clock::Thread.now();
        let fired = timers.fire()?;
        if fired > 0 {
            used += Clock::Thread.now() - begin;
        }
        left -= fired;
    }
    Ok(used.as_nanos() as f64 / count as f64)
}
