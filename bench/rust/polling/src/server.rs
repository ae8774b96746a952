// SPDX-License-Identifier: MIT
//! The server of `echo` and `accept` on polling, in its own mode: oneshot.

use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;

use peer::{Service, Table};
use polling::{Event, Events, Poller};

pub fn serve(mut service: Service) -> io::Result<()> {
    let own = service.listener.as_raw_fd() as usize;
    let mut connections = Table::default();
    let poller = Poller::new()?;
    let mut events = Events::with_capacity(NonZeroUsize::new(1024).expect("not zero"));
    // SAFETY: it outlives the poller.
    unsafe { poller.add(&service.listener, Event::readable(own))? };
    while !service.is_over() {
        events.clear();
        poller.wait(&mut events, None)?;
        for event in events.iter() {
            if event.key == own {
                accept_all(&poller, &service, &mut connections)?;
                poller.modify(&service.listener, Event::readable(own))?;
                continue;
            }
            let Some(connection) = connections.get(event.key) else { continue };
            if service.echo(connection)? {
                poller.modify(&*connection, Event::readable(event.key))?;
            } else {
                poller.delete(&*connection)?;
                connections.remove(event.key);
                service.closed();
            }
        }
    }
    service.close();
    Ok(())
}

fn accept_all(poller: &Poller, service: &Service, connections: &mut Table<TcpStream>) -> io::Result<()> {
    while let Some(connection) = service.accept()? {
        // SAFETY: it is deleted before it is closed.
        unsafe { poller.add(&connection, Event::readable(connection.as_raw_fd() as usize))? };
        connections.insert(connection);
    }
    Ok(())
}
