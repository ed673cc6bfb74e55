//! What has to happen between fork and exec, which Rust calls unsafe; this module is the one place
//! where it is done. Becoming another user: groups, group, user, in that order, as setpriv(1) and
//! su(1) do. And giving the child a signal mask that holds nothing back: std lets it inherit ours.

use crate::error::{Error, Kind, Result};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid, User};
use std::cell::RefCell;
use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

thread_local! {
    static ASSUMED: RefCell<Option<Identity>> = const { RefCell::new(None) };
}

/// A user as a process is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// The user's own group.
    pub gid: u32,
    /// All groups, as initgroups(3) would set them.
    pub groups: Vec<u32>,
    /// The name, if the system knows one.
    pub name: Option<String>,
    /// The home directory.
    pub home: Option<PathBuf>,
}

impl Identity {
    /// The user of this name.
    ///
    /// # Errors
    /// `Kind::NotFound` where there is none.
    pub fn of_name(name: &str) -> Result<Identity> {
        match User::from_name(name) {
            Ok(Some(user)) => Ok(Identity::of(user)),
            Ok(None) => Err(Error::new(
                Kind::NotFound,
                format!("there is no user '{}'", crate::terminal::escape(name)),
            )),
            Err(e) => Err(Error::io(
                format!(
                    "cannot look up the user '{}'",
                    crate::terminal::escape(name)
                ),
                &e.into(),
            )),
        }
    }

    /// The user with this number; one without a name has no other groups.
    ///
    /// # Errors
    /// `Kind::Io` where the user database cannot be read.
    pub fn of_uid(uid: u32, gid: u32) -> Result<Identity> {
        match User::from_uid(Uid::from_raw(uid)) {
            Ok(Some(user)) => Ok(Identity::of(user)),
            Ok(None) => Ok(Identity::bare(uid, gid)),
            Err(e) => Err(Error::io(
                format!("cannot look up the user {uid}"),
                &e.into(),
            )),
        }
    }

    /// The user whose file rights this thread has, where those are not the process' own. A thread
    /// has the rights of the thread that began it.
    pub fn assumed() -> Option<Identity> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        // An invalid number changes nothing; what is in force is returned.
        let uid = nix::unistd::setfsuid(Uid::from_raw(u32::MAX)).as_raw();
        if uid == 0 {
            return None;
        }
        let known = ASSUMED.with_borrow(|known| known.clone().filter(|user| user.uid == uid));
        let gid = nix::unistd::setfsgid(Gid::from_raw(u32::MAX)).as_raw();
        let found = || Identity::of_uid(uid, gid).unwrap_or_else(|_| Identity::bare(uid, gid));
        Some(known.unwrap_or_else(found))
    }

    /// Notes whose rights this thread takes on.
    pub(crate) fn set_assumed(user: Option<Identity>) {
        ASSUMED.set(user);
    }

    /// A user of whom only the numbers are known.
    pub fn bare(uid: u32, gid: u32) -> Identity {
        Identity {
            uid,
            gid,
            groups: vec![gid],
            name: None,
            home: None,
        }
    }

    fn of(user: User) -> Identity {
        let groups = CString::new(user.name.as_str())
            .ok()
            .and_then(|name| nix::unistd::getgrouplist(&name, user.gid).ok());
        Identity {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            groups: groups.map_or_else(
                || vec![user.gid.as_raw()],
                |g| g.into_iter().map(Gid::as_raw).collect(),
            ),
            name: Some(user.name),
            home: Some(user.dir),
        }
    }

    /// Whether this process already is that user.
    pub fn is_current(&self) -> bool {
        rustix::process::geteuid().as_raw() == self.uid
    }

    /// The variables that a program of this user finds: who it is, a PATH of the system's own
    /// directories, and the caller's language and time zone. Nothing else of the caller's
    /// environment is anybody else's business.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut all: Vec<(OsString, OsString)> = vec![("PATH".into(), PATH.into())];
        let name = self.name.clone().unwrap_or_else(|| self.uid.to_string());
        let home = self.home.clone().unwrap_or_else(|| PathBuf::from("/"));
        all.push(("HOME".into(), home.into()));
        all.push(("USER".into(), name.clone().into()));
        all.push(("LOGNAME".into(), name.into()));
        all.extend(std::env::vars_os().filter(|(name, _)| {
            name.to_str()
                .is_some_and(|n| matches!(n, "LANG" | "LANGUAGE" | "TZ") || n.starts_with("LC_"))
        }));
        all
    }

    /// Makes the command run as this user, apart from everything of ours: in a session of its own
    /// (no terminal of ours can be typed into), with [`Identity::environment`], without descriptors
    /// but 0, 1 and 2, with umask 022, all groups of the user, and an empty signal mask. Limits
    /// (ulimit) stay. The directory is entered as that user; without one the program stands in `/`.
    ///
    /// What the command's environment holds before this call is forgotten. The caller adds no
    /// process group of its own: the session's leader leads its group.
    ///
    /// # Errors
    /// `Kind::Usage` for a directory's name that no system call takes.
    #[allow(unsafe_code)]
    pub fn isolate(&self, command: &mut Command, dir: Option<&Path>) -> Result<()> {
        command.env_clear().envs(self.environment());
        let groups: Vec<Gid> = self.groups.iter().map(|g| Gid::from_raw(*g)).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let dir = CString::new(dir.unwrap_or(Path::new("/")).as_os_str().as_bytes())
            .map_err(|_| Error::usage("a directory's name holds a NUL byte"))?;
        let most = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE)
            .map_or(1024, |(soft, _)| soft.min(65_536));
        // SAFETY: between fork and exec only async-signal-safe calls are allowed: these are plain
        // system calls, and what they need was allocated before.
        unsafe {
            command.pre_exec(move || {
                let user = |e: nix::errno::Errno| marked(USER, e);
                SigSet::empty().thread_set_mask()?;
                nix::unistd::setsid()?;
                nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
                nix::unistd::setgroups(&groups).map_err(user)?;
                nix::unistd::setgid(gid).map_err(user)?;
                nix::unistd::setuid(uid).map_err(user)?;
                nix::unistd::chdir(dir.as_c_str()).map_err(|e| marked(DIR, e))?;
                close_at_exec(most);
                Ok(())
            });
        }
        Ok(())
    }
}

