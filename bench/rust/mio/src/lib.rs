// SPDX-License-Identifier: MIT
//! What the binaries share of mio.

mod keep;
mod server;

pub use keep::Mio;
pub use server::serve;
