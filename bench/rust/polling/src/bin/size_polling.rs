// SPDX-License-Identifier: MIT
//! See `keep`.

use std::io;

use bench_polling::Polling;

fn main() -> io::Result<()> {
    peer::size::<Polling>("polling")
}
