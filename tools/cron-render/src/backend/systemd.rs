//! Timers and services in `/etc/systemd/system`: the files of one site, and that they are enabled.
//!
//! Each file begins with a comment that says whose it is and carries the hash of the rest, so that
//! other people's units, and units edited by hand, are left alone. Where systemd does not run (an
//! image being built) the files are written and enabled all the same, and nothing is started.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base::atomic::{Access, Dir};
use base::child::Run;
use base::clock::Deadline;
use base::error::{Error, Kind, Result};
use base::lock::{self, Lock};

use crate::backend;
use crate::block::sha256;
use crate::plan::Plan;
use crate::systemd::Unit;

const DIRECTORY: &str = "/etc/systemd/system";

/// File names and contents.
type Files = BTreeMap<String, String>;

/// The units of one site.
#[derive(Debug)]
pub struct Units {
    dir: Dir,
    name: String,
    deadline: Deadline,
}

impl Units {
    /// Of the site of that name.
    ///
    /// # Errors
    /// `Kind::NotFound` where there is no `/etc/systemd/system`.
    pub fn of(name: &str, deadline: Deadline) -> Result<Units> {
        Ok(Units {
            dir: Dir::open(Path::new(DIRECTORY))?,
            name: name.to_owned(),
            deadline,
        })
    }

    /// Where they are.
    pub fn path(&self) -> String {
        format!("{DIRECTORY}/{}-*", self.name)
    }

    /// Holds other runs of ours off, those for other sites too: stale temporaries are swept from the
    /// directory, which all sites share.
    ///
    /// # Errors
    /// `Kind::Locked`.
    pub fn lock(&self, wait: Duration) -> Result<Lock> {
        Lock::acquire(&lock::state_directory()?.join("systemd.lock"), wait)
    }

