//! The environment itself: its interpreter, the condition of its distributions' directories, and
//! where it leaks.

use std::collections::BTreeMap;
use std::path::Path;

use crate::findings::{Finding, Kind};
use crate::observe::{Place, StartupFile};
use crate::requirements::link::absolute;
use base::Fix;

use super::Work;

impl Work<'_> {
    /// Is there an interpreter, and is it the one that the library directory is for?
    pub(super) fn interpreter(&mut self) {
        let environment = &self.observed.environment;
        let prefix = environment.prefix.display();
        let broken = |msg: String| {
            Finding::new(Kind::InterpreterBroken, msg).path(&environment.prefix.join("bin/python"))
        };
        let Some(interpreter) = &environment.interpreter else {
            let finding = broken(format!("{prefix}: there is no bin/python"));
            return self.found(finding.fix(self.policy.apply.clone()));
        };
        let shown = interpreter.path.display();
        let finding = match &interpreter.real {
            None => {
                let target = interpreter.target.clone().unwrap_or_default();
                Some(
                    broken(format!(
                        "{shown} leads to {}, which is not there",
                        target.display()
                    ))
                    .installed(target.to_string_lossy()),
                )
            }
            Some(real) if !interpreter.executable => {
                Some(broken(format!("{} cannot be executed", real.display())))
            }
            Some(_) => None,
        };
        if let Some(finding) = finding {
            self.found(finding.fix(self.policy.apply.clone()));
        }
        let library = environment.python;
        let (Some(named), Some(library)) = (interpreter.named, library) else {
            if library.is_none() || environment.sites.is_empty() {
                let msg = format!("{prefix}: there is no lib/pythonX.Y/site-packages");
                let finding = Finding::new(Kind::LibVersionMismatch, msg);
                self.found(
                    finding
                        .path(&environment.prefix.join("lib"))
                        .fix(self.policy.apply.clone()),
                );
            }
            return;
        };
        if (named.major, named.minor) != (library.major, library.minor) {
            let msg = format!(
                "{shown} is Python {}, the libraries are for {}",
                named.minor_text(),
                library.minor_text()
            );
            self.found(
                Finding::new(Kind::LibVersionMismatch, msg)
                    .installed(named.minor_text())
                    .required(library.minor_text())
                    .path(
                        &environment
                            .prefix
                            .join(format!("lib/python{}", library.minor_text())),
                    )
                    .fix(self.policy.apply.clone()),
            );
        }
    }

    /// The condition of each distribution's directory.
    pub(super) fn condition(&mut self) {
        let mut first: BTreeMap<&str, &Path> = BTreeMap::new();
        for installed in self
            .observed
            .installed
            .iter()
            .filter(|i| i.place == Place::Own)
        {
            let dist = &installed.dist;
            let about = |kind, msg: String| {
                Finding::new(kind, msg)
                    .name(&dist.name)
                    .installed(&dist.version)
                    .path(&dist.path)
                    .fix(self.policy.apply.clone())
            };
            let mut found = Vec::new();
            if let Some(other) = first.insert(&dist.key, &dist.path) {
                let other = other
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                found.push(about(
                    Kind::DuplicateDist,
                    format!("{} is installed twice: {other} is there, too", dist.name),
                ));
            }
            match &installed.metadata {
                Err(why) => {
                    let file = dist.metadata_path();
                    let finding = about(
                        Kind::MetadataUnreadable,
                        format!("{} {why}", file.display()),
                    );
                    found.push(finding.path(&file));
                }
                Ok(metadata) => {
                    let name = metadata.name.as_deref().unwrap_or_default();
                    let version = metadata.version.as_deref().unwrap_or_default();
                    let same_name = pydist::name::normalize(name) == dist.key;
                    if !same_name || !installed.version.same(version) {
                        let says = format!("{name} {version}");
                        let msg = format!(
                            "{} is of {} {}, its METADATA says {says}",
                            dist.path.display(),
                            dist.name,
                            dist.version
                        );
                        found.push(about(Kind::MetadataVersionMismatch, msg).required(says.trim()));
                    }
                }
            }
            if !installed.has_record {
                found.push(about(
                    Kind::RecordMissing,
                    format!(
                        "{} has no RECORD: its files are unknown",
                        dist.path.display()
                    ),
                ));
            }
            self.out.findings.extend(found);
        }
        for path in &self.observed.leftovers {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let msg = format!("{name} is what an interrupted uninstall left behind");
            let finding = Finding::new(Kind::GhostDist, msg)
                .name(name.trim_start_matches('~'))
                .path(path);
            self.out
                .findings
                .push(finding.fix(self.remove(path, "remove what the uninstall left behind")));
        }
    }

    /// What Python sees, or runs at its start, that is not the environment's own.
    pub(super) fn leaks(&mut self) {
        self.system_site();
        for file in &self.observed.startup {
            if let Some((number, line)) = &file.executes {
                if !self.is_expected(file, line) {
                    let shown: String = line.chars().take(80).collect();
                    let msg = format!(
                        "{} runs at every start of Python: {shown}",
                        file.path.display()
                    );
                    let finding = Finding::new(Kind::PthExecutes, msg)
                        .origin(format!("{}:{number}", file.path.display()));
                    self.out.findings.push(
                        finding
                            .path(&file.path)
                            .fix(self.keep_or_remove(&file.path)),
                    );
                }
            }
            for (number, written, path) in &file.adds {
                if self.leads_out(path) {
                    let msg = format!(
                        "{} adds {} to sys.path, outside the environment",
                        file.path.display(),
                        path.display()
                    );
                    self.out.findings.push(
                        Finding::new(Kind::LeakPth, msg)
                            .installed(written.to_string_lossy())
                            .origin(format!("{}:{number}", file.path.display()))
                            .path(path)
                            .fix(self.policy.apply_with(
                                "say that the directory belongs to the site",
                                "--vendor",
                                &path.to_string_lossy(),
                            )),
                    );
                }
            }
        }
    }

    /// Removes a file or directory of the environment.
    fn remove(&self, path: &Path, summary: &str) -> Fix {
        let words = ["rm", "-r", "--", &path.to_string_lossy()].map(str::to_owned);
        Fix::advice(summary).command(&self.policy.actor, &words)
    }

    /// A startup file that belongs to nothing: only a person can say whether it stays.
    fn keep_or_remove(&self, path: &Path) -> Fix {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let prefix = &self.observed.environment.prefix;
        let below = path.strip_prefix(prefix).unwrap_or(path);
        self.policy
            .apply_with("keep the file", "--allow", &name)
            .or(self.policy.apply_with(
                "build a release without the file",
                "--drop",
                &below.to_string_lossy(),
            ))
    }

    /// `import site; site.addsitedir('/srv/vendor')` of a directory that the caller named.
    fn adds_vendor(&self, line: &str) -> bool {
        let plain: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        let Some(rest) = plain.strip_prefix("importsite;site.addsitedir(") else {
            return false;
        };
        let inner = rest.trim_end_matches(';').strip_suffix(')').unwrap_or("");
        let path = inner
            .strip_prefix(['\'', '"'])
            .and_then(|rest| rest.strip_suffix(['\'', '"']));
        path.is_some_and(|path| {
            let path = Path::new(path);
            let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            !path.to_string_lossy().contains(['\'', '"', '\\'])
                && self
                    .policy
                    .vendor
                    .iter()
                    .any(|vendor| real.starts_with(vendor))
        })
    }

    fn system_site(&mut self) {
        if !self.observed.environment.config.system_site {
            return;
        }
        let system = self
            .observed
            .installed
            .iter()
            .filter(|i| i.place == Place::System);
        let deliberate = system
            .map(|i| &i.dist.key)
            .any(|key| self.policy.allow.contains(key));
        let msg = "the system's packages are visible: include-system-site-packages is true";
        if deliberate {
            self.out.warnings.push(msg.to_owned());
        } else {
            let cfg = self.observed.environment.prefix.join("pyvenv.cfg");
            self.found(
                Finding::new(Kind::LeakSystem, msg)
                    .path(&cfg)
                    .fix(self.policy.apply_with(
                        "build a release that does not see the system's packages",
                        "--drop",
                        "system-site-packages",
                    )),
            );
        }
    }

    /// Whether a file that executes something is an installed distribution's own, or virtualenv's.
    fn is_expected(&self, file: &StartupFile, line: &str) -> bool {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        if self.policy.goal.allow.iter().any(|have| *have == name) || self.adds_vendor(line) {
            return true;
        }
        let is_virtualenv = file.path.ends_with("_virtualenv.pth") && line == "import _virtualenv";
        is_virtualenv
            || file.owner.as_ref().is_some_and(|owner| {
                let key = pydist::name::normalize(owner);
                self.index.contains_key(key.as_str())
            })
    }

    /// Whether a directory is neither below the environment, nor the site's own, nor an editable
    /// install's.
    fn leads_out(&self, path: &Path) -> bool {
        let environment = &self.observed.environment;
        let inside = [&environment.prefix, &self.observed.real_prefix];
        if inside.iter().any(|prefix| path.starts_with(prefix)) {
            return false;
        }
        let vendor = self
            .policy
            .vendor
            .iter()
            .any(|vendor| path.starts_with(absolute(vendor, Path::new("/"))));
        let editable = self.observed.installed.iter().any(|installed| {
            let by_url = installed.direct_url.as_ref().is_some_and(|have| {
                have.dir_info.as_ref().is_some_and(|dir| dir.editable)
                    && have.local_path().is_some_and(|have| path.starts_with(have))
            });
            by_url
                || installed
                    .dist
                    .target
                    .as_ref()
                    .is_some_and(|target| path == target)
        });
        !vendor && !editable
    }
}
