// SPDX-License-Identifier: MIT
//! What the servers of `echo` and `accept` share. Both send back what comes, and the latter
//! closes after the first answer. The client is the C programs' echo_client, a process of its own
//! on the other core; it reads its parent's CPU time, and prints the line.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::{Arguments, cannot, check, need_descriptors, pin};

pub struct Service {
    /// Does not block.
    pub listener: TcpListener,
    /// Whether a connection is closed after its first answer.
    once: bool,
    /// Connections to close before the server ends.
    left: usize,
}

impl Service {
    /// Listens, and starts the client: the server is to enter its loop.
    pub fn open(workload: &str, system: &str) -> io::Result<Service> {
        let arguments = Arguments::read();
        let once = workload == "accept";
        let connections = arguments.connections(if once { 10_000 } else { 100 }, 100);
        need_descriptors(if once { 256 } else { connections + 64 });
        let listener = listen()?;
        watch_client()?;
        let mut client = Command::new(client());
        client
            .args(["--workload", workload, "--system", system])
            .args(["--port", &listener.local_addr()?.port().to_string()])
            .args(["--connections", &connections.to_string()])
            .args(["--seconds", &arguments.seconds(2., 0.2).to_string()]);
        // SAFETY: prctl may be called between fork and exec.
        unsafe { client.pre_exec(|| check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL)).map(drop)) };
        client.spawn()?;
        pin(0)?;
        Ok(Service { listener, once, left: connections + if once { connections / 8 } else { 0 } })
    }

    /// A connection that waits to be accepted, which does not block: one call, as the C programs
    /// have it, where std would need another.
    pub fn accept(&self) -> io::Result<Option<TcpStream>> {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: without a place for the address none is written; the descriptor is ours.
        let accepted = unsafe {
            check(libc::accept4(self.listener.as_raw_fd(), null_mut(), null_mut(), flags))
                .map(|fd| TcpStream::from_raw_fd(fd))
        };
        waiting(accepted)
    }

    /// Sends back what is there, which is less than there is room for: the next edge is a new one.
    /// False: the connection is to be closed.
    pub fn echo(&self, connection: &mut (impl Read + Write)) -> io::Result<bool> {
        let mut bytes = [0; 256];
        match connection.read(&mut bytes) {
            Ok(count) if count > 0 => connection.write_all(&bytes[..count]).map(|()| !self.once),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            _ => Ok(false),
        }
    }

    /// A connection was closed.
    pub fn closed(&mut self) {
        self.left -= 1;
    }

    pub fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Waits until the client has printed the line.
    pub fn close(self) {
        while !CLIENT_ENDED.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(1));
        }
    }
}

/// What `accept` of a listener gave, or `None` if nobody waits to be accepted.
pub fn waiting<T>(accepted: io::Result<T>) -> io::Result<Option<T>> {
    match accepted {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// With the longest queue that the kernel allows, as the C programs have it.
fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    // SAFETY: it is open. To listen again is to change the length of the queue.
    check(unsafe { libc::listen(listener.as_raw_fd(), libc::SOMAXCONN) })?;
    Ok(listener)
}

/// In $ECHO_CLIENT, next to the program, or where the preset `release` builds it.
fn client() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let places = [
        std::env::var_os("ECHO_CLIENT").map(PathBuf::from),
        Some(own.with_file_name("echo_client")),
        own.ancestors().nth(3).map(|build| build.join("release/bench/peers/echo_client")),
    ];
    places
        .into_iter()
        .flatten()
        .find(|place| place.is_file())
        .unwrap_or_else(|| cannot("there is no echo_client: build the preset release, or set ECHO_CLIENT"))
}

static CLIENT_ENDED: AtomicBool = AtomicBool::new(false);

/// A client that fails takes the server along. (A thread that waits for it would do as well, but
/// a process with threads pays more for each use of a descriptor.)
fn watch_client() -> io::Result<()> {
    extern "C" fn ended(_signal: libc::c_int) {
        let mut status = 0;
        // SAFETY: both may be called in a signal handler; the client is the only child.
        unsafe {
            if libc::waitpid(-1, &mut status, libc::WNOHANG) > 0 {
                if status != 0 {
                    libc::_exit(1);
                }
                CLIENT_ENDED.store(true, Ordering::Relaxed);
            }
        }
    }
    // SAFETY: all of the action is set, and the handler keeps to what one may do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ended as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_NOCLDSTOP;
        check(libc::sigaction(libc::SIGCHLD, &action, null_mut())).map(drop)
    }
}

/// Connections by the numbers of their descriptors.
pub struct Table<T>(Vec<Option<T>>);

impl<T> Default for Table<T> {
    fn default() -> Table<T> {
        Table(Vec::new())
    }
}

impl<T: AsRawFd> Table<T> {
    pub fn insert(&mut self, connection: T) {
        let key = connection.as_raw_fd() as usize;
        if self.0.len() <= key {
            self.0.resize_with(key + 1, || None);
        }
        self.0[key] = Some(connection);
    }

    /// `None` if it was removed.
    pub fn get(&mut self, key: usize) -> Option<&mut T> {
        self.0.get_mut(key)?.as_mut()
    }

    pub fn remove(&mut self, key: usize) -> Option<T> {
        self.0.get_mut(key)?.take()
    }
}
