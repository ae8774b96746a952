// SPDX-License-Identifier: MIT
//! A wake-up on amy, which has channels for that.

use std::io;

use amy::Poller;
use bench_amy::FOREVER;
use peer::{Arguments, retry};

fn main() -> io::Result<()> {
    peer::wake("amy", &Arguments::read(), || {
        let mut poller = Poller::new()?;
        let (sender, receiver) = poller.get_registrar().channel::<()>()?;
        let wait = move || {
            retry(|| poller.wait(FOREVER))?;
            while receiver.try_recv().is_ok() {}
            Ok(())
        };
        Ok((wait, move || sender.send(()).map_err(bench_amy::failed)))
    })
}
