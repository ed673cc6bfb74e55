//! supervisord's XML-RPC, spoken straight to its socket.
//!
//! `supervisorctl` takes 200 to 300 ms to start its Python; the socket answers in one or two. The
//! protocol is the little of XML-RPC that supervisord uses (xmlrpc.com/spec: int, boolean, string,
//! array, struct), read with quick-xml without DTDs or entities beyond XML's five. Anything else in
//! an answer is an error, not a guess.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::child::Identity as User;
use base::{Error, Kind, Result};
use probe::http::{Failure, Method, Request};

pub use wire::decode;
use wire::{base64, encode};

mod wire;

/// A value of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `int`, `i4`.
    Int(i64),
    /// `boolean`.
    Bool(bool),
    /// `string`, or text without a type.
    Text(String),
    /// `array`.
    Array(Vec<Value>),
    /// `struct`, in its order.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// A member of a struct.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Struct(members) => members
                .iter()
                .find(|(each, _)| each == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What the server said no with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// supervisord's number: 10 is BAD_NAME, 60 ALREADY_STARTED, 70 NOT_RUNNING.
    pub code: i64,
    /// Its words.
    pub text: String,
}

impl Fault {
    /// The number's name, from supervisor/xmlrpc.py.
    #[must_use]
    pub fn name(&self) -> &'static str {
        FAULTS
            .iter()
            .find(|(code, _)| *code == self.code)
            .map_or("UNKNOWN", |(_, name)| name)
    }
}

/// The process is up already.
pub const ALREADY_STARTED: i64 = 60;
/// The process is not up.
pub const NOT_RUNNING: i64 = 70;
/// There is no such process.
pub const BAD_NAME: i64 = 10;

const FAULTS: &[(i64, &str)] = &[
    (1, "UNKNOWN_METHOD"),
    (2, "INCORRECT_PARAMETERS"),
    (3, "BAD_ARGUMENTS"),
    (4, "SIGNATURE_UNSUPPORTED"),
    (6, "SHUTDOWN_STATE"),
    (10, "BAD_NAME"),
    (11, "BAD_SIGNAL"),
    (20, "NO_FILE"),
    (21, "NOT_EXECUTABLE"),
    (30, "FAILED"),
    (40, "ABNORMAL_TERMINATION"),
    (50, "SPAWN_ERROR"),
    (60, "ALREADY_STARTED"),
    (70, "NOT_RUNNING"),
    (80, "SUCCESS"),
    (90, "ALREADY_ADDED"),
    (91, "STILL_RUNNING"),
    (92, "CANT_REREAD"),
];

/// Where a supervisord is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its unix socket…
    pub socket: Option<PathBuf>,
    /// …or its address, `http://host:port`.
    pub url: Option<String>,
    /// User and password, where it asks for them.
    pub login: Option<(String, String)>,
    /// Who has answered so far, over a unix socket.
    pub answered: Answered,
    /// With whose rights the socket is opened: those of the user who can change the set file;
    /// `None` means the caller's.
    pub rights: Option<User>,
}

/// The users of the processes that answered. A socket in another user's directory may lead to
/// another server at each call: what counts is who gave the answers, not who could be asked before
/// or after.
#[derive(Debug, Clone, Default)]
pub struct Answered(Arc<Mutex<BTreeSet<u32>>>);

impl Answered {
    fn note(&self, uid: u32) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(uid);
    }

    /// The users.
    #[must_use]
    pub fn users(&self) -> Vec<u32> {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.iter().copied().collect()
    }
}

/// Two clients are the same where they speak to the same place.
impl PartialEq for Answered {
    fn eq(&self, _: &Answered) -> bool {
        true
    }
}

impl Eq for Answered {}

/// How a call ended: an answer, or the server's no.
pub type Answer = std::result::Result<Value, Fault>;

impl Client {
    /// Where it is, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        match (&self.socket, &self.url) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(url)) => url.clone(),
            (None, None) => "nowhere".to_owned(),
        }
    }

    /// The port, where it is spoken to over TCP on this machine.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.url.as_deref()?.rsplit(':').next()?.parse().ok()
    }

    /// One call.
    ///
    /// # Errors
    /// Unreachable: nobody listens, or no answer in time; failed: not XML-RPC, or the login is
    /// refused.
    pub fn call(&self, method: &str, parameters: &[Value], timeout: Duration) -> Result<Answer> {
        let mut headers = Vec::new();
        if let Some((user, password)) = &self.login {
            base::mask::register(password);
            headers.push((
                "authorization".to_owned(),
                format!("Basic {}", base64(format!("{user}:{password}").as_bytes())),
            ));
        }
        let url = format!("{}/RPC2", self.url.as_deref().unwrap_or("http://127.0.0.1"));
        let request = Request {
            socket: self.socket.clone(),
            method: Method::Post(
                "text/xml".to_owned(),
                encode(method, parameters).into_bytes(),
            ),
            headers,
            timeout,
            body_limit: 4 << 20,
            ..Request::get(&url)
        };
        let sent = match &self.rights {
            Some(user) => base::trust::with_rights_of(user, || request.send())?,
            None => request.send(),
        };
        let answer = sent.map_err(|failure| self.unreachable(&failure))?;
        if let Some(uid) = answer.peer {
            self.answered.note(uid);
        }
        match answer.status {
            200 => decode(&answer.body)
                .map_err(|why| Error::failed(format!("supervisord at {}: {why}", self.place()))),
            401 => Err(Error::new(
                Kind::Permission,
                format!(
                    "supervisord at {}: the user name or password is wrong",
                    self.place()
                ),
            )
            .hint("give username and password in [supervisorctl] of the configuration")),
            other => Err(Error::failed(format!(
                "supervisord at {}: status {other}",
                self.place()
            ))),
        }
    }

    /// Several calls in one exchange (`system.multicall`); an answer for each.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn call_all(&self, calls: &[(&str, Vec<Value>)], timeout: Duration) -> Result<Vec<Answer>> {
        let calls: Vec<Value> = calls
            .iter()
            .map(|(method, parameters)| {
                Value::Struct(vec![
                    ("methodName".to_owned(), Value::Text((*method).to_owned())),
                    ("params".to_owned(), Value::Array(parameters.clone())),
                ])
            })
            .collect();
        let count = calls.len();
        let answer = self.call("system.multicall", &[Value::Array(calls)], timeout)?;
        match answer {
            Ok(Value::Array(values)) if values.len() == count => {
                Ok(values.into_iter().map(of_multicall).collect())
            }
            Ok(_) => Err(Error::failed(format!(
                "supervisord at {}: system.multicall answered something else",
                self.place()
            ))),
            Err(fault) => Err(Error::failed(format!(
                "supervisord at {}: {}",
                self.place(),
                fault.text
            ))),
        }
    }

    fn unreachable(&self, failure: &Failure) -> Error {
        match failure {
            Failure::Refused(_) | Failure::Timeout(_) | Failure::Broken(_) => Error::unreachable(
                format!("supervisord at {} does not answer: {failure}", self.place()),
            )
            .hint("start supervisord, or give its configuration with --config"),
            _ => Error::failed(format!("supervisord at {}: {failure}", self.place())),
        }
    }
}

/// supervisord gives the bare value where xmlrpc.com's multicall wraps it into an array of one.
fn of_multicall(value: Value) -> Answer {
    match (
        value.get("faultCode").and_then(Value::int),
        value.get("faultString").and_then(Value::text),
    ) {
        (Some(code), text) => Err(Fault {
            code,
            text: text.unwrap_or_default().to_owned(),
        }),
        _ => Ok(value),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
