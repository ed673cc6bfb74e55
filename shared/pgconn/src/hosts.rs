//! Host lists: `host`, `hostaddr` and `port` to the servers to try, in order.

use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::settings::Settings;

/// The default directories of sockets: Debian and Fedora, Arch and Alpine, upstream. libpq has one
/// of them compiled in; this crate takes the one that has the socket.
pub const SOCKET_DIRECTORIES: &[&str] = &["/var/run/postgresql", "/run/postgresql", "/tmp"];

const DEFAULT_PORT: u16 = 5432;

/// One server of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The name as given: what certificates and `.pgpass` are compared with. Empty if only an
    /// address was given.
    pub name: String,
    /// Where to connect to.
    pub place: Place,
    /// The port, or the number in the socket's name.
    pub port: u16,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A directory with the socket in it.
    Socket(PathBuf),
    /// A name to look up.
    Name(String),
    /// An address that needs no looking up.
    Address(IpAddr),
}

impl Host {
    /// The host that `.pgpass` lines are compared with.
    pub fn for_passfile(&self) -> String {
        match &self.place {
            Place::Socket(dir) if is_default_directory(dir) => "localhost".to_owned(),
            Place::Socket(dir) => dir.display().to_string(),
            Place::Address(address) if self.name.is_empty() => address.to_string(),
            _ => self.name.clone(),
        }
    }

    /// The addresses to try; one empty entry for a socket.
    pub fn addresses(&self) -> Result<Vec<Option<IpAddr>>> {
        match &self.place {
            Place::Socket(_) => Ok(vec![None]),
            Place::Address(address) => Ok(vec![Some(*address)]),
            Place::Name(name) => {
                let found = (name.as_str(), self.port)
                    .to_socket_addrs()
                    .map_err(|error| {
                        Error::new(
                            Kind::Unreachable,
                            format!("could not translate host name \"{name}\" to address: {error}"),
                        )
                    })?;
                let mut addresses: Vec<Option<IpAddr>> = Vec::new();
                for address in found.map(|address| Some(address.ip())) {
                    if !addresses.contains(&address) {
                        addresses.push(address);
                    }
                }
                Ok(addresses)
            }
        }
    }

    /// As libpq words it, for messages.
    pub fn describe(&self, address: Option<IpAddr>) -> String {
        match (&self.place, address) {
            (Place::Socket(dir), _) => {
                format!("on socket \"{}/.s.PGSQL.{}\"", dir.display(), self.port)
            }
            (_, Some(address)) if self.name.is_empty() || self.name == address.to_string() => {
                format!("at \"{address}\", port {}", self.port)
            }
            (_, Some(address)) => {
                format!("at \"{}\" ({address}), port {}", self.name, self.port)
            }
            (_, None) => format!("at \"{}\", port {}", self.name, self.port),
        }
    }
}

fn is_default_directory(dir: &Path) -> bool {
    SOCKET_DIRECTORIES
        .iter()
        .any(|known| Path::new(known) == dir)
}

/// The hosts that the settings name, with libpq's checks of how many there are.
pub fn list(settings: &Settings) -> Result<Vec<Host>> {
    let names = split(settings.filled("host"));
    let addresses = split(settings.filled("hostaddr"));
    let count = match (names.len(), addresses.len()) {
        (0, 0) => 1,
        (names, 0) => names,
        (0, addresses) => addresses,
        (names, addresses) if names == addresses => names,
        (names, addresses) => {
            return Err(Error::settings(format!(
                "could not match {names} host names to {addresses} hostaddr values"
            )));
        }
    };
    let ports = split(settings.filled("port"));
    if ports.len() > 1 && ports.len() != count {
        return Err(Error::settings(format!(
            "could not match {} port numbers to {count} hosts",
            ports.len()
        )));
    }
    (0..count)
        .map(|index| {
            let port = match ports.as_slice() {
                [one] => *one,
                many => many.get(index).copied().unwrap_or_default(),
            };
            let name = names.get(index).copied().unwrap_or_default();
            let address = addresses.get(index).copied().unwrap_or_default();
            host(name, address, parse_port(port)?)
        })
        .collect()
}

fn host(name: &str, address: &str, port: u16) -> Result<Host> {
    let place = if !address.is_empty() {
        Place::Address(parse_address(address)?)
    } else if name.is_empty() {
        Place::Socket(default_directory(port))
    } else if name.starts_with('/') {
        Place::Socket(PathBuf::from(name))
    } else if name.starts_with('@') {
        return Err(Error::settings(format!(
            "host \"{name}\": abstract sockets are not supported"
        )));
    } else {
        match name.parse() {
            Ok(address) => Place::Address(address),
            Err(_) => Place::Name(name.to_owned()),
        }
    };
    Ok(Host {
        name: name.to_owned(),
        place,
        port,
    })
}

fn parse_address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| {
        Error::settings(format!(
            "could not parse network address \"{text}\": not a numeric address"
        ))
    })
}

fn parse_port(text: &str) -> Result<u16> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    match text.trim().parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(Error::settings(format!("invalid port number: \"{text}\""))),
    }
}

fn default_directory(port: u16) -> PathBuf {
    let socket = format!(".s.PGSQL.{port}");
    let with_socket = SOCKET_DIRECTORIES
        .iter()
        .find(|dir| Path::new(dir).join(&socket).exists());
    PathBuf::from(with_socket.unwrap_or(&SOCKET_DIRECTORIES[0]))
}

fn split(value: Option<&str>) -> Vec<&str> {
    value
        .map(|value| value.split(',').collect())
        .unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hosts(pairs: &[(&str, &str)]) -> Result<Vec<Host>> {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.set(name, *value).unwrap();
        }
        list(&settings)
    }

    #[test]
    fn one_port_serves_all_and_empty_ones_are_the_default() {
        let list = hosts(&[("host", "a,/s,"), ("port", "1")]).unwrap();
        assert_eq!(
            list.iter().map(|host| host.port).collect::<Vec<_>>(),
            [1, 1, 1]
        );
        assert_eq!(list[1].place, Place::Socket(PathBuf::from("/s")));
        assert_eq!(list[2].for_passfile(), "localhost");
        let list = hosts(&[("host", "a,b"), ("port", ",2")]).unwrap();
        assert_eq!(
            list.iter().map(|host| host.port).collect::<Vec<_>>(),
            [5432, 2]
        );
    }

    #[test]
    fn counts_must_match() {
        assert!(hosts(&[("host", "a,b"), ("port", "1,2,3")]).is_err());
        assert!(hosts(&[("host", "a,b"), ("hostaddr", "127.0.0.1")]).is_err());
        assert!(hosts(&[("hostaddr", "localhost")]).is_err());
        assert!(hosts(&[("port", "65536")]).is_err());
    }

    #[test]
    fn pgpass_sees_the_name_or_else_the_address() {
        let list = hosts(&[("host", "n,"), ("hostaddr", "127.0.0.1,127.0.0.2")]).unwrap();
        assert_eq!(list[0].for_passfile(), "n");
        assert_eq!(list[1].for_passfile(), "127.0.0.2");
    }
}
