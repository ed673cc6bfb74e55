//! Builds a release: an empty environment like the old one, what is taken over, what is installed,
//! what is carried over, compiled sources, and a look at the result as closely as can be.

mod install;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::atomic::Dir;
use base::error::{Error, Result};
use base::signals::Watch;
use base::tool::Context;
use pydist::marker::MarkerValues;

use crate::act::Locked;
use crate::assess::{Assessment, summary};
use crate::canonical;
use crate::carry::Carrier;
use crate::compare;
use crate::compile;
use crate::describe::{Description, SEEDS, refusal};
use crate::environ;
use crate::findings::Finding;
use crate::installer::{Installer, Job, on_path};
use crate::manifest::Manifest;
use crate::pipconf::PipConf;
use crate::plan::{self, Choice, Reuse};
use crate::post_checks;
use crate::progress::Progress;
use crate::releases::Store;
use crate::report::Body;
use crate::request::{Build, Depth, Goal};
use crate::requirements::Requirements;
use crate::secrets::Secrets;
use install::{open, python_version};

/// What a build needs.
pub struct Work<'a> {
    /// What was asked for.
    pub goal: &'a Goal,
    /// How to build it.
    pub build: &'a Build,
    /// The files.
    pub requirements: &'a Requirements,
    /// The releases.
    pub store: &'a Store,
    /// The same, locked.
    pub locked: &'a Locked<'a>,
    /// The run.
    pub context: &'a Context,
    /// The signals that end it.
    pub watch: Arc<Watch>,
    /// What the environment was found to be.
    pub found: &'a Assessment,
    /// What it is beyond its distributions, without what is dropped.
    pub described: &'a Description,
    /// The interpreter to build with, and whether the environment has another one.
    pub python: (PathBuf, bool),
}

/// Why there is no new release, and what was wrong with it.
pub struct Failed {
    /// The error.
    pub error: Error,
    /// What was wrong with the release.
    pub findings: Vec<Finding>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed {
            error,
            findings: Vec::new(),
        }
    }
}

/// A release that was built.
pub struct Built {
    /// What it was found to be.
    pub found: Assessment,
    /// What it knows of itself.
    pub manifest: Manifest,
    /// The installer, and why not the usual one.
    pub installer: String,
}

