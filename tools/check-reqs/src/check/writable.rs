//! Whether a user may write to a path, as the kernel decides it: with that user's uid, gid and
//! groups, through every directory above, on a file system that may be mounted read-only. Reading
//! mode bits answers a different question (no groups, no ACLs, no mounts).
//!
//! Credentials belong to threads in Linux (credentials(7)); only the C library makes them the
//! process's. So the question is asked from a thread of its own, which takes the user's groups, gid
//! and uid, asks, and ends: a hundredth of what a child costs, and nothing of the user's ever runs.

use crate::accounts;
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::shell;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Short};
use base::Result;
use base::clock::Deadline;
use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};
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
    about: "a file or directory that a user may write to",
    keys: &[
        ("path", "the path"),
        ("user", "the user that has to be able to write (the caller)"),
    ],
    short: Short {
        words: &["writable"],
        colon: true,
        forms: &["writable:PATH[:USER]"],
        example: "writable:/srv/media:deployer",
        read: |_, rest| Ok(short::subject(rest, ':', "path", "user")),
    },
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

/// Asks the kernel as `user`, in a thread that has taken that user's place; as the caller where
/// there is none. `None` where the caller may not.
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
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .spawn_scoped(scope, || become_user().ok().map(|()| access()))
            .ok()?
            .join()
            .unwrap_or(None)
    })
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
            .unwrap_or_else(|| accounts::name_of(geteuid().as_raw()))
    }

    fn refusal(&self, scene: &Scene, errno: Errno, user: Option<&User>) -> Finding {
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
            accounts::name_of(meta.uid()),
            accounts::group_name_of(meta.gid()),
            meta.mode() & 0o7777
        );
        let blocked = self
            .path
            .ancestors()
            .skip(1)
            .find(|up| !up.as_os_str().is_empty() && !searchable(up, user));
        if let Some(up) = blocked {
            return Finding::unmet(
                "not_reachable",
                format!(
                    "{who} may not pass through {}, which is above {shown}",
                    up.display()
                ),
            )
            .found(found)
            .fix(passage(scene, &who, up));
        }
        Finding::unmet(
            "not_writable",
            format!("{who} may not write to {shown} ({found})"),
        )
        .found(found)
        .fix(self.grant(scene, &who, &meta))
    }

    /// Gives the right that is asked for, and no other. A path of root in no place of the system
    /// becomes the user's; from another owner nothing is taken, and the user gets an entry of its
    /// own.
    fn grant(&self, scene: &Scene, who: &str, meta: &fs::Metadata) -> Fix {
        let shown = self.path.display().to_string();
        // A directory of root that others may write into is shared: it keeps its owner.
        let alone = meta.uid() == 0 && meta.mode() & 0o022 == 0;
        if fix::is_of_system(&self.path) && !is_below_etc(&self.path, meta) {
            return Fix::advice(format!(
                "choose another place than {shown}, or give {who} the right by hand: the path belongs to the system"
            ));
        }
        if alone && !fix::is_of_system(&self.path) {
            let mut lines = vec![shell(&["chown", who, "--", &shown])];
            if meta.mode() & 0o200 == 0 || (meta.is_dir() && meta.mode() & 0o300 != 0o300) {
                lines.push(shell(&["chmod", "u+rwX", "--", &shown]));
            }
            return fix::root(format!("give {shown} to {who}"), lines);
        }
        let rights = if meta.is_dir() { "rwx" } else { "rw" };
        acl(
            scene,
            format!("let {who} write to {shown}, whose owner stays"),
            &format!("u:{who}:{rights}"),
            &shown,
        )
    }
}

/// A directory of a service's configuration, such as /etc/nginx/sites-enabled.
fn is_below_etc(path: &Path, meta: &fs::Metadata) -> bool {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    meta.is_dir() && real.starts_with("/etc") && real.components().count() >= 4
}

/// Lets the user pass through a directory, and nobody else.
fn passage(scene: &Scene, who: &str, up: &Path) -> Fix {
    let shown = up.display().to_string();
    match fix::is_of_system(up) {
        true => Fix::advice(format!(
            "choose a place outside {shown}, which is closed to {who} for a reason"
        )),
        false => acl(
            scene,
            format!("let {who} pass through {shown}"),
            &format!("u:{who}:x"),
            &shown,
        ),
    }
}

/// One entry of an access control list. setfacl(1) adds the entry and leaves the others.
fn acl(scene: &Scene, summary: String, entry: &str, path: &str) -> Fix {
    let mut lines = match crate::programs::find("setfacl") {
        Some(_) => Vec::new(),
        None => fix::install_lines(scene, &["acl"]).unwrap_or_default(),
    };
    lines.push(shell(&["setfacl", "-m", entry, "--", path]));
    fix::root(summary, lines)
}

/// The account of a user of this name, or of this number; a number without an account has no
/// groups.
fn account(name: &str) -> Result<Option<User>, String> {
    if let Some(uid) = fix::is_number(name)
        .then(|| name.parse::<u32>().ok())
        .flatten()
    {
        let uid = Uid::from_raw(uid);
        let known = User::from_uid(uid)
            .map_err(|errno| format!("cannot look up the user {name}: {}", errno.desc()))?;
        // 65534 is the group that owns nothing (nogroup).
        return Ok(known.or_else(|| Some(nameless(uid, name))));
    }
    accounts::user(name)
}

fn nameless(uid: Uid, name: &str) -> User {
    User {
        name: name.to_owned(),
        passwd: CString::default(),
        uid,
        gid: Gid::from_raw(65534),
        gecos: CString::default(),
        dir: PathBuf::from("/"),
        shell: PathBuf::from("/bin/false"),
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

    fn look(&self, scene: &Scene, _: Deadline) -> Finding {
        let shown = self.path.display().to_string();
        let user = match &self.user {
            None => None,
            Some(name) => match account(name) {
                Ok(Some(user)) => Some(user),
                Ok(None) => {
                    return Finding::unmet("no_user", format!("there is no user {name}"))
                        .fix(fix::creation(name, &[], None));
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
                let finding = Finding::unmet("missing", format!("{shown} is not there"));
                // What is a link to nothing is somebody's work.
                match self.path.symlink_metadata() {
                    Ok(_) => finding.fix(Fix::advice(format!("restore what {shown} leads to"))),
                    Err(_) => finding.fix(fix::root(
                        format!("make the directory {shown} for {who}"),
                        vec![shell(&["install", "-d", "-o", &who, "--", &shown])],
                    )),
                }
            }
            Answer::No(errno) => self.refusal(scene, errno, user.as_ref()),
        }
    }
}
