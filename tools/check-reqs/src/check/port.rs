//! A TCP port on this host, as the kernel's own table has it: nothing is connected to, and a port
//! that is free is not bound.

use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use base::Result;
use base::clock::Deadline;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `type = "port"`.
pub const TYPE: Type = Type {
    name: "port",
    about: "a TCP port of this host that a process listens on, or that is free",
    keys: &[
        ("port", "the number of the port"),
        ("address", "the address that the process listens on (any)"),
        ("state", "listening (the default) or free"),
    ],
    short: Short {
        words: &["port"],
        colon: true,
        forms: &["port:[ADDRESS:]PORT[:listening|:free]"],
        example: "port:8000:free",
        read: |_, rest| read_short(rest),
    },
    read,
};

fn read_short(rest: &str) -> Result<Pairs, String> {
    let (place, state) = match rest.rsplit_once(':') {
        Some((place, state)) if state.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            (place, Some(state))
        }
        _ => (rest, None),
    };
    let mut pairs = match place.rsplit_once(':') {
        Some((address, port)) => vec![
            ("address", short::text(address.trim_matches(['[', ']']))),
            ("port", short::text(port)),
        ],
        None => vec![("port", short::text(place))],
    };
    pairs.extend(state.map(|state| ("state", short::text(state))));
    Ok(pairs)
}

struct Port {
    port: u16,
    address: Option<IpAddr>,
    free: bool,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let port = fields
        .parsed("port", number)?
        .ok_or_else(|| fields.error("type", "port is missing"))?;
    let address = fields.parsed("address", |text| match text {
        "localhost" => Ok(Some(IpAddr::V4(Ipv4Addr::LOCALHOST))),
        "*" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| format!("'{text}' is not an address")),
    })?;
    let state = fields.choice("state", &["listening", "free"])?;
    Ok(Box::new(Port {
        port,
        address: address.flatten(),
        free: state.as_deref() == Some("free"),
    }))
}

/// A port number.
pub fn number(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("'{text}' is not a port from 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

impl Port {
    fn text(&self) -> String {
        match self.address {
            Some(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            Some(address) => format!("{address}:{}", self.port),
            None => self.port.to_string(),
        }
    }

    /// Whether a listener at `address` serves (or blocks) the wanted one: a wildcard does both, and
    /// so does everything where no address is wanted. A wildcard of IPv6 takes IPv4, too, unless
    /// its socket has the option IPV6_V6ONLY, which the table does not show.
    fn concerns(&self, address: IpAddr) -> bool {
        match self.address {
            None => true,
            Some(wanted) if wanted == address => true,
            Some(wanted) if self.free && wanted.is_unspecified() => true,
            Some(IpAddr::V4(_)) => address.is_unspecified(),
            Some(IpAddr::V6(_)) => address == IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

impl Check for Port {
    fn subject(&self) -> String {
        self.text()
    }

    fn expected(&self) -> String {
        format!(
            "port {} {}",
            self.text(),
            if self.free { "free" } else { "listening" }
        )
    }

    fn how(&self) -> String {
        "listening sockets in /proc/net/tcp and /proc/net/tcp6, and whether the kernel gives the address to a server; the process is named where the caller may see it".into()
    }

    fn look(&self, _: &Scene, _: Deadline) -> Finding {
        let listeners = match listeners(self.port) {
            Ok(listeners) => listeners,
            Err(error) => {
                return Finding::unknown(
                    "error",
                    format!("/proc/net/tcp: {}", base::error::plain(&error)),
                );
            }
        };
        let (mut ours, mut others): (Vec<_>, Vec<_>) = listeners
            .into_iter()
            .partition(|listener| self.concerns(listener.address));
        // Whether a wildcard of IPv6 serves IPv4, too, is not in the table; the kernel tells who
        // asks for the address.
        let only_v6 = ours.iter().all(|listener| listener.address.is_ipv6());
        if let (Some(wanted @ IpAddr::V4(_)), true, false) =
            (self.address, only_v6, ours.is_empty())
        {
            match is_taken(wanted, self.port) {
                Some(true) => {}
                Some(false) => others.append(&mut ours),
                None => {
                    return Finding::unknown(
                        "permission",
                        format!(
                            "only root can tell whether {} serves IPv4 on port {}",
                            ours.first().map(Listener::text).unwrap_or_default(),
                            self.port
                        ),
                    );
                }
            }
        }
        let name = |listeners: &[Listener]| {
            listeners
                .iter()
                .map(Listener::text)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match (ours.first(), self.free) {
            // A socket that is bound and does not listen stands in no table.
            (None, true)
                if self
                    .addresses()
                    .any(|one| is_taken(one, self.port) == Some(true)) =>
            {
                Finding::unmet(
                    "taken",
                    format!("port {} is bound, although nobody listens", self.text()),
                )
                .found("bound")
                .fix(Fix::advice(format!(
                    "stop what holds port {}, or choose another port",
                    self.port
                )))
            }
            (None, true) => Finding::met("free", format!("nobody listens on port {}", self.text())),
            (Some(first), false) => Finding::met(
                "listening",
                format!("port {} is listened on: {}", self.text(), name(&ours)),
            )
            .evidence(holder(first).unwrap_or_default()),
            (Some(first), true) => {
                let holder = holder(first);
                let msg = format!(
                    "port {} is taken: {}",
                    self.text(),
                    holder.clone().unwrap_or_else(|| name(&ours))
                );
                let fix = Fix::advice(format!(
                    "stop what listens on port {}, or choose another port",
                    self.port
                ));
                Finding::unmet("taken", msg)
                    .found("listening")
                    .evidence(holder.unwrap_or_default())
                    .fix(fix)
            }
            (None, false) => {
                let elsewhere = if others.is_empty() {
                    String::new()
                } else {
                    format!(", only on {}", name(&others))
                };
                let fix = Fix::advice(format!(
                    "start the service that is to listen on port {}",
                    self.port
                ));
                Finding::unmet(
                    "not_listening",
                    format!("nobody listens on port {}{elsewhere}", self.text()),
                )
                .found("free")
                .fix(fix)
            }
        }
    }
}

impl Port {
    /// The addresses that a server would bind.
    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let any = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let own = self.address;
        any.into_iter().filter(move |_| own.is_none()).chain(own)
    }
}

/// Whether the kernel refuses the address to a server that binds as servers do, with SO_REUSEADDR.
/// The socket never listens. None where the caller may not bind the port, or has no such address.
fn is_taken(address: IpAddr, port: u16) -> Option<bool> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
    let family = match address {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).ok()?;
    sockopt::set_socket_reuseaddr(&socket, true).ok()?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true).ok()?;
    }
    match bind(&socket, &std::net::SocketAddr::new(address, port)) {
        Ok(()) => Some(false),
        Err(rustix::io::Errno::ADDRINUSE) => Some(true),
        Err(_) => None,
    }
}

/// A listening socket.
struct Listener {
    address: IpAddr,
    port: u16,
    inode: u64,
}

impl Listener {
    fn text(&self) -> String {
        match self.address {
            IpAddr::V4(address) => format!("{address}:{}", self.port),
            IpAddr::V6(address) => format!("[{address}]:{}", self.port),
        }
    }
}

fn listeners(port: u16) -> std::io::Result<Vec<Listener>> {
    let mut all = every_listener()?;
    all.retain(|listener| listener.port == port);
    Ok(all)
}

fn every_listener() -> std::io::Result<Vec<Listener>> {
    let mut all = parse(&fs::read_to_string("/proc/net/tcp")?);
    // A kernel without IPv6 has no such file.
    all.extend(parse(
        &fs::read_to_string("/proc/net/tcp6").unwrap_or_default(),
    ));
    Ok(all)
}

/// Every address and port that is listened on, sorted.
pub fn listening() -> Vec<(IpAddr, u16)> {
    let all = every_listener().unwrap_or_default();
    let unique: std::collections::BTreeSet<(u16, IpAddr)> = all
        .iter()
        .map(|listener| (listener.port, listener.address))
        .collect();
    unique
        .into_iter()
        .map(|(port, address)| (address, port))
        .collect()
}

/// proc_pid_net(5): `sl local_address rem_address st … inode`, addresses in hexadecimal words of
/// the host's byte order, state 0A.
fn parse(text: &str) -> Vec<Listener> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (address, port) = words.get(1)?.split_once(':')?;
            if *words.get(3)? != "0A" {
                return None;
            }
            let word = |i: usize| {
                u32::from_str_radix(address.get(i * 8..i * 8 + 8)?, 16)
                    .ok()
                    .map(u32::to_ne_bytes)
            };
            let address = match address.len() {
                8 => IpAddr::V4(word(0)?.into()),
                32 => {
                    let bytes: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
                    let bytes: [u8; 16] = bytes.try_into().ok()?;
                    let v6 = Ipv6Addr::from(bytes);
                    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
                }
                _ => return None,
            };
            Some(Listener {
                address,
                port: u16::from_str_radix(port, 16).ok()?,
                inode: words.get(9)?.parse().ok()?,
            })
        })
        .collect()
}

