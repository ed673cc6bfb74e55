//! Names and connections within a deadline. `getaddrinfo` knows no time-out, so it is asked in a
//! thread that may be left behind.

use crate::finding::Finding;
use crate::fix::Fix;
use base::clock::Deadline;
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Why there is no connection.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// A clear no: nobody there, no such name.
    No {
        /// One word.
        reason: &'static str,
        /// A sentence.
        msg: String,
    },
    /// No answer in time.
    Timeout(String),
    /// It could not be tried.
    Unclear(String),
}

impl Trouble {
    /// What an error of the system means for the question whether somebody is there.
    pub fn of(place: &str, error: &io::Error) -> Trouble {
        let msg = format!("{place}: {}", base::error::plain(error));
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Trouble::No {
                reason: "refused",
                msg,
            },
            io::ErrorKind::NotFound => Trouble::No {
                reason: "missing",
                msg,
            },
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe => Trouble::No {
                reason: "closed",
                msg: format!("{place}: the connection was closed"),
            },
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                Trouble::Timeout(place.to_string())
            }
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Trouble::No {
                reason: "unreachable",
                msg,
            },
            _ => Trouble::Unclear(msg),
        }
    }

    /// As a finding; the fix is for a clear no.
    pub fn finding(self, fix: Fix) -> Finding {
        match self {
            Trouble::No { reason, msg } => Finding::unmet(reason, msg).fix(fix),
            Trouble::Timeout(place) => Finding::timeout(place),
            Trouble::Unclear(msg) => Finding::unknown("error", msg),
        }
    }
}

/// `host:port`, with brackets where the host is an IPv6 address.
pub fn place(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The addresses of a name.
pub fn resolve(host: &str, port: u16, deadline: Deadline) -> Result<Vec<SocketAddr>, Trouble> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, receiver) = channel();
    let name = host.to_string();
    let spawned = std::thread::Builder::new().spawn(move || {
        let _ = sender.send(
            (name.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>),
        );
    });
    if let Err(error) = spawned {
        return Err(Trouble::Unclear(format!(
            "{host}: {}",
            base::error::plain(&error)
        )));
    }
    match receiver.recv_timeout(deadline.slice(Duration::from_secs(60))) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) => Err(Trouble::No {
            reason: "no_address",
            msg: format!("{host} has no address"),
        }),
        Ok(Err(error)) => Err(lookup_trouble(host, &error)),
        Err(RecvTimeoutError::Timeout) => Err(Trouble::Timeout(format!("looking up {host}"))),
        Err(RecvTimeoutError::Disconnected) => {
            Err(Trouble::Unclear(format!("{host} could not be looked up")))
        }
    }
}

/// The C library's words say whether the name is unknown or the name server did not answer
/// (EAI_AGAIN).
fn lookup_trouble(host: &str, error: &io::Error) -> Trouble {
    let text = error.to_string();
    let words = text.rsplit(": ").next().unwrap_or(&text);
    match words.contains("emporary") {
        true => Trouble::Unclear(format!("{host}: no name server answers ({words})")),
        false => Trouble::No {
            reason: "no_such_name",
            msg: format!("{host}: {words}"),
        },
    }
}

/// Connects to the first address that accepts.
pub fn connect(
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<(TcpStream, SocketAddr), Trouble> {
    let addresses = resolve(host, port, deadline)?;
    let shown = place(host, port);
    let mut last = None;
    for (i, address) in addresses.iter().enumerate() {
        // What is left is shared, so that one silent address does not take the others' time.
        let left = deadline.slice(Duration::from_secs(60));
        let share = left / u32::try_from(addresses.len() - i).unwrap_or(1).max(1);
        if share.is_zero() {
            return Err(Trouble::Timeout(shown));
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                let limit = Some(
                    deadline
                        .slice(Duration::from_secs(60))
                        .max(Duration::from_millis(1)),
                );
                let set = stream
                    .set_read_timeout(limit)
                    .and_then(|()| stream.set_write_timeout(limit));
                return match set {
                    Ok(()) => Ok((stream, *address)),
                    Err(error) => Err(Trouble::of(&shown, &error)),
                };
            }
            Err(error) => last = Some(Trouble::of(&shown, &error)),
        }
    }
    Err(last.unwrap_or(Trouble::Timeout(shown)))
}
