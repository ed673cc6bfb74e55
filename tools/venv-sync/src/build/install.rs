//! What the new release gets: distributions that are taken over, then the installer's work, then
//! another look.

use std::collections::BTreeSet;
use std::path::Path;

use base::error::{Error, Result};
use pydist::Environment;

use super::{Failed, Work};
use crate::assess::{Assessment, assess};
use crate::canonical::{self, Canonical};
use crate::compile;
use crate::describe::SEEDS;
use crate::findings::Kind;
use crate::installer::{How, Installer, Job};
use crate::pipconf::PipConf;
use crate::plan::Reuse;
use crate::progress::Progress;
use crate::request::{Depth, LinkMode};
use crate::requirements::Requirements;
use crate::reuse::{self, Copier, Reused};
use crate::scrub;

impl Work<'_> {
    /// Takes over what fits, installs the rest, and looks at the result: a file that is not what
    /// RECORD says may be a cache gone bad, and is worth one more try.
    pub(super) fn install(
        &self,
        job: &Job<'_>,
        installer: Installer,
        conf: &PipConf,
        reuse: &Reuse,
        progress: &Progress,
    ) -> Result<Assessment, Failed> {
        let environment = open(job.release)?;
        let reused = self.take_over(&environment, reuse)?;
        let values = self.requirements.values(
            environment.python.unwrap_or(python_version(&self.python.0)),
            environment
                .config
                .implementation
                .as_deref()
                .unwrap_or("CPython"),
        );
        let foreign_conf = (installer == Installer::Uv).then_some(conf);
        let additions = self.additions(reuse, &reused);
        let wanted = canonical::write(self.requirements, &values, foreign_conf, &additions);
        let install = |how: How| self.install_with(job, installer, conf, &wanted, &additions, how);
        let locked = self.requirements.is_locked();
        let mut built = self.look_at(job, Depth::None)?;
        if !built.in_sync() || !additions.is_empty() {
            progress.say("installing");
            install(How {
                locked,
                fresh: false,
            })?;
            built = self.look_at(job, Depth::None)?;
        }
        if locked
            && !self.requirements.lock_file
            && has(&built, &[Kind::DepMissing, Kind::DepConflict])
        {
            install(How::default())?;
            built = self.look_at(job, Depth::None)?;
        }
        self.let_go(job.release, &built, &reused)?;
        built = self.look_at(job, Depth::Hash)?;
        let damaged = [Kind::FileModified, Kind::FileMissing, Kind::GhostDist];
        if has(&built, &damaged) && self.replace(job.release, &built, &reused)? {
            // A dependency that the files do not name may be what was removed.
            install(How {
                locked: self.requirements.lock_file,
                fresh: false,
            })?;
            built = self.look_at(job, Depth::Hash)?;
        }
        if has(&built, &damaged) {
            install(How {
                locked: locked && self.requirements.lock_file,
                fresh: true,
            })?;
            built = self.look_at(job, Depth::Hash)?;
        }
        Ok(built)
    }

    fn install_with(
        &self,
        job: &Job<'_>,
        installer: Installer,
        conf: &PipConf,
        wanted: &Canonical,
        additions: &[String],
        how: How,
    ) -> Result<()> {
        // pip reads its own files best.
        if installer == Installer::Pip && !self.requirements.lock_file {
            installer.install_files(job, how)?;
            let rest = canonical::write(&Requirements::default(), &self.values(), None, additions);
            return installer.install(job, &rest, conf, how);
        }
        installer.install(job, wanted, conf, how)
    }

    fn take_over(&self, environment: &Environment, reuse: &Reuse) -> Result<Reused> {
        let Some(observed) = self
            .found
            .observed
            .as_ref()
            .filter(|_| !reuse.kept.is_empty())
        else {
            return Ok(Reused::default());
        };
        let from = &observed.environment.prefix;
        let tag = compile::tag(environment);
        let copier = Copier::new(from, &environment.prefix, tag, self.build.link_mode);
        copier.take(&reuse.kept).map_err(|error| {
            let what = format!("cannot take over distributions of '{}'", from.display());
            let error = Error::io(what, &error);
            match self.build.link_mode {
                LinkMode::Reflink => error.hint("--link-mode copy works on every file system"),
                _ => error,
            }
        })
    }

    /// What has to be there besides what the files ask for, and could not be taken over.
    fn additions(&self, reuse: &Reuse, reused: &Reused) -> Vec<String> {
        let missed = reuse.kept.iter().filter(|kept| {
            !reused.keys.contains(&kept.key) && !self.found.reached.contains(&kept.key)
        });
        let mut out = reuse.additions.clone();
        out.extend(missed.map(|kept| format!("{}=={}", kept.key, kept.version)));
        // Another Python may need another version of a seed.
        for line in &mut out {
            let name = line.split("==").next().unwrap_or_default();
            if self.python.1 && SEEDS.contains(&name) {
                *line = name.to_owned();
            }
        }
        out
    }

    /// Removes distributions that were taken over and that nothing asks for any more.
    fn let_go(&self, release: &Path, built: &Assessment, reused: &Reused) -> Result<()> {
        let names = built
            .findings
            .iter()
            .filter(|finding| finding.kind == Kind::Extraneous)
            .filter_map(|finding| finding.name.as_deref().map(pydist::name::normalize));
        let gone: BTreeSet<String> = names.filter(|name| reused.keys.contains(name)).collect();
        self.remove(release, &gone)
    }

    /// Removes what was taken over and is not what its RECORD says; whether there was any.
    fn replace(&self, release: &Path, built: &Assessment, reused: &Reused) -> Result<bool> {
        let damaged = built.findings.iter().filter(|finding| {
            matches!(
                finding.kind,
                Kind::FileModified | Kind::FileMissing | Kind::GhostDist
            )
        });
        let names = damaged.filter_map(|f| f.name.as_deref().map(pydist::name::normalize));
        let bad: BTreeSet<String> = names.filter(|name| reused.keys.contains(name)).collect();
        self.remove(release, &bad)?;
        Ok(!bad.is_empty())
    }

    fn remove(&self, release: &Path, names: &BTreeSet<String>) -> Result<()> {
        if names.is_empty() {
            return Ok(());
        }
        for dist in distributions(&open(release)?)? {
            if names.contains(&dist.key) {
                reuse::remove(release, &dist.path).map_err(|error| {
                    Error::io(format!("cannot remove '{}'", dist.path.display()), &error)
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn look_at(&self, job: &Job<'_>, depth: Depth) -> Result<Assessment> {
        scrub::direct_urls(job.release)?;
        // Seen as the new release, not as what the environment still is.
        assess(job.release, self.requirements, self.goal, depth)
    }
}

pub fn has(built: &Assessment, kinds: &[Kind]) -> bool {
    let mut all = built.findings.iter();
    all.any(|finding| kinds.contains(&finding.kind))
}

pub fn open(release: &Path) -> Result<Environment> {
    Environment::open(release)
        .map_err(|error| Error::failed(format!("cannot look into the new release: {error}")))
}

pub fn distributions(environment: &Environment) -> Result<Vec<pydist::Dist>> {
    environment
        .distributions()
        .map_err(|error| Error::failed(format!("cannot look into the new release: {error}")))
}

/// The version of an interpreter, as the name of its file tells.
pub fn python_version(python: &Path) -> pydist::PythonVersion {
    let real = python.canonicalize().unwrap_or_else(|_| python.to_owned());
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    pydist::PythonVersion::parse(digits).unwrap_or(pydist::PythonVersion {
        major: 3,
        minor: 11,
        patch: None,
    })
}
