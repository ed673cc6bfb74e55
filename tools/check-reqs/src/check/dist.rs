//! An installed Python distribution, read from its `*.dist-info`: pip is not run, and neither is Python.

use super::{Check, Finding, Type, python};
use crate::document::Fields;
use crate::fix::Fix;
use crate::programs;
use crate::scene::Scene;
use crate::shell::shell;
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
            "a directory of distributions, in its place: a vendor library",
        ),
    ],
    read,
};

struct Distribution {
    name: String,
    wanted: Wanted,
    venv: Option<PathBuf>,
    site: Option<PathBuf>,
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

    fn install(&self, place: &Path) -> Fix {
        let text = format!("install {} into {}", self.requirement(), place.display());
        let requirement = self.requirement();
        match &self.venv {
            Some(venv) => {
                let python = if venv.is_dir() {
                    venv.join("bin/python")
                } else {
                    venv.clone()
                };
                let python = python.display().to_string();
                let words = [python.as_str(), "-m", "pip", "install", &requirement];
                match python::owner_of(Path::new(&python)).and_then(|owner| owner.name) {
                    Some(owner) => Fix::root(
                        text,
                        vec![shell(
                            &[&["runuser", "-u", owner.as_str(), "--"], words.as_slice()].concat(),
                        )],
                    ),
                    None => Fix::plain(text, vec![shell(&words)]),
                }
            }
            None => Fix::advice(format!(
                "{text}, better in a virtual environment: python3 -m venv VENV; VENV/bin/pip install '{requirement}'"
            )),
        }
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
                .fix(crate::fix::install_of_command(&scene.distro, "python3"));
        };
        if let Err(error) = std::fs::metadata(&place) {
            let finding = Finding::io(place.display(), &error);
            return match finding.verdict {
                super::Verdict::Unmet => {
                    finding.fix(python::venv_fix(scene.distro.manager(), &place))
                }
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
                    .fix(python::venv_fix(scene.distro.manager(), &place));
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
                .fix(python::venv_fix(
                    scene.distro.manager(),
                    &environment.prefix,
                ));
        }
        self.judge(dist, evidence, self.install(&environment.prefix))
    }
}

impl Distribution {
    /// A directory that `site.addsitedir` or PYTHONPATH brings in.
    fn look_in_site(&self, site: &Path) -> Finding {
        let (shown, wanted) = (site.display().to_string(), self.requirement());
        let text = format!("put {wanted} into {shown}");
        let fix = Fix::plain(
            text,
            vec![shell(&[
                "python3", "-m", "pip", "install", "--target", &shown, &wanted,
            ])],
        );
        match (
            std::fs::metadata(site),
            pydist::site::find(site, &self.name),
        ) {
            (Err(error), _) => {
                let finding = Finding::io(site.display(), &error);
                if finding.verdict == super::Verdict::Unmet {
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
