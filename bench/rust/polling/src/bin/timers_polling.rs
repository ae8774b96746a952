// SPDX-License-Identifier: MIT

fn main() {
    peer::cannot("polling has no timers: a wait has a timeout, and the rest is the program's own")
}
