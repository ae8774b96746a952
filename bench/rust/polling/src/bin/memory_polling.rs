// SPDX-License-Identifier: MIT
//! See `keep`.

use std::io;

use bench_polling::Polling;
use peer::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> io::Result<()> {
    peer::memory::<Polling>("polling")
}