    /// All our units as one text, a file after the other; `None` if there are none.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn read(&self) -> Result<Option<Vec<u8>>> {
        let mut files = Files::new();
        for name in self.dir.names()? {
            let Some(name) = name
                .to_str()
                .filter(|n| n.starts_with(&self.name) && is_unit(n))
            else {
                continue;
            };
            // A link is somebody's way of masking a unit, or of keeping it elsewhere: not ours.
            let regular = self
                .dir
                .stat(name)?
                .is_some_and(|s| rustix::fs::FileType::from_raw_mode(s.st_mode).is_file());
            if let Some(text) = self.dir.read(name, 1 << 20)?.filter(|_| regular) {
                let text = String::from_utf8_lossy(&text).into_owned();
                if owner(&text) == Some(&self.name) {
                    files.insert(name.to_owned(), text);
                }
            }
        }
        Ok((!files.is_empty()).then(|| bundle(&files).into_bytes()))
    }

    /// What has to change.
    ///
    /// # Errors
    /// `Kind::Failed` for units that were edited or are not ours, unless `force`.
    pub fn plan(&self, before: Option<Vec<u8>>, body: &[u8], force: bool) -> Result<Plan> {
        let wanted = unbundle(body);
        let there = unbundle(before.as_deref().unwrap_or_default());
        refuse_edited(&there, force)?;
        for name in wanted.keys().filter(|n| !there.contains_key(*n) && !force) {
            if self.dir.stat(name)?.is_some() {
                return Err(Error::failed(format!(
                    "{DIRECTORY}/{name} is there already, and cron-render did not write it"
                ))
                .hint("another --name, or --force to replace it"));
            }
        }
        Ok(Plan {
            before,
            after: Some(body.to_vec()),
            warnings: Vec::new(),
        })
    }

    /// What has to go.
    ///
    /// # Errors
    /// As [`Units::plan`].
    pub fn plan_removal(&self, before: Option<Vec<u8>>, force: bool) -> Result<Plan> {
        refuse_edited(&unbundle(before.as_deref().unwrap_or_default()), force)?;
        Ok(Plan {
            before,
            after: None,
            warnings: Vec::new(),
        })
    }

    /// Whether every timer among them is enabled (and, where systemd runs, waiting).
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn sound(&self, units: &[u8]) -> Result<bool> {
        let files = unbundle(units);
        let timers: Vec<&String> = files.keys().filter(|n| n.ends_with(".timer")).collect();
        let wants = Path::new(DIRECTORY).join("timers.target.wants");
        let enabled = timers
            .iter()
            .all(|n| std::fs::symlink_metadata(wants.join(n)).is_ok());
        if !enabled || !runs() || timers.is_empty() {
            return Ok(enabled);
        }
        let done = self.systemctl("is-active", &["--quiet"], &timers)?;
        Ok(done.is_none())
    }

    /// Writes and enables what `after` says, removes what it no longer says.
    ///
    /// # Errors
    /// `Kind::Failed`; a next run carries on from there.
    pub fn write(&self, before: Option<&[u8]>, after: Option<&[u8]>) -> Result<Vec<String>> {
        if self.read()?.as_deref() != before {
            return Err(backend::changed_meanwhile(&self.path()));
        }
        let old = unbundle(before.unwrap_or_default());
        let new = unbundle(after.unwrap_or_default());
        let mut warnings = self.verify(&new)?;
        self.dir.sweep()?;
        let gone: Vec<&String> = old.keys().filter(|n| !new.contains_key(*n)).collect();
        let gone_timers: Vec<&String> = gone
            .iter()
            .filter(|n| n.ends_with(".timer"))
            .copied()
            .collect();
        if !gone_timers.is_empty() {
            let now: &[&str] = if runs() { &["--now"] } else { &[] };
            warnings.extend(self.systemctl("disable", now, &gone_timers)?);
        }
        for (name, text) in &new {
            if old.get(name) != Some(text) {
                self.dir.write(
                    name,
                    text.as_bytes(),
                    Access {
                        mode: 0o644,
                        owner: Some((0, 0)),
                    },
                )?;
            }
        }
        for name in gone {
            self.dir.remove(name)?;
        }
        if runs() {
            warnings.extend(self.systemctl("daemon-reload", &[], &[])?);
        }
        let timers: Vec<&String> = new.keys().filter(|n| n.ends_with(".timer")).collect();
        if !timers.is_empty() {
            if let Some(why) = self.systemctl("enable", &[], &timers)? {
                return Err(Error::failed(format!(
                    "the timers of {} are written but not enabled: {why}",
                    self.name
                ))
                .hint("run it again"));
            }
            if runs() {
                if let Some(why) = self.systemctl("restart", &[], &timers)? {
                    return Err(Error::failed(format!(
                        "the timers of {} are enabled but not started: {why}",
                        self.name
                    )));
                }
            } else {
                warnings.push(
                    "systemd does not run here: the timers start at the next boot".to_owned(),
                );
            }
        }
        let now = self.read()?;
        if now.as_deref() == after {
            Ok(warnings)
        } else {
            Err(backend::not_as_written(&self.path()))
        }
    }

    /// systemd's own parser has the last word, where it is installed. A program that is not there
    /// yet is a warning only: an image may get it later.
    fn verify(&self, files: &Files) -> Result<Vec<String>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let room = backend::workroom()?;
        let below = format!("systemd-{}", self.name);
        room.make(&below, 0o700)?;
        let scratch = room.below(&below)?;
        for (name, text) in files {
            scratch.write(name, text.as_bytes(), Access::mode(0o644))?;
        }
        let done = Run::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .args(files.keys().map(|n| scratch.path().join(n)))
            .deadline(self.deadline)
            .run();
        for name in files.keys() {
            scratch.remove(name)?;
        }
        let done = match done {
            Ok(done) if done.success() => return Ok(Vec::new()),
            Ok(done) => done,
            Err(e) if matches!(e.kind, Kind::CommandNotFound | Kind::CommandNotExecutable) => {
                return Ok(Vec::new());
            }
            Err(e) => return Err(e),
        };
        let said = done.err();
        let lines: Vec<&str> = said
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        if !lines.is_empty() && lines.iter().all(|line| line.contains("is not executable")) {
            return Ok(lines.into_iter().map(str::to_owned).collect());
        }
        Err(Error::failed(format!(
            "systemd would refuse the units: {}",
            lines.join("; ")
        ))
        .hint("nothing was installed"))
    }

    /// Runs systemctl; what it said, if it failed.
    fn systemctl(&self, verb: &str, options: &[&str], units: &[&String]) -> Result<Option<String>> {
        let run = Run::new("systemctl")
            .arg(verb)
            .args(options)
            .args(units)
            .env("LC_ALL", "C")
            .deadline(self.deadline);
        let done = backend::run(&run, &format!("systemctl {verb}"))?;
        Ok((!done.success()).then(|| format!("systemctl {verb}: {}", done.last_words())))
    }

    /// Keeps a copy of what is there.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub fn back_up(&self, bytes: &[u8]) -> Result<String> {
        backend::keep(&format!("systemd-{}", self.name), bytes)
    }
}

