//! Which processes use the environment, and which of them run what is no longer live.
//!
//! A process names the environment in many ways: by files in its memory, by any word of its command
//! line (`uwsgi --home VENV`), by its working directory and `venv/bin/python`, by a variable
//! (`VIRTUAL_ENV`, `UWSGI_HOME`, `PYTHONPATH`). All of them count. A Python that names nothing of
//! the kind (`home = VENV` in an ini file, `python-home` of mod_wsgi) is unknown, never "not a
//! user".

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proc::{Snapshot, View};

use crate::journal::{Journal, Led, Moment};
use crate::releases::Store;
use crate::report::{Body, StaleProcess};

/// How a process came to the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// It names this release.
    Release(String),
    /// It names VENV itself, which led to the release that was live when the process started.
    Link,
}

/// A process that uses the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The pid.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start: u64,
    /// The release or the link.
    pub by: By,
    /// Whether Python runs in the process; a shell with `VIRTUAL_ENV` uses a release and runs
    /// nothing of it.
    pub python: bool,
}

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The processes that use the environment.
    pub users: Vec<User>,
    /// Processes that run Python and show no environment: pid and start time.
    pub unknown: Vec<(u32, u64)>,
}

impl Seen {
    /// Whether a process uses the release.
    pub fn in_use(&self, id: &str) -> bool {
        self.users
            .iter()
            .any(|user| matches!(&user.by, By::Release(have) if have == id))
    }
}

/// Looks at every process but this one and its children.
pub fn observe(store: &Store, minor: Option<&str>) -> Seen {
    let mut out = Seen::default();
    let Ok(snapshot) = Snapshot::take() else {
        return out;
    };
    let ours = snapshot.ours();
    let mut place = Place::of(store);
    for stat in snapshot.iter().filter(|stat| !stat.is_dead()) {
        // Kernel threads descend from kthreadd.
        if ours.contains(&stat.pid) || stat.pid == 2 || stat.parent == 2 {
            continue;
        }
        let (Ok(view), Ok(pid)) = (View::of(stat.pid), u32::try_from(stat.pid)) else {
            continue;
        };
        if !place.is_seen_by(&view) {
            continue;
        }
        let facts = Facts::of(&view, &stat.comm);
        match (place.found_in(&facts), facts.runs_python(&view)) {
            (Some(by), runs) => out.users.push(User {
                pid,
                start: stat.start,
                by,
                python: runs != Runs::No,
            }),
            (None, Runs::Hidden(version)) => {
                let other = version.zip(minor).is_some_and(|(have, ours)| have != ours);
                if !other {
                    out.unknown.push((pid, stat.start));
                }
            }
            (None, Runs::No | Runs::Elsewhere) => {}
        }
    }
    out
}

/// Which processes run what is not live, and whether a restart is required: null where that cannot
/// be told.
pub fn judge(
    seen: &Seen,
    live: Option<&str>,
    flip: Option<&Moment>,
) -> (Option<bool>, Vec<StaleProcess>) {
    let before = |start: u64| flip.map_or(Some(false), |flip| flip.is_after(start));
    let mut unknown = false;
    let mut stale = Vec::new();
    for user in seen.users.iter().filter(|user| user.python) {
        let release = match &user.by {
            By::Release(id) => Some(id.clone()),
            By::Link => None,
        };
        let is_stale = match &release {
            Some(id) => Some(Some(id.as_str()) != live),
            None => before(user.start),
        };
        match is_stale {
            Some(true) => stale.push(StaleProcess {
                pid: user.pid,
                release,
            }),
            Some(false) => {}
            None => unknown = true,
        }
    }
    unknown |= flip.is_some()
        && seen
            .unknown
            .iter()
            .any(|(_, start)| before(*start) != Some(false));
    let required = match (stale.is_empty(), unknown) {
        (false, _) => Some(true),
        (true, true) => None,
        (true, false) => Some(false),
    };
    (required, stale)
}

/// Puts the verdict into a report: as of what VENV leads to now.
pub fn report(body: &mut Body, store: &Store, seen: &Seen) {
    let journal = Journal::read(store);
    let flip = store
        .state()
        .ok()
        .and_then(|state| Led::of(&state))
        .and_then(|live| journal.current(&live).cloned());
    let moment = flip
        .filter(|flip| flip.from.is_some())
        .map(|flip| flip.moment);
    let (required, stale) = judge(seen, body.release.as_deref(), moment.as_ref());
    body.restart_required = required;
    body.stale_processes = stale;
}

/// Whether Python runs in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Runs {
    /// No.
    No,
    /// Yes, by an interpreter that is found outside the environment.
    Elsewhere,
    /// Perhaps, or yes and from where is not shown; the version of a mapped libpython.
    Hidden(Option<String>),
}

/// What a process shows of itself.
struct Facts {
    comm: String,
    argv: Vec<OsString>,
    cwd: Option<PathBuf>,
    mapped: Option<Vec<PathBuf>>,
    open: Vec<PathBuf>,
    variables: Option<Vec<(OsString, OsString)>>,
}

