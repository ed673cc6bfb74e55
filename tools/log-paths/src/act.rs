//! The only thing this tool changes: directories that logs need, made for whoever opens the log.
//!
//! The way down is walked with openat and O_NOFOLLOW, a component at a time; only what was made
//! here is given away. Nothing is made below a directory that somebody else could change, since he
//! could put a link where the walk goes.

use crate::plan::{Claim, MissingDir};
use crate::report::Directory;
use crate::site::Site;
use base::bytes::exact;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

/// The mode of a directory that is made.
const MODE: u32 = 0o755;

/// Makes the directories, or says what would be made.
#[must_use]
pub fn create_dirs(site: &Site, missing: &[MissingDir], dry_run: bool) -> Vec<Directory> {
    missing.iter().map(|dir| one(site, dir, dry_run)).collect()
}

fn one(site: &Site, dir: &MissingDir, dry_run: bool) -> Directory {
    let mut why = None;
    let claim = dir.claims.iter().find(|claim| match trusted(site, claim) {
        Ok(()) => true,
        Err(reason) => {
            why.get_or_insert(reason);
            false
        }
    });
    let account = claim
        .and_then(|claim| claim.user.as_deref())
        .and_then(|user| site.users.account(user));
    // Only root can give anything away; everybody else keeps what he makes.
    let owner = if geteuid().is_root() {
        account.map(|account| (account.uid, account.gid))
    } else {
        None
    };
    let (uid, gid) = owner.unwrap_or((geteuid().as_raw(), rustix::process::getegid().as_raw()));
    let allowed = match (claim, why) {
        (None, Some(why)) => Err(why),
        _ => Ok(()),
    };
    let outcome = allowed
        .and_then(|()| descend(site, &dir.path, uid))
        .and_then(|walk| {
            if dry_run {
                Ok("would_create")
            } else {
                walk.make(owner)
            }
        });
    let (state, reason) = match outcome {
        Ok(state) => (state, None),
        Err(why) => ("refused", Some(why)),
    };
    let made = state != "refused";
    Directory {
        path: dir.path.to_string_lossy().into_owned(),
        path_b64: exact(dir.path.as_os_str()),
        state,
        owner: made.then(|| site.users.user_name(uid)),
        group: made.then(|| site.users.group_name(gid)),
        mode: made.then(|| format!("{MODE:04o}")),
        reason,
    }
}

/// A directory is made only for what root, or whoever runs this, alone could have asked for: a
/// configuration that nobody else can change, and where a process says which one that is, a process
/// of root's with a program of root's. A name or a command line proves nothing.
fn trusted(site: &Site, claim: &Claim) -> Result<(), String> {
    let me = geteuid().as_raw();
    if let Some(pid) = claim.pid {
        let view = i32::try_from(pid)
            .ok()
            .and_then(|pid| proc::View::of(pid).ok());
        let uids = view.as_ref().and_then(|view| view.uids().ok());
        let program = view.as_ref().and_then(|view| view.exe().ok());
        let good = |uid: u32| uid == 0 || uid == me;
        let is_roots = uids.is_some_and(|uids| good(uids.real) && good(uids.effective))
            && program.is_some_and(|program| good(program.owner));
        if !is_roots {
            return Err(format!(
                "only pid {pid} asks for it, which is not a process of root with a program of root"
            ));
        }
    }
    match &claim.file {
        Some(file) if !site.files.is_rooted() => base::trust::inspect(file)
            .and_then(|trust| trust.require(me))
            .map_err(|error| error.message),
        _ => Ok(()),
    }
}

/// The last directory that exists, and the names below it that do not.
struct Walk<'a> {
    base: OwnedFd,
    names: Vec<&'a OsStr>,
}

fn descend<'a>(site: &Site, path: &'a Path, owner: u32) -> Result<Walk<'a>, String> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut at = if site.files.is_rooted() {
        site.files.open(Path::new("/"), flags)
    } else {
        rustix::fs::openat(CWD, "/", flags, Mode::empty())
    }
    .map_err(|why| format!("/: {}", text(why)))?;
    let mut walked = Path::new("/").to_path_buf();
    let mut names: Vec<&OsStr> = Vec::new();
    for component in path.components() {
        let Component::Normal(name) = component else {
            continue;
        };
        if !names.is_empty() {
            names.push(name);
            continue;
        }
        let stat = rustix::fs::fstat(&at).map_err(text)?;
        let sticky = stat.st_mode & 0o1000 != 0;
        let others = stat.st_mode & 0o022 != 0
            || stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() && stat.st_uid != owner;
        match rustix::fs::openat(at.as_fd(), name, flags, Mode::empty()) {
            Ok(next) => {
                let below = rustix::fs::fstat(&next).map_err(text)?;
                let ours = below.st_uid == 0
                    || below.st_uid == geteuid().as_raw()
                    || below.st_uid == owner;
                if others && !(sticky && ours) {
                    return Err(format!(
                        "others can write {}: they could put a link in the way",
                        walked.display()
                    ));
                }
                at = next;
                walked.push(name);
            }
            Err(Errno::NOENT) if others => {
                return Err(format!(
                    "others can write {}: nothing is made there",
                    walked.display()
                ));
            }
            Err(Errno::NOENT) => names.push(name),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                return Err(format!(
                    "{} is a link or no directory; links are not followed",
                    walked.join(name).display()
                ));
            }
            Err(why) => return Err(format!("{}: {}", walked.join(name).display(), text(why))),
        }
    }
    Ok(Walk { base: at, names })
}