/// Where a program of another user finds the system's programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Marks an error number that [`Identity::isolate`] met before exec, for [`before_exec`]: Linux has
/// no numbers that high.
const USER: i32 = 1000;
const DIR: i32 = 2000;

fn marked(by: i32, errno: nix::errno::Errno) -> std::io::Error {
    std::io::Error::from_raw_os_error(by + errno as i32)
}

/// The error of a child that could not become the user or enter the directory; `None` for what exec
/// itself said.
pub(super) fn before_exec(
    error: &std::io::Error,
    user: &Identity,
    dir: Option<&Path>,
) -> Option<Error> {
    let number = error.raw_os_error()?;
    let plain = |by: i32| std::io::Error::from_raw_os_error(number - by);
    let who = user
        .name
        .clone()
        .unwrap_or_else(|| format!("uid {}", user.uid));
    let who = crate::terminal::escape(&who);
    if number > DIR {
        let shown = dir.unwrap_or(Path::new("/")).display().to_string();
        let shown = crate::terminal::escape(&shown);
        return Some(Error::io(
            format!("user '{who}' cannot enter the directory '{shown}'"),
            &plain(DIR),
        ));
    }
    (number > USER).then(|| Error::io(format!("cannot run as user '{who}'"), &plain(USER)))
}

/// Every descriptor but 0, 1 and 2 is closed when the program is executed. std's own pipe, which
/// reports a failed exec, works until then.
fn close_at_exec(most: u64) {
    const CLOEXEC: nix::libc::c_uint = 4;
    // SAFETY: close_range(2) with CLOSE_RANGE_CLOEXEC touches no memory, and closes nothing that
    // this process still uses.
    #[allow(unsafe_code)]
    let done = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_close_range,
            3 as nix::libc::c_uint,
            nix::libc::c_uint::MAX,
            CLOEXEC,
        )
    };
    if done == 0 {
        return;
    }
    // A kernel of before 5.11: one by one.
    for fd in 3..i32::try_from(most).unwrap_or(1024) {
        // SAFETY: F_SETFD touches no memory; a number that is no descriptor is an error that
        // changes nothing.
        #[allow(unsafe_code)]
        let _ = unsafe { nix::libc::fcntl(fd, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) };
    }
}

