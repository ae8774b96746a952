// SPDX-License-Identifier: MIT
//! What the binaries share of polling.

mod keep;
mod server;

pub use keep::Polling;
pub use server::serve;
