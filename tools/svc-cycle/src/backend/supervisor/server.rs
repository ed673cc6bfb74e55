//! Who answers at supervisord's socket: what another user's server says of a process is not
//! believed.

use std::path::Path;
use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Result};
use proc::Identity;

use crate::xmlrpc::Client;

/// Who answers at the socket: a pid is believed only from root, or where it is the server's own.
pub enum Server {
    Root,
    User(u32),
    Unseen,
}

impl Server {
    pub fn of(client: &Client) -> Server {
        let uid = match (&client.socket, client.port()) {
            (Some(path), _) => match client.answered.users().as_slice() {
                [] => match &client.rights {
                    Some(user) => {
                        base::trust::with_rights_of(user, || peer(path)).unwrap_or_default()
                    }
                    None => peer(path),
                },
                [uid] => Some(*uid),
                _ => None,
            },
            (None, Some(port)) => match probe::port::holders(port) {
                Ok(probe::port::Holders::Processes(pids)) => pids
                    .first()
                    .and_then(|pid| Identity::of(*pid).ok())
                    .map(|identity| identity.uid),
                _ => None,
            },
            (None, None) => None,
        };
        match uid {
            Some(0) => Server::Root,
            Some(uid) => Server::User(uid),
            None => Server::Unseen,
        }
    }

    /// A server of an ordinary user that names another user's process would have root signal that
    /// process.
    pub fn owns(&self, client: &Client, pid: i32) -> Result<()> {
        let uid = match self {
            Server::Root => return Ok(()),
            Server::User(uid) => *uid,
            Server::Unseen if !rustix::process::geteuid().is_root() => return Ok(()),
            Server::Unseen => {
                return Err(Error::new(
                    base::Kind::Permission,
                    format!("supervisord at {}: its user cannot be seen, so the processes that it names are not believed", client.place()),
                )
                .hint("give it a [unix_http_server]"));
            }
        };
        let parent = proc::Stat::of(pid).map(|stat| stat.parent).unwrap_or(0);
        let of = |pid: i32| Identity::of(pid).map(|identity| identity.uid).ok();
        if of(pid).is_none() || of(pid) == Some(uid) || of(parent) == Some(uid) {
            return Ok(());
        }
        Err(Error::new(
            base::Kind::Permission,
            format!(
                "supervisord at {}: it belongs to uid {uid} and names process {pid}, which is neither its child nor its user's",
                client.place()
            ),
        )
        .hint("whoever runs that server chooses which process is signalled"))
    }
}

/// The user of the process that listens at a unix socket (unix(7): SO_PEERCRED).
fn peer(path: &Path) -> Option<u32> {
    let soon = Deadline::after(Some(Duration::from_secs(2)));
    let stream = base::connect::unix(path, soon).ok()?;
    base::connect::peer(&stream).ok().map(|peer| peer.uid)
}
