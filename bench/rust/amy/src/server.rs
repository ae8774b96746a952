// SPDX-License-Identifier: MIT
//! The server of `echo` and `accept` on amy, with connections by the ids that it gives out.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;

use amy::{Event, Poller, Registrar};
use peer::{Service, retry};

use crate::FOREVER;

pub fn serve(mut service: Service) -> io::Result<()> {
    let mut poller = Poller::new()?;
    let registrar = poller.get_registrar();
    let own = registrar.register(&service.listener, Event::Read)?;
    let mut connections = HashMap::new();
    while !service.is_over() {
        for event in retry(|| poller.wait(FOREVER))? {
            if event.id == own {
                accept_all(&registrar, &service, &mut connections)?;
                continue;
            }
            let Some(connection) = connections.get_mut(&event.id) else { continue };
            if !service.echo(connection)? {
                registrar.deregister(connection)?;
                connections.remove(&event.id);
                service.closed();
            }
        }
    }
    service.close();
    Ok(())
}

fn accept_all(
    registrar: &Registrar,
    service: &Service,
    connections: &mut HashMap<usize, TcpStream>,
) -> io::Result<()> {
    while let Some(connection) = service.accept()? {
        connections.insert(registrar.register(&connection, Event::Read)?, connection);
    }
    Ok(())
}
