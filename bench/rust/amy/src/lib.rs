// SPDX-License-Identifier: MIT
//! What is known of amy beyond its interface.

/// How many events a wait takes at most.
pub const EVENTS: usize = 1024;

/// Milliseconds for a wait that ends with an event: amy has no endless one.
pub const FOREVER: usize = 3_600_000;
