//! The flips: which release was live, and which came after it. Written before the link changes, so
//! that a flip is never unknown; the link itself shows whether the flip of an entry happened.

use std::time::SystemTime;

use base::atomic::{Access, Dir};
use base::error::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::releases::{State, Store};

/// The file below VENV.d.
pub const FILE: &str = "history.json";

/// How many flips are remembered.
const MOST: usize = 200;

/// Ticks in a second as /proc counts them: a constant of the kernel's interface.
const TICKS: u64 = 100;

/// What VENV led to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Led {
    /// A release.
    Release(String),
    /// Another place, by a link that venv-sync did not make.
    Link(String),
}

impl Led {
    /// What VENV leads to in this state.
    pub fn of(state: &State) -> Option<Led> {
        match state {
            State::Release(id) => Some(Led::Release(id.clone())),
            State::ForeignLink(target) => Some(Led::Link(target.to_str()?.to_owned())),
            State::Absent | State::Directory | State::Other => None,
        }
    }

    /// The release's name, or the link's target.
    pub fn text(&self) -> &str {
        match self {
            Led::Release(text) | Led::Link(text) => text,
        }
    }
}

/// The command that flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// apply.
    Apply,
    /// rollback.
    Rollback,
}

/// When something happened, by the clock of this boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// /proc/sys/kernel/random/boot_id.
    pub boot_id: String,
    /// Milliseconds since boot.
    pub since_boot_ms: u64,
}

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
        Moment {
            boot_id: boot_id(),
            since_boot_ms: seconds * 1000 + nanos / 1_000_000,
        }
    }

    /// Whether a process that started at this tick of this boot was there before; `None` within the
    /// length of a tick.
    pub fn is_after(&self, start: u64) -> Option<bool> {
        // Every process of this boot is younger than a flip of an earlier boot.
        if self.boot_id != boot_id() {
            return Some(false);
        }
        let started = start.saturating_mul(1000 / TICKS);
        // The kernel counts in whole ticks, rounded down.
        Some(started <= self.since_boot_ms)
    }

    #[cfg(test)]
    pub fn at_ticks(ticks: u64) -> Moment {
        Moment {
            boot_id: boot_id(),
            since_boot_ms: ticks * 1000 / TICKS,
        }
    }
}

fn boot_id() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    read.unwrap_or_default().trim().to_owned()
}

/// One change of the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flip {
    /// When (RFC 3339).
    pub at: String,
    /// The same by the clock of that boot, which nobody can set.
    pub moment: Moment,
    /// The command.
    pub by: Command,
    /// What was live before; null for the first release.
    pub from: Option<Led>,
    /// What is live from then on.
    pub to: Led,
}

/// The flips, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The flips.
    pub flips: Vec<Flip>,
}

impl Journal {
    /// Reads the journal of a store; a store of version 0.1 has none.
    pub fn read(store: &Store) -> Journal {
        let path = store.path().join(FILE);
        let bytes = pydist::files::read(&path, pydist::files::METADATA_LIMIT);
        bytes
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// The flip that made this live: the last that led here.
    pub fn current(&self, live: &Led) -> Option<&Flip> {
        self.flips.iter().rfind(|flip| flip.to == *live)
    }

    /// What was live when `live` was applied, and what before that, and so on: where a rollback may
    /// go. A release that a rollback left is no way back.
    pub fn before(&self, live: &Led) -> Vec<Led> {
        let mut out = Vec::new();
        let mut at = live.clone();
        let applied = |to: &Led| {
            let found = self
                .flips
                .iter()
                .rfind(|flip| flip.to == *to && flip.by == Command::Apply);
            found.and_then(|flip| flip.from.clone())
        };
        while let Some(from) = applied(&at) {
            if out.contains(&from) || from == *live {
                break;
            }
            out.push(from.clone());
            at = from;
        }
        out
    }

    /// Adds a flip that is about to happen, and writes the journal.
    pub fn record(&mut self, dir: &Dir, by: Command, from: Option<Led>, to: Led) -> Result<()> {
        self.flips.push(Flip {
            at: base::clock::rfc3339(SystemTime::now()),
            moment: Moment::now(),
            by,
            from,
            to,
        });
        let excess = self.flips.len().saturating_sub(MOST);
        self.flips.drain(..excess);
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        dir.write(FILE, &json, Access::mode(0o644))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Command, Journal, Led, Moment};
    use base::atomic::Dir;

    fn release(id: &str) -> Led {
        Led::Release(id.to_owned())
    }

    #[test]
    fn a_rejected_release_is_no_way_back() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Dir::open(dir.path()).unwrap();
        let mut journal = Journal::default();
        let mut flip = |by, from: Option<&str>, to: &str| {
            let from = from.map(release);
            journal.record(&dir, by, from, release(to)).unwrap();
            journal.before(&release(to))
        };
        assert_eq!(flip(Command::Apply, None, "a"), []);
        assert_eq!(flip(Command::Apply, Some("a"), "b"), [release("a")]);
        assert_eq!(flip(Command::Rollback, Some("b"), "a"), []);
        assert_eq!(flip(Command::Apply, Some("a"), "c"), [release("a")]);
        assert_eq!(
            flip(Command::Apply, Some("c"), "d"),
            [release("c"), release("a")]
        );
        assert_eq!(flip(Command::Rollback, Some("d"), "c"), [release("a")]);
    }

    #[test]
    fn an_announced_flip_that_did_not_happen_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Dir::open(dir.path()).unwrap();
        let mut journal = Journal::default();
        for (from, to) in [(None, "a"), (Some("a"), "b"), (Some("b"), "c")] {
            journal
                .record(&dir, Command::Apply, from.map(release), release(to))
                .unwrap();
        }
        // The link still leads to b.
        assert_eq!(journal.before(&release("b")), [release("a")]);
        assert_eq!(journal.current(&release("b")).unwrap().to, release("b"));
    }

    #[test]
    fn processes_of_this_boot_are_younger_than_a_flip_of_the_last() {
        let flip = Moment::at_ticks(500);
        assert_eq!(flip.is_after(400), Some(true));
        assert_eq!(flip.is_after(600), Some(false));
        let old = Moment {
            boot_id: "another".to_owned(),
            since_boot_ms: u64::MAX,
        };
        assert_eq!(old.is_after(1), Some(false));
    }
}
