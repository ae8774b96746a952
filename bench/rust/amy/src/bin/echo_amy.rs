// SPDX-License-Identifier: MIT
//! See `serve`.

use std::io;

use peer::Service;

fn main() -> io::Result<()> {
    bench_amy::serve(Service::open("echo", "amy")?)
}
