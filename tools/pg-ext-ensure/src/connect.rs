//! Makes a connection that can be opened of a connection in the request.

use base::clock::Deadline;
use base::error::{Error, Kind, Result};
use pgconn::{Environment, Resolved, resolve};

use crate::request::Connection;

/// Finds the server as libpq does, without contacting it.
///
/// # Errors
/// `Kind::Usage`.
pub fn resolved(connection: &Connection, deadline: Deadline) -> Result<Resolved> {
    let mut request = connection.request();
    if let Some(left) = deadline.left() {
        request = request.within(left);
    }
    resolve(&request, &Environment::process()).map_err(|error| refused(&error))
}

/// A connection's error as a program's.
pub fn refused(error: &pgconn::Error) -> Error {
    let kind = match error.kind {
        pgconn::Kind::Settings => Kind::Usage,
        pgconn::Kind::Unreachable => Kind::Unreachable,
        pgconn::Kind::Deadline => Kind::Deadline,
        pgconn::Kind::Refused => Kind::Failed,
    };
    Error {
        kind,
        message: error.message.clone(),
        hint: error.hint.clone(),
    }
}
