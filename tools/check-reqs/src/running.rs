//! Which processes prove that something runs. A name proves nothing: everybody may call a process
//! cron. A process counts when the kernel says that it executes the right file, as the right user,
//! in this process namespace, and when this run did not start it itself.
//!
//! Where the kernel does not show the file to the caller (another user's process), only a process
//! of root counts by its name, since nobody but root could have given it that name.

use crate::programs;
use proc::{Namespace, Snapshot, Stat, View};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The first user that belongs to a person: useradd(8)'s default, and Debian Policy 9.2.2.
const FIRST_PERSON: u32 = 1000;

/// The processes of one moment that count as evidence.
pub struct Evidence {
    processes: Vec<Stat>,
}

/// Whose processes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of root.
    Root,
    /// Those of root and of accounts that belong to no person.
    System,
    /// Those of this user.
    User(u32),
    /// Anybody's.
    Anybody,
}

impl Whose {
    /// Whether a process of this user counts.
    pub fn admits(self, uid: u32) -> bool {
        match self {
            Whose::Root => uid == 0,
            Whose::System => uid < FIRST_PERSON,
            Whose::User(wanted) => uid == wanted,
            Whose::Anybody => true,
        }
    }
}

/// A process that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The process.
    pub view: View,
    /// The name that the kernel shows.
    pub comm: String,
}

impl Found {
    /// `nginx (pid 812, root)`.
    pub fn shown(&self) -> String {
        let user = crate::accounts::name_of(self.view.identity.uid);
        format!("{} (pid {}, {user})", self.comm, self.view.pid())
    }
}

/// Reads every process that is not ours. An error where processes are hidden from the caller: what
/// is not seen is not missing.
pub fn evidence() -> Result<Evidence, String> {
    let wrong = |error: io::Error| format!("/proc: {}", base::error::plain(&error));
    let snapshot = Snapshot::take().map_err(wrong)?;
    if snapshot.get(1).is_none() {
        return Err("/proc hides other users' processes (hidepid)".into());
    }
    let ours = snapshot.ours();
    // A process whose parent is not in the snapshot began while the snapshot was taken: perhaps
    // ours.
    let whole = |stat: &Stat| stat.parent == 0 || snapshot.get(stat.parent).is_some();
    let processes = snapshot
        .iter()
        .filter(|stat| !stat.is_dead() && !ours.contains(&stat.pid) && whole(stat))
        .cloned()
        .collect();
    Ok(Evidence { processes })
}

impl Evidence {
    /// The process of a number, if it counts.
    pub fn of_pid(&self, pid: i32) -> Option<Found> {
        let stat = self.processes.iter().find(|stat| stat.pid == pid)?;
        found(stat)
    }

    /// All processes that count.
    pub fn all(&self) -> Vec<Found> {
        self.processes.iter().filter_map(found).collect()
    }

    /// The processes that execute a program, and those that can be told only by name.
    pub fn of_program(&self, program: &Program, whose: Whose) -> Vec<Found> {
        let all = self.processes.iter().filter_map(|stat| {
            let found = found(stat).filter(|found| whose.admits(found.view.identity.uid))?;
            program.is_run_by(&found).then_some(found)
        });
        all.collect()
    }

    /// The processes of a control group and of the groups below.
    pub fn of_cgroup(&self, group: &Path) -> Vec<Found> {
        let inside = |found: &Found| {
            let own = found.view.cgroup().ok().flatten();
            own.is_some_and(|own| own.starts_with(group))
        };
        self.processes
            .iter()
            .filter_map(found)
            .filter(inside)
            .collect()
    }
}

/// The process, unless another process namespace holds it.
fn found(stat: &Stat) -> Option<Found> {
    let view = View::of(stat.pid).ok()?;
    if view.identity.start != stat.start || view.shares(Namespace::Pid) == Some(false) {
        return None;
    }
    Some(Found {
        view,
        comm: stat.comm.clone(),
    })
}

/// A program as processes execute it.
#[derive(Clone, Debug)]
pub struct Program {
    /// The name: `nginx`.
    pub name: String,
    /// The file that the kernel executes, through all links; none where there is no such file here.
    file: Option<Executed>,
    /// The script, where the file is the script's interpreter.
    script: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct Executed {
    path: PathBuf,
    dev: u64,
    ino: u64,
}

impl Executed {
    fn of(path: &Path) -> Option<Executed> {
        let path = path.canonicalize().ok()?;
        let meta = path.metadata().ok().filter(fs::Metadata::is_file)?;
        let (dev, ino) = (meta.dev(), meta.ino());
        Some(Executed { path, dev, ino })
    }
}

impl Program {
    /// The program of a name on PATH, or of a path.
    pub fn named(name: &str) -> Program {
        let short = name.rsplit('/').next().unwrap_or(name).to_owned();
        match programs::find(name) {
            Some(path) => Program::at(short, &path),
            None => Program {
                name: short,
                file: None,
                script: None,
            },
        }
    }

    fn at(name: String, path: &Path) -> Program {
        match interpreter(path) {
            Some(interpreter) => Program {
                name,
                file: Executed::of(&interpreter),
                script: path.canonicalize().ok(),
            },
            None => Program {
                name,
                file: Executed::of(path),
                script: None,
            },
        }
    }

