//! Trying the servers in libpq's order: hosts, then addresses, then with and without TLS, and
//! which failures go on to the next.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::{Uid, User};
use postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use postgres::error::SqlState;
use postgres::{Client, Config};

use crate::error::{Error, Kind, Result};
use crate::hosts::{Host, Place};
use crate::notice::Notices;
use crate::passfile::{self, Wanted};
use crate::resolve::Resolved;
use crate::session::Attributes;
use crate::settings::Settings;
use crate::tls::{Handshake, Mode};
use failure::{Failure, Next, both, explain, joined};

mod failure;

/// A session, and what it turned out to be.
pub struct Connected {
    /// The `postgres` crate's blocking client.
    pub client: Client,
    /// The server that was reached.
    pub target: Target,
    /// What the server says beside its answers.
    pub notices: Notices,
    /// For people: a password file that had to be ignored.
    pub warnings: Vec<String>,
}

/// The server that was reached, for reports. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host as given, or the socket's directory.
    pub host: String,
    /// The address, unless it is a socket.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The role that was asked for.
    pub user: String,
    /// The database.
    pub database: String,
    /// Whether the session is encrypted.
    pub tls: bool,
}

impl Target {
    /// Whether the server runs on this machine, as far as its address tells.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.address.is_none_or(|address| address.is_loopback())
    }
}

impl Resolved {
    /// Connects to the first server of the list that will have us.
    ///
    /// # Errors
    /// As [`crate::connect`].
    pub fn connect(&self) -> Result<Connected> {
        let mut failures = Vec::new();
        let passes: &[Attributes] = match self.attributes {
            Attributes::PreferStandby => &[Attributes::PreferStandby, Attributes::Any],
            _ => std::slice::from_ref(&self.attributes),
        };
        for attributes in passes {
            for host in self.in_order() {
                match self.try_host(host, *attributes, &mut failures) {
                    Ok(connected) => return Ok(connected),
                    Err(Next::Stop) => return Err(joined(failures)),
                    Err(_) => {}
                }
            }
        }
        Err(joined(failures))
    }

    fn in_order(&self) -> Vec<&Host> {
        let mut hosts: Vec<&Host> = self.hosts.iter().collect();
        if self.settings.filled("load_balance_hosts") == Some("random") && hosts.len() > 1 {
            // Any spread will do; the clock's low digits are one without a dependency.
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let turn = now.map_or(0, |now| now.subsec_nanos() as usize / 1000);
            let by = turn % hosts.len();
            hosts.rotate_left(by);
        }
        hosts
    }

    fn try_host(
        &self,
        host: &Host,
        attributes: Attributes,
        failures: &mut Vec<Error>,
    ) -> std::result::Result<Connected, Next> {
        let addresses = match host.addresses() {
            Ok(addresses) => addresses,
            Err(error) => {
                failures.push(error);
                return Err(Next::Host);
            }
        };
        let (password, warning, from_file) = self.password(host);
        for address in addresses {
            match self.try_address(host, address, password.as_deref(), attributes) {
                Ok(mut connected) => {
                    connected.warnings.extend(warning);
                    return Ok(connected);
                }
                Err(mut failure) => {
                    let refused = failure.error.sqlstate.as_deref()
                        == Some(SqlState::INVALID_PASSWORD.code());
                    if let Some(file) = from_file.as_ref().filter(|_| refused) {
                        failure.error.hint =
                            Some(format!("the password came from {}", file.display()));
                    }
                    if failure.error.hint.is_none() && failure.error.kind == Kind::Refused {
                        failure.error.hint.clone_from(&warning);
                    }
                    failures.push(failure.error);
                    if failure.next != Next::Address {
                        return Err(failure.next);
                    }
                }
            }
        }
        Err(Next::Host)
    }

    /// The password, a warning about the file it might have come from, and the file it came from.
    fn password(&self, host: &Host) -> (Option<Vec<u8>>, Option<String>, Option<PathBuf>) {
        if let Some(password) = self.settings.filled("password") {
            return (Some(password.as_bytes().to_vec()), None, None);
        }
        let Some(file) = &self.passfile else {
            return (None, None, None);
        };
        let (name, port) = (host.for_passfile(), host.port.to_string());
        let wanted = Wanted {
            host: &name,
            port: &port,
            database: &self.database,
            user: &self.user,
        };
        let (password, warning) = passfile::lookup(file, wanted);
        let from = password.is_some().then(|| file.clone());
        (password, warning, from)
    }

