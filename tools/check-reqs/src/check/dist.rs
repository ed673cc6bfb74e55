//! An installed Python distribution, read from its `*.dist-info`: pip is not run, and neither is
//! Python.

use super::python;
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::shell;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::programs;
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use crate::version::{Order, Wanted};
use base::Result;
use base::clock::Deadline;
use std::path::{Path, PathBuf};

/// `type = "dist"`.
pub const TYPE: Type = Type {
    name: "dist",
    about: "an installed Python distribution and its version",
    keys: &[
        ("name", "the distribution"),
        ("version", "\">=8.0\"; alternatives in a list"),
        (
            "venv",
            "a virtual environment, a prefix or an interpreter (python3's own)",
        ),
        (
            "site",
            "a directory of distributions in place of venv, such as a vendor library",
        ),
        (
            "requirements",
            "the requirements file of the site, to which the fix adds a missing distribution",
        ),
    ],
    short: Short {
        words: &["dist"],
        colon: true,
        forms: &["NAME[>=1.0][@VENV]", "dist:NAME[>=1.0][@VENV]"],
        example: "setuptools>=8.0@/srv/venv",
        read: read_short,
    },
    read,
};

/// Distributions that are named like a type of check: the bare word means the distribution.
pub const IS_ALSO_NAMED: &[&str] = &["django"];

fn read_short(_: &str, rest: &str) -> Result<Pairs, String> {
    let pairs = short::versioned(rest, Some("venv"))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.[],".contains(c);
    let (name, ..) = short::split_version(rest);
    match name.chars().all(fits) && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        true => Ok(pairs),
        false => Err(format!("'{name}' is not the name of a distribution")),
    }
}

struct Distribution {
    name: String,
    wanted: Wanted,
    venv: Option<PathBuf>,
    site: Option<PathBuf>,
    requirements: Option<PathBuf>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let name = fields.required("name")?;
    // Extras are not installed by themselves: `celery[redis]` asks for celery here.
    let name = name.split('[').next().unwrap_or(&name).trim().to_string();
    let texts = fields.texts("version")?;
    let wanted =
        Wanted::new(&texts, Order::Python).map_err(|what| fields.error("version", what))?;
    Ok(Box::new(Distribution {
        name,
        wanted,
        venv: fields.text("venv")?.map(PathBuf::from),
        site: fields.text("site")?.map(PathBuf::from),
        requirements: fields.text("requirements")?.map(PathBuf::from),
    }))
}

impl Distribution {
    fn requirement(&self) -> String {
        format!(
            "{}{}",
            self.name,
            self.wanted
                .text()
                .split(" || ")
                .last()
                .unwrap_or_default()
                .replace(' ', "")
        )
    }

    /// What is installed by hand is drift: the requirements of the site name the distribution, and
    /// venv-sync brings the environment to them.
    fn install(&self, place: &Path) -> Fix {
        let requirement = self.requirement();
        let shown = place.display().to_string();
        let Some(file) = &self.requirements else {
            let summary = match &self.venv {
                Some(_) => format!(
                    "name {requirement} in the site's requirements file, then run venv-sync apply"
                ),
                None => format!(
                    "install {requirement} into a virtual environment; venv = \"DIRECTORY\" names the one to look at"
                ),
            };
            return Fix::advice(summary);
        };
        let file = file.display().to_string();
        let named = format!(
            "grep -qsxF -e {line} -- {file} || printf '%s\\n' {line} >>{file}",
            line = fix::quoted(&requirement),
            file = fix::quoted(&file)
        );
        fix::root(
            format!("name {requirement} in {file}, and bring {shown} to what is named there"),
            vec![named, shell(&["venv-sync", "apply", "-r", &file, &shown])],
        )
    }
}

