// SPDX-License-Identifier: MIT
//! What `memory` and `size` share: a loop in which descriptors, timers and channels are kept, with
//! the program's own structures for them.

use std::fs::{read, read_dir, read_to_string};
use std::io;
use std::os::fd::RawFd;

use crate::memory::allocated;
use crate::{Arguments, Line, eventfd, need_descriptors};

const CHANNELS: usize = 1000;

pub trait Keep: Sized {
    /// The crates of the system, as they are named in symbols.
    const CRATES: &[&str];
    /// Whether there are timers; each has a descriptor then.
    const TIMERS: bool;

    fn open() -> io::Result<Self>;
    /// To be read.
    fn descriptors(&mut self, fds: &[RawFd]) -> io::Result<()>;
    /// Due in an hour.
    fn timers(&mut self, count: usize) -> io::Result<()>;
    /// Or what goes for one.
    fn channels(&mut self, count: usize) -> io::Result<()>;
    /// A wait that does not block.
    fn turn(&mut self) -> io::Result<()>;
}

/// Bytes for each descriptor, timer and channel: as the allocator is asked for them, and as the
/// resident set grows. The program's allocator is `Counting`.
pub fn memory<K: Keep>(system: &str) -> io::Result<()> {
    let arguments = Arguments::read();
    let count = arguments.n(9000, 500);
    let timers = if K::TIMERS { arguments.events(5000, 1000).min(5000) as usize } else { 0 };
    need_descriptors(count + timers + CHANNELS + 32);
    let fds = (0..count).map(|_| eventfd()).collect::<io::Result<Vec<RawFd>>>()?;
    let mut keep = K::open()?;
    keep.turn()?;
    let mut line = Line::new("memory", system);
    for kind in ["descriptor", "timer", "channel"] {
        if kind == "timer" && !K::TIMERS {
            continue;
        }
        let (bytes, pages) = (allocated() as f64, resident()?);
        let each = match kind {
            "descriptor" => keep.descriptors(&fds).map(|()| count),
            "timer" => keep.timers(timers).map(|()| timers),
            _ => keep.channels(CHANNELS).map(|()| CHANNELS),
        }? as f64;
        keep.turn()?;
        let (bytes, pages) = (allocated() as f64 - bytes, resident()? - pages);
        line = line
            .figure(&format!("{kind}_bytes"), bytes / each)
            .figure(&format!("{kind}_resident_bytes"), pages / each);
    }
    line.print();
    Ok(())
}

/// Bytes of the system's functions in this program, and descriptors that an open loop has, and
/// that 1,000 timers and 1,000 channels add.
pub fn size<K: Keep>(system: &str) -> io::Result<()> {
    Arguments::read();
    need_descriptors(2 * CHANNELS + 100);
    let one = eventfd()?;
    let none = descriptors()?;
    let mut keep = K::open()?;
    keep.descriptors(&[one])?;
    keep.turn()?;
    let open = descriptors()?;
    let mut line =
        Line::new("size", system).count("function_bytes", text(K::CRATES)?).count("loop_fds", open - none);
    if K::TIMERS {
        keep.timers(1000)?;
        keep.turn()?;
        line = line.count("timer_fds", descriptors()? - open);
    }
    let before = descriptors()?;
    keep.channels(CHANNELS)?;
    keep.turn()?;
    line.count("channel_fds", descriptors()? - before).print();
    Ok(())
}

/// In bytes.
fn resident() -> io::Result<f64> {
    let text = read_to_string("/proc/self/statm")?;
    let pages: f64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0.);
    // SAFETY: it takes no pointer.
    Ok(pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64)
}

/// The folder's own is one of them, in each count.
fn descriptors() -> io::Result<usize> {
    Ok(read_dir("/proc/self/fd")?.count())
}

/// Adds up the sizes of the functions that belong to these crates, by the table of symbols.
/// What was inlined into others is missing.
fn text(crates: &[&str]) -> io::Result<u64> {
    let elf = Elf(read("/proc/self/exe")?);
    let bytes = elf
        .functions()
        .filter(|(name, _)| crates.iter().any(|own| belongs(name, own)))
        .map(|(_, size)| size)
        .sum();
    if bytes == 0 {
        return Err(io::Error::other("the program has no symbols"));
    }
    Ok(bytes)
}

/// `_ZN3mio...` for a function of mio's, `$LT$mio..` for a method of a trait.
fn belongs(symbol: &str, own: &str) -> bool {
    symbol.contains(&format!("{}{own}", own.len())) || symbol.contains(&format!("${own}.."))
}

/// A program of 64 bits, of this machine's byte order.
struct Elf(Vec<u8>);

impl Elf {
    fn number(&self, at: usize, width: usize) -> usize {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(&self.0[at..at + width]);
        usize::from_le_bytes(bytes)
    }

    /// Where the sections' headers are.
    fn sections(&self) -> impl Iterator<Item = usize> {
        let (start, each, count) = (self.number(0x28, 8), self.number(0x3a, 2), self.number(0x3c, 2));
        (0..count).map(move |index| start + index * each)
    }

    /// Names and sizes of the functions in the table of symbols, if it was not stripped. Some names
    /// may stand for the same code: each place counts once.
    fn functions(&self) -> impl Iterator<Item = (&str, u64)> {
        const SYMTAB: usize = 2;
        const FUNCTION: usize = 2;
        let mut seen = std::collections::HashSet::new();
        let table = self.sections().find(|&header| self.number(header + 4, 4) == SYMTAB);
        let (start, size, names) = table.map_or((0, 0, 0), |header| {
            let strings = self.sections().nth(self.number(header + 0x28, 4));
            let names = strings.map_or(0, |strings| self.number(strings + 0x18, 8));
            (self.number(header + 0x18, 8), self.number(header + 0x20, 8), names)
        });
        (start..start + size)
            .step_by(24)
            .filter(|symbol| self.number(symbol + 4, 1) & 15 == FUNCTION)
            .filter(move |symbol| seen.insert(self.number(symbol + 8, 8)))
            .map(move |symbol| {
                let name = &self.0[names + self.number(symbol, 4)..];
                let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
                (str::from_utf8(&name[..end]).unwrap_or(""), self.number(symbol + 16, 8) as u64)
            })
    }
}
