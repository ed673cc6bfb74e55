//! One configured log: its name, its file, its directory, who may write it, and what logrotate does
//! with it.

use super::rotated::rotated;
use crate::access::{Access, Judge};
use crate::log::{Opener, Sink, Target};
use crate::observed::{Names, Seen};
use crate::rotation::{Rotated, Rotation};
use crate::site::Site;
use crate::users::Account;
use conf::files::Files;
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::path::Path;

/// A stat that was answered, by a file or by its absence.
pub fn looked(stat: Result<Stat, Errno>) -> Option<Option<Stat>> {
    match stat {
        Ok(stat) => Some(Some(stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Some(None),
        Err(_) => None,
    }
}

/// The file systems of processes with a mount namespace of their own (PrivateTmp=), each opened
/// once.
#[derive(Default)]
pub struct Views {
    known: BTreeMap<u32, Option<Files>>,
}

impl Views {
    /// The file system that a log's process sees, where that is not ours.
    pub fn of(&mut self, site: &Site, target: &Target) -> Option<&Files> {
        if !matches!(target.sink, Sink::File(_)) {
            return None;
        }
        let pid = target.pid?;
        let open = || {
            let process = site.processes().iter().find(|process| process.pid == pid)?;
            let elsewhere = process.elsewhere() == Some(true);
            let root = format!("/proc/{pid}/root");
            elsewhere
                .then(|| Files::below(Path::new(&root)).ok())
                .flatten()
        };
        self.known.entry(pid).or_insert_with(open).as_ref()
    }
}

/// Where a log is looked at.
pub struct Place<'a> {
    pub site: &'a Site,
    pub files: &'a Files,
    pub judge: &'a Judge<'a>,
    /// The host's logrotate; a container's logs are not its.
    pub rotation: Option<&'a Rotation>,
}

/// Looks at one configured log.
pub fn see(
    place: &Place<'_>,
    mut target: Target,
    own: Option<Option<Option<Stat>>>,
    names: &mut Names,
) -> Seen {
    let (site, judge, files) = (place.site, place.judge, place.files);
    let unseen = |target| Seen {
        target,
        looked: false,
        own: None,
        file: None,
        link: None,
        dir: None,
        writable: Access::Unknown,
        reopenable: Access::Unknown,
        rotation: Rotated::default(),
        owner: None,
        newer: false,
    };
    let Sink::File(path) = target.sink.clone() else {
        return unseen(target);
    };
    let own = own.unwrap_or_else(|| looked(files.lstat(&path)));
    let looked = own.is_some();
    let own = own.flatten();
    let is_link =
        own.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    let link = if is_link { files.link(&path) } else { None };
    // The official images link their logs to the standard streams.
    if let Some(stream) = link.as_deref().and_then(stream) {
        target.sink = Sink::Stdio(stream);
        return unseen(target);
    }
    let file = if is_link { files.stat(&path).ok() } else { own };
    if let Some(stat) = &file {
        names.note(&site.users, stat);
    }
    let account = target
        .by
        .as_deref()
        .or(target.user.as_deref())
        .and_then(|user| site.users.account(user));
    let root = Account {
        uid: 0,
        gid: 0,
        groups: vec![0],
    };
    let first = if target.opener == Opener::RootThenWorker {
        Some(&root)
    } else {
        account.as_ref()
    };
    let ask = |account: Option<&Account>| match account {
        Some(account) if looked => judge.may_append(account, &path, own.as_ref()),
        _ => Access::Unknown,
    };
    let writable = ask(first);
    let reopenable = match target.opener {
        // The master makes the file and gives it to the worker, who must only be able to get there.
        Opener::RootThenWorker => account.as_ref().map_or(Access::Unknown, |account| {
            judge.may_enter(account, path.parent().unwrap_or(&path))
        }),
        Opener::Worker | Opener::Service => writable.clone(),
    };
    let rotated = place.rotation.map_or_else(Rotated::default, |rotation| {
        rotated(
            site,
            judge,
            rotation,
            &path,
            (own.as_ref(), file.as_ref()),
            &target,
            account.as_ref(),
        )
    });
    let owner = match (&file, first) {
        (Some(stat), _) => Some((
            site.users.user_name(stat.st_uid),
            site.users.group_name(stat.st_gid),
        )),
        (None, Some(account)) => Some((
            site.users.user_name(account.uid),
            site.users.group_name(account.gid),
        )),
        _ => None,
    };
    Seen {
        own,
        file,
        link,
        dir: path.parent().and_then(|dir| judge.directory(dir)),
        writable,
        reopenable,
        rotation: rotated,
        owner,
        looked,
        newer: false,
        target,
    }
}

/// The standard stream that a link leads to.
fn stream(target: &Path) -> Option<&'static str> {
    match target.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Some("stdout"),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Some("stderr"),
        _ => None,
    }
}
