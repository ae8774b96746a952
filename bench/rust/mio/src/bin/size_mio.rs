// SPDX-License-Identifier: MIT
//! See `keep`.

use std::io;

use bench_mio::Mio;

fn main() -> io::Result<()> {
    peer::size::<Mio>("mio")
}
