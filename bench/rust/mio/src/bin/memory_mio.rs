// SPDX-License-Identifier: MIT
//! See `keep`.

use std::io;

use bench_mio::Mio;
use peer::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> io::Result<()> {
    peer::memory::<Mio>("mio")
}
