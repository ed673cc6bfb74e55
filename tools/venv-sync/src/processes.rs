//! Who runs which release, from /proc.
//!
//! A worker that was started as `VENV/bin/gunicorn` runs by the interpreter that the script's first line names, which is a release's
//! own: it stays on that release. One that was started as `VENV/bin/python -m gunicorn` follows the link: what it imports from now on
//! is the new release's. Either has to be restarted, and a release in anybody's memory must not be pruned.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::releases::Store;
use crate::report::StaleProcess;

/// A process that has something of an environment's in memory or on its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub pid: u32,
    /// Which release, if its memory or its command line names one.
    pub release: Option<String>,
    /// When it was started.
    pub started: Option<SystemTime>,
}

/// Ticks in a second as /proc counts them: a constant of the kernel's interface, whatever its own clock.
const TICKS: u64 = 100;

/// A memory map longer than this is not read to its end.
const LIMIT: u64 = 16 << 20;

/// The processes that use the environment. Those of other users can't be looked into unless root asks; their command lines can.
pub fn users(store: &Store) -> Vec<User> {
    let mut releases = store.releases().into_os_string().into_encoded_bytes();
    releases.push(b'/');
    let mut link = store.link().into_os_string().into_encoded_bytes();
    link.push(b'/');
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let users = pids
        .filter(|pid| *pid != std::process::id())
        .filter_map(|pid| user(pid, &releases, &link));
    users
        .filter(|user| sees(user.pid, &store.releases()))
        .collect()
}

/// Whether a path leads the process where it leads us: in a container, or a mount namespace of its own, it may be another place of the
/// same name. A process whose root may not be looked at is taken for one of ours.
fn sees(pid: u32, path: &Path) -> bool {
    let there = Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(path.strip_prefix("/").unwrap_or(path));
    match (std::fs::metadata(path), std::fs::metadata(&there)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        (Ok(_), Err(error)) => error.kind() != std::io::ErrorKind::NotFound,
        (Err(_), _) => true,
    }
}

fn user(pid: u32, releases: &[u8], link: &[u8]) -> Option<User> {
    let started = || started(pid);
    let maps = read(pid, "maps");
    if let Some(release) = release_in(&maps, releases) {
        return Some(User {
            pid,
            release: Some(release),
            started: started(),
        });
    }
    let cmdline = read(pid, "cmdline");
    let words = || cmdline.split(|b| *b == 0);
    if let Some(release) = words().find_map(|word| release_in(word, releases)) {
        return Some(User {
            pid,
            release: Some(release),
            started: started(),
        });
    }
    // Only the program itself: a file that an editor has open is nobody's release.
    let by_link = words().take(1).any(|word| word.starts_with(link)) || find(&maps, link).is_some();
    by_link.then(|| User {
        pid,
        release: None,
        started: started(),
    })
}

fn read(pid: u32, name: &str) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(format!("/proc/{pid}/{name}")) {
        let _ = file.take(LIMIT).read_to_end(&mut bytes);
    }
    bytes
}

/// The name that follows the path of the releases.
fn release_in(bytes: &[u8], releases: &[u8]) -> Option<String> {
    let at = find(bytes, releases)?;
    let rest = &bytes[at + releases.len()..];
    let end = rest
        .iter()
        .position(|b| matches!(b, b'/' | b'\n' | 0 | b' '))
        .unwrap_or(rest.len());
    let name = std::ffi::OsStr::from_bytes(&rest[..end]).to_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, rest) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|b| b == first) {
        let at = from + at;
        if bytes[at + 1..].starts_with(rest) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// When a process was started: the 22nd field of its stat, in ticks since the system was.
fn started(pid: u32) -> Option<SystemTime> {
    let stat = String::from_utf8_lossy(&read(pid, "stat")).into_owned();
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: u64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    let boot = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = boot
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    Some(
        UNIX_EPOCH
            + Duration::from_secs(boot)
            + Duration::from_millis(ticks.saturating_mul(1000 / TICKS)),
    )
}

/// Which of them run what isn't live.
pub fn stale(users: &[User], live: Option<&str>, changed: Option<SystemTime>) -> Vec<StaleProcess> {
    let is_stale = |user: &&User| match &user.release {
        Some(release) => Some(release.as_str()) != live,
        // The system's start is known to the second only.
        None => {
            matches!((user.started, changed), (Some(started), Some(changed)) if started + Duration::from_secs(1) < changed)
        }
    };
    users
        .iter()
        .filter(is_stale)
        .map(|user| StaleProcess {
            pid: user.pid,
            release: user.release.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{User, release_in, stale, started};
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_release_is_named_by_maps_and_command_lines() {
        let maps = b"7f r-xp 08:01 1 /usr/lib/x.so\n7f r-xp 08:01 2 /srv/venv.d/releases/A/lib/y.so (deleted)\n";
        assert_eq!(
            release_in(maps, b"/srv/venv.d/releases/").as_deref(),
            Some("A")
        );
        assert_eq!(
            release_in(
                b"/srv/venv.d/releases/B/bin/python",
                b"/srv/venv.d/releases/"
            )
            .as_deref(),
            Some("B")
        );
        assert_eq!(
            release_in(b"/srv/venv.d/releases/", b"/srv/venv.d/releases/"),
            None
        );
        assert_eq!(release_in(maps, b"/srv/other.d/releases/"), None);
    }

    #[test]
    fn this_process_was_started_a_moment_ago() {
        let age =
            started(std::process::id()).and_then(|at| SystemTime::now().duration_since(at).ok());
        assert!(
            age.is_some_and(|age| age < Duration::from_secs(600)),
            "{age:?}"
        );
    }

    #[test]
    fn whoever_began_before_the_link_changed_is_stale() {
        let now = SystemTime::now();
        let user = |pid, release: Option<&str>, ago| User {
            pid,
            release: release.map(str::to_owned),
            started: Some(now - Duration::from_secs(ago)),
        };
        let users = [
            user(1, Some("a"), 0),
            user(2, Some("b"), 0),
            user(3, None, 100),
            user(4, None, 0),
        ];
        let pids: Vec<u32> = stale(&users, Some("b"), Some(now - Duration::from_secs(50)))
            .iter()
            .map(|s| s.pid)
            .collect();
        assert_eq!(pids, [1, 3]);
    }
}