/// Whether systemd is what runs this machine (sd_booted(3)).
fn runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn is_unit(name: &str) -> bool {
    name.ends_with(".timer") || name.ends_with(".service")
}

fn header(name: &str, text: &str) -> String {
    format!("# cron-render {name} sha256={}\n", sha256(text.as_bytes()))
}

/// Whose a unit is, by its first line.
fn owner(text: &str) -> Option<&str> {
    text.lines()
        .next()?
        .strip_prefix("# cron-render ")?
        .split(' ')
        .next()
}

fn refuse_edited(files: &Files, force: bool) -> Result<()> {
    for (name, text) in files {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let intact = owner(text).is_some_and(|site| header(site, rest).trim_end() == first);
        if !intact && !force {
            return Err(Error::failed(format!(
                "{DIRECTORY}/{name} was edited by hand since it was installed"
            ))
            .hint("systemctl edit makes a drop-in that stays; --force gives the edit up"));
        }
    }
    Ok(())
}

/// A site's units as one text: what `render` prints and reports hash.
pub fn text(name: &str, units: &[Unit]) -> String {
    bundle(
        &units
            .iter()
            .map(|unit| {
                (
                    unit.name.clone(),
                    format!("{}{}", header(name, &unit.text), unit.text),
                )
            })
            .collect(),
    )
}

fn bundle(files: &Files) -> String {
    let mut out = String::new();
    for (name, text) in files {
        out += &format!("# {DIRECTORY}/{name}\n{text}");
    }
    out
}

fn unbundle(text: &[u8]) -> Files {
    let text = String::from_utf8_lossy(text);
    let mut files = Files::new();
    let mut current: Option<String> = None;
    for line in text.split_inclusive('\n') {
        match line.strip_prefix(&format!("# {DIRECTORY}/")) {
            Some(name) => {
                let name = name.trim_end().to_owned();
                files.insert(name.clone(), String::new());
                current = Some(name);
            }
            None => {
                if let Some(file) = current.as_ref().and_then(|name| files.get_mut(name)) {
                    file.push_str(line);
                }
            }
        }
    }
    files
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_comes_apart_again() {
        let units = [
            Unit {
                name: "f-a.timer".into(),
                text: "[Timer]\nOnCalendar=x\n".into(),
            },
            Unit {
                name: "f-a.service".into(),
                text: "[Service]\n".into(),
            },
        ];
        let text = text("f", &units);
        let files = unbundle(text.as_bytes());
        assert_eq!(files.len(), 2);
        assert_eq!(bundle(&files), text);
        assert!(refuse_edited(&files, false).is_ok());
        let edited = unbundle(text.replace("OnCalendar=x", "OnCalendar=y").as_bytes());
        assert!(refuse_edited(&edited, false).is_err());
        assert_eq!(owner(&files["f-a.timer"]), Some("f"));
    }
}
