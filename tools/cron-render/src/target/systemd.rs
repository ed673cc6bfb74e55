//! Timers and services in `/etc/systemd/system`: the files of one site, and that they are enabled.
//!
//! Each file begins with a comment that says whose it is and carries the hash of the rest, so that
//! other people's units, and units edited by hand, are left alone. Where systemd does not run (an
//! image being built) the files are written and enabled all the same, and nothing is started.
//!
//! No activation runs a job or skips one. A timer counts from its last run, or from its previous
//! start, so a `restart`, and even a `daemon-reload`, of a changed timer can run the job at once
//! ([`renew`] says how that is avoided). A job of `@reboot` is a service that is enabled and never
//! started. Every activation keeps clear of the full minute, when timers are due.

pub mod activate;
pub mod settings;
mod trial;
pub mod units;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base::atomic::{Access, Dir};
use base::child::Run;
use base::clock::Deadline;
use base::error::{Error, Kind, Result};
use base::lock::{self, Lock};

use base::tool::Context;

use crate::block::sha256;
use crate::format::{Format, Owner};
use crate::plan::Plan;
use crate::site::Site;
use crate::spread::Placed;
use crate::target::{self, Mark, Row, Target};
use crate::template::Template;
use activate::Systemctl;
use units::Unit;

/// The registry's row.
pub const ROW: Row = Row {
    format: &Format {
        name: "systemd",
        noun: "a system unit",
        form: None,
        owner: Owner::Host,
        refused: |_, _| None,
        drops: |setting| settings::becomes(setting) == settings::Becomes::Lost,
    },
    example: EXAMPLE,
    open: |site, _, context: &Context| Ok(Box::new(Units::of(site.name(), context.deadline)?)),
    finished: |template, site, placed| Ok(finished(template, site, placed)),
    marks: |template, site, _| {
        let jobs = template.jobs.iter();
        Ok(jobs
            .map(|job| service(site.name(), &job.id).into_bytes())
            .collect())
    },
    listed: Some(services),
    attempt: trial::run,
};

const DIRECTORY: &str = "/etc/systemd/system";

const EXAMPLE: &str = "OnCalendar=*-*-* 00:15:00\n";

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
    fn of(name: &str, deadline: Deadline) -> Result<Units> {
        Ok(Units {
            dir: Dir::open(Path::new(DIRECTORY))?,
            name: name.to_owned(),
            deadline,
        })
    }

    fn systemctl(&self) -> Systemctl {
        Systemctl {
            deadline: self.deadline,
        }
    }

    /// systemd's own parser has the last word, where it is installed. A program that is not there
    /// yet is a warning only: an image may get it later.
    fn verify(&self, files: &Files) -> Result<Vec<String>> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let room = target::workroom()?;
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

    fn write_files(&self, old: &Files, new: &Files) -> Result<()> {
        self.dir.sweep()?;
        for (name, text) in new
            .iter()
            .filter(|(name, text)| old.get(*name) != Some(text))
        {
            self.dir.write(
                name,
                text.as_bytes(),
                Access {
                    mode: 0o644,
                    owner: Some((0, 0)),
                },
            )?;
        }
        for name in old.keys().filter(|name| !new.contains_key(*name)) {
            self.dir.remove(name)?;
        }
        Ok(())
    }
}

impl Target for Units {
    fn path(&self) -> String {
        format!("{DIRECTORY}/{}-*", self.name)
    }

    /// One lock for all sites: stale temporaries are swept from the directory, which they share.
    fn lock(&self, wait: Duration) -> Result<Vec<Lock>> {
        Ok(vec![Lock::acquire(
            &lock::state_directory()?.join("systemd.lock"),
            wait,
        )?])
    }

    /// All our units as one text, a file after the other; `None` if there are none.
    fn read(&self) -> Result<Option<Vec<u8>>> {
        let mut files = Files::new();
        let prefix = format!("{}-", self.name);
        for name in self.dir.names()? {
            let Some(name) = name
                .to_str()
                .filter(|n| n.starts_with(&prefix) && is_unit(n))
            else {
                continue;
            };
            // A link is somebody's way of masking a unit, or of keeping it elsewhere: not ours.
            let regular = self
                .dir
                .stat(name)?
                .is_some_and(|s| rustix::fs::FileType::from_raw_mode(s.st_mode).is_file());
            if !regular {
                continue;
            }
            if let Some(text) = self.dir.read(name, 1 << 20)? {
                let text = String::from_utf8_lossy(&text).into_owned();
                if owner(&text) == Some(&self.name) {
                    files.insert(name.to_owned(), text);
                }
            }
        }
        Ok((!files.is_empty()).then(|| bundle(&files).into_bytes()))
    }

