// SPDX-License-Identifier: MIT
//! What is known of amy beyond its interface.

mod keep;
mod server;

pub use keep::Amy;
pub use server::serve;

use std::fmt::Debug;
use std::io;

use amy::ChannelError;

/// How many events a wait takes at most.
pub const EVENTS: usize = 1024;

/// Milliseconds for a wait that ends with an event: amy has no endless one.
pub const FOREVER: usize = 3_600_000;

/// A channel's error, which is no `std::error::Error`.
pub fn failed<T: Debug>(error: ChannelError<T>) -> io::Error {
    io::Error::other(format!("{error:?}"))
}