impl Facts {
    fn of(view: &View, comm: &str) -> Facts {
        let pid = view.pid();
        let mapped = view.mapped_files().ok();
        let variables = proc::environment(pid).ok();
        Facts {
            comm: comm.to_owned(),
            argv: view.argv().unwrap_or_default(),
            cwd: view.cwd().ok(),
            mapped: mapped.map(|files| files.into_iter().map(|file| file.path).collect()),
            open: view
                .open_files()
                .map(|files| files.into_iter().map(|file| file.path).collect())
                .unwrap_or_default(),
            variables,
        }
    }

    /// Every path that the words of the command line name, from the working directory.
    fn words(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let parts = self.argv.iter().flat_map(|word| {
            // `--home=/srv/venv`, `-H/srv/venv`, `PYTHONPATH=/a:/b`.
            let bytes = word.as_bytes();
            let slash = bytes.iter().position(|byte| *byte == b'/');
            let tail = slash.filter(|at| *at > 0).map(|at| &bytes[at..]);
            let value = bytes
                .iter()
                .position(|byte| *byte == b'=')
                .map(|at| &bytes[at + 1..]);
            [Some(bytes), tail, value].into_iter().flatten()
        });
        let relative = parts.filter_map(|part| {
            let path = Path::new(OsStr::from_bytes(part));
            if path.is_absolute() {
                return Some(path.to_owned());
            }
            // `--home venv` names a directory without any slash.
            let is_name = !part.is_empty() && part.len() < 4096 && !part.starts_with(b"-");
            self.cwd
                .as_ref()
                .filter(|_| is_name)
                .map(|cwd| cwd.join(path))
        });
        relative.take(4096)
    }

    fn values(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let variables = self.variables.iter().flatten();
        // The shell's notes about directories are no use of them.
        let counted =
            variables.filter(|(name, _)| !["PWD", "OLDPWD", "HOME"].iter().any(|n| name == n));
        counted.flat_map(|(_, value)| {
            let parts = value.as_bytes().split(|byte| *byte == b':');
            let paths = parts.map(|part| PathBuf::from(OsStr::from_bytes(part)));
            paths.filter(|path| path.is_absolute()).collect::<Vec<_>>()
        })
    }

    /// Whether Python runs here, and whether its interpreter shows where it belongs.
    fn runs_python(&self, view: &View) -> Runs {
        let Some(mapped) = &self.mapped else {
            return match is_pythonic(&self.comm) || self.argv.iter().take(2).any(|w| named(w)) {
                true => Runs::Hidden(None),
                false => Runs::No,
            };
        };
        let exe = view.exe().ok();
        let is_interpreter = exe
            .as_ref()
            .is_some_and(|exe| exe.path.file_name().is_some_and(is_interpreter));
        if is_interpreter {
            let known = exe.is_some_and(|exe| {
                self.program(view).is_some_and(|program| {
                    std::fs::metadata(view.inside(&program))
                        .is_ok_and(|meta| (meta.dev(), meta.ino()) == (exe.dev, exe.ino))
                })
            });
            return if known {
                Runs::Elsewhere
            } else {
                Runs::Hidden(None)
            };
        }
        let library = mapped.iter().find_map(|path| {
            let name = path.file_name()?.to_str()?.strip_prefix("libpython")?;
            let end = name.find(".so").unwrap_or(name.len());
            Some(name[..end].trim_end_matches(['m', 'd', 't']).to_owned())
        });
        library.map_or(Runs::No, |version| Runs::Hidden(Some(version)))
    }

    /// The program as the process was started: by a path, or found on its PATH.
    fn program(&self, view: &View) -> Option<PathBuf> {
        let word = Path::new(self.argv.first()?);
        if word.components().count() > 1 || word.is_absolute() {
            return Some(self.cwd.as_ref()?.join(word));
        }
        let (_, path) = self
            .variables
            .as_ref()?
            .iter()
            .find(|(name, _)| name == "PATH")?;
        std::env::split_paths(path)
            .map(|dir| dir.join(word))
            .find(|path| view.inside(path).exists())
    }
}

