// SPDX-License-Identifier: MIT
//! See `keep`.

use std::io;

use bench_amy::Amy;

fn main() -> io::Result<()> {
    peer::size::<Amy>("amy")
}
