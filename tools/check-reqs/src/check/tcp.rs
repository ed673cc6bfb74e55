//! A server that accepts connections at an address or a unix socket.

use super::port;
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::net::{self, Trouble};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use base::Result;
use base::clock::Deadline;
use std::path::PathBuf;

/// `type = "tcp"`.
pub const TYPE: Type = Type {
    name: "tcp",
    about: "a server that accepts connections, over TCP or a unix socket",
    keys: &[
        ("host", "a name or an address (localhost)"),
        ("port", "the port"),
        ("socket", "a unix socket, in place of host and port"),
    ],
    short: Short {
        words: &["tcp"],
        colon: true,
        forms: &["tcp:HOST:PORT", "tcp:/SOCKET"],
        example: "tcp:localhost:5432",
        read: read_short,
    },
    read,
};

fn read_short(_: &str, rest: &str) -> Result<Pairs, String> {
    if rest.starts_with('/') {
        return short::whole("socket", rest);
    }
    match short::host_port(rest) {
        Some(_) => Ok(short::server(rest)),
        None => Err("host and port are missing".into()),
    }
}

enum Tcp {
    Port { host: String, port: u16 },
    Socket(PathBuf),
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let (host, port, socket) = (
        fields.text("host")?,
        fields.parsed("port", port::number)?,
        fields.text("socket")?,
    );
    match (host, port, socket) {
        (host, Some(port), None) => Ok(Box::new(Tcp::Port {
            host: host.unwrap_or_else(|| "localhost".into()),
            port,
        })),
        (None, None, Some(socket)) => Ok(Box::new(Tcp::Socket(socket.into()))),
        _ => Err(fields.error("type", "either host and port, or socket is needed")),
    }
}

impl Check for Tcp {
    fn subject(&self) -> String {
        match self {
            Tcp::Port { host, port } => net::place(host, *port),
            Tcp::Socket(path) => path.display().to_string(),
        }
    }

    fn expected(&self) -> String {
        format!("connections accepted at {}", self.subject())
    }

    fn how(&self) -> String {
        "a connection, closed at once".into()
    }

    fn look(&self, _: &Scene, deadline: Deadline) -> Finding {
        let place = self.subject();
        let tried = match self {
            Tcp::Port { host, port } => {
                net::connect(host, *port, deadline).map(|(_, address)| address.to_string())
            }
            Tcp::Socket(path) => base::connect::unix(path, deadline)
                .map(|_| place.clone())
                .map_err(|error| Trouble::of(&place, &error)),
        };
        match tried {
            Ok(address) => {
                Finding::met("accepted", format!("{place} accepts connections")).evidence(address)
            }
            Err(trouble) => trouble.finding(Fix::advice(format!(
                "start the service that is to accept connections at {place}"
            ))),
        }
    }
}
