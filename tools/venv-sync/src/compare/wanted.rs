//! The requirements and constraints themselves.

use crate::findings::{Finding, Kind};
use crate::observe::{Installed, Place};
use crate::requirements::{Requirements, Wanted};

use super::Work;

impl<'a> Work<'a> {
    /// Each requirement that counts here: is it there, in that version, from that place?
    pub(super) fn requirements(&mut self, requirements: &Requirements) {
        for wanted in requirements
            .wanted
            .iter()
            .filter(|wanted| !wanted.constraint)
        {
            if !wanted.counts(&self.values) {
                continue;
            }
            self.out.required += 1;
            match self.installed_for(wanted) {
                Some(installed) => {
                    self.reach(&installed.dist.key, &wanted.extras);
                    self.version(wanted, installed);
                    self.source(wanted, installed);
                    self.origin_is_the_system(wanted, installed);
                }
                None => self.absent(wanted),
            }
        }
    }

    /// Constraints limit whatever is asked for, and nothing else.
    pub(super) fn constraints(&mut self, requirements: &Requirements) {
        let counting = requirements
            .wanted
            .iter()
            .filter(|wanted| wanted.constraint && wanted.counts(&self.values));
        for wanted in counting.collect::<Vec<_>>() {
            let Some(installed) = self
                .installed_for(wanted)
                .filter(|i| self.reached.contains_key(&i.dist.key))
            else {
                continue;
            };
            self.version(wanted, installed);
            if wanted.link.is_some() {
                self.source(wanted, installed);
            }
        }
    }

