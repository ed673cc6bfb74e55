//! One lock for each service that is changed, so that two runs over different services do not wait
//! for each other.
//!
//! Each lock has two parts. A file in the user's own state directory keeps the runs of one user
//! apart. A name in the kernel's abstract namespace of unix sockets (unix(7)) keeps the runs of
//! different users apart: root and a deploy user share no directory that both may write. Every user
//! could take such a name, so it counts only where its holder is somebody who may change the
//! service.

use std::io::Read as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use base::clock::Deadline;
use base::connect::{Peer, peer};
use base::lock::{Lock, state_directory};
use base::{Error, Result};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::backend;
use crate::id::ServiceId;
use crate::service::Service;

/// The locks of a run; they are released when this is dropped.
#[derive(Debug, Default)]
pub struct Locks {
    files: Vec<Lock>,
    names: Vec<UnixListener>,
}

impl Locks {
    /// Takes the lock of every service, always in the same order, so that two runs cannot wait for
    /// each other in a ring.
    ///
    /// # Errors
    /// One is held (75).
    pub fn acquire(&mut self, services: &[Service], wait: Duration) -> Result<()> {
        let directory = state_directory()?;
        let ids = |service: &Service| (backend::of(service).locks)(service);
        let mut all: Vec<(PathBuf, ServiceId, &Service)> = services
            .iter()
            .flat_map(|service| ids(service).into_iter().map(move |id| (id, service)))
            .map(|(id, service)| {
                let path = directory.join(format!("svc-cycle.{}.lock", id.file_name()));
                (path, id, service)
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|a, b| a.0 == b.0);
        for (path, id, service) in all {
            self.files.push(Lock::acquire(&path, wait)?);
            self.names.extend(among_users(&id, service, wait)?);
        }
        Ok(())
    }
}

/// Takes the name of the service; None where the name is somebody's who has no say, or where the
/// kernel has none to give.
fn among_users(id: &ServiceId, service: &Service, wait: Duration) -> Result<Option<UnixListener>> {
    let name = format!("runbook-tools/svc-cycle/{}", id.file_name());
    let Ok(address) = SocketAddr::from_abstract_name(&name) else {
        return Ok(None);
    };
    let deadline = Deadline::after(Some(wait));
    let mut held: Option<(UnixStream, Peer)> = None;
    loop {
        match UnixListener::bind_addr(&address) {
            Ok(listener) => return Ok(Some(listener)),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(_) => return Ok(None),
        }
        if held.as_mut().is_some_and(|(stream, _)| has_ended(stream)) {
            held = None;
        }
        if held.is_none() {
            match holder(&name) {
                Ok(found) if counts(service, found.1) => held = Some(found),
                // Released since.
                Err(rustix::io::Errno::CONNREFUSED) => {}
                _ => return Ok(None),
            }
        }
        if let (Some((_, by)), true) = (&held, deadline.passed()) {
            return Err(Error::locked(format!(
                "{}: a run of another user works on the service: pid {} of uid {}",
                service.name, by.pid, by.uid
            ))
            .hint("wait until that process ends, or give --lock-wait 5m"));
        }
        sleep(deadline.slice(Duration::from_millis(20)));
    }
}

/// Whether a run of that user can change the service.
fn counts(service: &Service, by: Peer) -> bool {
    by.uid == 0
        || by.uid == rustix::process::geteuid().as_raw()
        || (backend::of(service).may_touch)(service, by)
}

/// Who holds the name, by a connection that ends when the holder does.
fn holder(name: &str) -> rustix::io::Result<(UnixStream, Peer)> {
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes())?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &address)?;
    let stream = UnixStream::from(socket);
    let by = peer(&stream).map_err(|_| rustix::io::Errno::IO)?;
    Ok((stream, by))
}

fn has_ended(stream: &mut UnixStream) -> bool {
    let mut byte = [0];
    !matches!(stream.read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::request::Origin;
    use crate::set::Set;

    #[test]
    fn a_name_is_held_once_and_free_again() {
        let file = format!("/run/lock-test-{}.pid", std::process::id());
        let set = Set::of_origin(&Origin {
            directory: "/".into(),
            names: vec![format!("pidfile:{file}")],
            ..Origin::default()
        });
        let service = set.unwrap().services.remove(0);
        let id = backend::id(&service);
        let first = among_users(&id, &service, Duration::ZERO).unwrap();
        assert!(first.is_some());
        let refused = among_users(&id, &service, Duration::ZERO).unwrap_err();
        let pid = format!("pid {}", std::process::id());
        assert!(refused.message.contains(&pid), "{}", refused.message);
        let (mut stream, _) =
            holder(&format!("runbook-tools/svc-cycle/{}", id.file_name())).unwrap();
        assert!(!has_ended(&mut stream));
        drop(first);
        assert!(has_ended(&mut stream));
        assert!(
            among_users(&id, &service, Duration::ZERO)
                .unwrap()
                .is_some()
        );
    }
}
