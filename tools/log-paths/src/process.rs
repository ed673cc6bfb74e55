//! The processes of this machine, as the services' rows see them: what they call themselves, who
//! they run as, and which service they belong to. What the kernel knows of a process is read by the
//! crate `proc`.

use proc::{Identity, Namespace, Snapshot, Stat, View};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::parts::in_parts;

/// One process.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// The kernel's name for it.
    pub comm: Vec<u8>,
    /// Its command line, or the title it gave itself.
    pub argv: Vec<Vec<u8>>,
    /// Its effective user.
    pub uid: u32,
    /// When it was started, in clock ticks after boot.
    pub started: u64,
    /// The unit that systemd has it in.
    pub unit: Option<String>,
    /// The service it belongs to, where that is plain.
    pub service: Option<&'static str>,
    /// Its root directory, where that is another one than ours: a container's.
    pub root: Option<Root>,
}

/// A root directory other than ours: a process that has it, its device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root(pub u32, u64, u64);

impl Process {
    /// The command line as one text, arguments separated by blanks.
    #[must_use]
    pub fn title(&self) -> Vec<u8> {
        self.argv.join(&b' ')
    }

    /// The arguments one by one, also where the process has set its title and they stand there as
    /// one.
    #[must_use]
    pub fn words(&self) -> Vec<Vec<u8>> {
        match self.argv.as_slice() {
            [title] => title
                .split(|byte| *byte == b' ')
                .filter(|word| !word.is_empty())
                .map(<[u8]>::to_vec)
                .collect(),
            words => words.to_vec(),
        }
    }

    /// What the kernel shows of it.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            identity: Identity {
                pid: number(self.pid),
                start: self.started,
                exe: None,
                uid: self.uid,
            },
        }
    }

    /// The service of systemd that it is in (cgroups(7)).
    #[must_use]
    pub fn find_unit(&self) -> Option<String> {
        self.view().unit().ok().flatten()
    }

    /// How long it has been running.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.view().identity.age()
    }

    /// Where it runs.
    #[must_use]
    pub fn cwd(&self) -> Option<PathBuf> {
        self.view().cwd().ok()
    }

    /// The program it executes, while that file has its name.
    #[must_use]
    pub fn exe(&self) -> Option<PathBuf> {
        let exe = self.view().exe().ok()?;
        (!exe.deleted).then_some(exe.path)
    }

    /// Its environment as it was when it started.
    #[must_use]
    pub fn environment(&self) -> Option<BTreeMap<OsString, OsString>> {
        Some(
            proc::environment(number(self.pid))
                .ok()?
                .into_iter()
                .collect(),
        )
    }

    /// The value that follows one of these options, joined (`-cX`, `--conf=X`) or apart.
    #[must_use]
    pub fn option(&self, names: &[&str]) -> Option<&[u8]> {
        option(&self.argv, names)
    }

    /// Is its file system another one than ours? Then its names are not ours, either.
    #[must_use]
    pub fn elsewhere(&self) -> Option<bool> {
        self.view().shares(Namespace::Mount).map(|shared| !shared)
    }
}

/// A pid as system calls take it.
#[must_use]
pub fn number(pid: u32) -> i32 {
    i32::try_from(pid).unwrap_or(0)
}

/// The value that follows one of these options in a list of arguments.
#[must_use]
pub fn option<'a>(argv: &'a [Vec<u8>], names: &[&str]) -> Option<&'a [u8]> {
    let mut found = None;
    for (index, word) in argv.iter().enumerate().skip(1) {
        for name in names {
            let name = name.as_bytes();
            let long = name.starts_with(b"--");
            match word.strip_prefix(name) {
                Some(b"") => found = argv.get(index + 1).map(Vec::as_slice).or(found),
                Some(rest) if !long => found = Some(rest),
                Some([b'=', rest @ ..]) => found = Some(rest),
                _ => {}
            }
        }
    }
    found
}

/// Every process but the kernel's own and this tool's. A process whose state the kernel hides has a
/// number and nothing else.
#[must_use]
pub fn all(by: Identify) -> Vec<Process> {
    let (snapshot, hidden) = Snapshot::visible().unwrap_or_default();
    let ours = snapshot.ours();
    let stats: Vec<&Stat> = snapshot
        .iter()
        .filter(|stat| !stat.is_kernel_thread() && !stat.is_dead() && !ours.contains(&stat.pid))
        .collect();
    let mut processes = in_parts(&stats, 64, |stats| {
        stats.iter().filter_map(|stat| of(stat)).collect::<Vec<_>>()
    })
    .concat();
    processes.extend(hidden.into_iter().filter_map(|pid| {
        Some(Process {
            pid: u32::try_from(pid).ok()?,
            ..Process::default()
        })
    }));
    identify(&mut processes, by);
    roots(&mut processes);
    processes
}