impl Check for Distribution {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        let place = self
            .venv
            .as_ref()
            .map(|venv| format!(" in {}", venv.display()))
            .unwrap_or_default();
        match self.wanted.is_any() {
            true => format!("{}{place}", self.name),
            false => format!("{} {}{place}", self.name, self.wanted.text()),
        }
    }

    fn how(&self) -> String {
        "names of *.dist-info and *.egg-info in the environment's site-packages; no Python is started".into()
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        if let Some(site) = &self.site {
            return self.look_in_site(site);
        }
        let default = || programs::find("python3").map(|path| python::behind_shim(&path, deadline));
        let Some(place) = self.venv.clone().or_else(default) else {
            return Finding::unmet("no_python", "there is no python3 on PATH")
                .fix(fix::install_of_command(scene, "python3"));
        };
        if let Err(error) = std::fs::metadata(&place) {
            let finding = Finding::io(place.display(), &error);
            return match finding.verdict {
                crate::finding::Verdict::Unmet => finding.fix(python::venv_fix(scene, &place)),
                _ => finding,
            };
        }
        let dists = scene.dists(&place);
        let index = match dists.as_ref() {
            Ok(index) => index,
            Err(why) if why.contains("permission denied") => {
                return Finding::unknown("permission", why.clone());
            }
            Err(why) => {
                return Finding::unmet("no_environment", why.clone())
                    .fix(python::venv_fix(scene, &place));
            }
        };
        let environment = &index.environment;
        let broken = environment
            .interpreter
            .as_ref()
            .filter(|interpreter| interpreter.real.is_none());
        let Some(dist) = index.dists.get(&pydist::name::normalize(&self.name)) else {
            return Finding::unmet(
                "missing",
                format!(
                    "{} is not installed in {}",
                    self.name,
                    environment.prefix.display()
                ),
            )
            .evidence(
                environment
                    .sites
                    .iter()
                    .map(|site| site.display().to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
            )
            .fix(self.install(&environment.prefix));
        };
        let evidence = dist.path.display().to_string();
        if let Some(interpreter) = broken {
            let msg = format!(
                "{} {} is there, but {} leads nowhere",
                self.name,
                dist.version,
                interpreter.path.display()
            );
            return Finding::unmet("broken_link", msg)
                .found(dist.version.clone())
                .evidence(evidence)
                .fix(python::venv_fix(scene, &environment.prefix));
        }
        self.judge(dist, evidence, self.install(&environment.prefix))
    }
}

impl Distribution {
    /// A directory that `site.addsitedir` or PYTHONPATH brings in.
    fn look_in_site(&self, site: &Path) -> Finding {
        let (shown, wanted) = (site.display().to_string(), self.requirement());
        let fix = Fix::advice(format!("put {wanted} into {shown}")).or(fix::root(
            format!("install {wanted} into {shown}"),
            vec![shell(&[
                "python3", "-m", "pip", "install", "--target", &shown, &wanted,
            ])],
        ));
        match (
            std::fs::metadata(site),
            pydist::site::find(site, &self.name),
        ) {
            (Err(error), _) => {
                let finding = Finding::io(site.display(), &error);
                if finding.verdict == crate::finding::Verdict::Unmet {
                    finding.fix(fix)
                } else {
                    finding
                }
            }
            (_, Err(error)) => Finding::unknown("permission", error.to_string()),
            (_, Ok(None)) => {
                Finding::unmet("missing", format!("{} is not in {shown}", self.name)).fix(fix)
            }
            (_, Ok(Some(dist))) => self.judge(&dist, dist.path.display().to_string(), fix),
        }
    }

    fn judge(&self, dist: &pydist::Dist, evidence: String, fix: Fix) -> Finding {
        match self.wanted.admits(&dist.version, Order::Python) {
            Some(true) => Finding::met(
                dist.version.clone(),
                format!("{} {} is installed", self.name, dist.version),
            )
            .evidence(evidence),
            Some(false) => Finding::unmet(
                "version",
                format!(
                    "{} is {}, wanted is {}",
                    self.name,
                    dist.version,
                    self.wanted.text()
                ),
            )
            .found(dist.version.clone())
            .evidence(evidence)
            .fix(fix),
            None => Finding::unknown(
                "version",
                format!(
                    "{}: '{}' is not a version that PEP 440 knows",
                    self.name, dist.version
                ),
            )
            .found(dist.version.clone())
            .evidence(evidence),
        }
    }
}