impl Work<'_> {
    /// Builds a release and checks it. When this returns it is whole and on the disk.
    pub fn release(
        &self,
        id: &str,
        prepared: Option<crate::manifest::Prepared>,
    ) -> Result<Built, Failed> {
        let stays = self.described.not_portable();
        if !stays.is_empty() {
            return Err(refusal(&self.goal.venv, &stays).into());
        }
        let release = self.locked.begin(id)?;
        let secrets = Secrets::known(&self.requirements.addresses);
        let conf = self.configuration(&release)?;
        let (installer, why) = self.choose(&conf)?;
        let reuse = self.reuse();
        let job = self.job(&release, &secrets, &reuse)?;
        let held = self.locked.inherited()?;
        let progress = Progress::begin(
            self.context,
            format!("building {id} with {}", installer.name()),
        );
        installer.make(&job)?;
        self.settle(&release, &reuse)?;
        let built = self.install(&job, installer, &conf, &reuse, &progress)?;
        let mut manifest = Manifest {
            carried: self.carry(&release)?,
            prepared,
        };
        manifest.carried.extend(self.pip_conf(&release)?);
        let found = self.judge(&job, built)?;
        progress.say("compiling");
        self.compile(&job)?;
        progress.say("post-checks");
        post_checks::run(&job, self.build, !self.is_delegated())?;
        progress.say("writing to the disk");
        drop(held);
        self.locked.note(id, &manifest)?;
        self.locked.finish(id)?;
        Ok(Built {
            found,
            manifest,
            installer: match why {
                Some(why) => format!("{} ({why})", installer.name()),
                None => installer.name().to_owned(),
            },
        })
    }

    /// Root's own variables are nobody else's.
    fn is_delegated(&self) -> bool {
        crate::delegate::is_delegated()
    }

    /// pip's configuration as it is for the release: the environment's own pip.conf is there from
    /// the beginning.
    fn configuration(&self, release: &Path) -> Result<PipConf> {
        self.pip_conf(release)?;
        Ok(PipConf::read(
            release,
            &environ::passed(&self.requirements.variables),
        ))
    }

    fn pip_conf(&self, release: &Path) -> Result<std::collections::BTreeMap<String, String>> {
        let all = self.described.portable();
        let conf: Vec<_> = all
            .into_iter()
            .filter(|foreign| foreign.kind == crate::foreign::Kind::PipConf)
            .collect();
        if conf.is_empty() {
            return Ok(Default::default());
        }
        let own = self.carrier(release).carry(&conf)?;
        Ok(conf
            .iter()
            .filter_map(|foreign| {
                let print = crate::manifest::fingerprint(&release.join(&foreign.path))?;
                Some((foreign.path.to_string_lossy().into_owned(), print))
            })
            .chain(own)
            .collect())
    }

    /// uv where it can do what is asked for, else pip and the reason.
    fn choose(&self, conf: &PipConf) -> Result<(Installer, Option<String>)> {
        let asked = self.build.installer.as_deref();
        if asked == Some("pip") {
            return Ok((Installer::Pip, None));
        }
        let has_uv = on_path("uv");
        if !has_uv && asked == Some("uv") {
            return Err(Error::failed("uv is not on PATH")
                .hint("install uv (https://docs.astral.sh/uv/), or give --installer pip"));
        }
        if !has_uv {
            return Ok((Installer::Pip, None));
        }
        match canonical::not_for_uv(self.requirements, &self.values(), conf) {
            None => Ok((Installer::Uv, None)),
            Some(why) if asked == Some("uv") => Err(Error::failed(format!(
                "uv cannot do what is asked for: {why}"
            ))
            .hint("give --installer pip, or no --installer")),
            Some(why) => Ok((Installer::Pip, Some(why))),
        }
    }

    /// What markers see: the environment's Python, or that of the new one.
    fn values(&self) -> MarkerValues {
        let observed = self.found.observed.as_ref().filter(|_| !self.python.1);
        match observed {
            Some(observed) => self
                .requirements
                .values(compare::python(observed), compare::implementation(observed)),
            None => {
                let python = python_version(&self.python.0);
                self.requirements.values(python, "CPython")
            }
        }
    }

    /// What of the environment's distributions the release takes over.
    fn reuse(&self) -> Reuse {
        let Some(observed) = &self.found.observed else {
            return Reuse::default();
        };
        let choice = Choice {
            requirements: self.requirements,
            findings: &self.found.findings,
            reached: &self.found.reached,
            allowed: &self.goal.allowed(),
            extraneous: self.goal.extraneous,
            seeds: !self.described.seeds.is_empty(),
            rebuild: self.build.rebuild,
            upgrade: &self.build.upgrade,
            same_python: !self.python.1,
        };
        plan::reuse(observed, &choice)
    }

    fn job<'b>(
        &'b self,
        release: &'b Path,
        secrets: &'b Secrets,
        reuse: &Reuse,
    ) -> Result<Job<'b>> {
        let name = self.store.name.to_string_lossy().into_owned();
        let variables = self
            .build
            .given
            .variables(rustix::process::geteuid().as_raw())?;
        Ok(Job {
            release,
            prompt: self.described.prompt.clone().unwrap_or(name),
            python: self.python.0.clone(),
            system_site: self.described.system_site,
            without_pip: reuse.kept.iter().any(|kept| kept.key == "pip"),
            requirements: &self.goal.requirements,
            constraints: &self.goal.constraints,
            wheelhouse: self.build.wheelhouse.as_deref(),
            cache: self.cache()?,
            variables,
            reflink: false,
            deadline: self.context.deadline,
            watch: Arc::clone(&self.watch),
            secrets,
            named: &self.requirements.variables,
            addresses: &self.requirements.addresses,
        })
    }

    /// A cache of our own, where the user has no HOME that can be written.
    fn cache(&self) -> Result<Option<PathBuf>> {
        let set = |name: &str| std::env::var_os(name).is_some();
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let usable = home.is_some_and(|home| {
            rustix::fs::access(&home, rustix::fs::Access::WRITE_OK).is_ok()
                || home.join(".cache").is_dir()
                    && rustix::fs::access(home.join(".cache"), rustix::fs::Access::WRITE_OK).is_ok()
        });
        if usable || set("XDG_CACHE_HOME") || set("UV_CACHE_DIR") && set("PIP_CACHE_DIR") {
            return Ok(None);
        }
        self.locked.cache().map(Some)
    }

    /// The environment's own properties: mode, group, and that the seeds belong to it.
    fn settle(&self, release: &Path, reuse: &Reuse) -> Result<()> {
        let dir = Dir::open(release)?;
        if let Some((mode, group)) = self.described.access {
            let failed = |errno: rustix::io::Errno| {
                Error::io(
                    format!("cannot set the mode of '{}'", release.display()),
                    &errno.into(),
                )
            };
            let own = dir.own_stat()?;
            if own.st_gid != group {
                let group = Some(rustix::fs::Gid::from_raw(group));
                rustix::fs::fchown(&dir, None, group).map_err(failed)?;
            }
            let mode = rustix::fs::Mode::from_raw_mode(mode);
            rustix::fs::fchmod(&dir, mode).map_err(failed)?;
        }
        let seeds = reuse
            .kept
            .iter()
            .any(|kept| SEEDS.contains(&kept.key.as_str()));
        let environment = open(release)?;
        if environment.config.unseeded && seeds && !self.described.bare {
            let name = "pyvenv.cfg";
            let mut text = dir.read(name, 1 << 20)?.unwrap_or_default();
            text.extend_from_slice(b"seed = true\n");
            dir.write(name, &text, base::atomic::Access::mode(0o644))?;
        }
        Ok(())
    }

    fn carrier<'b>(&'b self, release: &'b Path) -> Carrier<'b> {
        let observed = self.found.observed.as_ref();
        let real = observed.map(|observed| observed.real_prefix.clone());
        let from = observed.map_or(release, |observed| observed.real_prefix.as_path());
        // The link leads to whatever is live: a path by way of it is right as it is.
        let is_directory = self.store.link() == from;
        let mut old: Vec<PathBuf> = real.into_iter().collect();
        if is_directory {
            old.clear();
        }
        Carrier {
            old,
            from,
            to: release,
        }
    }

    /// Everything of the user's but pip.conf, which is there already.
    fn carry(&self, release: &Path) -> Result<std::collections::BTreeMap<String, String>> {
        if self.found.observed.is_none() {
            return Ok(Default::default());
        }
        self.carrier(release).carry(&self.described.portable())
    }

    /// Whether the release is what was asked for and what was described.
    fn judge(&self, job: &Job<'_>, mut built: Assessment) -> Result<Assessment, Failed> {
        if self
            .described
            .foreign
            .iter()
            .any(|f| f.kind != crate::foreign::Kind::PipConf)
        {
            // What was carried over counts: a .pth file may lead out.
            built.findings = self.look_at(job, Depth::None)?.findings;
        }
        if !built.in_sync() {
            let mut body = Body::default();
            body.set_findings(built.findings.clone());
            let error = Error::failed(format!(
                "the new release is not what was asked for: {}",
                summary(&body)
            ))
            .hint("the items list the differences; the environment has not changed");
            return Err(Failed {
                error,
                findings: built.findings,
            });
        }
        let release = Description::of(&open(job.release)?)?;
        let present: BTreeSet<PathBuf> = self
            .described
            .portable()
            .iter()
            .map(|foreign| foreign.path.clone())
            .filter(|path| job.release.join(path).symlink_metadata().is_ok())
            .collect();
        let lost = self.described.lost_in(&release, &present);
        match lost.first() {
            None => Ok(built),
            Some(_) => Err(Error::failed(format!(
                "the new release is not what the environment was: {}",
                lost.join("; ")
            ))
            .hint("--drop gives up a property: system-site-packages, seeds, pip.conf or a path")
            .into()),
        }
    }

    fn compile(&self, job: &Job<'_>) -> Result<()> {
        let environment = open(job.release)?;
        let minor = environment.python.map_or(0, |python| python.minor);
        let sources = compile::sources(&environment);
        compile::compile(job, &sources, &self.store.link(), minor)
    }
}
