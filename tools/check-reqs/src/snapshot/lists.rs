//! Kinds of which a host has many: distributions, packages, accounts, services, ports.

use super::tables::{Table, look, table};
use crate::accounts;
use crate::check::postgres::{Connection, query_failed};
use crate::check::{file, port, python, service};
use crate::finding::Verdict;
use crate::programs;
use crate::scene::Scene;
use crate::secret::masked;
use base::clock::Deadline;
use base::{Error, Result};
use distro::Manager;
use nix::unistd::{Group, User, getgrouplist};
use serde_json::json;
use std::collections::HashSet;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// From this version on.
pub fn at_least(version: &str) -> String {
    format!(">={version}")
}

/// Every distribution of an environment, exactly as it is.
pub fn dists(scene: &Scene, place: Option<&str>, deadline: Deadline) -> Result<Vec<Table>> {
    let default = || programs::find("python3").map(|path| python::behind_shim(&path, deadline));
    let path = place
        .map(PathBuf::from)
        .or_else(default)
        .ok_or_else(|| Error::failed("there is no python3 on PATH"))?;
    let index = scene.dists(&path);
    let index = index
        .as_ref()
        .as_ref()
        .map_err(|why| Error::failed(why.clone()))?;
    let mut names: Vec<_> = index
        .dists
        .values()
        .filter(|dist| !dist.version.is_empty())
        .collect();
    names.sort_by(|a, b| a.key.cmp(&b.key));
    let tables = names.into_iter().map(|dist| {
        let version = format!("=={}", dist.version);
        table(
            "dist",
            &[
                ("name", Some(&dist.key)),
                ("version", Some(&version)),
                ("venv", place),
            ],
        )
    });
    Ok(tables.collect())
}

/// The packages that somebody asked for; on Debian those that apt did not install as dependencies.
pub fn packages(scene: &Scene) -> Result<Vec<Table>> {
    let db = scene
        .packages()
        .as_ref()
        .map_err(|why| Error::failed(why.clone()))?;
    let automatic: HashSet<String> = match scene.distro.manager() {
        Some(Manager::Apt) => {
            automatic(&fs::read_to_string("/var/lib/apt/extended_states").unwrap_or_default())
        }
        _ => HashSet::new(),
    };
    let asked = db
        .all()
        .into_iter()
        .filter(|package| !automatic.contains(&package.name));
    Ok(asked
        .map(|package| {
            table(
                "package",
                &[
                    ("name", Some(&package.name)),
                    (
                        "version",
                        package.version.as_deref().map(at_least).as_deref(),
                    ),
                ],
            )
        })
        .collect())
}

fn automatic(states: &str) -> HashSet<String> {
    states
        .split("\n\n")
        .filter(|paragraph| {
            paragraph
                .lines()
                .any(|line| line.trim() == "Auto-Installed: 1")
        })
        .filter_map(|paragraph| {
            paragraph
                .lines()
                .find_map(|line| line.strip_prefix("Package: "))
                .map(str::to_string)
        })
        .collect()
}

/// The extensions that are created in the database, or one that is available.
pub fn extensions(
    name: Option<&str>,
    place: Option<&str>,
    scene: &Scene,
    deadline: Deadline,
) -> Result<Vec<Table>> {
    let connection = Connection::to(place);
    let failed = |finding: crate::finding::Finding| Error::failed(masked(&finding.msg));
    let mut connected = connection
        .open(scene, deadline)
        .map_err(|finding| failed(*finding))?;
    let rows = connected.client.query("SELECT extname, extversion FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY 1", &[]);
    let rows = rows.map_err(|error| failed(query_failed(&error)))?;
    let all = rows
        .iter()
        .map(|row| (row.get::<_, String>(0), row.get::<_, String>(1)));
    let chosen = all.filter(|(extension, _)| name.is_none_or(|name| name == extension));
    let tables: Vec<Table> = chosen
        .map(|(extension, version)| {
            let pairs = [
                ("name", Some(extension.as_str())),
                ("version", Some(&at_least(&version))),
                ("connection", place),
            ]
            .map(|(key, value)| (key, value.map(str::to_string)));
            let mut made = table(
                "extension",
                &pairs
                    .each_ref()
                    .map(|(key, value)| (*key, value.as_deref())),
            );
            made.insert("created".into(), json!(true));
            made
        })
        .collect();
    match (tables.is_empty(), name) {
        (true, Some(name)) => Err(Error::failed(format!(
            "the extension {name} is not created in {}",
            connected.target.database
        ))),
        _ => Ok(tables),
    }
}

