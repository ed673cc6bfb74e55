//! Who holds the page, beyond a name: the seat of a person and the run of a command.
//!
//! Two people who are both root have one name. Their seats differ: the terminal, the
//! session, the address that they came from by ssh. The boot and the processes identify a run of
//! `during`, so that a hold is neither released while COMMAND runs nor kept for a run that a power
//! cut ended.

use proc::{Identity, Snapshot, Stat};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::io::Read;
use std::path::Path;

/// Where a person sits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// The boot's identifier.
    pub boot: String,
    /// The controlling terminal, such as `pts/3`.
    pub tty: Option<String>,
    /// The address that the person came from by ssh.
    pub client: Option<String>,
    /// The leader of the session: its pid and its start in clock ticks since boot.
    pub leader: Option<(i32, u64)>,
    /// The login that the session belongs to, where PAM set one: sudo and su keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// A digest of the ssh key that the person came with, where sshd tells (ExposeAuthInfo).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A login as the kernel's audit knows it: /proc/self/loginuid and /proc/self/sessionid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Who logged in, whoever they became since.
    pub uid: u32,
    /// The login's number in this boot.
    pub session: u32,
}

/// A run of `during`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The boot's identifier.
    pub boot: String,
    /// This program.
    pub tool: Identity,
    /// COMMAND's first process, the leader of its group; none before COMMAND begins.
    pub command: Option<Identity>,
    /// Whether the page stays when COMMAND fails.
    pub keep: bool,
}

impl Seat {
    /// The seat of the caller; none where the kernel tells nothing.
    pub fn here() -> Option<Seat> {
        let me = i32::try_from(std::process::id()).ok()?;
        let session = Stat::of(me).ok()?.session;
        let client = std::env::var("SSH_CONNECTION").ok();
        Some(Seat {
            boot: boot()?,
            tty: terminal(me),
            client: client
                .and_then(|text| text.split(' ').next().map(str::to_owned))
                .filter(|address| !address.is_empty()),
            leader: Stat::of(session).ok().map(|leader| (session, leader.start)),
            login: login(),
            key: key(),
        })
    }

    /// Whether somebody at `other` has to be taken for another person than somebody here.
    ///
    /// The same login is the same person, also in a second window of tmux. Two keys, two users who
    /// logged in and two addresses are two people. What is left are two sessions with terminals:
    /// while both live they are two people, because two people can share a key and a gateway.
    pub fn is_anothers(&self, other: &Seat) -> bool {
        if self.boot != other.boot || self.leader == other.leader {
            return false;
        }
        let logins = self.login.zip(other.login);
        if logins.is_some_and(|(here, there)| here.session == there.session) {
            return false;
        }
        if let (Some(here), Some(there)) = (&self.key, &other.key) {
            return here != there;
        }
        let differ = |pair: Option<bool>| pair == Some(true);
        differ(logins.map(|(here, there)| here.uid != there.uid))
            || differ(
                self.client
                    .as_ref()
                    .zip(other.client.as_ref())
                    .map(|(a, b)| a != b),
            )
            || (self.tty.is_some() && other.tty.is_some() && self.lives() && other.lives())
    }

    fn lives(&self) -> bool {
        self.leader.is_some_and(|(pid, start)| {
            Stat::of(pid).is_ok_and(|stat| stat.start == start && !stat.is_dead())
        })
    }

    /// For a message: `on pts/3 from 192.0.2.7`.
    pub fn shown(&self) -> String {
        let tty = self.tty.as_ref().map(|tty| format!(" on {tty}"));
        let client = self.client.as_ref().map(|client| format!(" from {client}"));
        tty.unwrap_or_default() + &client.unwrap_or_default()
    }
}

impl Run {
    /// The run of this process.
    pub fn begin(keep: bool) -> Option<Run> {
        let me = i32::try_from(std::process::id()).ok()?;
        Some(Run {
            boot: boot()?,
            tool: Identity::of(me).ok()?,
            command: None,
            keep,
        })
    }

    /// Whether nothing of it runs any more: it is of an earlier boot, or this program and every
    /// process of COMMAND's group have ended. What cannot be told runs.
    pub fn is_over(&self) -> bool {
        match boot() {
            Some(boot) if boot != self.boot => return true,
            None => return false,
            Some(_) => {}
        }
        !self.tool.lives() && !self.command_runs()
    }

    /// The value of [`MARK`] for this run.
    pub fn mark(&self) -> String {
        format!("{}-{}", self.tool.pid, self.tool.start)
    }

    /// Whether a process lives that has this run's mark.
    fn marked_runs(&self) -> bool {
        let mark = self.mark();
        let has = |pid: i32| {
            proc::environment(pid).is_ok_and(|all| {
                all.iter()
                    .any(|(name, value)| name == MARK && *value == *mark)
            })
        };
        Snapshot::take().map_or(true, |all| {
            all.iter().any(|stat| !stat.is_dead() && has(stat.pid))
        })
    }

    /// Whether a process of COMMAND's group lives.
    pub fn command_runs(&self) -> bool {
        let Some(command) = &self.command else {
            return self.marked_runs();
        };
        if command.lives() {
            return true;
        }
        // The kernel gives no new process the number of a group that has members.
        Snapshot::take().map_or(true, |all| {
            all.iter().any(|stat| {
                stat.group == command.pid && !stat.is_dead() && stat.start >= command.start
            })
        })
    }
}