/// Gives the child an empty signal mask, where ours holds something back
/// ([`crate::signals::Watch`]).
#[allow(unsafe_code)]
pub(crate) fn release_signals(command: &mut Command) {
    if SigSet::thread_get_mask().is_ok_and(|mask| mask == SigSet::empty()) {
        return;
    }
    // SAFETY: sigprocmask(2) is async-signal-safe, and the set is built on the stack.
    unsafe {
        command.pre_exec(|| SigSet::empty().thread_set_mask().map_err(Into::into));
    }
}

/// Makes a child that would be root's run as this user, in a session of its own: the last word
/// before exec.
#[allow(unsafe_code)]
pub(super) fn at_least(command: &mut Command, user: &Identity) {
    let groups: Vec<Gid> = user.groups.iter().map(|g| Gid::from_raw(*g)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    // SAFETY: plain system calls, which are async-signal-safe; what they need was allocated before.
    unsafe {
        command.pre_exec(move || {
            if !nix::unistd::geteuid().is_root() {
                return Ok(());
            }
            let _ = nix::unistd::setsid();
            nix::unistd::setgroups(&groups)?;
            nix::unistd::setgid(gid)?;
            nix::unistd::setuid(uid)?;
            Ok(())
        });
    }
}

/// Takes the child to the mounts of a namespace, and to a directory there.
#[allow(unsafe_code)]
pub(super) fn enter_mounts(
    command: &mut Command,
    namespace: Arc<OwnedFd>,
    dir: Option<&Path>,
) -> Result<()> {
    let dir = dir
        .map(|dir| CString::new(dir.as_os_str().as_bytes()))
        .transpose()
        .map_err(|_| Error::usage("a directory's name holds a NUL byte"))?;
    // SAFETY: setns(2) and chdir(2) are async-signal-safe, and what they need was allocated before.
    unsafe {
        command.pre_exec(move || {
            nix::sched::setns(namespace.as_fd(), nix::sched::CloneFlags::CLONE_NEWNS)?;
            if let Some(dir) = &dir {
                nix::unistd::chdir(dir.as_c_str())?;
            }
            Ok(())
        });
    }
    Ok(())
}

/// Gives the child an end of its address space.
#[allow(unsafe_code)]
pub(super) fn bound_memory(command: &mut Command, bytes: u64) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let bytes = getrlimit(Resource::RLIMIT_AS).map_or(bytes, |(soft, _)| soft.min(bytes));
    // SAFETY: setrlimit(2) is async-signal-safe, and the numbers are copied.
    unsafe {
        command.pre_exec(move || setrlimit(Resource::RLIMIT_AS, bytes, bytes).map_err(Into::into));
    }
}

/// How a daemon starts a job, beside its user and environment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detached {
    /// The umask.
    pub umask: u32,
}

impl Detached {
    /// Prepares the child; `session` where nothing else gives it a session of its own.
    #[allow(unsafe_code)]
    pub(super) fn prepare(self, command: &mut Command, session: bool) {
        let umask = nix::sys::stat::Mode::from_bits_truncate(self.umask);
        // SAFETY: setsid(2), umask(2) and dup2(2) are async-signal-safe. Descriptors 1 and 2 are
        // the child's own pipes by now: std has put them in place before it calls this.
        unsafe {
            command.pre_exec(move || {
                if session {
                    nix::unistd::setsid()?;
                }
                nix::sys::stat::umask(umask);
                if nix::libc::dup2(1, 2) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
    }
}

/// Gives a program that is to outlive us a session of its own, away from our terminal, and a clean
/// signal mask.
#[allow(unsafe_code)]
pub fn own_session(command: &mut Command) {
    // SAFETY: sigprocmask(2) and setsid(2) are async-signal-safe, and the set is built on the
    // stack.
    unsafe {
        command.pre_exec(|| {
            SigSet::empty().thread_set_mask()?;
            nix::unistd::setsid()?;
            Ok(())
        });
    }
}