/// `nginx (pid 812)`: whose descriptor the socket is, where the caller may look.
fn holder(listener: &Listener) -> Option<String> {
    let wanted = format!("socket:[{}]", listener.inode);
    let (processes, _) = proc::Snapshot::visible().ok()?;
    for process in processes.iter() {
        let Ok(descriptors) = proc::Descriptors::open(process.pid) else {
            continue;
        };
        let mut holds = false;
        descriptors.each(&mut Vec::new(), |descriptor| {
            holds = holds
                || descriptor
                    .target()
                    .is_some_and(|target| target.as_os_str() == wanted.as_str());
        });
        if holds {
            return Some(format!("{} (pid {})", process.comm, process.pid));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let text = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1\n\
             1: 0100007F:1F41 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 4243 1\n\
             2: 00000000000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4244 1\n";
        let all = parse(text);
        let texts: Vec<_> = all.iter().map(Listener::text).collect();
        assert_eq!(texts, ["127.0.0.1:8000", "[::1]:8000"]);
        assert_eq!(all.first().map(|l| l.inode), Some(4242));
    }

    #[test]
    fn a_wildcard_serves_and_blocks_every_address() {
        let any4: IpAddr = Ipv4Addr::UNSPECIFIED.into();
        let any6: IpAddr = Ipv6Addr::UNSPECIFIED.into();
        let here: IpAddr = Ipv4Addr::LOCALHOST.into();
        let other: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
        let wanted = |address, free| Port {
            port: 80,
            address,
            free,
        };
        assert!(wanted(Some(here), true).concerns(any4));
        assert!(wanted(Some(here), false).concerns(any6));
        assert!(!wanted(Some(here), true).concerns(other));
        assert!(
            wanted(Some(any4), true).concerns(here),
            "a wildcard cannot be bound while an address is taken"
        );
        assert!(
            !wanted(Some(any4), false).concerns(here),
            "an address does not serve the wildcard"
        );
        assert!(wanted(None, false).concerns(other));
    }
}
