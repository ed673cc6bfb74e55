//! What is looked at: the file system (or a tree that stands for one), its users, and the processes
//! of this machine.

use crate::process::{self, Identify, Process, Root};
use crate::start::Start;
use crate::users::Users;
use conf::files::Files;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

/// One system, read lazily.
pub struct Site {
    /// Its files.
    pub files: Files,
    /// Its users.
    pub users: Users,
    conf: Vec<(String, PathBuf)>,
    identify: Identify,
    root: Option<Root>,
    processes: OnceCell<Vec<Process>>,
    starting: Option<fn(&Site) -> Vec<Start>>,
    starts: OnceCell<Vec<Start>>,
}

impl Site {
    /// A system whose configurations are where they are asked to be, or where they usually are.
    #[must_use]
    pub fn new(files: Files, conf: Vec<(String, PathBuf)>, identify: Identify) -> Self {
        let users = Users::read(&files);
        Self {
            files,
            users,
            conf,
            identify,
            root: None,
            processes: OnceCell::new(),
            starting: None,
            starts: OnceCell::new(),
        }
    }

    /// With whoever knows what starts programs here.
    #[must_use]
    pub fn starting(self, starting: fn(&Site) -> Vec<Start>) -> Self {
        Self {
            starting: Some(starting),
            ..self
        }
    }

    /// The commands that units, supervisors and crontabs start.
    #[must_use]
    pub fn starts(&self) -> &[Start] {
        self.starts.get_or_init(|| {
            self.starting
                .map(|starting| starting(self))
                .unwrap_or_default()
        })
    }

    /// The file system of a container, with its processes.
    ///
    /// # Errors
    /// The root directory of its processes may not be opened.
    pub fn inside(&self, root: Root) -> Result<Self, conf::Error> {
        let files = Files::below(Path::new(&format!("/proc/{}/root", root.0)))?;
        let members = self
            .all()
            .iter()
            .filter(|process| process.root == Some(root));
        let site = Self::new(files, Vec::new(), self.identify);
        let _ = site.processes.set(members.cloned().collect());
        Ok(Self {
            root: Some(root),
            starting: self.starting,
            ..site
        })
    }

    /// The root directories of processes that are not ours.
    #[must_use]
    pub fn roots(&self) -> Vec<Root> {
        let mut roots: Vec<Root> = self
            .all()
            .iter()
            .filter_map(|process| process.root)
            .collect();
        roots.sort();
        roots.dedup();
        roots
    }

    fn all(&self) -> &[Process] {
        self.processes.get_or_init(|| {
            if self.files.is_rooted() {
                Vec::new()
            } else {
                process::all(self.identify)
            }
        })
    }

    /// The processes; none where another tree is looked at, whose processes are not here.
    #[must_use]
    pub fn processes(&self) -> &[Process] {
        self.all()
    }

    /// The processes of one service.
    pub fn running(&self, service: &'static str) -> impl Iterator<Item = &Process> {
        self.processes()
            .iter()
            .filter(move |process| process.service == Some(service) && process.root == self.root)
    }

    /// Processes of one service that are not children of another of it: its masters.
    pub fn masters(&self, service: &'static str) -> impl Iterator<Item = &Process> {
        let pids: Vec<u32> = self.running(service).map(|process| process.pid).collect();
        self.running(service)
            .filter(move |process| !pids.contains(&process.parent))
    }

    /// The configurations that `--conf` names for a service.
    #[must_use]
    pub fn asked(&self, service: &str) -> Vec<PathBuf> {
        self.conf
            .iter()
            .filter(|(name, _)| name == service)
            .map(|(_, path)| path.clone())
            .collect()
    }

    /// The first of these that is there.
    #[must_use]
    pub fn first(&self, places: &[&str]) -> Option<PathBuf> {
        places
            .iter()
            .map(PathBuf::from)
            .find(|path| self.files.stat(path).is_ok())
    }

    /// The name of the user that this program runs as: who would start what is not running.
    #[must_use]
    pub fn own_user(&self) -> String {
        self.users.user_name(rustix::process::geteuid().as_raw())
    }
}

/// A path without `.`, `..` and doubled slashes, by the text alone.
#[must_use]
pub fn normal(path: &Path) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Component;
    let bytes = path.as_os_str().as_bytes();
    if bytes.starts_with(b"/")
        && !bytes.ends_with(b"/")
        && !bytes.windows(2).any(|pair| matches!(pair, b"//" | b"/."))
    {
        return path.to_path_buf();
    }
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// Does a text stand in these bytes? By Horspool's steps: a program may be a megabyte long.
#[must_use]
pub fn contains(bytes: &[u8], text: &[u8]) -> bool {
    find(bytes, text).is_some()
}

/// The place of a text in these bytes.
#[must_use]
pub fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let last = text.len().checked_sub(1)?;
    let mut steps = [text.len(); 256];
    for (at, byte) in text[..last].iter().enumerate() {
        steps[usize::from(*byte)] = last - at;
    }
    let mut at = 0;
    while let Some(end) = bytes.get(at + last) {
        if bytes[at..].starts_with(text) {
            return Some(at);
        }
        at += steps[usize::from(*end)];
    }
    None
}
