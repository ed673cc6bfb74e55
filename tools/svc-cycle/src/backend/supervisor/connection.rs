//! How a supervisord is reached, and what its configuration says of its processes; each file is
//! read once in a run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Error, Result};
use conf::files::Files;
use conf::supervisor::{Address, Supervisor, Surroundings};

use crate::service::Service;
use crate::xmlrpc::{Answered, Client};

/// One exchange with supervisord takes a millisecond or two; it is single-threaded, so it can be
/// held up by its own work.
pub const EXCHANGE: Duration = Duration::from_secs(10);

/// A supervisord: how to reach it, and what its configuration says of its processes.
#[derive(Debug, Clone)]
pub struct Connection {
    pub client: Client,
    pub file: PathBuf,
    pub processes: Vec<conf::supervisor::Process>,
}

/// A configuration, and the user with whose rights the configuration was read.
type Key = (PathBuf, Option<(u32, u32)>);

/// The configurations that were read in this run.
static KNOWN: Mutex<Option<HashMap<Key, Arc<Connection>>>> = Mutex::new(None);

fn known(key: &Key) -> Option<Arc<Connection>> {
    let guard = KNOWN.lock().ok()?;
    guard.as_ref()?.get(key).cloned()
}

pub fn file(service: &Service) -> Result<PathBuf> {
    match &service.spec.config {
        Some(file) => Ok(service.path(file.first())),
        None => Supervisor::usual(&Files::new()).ok_or_else(|| {
            Error::input("supervisord has no configuration in its usual places")
                .hint("config = \"FILE\" in the set, or --config FILE, names the file")
        }),
    }
}

/// Reads the configuration, once in each run.
pub fn connection(service: &Service) -> Result<Arc<Connection>> {
    let key = (file(service)?, service.owner);
    if let Some(known) = known(&key) {
        return Ok(known);
    }
    let mut connection = service.with_rights(|| read(&key.0))?;
    connection.client.rights = service.rights();
    let connection = Arc::new(connection);
    if let Ok(mut guard) = KNOWN.lock() {
        let table = guard.get_or_insert_with(HashMap::new);
        table.insert(key, Arc::clone(&connection));
    }
    Ok(connection)
}

pub fn read(file: &Path) -> Result<Connection> {
    let files = Files::new();
    let read = Supervisor::read(&files, file, &Surroundings::own()).map_err(|error| {
        Error::input(format!("{error}")).hint("config is supervisord's own configuration file")
    })?;
    let client = client(&read).ok_or_else(|| {
        Error::input(format!(
            "{}: neither [unix_http_server] nor [inet_http_server]: supervisord cannot be asked",
            file.display()
        ))
    })?;
    let groups = read.groups.into_iter();
    Ok(Connection {
        client,
        file: file.to_path_buf(),
        processes: groups.flat_map(|group| group.processes).collect(),
    })
}

/// The unix socket before a port; the login that the administrator's own client has before the
/// server's, whose password may be a digest.
fn client(read: &Supervisor) -> Option<Client> {
    let control = read.control.as_ref();
    let unix = read
        .servers
        .iter()
        .find(|server| matches!(server.address, Address::Unix(_)));
    let server = unix.or_else(|| read.servers.first());
    let login = |user: Option<&String>, password: Option<&conf::supervisor::Secret>| {
        user.map(|user| {
            (
                user.clone(),
                password
                    .map(|secret| secret.reveal().to_owned())
                    .unwrap_or_default(),
            )
        })
    };
    let controls =
        control.and_then(|control| login(control.username.as_ref(), control.password.as_ref()));
    let Some(server) = server else {
        let url = &control?.serverurl;
        return Some(match url.strip_prefix("unix://") {
            Some(path) => Client {
                socket: Some(path.into()),
                url: None,
                login: controls,
                answered: Answered::default(),
                rights: None,
            },
            None => Client {
                socket: None,
                url: Some(url.trim_end_matches('/').to_owned()),
                login: controls,
                answered: Answered::default(),
                rights: None,
            },
        });
    };
    let login = server
        .username
        .as_ref()
        .and_then(|user| controls.or_else(|| login(Some(user), server.password.as_ref())));
    Some(match &server.address {
        Address::Unix(path) => Client {
            socket: Some(path.clone()),
            url: None,
            login,
            answered: Answered::default(),
            rights: None,
        },
        Address::Inet { host, port } => {
            let host = if host.is_empty() || host == "*" {
                "127.0.0.1"
            } else {
                host
            };
            Client {
                socket: None,
                url: Some(format!("http://{host}:{port}")),
                login,
                answered: Answered::default(),
                rights: None,
            }
        }
    })
}
