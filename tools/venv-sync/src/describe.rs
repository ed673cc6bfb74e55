//! What an environment is beyond its distributions: the properties that a new release has to keep.
//! Read before a build and compared with the release after it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base::error::{Error, Result};
use pydist::Environment;

use crate::foreign::{self, Foreign, Kind};
use crate::request::quoted;

/// What an environment has without being asked for.
pub const SEEDS: [&str; 3] = ["pip", "setuptools", "wheel"];

/// An environment's properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The Python's `3.11`.
    pub python: Option<String>,
    /// Whether the system's packages are visible.
    pub system_site: bool,
    /// Installed seeds: name and version.
    pub seeds: BTreeMap<String, String>,
    /// Whether the tool that made the environment left the seeds out.
    pub bare: bool,
    /// The prompt, where pyvenv.cfg names one.
    pub prompt: Option<String>,
    /// The permission bits and the group of the environment's directory.
    pub access: Option<(u32, u32)>,
    /// Things of the user's.
    pub foreign: Vec<Foreign>,
}

/// What `--drop` can let go of beside files.
const SYSTEM_SITE: &str = "system-site-packages";
const SEEDS_NAME: &str = "seeds";

impl Description {
    /// Describes an environment.
    pub fn of(environment: &Environment) -> Result<Description> {
        let cannot = |error: &std::io::Error| {
            Error::io(
                format!("cannot look into '{}'", environment.prefix.display()),
                error,
            )
        };
        let dists = environment
            .distributions()
            .map_err(|error| Error::failed(error.to_string()))?;
        let seeds = dists
            .iter()
            .filter(|dist| SEEDS.contains(&dist.key.as_str()));
        let meta = std::fs::metadata(&environment.prefix).map_err(|error| cannot(&error))?;
        Ok(Description {
            python: environment.python.map(|python| python.minor_text()),
            system_site: environment.config.system_site,
            seeds: seeds
                .map(|dist| (dist.key.clone(), dist.version.clone()))
                .collect(),
            bare: environment.config.unseeded,
            prompt: environment.config.prompt.clone(),
            access: Some((meta.mode() & 0o7777, meta.gid())),
            foreign: foreign::find(environment).map_err(|error| cannot(&error))?,
        })
    }

    /// Lets go of what `--drop` names.
    #[must_use]
    pub fn without(mut self, drop: &[String]) -> Description {
        for what in drop {
            match what.as_str() {
                SYSTEM_SITE => self.system_site = false,
                SEEDS_NAME => {
                    self.seeds.clear();
                    self.bare = true;
                }
                path => {
                    let path = Path::new(path.trim_end_matches('/'));
                    self.foreign.retain(|have| !have.path.starts_with(path));
                }
            }
        }
        self
    }

    /// What a new release cannot have because a running site writes to it, or because it is work in
    /// a repository.
    pub fn not_portable(&self) -> Vec<&Foreign> {
        let stays =
            |have: &&Foreign| matches!(have.kind, Kind::Data | Kind::Checkout) && have.files > 0;
        self.foreign.iter().filter(stays).collect()
    }

    /// What is carried over, by copy.
    pub fn portable(&self) -> Vec<&Foreign> {
        let moves =
            |have: &&Foreign| !matches!(have.kind, Kind::Data | Kind::Checkout) || have.files == 0;
        self.foreign.iter().filter(moves).collect()
    }

    /// What the release lost, in words; nothing where it is what was described. A path of `present`
    /// is there as a file of a distribution.
    pub fn lost_in(&self, release: &Description, present: &BTreeSet<PathBuf>) -> Vec<String> {
        let mut lost = Vec::new();
        if self.system_site != release.system_site {
            let is = |on: bool| if on { "visible" } else { "not visible" };
            lost.push(format!(
                "the system's packages were {} and are {}",
                is(self.system_site),
                is(release.system_site)
            ));
        }
        for (name, version) in &self.seeds {
            // Another version is what somebody asked for.
            if !release.seeds.contains_key(name) {
                lost.push(format!("{name} {version} is gone"));
            }
        }
        if self.prompt.is_some() && self.prompt != release.prompt {
            lost.push(format!(
                "the prompt '{}' is gone",
                self.prompt.as_deref().unwrap_or_default()
            ));
        }
        if let (Some((mode, group)), Some((new_mode, new_group))) = (self.access, release.access) {
            if mode != new_mode {
                lost.push(format!("the mode was {mode:04o} and is {new_mode:04o}"));
            }
            if group != new_group {
                lost.push(format!("the group was {group} and is {new_group}"));
            }
        }
        let has = |path: &Path| {
            release
                .foreign
                .iter()
                .any(|have| path.starts_with(&have.path) || have.path.starts_with(path))
        };
        for foreign in self.portable() {
            if foreign.files > 0 && !has(&foreign.path) && !present.contains(&foreign.path) {
                lost.push(format!("'{}' is gone", foreign.path.display()));
            }
        }
        lost
    }
}

