//! TCP ports: does one answer, and which process holds it.
//!
//! The second question is what makes the first an answer: a port can be held by another program, or
//! by the old instance of the very service that was restarted. `/proc/net/tcp` names the socket of
//! a listener by its inode, and `/proc/PID/fd` says whose it is (proc(5)).

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Connects to `address` (`host:port`), trying each address the name has, within `timeout` each.
///
/// # Errors
/// The last refusal, in words.
pub fn connect(address: &str, timeout: Duration) -> Result<(), String> {
    let addresses = address
        .to_socket_addrs()
        .map_err(|error| format!("{address}: no such host: {error}"))?;
    let mut last = format!("{address}: the name has no address");
    for each in addresses {
        match TcpStream::connect_timeout(&each, timeout.max(Duration::from_millis(1))) {
            Ok(_) => return Ok(()),
            Err(error) => last = why(&each.to_string(), &error),
        }
    }
    Err(last)
}

/// A connection error as a person would say it.
#[must_use]
pub fn why(what: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{what}: nobody listens"),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => format!("{what}: no answer in time"),
        io::ErrorKind::NotFound => format!("{what}: no such socket"),
        io::ErrorKind::PermissionDenied => format!("{what}: permission denied"),
        _ => format!("{what}: {error}"),
    }
}

/// Who holds a listening port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holders {
    /// Nobody listens.
    Nobody,
    /// These processes have the listening socket open (a master and the workers that inherited it).
    Processes(BTreeSet<i32>),
    /// Somebody listens, but this user may not look into the processes, or it listens in another
    /// namespace.
    Unknown,
}

/// The processes that listen on TCP `port`, on whatever address.
///
/// # Errors
/// `/proc` cannot be read.
pub fn holders(port: u16) -> io::Result<Holders> {
    let inodes = listening_inodes(port)?;
    if inodes.is_empty() {
        return Ok(Holders::Nobody);
    }
    let pids = owners(&inodes)?;
    Ok(if pids.is_empty() {
        Holders::Unknown
    } else {
        Holders::Processes(pids)
    })
}

/// As [`holders`], but only these processes are looked at: `Nobody` then means none of them.
///
/// # Errors
/// `/proc` cannot be read.
pub fn holders_among(port: u16, pids: &BTreeSet<i32>) -> io::Result<Holders> {
    if pids.is_empty() {
        return Ok(Holders::Nobody);
    }
    let inodes = listening_inodes(port)?;
    let mut denied = false;
    let mut found = BTreeSet::new();
    for pid in pids {
        match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(descriptors) => {
                if holds(descriptors, &inodes) {
                    found.insert(*pid);
                }
            }
            Err(error) => denied |= error.kind() == io::ErrorKind::PermissionDenied,
        }
    }
    Ok(match (found.is_empty(), denied && !inodes.is_empty()) {
        (false, _) => Holders::Processes(found),
        (true, true) => Holders::Unknown,
        (true, false) => Holders::Nobody,
    })
}

fn holds(descriptors: fs::ReadDir, inodes: &BTreeSet<u64>) -> bool {
    descriptors
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .any(|target| {
            socket_inode(target.to_str().unwrap_or_default())
                .is_some_and(|inode| inodes.contains(&inode))
        })
}

fn listening_inodes(port: u16) -> io::Result<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        match fs::read_to_string(table) {
            Ok(text) => found.extend(text.lines().skip(1).filter_map(|line| listener(line, port))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The inode in a line of `/proc/net/tcp`, if the line is a listener (state 0A) on `port`.
fn listener(line: &str, port: u16) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let held = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    if state != "0A" || held != port {
        return None;
    }
    fields.nth(5)?.parse().ok()
}

/// Where some processes listen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listening {
    /// TCP ports.
    pub ports: BTreeSet<u16>,
    /// Unix sockets with a path.
    pub sockets: BTreeSet<String>,
}

/// Where these processes listen: the sockets that they have open, looked up in the tables of
/// proc_net(5).
///
/// # Errors
/// `/proc` cannot be read.
pub fn listening(pids: &BTreeSet<i32>) -> io::Result<Listening> {
    let mut inodes = BTreeSet::new();
    for pid in pids {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
        for fd in descriptors.into_iter().flatten().flatten() {
            let target = fs::read_link(fd.path()).unwrap_or_default();
            inodes.extend(socket_inode(target.to_str().unwrap_or_default()));
        }
    }
    let mut found = Listening::default();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            if let Some((port, inode)) = any_listener(line) {
                if inodes.contains(&inode) {
                    found.ports.insert(port);
                }
            }
        }
    }
    let text = fs::read_to_string("/proc/net/unix")?;
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        // Flag 10000 (__SO_ACCEPTCON) is a listener; a path with a blank is left out.
        if let [_, _, _, flags, _, _, inode, path] = fields[..] {
            let mine = inode.parse().is_ok_and(|inode| inodes.contains(&inode));
            if flags == "00010000" && mine && path.starts_with('/') {
                found.sockets.insert(path.to_owned());
            }
        }
    }
    Ok(found)
}

/// Port and inode of a listener's line.
fn any_listener(line: &str) -> Option<(u16, u64)> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    let inode = fields.nth(5)?.parse().ok()?;
    (state == "0A").then_some((port, inode))
}

fn owners(inodes: &BTreeSet<u64>) -> io::Result<BTreeSet<i32>> {
    let mut pids = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        // Another user's process, or one that just ended: it cannot be looked into, the others can.
        let Ok(descriptors) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        if holds(descriptors, inodes) {
            pids.insert(pid);
        }
    }
    Ok(pids)
}

fn socket_inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_is_found_with_its_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        connect(&format!("127.0.0.1:{port}"), Duration::from_secs(1)).unwrap();
        let me = BTreeSet::from([i32::try_from(std::process::id()).unwrap()]);
        assert!(listening(&me).unwrap().ports.contains(&port));
        let Holders::Processes(pids) = holders(port).unwrap() else {
            panic!("not found")
        };
        assert!(pids.contains(&i32::try_from(std::process::id()).unwrap()));
        drop(listener);
        // A sibling test may have forked between bind and drop, so only our own hold is certain to
        // be gone.
        match holders(port).unwrap() {
            Holders::Processes(pids) => {
                assert!(!pids.contains(&i32::try_from(std::process::id()).unwrap()));
            }
            Holders::Nobody | Holders::Unknown => {}
        }
    }

    #[test]
    fn a_refusal_is_said_in_words() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        assert_eq!(
            connect(&address, Duration::from_secs(1)).unwrap_err(),
            format!("{address}: nobody listens")
        );
    }

    #[test]
    fn only_listening_lines_count() {
        let line = "   0: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 36342 1 0 100 0 0 10 0";
        assert_eq!(listener(line, 8001), Some(36342));
        assert_eq!(listener(line, 8002), None);
        assert_eq!(listener(&line.replace(" 0A ", " 01 "), 8001), None);
        assert_eq!(listener("", 8001), None);
    }
}
