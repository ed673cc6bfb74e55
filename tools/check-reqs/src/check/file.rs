//! A path: there or not, of which type, whose, with which mode. Links are followed unless a symlink is what is asked for.

use super::{Check, Finding, Type};
use crate::document::Fields;
use crate::fix::Fix;
use crate::scene::Scene;
use crate::shell::shell;
use base::Result;
use base::clock::Deadline;
use nix::unistd::{Gid, Group, Uid, User};
use std::fs::{self, FileType, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

/// `type = "file"`.
pub const TYPE: Type = Type {
    name: "file",
    about: "a file, directory, link or socket: its type, owner, group and mode, or that it is absent",
    keys: &[
        ("path", "the path"),
        (
            "kind",
            "file, directory, symlink, socket, fifo, block or character",
        ),
        ("owner", "a user"),
        ("group", "a group"),
        ("mode", "in octal, in quotes"),
        ("target", "where a symlink leads"),
        ("absent", "true: nothing may be there"),
    ],
    read,
};

const KINDS: &[&str] = &[
    "file",
    "directory",
    "symlink",
    "socket",
    "fifo",
    "block",
    "character",
];

struct Path {
    path: PathBuf,
    kind: Option<String>,
    owner: Option<String>,
    group: Option<String>,
    mode: Option<u32>,
    target: Option<String>,
    absent: bool,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let path = Path {
        path: fields.required("path")?.into(),
        kind: fields.choice("kind", KINDS)?,
        owner: fields.text("owner")?,
        group: fields.text("group")?,
        mode: fields.parsed("mode", mode)?,
        target: fields.text("target")?,
        absent: fields.flag("absent")?.unwrap_or(false),
    };
    if path.absent
        && (path.kind.is_some()
            || path.owner.is_some()
            || path.group.is_some()
            || path.mode.is_some())
    {
        return Err(fields.error("absent", "what is absent has no kind, owner, group or mode"));
    }
    Ok(Box::new(path))
}

fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text.trim_start_matches("0o"), 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err(format!(
            "'{text}' is not a mode: write it in octal, in quotes, such as \"2775\""
        )),
    }
}

/// The type of a file in the words of [`KINDS`].
pub fn kind(of: FileType) -> &'static str {
    match of {
        of if of.is_file() => "file",
        of if of.is_dir() => "directory",
        of if of.is_symlink() => "symlink",
        of if of.is_socket() => "socket",
        of if of.is_fifo() => "fifo",
        of if of.is_block_device() => "block",
        _ => "character",
    }
}

/// A user's name, or its number where it has none.
pub fn user_name(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid))
        .ok()
        .flatten()
        .map_or_else(|| uid.to_string(), |user| user.name)
}

/// A group's name, or its number where it has none.
pub fn group_name(gid: u32) -> String {
    Group::from_gid(Gid::from_raw(gid))
        .ok()
        .flatten()
        .map_or_else(|| gid.to_string(), |group| group.name)
}

/// Whether a number is what a name (or a number) stands for; `None` where the name stands for nothing.
fn is_user(name: &str, uid: u32) -> Option<bool> {
    match name.parse::<u32>() {
        Ok(number) => Some(number == uid),
        Err(_) => User::from_name(name)
            .ok()
            .flatten()
            .map(|user| user.uid.as_raw() == uid),
    }
}

fn is_group(name: &str, gid: u32) -> Option<bool> {
    match name.parse::<u32>() {
        Ok(number) => Some(number == gid),
        Err(_) => Group::from_name(name)
            .ok()
            .flatten()
            .map(|group| group.gid.as_raw() == gid),
    }
}

impl Path {
    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn absent_finding(&self, meta: std::io::Result<Metadata>) -> Finding {
        match meta {
            Ok(meta) => {
                let command = match meta.is_dir() {
                    true => Fix::advice(format!(
                        "remove the directory {} if nothing in it is needed",
                        self.shown()
                    )),
                    false => Fix::root(
                        format!("remove {}", self.shown()),
                        vec![shell(&["rm", "--", &self.shown()])],
                    ),
                };
                Finding::unmet(
                    "present",
                    format!("{} is there and should not be", self.shown()),
                )
                .found(kind(meta.file_type()))
                .fix(command)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Finding::met("absent", format!("{} is not there", self.shown()))
            }
            Err(error) => Finding::io(self.shown(), &error),
        }
    }

    /// How a missing directory is made; a missing file is somebody's work.
    fn creation(&self) -> Fix {
        let shown = self.shown();
        if self.kind.as_deref() == Some("symlink") {
            if let Some(target) = &self.target {
                return Fix::root(
                    format!("make the link {shown}"),
                    vec![shell(&["ln", "-s", "--", target, &shown])],
                );
            }
        }
        if self.kind.as_deref() != Some("directory") {
            return Fix::advice(format!("put {shown} in place"));
        }
        let mode = self.mode.map(|mode| format!("{mode:o}"));
        let mut words = vec!["install", "-d"];
        for (option, value) in [("-o", &self.owner), ("-g", &self.group), ("-m", &mode)] {
            if let Some(value) = value {
                words.extend([option, value]);
            }
        }
        words.push(&shown);
        Fix::root(format!("make the directory {shown}"), vec![shell(&words)])
    }
}

