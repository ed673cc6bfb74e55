//! What a run is asked to do, as plain data. `cli` makes it; everything else takes it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base::{Fix, RunAs};

use crate::environ::Given;

/// The command.
#[derive(Clone, Debug)]
pub enum Request {
    /// Compare the environment with the files.
    Check(Goal),
    /// Build a release that a later apply flips to.
    Prepare(Goal, Build),
    /// Make the environment what the files ask for.
    Apply(Goal, Build),
    /// Go back to an earlier release.
    Rollback {
        /// The environment.
        venv: PathBuf,
        /// The release; `None` for the one before the live release.
        to: Option<String>,
    },
    /// List the releases.
    List {
        /// The environment.
        venv: PathBuf,
    },
}

/// How a distribution that nothing asks for is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As drift.
    Fail,
    /// As a warning.
    Warn,
    /// Not at all.
    Ignore,
}

/// How closely files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Names and versions only.
    None,
    /// Presence, size and mode of each file.
    Size,
    /// The content of each file.
    Hash,
}

/// The environment, and what it has to be.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The environment.
    pub venv: PathBuf,
    /// Requirements files and lock files.
    pub requirements: Vec<PathBuf>,
    /// Constraints files.
    pub constraints: Vec<PathBuf>,
    /// Extras of a lock file.
    pub extras: Vec<String>,
    /// Dependency groups of a lock file.
    pub groups: Vec<String>,
    /// How a distribution that nothing asks for is reported.
    pub extraneous: Level,
    /// Distributions and startup files that may be there, as given.
    pub allow: Vec<String>,
    /// How closely files are looked at.
    pub verify: Depth,
    /// Vendor libraries.
    pub vendor: Vec<PathBuf>,
}

/// Which installed distributions are replaced by newer ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// Every distribution.
    pub all: bool,
    /// These, by normalized name.
    pub names: BTreeSet<String>,
}

/// How unchanged files come into a new release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkMode {
    /// Shared blocks where the file system has them, else copies.
    #[default]
    Auto,
    /// Copies.
    Copy,
    /// Shared blocks, or an error.
    Reflink,
    /// Further names of the same files.
    Hardlink,
}

/// How a release is built.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// The interpreter; `None` for the one that the environment has.
    pub python: Option<PathBuf>,
    /// `uv` or `pip`; `None` for the best one that can do the work.
    pub installer: Option<String>,
    /// The only source of wheels.
    pub wheelhouse: Option<PathBuf>,
    /// The number of releases to keep.
    pub keep: usize,
    /// Whether a plain directory may be taken over.
    pub adopt: bool,
    /// Modules to import and commands to run before the flip.
    pub post_checks: Vec<String>,
    /// Variables for post-checks and builds.
    pub given: Given,
    /// As whom and with what post-checks run, where not as the release's owner.
    pub run_as: Option<RunAs>,
    /// Build everything anew, even where nothing has drifted.
    pub rebuild: bool,
    /// What is replaced by newer versions.
    pub upgrade: Upgrade,
    /// Properties and files of the environment that the new release need not have.
    pub drop: Vec<String>,
    /// How unchanged files come into the release.
    pub link_mode: LinkMode,
}

impl Build {
    /// Whether the caller asks for a new release of an environment that is in sync.
    pub fn is_forced(&self) -> bool {
        self.rebuild || self.upgrade.all || !self.upgrade.names.is_empty()
    }
}

impl Goal {
    /// The allowed names as they are compared.
    pub fn allowed(&self) -> BTreeSet<String> {
        let names = self.allow.iter();
        names.map(|name| pydist::name::normalize(name)).collect()
    }

