//! What a unit is called: its whole name behind aliases, and the manager that has it.

use std::fs;
use std::path::Path;

use base::child::Identity as User;
use base::{Error, Result};

use super::USER_BACKEND;
use super::show::{Manager, Unit};
use crate::id::ServiceId;
use crate::service::Service;

pub fn check(service: &Service) -> Result<()> {
    let unit = &service.unit;
    let fine = !unit.is_empty()
        && !unit.starts_with('-')
        && unit
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || ":-_.\\@".contains(each));
    if !fine {
        return Err(Error::usage(format!("'{unit}' is not the name of a unit")));
    }
    match manager(service) {
        Manager::System => Ok(()),
        Manager::User(name) => User::of_name(&name).map(|_| ()),
    }
}

pub fn manager(service: &Service) -> Manager {
    if service.backend != USER_BACKEND.name {
        return Manager::System;
    }
    let own = || {
        let uid = rustix::process::geteuid().as_raw();
        User::of_uid(uid, uid)
            .ok()
            .and_then(|user| user.name)
            .unwrap_or_else(|| uid.to_string())
    };
    Manager::User(service.spec.user.clone().unwrap_or_else(own))
}

fn with_suffix(unit: &str) -> String {
    let suffixes = [
        ".service",
        ".socket",
        ".target",
        ".timer",
        ".path",
        ".mount",
        ".automount",
        ".slice",
        ".scope",
        ".swap",
        ".device",
    ];
    if suffixes.iter().any(|suffix| unit.ends_with(suffix)) {
        unit.to_owned()
    } else {
        format!("{unit}.service")
    }
}

/// Where systemd reads units and drop-ins from (systemd.unit(5)), the first before the others.
const PLACES: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Whether a drop-in on disk is none that systemd has read. NeedDaemonReload tells of changed
/// files, and not of the first drop-in of a unit: systemd remembers which directories there are.
pub fn has_unread_drop_in(name: &str, unit: &Unit) -> bool {
    let read = unit.list("DropInPaths");
    let known = |file: &str| {
        read.iter()
            .any(|path| path.rsplit('/').next() == Some(file))
    };
    let mut owners = vec![name.to_owned()];
    if let (Some((template, _)), Some((_, kind))) = (name.split_once('@'), name.rsplit_once('.')) {
        owners.push(format!("{template}@.{kind}"));
    }
    let directories = PLACES
        .iter()
        .flat_map(|place| owners.iter().map(move |owner| format!("{place}/{owner}.d")));
    let files = directories.filter_map(|directory| fs::read_dir(directory).ok());
    files.flatten().flatten().any(|entry| {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        // An empty one, and a link to /dev/null, stand for none.
        let holds = fs::metadata(entry.path()).is_ok_and(|meta| meta.is_file() && meta.len() > 0);
        file.ends_with(".conf") && !file.starts_with('.') && holds && !known(&file)
    })
}

/// The unit's name with its suffix; an alias is a link in one of systemd's directories, and the
/// link's end is the name.
pub fn unit(service: &Service) -> String {
    let name = with_suffix(&service.unit);
    if manager(service) != Manager::System {
        return name;
    }
    for place in PLACES {
        let path = Path::new(place).join(&name);
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        let end = meta
            .is_symlink()
            .then(|| fs::canonicalize(&path).ok())
            .flatten();
        let real = end
            .as_deref()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        return match real {
            // A template's link names the template, a mask leads to /dev/null.
            Some(real) if real != "null" && !real.contains("@.") => real.to_owned(),
            _ => name,
        };
    }
    name
}

pub fn id(service: &Service) -> ServiceId {
    let manager = match manager(service) {
        Manager::System => "system".to_owned(),
        Manager::User(name) => match User::of_name(&name) {
            Ok(user) => format!("user:{}", user.uid),
            Err(_) => format!("user:{name}"),
        },
    };
    ServiceId {
        manager,
        ..ServiceId::system(service.backend, unit(service))
    }
}

/// Managers in the order in which they come, each with the places of its services.
pub fn by_manager(services: &[&Service]) -> Vec<(Manager, Vec<usize>)> {
    let mut found: Vec<(Manager, Vec<usize>)> = Vec::new();
    for (at, service) in services.iter().enumerate() {
        let manager = manager(service);
        match found.iter_mut().find(|(each, _)| *each == manager) {
            Some((_, places)) => places.push(at),
            None => found.push((manager, vec![at])),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_suffix_is_a_service() {
        assert_eq!(with_suffix("aa"), "aa.service");
        assert_eq!(with_suffix("aa.service"), "aa.service");
        assert_eq!(with_suffix("a.b"), "a.b.service");
        assert_eq!(with_suffix("site.target"), "site.target");
    }
}