impl Walk<'_> {
    /// Makes what is missing; the last of it belongs to the log's owner, what lies between to root.
    ///
    /// Each directory is made under a name of its own and gets its place only when owner and mode
    /// are right: a run that is killed leaves nothing half-made for the next one to take for done.
    fn make(self, owner: Option<(u32, u32)>) -> Result<&'static str, String> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = self.base;
        let count = self.names.len();
        sweep(&at);
        for (index, name) in self.names.into_iter().enumerate() {
            let named = |why: Errno| format!("{}: {}", name.to_string_lossy(), text(why));
            let temporary = temporary_name().map_err(named)?;
            rustix::fs::mkdirat(at.as_fd(), &temporary, Mode::from_raw_mode(0o700))
                .map_err(named)?;
            let placed = rustix::fs::openat(at.as_fd(), &temporary, flags, Mode::empty())
                .map_err(named)
                .and_then(|made| {
                    self::ours(&made, name)?;
                    if let (Some((uid, gid)), true) = (owner, index + 1 == count) {
                        let (uid, gid) = (
                            rustix::fs::Uid::from_raw(uid),
                            rustix::fs::Gid::from_raw(gid),
                        );
                        rustix::fs::fchown(&made, Some(uid), Some(gid)).map_err(named)?;
                    }
                    rustix::fs::fchmod(&made, Mode::from_raw_mode(MODE)).map_err(named)?;
                    match rustix::fs::renameat_with(
                        at.as_fd(),
                        &temporary,
                        at.as_fd(),
                        name,
                        RenameFlags::NOREPLACE,
                    ) {
                        // Somebody else made it meanwhile: it is not ours to give away.
                        Err(Errno::EXIST) => Err(format!(
                            "{} appeared meanwhile; run log-paths again",
                            name.to_string_lossy()
                        )),
                        other => other.map_err(named),
                    }?;
                    rustix::fs::fsync(&at).map_err(named)?;
                    Ok(made)
                });
            at = placed.inspect_err(|_| {
                let _ = rustix::fs::unlinkat(at.as_fd(), &temporary, AtFlags::REMOVEDIR);
            })?;
        }
        Ok("created")
    }
}

/// Is this the directory that was just made, and not one that was put in its place?
fn ours(made: &OwnedFd, name: &OsStr) -> Result<(), String> {
    let stat = rustix::fs::fstat(made).map_err(text)?;
    let same = stat.st_uid == geteuid().as_raw() && stat.st_mode & 0o7777 & !0o2000 == 0o700;
    if same {
        Ok(())
    } else {
        Err(format!(
            "{} was exchanged while it was made",
            name.to_string_lossy()
        ))
    }
}

const TEMPORARY: &str = ".log-paths-";

fn temporary_name() -> Result<OsString, Errno> {
    let mut bytes = [0u8; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(OsString::from(format!(
        "{TEMPORARY}{:016x}",
        u64::from_ne_bytes(bytes)
    )))
}

/// Removes what killed runs have left: empty directories of ours under a temporary name. While
/// another run holds the lock, they may be its own, and stay.
fn sweep(dir: &OwnedFd) {
    if rustix::fs::flock(dir, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
        return;
    }
    let Ok(entries) = rustix::fs::Dir::read_from(dir) else {
        return;
    };
    for entry in entries.flatten().filter(|entry| {
        entry
            .file_name()
            .to_bytes()
            .starts_with(TEMPORARY.as_bytes())
    }) {
        // Only empty ones go; nobody else can make any here, or nothing would be made here at all.
        let _ = rustix::fs::unlinkat(dir, entry.file_name(), AtFlags::REMOVEDIR);
    }
}

fn text(why: Errno) -> String {
    base::error::plain(&why.into())
}
