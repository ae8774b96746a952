// SPDX-License-Identifier: MIT
//! What the binaries share of vmm.

mod keep;
mod server;

pub use keep::Vmm;
pub use server::serve;
