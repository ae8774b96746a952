// SPDX-License-Identifier: MIT

fn main() {
    peer::cannot("mio has no timers: a wait has a timeout, and the rest is the program's own")
}
