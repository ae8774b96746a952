// SPDX-License-Identifier: MIT
//! The arguments, which every program of a workload has alike.

use std::process::exit;
use std::str::FromStr;

use crate::cannot;

/// How readiness is told.
#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    Level,
    Edge,
    Oneshot,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Level => "level",
            Mode::Edge => "edge",
            Mode::Oneshot => "oneshot",
        }
    }
}

const USAGE: &str = "[--smoke] [--mode level|edge|oneshot] [--n N] [--a A] [--eventfd] [--events E] \
[--senders S] [--connections C] [--seconds S] [--cores 1|2] [--shuffled]";

/// Each is `None` if it was not given: its workload knows the usual value.
#[derive(Default)]
pub struct Arguments {
    pub smoke: bool,
    pub eventfd: bool,
    pub shuffled: bool,
    mode: Option<Mode>,
    n: Option<usize>,
    active: Option<usize>,
    events: Option<u64>,
    senders: Option<usize>,
    connections: Option<usize>,
    seconds: Option<f64>,
    cores: Option<usize>,
}

impl Arguments {
    /// Those of the program; ends it with 2 if they cannot be read.
    pub fn read() -> Arguments {
        let mut arguments = Arguments::default();
        let mut words = std::env::args().skip(1);
        while let Some(name) = words.next() {
            match name.as_str() {
                "--smoke" => arguments.smoke = true,
                "--eventfd" => arguments.eventfd = true,
                "--shuffled" => arguments.shuffled = true,
                "--mode" => arguments.mode = Some(mode(&name, words.next())),
                "--n" => arguments.n = Some(value(&name, words.next())),
                "--a" => arguments.active = Some(value(&name, words.next())),
                "--events" => arguments.events = Some(value(&name, words.next())),
                "--senders" => arguments.senders = Some(value(&name, words.next())),
                "--connections" => arguments.connections = Some(value(&name, words.next())),
                "--seconds" => arguments.seconds = Some(value(&name, words.next())),
                "--cores" => arguments.cores = Some(cores(&name, words.next())),
                "--backend" => cannot("the backends are those of Pollux"),
                _ => refuse(&name),
            }
        }
        arguments
    }

    /// The mode asked for, the first of these if none was; ends the program if it is none of them.
    pub fn mode(&self, known: &[Mode]) -> Mode {
        let mode = self.mode.unwrap_or(known[0]);
        if !known.contains(&mode) {
            cannot(&format!("it has no mode {}", mode.name()));
        }
        mode
    }

    pub fn n(&self, usual: usize, smoke: usize) -> usize {
        self.n.unwrap_or(self.either(usual, smoke))
    }

    pub fn active(&self, usual: usize, smoke: usize) -> usize {
        self.active.unwrap_or(self.either(usual, smoke))
    }

    pub fn events(&self, usual: u64, smoke: u64) -> u64 {
        self.events.unwrap_or(self.either(usual, smoke))
    }

    pub fn senders(&self) -> usize {
        self.senders.unwrap_or(1)
    }

    pub fn connections(&self, usual: usize, smoke: usize) -> usize {
        self.connections.unwrap_or(self.either(usual, smoke))
    }

    pub fn seconds(&self, usual: f64, smoke: f64) -> f64 {
        self.seconds.unwrap_or(self.either(usual, smoke))
    }

    /// On how many cores the two threads are that take turns.
    pub(crate) fn cores(&self, usual: usize) -> usize {
        self.cores.unwrap_or(usual)
    }

    pub(crate) fn either<T>(&self, usual: T, smoke: T) -> T {
        if self.smoke { smoke } else { usual }
    }
}

fn refuse(name: &str) -> ! {
    eprintln!("{name}: no such argument, or not with this value\n{USAGE}");
    exit(2)
}

/// A number above 0.
fn value<T: FromStr + PartialOrd + Default>(name: &str, word: Option<String>) -> T {
    match word.and_then(|word| word.parse().ok()) {
        Some(value) if value > T::default() => value,
        _ => refuse(name),
    }
}

fn cores(name: &str, word: Option<String>) -> usize {
    match value(name, word) {
        cores @ 1..=2 => cores,
        _ => refuse(name),
    }
}

fn mode(name: &str, word: Option<String>) -> Mode {
    match word.as_deref() {
        Some("level") => Mode::Level,
        Some("edge") => Mode::Edge,
        Some("oneshot") => Mode::Oneshot,
        _ => refuse(name),
    }
}