/// Finds the processes of services that have a root directory of their own; what may not be looked
/// at counts as ours.
fn roots(processes: &mut [Process]) {
    let own = View::of(number(std::process::id()))
        .and_then(|view| view.root())
        .ok();
    let mut known: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    for process in processes
        .iter_mut()
        .filter(|process| process.service.is_some())
    {
        let theirs = process.view().root().ok();
        if let Some((dev, ino)) = theirs.filter(|_| theirs != own && own.is_some()) {
            let first = *known.entry((dev, ino)).or_insert(process.pid);
            process.root = Some(Root(first, dev, ino));
        }
    }
}

fn of(stat: &Stat) -> Option<Process> {
    let mut argv: Vec<Vec<u8>> = proc::arguments(stat.pid)
        .ok()?
        .into_iter()
        .map(OsString::into_vec)
        .collect();
    // A title that a process gave itself is filled up with NULs.
    while argv.last().is_some_and(Vec::is_empty) {
        argv.pop();
    }
    Some(Process {
        pid: u32::try_from(stat.pid).ok()?,
        parent: u32::try_from(stat.parent).unwrap_or(0),
        comm: stat.comm.clone().into_bytes(),
        argv,
        uid: fs::metadata(format!("/proc/{}", stat.pid)).ok()?.uid(),
        started: stat.start,
        unit: None,
        service: None,
        root: None,
    })
}

/// What a process calls itself: its program, the script or module of an interpreter, and its title.
pub struct Program<'a> {
    process: &'a Process,
    program: &'a [u8],
    script: &'a [u8],
    module: &'a [u8],
}

impl<'a> Program<'a> {
    /// Of a process.
    #[must_use]
    pub fn of(process: &'a Process) -> Self {
        let title = process.argv.first().map_or(&b""[..], Vec::as_slice);
        // A title that a server gave itself begins with the program and goes on with something
        // else.
        let program = base(title.split(|byte| *byte == b' ').next().unwrap_or(title));
        let script = process
            .argv
            .iter()
            .skip(1)
            .find(|word| !word.starts_with(b"-"))
            .map_or(&b""[..], |word| base(word));
        Self {
            process,
            program,
            script,
            module: option(&process.argv, &["-m"]).unwrap_or_default(),
        }
    }

    /// Does the title begin so?
    #[must_use]
    pub fn titled(&self, prefix: &str) -> bool {
        let title = self.process.argv.first().map_or(&b""[..], Vec::as_slice);
        title.starts_with(prefix.as_bytes())
    }

    /// Is it this program, or this script or module of an interpreter?
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let name = name.as_bytes();
        let interpreted = self.program.starts_with(b"python") || self.program.starts_with(b"pypy");
        self.program == name || interpreted && (self.script == name || self.module == name)
    }

    /// Does the program's name, or the kernel's name for the process, begin so?
    #[must_use]
    pub fn begins(&self, prefix: &str) -> bool {
        let prefix = prefix.as_bytes();
        self.program.starts_with(prefix) || self.process.comm.starts_with(prefix)
    }

    /// Does an interpreter run this module?
    #[must_use]
    pub fn runs_module(&self, name: &str) -> bool {
        self.module == name.as_bytes()
    }
}

/// Which service a process belongs to, by the rows of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Identify {
    /// The service that owns a process which calls itself so.
    pub owner: fn(&Program<'_>) -> Option<&'static str>,
    /// Whether the children of a service that have its kernel name are its own.
    pub children: fn(&str) -> bool,
}

/// Gives each process its service; a worker whose own name says nothing has its parent's.
fn identify(processes: &mut [Process], by: Identify) {
    for process in processes.iter_mut() {
        process.service = (by.owner)(&Program::of(process));
    }
    let named: BTreeMap<u32, (&'static str, Vec<u8>)> = processes
        .iter()
        .filter_map(|process| Some((process.pid, (process.service?, process.comm.clone()))))
        .collect();
    for process in processes
        .iter_mut()
        .filter(|process| process.service.is_none())
    {
        if let Some((service, comm)) = named.get(&process.parent) {
            if *comm == process.comm && (by.children)(service) {
                process.service = Some(service);
            }
        }
    }
}

fn base(path: &[u8]) -> &[u8] {
    Path::new(OsStr::from_bytes(path))
        .file_name()
        .map_or(path, OsStrExt::as_bytes)
}
