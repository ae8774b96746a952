// SPDX-License-Identifier: MIT
//! The server of `echo` and `accept` on vmm-sys-util, level-triggered.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use peer::{Service, Table, retry};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

pub fn serve(mut service: Service) -> io::Result<()> {
    let own = service.listener.as_raw_fd() as usize;
    let mut connections = Table::default();
    let epoll = Epoll::new()?;
    let mut events = vec![EpollEvent::default(); 1024];
    watch(&epoll, &service.listener)?;
    while !service.is_over() {
        let count = retry(|| epoll.wait(-1, &mut events))?;
        for event in &events[..count] {
            let key = event.data() as usize;
            if key == own {
                accept_all(&epoll, &service, &mut connections)?;
                continue;
            }
            let Some(connection) = connections.get(key) else { continue };
            if !service.echo(connection)? {
                connections.remove(key); // to close is to deregister
                service.closed();
            }
        }
    }
    service.close();
    Ok(())
}

fn watch(epoll: &Epoll, source: &impl AsRawFd) -> io::Result<()> {
    let fd = source.as_raw_fd();
    epoll.ctl(ControlOperation::Add, fd, EpollEvent::new(EventSet::IN, fd as u64))
}

fn accept_all(epoll: &Epoll, service: &Service, connections: &mut Table<TcpStream>) -> io::Result<()> {
    while let Some(connection) = service.accept()? {
        watch(epoll, &connection)?;
        connections.insert(connection);
    }
    Ok(())
}
