//! What the installed distributions themselves require, extras included.

use std::borrow::Cow;
use std::collections::BTreeSet;

use pydist::requirement::Requirement;
use pydist::specifier::Specifiers;

use crate::findings::{Finding, Kind};
use crate::observe::{Installed, Place};

use super::Work;

impl<'a> Work<'a> {
    /// Walks from what was asked for to everything that it needs, then looks at what is left over
    /// by itself.
    pub(super) fn dependencies(&mut self) {
        let mut queue: Vec<String> = self.reached.keys().cloned().collect();
        let mut done: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        while let Some(key) = queue.pop() {
            let extras = self.reached.get(&key).cloned().unwrap_or_default();
            // Again only where more extras were asked for meanwhile.
            if done
                .insert(key.clone(), extras.len() + 1)
                .is_some_and(|before| before == extras.len() + 1)
            {
                continue;
            }
            for requirement in self.counting(&key, &extras) {
                self.reach(&requirement.key, &requirement.extras);
                queue.push(requirement.key.clone());
            }
        }
        let installed = self
            .observed
            .installed
            .iter()
            .filter(|i| i.place != Place::System);
        for installed in installed.filter(|i| self.is_first(i)).collect::<Vec<_>>() {
            let extras = self
                .reached
                .get(&installed.dist.key)
                .cloned()
                .unwrap_or_default();
            self.requires_python(installed);
            for requirement in self.counting(&installed.dist.key, &extras) {
                self.dependency(installed, &requirement);
            }
        }
    }

    fn is_first(&self, installed: &Installed) -> bool {
        self.index
            .get(installed.dist.key.as_str())
            .is_some_and(|first| std::ptr::eq(*first, installed))
    }

    /// The requirements of a distribution that count here.
    fn counting(&self, key: &str, extras: &BTreeSet<String>) -> Vec<Cow<'a, Requirement>> {
        let Some(installed) = self.index.get(key) else {
            return Vec::new();
        };
        let counts = |requirement: &Requirement| {
            requirement.counts(&self.values, extras.iter().map(String::as_str))
        };
        let mut out: Vec<_> = installed
            .requires
            .iter()
            .filter(|requirement| counts(requirement))
            .map(Cow::Borrowed)
            .collect();
        if !extras.is_empty() {
            let optional = installed
                .optional
                .iter()
                .filter_map(|text| Requirement::parse(text).ok());
            out.extend(optional.filter(counts).map(Cow::Owned));
        }
        out
    }

    fn dependency(&mut self, by: &Installed, requirement: &Requirement) {
        let asker = format!("{} {}", by.dist.name, by.dist.version);
        let origin = by.dist.metadata_path();
        let have = self.index.get(requirement.key.as_str()).copied();
        let finding = match have {
            None if self.missing.contains(&requirement.key) => return,
            None => Finding::new(
                Kind::DepMissing,
                format!("{asker} needs {requirement}, which is not installed"),
            ),
            Some(have) if requirement.specifiers.allow(&have.version) => return,
            Some(have) => {
                let msg = format!(
                    "{asker} needs {requirement}, and {} is installed",
                    have.dist.version
                );
                Finding::new(Kind::DepConflict, msg)
                    .installed(&have.dist.version)
                    .path(&have.dist.path)
            }
        };
        self.found(
            finding
                .name(&requirement.name)
                .required(requirement.to_string())
                .origin(origin.display())
                .fix(self.policy.apply.clone()),
        );
    }

    fn requires_python(&mut self, installed: &Installed) {
        let required = installed
            .metadata
            .as_ref()
            .ok()
            .and_then(|metadata| metadata.requires_python.as_ref());
        let Some(required) = required else {
            return;
        };
        let python = pydist::specifier::InstalledVersion::new(&self.values.python_full_version);
        if Specifiers::parse(required).is_ok_and(|specifiers| !specifiers.allow(&python)) {
            let dist = &installed.dist;
            let msg = format!(
                "{} {} is for Python {required}, this is {}",
                dist.name, dist.version, self.values.python_full_version
            );
            self.found(
                Finding::new(Kind::RequiresPython, msg)
                    .name(&dist.name)
                    .installed(&self.values.python_full_version)
                    .required(required)
                    .path(&dist.path)
                    .fix(self.policy.apply.clone()),
            );
        }
    }
}
