//! Unix sockets: a connection that is accepted is the only proof that somebody listens.
//!
//! A socket file outlives its server, so the file's presence says nothing; `connect` on a leftover
//! is refused.

use base::clock::Deadline;
use std::path::Path;
use std::time::Duration;

/// Whether somebody accepts connections on the unix socket at `path`, within `timeout`: the queue
/// of a server that hangs is full.
///
/// # Errors
/// What `connect` said, in words.
pub fn connect(path: &Path, timeout: Duration) -> Result<(), String> {
    match base::connect::unix(path, Deadline::after(Some(timeout))) {
        Ok(_) => Ok(()),
        Err(error) => Err(crate::port::why(&path.display().to_string(), &error)),
    }
}
