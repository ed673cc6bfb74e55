//! A process and all its descendants.
//!
//! Stopping a master proves nothing about its workers: they are re-parented and go on serving the
//! old code. So the tree is written down before the stop (each member with its start time), and
//! afterwards each member is looked for. Members are the descendants and whoever shares the root's
//! session or group when the root leads it: a worker whose parent has died has no parent left to
//! find it by, but keeps its session.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use crate::process::{Identity, Stat};

/// All processes at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    processes: BTreeMap<i32, Stat>,
}

impl Snapshot {
    /// Reads `/proc` once. Processes that end meanwhile are left out.
    ///
    /// # Errors
    /// `/proc` cannot be listed, or a process in it cannot be looked at: one left out would be
    /// taken for ended.
    pub fn take() -> io::Result<Self> {
        let mut processes = BTreeMap::new();
        for pid in pids()? {
            match Stat::of(pid) {
                Ok(stat) => drop(processes.insert(pid, stat)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { processes })
    }

    /// What of `/proc` the kernel shows to this user, and the numbers of the processes whose state
    /// it hides (hidepid=1).
    ///
    /// # Errors
    /// `/proc` cannot be listed.
    pub fn visible() -> io::Result<(Self, Vec<i32>)> {
        let mut processes = BTreeMap::new();
        let mut hidden = Vec::new();
        for pid in pids()? {
            match Stat::of(pid) {
                Ok(stat) => drop(processes.insert(pid, stat)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => hidden.push(pid),
            }
        }
        Ok((Self { processes }, hidden))
    }

    /// One process of it, dead or alive.
    #[must_use]
    pub fn get(&self, pid: i32) -> Option<&Stat> {
        self.processes.get(&pid)
    }

    /// All of it, by pid.
    pub fn iter(&self) -> impl Iterator<Item = &Stat> {
        self.processes.values()
    }

    /// The living members of the tree of `root`, the root among them, sorted; empty when the root
    /// is not there.
    #[must_use]
    pub fn tree(&self, root: i32) -> BTreeSet<i32> {
        let mut members = BTreeSet::new();
        let Some(stat) = self.processes.get(&root) else {
            return members;
        };
        members.insert(root);
        // Only a session or group that the root leads is its own; the terminal's or supervisord's
        // is not.
        let leads_session = stat.session == root;
        let leads_group = stat.group == root;
        let mut grew = true;
        while grew {
            grew = false;
            for each in self.processes.values() {
                let belongs = members.contains(&each.parent)
                    || (leads_session && each.session == root)
                    || (leads_group && each.group == root);
                if belongs && members.insert(each.pid) {
                    grew = true;
                }
            }
        }
        members.retain(|pid| self.processes.get(pid).is_some_and(|stat| !stat.is_dead()));
        members
    }

    /// The children of `pid` that live, sorted: a master's workers.
    #[must_use]
    pub fn children(&self, pid: i32) -> BTreeSet<i32> {
        self.processes
            .values()
            .filter(|stat| stat.parent == pid && !stat.is_dead())
            .map(|stat| stat.pid)
            .collect()
    }

    /// This process, every process that runs the same executable file (a guardian is one), and all
    /// their descendants: the tools' own processes, which are never evidence of anything.
    #[must_use]
    pub fn ours(&self) -> BTreeSet<i32> {
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        let file = |pid: &str| {
            let meta = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
            Some((meta.dev(), meta.ino()))
        };
        let own = file("self");
        let mut ours: BTreeSet<i32> = self
            .processes
            .keys()
            .copied()
            .filter(|pid| *pid == me || own.is_some() && file(&pid.to_string()) == own)
            .collect();
        let mut grew = true;
        while grew {
            grew = false;
            for each in self.processes.values() {
                if ours.contains(&each.parent) && ours.insert(each.pid) {
                    grew = true;
                }
            }
        }
        ours
    }

    /// Whether `pid` is `ancestor` or descends from it.
    #[must_use]
    pub fn descends(&self, pid: i32, ancestor: i32) -> bool {
        let mut at = pid;
        // Bounded by the number of processes: a torn snapshot could hold a ring of reused numbers.
        for _ in 0..=self.processes.len() {
            if at == ancestor {
                return true;
            }
            match self.processes.get(&at) {
                Some(stat) if stat.parent > 0 => at = stat.parent,
                _ => return false,
            }
        }
        false
    }
}

fn pids() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc")? {
        pids.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok()),
        );
    }
    Ok(pids)
}

/// Writes the trees of `roots` down: every living member with its identity.
///
/// # Errors
/// `/proc` cannot be listed.
pub fn identities(roots: &[i32]) -> io::Result<Vec<Identity>> {
    let snapshot = Snapshot::take()?;
    let members: BTreeSet<i32> = roots.iter().flat_map(|root| snapshot.tree(*root)).collect();
    members
        .into_iter()
        .map(Identity::of)
        .filter(|found| {
            !found
                .as_ref()
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        })
        .collect()
}

/// Those of `written` that still live: the leftovers of a stop.
#[must_use]
pub fn leftovers(written: &[Identity]) -> Vec<Identity> {
    written
        .iter()
        .filter(|identity| identity.lives())
        .cloned()
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32, session: i32, state: char) -> Stat {
        Stat {
            pid,
            comm: String::new(),
            state,
            parent,
            group,
            session,
            start: 1,
            terminal: 0,
            flags: 0,
        }
    }

    fn snapshot(all: &[Stat]) -> Snapshot {
        Snapshot {
            processes: all.iter().map(|each| (each.pid, each.clone())).collect(),
        }
    }

    #[test]
    fn orphans_of_the_session_belong_and_the_shell_around_does_not() {
        let world = snapshot(&[
            process(1, 0, 1, 1, 'S'),
            process(10, 1, 10, 10, 'S'),  // a shell
            process(20, 10, 20, 20, 'S'), // the daemon, its own session
            process(21, 20, 20, 20, 'S'), // a worker
            process(22, 1, 20, 20, 'S'),  // a worker whose parent died
            process(23, 22, 23, 20, 'S'), // in a group of its own
            process(24, 20, 20, 20, 'Z'), // ended
            process(30, 10, 30, 10, 'S'), // another job of the shell
        ]);
        assert_eq!(world.tree(20), BTreeSet::from([20, 21, 22, 23]));
        assert_eq!(world.tree(30), BTreeSet::from([30]));
        assert_eq!(world.tree(99), BTreeSet::new());
        assert_eq!(world.children(20), BTreeSet::from([21]));
        assert!(world.descends(23, 22) && world.descends(21, 1) && !world.descends(22, 20));
    }

    #[test]
    fn a_dead_root_still_shows_its_workers() {
        let world = snapshot(&[process(20, 1, 20, 20, 'Z'), process(21, 20, 20, 20, 'S')]);
        assert_eq!(world.tree(20), BTreeSet::from([21]));
    }
}
