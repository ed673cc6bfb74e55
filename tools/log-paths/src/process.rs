//! The processes of this machine: what they are, who they run as, and which service they belong to.
//!
//! Only /proc is read, and from it only what everybody may read, except where the open files of a process are asked for.

use rustix::fs::{CWD, Mode, OFlags};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

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

    /// The arguments one by one, also where the process has set its title and they stand there as one.
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

    /// The service of systemd that it is in (cgroups(7)).
    #[must_use]
    pub fn find_unit(&self) -> Option<String> {
        let text = contents(Path::new(&format!("/proc/{}/cgroup", self.pid)))?;
        let text = String::from_utf8_lossy(&text);
        let services = text.lines().filter_map(|line| {
            line.rsplit_once(':')?
                .1
                .split('/')
                .rfind(|part| part.ends_with(".service"))
        });
        services.map(str::to_owned).next()
    }

    /// How long it has been running.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
        let ticks = u64::try_from(ticks).ok()?.max(1);
        let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let up = Duration::new(
            u64::try_from(up.tv_sec).ok()?,
            u32::try_from(up.tv_nsec).ok()?,
        );
        up.checked_sub(Duration::from_millis(self.started * 1000 / ticks))
    }

    /// Where it runs.
    #[must_use]
    pub fn cwd(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/cwd", self.pid)).ok()
    }

    /// The program it executes.
    #[must_use]
    pub fn exe(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/exe", self.pid)).ok()
    }

    /// Its environment as it was when it started.
    #[must_use]
    pub fn environment(&self) -> Option<BTreeMap<OsString, OsString>> {
        let bytes = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        let pair = |entry: &[u8]| {
            let at = entry.iter().position(|byte| *byte == b'=')?;
            Some((
                OsString::from_vec(entry[..at].to_vec()),
                OsString::from_vec(entry[at + 1..].to_vec()),
            ))
        };
        Some(bytes.split(|byte| *byte == 0).filter_map(pair).collect())
    }

    /// The value that follows one of these options, joined (`-cX`, `--conf=X`) or apart.
    #[must_use]
    pub fn option(&self, names: &[&str]) -> Option<&[u8]> {
        option(&self.argv, names)
    }

    /// Is its file system another one than ours? Then its names are not ours, either.
    #[must_use]
    pub fn elsewhere(&self) -> Option<bool> {
        let own = fs::read_link("/proc/self/ns/mnt").ok()?;
        Some(fs::read_link(format!("/proc/{}/ns/mnt", self.pid)).ok()? != own)
    }
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

/// Every process but the kernel's own, and how many there are.
#[must_use]
pub fn all(by: Identify) -> Vec<Process> {
    let pids: Vec<u32> = pids().collect();
    let mut processes = in_parts(&pids, 64, |pids| {
        pids.iter().copied().filter_map(read).collect::<Vec<_>>()
    })
    .concat();
    identify(&mut processes, by);
    roots(&mut processes);
    processes
}

/// Finds the processes of services that have a root directory of their own; what may not be looked at counts as ours.
fn roots(processes: &mut [Process]) {
    let of = |pid: &str| {
        let stat = rustix::fs::stat(format!("/proc/{pid}/root")).ok()?;
        Some((stat.st_dev, stat.st_ino))
    };
    let own = of("self");
    let mut known: BTreeMap<(u64, u64), u32> = BTreeMap::new();
    for process in processes
        .iter_mut()
        .filter(|process| process.service.is_some())
    {
        let theirs = of(&process.pid.to_string());
        if let Some((dev, ino)) = theirs.filter(|_| theirs != own && own.is_some()) {
            let first = *known.entry((dev, ino)).or_insert(process.pid);
            process.root = Some(Root(first, dev, ino));
        }
    }
}

/// Does the work in as many parts as there are processors, up to four; the parts' results in order. A thread costs some 50 µs: lists
/// shorter than `many` are not worth it.
pub fn in_parts<T: Sync, R: Send + Default>(
    list: &[T],
    many: usize,
    work: impl Fn(&[T]) -> R + Sync,
) -> Vec<R> {
    if list.len() < many {
        return vec![work(list)];
    }
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(4);
    thread::scope(|scope| {
        let parts: Vec<_> = list
            .chunks(list.len().div_ceil(threads))
            .map(|part| base::threads::help(scope, || work(part)))
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().unwrap_or_default())
            .collect()
    })
}

/// A small file of /proc, in as few calls as it takes.
pub fn contents(path: &Path) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()?;
    let mut bytes = Vec::with_capacity(4096);
    loop {
        let room = bytes.capacity() - bytes.len();
        let read = rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut bytes)).ok()?;
        // A file of /proc gives all it has, or as much as there is room for, or a page.
        if read == 0 || read < room && read % 4096 != 0 {
            return Some(bytes);
        }
        bytes.reserve(4096);
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn read(pid: u32) -> Option<Process> {
    let dir = PathBuf::from(format!("/proc/{pid}"));
    let stat = contents(&dir.join("stat"))?;
    // The name stands in parentheses and may hold any byte, parentheses too.
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(close + 2..)?).ok()?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let flags: u64 = fields.get(6)?.parse().ok()?;
    if flags & KERNEL_THREAD != 0 || *fields.first()? == "Z" {
        return None;
    }
    let argv = contents(&dir.join("cmdline"))?;
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        comm: stat.get(open + 1..close)?.to_vec(),
        argv: arguments(&argv),
        uid: fs::metadata(&dir).ok()?.uid(),
        started: fields.get(19)?.parse().ok()?,
        unit: None,
        service: None,
        root: None,
    })
}

/// `PF_KTHREAD` of linux/sched.h.
const KERNEL_THREAD: u64 = 0x0020_0000;

fn arguments(bytes: &[u8]) -> Vec<Vec<u8>> {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    if end == 0 {
        Vec::new()
    } else {
        bytes[..end]
            .split(|byte| *byte == 0)
            .map(<[u8]>::to_vec)
            .collect()
    }
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
        // A title that a server gave itself begins with the program and goes on with something else.
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
pub type Identify = fn(&Program<'_>) -> Option<&'static str>;

/// Gives each process its service; a worker whose own name says nothing has its parent's.
fn identify(processes: &mut [Process], by: Identify) {
    for process in processes.iter_mut() {
        process.service = by(&Program::of(process));
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
            if *comm == process.comm && *service != "supervisor" {
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
