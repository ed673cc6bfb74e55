//! Connections that end at a deadline. A unix socket whose queue is full (a server that hangs)
//! makes a plain connect(2) wait for ever, and a FIFO or a file under a socket's name is an error,
//! never a wait.

use crate::clock::Deadline;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long a connection is tried where nobody sets a deadline.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Who is at the other end of a unix socket: whoever called listen(2), or connect(2) (SO_PEERCRED
/// of unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The process, by its number in our process namespace.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
}

/// Connects to a unix socket. A full queue is waited for until the deadline, 10 seconds where there
/// is none.
///
/// # Errors
/// As connect(2); `TimedOut` where the server's queue stays full.
pub fn unix(path: &Path, deadline: Deadline) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let deadline = bounded(deadline);
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let mut pause = Duration::from_millis(1);
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if !deadline.passed() => {
                std::thread::sleep(deadline.slice(pause));
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            Err(Errno::AGAIN) => {
                let words = "the server does not take connections: its queue is full";
                return Err(io::Error::new(io::ErrorKind::TimedOut, words));
            }
            Err(e) => return Err(e.into()),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Connects to an address, until the deadline; for 10 seconds where there is none.
///
/// # Errors
/// As connect(2); `TimedOut`.
pub fn tcp(address: &SocketAddr, deadline: Deadline) -> io::Result<TcpStream> {
    let left = bounded(deadline).left().unwrap_or(PATIENCE);
    TcpStream::connect_timeout(address, left.max(Duration::from_millis(1)))
}

/// Who serves the socket.
///
/// # Errors
/// As getsockopt(2).
pub fn peer(stream: &UnixStream) -> io::Result<Peer> {
    let peer = rustix::net::sockopt::socket_peercred(stream)?;
    Ok(Peer {
        pid: peer.pid.as_raw_nonzero().get(),
        uid: peer.uid.as_raw(),
    })
}

fn bounded(deadline: Deadline) -> Deadline {
    match deadline.left() {
        Some(_) => deadline,
        None => Deadline::after(Some(PATIENCE)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_full_queue_is_left_at_the_deadline() {
        let path = std::env::temp_dir().join(format!("queue-{}", std::process::id()));
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let soon = || Deadline::after(Some(Duration::from_millis(100)));
        let first = unix(&path, soon()).unwrap();
        let peer = peer(&first).unwrap();
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        assert_eq!(peer.pid, i32::try_from(std::process::id()).unwrap());
        let began = Instant::now();
        let error = unix(&path, soon()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(2));
        drop(socket);
        let refused = unix(&path, soon()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        std::fs::remove_file(&path).unwrap();
        assert!(unix(&path, soon()).is_err());
    }
}
