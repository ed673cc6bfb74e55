//! Failed attempts: the words that report them, and which of them let libpq go on to the next
//! server.

use postgres::config::SslMode;

use crate::error::{Error, Kind};
use crate::tls::Handshake;

/// A failed attempt and what libpq does after such a failure.
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) next: Next,
}

/// Where libpq goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Address,
    Host,
    Stop,
}

/// Words for a failed attempt, where libpq would go next, and whether the other TLS level is due.
pub(super) fn explain(
    place: &str,
    error: &postgres::Error,
    handshake: &Handshake,
    level: SslMode,
) -> (Failure, bool) {
    let outcome = handshake.outcome();
    let fail = |kind: Kind, next: Next, what: String| Failure {
        error: Error::new(kind, format!("connection to server {place} failed: {what}")),
        next,
    };
    if let Some(server) = error.as_db_error() {
        let code = server.code().code();
        let (kind, next) = match code {
            "57P03" => (Kind::Unreachable, Next::Host),
            "53300" | "57P01" | "57P02" => (Kind::Unreachable, Next::Stop),
            _ => (Kind::Refused, Next::Stop),
        };
        let mut failure = fail(
            kind,
            next,
            format!("{}: {}", server.severity(), server.message()),
        );
        failure.error.sqlstate = Some(code.to_owned());
        failure.error.hint = server.hint().map(str::to_owned);
        // Only what is said before the password is accepted: pg_hba may want the other kind.
        let other_level =
            code.starts_with("28") && (level == SslMode::Disable || outcome.encrypted);
        return (failure, other_level);
    }
    if let Some(what) = &outcome.failure {
        return (fail(Kind::Refused, Next::Stop, what.clone()), true);
    }
    let cause = std::error::Error::source(error);
    let words = cause.map_or_else(|| error.to_string(), ToString::to_string);
    if let Some(io) = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>()) {
        let next = match error.to_string().as_str() {
            "error connecting to server" => Next::Address,
            _ => Next::Stop,
        };
        let words = io.to_string();
        let words = words
            .split(" (os error")
            .next()
            .unwrap_or(&words)
            .to_owned();
        return (fail(Kind::Unreachable, next, words), false);
    }
    if error.is_closed() {
        let words = "server closed the connection unexpectedly".to_owned();
        return (fail(Kind::Unreachable, Next::Stop, words), false);
    }
    if level == SslMode::Require && !outcome.begun && words == "server does not support TLS" {
        let words = "server does not support SSL, but SSL was required".to_owned();
        return (fail(Kind::Refused, Next::Stop, words), false);
    }
    if words == "password missing" {
        let mut failure = fail(Kind::Refused, Next::Stop, "no password supplied".to_owned());
        failure.error.hint =
            Some("give it in ~/.pgpass (mode 0600), PGPASSWORD or a service file".to_owned());
        return (failure, false);
    }
    (fail(Kind::Refused, Next::Stop, words), false)
}

pub(super) fn both(first: Failure, second: Failure) -> Failure {
    let mut joined = second;
    if joined.error.message != first.error.message {
        joined.error.message = format!("{}; {}", first.error.message, joined.error.message);
    }
    joined.error.hint = joined.error.hint.or(first.error.hint);
    joined
}

/// One error of all: the last one's kind, unless an earlier server's answer says more.
pub(super) fn joined(failures: Vec<Error>) -> Error {
    let mut messages: Vec<String> = Vec::new();
    let mut all = Error::new(Kind::Unreachable, "");
    for error in failures {
        if !messages.contains(&error.message) {
            messages.push(error.message.clone());
        }
        if !(all.kind == Kind::Refused && error.kind != Kind::Refused) {
            all.kind = error.kind;
            all.sqlstate = error.sqlstate.or(all.sqlstate);
        }
        all.hint = error.hint.or(all.hint);
    }
    all.message = messages.join("; ");
    all
}