/// An account with its groups, home and shell.
pub fn user(name: &str) -> Result<Table> {
    let found = User::from_name(name).ok().flatten();
    found
        .map(|user| account(&user))
        .ok_or_else(|| Error::failed(format!("there is no user {name}")))
}

fn account(user: &User) -> Table {
    let groups = CString::new(user.name.as_str())
        .ok()
        .and_then(|name| getgrouplist(&name, user.gid).ok())
        .unwrap_or_default();
    let groups: Vec<String> = groups
        .iter()
        .filter(|gid| **gid != user.gid)
        .map(|gid| accounts::group_name_of(gid.as_raw()))
        .collect();
    let (home, shell) = (
        user.dir.display().to_string(),
        user.shell.display().to_string(),
    );
    let mut made = table(
        "user",
        &[
            ("name", Some(&user.name)),
            ("home", Some(&home)),
            ("shell", Some(&shell)),
        ],
    );
    if !groups.is_empty() {
        made.insert("groups".into(), json!(groups));
    }
    made
}

/// People's accounts: 1000 to 59999, as useradd's defaults and Debian Policy 9.2.2 have it.
pub fn users() -> Result<Vec<Table>> {
    let text = fs::read_to_string("/etc/passwd")
        .map_err(|error| Error::io("cannot read /etc/passwd", &error))?;
    let names = text.lines().filter_map(|line| {
        let mut parts = line.split(':');
        let (name, uid) = (parts.next()?, parts.nth(1)?.parse::<u32>().ok()?);
        (1000..60000).contains(&uid).then_some(name)
    });
    Ok(names.filter_map(|name| user(name).ok()).collect())
}

/// A group with its members.
pub fn group(name: &str) -> Result<Table> {
    let found = Group::from_name(name).ok().flatten();
    let group = found.ok_or_else(|| Error::failed(format!("there is no group {name}")))?;
    let mut made = table("group", &[("name", Some(name))]);
    if !group.mem.is_empty() {
        made.insert("members".into(), json!(group.mem));
    }
    Ok(made)
}

/// A directory with its owner, group and mode.
pub fn directory(path: &str) -> Result<Table> {
    let meta = fs::metadata(path).map_err(|error| Error::io(path, &error))?;
    let (owner, group) = (
        accounts::name_of(meta.uid()),
        accounts::group_name_of(meta.gid()),
    );
    let mode = format!("{:04o}", meta.mode() & 0o7777);
    let kind = file::kind(meta.file_type());
    Ok(table(
        "file",
        &[
            ("path", Some(path)),
            ("kind", Some(kind)),
            ("owner", Some(&owner)),
            ("group", Some(&group)),
            ("mode", Some(&mode)),
        ],
    ))
}

/// The services that run.
pub fn services(scene: &Scene, deadline: Deadline) -> Vec<Table> {
    let tables = service::names(deadline)
        .into_iter()
        .map(|name| table("service", &[("name", Some(&name))]));
    tables
        .filter(|table| {
            look(table, scene, deadline).is_ok_and(|finding| finding.verdict == Verdict::Met)
        })
        .collect()
}

/// The ports that are listened on.
pub fn ports() -> Vec<Table> {
    port::listening()
        .into_iter()
        .map(|(address, port)| {
            let mut made = table(
                "port",
                &[(
                    "address",
                    (!address.is_unspecified())
                        .then(|| address.to_string())
                        .as_deref(),
                )],
            );
            made.insert("port".into(), json!(port));
            made
        })
        .collect()
}