impl Check for Path {
    fn subject(&self) -> String {
        self.shown()
    }

    fn expected(&self) -> String {
        if self.absent {
            return format!("{} absent", self.shown());
        }
        let mut words = vec![self.kind.clone().unwrap_or_else(|| "there".into())];
        words.extend(self.owner.as_ref().map(|owner| format!("owner {owner}")));
        words.extend(self.group.as_ref().map(|group| format!("group {group}")));
        words.extend(self.mode.map(|mode| format!("mode {mode:04o}")));
        words.extend(self.target.as_ref().map(|target| format!("to {target}")));
        words.join(", ")
    }

    fn how(&self) -> String {
        format!("stat(2) of {}", self.shown())
    }

    fn look(&self, _: &Scene, _: Deadline) -> Finding {
        let link = self.kind.as_deref() == Some("symlink") || self.target.is_some() || self.absent;
        let meta = if link {
            fs::symlink_metadata(&self.path)
        } else {
            fs::metadata(&self.path)
        };
        if self.absent {
            return self.absent_finding(meta);
        }
        let meta = match meta {
            Ok(meta) => meta,
            Err(error) => {
                let finding = Finding::io(self.shown(), &error);
                let dangles = fs::symlink_metadata(&self.path).is_ok_and(|meta| meta.is_symlink());
                return match finding.verdict {
                    super::Verdict::Unmet if dangles => {
                        let to = fs::read_link(&self.path).unwrap_or_default();
                        Finding::unmet(
                            "broken_link",
                            format!(
                                "{} is a link to {}, which is not there",
                                self.shown(),
                                to.display()
                            ),
                        )
                        .fix(Fix::advice(format!(
                            "restore {}, or point the link elsewhere",
                            to.display()
                        )))
                    }
                    super::Verdict::Unmet => finding.fix(self.creation()),
                    _ => finding,
                };
            }
        };
        self.judge(&meta)
    }
}

impl Path {
    fn judge(&self, meta: &Metadata) -> Finding {
        let is = kind(meta.file_type());
        let (owner, group) = (user_name(meta.uid()), group_name(meta.gid()));
        let mode = meta.mode() & 0o7777;
        let found = format!("{is}, owner {owner}, group {group}, mode {mode:04o}");
        if let Some(wanted) = self.kind.as_deref().filter(|wanted| *wanted != is) {
            return Finding::unmet(
                "kind",
                format!("{} is a {is}, not a {wanted}", self.shown()),
            )
            .found(found)
            .fix(Fix::advice(format!(
                "move {} out of the way and make a {wanted} there",
                self.shown()
            )));
        }
        if let Some(target) = &self.target {
            let to = fs::read_link(&self.path).unwrap_or_default();
            if to.as_os_str() != target.as_str() {
                let command = shell(&["ln", "-sfn", "--", target, &self.shown()]);
                return Finding::unmet(
                    "target",
                    format!(
                        "{} leads to {}, not to {target}",
                        self.shown(),
                        to.display()
                    ),
                )
                .found(to.display().to_string())
                .fix(Fix::root(
                    format!("point {} to {target}", self.shown()),
                    vec![command],
                ));
            }
        }
        let mut wrong: Vec<(&'static str, String)> = Vec::new();
        let mut commands = Vec::new();
        let mut owners = String::new();
        if let Some(name) = &self.owner {
            match is_user(name, meta.uid()) {
                Some(true) => {}
                Some(false) => {
                    wrong.push(("owner", format!("belongs to {owner}, not to {name}")));
                    owners.push_str(name);
                }
                None => wrong.push((
                    "owner",
                    format!("belongs to {owner}; there is no user {name}"),
                )),
            }
        }
        if let Some(name) = &self.group {
            match is_group(name, meta.gid()) {
                Some(true) => {}
                Some(false) => {
                    wrong.push(("group", format!("is of group {group}, not of {name}")));
                    owners = format!("{owners}:{name}");
                }
                None => wrong.push((
                    "group",
                    format!("is of group {group}; there is no group {name}"),
                )),
            }
        }
        if !owners.is_empty() {
            commands.push(shell(&["chown", &owners, "--", &self.shown()]));
        }
        if let Some(wanted) = self.mode {
            // chown takes setuid and setgid off again, so the mode comes last, and always after it.
            if wanted != mode {
                wrong.push(("mode", format!("has mode {mode:04o}, not {wanted:04o}")));
            }
            if wanted != mode || !commands.is_empty() {
                commands.push(shell(&[
                    "chmod",
                    &format!("{wanted:04o}"),
                    "--",
                    &self.shown(),
                ]));
            }
        }
        let Some((reason, _)) = wrong.first() else {
            return Finding::met(found.clone(), format!("{}: {found}", self.shown()));
        };
        let msg = wrong
            .iter()
            .map(|(_, what)| what.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        Finding::unmet(reason, format!("{} {msg}", self.shown()))
            .found(found)
            .fix(Fix::root(
                format!("give {} the right owner and mode", self.shown()),
                commands,
            ))
    }
}
