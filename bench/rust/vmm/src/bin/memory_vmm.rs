// SPDX-License-Identifier: MIT
//! See `keep`.

use std::io;

use bench_vmm::Vmm;
use peer::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> io::Result<()> {
    peer::memory::<Vmm>("vmm")
}
