//! What a backend can do: the row that each backend's file fills in.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use base::Result;
use base::clock::Deadline;
use base::connect::Peer;

use crate::id::ServiceId;
use crate::service::{Role, Service, Spec};
use crate::state::{Done, Remarks, State};

/// What is asked about many services at once.
pub type ForMany<T> = fn(&[&Service]) -> Result<T>;

/// What is read from a backend's configuration file.
pub type FromFile = fn(&Path) -> Result<Vec<String>>;

/// A backend. Every function is about one service, but for `observe` and `related`, which are asked
/// about many at once.
#[derive(Debug)]
pub struct Backend {
    /// Its name in set files and before the colon.
    pub name: &'static str,
    /// Its line in the manual.
    pub about: &'static str,
    /// A service as a set file has it; a test reads it.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "for the test that walks the rows")
    )]
    pub example: &'static str,
    /// Whether a name without a backend means a service of this one, on this host.
    pub keeps: fn(&str) -> bool,
    /// What the service is called where the set file gives no `name`; without it, by the service's
    /// own name.
    pub unit: fn(&Spec) -> Option<String>,
    /// Whether root refuses the service in a set file that another user can change.
    pub refuses_others: fn(&Service) -> bool,
    /// Whether the set says how the service is started.
    pub startable: fn(&Service) -> Result<()>,
    /// Whether the service is written so that it could work; touches nothing.
    pub check: fn(&Service) -> Result<()>,
    /// The identity of a service.
    pub id: fn(&Service) -> ServiceId,
    /// The names that a run has to lock before it changes the service.
    pub locks: fn(&Service) -> Vec<ServiceId>,
    /// Whether a process of another ordinary user can start and stop the service, so that a run of
    /// that user holds a lock that counts.
    pub may_touch: fn(&Service, Peer) -> bool,
    /// The state now.
    pub observe: fn(&[&Service]) -> Vec<Result<State>>,
    /// Asks for these members to be started; returns when the backend took it as done, which proves
    /// nothing.
    pub start: fn(&Service, &[String], Deadline) -> Result<Done>,
    /// Asks for these members to be stopped.
    pub stop: fn(&Service, &State, &[String], Deadline) -> Result<Done>,
    /// Asks for a reload.
    pub reload: fn(&Service, &State, Deadline) -> Result<Done>,
    /// Processes that belong to it besides the trees of its main ones: those of its cgroup. Asked
    /// before a stop and after it.
    pub processes: fn(&State) -> Vec<i32>,
    /// How long after a start it may still look as if nothing had been started: a pid file comes
    /// late.
    pub late: Duration,
    /// Waits for a start that another run of ours left in flight.
    pub settle: fn(&Service, Deadline),
    /// What speaks for readiness when the set names no probe.
    pub vouches: fn(&Service, &State) -> bool,
    /// Whether the caller may change this service, and what to know before it is changed; asked
    /// before the first change.
    pub allowed: fn(&Service, &State) -> Result<Remarks>,
    /// What the manager stops together with these services, and what starts them again.
    pub related: Option<ForMany<Vec<Related>>>,
    /// Whether the backend itself shows that a stop is under way; where it does not, the journal
    /// remembers.
    pub shows_stopping: bool,
    /// Pairs of places: the first of a pair starts before the second, by the manager's own
    /// relations.
    pub order: Option<ForMany<Vec<(usize, usize)>>>,
    /// The names of everything that the configuration has, for a set without names.
    pub everything: Option<FromFile>,
    /// Has the manager of these services read what changed on disk.
    pub reread: Option<ForMany<()>>,
    /// The last lines of the service's own log, where the backend knows where they are.
    pub log: fn(&Service, &State) -> Vec<String>,
}

/// A service that a run has to care for although nobody named it.
#[derive(Debug, Clone)]
pub struct Related {
    /// The service.
    pub id: ServiceId,
    /// As what.
    pub role: Role,
    /// The services of the run that it belongs to, by name.
    pub of: Vec<String>,
    /// How it belongs to them, in words.
    pub because: String,
    /// Whether it is up now.
    pub up: bool,
    /// Whether the host starts it by itself at boot.
    pub enabled: bool,
}

/// The locks of most backends: the service itself.
#[must_use]
pub fn itself(id: ServiceId) -> Vec<ServiceId> {
    vec![id]
}

/// Whether a user can write to a file: the file is a socket, and whoever can write to it can start
/// and stop what its server runs.
#[must_use]
pub fn can_write(uid: u32, path: &Path) -> bool {
    let Ok(meta) = std::fs::metadata(path) else {
        return false;
    };
    let mode = meta.mode();
    let member = || {
        base::child::Identity::of_uid(uid, u32::MAX)
            .is_ok_and(|user| user.groups.contains(&meta.gid()))
    };
    mode & 0o002 != 0 || meta.uid() == uid && mode & 0o200 != 0 || mode & 0o020 != 0 && member()
}

/// Whether a directory, and with it the pid file in it, is a user's own.
#[must_use]
pub fn owns(uid: u32, directory: &Path) -> bool {
    std::fs::metadata(directory).is_ok_and(|meta| meta.uid() == uid)
}