fn is_interpreter(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let version = name.strip_prefix("python").or(name.strip_prefix("pypy"));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// Programs that run Python, for processes that may not be looked into. No evidence of use: only a
/// reason not to say no.
fn is_pythonic(comm: &str) -> bool {
    const NAMES: [&str; 10] = [
        "python", "pypy", "uwsgi", "gunicorn", "celery", "apache2", "httpd", "unitd", "daphne",
        "uvicorn",
    ];
    NAMES.iter().any(|name| comm.starts_with(name))
}

fn named(word: &OsStr) -> bool {
    let name = Path::new(word).file_name().unwrap_or_default();
    is_pythonic(&name.to_string_lossy())
}

/// Where the environment is, and what paths lead there.
struct Place {
    link: PathBuf,
    releases: PathBuf,
    identity: Option<(u64, u64)>,
    /// What was found for a directory before: most processes name the same few.
    known: BTreeMap<PathBuf, Option<By>>,
}

impl Place {
    fn of(store: &Store) -> Place {
        let releases = store.releases();
        let probe = if releases.exists() {
            releases.clone()
        } else {
            store.parent.clone()
        };
        Place {
            link: store.link(),
            identity: std::fs::metadata(probe)
                .ok()
                .map(|meta| (meta.dev(), meta.ino())),
            releases,
            known: BTreeMap::new(),
        }
    }

    /// Whether the path leads the process to the same directory; in another mount namespace it may
    /// not. A process whose root may not be looked at is taken for one of this namespace.
    fn is_seen_by(&self, view: &View) -> bool {
        let probe = if self.releases.exists() {
            self.releases.as_path()
        } else {
            self.link.parent().unwrap_or(Path::new("/"))
        };
        match (self.identity, std::fs::metadata(view.inside(probe))) {
            (Some(ours), Ok(theirs)) => ours == (theirs.dev(), theirs.ino()),
            (Some(_), Err(error)) => error.kind() != std::io::ErrorKind::NotFound,
            (None, _) => true,
        }
    }

    /// The strongest evidence: files in memory first, since they say which release it is.
    fn found_in(&mut self, facts: &Facts) -> Option<By> {
        let mapped = facts.mapped.iter().flatten().chain(&facts.open);
        let in_memory = mapped.filter_map(|path| self.plain(path));
        if let Some(by) = strongest(in_memory) {
            return Some(by);
        }
        let named: Vec<PathBuf> = facts.words().chain(facts.values()).collect();
        let by = strongest(named.iter().filter_map(|path| self.resolved(path)));
        by.or_else(|| facts.cwd.as_ref().and_then(|cwd| self.plain(cwd)))
    }

    /// A path that has no link in it: from the kernel, or resolved.
    fn plain(&self, path: &Path) -> Option<By> {
        if let Ok(rest) = path.strip_prefix(&self.releases) {
            let id = rest.components().next()?.as_os_str().to_str()?;
            return Some(By::Release(id.to_owned()));
        }
        path.starts_with(&self.link).then_some(By::Link)
    }

    /// A path as somebody wrote it: some directory above may be a link to where the environment
    /// stands.
    fn resolved(&mut self, path: &Path) -> Option<By> {
        if let Some(by) = self.plain(path) {
            return Some(by);
        }
        let name = self.link.file_name()?.to_owned();
        for above in path.ancestors() {
            let is_candidate =
                above.file_name() == Some(&name) || above.file_name() == Some("releases".as_ref());
            let Some(parent) = above.parent().filter(|_| is_candidate) else {
                continue;
            };
            if let Some(known) = self.known.get(above) {
                if known.is_some() {
                    return known.clone();
                }
                continue;
            }
            let real = parent.canonicalize().ok();
            let real = real.map(|real| real.join(above.file_name().unwrap_or_default()));
            let found = real.and_then(|real| {
                let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
                self.plain(&real.join(rest))
            });
            if !matches!(found, Some(By::Release(_))) {
                self.known.insert(above.to_owned(), found.clone());
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

/// A release says more than the link.
fn strongest(found: impl Iterator<Item = By>) -> Option<By> {
    let mut link = None;
    for by in found {
        if matches!(by, By::Release(_)) {
            return Some(by);
        }
        link = Some(by);
    }
    link
}

#[cfg(test)]
mod tests {
    use super::{By, Seen, User, judge};
    use crate::journal::Moment;

    fn user(pid: u32, by: By, start: u64, python: bool) -> User {
        User {
            pid,
            start,
            by,
            python,
        }
    }

    fn seen(users: Vec<User>, unknown: Vec<(u32, u64)>) -> Seen {
        Seen { users, unknown }
    }

    #[test]
    fn a_restart_is_required_not_required_or_unknown() {
        let flip = Moment::at_ticks(1000);
        let release = |id: &str| By::Release(id.to_owned());
        let table = [
            (vec![], vec![], Some(false), 0),
            (
                vec![user(1, release("a"), 2000, true)],
                vec![],
                Some(true),
                1,
            ),
            (
                vec![user(1, release("b"), 10, true)],
                vec![],
                Some(false),
                0,
            ),
            (vec![user(1, By::Link, 10, true)], vec![], Some(true), 1),
            (vec![user(1, By::Link, 2000, true)], vec![], Some(false), 0),
            // A shell with VIRTUAL_ENV runs nothing of the release.
            (
                vec![user(1, release("a"), 10, false)],
                vec![],
                Some(false),
                0,
            ),
            (vec![], vec![(7, 10)], None, 0),
            (vec![], vec![(7, 2000)], Some(false), 0),
            (
                vec![user(1, By::Link, 10, true)],
                vec![(7, 10)],
                Some(true),
                1,
            ),
        ];
        for (users, unknown, required, stale) in table {
            let seen = seen(users, unknown);
            let (have, found) = judge(&seen, Some("b"), Some(&flip));
            assert_eq!((have, found.len()), (required, stale), "{seen:?}");
        }
        // Where nothing was ever flipped, nobody can run what was live before.
        let first = seen(vec![user(1, By::Link, 10, true)], vec![(7, 10)]);
        assert_eq!(judge(&first, Some("b"), None).0, Some(false));
    }
}
