// SPDX-License-Identifier: MIT
//! The server of `echo` and `accept` on mio.

use std::io;
use std::os::fd::AsRawFd;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use peer::{Service, Table, retry, waiting};

pub fn serve(mut service: Service) -> io::Result<()> {
    let mut listener = TcpListener::from_std(service.listener.try_clone()?);
    let own = Token(listener.as_raw_fd() as usize);
    let mut connections = Table::default();
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    poll.registry().register(&mut listener, own, Interest::READABLE)?;
    while !service.is_over() {
        retry(|| poll.poll(&mut events, None))?;
        for event in events.iter() {
            if event.token() == own {
                accept_all(&poll, &listener, &mut connections)?;
                continue;
            }
            let key = event.token().0;
            let Some(connection) = connections.get(key) else { continue };
            if !service.echo(connection)? {
                poll.registry().deregister(connection)?;
                connections.remove(key);
                service.closed();
            }
        }
    }
    service.close();
    Ok(())
}

fn accept_all(poll: &Poll, listener: &TcpListener, connections: &mut Table<TcpStream>) -> io::Result<()> {
    while let Some((mut connection, _)) = waiting(listener.accept())? {
        let token = Token(connection.as_raw_fd() as usize);
        poll.registry().register(&mut connection, token, Interest::READABLE)?;
        connections.insert(connection);
    }
    Ok(())
}