    fn plan(&self, before: Option<Vec<u8>>, body: &[u8], force: bool) -> Result<Plan> {
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

    fn plan_removal(&self, before: Option<Vec<u8>>, force: bool) -> Result<Plan> {
        refuse_edited(&unbundle(before.as_deref().unwrap_or_default()), force)?;
        Ok(Plan {
            before,
            after: None,
            warnings: Vec::new(),
        })
    }

    /// Whether every unit that starts by itself is enabled and, where systemd runs, every timer
    /// waits.
    fn sound(&self, plan: &Plan) -> Result<bool> {
        let Some(after) = plan.after.as_deref() else {
            return Ok(true);
        };
        let files = unbundle(after);
        let enabled = enabled_by(&files).all(|(name, target)| {
            let wants = Path::new(DIRECTORY).join(format!("{target}.wants"));
            std::fs::symlink_metadata(wants.join(name)).is_ok()
        });
        let timers: Vec<&str> = timers(&files).collect();
        if !enabled || !activate::systemd_runs() || timers.is_empty() {
            return Ok(enabled);
        }
        Ok(self
            .systemctl()
            .run("is-active", &["--quiet"], &timers)?
            .is_none())
    }

    fn check(&self, plan: &Plan) -> Result<Vec<String>> {
        self.verify(&unbundle(plan.after.as_deref().unwrap_or_default()))
    }

    fn back_up(&self, bytes: &[u8]) -> Result<String> {
        target::keep(&format!("systemd-{}", self.name), bytes)
    }

    /// Writes and enables what the plan says, removes what it no longer says.
    fn write(&self, plan: &Plan) -> Result<Vec<String>> {
        let (before, after) = (plan.before.as_deref(), plan.after.as_deref());
        if self.read()?.as_deref() != before {
            return Err(target::changed_meanwhile(&self.path()));
        }
        let old = unbundle(before.unwrap_or_default());
        let new = unbundle(after.unwrap_or_default());
        let mut warnings = Vec::new();
        let systemctl = self.systemctl();
        let runs = activate::systemd_runs();
        if runs {
            activate::keep_clear_of_the_minute();
        }
        let gone: Vec<&str> = enabled_by(&old)
            .map(|(name, _)| name)
            .filter(|name| !new.contains_key(*name))
            .collect();
        if !gone.is_empty() {
            let timers: Vec<&str> = gone.iter().copied().filter(|n| is_timer(n)).collect();
            if runs && !timers.is_empty() {
                warnings.extend(systemctl.run("stop", &[], &timers)?);
            }
            warnings.extend(systemctl.run("disable", &[], &gone)?);
        }
        let changed: Vec<&str> = timers(&new)
            .filter(|name| {
                old.get(*name)
                    .is_some_and(|text| new.get(*name) != Some(text))
            })
            .collect();
        if runs && !changed.is_empty() {
            systemctl.forget(&changed)?;
        }
        self.write_files(&old, &new)?;
        if runs {
            warnings.extend(systemctl.run("daemon-reload", &[], &[])?);
        }
        let starting: Vec<&str> = enabled_by(&new).map(|(name, _)| name).collect();
        if !starting.is_empty() {
            if let Some(why) = systemctl.run("enable", &[], &starting)? {
                return Err(Error::failed(format!(
                    "the units of {} are written but not enabled: {why}",
                    self.name
                ))
                .hint("run it again"));
            }
            let timers: Vec<&str> = timers(&new).collect();
            if !runs {
                warnings.push(
                    "systemd does not run here: the timers start at the next boot".to_owned(),
                );
            } else if !timers.is_empty() {
                if let Some(why) = systemctl.run("start", &[], &timers)? {
                    return Err(Error::failed(format!(
                        "the timers of {} are enabled but not started: {why}",
                        self.name
                    ))
                    .hint("run it again"));
                }
            }
        }
        if self.read()?.as_deref() == after {
            Ok(warnings)
        } else {
            Err(target::not_as_written(&self.path()))
        }
    }
}

/// The units that start by themselves, with the target that wants each.
fn enabled_by(files: &Files) -> impl Iterator<Item = (&str, &str)> {
    files.iter().filter_map(|(name, text)| {
        let target = text
            .lines()
            .find_map(|line| line.strip_prefix("WantedBy="))?;
        Some((name.as_str(), target))
    })
}

fn timers(files: &Files) -> impl Iterator<Item = &str> {
    files
        .keys()
        .map(String::as_str)
        .filter(|name| is_timer(name))
}

fn is_timer(name: &str) -> bool {
    name.ends_with(".timer")
}

/// Each job's units in one text, and all of them as the files that are installed.
fn finished(template: &Template, site: &Site, placed: &[Placed]) -> (Vec<String>, Vec<u8>) {
    let units = units::units(template, site, placed);
    let jobs = units.iter().map(|units| {
        let texts = units.iter().map(|unit| unit.text.as_str());
        texts.collect::<Vec<_>>().join("\n")
    });
    let jobs = jobs.collect();
    let text = text(site.name(), &units.concat());
    (jobs, text.into_bytes())
}

/// The service of a job.
fn service(site: &str, id: &str) -> String {
    format!("{site}-{id}.service")
}

/// The jobs of a bundle by their ids, with their services.
fn services(site: &str, text: &[u8]) -> Vec<(String, Mark)> {
    let stem = service(site, "");
    let stem = stem.trim_end_matches(".service");
    let names = unbundle(text).into_keys();
    names
        .filter_map(|name| {
            let id = name.strip_suffix(".service")?;
            let id = id.strip_prefix(stem).unwrap_or(id);
            Some((id.to_owned(), name.clone().into_bytes()))
        })
        .collect()
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
fn text(name: &str, units: &[Unit]) -> String {
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
