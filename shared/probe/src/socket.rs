//! Unix sockets: a connection that is accepted is the only proof that somebody listens.
//!
//! A socket file outlives its server, so the file's presence says nothing; `connect` on a leftover is refused.

use std::os::unix::net::UnixStream;
use std::path::Path;

/// Whether somebody accepts connections on the unix socket at `path`.
///
/// # Errors
/// What `connect` said, in words.
pub fn connect(path: &Path) -> Result<(), String> {
    match UnixStream::connect(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(crate::port::why(&path.display().to_string(), &error)),
    }
}