    /// Whether the file is on this host.
    pub fn is_here(&self) -> bool {
        self.file.is_some()
    }

    /// The file, for messages.
    pub fn shown(&self) -> String {
        let path = self
            .script
            .as_ref()
            .or(self.file.as_ref().map(|file| &file.path));
        path.map_or_else(|| self.name.clone(), |path| path.display().to_string())
    }

    fn is_run_by(&self, found: &Found) -> bool {
        match (found.view.exe(), &self.file) {
            (Ok(exe), Some(file)) => {
                let same = (exe.dev, exe.ino) == (file.dev, file.ino)
                    // An upgrade has replaced the file; the old one still runs.
                    || exe.deleted && exe.path == file.path;
                same && self.script.as_ref().is_none_or(|s| runs_script(found, s))
            }
            // Busybox is one file for all its commands; the kernel's name tells which one.
            (Ok(exe), None) => {
                let file = exe.path.file_name().and_then(|file| file.to_str());
                file == Some(&self.name) || file == Some("busybox") && self.is_named(&found.comm)
            }
            (Err(_), _) => found.view.identity.uid == 0 && self.is_named(&found.comm),
        }
    }

    /// The kernel's name for a process has 15 bytes at most.
    fn is_named(&self, comm: &str) -> bool {
        let name = self.name.as_bytes();
        comm.as_bytes() == &name[..name.len().min(15)]
    }
}

/// Whether one of the first arguments is the script.
fn runs_script(found: &Found, script: &Path) -> bool {
    let argv = found.view.argv().unwrap_or_default();
    argv.iter().take(4).any(|word| {
        let path = Path::new(word);
        path.is_absolute() && path.canonicalize().is_ok_and(|path| path == script)
    })
}

/// The interpreter that the first line of a script names: `#!/usr/bin/python3`, `#!/usr/bin/env
/// ruby`.
fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(256)
        .read_to_end(&mut head)
        .ok()?;
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    match first.rsplit('/').next() {
        Some("env") => words
            .find(|word| !word.starts_with('-') && !word.contains('='))
            .and_then(programs::find),
        _ => Some(PathBuf::from(first)),
    }
}

/// The processes that an administrator calls by a name: those that execute the program of this
/// name, and an interpreter's process whose script or title has the name (gunicorn, celery). The
/// user of each is part of the answer, since the title is the process' own word.
pub fn called(name: &str, whose: Whose) -> Result<Vec<Found>, String> {
    let evidence = evidence()?;
    let program = Program::named(name);
    let mut all = evidence.of_program(&program, whose);
    let by_title = evidence.processes.iter().filter_map(|stat| {
        let found = found(stat).filter(|found| whose.admits(found.view.identity.uid))?;
        is_titled(&found, name).then_some(found)
    });
    for found in by_title {
        if all.iter().all(|known| known.view.pid() != found.view.pid()) {
            all.push(found);
        }
    }
    all.sort_by_key(|found| found.view.pid());
    Ok(all)
}

/// Interpreters whose processes are known by what they run.
const INTERPRETERS: &[&str] = &["python", "pypy", "ruby", "node", "perl", "php", "java"];

fn is_titled(found: &Found, name: &str) -> bool {
    let Ok(exe) = found.view.exe() else {
        return false;
    };
    let file = exe.path.file_name().and_then(|file| file.to_str());
    let file = file.unwrap_or_default();
    if file == name {
        return true;
    }
    if !INTERPRETERS.iter().any(|known| file.starts_with(known)) {
        return false;
    }
    let argv = found.view.argv().unwrap_or_default();
    let word = |at: usize| argv.get(at).and_then(|word| word.to_str()).unwrap_or("");
    let last = |word: &str| word.rsplit('/').next().unwrap_or("").to_owned();
    // `gunicorn: master [site]` is what setproctitle(3) leaves in the place of the arguments.
    last(word(1)) == name
        || last(word(0)) == name
        || word(0).starts_with(&format!("{name}: "))
        || word(1) == "-m" && word(2) == name
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn our_own_children_are_no_evidence() {
        let mut child = Command::new("/bin/sleep").arg("5").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let sleep = Program::named("sleep");
        let seen = evidence().unwrap();
        assert!(seen.of_pid(pid).is_none());
        let found = seen.of_program(&sleep, Whose::Anybody);
        assert!(found.iter().all(|found| found.view.pid() != pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn interpreters_of_scripts() {
        let dir = std::env::temp_dir().join(format!("check-reqs-script-{}", std::process::id()));
        fs::write(&dir, "#!/usr/bin/env -S sh -e\ntrue\n").unwrap();
        assert!(interpreter(&dir).unwrap().ends_with("sh"));
        fs::write(&dir, "#!/bin/sh\n").unwrap();
        assert_eq!(interpreter(&dir).unwrap(), Path::new("/bin/sh"));
        fs::write(&dir, "ELF").unwrap();
        assert_eq!(interpreter(&dir), None);
        fs::remove_file(&dir).unwrap();
    }

    #[test]
    fn whose_processes_count() {
        assert!(Whose::System.admits(33) && !Whose::System.admits(1000));
        assert!(Whose::Root.admits(0) && !Whose::Root.admits(33));
        assert!(Whose::User(1000).admits(1000) && !Whose::User(1000).admits(0));
    }
}
