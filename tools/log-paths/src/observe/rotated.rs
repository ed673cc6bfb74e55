//! What logrotate does with a log, and whether whoever opens the log could go on.

use crate::access::{Access, Judge};
use crate::log::{Opener, Target};
use crate::open::Open;
use crate::rotation::{self, Action, Fate, Rotated, Rotation, Stanza};
use crate::service;
use crate::site::Site;
use crate::users::Account;
use rustix::fs::Stat;
use std::path::Path;
use std::sync::Arc;

/// The rotation of a log that only its processes know of.
pub fn unconfigured(site: &Site, rotation: &Rotation, open: &Open) -> Option<Rotated> {
    if !open.in_place || open.foreign {
        return None;
    }
    let mut rotated = Rotated::default();
    match rotation.fate(&site.files, &open.path, Some(&open.stat)) {
        Fate::Rotated(stanza) => {
            rotated.actions = scripts(stanza);
            rotated.by = Some(Arc::clone(stanza));
        }
        Fate::Skipped(stanza, why) => rotated.skipped = Some((Arc::clone(stanza), why)),
        Fate::Unnamed => {}
    }
    Some(rotated)
}

/// What logrotate does with a configured log.
pub fn rotated(
    site: &Site,
    judge: &Judge<'_>,
    rotation: &Rotation,
    path: &Path,
    (own, file): (Option<&Stat>, Option<&Stat>),
    target: &Target,
    account: Option<&Account>,
) -> Rotated {
    let mut rotated = Rotated {
        second: rotation.second(path).map(|stanza| stanza.source.clone()),
        ..Rotated::default()
    };
    match rotation.fate(&site.files, path, own) {
        Fate::Rotated(stanza) => {
            if let (Some(stat), Some(account)) = (file, account) {
                rotated.unwritable_after = unwritable(site, judge, stanza, stat, target, account);
            }
            rotated.actions = scripts(stanza);
            rotated.by = Some(Arc::clone(stanza));
        }
        Fate::Skipped(stanza, why) => rotated.skipped = Some((Arc::clone(stanza), why)),
        Fate::Unnamed => {}
    }
    let dir = path.parent().unwrap_or(path);
    if let Some(stat) = judge.directory(dir).filter(rotation::insecure) {
        rotated.insecure = true;
        rotated.su = su(site, judge, dir, &stat, file, account);
    }
    rotated
}

/// What the scripts of a stanza do, in the order in which they run.
fn scripts(stanza: &Stanza) -> Vec<Action> {
    let scripts = &stanza.scripts;
    [&scripts.first, &scripts.pre, &scripts.post, &scripts.last]
        .into_iter()
        .flatten()
        .flat_map(|text| rotation::actions(text))
        .collect()
}

/// Who could rotate in a directory that others can write: somebody who may write the directory and
/// the log.
fn su(
    site: &Site,
    judge: &Judge<'_>,
    dir: &Path,
    stat: &Stat,
    file: Option<&Stat>,
    account: Option<&Account>,
) -> Option<(String, String)> {
    let file_owner = file.map(|file| file.st_uid);
    let uids = [
        account.map(|account| account.uid),
        file_owner,
        Some(stat.st_uid),
    ];
    uids.into_iter()
        .flatten()
        .filter(|uid| *uid != 0)
        .find_map(|uid| {
            let name = site.users.user_name(uid);
            let account = site.users.account(&name)?;
            let group = if account.groups.contains(&stat.st_gid) {
                stat.st_gid
            } else {
                account.gid
            };
            let may = judge.may_create(&account, dir) == Access::Yes
                && file.is_none_or(|file| judge.may_write(&account, file));
            may.then(|| (name, site.users.group_name(group)))
        })
}

/// The file that logrotate would make, if whoever opens it afterwards could not write it.
fn unwritable(
    site: &Site,
    judge: &Judge<'_>,
    stanza: &Stanza,
    old: &Stat,
    target: &Target,
    account: &Account,
) -> Option<(String, String, u32)> {
    // nginx's master stays root and gives the new file to the worker itself. uwsgi's master is no
    // longer root when it opens the file again.
    let gives = target.opener == Opener::RootThenWorker
        && service::named(target.service).is_some_and(|service| service.reopen.gives);
    if gives || account.uid == 0 {
        return None;
    }
    let (uid, gid, mode) = stanza.created(&site.users, old)?;
    let mut new = *old;
    (new.st_uid, new.st_gid, new.st_mode) = (uid, gid, old.st_mode & 0o170_000 | mode);
    (!judge.may_write(account, &new))
        .then(|| (site.users.user_name(uid), site.users.group_name(gid), mode))
}
