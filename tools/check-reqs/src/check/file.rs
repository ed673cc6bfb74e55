//! A path: there or not, of which type, whose, with which mode. Links are followed unless a symlink
//! is what is asked for.

use crate::accounts::{group_name_of, name_of};
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::shell;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use base::Result;
use base::clock::Deadline;
use nix::unistd::{Group, User};
use std::fs::{self, FileType, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

/// `type = "file"`.
pub const TYPE: Type = Type {
    name: "file",
    about: "a file, directory, link or socket: its type, owner, group and mode, or its absence",
    keys: &[
        ("path", "the path"),
        (
            "kind",
            "file, directory, symlink, socket, fifo, block or character",
        ),
        ("owner", "the user that owns the file"),
        ("group", "the group of the file"),
        ("mode", "the mode, in octal and in quotes"),
        ("target", "the target of a symlink"),
        ("absent", "true: the path must not exist"),
    ],
    short: Short {
        words: &["file", "dir"],
        colon: true,
        forms: &["file:PATH[:OWNER[:MODE]]", "dir:PATH[:OWNER[:MODE]]"],
        example: "dir:/srv/media:deployer:2775",
        read: read_short,
    },
    read,
};

fn read_short(word: &str, rest: &str) -> Result<Pairs, String> {
    let keys = ["path", "owner", "mode"];
    let parts = keys.into_iter().zip(rest.splitn(3, ':'));
    let mut pairs: Pairs = parts
        .filter(|(_, part)| !part.is_empty())
        .map(|(key, part)| (key, short::text(part)))
        .collect();
    if word == "dir" {
        pairs.push(("kind", short::text("directory")));
    }
    Ok(pairs)
}

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

/// Whether a number is what a name (or a number) stands for; `None` where the name stands for
/// nothing.
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

fn is_missing_user(name: &str) -> bool {
    !fix::is_number(name) && matches!(crate::accounts::user(name), Ok(None))
}

fn is_missing_group(name: &str) -> bool {
    !fix::is_number(name) && matches!(crate::accounts::group(name), Ok(None))
}

impl Path {
    fn shown(&self) -> String {
        self.path.display().to_string()
    }

    fn absent_finding(&self, meta: std::io::Result<Metadata>) -> Finding {
        match meta {
            Ok(meta) => {
                let advice = Fix::advice(format!("remove {} if nothing needs it", self.shown()));
                let command = match meta.is_dir() {
                    true => advice,
                    // Removing loses what was there: a person decides.
                    false => advice.or(Fix::advice(format!("delete {} for good", self.shown()))
                        .command("root", &["rm", "--", &self.shown()])
                        .destructive()),
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
                return fix::root(
                    format!("make the link {shown}"),
                    vec![shell(&["ln", "-s", "--", target, &shown])],
                );
            }
        }
        if self.kind.as_deref() != Some("directory") {
            return Fix::advice(format!("put {shown} in place"));
        }
        let mode = self.mode.map(|mode| format!("{mode:o}"));
        let mut before = Vec::new();
        if let Some(owner) = self.owner.as_deref().filter(|name| is_missing_user(name)) {
            before.extend(fix::account(owner, &[], None));
        }
        if let Some(group) = self.group.as_deref().filter(|name| is_missing_group(name)) {
            before.push(fix::group_line(group));
        }
        let mut words = vec!["install", "-d"];
        for (option, value) in [("-o", &self.owner), ("-g", &self.group), ("-m", &mode)] {
            if let Some(value) = value {
                words.extend([option, value]);
            }
        }
        words.extend(["--", &shown]);
        before.push(shell(&words));
        fix::root(format!("make the directory {shown}"), before)
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
                    crate::finding::Verdict::Unmet if dangles => {
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
                    crate::finding::Verdict::Unmet => finding.fix(self.creation()),
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
        let (owner, group) = (name_of(meta.uid()), group_name_of(meta.gid()));
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
                .fix(fix::root(
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
                None => {
                    wrong.push((
                        "owner",
                        format!("belongs to {owner}; there is no user {name}"),
                    ));
                    commands.extend(fix::account(name, &[], None));
                    owners.push_str(name);
                }
            }
        }
        if let Some(name) = &self.group {
            match is_group(name, meta.gid()) {
                Some(true) => {}
                Some(false) => {
                    wrong.push(("group", format!("is of group {group}, not of {name}")));
                    owners = format!("{owners}:{name}");
                }
                None => {
                    wrong.push((
                        "group",
                        format!("is of group {group}; there is no group {name}"),
                    ));
                    commands.push(fix::group_line(name));
                    owners = format!("{owners}:{name}");
                }
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
        let summary = format!(
            "give {} the owner and mode that are asked for",
            self.shown()
        );
        // Root's files of the system stay root's, whatever a list asks for.
        let taken = meta.uid() == 0 && !owners.is_empty() && fix::is_of_system(&self.path);
        let fix = match taken {
            true => Fix::advice(format!(
                "{summary}, by hand: the path belongs to the system"
            )),
            false => fix::root(summary, commands),
        };
        Finding::unmet(reason, format!("{} {msg}", self.shown()))
            .found(found)
            .fix(fix)
    }
}
