// SPDX-License-Identifier: MIT
//! See `keep`.

use std::io;

use bench_vmm::Vmm;

fn main() -> io::Result<()> {
    peer::size::<Vmm>("vmm")
}