/// The variable that COMMAND has in its environment: the hold's file is written a moment after
/// COMMAND has begun, and this program can be killed in that moment.
pub const MARK: &str = "MAINT_PAGE_RUN";

/// None where no PAM module set one: the kernel's value for that is the largest.
fn login() -> Option<Login> {
    let number = |name: &str| -> Option<u32> {
        let text = std::fs::read_to_string(format!("/proc/self/{name}")).ok()?;
        text.trim()
            .parse()
            .ok()
            .filter(|number| *number != u32::MAX)
    };
    Some(Login {
        uid: number("loginuid")?,
        session: number("sessionid")?,
    })
}

/// sshd writes a line such as `publickey ssh-ed25519 AAAA…` into the file that the variable names.
fn key() -> Option<String> {
    let path = std::env::var_os("SSH_USER_AUTH")?;
    let (file, _) = base::trust::open_regular(Path::new(&path)).ok()?;
    let mut text = String::new();
    file.take(1 << 16).read_to_string(&mut text).ok()?;
    let line = text.lines().find(|line| line.starts_with("publickey "))?;
    let digest = Sha256::digest(line);
    Some(digest.iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// The controlling terminal by its device number: pts are
/// major 136 to 143, virtual consoles major 4.
fn terminal(pid: i32) -> Option<String> {
    let device = proc::Stat::of(pid).ok()?.terminal;
    let (major, minor) = (
        (device >> 8) & 0xfff,
        (device & 0xff) | ((device >> 12) & 0xfff00),
    );
    match major {
        0 => None,
        136..=143 => Some(format!("pts/{}", (major - 136) * 256 + minor)),
        4 => Some(format!("tty{minor}")),
        _ => Some(format!("{major}:{minor}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seat(tty: Option<&str>, client: Option<&str>, leader: (i32, u64)) -> Seat {
        Seat {
            boot: boot().unwrap(),
            tty: tty.map(str::to_owned),
            client: client.map(str::to_owned),
            leader: Some(leader),
            login: None,
            key: None,
        }
    }

    fn session() -> (i32, u64) {
        let parent = i32::try_from(std::os::unix::process::parent_id()).unwrap();
        (parent, Stat::of(parent).unwrap().start)
    }

    #[test]
    fn two_live_sessions_are_two_people_and_a_dead_one_is_nobody() {
        let me = i32::try_from(std::process::id()).unwrap();
        let here = seat(Some("pts/1"), None, (me, Stat::of(me).unwrap().start));
        let there = seat(Some("pts/2"), None, session());
        assert!(here.is_anothers(&there));
        assert!(!here.is_anothers(&here.clone()));
        let gone = seat(Some("pts/2"), None, (me, 1));
        assert!(
            !here.is_anothers(&gone),
            "the session is over: nobody can tell"
        );
        let cron = seat(None, None, session());
        assert!(!here.is_anothers(&cron), "cron has no terminal");
        let one = seat(None, Some("192.0.2.1"), (1, 1));
        let two = seat(None, Some("192.0.2.2"), (2, 2));
        let again = seat(Some("pts/9"), Some("192.0.2.1"), (3, 3));
        assert!(one.is_anothers(&two) && !one.is_anothers(&again));
        assert_eq!(again.shown(), " on pts/9 from 192.0.2.1");
    }

    #[test]
    fn one_login_is_one_person_and_two_keys_or_logins_are_two() {
        let me = i32::try_from(std::process::id()).unwrap();
        let address = Some("192.0.2.1");
        let one = seat(Some("pts/1"), address, (me, Stat::of(me).unwrap().start));
        let other = seat(Some("pts/2"), address, session());
        assert!(
            one.is_anothers(&other),
            "one gateway, two sessions that live"
        );
        let login = |seat: &Seat, uid, session| Seat {
            login: Some(Login { uid, session }),
            ..seat.clone()
        };
        assert!(
            !login(&one, 0, 7).is_anothers(&login(&other, 0, 7)),
            "two windows of one login"
        );
        let gone = seat(Some("pts/2"), address, (me, 1));
        assert!(!login(&one, 0, 7).is_anothers(&login(&gone, 0, 8)));
        assert!(
            login(&one, 1000, 7).is_anothers(&login(&gone, 1001, 8)),
            "alice and bob, both root by su"
        );
        let key = |seat: &Seat, key: &str| Seat {
            key: Some(key.to_owned()),
            ..seat.clone()
        };
        assert!(key(&one, "a").is_anothers(&key(&gone, "b")));
        assert!(!key(&one, "a").is_anothers(&key(&other, "a")));
    }

    #[test]
    fn a_run_is_over_when_its_boot_or_its_processes_are() {
        let run = Run::begin(false).unwrap();
        assert!(!run.is_over());
        let rebooted = Run {
            boot: "another".to_owned(),
            ..run.clone()
        };
        assert!(rebooted.is_over());
        let mut dead = run.clone();
        dead.tool.start = 1;
        assert!(dead.is_over());
        dead.command = Some(run.tool);
        assert!(!dead.is_over(), "COMMAND runs on");
    }
}