    /// The goal as arguments, every path absolute.
    pub fn words(&self) -> Vec<OsString> {
        let mut out = vec![absolute(&self.venv).into_os_string()];
        let paths = [
            ("--requirement", &self.requirements),
            ("--constraint", &self.constraints),
            ("--vendor", &self.vendor),
        ];
        for (option, paths) in paths {
            for path in paths {
                out.extend([option.into(), absolute(path).into_os_string()]);
            }
        }
        let texts = [
            ("--extra", &self.extras),
            ("--group", &self.groups),
            ("--allow", &self.allow),
        ];
        for (option, texts) in texts {
            for text in texts {
                out.extend([option.into(), text.into()]);
            }
        }
        let extraneous = match self.extraneous {
            Level::Fail => None,
            Level::Warn => Some("warn"),
            Level::Ignore => Some("ignore"),
        };
        if let Some(level) = extraneous {
            out.extend(["--extraneous".into(), level.into()]);
        }
        let verify = match self.verify {
            Depth::None => Some("none"),
            Depth::Size => None,
            Depth::Hash => Some("hash"),
        };
        if let Some(depth) = verify {
            out.extend(["--verify".into(), depth.into()]);
        }
        out
    }

    /// The command that makes the environment what was asked for, with `more` options.
    pub fn apply(&self, summary: &str, actor: &str, more: &[&str]) -> Fix {
        let mut words = vec!["venv-sync".to_owned(), "apply".to_owned()];
        let own = self.words().into_iter();
        words.extend(own.map(|word| word.to_string_lossy().into_owned()));
        words.extend(more.iter().map(|word| (*word).to_owned()));
        Fix::advice(summary).command(actor, &words)
    }
}

impl Build {
    /// The options as arguments, every path absolute; without the variables, which are secrets.
    pub fn words(&self) -> Vec<OsString> {
        let mut out: Vec<OsString> = Vec::new();
        if let Some(python) = &self.python {
            // A bare name is looked for on PATH, as the caller meant it.
            let has_directory = python.components().count() > 1;
            let python = if has_directory {
                absolute(python)
            } else {
                python.clone()
            };
            out.extend(["--python".into(), python.into_os_string()]);
        }
        if let Some(path) = &self.wheelhouse {
            out.extend(["--wheelhouse".into(), absolute(path).into_os_string()]);
        }
        let mut text = |option: &str, value: &str| out.extend([option.into(), value.into()]);
        if let Some(installer) = &self.installer {
            text("--installer", installer);
        }
        text("--keep", &self.keep.to_string());
        match self.link_mode {
            LinkMode::Auto => {}
            LinkMode::Copy => text("--link-mode", "copy"),
            LinkMode::Reflink => text("--link-mode", "reflink"),
            LinkMode::Hardlink => text("--link-mode", "hardlink"),
        }
        for check in &self.post_checks {
            text("--post-check", check);
        }
        for what in &self.drop {
            text("--drop", what);
        }
        for name in &self.upgrade.names {
            text("--upgrade-package", name);
        }
        for (flag, given) in [
            ("--adopt", self.adopt),
            ("--rebuild", self.rebuild),
            ("--upgrade", self.upgrade.all),
        ] {
            if given {
                out.push(flag.into());
            }
        }
        out
    }
}

/// A path as it counts from any directory.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    base::shell::quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::{Build, Depth, Goal, Level};

    #[test]
    fn a_fix_keeps_every_option_of_the_request() {
        let goal = Goal {
            venv: "/srv/my venv".into(),
            requirements: vec!["/srv/r.txt".into()],
            constraints: vec!["/srv/c.txt".into()],
            extras: vec!["postgres".into()],
            groups: vec![],
            extraneous: Level::Warn,
            allow: vec!["gunicorn".into()],
            verify: Depth::Hash,
            vendor: vec!["/srv/vendor".into()],
        };
        let fix = goal.apply("build a release", "root", &["--adopt"]);
        assert_eq!(
            fix.steps[0].text,
            "venv-sync apply '/srv/my venv' --requirement /srv/r.txt --constraint /srv/c.txt \
             --vendor /srv/vendor --extra postgres --allow gunicorn --extraneous warn \
             --verify hash --adopt"
        );
        let build = Build {
            keep: 3,
            rebuild: true,
            drop: vec!["pip.conf".into()],
            ..Build::default()
        };
        assert_eq!(
            build.words(),
            ["--keep", "3", "--drop", "pip.conf", "--rebuild"]
        );
    }
}
