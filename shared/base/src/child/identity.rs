//! What has to happen between fork and exec, which Rust calls unsafe; this module is the one place where it is done. Becoming another
//! user: groups, group, user, in that order, as setpriv(1) and su(1) do. And giving the child a signal mask that holds nothing back:
//! std lets it inherit ours.

use crate::error::{Error, Kind, Result};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid, User};
use std::ffi::CString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

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
                format!("there is no user \"{}\"", crate::terminal::escape(name)),
            )),
            Err(e) => Err(Error::io(
                format!(
                    "cannot look up the user \"{}\"",
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
            Ok(None) => Ok(Identity {
                uid,
                gid,
                groups: vec![gid],
                name: None,
                home: None,
            }),
            Err(e) => Err(Error::io(
                format!("cannot look up the user {uid}"),
                &e.into(),
            )),
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

    /// Makes the command run as this user.
    #[allow(unsafe_code)]
    pub(crate) fn apply(&self, command: &mut Command) {
        if self.is_current() {
            return;
        }
        let groups: Vec<Gid> = self.groups.iter().map(|g| Gid::from_raw(*g)).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        // SAFETY: between fork and exec only async-signal-safe calls are allowed: these three are plain system calls, and the vector was
        // built before.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setgroups(&groups)?;
                nix::unistd::setgid(gid)?;
                nix::unistd::setuid(uid)?;
                Ok(())
            });
        }
    }
}

/// Gives the child an empty signal mask, where ours holds something back ([`crate::signals::Watch`]).
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

/// Gives a program that is to outlive us a session of its own, away from our terminal, and a clean signal mask.
#[allow(unsafe_code)]
pub fn own_session(command: &mut Command) {
    // SAFETY: sigprocmask(2) and setsid(2) are async-signal-safe, and the set is built on the stack.
    unsafe {
        command.pre_exec(|| {
            SigSet::empty().thread_set_mask()?;
            nix::unistd::setsid()?;
            Ok(())
        });
    }
}