/// Why a release cannot be built without losing something of the user's, and what to do.
pub fn refusal(venv: &Path, stays: &[&Foreign]) -> Error {
    let name = |foreign: &&Foreign| {
        let files = match foreign.files {
            1 => String::new(),
            count => format!(" ({count} files)"),
        };
        format!("'{}'{files}", foreign.path.display())
    };
    let mut names: Vec<String> = stays.iter().take(8).map(name).collect();
    if stays.len() > 8 {
        names.push(format!("{} more", stays.len() - 8));
    }
    let message = format!(
        "'{}' holds files that no distribution installed, and that a new release cannot have: {}",
        venv.display(),
        names.join(", ")
    );
    let Some(first) = stays.first() else {
        return Error::failed(message);
    };
    let from = venv.join(&first.path);
    let hint = if first.kind == Kind::Checkout {
        format!(
            "commit and push the work in '{}', or give up the work: --drop {}",
            from.display(),
            quoted(&first.path)
        )
    } else {
        let to = beside(venv, &first.path);
        format!(
            "move the path out and leave a link: mv -n {} {} && ln -s {} {}; or leave the path in the old release: --drop {}",
            quoted(&from),
            quoted(&to),
            quoted(&to),
            quoted(&from),
            quoted(&first.path)
        )
    };
    Error::failed(message).hint(hint)
}

/// A place beside the environment: `/srv/venv-media` for `/srv/venv/media`.
fn beside(venv: &Path, path: &Path) -> PathBuf {
    let venv = crate::request::absolute(venv);
    let mut name = venv.file_name().unwrap_or_default().to_owned();
    name.push("-");
    name.push(path.to_string_lossy().replace('/', "-"));
    venv.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::Description;
    use crate::foreign::{Foreign, Kind};
    use std::collections::BTreeSet;

    type Change<'a> = &'a dyn Fn(&mut Description);

    fn foreign(path: &str, kind: Kind, files: usize) -> Foreign {
        Foreign {
            path: path.into(),
            kind,
            files,
        }
    }

    fn whole() -> Description {
        Description {
            python: Some("3.11".to_owned()),
            system_site: true,
            seeds: [("pip".to_owned(), "23.0.1".to_owned())].into(),
            bare: false,
            prompt: Some("reef".to_owned()),
            access: Some((0o750, 33)),
            foreign: vec![
                foreign("lib/python3.11/site-packages/vendor.pth", Kind::Pth, 1),
                foreign("media", Kind::Data, 3),
                foreign("pip.conf", Kind::PipConf, 1),
                foreign("run", Kind::Data, 0),
            ],
        }
    }

    #[test]
    fn every_property_that_is_lost_is_named() {
        let present = BTreeSet::new();
        let whole = whole();
        assert_eq!(whole.lost_in(&whole, &present), Vec::<String>::new());
        let table: [(Change, &str); 7] = [
            (
                &|d| d.system_site = false,
                "the system's packages were visible and are not visible",
            ),
            (&|d| d.seeds.clear(), "pip 23.0.1 is gone"),
            (&|d| d.prompt = None, "the prompt 'reef' is gone"),
            (
                &|d| d.access = Some((0o755, 33)),
                "the mode was 0750 and is 0755",
            ),
            (
                &|d| d.access = Some((0o750, 0)),
                "the group was 33 and is 0",
            ),
            (
                &|d| drop(d.foreign.remove(0)),
                "'lib/python3.11/site-packages/vendor.pth' is gone",
            ),
            (&|d| drop(d.foreign.remove(2)), "'pip.conf' is gone"),
        ];
        for (change, words) in table {
            let mut release = whole.clone();
            change(&mut release);
            assert_eq!(whole.lost_in(&release, &present), [words]);
        }
        // A newer pip is no loss, and data is not carried over.
        let mut release = whole.clone();
        release.seeds.insert("pip".to_owned(), "24.0".to_owned());
        release.foreign.remove(1);
        assert_eq!(whole.lost_in(&release, &present), Vec::<String>::new());
    }

    #[test]
    fn data_and_work_stay_behind_unless_they_are_dropped() {
        let described = whole();
        let names: Vec<_> = described
            .not_portable()
            .iter()
            .map(|f| f.path.clone())
            .collect();
        assert_eq!(names, [std::path::PathBuf::from("media")]);
        let dropped = described.without(&[
            "media/".to_owned(),
            "system-site-packages".to_owned(),
            "seeds".to_owned(),
        ]);
        assert!(dropped.not_portable().is_empty());
        assert!(!dropped.system_site && dropped.seeds.is_empty() && dropped.bare);
    }
}
