// SPDX-License-Identifier: MIT
//! 8-byte messages from S threads on one core to the loop of a thread on the other: as fast as it
//! goes, then one at a time, where the sender sleeps until it is answered.

use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::threads::{Calls, or_exit, percentiles, pin};
use crate::{Arguments, Clock, Line};

/// The loop's end of a channel.
pub trait Inbox {
    /// Waits once, and takes all that is there.
    fn receive(&mut self, take: &mut impl FnMut(u64)) -> io::Result<()>;
}

/// A sender's end, one for each thread.
pub trait Outbox: Clone + Send {
    fn send(&self, message: u64) -> io::Result<()>;
}

/// `open` gives both ends of a new channel.
pub fn channels<I: Inbox, O: Outbox>(
    system: &str,
    arguments: &Arguments,
    open: impl Fn() -> io::Result<(I, O)>,
) -> io::Result<()> {
    let senders = arguments.senders();
    let each = arguments.events(1_000_000, 4000).div_ceil(senders as u64);
    let (mut inbox, outbox) = open()?;
    pass(&mut inbox, &outbox, senders, each.div_ceil(4), false)?;
    let (nanos, _) = pass(&mut inbox, &outbox, senders, each, false)?;
    let (_, calls) = pass(&mut inbox, &outbox, senders, each, true)?;
    let (mut inbox, outbox) = open()?;
    let (p50, p99) = latency(&mut inbox, &outbox, arguments)?;
    let line = Line::new("channels", system)
        .count("senders", senders)
        .figure("ns", nanos)
        .figure("latency_p50_ns", p50)
        .figure("latency_p99_ns", p99);
    match calls {
        Some(calls) => line.figure("calls", calls).print(),
        None => line.print(),
    }
    Ok(())
}

/// Wall time and system calls of all threads, for each message. Time runs from when the first of
/// them began: who sleeps at the barrier is behind those who came last to it.
fn pass(
    inbox: &mut impl Inbox,
    outbox: &impl Outbox,
    senders: usize,
    each: u64,
    counting: bool,
) -> io::Result<(f64, Option<f64>)> {
    let messages = senders as u64 * each;
    let start = Barrier::new(senders + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..senders as u64)
            .map(|sender| {
                let (outbox, start) = (outbox.clone(), &start);
                scope.spawn(move || {
                    or_exit(pin(1));
                    or_exit(counted(counting, start, || {
                        (sender * each..(sender + 1) * each).try_for_each(|message| outbox.send(message))
                    }))
                })
            })
            .collect();
        pin(0)?;
        let (mut taken, mut sum) = (0, 0);
        let (mut begin, mut calls) = counted(counting, &start, || {
            while taken < messages {
                inbox.receive(&mut |message| (taken, sum) = (taken + 1, sum + message))?;
            }
            Ok(())
        })?;
        let end = Clock::Wall.now();
        for thread in threads {
            let (began, more) = thread.join().expect("a sender");
            begin = begin.min(began);
            calls = calls.zip(more).map(|(calls, more)| calls + more);
        }
        let nanos = (end - begin).as_nanos() as f64;
        assert_eq!(
            (taken, sum),
            (messages, messages * (messages - 1) / 2),
            "other messages came than were sent"
        );
        Ok((nanos / messages as f64, calls.map(|calls| calls as f64 / messages as f64)))
    })
}

/// Works when all threads are ready, and says when it began, and how many system calls that took,
/// if they can be counted. Counting makes each a little slower.
fn counted(
    counting: bool,
    start: &Barrier,
    work: impl FnOnce() -> io::Result<()>,
) -> io::Result<(Duration, Option<u64>)> {
    let mut counter = if counting { Calls::open() } else { None };
    start.wait();
    let before = counter.as_mut().map(Calls::read).transpose()?;
    let begin = Clock::Wall.now();
    work()?;
    let after = counter.as_mut().map(Calls::read).transpose()?;
    // The second reading is a call.
    Ok((begin, after.zip(before).map(|(after, before)| after - before - 1)))
}

/// From before the send until the receiver has it.
fn latency(inbox: &mut impl Inbox, outbox: &impl Outbox, arguments: &Arguments) -> io::Result<(f64, f64)> {
    let messages = arguments.either(20_000, 200);
    let warm = messages / 4;
    let cores = arguments.cores(1);
    let answered = AtomicU64::new(0);
    let mut delays = Vec::with_capacity((warm + messages) as usize);
    thread::scope(|scope| {
        let outbox = outbox.clone();
        let answered = &answered;
        let sender = scope.spawn(move || {
            or_exit(pin(cores - 1));
            for message in 0..warm + messages {
                or_exit(outbox.send(Clock::Wall.now().as_nanos() as u64));
                // Pairs with the receiver's store.
                while answered.load(Ordering::Acquire) <= message {
                    thread::park();
                }
            }
        });
        pin(0)?;
        while delays.len() < delays.capacity() {
            inbox.receive(&mut |stamp| {
                delays.push(Clock::Wall.now().as_nanos() as u64 - stamp);
                answered.store(delays.len() as u64, Ordering::Release);
                sender.thread().unpark();
            })?;
        }
        Ok::<(), io::Error>(())
    })?;
    Ok(percentiles(&mut delays[warm as usize..]))
}

/// Whether the loop was woken, and has not looked yet: one call of the system's is enough until
/// then. For systems that do not keep that themselves.
#[derive(Default)]
pub struct Flag(AtomicBool);

impl Flag {
    /// By a sender, behind its message. True: it has to wake.
    pub fn raise(&self) -> bool {
        // Either swap sees the message that came before the other.
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// By the loop, before it looks.
    pub fn lower(&self) {
        self.0.swap(false, Ordering::AcqRel);
    }
}