    fn installed_for(&self, wanted: &Wanted) -> Option<&'a Installed> {
        if let Some(key) = &wanted.key {
            return self.index.get(key.as_str()).copied();
        }
        // Without a name, the place is all there is to know it by.
        let link = wanted.link.as_ref()?;
        let prefix = &self.observed.real_prefix;
        let matching = |installed: &&&Installed, editable: bool| {
            let from_there = installed
                .direct_url
                .as_ref()
                .is_some_and(|have| link.matches(have, editable, prefix));
            from_there || editable && is_link_to(installed, link)
        };
        let exact = self
            .index
            .values()
            .find(|installed| matching(installed, wanted.editable));
        exact
            .or_else(|| {
                self.index
                    .values()
                    .find(|installed| matching(installed, !wanted.editable))
            })
            .copied()
    }

    fn version(&mut self, wanted: &Wanted, installed: &Installed) {
        if wanted.specifiers.allow(&installed.version) {
            return;
        }
        let dist = &installed.dist;
        let required = wanted.specifiers.to_string();
        let by = if wanted.constraint {
            "the constraint"
        } else {
            "asked for"
        };
        let msg = format!(
            "{} is {}, {by} is {required}",
            dist.name,
            shown(&dist.version)
        );
        self.found(
            Finding::new(Kind::WrongVersion, msg)
                .name(&dist.name)
                .installed(&dist.version)
                .required(required)
                .origin(&wanted.origin)
                .path(&dist.path)
                .fix(self.policy.apply.clone()),
        );
    }

    fn source(&mut self, wanted: &Wanted, installed: &Installed) {
        let prefix = &self.observed.real_prefix;
        let have = installed.direct_url.as_ref();
        let complaint = match (&wanted.link, have) {
            (Some(link), Some(have)) => {
                (!link.matches(have, wanted.editable, prefix)).then(|| have.describe())
            }
            (Some(link), None) if wanted.editable && is_link_to(installed, link) => None,
            // An old installer notes no origin; that says nothing about the origin.
            (Some(_), None) if installed.dist.form != pydist::Form::DistInfo => {
                let dist = &installed.dist;
                let msg = format!("{} {}: the origin is unknown", dist.name, dist.version);
                self.out.warnings.push(msg);
                None
            }
            (Some(_), None) => Some("an index".to_owned()),
            // The same version number says nothing about what lies in a working tree.
            (None, Some(have)) if have.is_mutable() && !wanted.constraint => Some(have.describe()),
            (None, Some(have)) => wrong_hash(wanted, have),
            (None, None) => None,
        };
        let Some(from) = complaint else {
            return;
        };
        let dist = &installed.dist;
        let required = match (&wanted.link, wanted.editable) {
            (Some(link), true) => format!("-e {}", link.url),
            (Some(link), false) => link.url.clone(),
            (None, _) if wanted.hashes.is_empty() => "an index".to_owned(),
            (None, _) => wanted.hashes.join(" "),
        };
        let msg = format!(
            "{} {} is from {from}, asked for is {required}",
            dist.name, dist.version
        );
        self.found(
            Finding::new(Kind::SourceMismatch, msg)
                .name(&dist.name)
                .installed(from)
                .required(required)
                .origin(&wanted.origin)
                .path(&dist.path)
                .fix(self.policy.apply.clone()),
        );
    }

    fn origin_is_the_system(&mut self, wanted: &Wanted, installed: &Installed) {
        let dist = &installed.dist;
        if installed.place != Place::System || self.policy.allow.contains(&dist.key) {
            return;
        }
        let msg = format!(
            "{} {} is the system's, not the environment's own",
            dist.name, dist.version
        );
        self.found(
            Finding::new(Kind::LeakSystem, msg)
                .name(&dist.name)
                .installed(&dist.version)
                .required(&wanted.text)
                .origin(&wanted.origin)
                .path(&dist.path)
                .fix(
                    self.policy
                        .apply_with(
                            "say that the system provides the distribution",
                            "--allow",
                            &dist.name,
                        )
                        .or(self.policy.apply_with(
                            "build a release that does not see the system's packages",
                            "--drop",
                            "system-site-packages",
                        )),
                ),
        );
    }

    fn absent(&mut self, wanted: &Wanted) {
        let elsewhere = wanted
            .key
            .as_ref()
            .and_then(|key| self.observed.elsewhere.get(key))
            .filter(|dist| {
                let version = pydist::specifier::InstalledVersion::new(&dist.version);
                wanted.specifiers.allow(&version)
            });
        if let Some(key) = wanted
            .key
            .as_ref()
            .filter(|key| self.observed.vendor_modules.contains(*key))
        {
            let msg = format!(
                "{} comes from the vendor library without metadata: its version is unknown",
                wanted.text
            );
            self.out.warnings.push(msg);
            self.missing.insert(key.clone());
            return;
        }
        let finding = match elsewhere {
            Some(dist) => {
                let site = dist.path.parent().unwrap_or(&dist.path).display();
                let msg = format!(
                    "{} is not in the environment, but {} is in the system's Python ({site})",
                    wanted.text, dist.version
                );
                Finding::new(Kind::WrongPython, msg)
                    .installed(&dist.version)
                    .path(&dist.path)
            }
            None => Finding::new(Kind::Missing, format!("{} is not installed", wanted.text)),
        };
        let name = wanted
            .key
            .clone()
            .unwrap_or_else(|| base::mask::text(&wanted.text));
        if let Some(key) = &wanted.key {
            self.missing.insert(key.clone());
        }
        self.found(
            finding
                .name(name)
                .required(&wanted.text)
                .origin(&wanted.origin)
                .fix(self.policy.apply.clone()),
        );
    }
}

/// An old development install of the directory that the link names.
fn is_link_to(installed: &Installed, link: &crate::requirements::link::Link) -> bool {
    let target = installed.dist.target.as_ref();
    target.is_some_and(|target| {
        crate::requirements::link::Link::from_path(target, std::path::Path::new("/")).url
            == link.url
    })
}

/// The archive's hash, where it was recorded and is none of those that were asked for.
fn wrong_hash(wanted: &Wanted, have: &crate::requirements::link::DirectUrl) -> Option<String> {
    let recorded = ["sha256", "sha384", "sha512"]
        .iter()
        .find_map(|algorithm| Some(format!("{algorithm}:{}", have.hash(algorithm)?)))?;
    let algorithm = recorded.split(':').next().unwrap_or_default();
    let mut same = wanted
        .hashes
        .iter()
        .filter(|hash| hash.starts_with(algorithm))
        .peekable();
    (same.peek().is_some() && !same.any(|hash| hash.eq_ignore_ascii_case(&recorded)))
        .then_some(recorded)
}

fn shown(version: &str) -> &str {
    if version.is_empty() {
        "of no known version"
    } else {
        version
    }
}
