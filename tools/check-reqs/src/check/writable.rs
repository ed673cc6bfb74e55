//! Whether a user may write to a path, as the kernel decides it: with that user's uid, gid and groups, through every directory above,
//! on a file system that may be mounted read-only. Reading mode bits answers a different question (no groups, no ACLs, no mounts).
//!
//! Credentials belong to threads in Linux (credentials(7)); only the C library makes them the process's. So the question is asked from
//! a thread of its own, which takes the user's groups, gid and uid, asks, and ends: a hundredth of what a child costs, and nothing of
//! the user's ever runs.

use super::{Check, Finding, Type, file};
use crate::accounts;
use crate::document::Fields;
use crate::fix::Fix;
use crate::scene::Scene;
use crate::shell::shell;
use base::Result;
use base::clock::Deadline;
use nix::unistd::{User, geteuid, getgrouplist};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// `type = "writable"`.
pub const TYPE: Type = Type {
    name: "writable",
    about: "a path that a user may write to (into, if it is a directory)",
    keys: &[
        ("path", "the path"),
        ("user", "who has to be able to write (who runs the check)"),
    ],
    read,
};

struct Writable {
    path: PathBuf,
    user: Option<String>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    Ok(Box::new(Writable {
        path: fields.required("path")?.into(),
        user: fields.text("user")?,
    }))
}

/// What the kernel says to a user.
#[derive(Debug, PartialEq)]
enum Answer {
    Yes,
    No(Errno),
    /// The caller may not take that user's place.
    CannotAsk,
}

/// Asks the kernel as `user`, in a thread that has taken that user's place; as the caller where there is none. `None` where the caller may
/// not.
fn access_as(user: Option<&User>, path: &Path, wanted: Access) -> Option<Result<(), Errno>> {
    let access = || accessat(CWD, path, wanted, AtFlags::EACCESS);
    let Some(user) = user.filter(|user| user.uid != geteuid()) else {
        return Some(access());
    };
    let groups: Vec<rustix::thread::Gid> = CString::new(user.name.as_str())
        .ok()
        .and_then(|name| getgrouplist(&name, user.gid).ok())
        .unwrap_or_else(|| vec![user.gid])
        .into_iter()
        .map(|gid| rustix::thread::Gid::from_raw(gid.as_raw()))
        .collect();
    let (uid, gid) = (
        rustix::thread::Uid::from_raw(user.uid.as_raw()),
        rustix::thread::Gid::from_raw(user.gid.as_raw()),
    );
    let become_user = || {
        set_thread_groups(&groups)
            .and_then(|()| set_thread_res_gid(gid, gid, gid))
            .and_then(|()| set_thread_res_uid(uid, uid, uid))
    };
    let asked =
        std::thread::scope(|scope| scope.spawn(|| become_user().ok().map(|()| access())).join());
    asked.unwrap_or(None)
}

fn ask(path: &Path, user: Option<&User>) -> Answer {
    let wanted = if path.is_dir() {
        Access::WRITE_OK | Access::EXEC_OK
    } else {
        Access::WRITE_OK
    };
    match access_as(user, path, wanted) {
        Some(Ok(())) => Answer::Yes,
        Some(Err(errno)) => Answer::No(errno),
        None => Answer::CannotAsk,
    }
}

impl Writable {
    fn who(&self) -> String {
        self.user
            .clone()
            .unwrap_or_else(|| file::user_name(geteuid().as_raw()))
    }

    fn refusal(&self, errno: Errno, user: Option<&User>) -> Finding {
        let (shown, who) = (self.path.display().to_string(), self.who());
        if errno == Errno::ROFS {
            return Finding::unmet(
                "read_only",
                format!("{shown} is on a file system that is mounted read-only"),
            )
            .fix(Fix::advice(format!(
                "mount the file system of {shown} writable, or choose another place"
            )));
        }
        let Ok(meta) = fs::metadata(&self.path) else {
            return Finding::unmet(
                "not_writable",
                format!(
                    "{who} cannot reach {shown}: {}",
                    base::error::plain(&errno.into())
                ),
            );
        };
        let found = format!(
            "owner {}, group {}, mode {:04o}",
            file::user_name(meta.uid()),
            file::group_name(meta.gid()),
            meta.mode() & 0o7777
        );
        let blocked = self
            .path
            .ancestors()
            .skip(1)
            .find(|up| !up.as_os_str().is_empty() && !searchable(up, user));
        if let Some(up) = blocked {
            let up = up.display().to_string();
            return Finding::unmet(
                "not_reachable",
                format!("{who} may not pass through {up}, which is above {shown}"),
            )
            .found(found)
            .fix(Fix::root(
                format!("let {who} pass through {up}"),
                vec![shell(&["chmod", "a+x", "--", &up])],
            ));
        }
        let mut commands = vec![shell(&["chown", &who, "--", &shown])];
        if meta.mode() & 0o200 == 0 || (meta.is_dir() && meta.mode() & 0o300 != 0o300) {
            commands.push(shell(&["chmod", "u+rwX", "--", &shown]));
        }
        Finding::unmet(
            "not_writable",
            format!("{who} may not write to {shown} ({found})"),
        )
        .found(found)
        .fix(Fix::root(format!("give {shown} to {who}"), commands))
    }
}

fn searchable(dir: &Path, user: Option<&User>) -> bool {
    access_as(user, dir, Access::EXEC_OK) != Some(Err(Errno::ACCESS))
}

impl Check for Writable {
    fn subject(&self) -> String {
        self.path.display().to_string()
    }

    fn expected(&self) -> String {
        format!("{} may write to {}", self.who(), self.path.display())
    }

    fn how(&self) -> String {
        "faccessat(2) with the user's own uid, gid and groups".into()
    }

    fn look(&self, _: &Scene, _: Deadline) -> Finding {
        let shown = self.path.display().to_string();
        let user = match &self.user {
            None => None,
            Some(name) => match accounts::user(name) {
                Ok(Some(user)) => Some(user),
                Ok(None) => {
                    return Finding::unmet("no_user", format!("there is no user {name}"))
                        .fix(super::user::creation(name, &[], None));
                }
                Err(why) => return Finding::unknown("error", why),
            },
        };
        match ask(&self.path, user.as_ref()) {
            Answer::Yes => Finding::met("writable", format!("{} may write to {shown}", self.who())),
            Answer::CannotAsk => Finding::unknown(
                "permission",
                format!(
                    "only root can tell whether {} may write to {shown}",
                    self.who()
                ),
            ),
            Answer::No(Errno::NOENT) => {
                let who = self.who();
                Finding::unmet("missing", format!("{shown} is not there")).fix(Fix::root(
                    format!("make the directory {shown} for {who}"),
                    vec![shell(&["install", "-d", "-o", &who, &shown])],
                ))
            }
            Answer::No(errno) => self.refusal(errno, user.as_ref()),
        }
    }
}