    /// One address, with TLS and without, as `sslmode` has it.
    fn try_address(
        &self,
        host: &Host,
        address: Option<IpAddr>,
        password: Option<&[u8]>,
        attributes: Attributes,
    ) -> std::result::Result<Connected, Failure> {
        let levels: &[SslMode] = match (self.trust.mode, address) {
            // libpq never speaks TLS over a socket, whatever sslmode says.
            (_, None) | (Mode::Disable, _) => &[SslMode::Disable],
            (Mode::Allow, _) => &[SslMode::Disable, SslMode::Require],
            (Mode::Prefer, _) => &[SslMode::Prefer, SslMode::Disable],
            _ => &[SslMode::Require],
        };
        let mut last = None;
        for (index, level) in levels.iter().enumerate() {
            match self.attempt(host, address, password, *level, attributes) {
                Ok(connected) => return Ok(connected),
                Err((failure, again)) => {
                    let retry = again && index + 1 < levels.len();
                    last = Some(match last {
                        Some(first) => both(first, failure),
                        None => failure,
                    });
                    if !retry {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| Failure {
            error: Error::settings("no way to connect"),
            next: Next::Stop,
        }))
    }

    /// One socket. The flag says that the other TLS level is worth a try.
    fn attempt(
        &self,
        host: &Host,
        address: Option<IpAddr>,
        password: Option<&[u8]>,
        level: SslMode,
        attributes: Attributes,
    ) -> std::result::Result<Connected, (Failure, bool)> {
        let place = host.describe(address);
        let limit = self.limit().map_err(|failure| (failure, false))?;
        let mut config = self
            .config(host, address, password, level)
            .map_err(|error| {
                let next = Next::Stop;
                (Failure { error, next }, false)
            })?;
        let notices = Notices::default();
        let heard = notices.clone();
        config.notice_callback(move |notice| heard.add(&notice));
        if let (Place::Socket(directory), Some(wanted)) =
            (&host.place, self.settings.filled("requirepeer"))
        {
            let path = directory.join(format!(".s.PGSQL.{}", host.port));
            if let Err(what) = peer_is(&path, wanted, limit) {
                let error = Error::new(
                    Kind::Refused,
                    format!("connection to server {place} failed: {what}"),
                );
                return Err((
                    Failure {
                        error,
                        next: Next::Stop,
                    },
                    false,
                ));
            }
        }
        let handshake = Handshake::new(&self.trust, &host.name);
        let mut client = match greet(config, handshake.clone(), limit) {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(explain(&place, &error, &handshake, level)),
            Err(TimedOut) => {
                let error = Error::new(
                    Kind::Deadline,
                    format!("connection to server {place} failed: timeout expired"),
                );
                let next = Next::Address;
                return Err((Failure { error, next }, false));
            }
        };
        let objection = attributes
            .objection(&mut client)
            .map_err(|error| explain(&place, &error, &handshake, SslMode::Disable))?;
        if let Some(objection) = objection {
            let error = Error::new(
                Kind::Refused,
                format!("connection to server {place} failed: {objection}"),
            );
            let next = Next::Host;
            return Err((Failure { error, next }, false));
        }
        let host_name = match &host.place {
            Place::Socket(directory) => directory.display().to_string(),
            _ => host.name.clone(),
        };
        let tls = handshake.outcome().encrypted;
        Ok(Connected {
            client,
            target: Target {
                host: host_name,
                address,
                port: host.port,
                user: self.user.clone(),
                database: self.database.clone(),
                tls,
            },
            notices,
            warnings: Vec::new(),
        })
    }

    /// How long this attempt may take: `connect_timeout`, within what is left of the deadline.
    fn limit(&self) -> std::result::Result<Option<Duration>, Failure> {
        let Some(deadline) = self.deadline else {
            return Ok(self.connect_timeout);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure {
                error: Error::new(Kind::Deadline, "no time left to connect"),
                next: Next::Stop,
            });
        }
        Ok(Some(self.connect_timeout.map_or(left, |own| own.min(left))))
    }

    fn config(
        &self,
        host: &Host,
        address: Option<IpAddr>,
        password: Option<&[u8]>,
        level: SslMode,
    ) -> Result<Config> {
        let mut config = Config::new();
        config
            .user(&self.user)
            .dbname(&self.database)
            .port(host.port)
            .ssl_mode(level)
            .channel_binding(channel_binding(&self.settings)?)
            .application_name(&self.application);
        match (&host.place, address) {
            (Place::Socket(directory), _) => {
                config.host_path(directory);
            }
            (_, Some(address)) => {
                config.host(&host.name).hostaddr(address);
            }
            (_, None) => {
                config.host(&host.name);
            }
        }
        if let Some(password) = password {
            config.password(password);
        }
        if self.trust.direct {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        if let Some(options) = self.settings.filled("options") {
            config.options(options);
        }
        // Over a socket libpq does not even read them.
        if address.is_some() {
            keepalives(&self.settings, &mut config)?;
        }
        Ok(config)
    }
}

fn channel_binding(settings: &Settings) -> Result<ChannelBinding> {
    match settings.get("channel_binding") {
        None | Some("prefer") => Ok(ChannelBinding::Prefer),
        Some("disable") => Ok(ChannelBinding::Disable),
        Some("require") => Ok(ChannelBinding::Require),
        Some(other) => Err(Error::settings(format!(
            "invalid channel_binding value: \"{other}\""
        ))),
    }
}

fn keepalives(settings: &Settings, config: &mut Config) -> Result<()> {
    let number = |name: &str| -> Result<Option<u64>> {
        settings
            .filled(name)
            .map(|text| {
                text.trim().parse().map_err(|_| {
                    Error::settings(format!(
                        "invalid integer value \"{text}\" for connection option \"{name}\""
                    ))
                })
            })
            .transpose()
    };
    config.keepalives(number("keepalives")? != Some(0));
    if let Some(seconds) = number("keepalives_idle")?.filter(|&seconds| seconds > 0) {
        config.keepalives_idle(Duration::from_secs(seconds));
    }
    if let Some(seconds) = number("keepalives_interval")?.filter(|&seconds| seconds > 0) {
        config.keepalives_interval(Duration::from_secs(seconds));
    }
    if let Some(count) = number("keepalives_count")?.filter(|&count| count > 0) {
        config.keepalives_retries(u32::try_from(count).unwrap_or(u32::MAX));
    }
    if let Some(millis) = number("tcp_user_timeout")?.filter(|&millis| millis > 0) {
        config.tcp_user_timeout(Duration::from_millis(millis));
    }
    Ok(())
}

/// `requirepeer`: who listens on the socket. The crate keeps its own socket to itself, so this is
/// asked over one of ours; whoever could put another server in its place in between owns the
/// directory, and could have done so before.
fn peer_is(
    socket: &Path,
    wanted: &str,
    limit: Option<Duration>,
) -> std::result::Result<(), String> {
    // A server that is not there is for the connection itself to report.
    let Ok(stream) = base::connect::unix(socket, base::clock::Deadline::after(limit)) else {
        return Ok(());
    };
    let peer = getsockopt(&stream, PeerCredentials)
        .map_err(|error| format!("could not get peer credentials: {error}"))?;
    let user = User::from_uid(Uid::from_raw(peer.uid())).ok().flatten();
    match user {
        Some(user) if user.name == wanted => Ok(()),
        Some(user) => Err(format!(
            "requirepeer specifies \"{wanted}\", but actual peer user name is \"{}\"",
            user.name
        )),
        None => Err(format!("local user with ID {} does not exist", peer.uid())),
    }
}

struct TimedOut;

type Greeted = std::result::Result<Client, postgres::Error>;

/// Connects, giving up after `limit`: the crate's own timeout ends with the TCP handshake, and a
/// server that accepts and then says nothing would hold us for ever. The thread is left behind.
fn greet(
    config: Config,
    handshake: Handshake,
    limit: Option<Duration>,
) -> std::result::Result<Greeted, TimedOut> {
    let Some(limit) = limit else {
        return Ok(config.connect(handshake));
    };
    let (sender, receiver) = mpsc::channel();
    let connecting = std::thread::Builder::new().spawn(move || {
        sender.send(config.connect(handshake)).ok();
    });
    match connecting {
        Ok(_) => receiver.recv_timeout(limit).map_err(|_| TimedOut),
        Err(_) => Err(TimedOut),
    }
}
