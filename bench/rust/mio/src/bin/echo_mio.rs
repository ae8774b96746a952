// SPDX-License-Identifier: MIT
//! See `serve`.

use std::io;

use peer::Service;

fn main() -> io::Result<()> {
    bench_mio::serve(Service::open("echo", "mio")?)
}
