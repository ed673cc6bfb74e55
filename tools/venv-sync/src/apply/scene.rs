//! What a run finds before it changes anything: the environment, its interpreter, prepared
//! releases, and the plan.

use std::path::{Path, PathBuf};

use base::error::{Error, Result};
use pydist::Environment;
use sha2::{Digest, Sha256};

use super::Run;
use crate::assess::{Assessment, assess};
use crate::describe::Description;
use crate::manifest::{Prepared, hex};
use crate::plan::{self, Facts, Plan};
use crate::releases::{State, Store};
use crate::request::{Depth, Goal};
use crate::requirements::Requirements;

/// What a run finds before it changes anything.
pub struct Scene {
    pub state: State,
    pub found: Assessment,
    /// The environment beyond its distributions, without what is dropped.
    pub described: Option<Description>,
    pub python: (PathBuf, bool),
    /// The key of a release that would be built now, and the prepared release that has it.
    pub key: String,
    pub prepared: Option<(String, Prepared)>,
    /// Prepared releases that do not fit.
    pub unfit: Vec<String>,
    pub plan: Plan,
}

impl Run<'_> {
    /// Looks at everything and decides.
    pub(super) fn look(&self, requirements: &Requirements, store: &Store) -> Result<Scene> {
        let state = store.state()?;
        let found = assess(&self.goal.venv, requirements, self.goal, self.goal.verify)?;
        let python = self.python(&found)?;
        let waiting = store.prepared()?;
        let mut facts = Facts {
            state: &state,
            in_sync: found.in_sync(),
            other_python: python.1,
            drops: false,
            prepared: None,
            prepare: self.prepare,
        };
        let venv = self.goal.venv.display().to_string();
        let mut described = None;
        let mut key = String::new();
        let mut prepared = None;
        let mut unfit = Vec::new();
        let is_quiet = facts.in_sync
            && !facts.other_python
            && !self.build.is_forced()
            && self.build.drop.is_empty()
            && waiting.is_empty();
        if !is_quiet {
            let whole = found
                .observed
                .as_ref()
                .map(|observed| Description::of(&observed.environment))
                .transpose()?;
            let kept = whole.clone().map(|whole| whole.without(&self.build.drop));
            facts.drops = whole != kept;
            key = self.key(requirements, &state, kept.as_ref(), &found, &python);
            for (id, have) in waiting {
                let passed = |check: &String| have.post_checks.contains(check);
                let fits = have.key == key && self.build.post_checks.iter().all(passed);
                match fits {
                    true => prepared = Some((id, have)),
                    false => unfit.push(id),
                }
            }
            described = kept;
        }
        // A prepared release is looked at again: somebody may have changed it meanwhile.
        if let Some((id, _)) = &prepared {
            let release = store.release(id);
            if !assess(&release, requirements, self.goal, Depth::None)?.in_sync() {
                unfit.push(id.clone());
                prepared = None;
            }
        }
        facts.prepared = prepared.as_ref().map(|(id, _)| id.as_str());
        let plan = plan::decide(&venv, &facts, self.build)?;
        Ok(Scene {
            plan,
            state,
            found,
            described,
            python,
            key,
            prepared,
            unfit,
        })
    }

    /// The interpreter to build with, and whether it is another than the environment's.
    fn python(&self, found: &Assessment) -> Result<(PathBuf, bool)> {
        let environment = found
            .observed
            .as_ref()
            .map(|observed| &observed.environment);
        let Some(asked) = &self.build.python else {
            return Ok((default_python(&self.goal.venv, environment), false));
        };
        let path = found_on_path(asked).ok_or_else(|| {
            Error::failed(format!(
                "--python: there is no program '{}'",
                asked.display()
            ))
            .hint("name an interpreter that exists, such as /usr/bin/python3")
        })?;
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        let own = environment.and_then(|environment| environment.interpreter.as_ref());
        let other = own.is_some_and(|own| own.real.as_ref() != Some(&real));
        Ok((path, other))
    }

    /// A fingerprint of all that shapes a release.
    fn key(
        &self,
        requirements: &Requirements,
        state: &State,
        described: Option<&Description>,
        found: &Assessment,
        python: &(PathBuf, bool),
    ) -> String {
        let mut hasher = Sha256::new();
        let mut add = |text: String| {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        };
        for input in &requirements.inputs {
            add(format!("{} {}", input.path.display(), input.sha256));
        }
        let goal = Goal {
            verify: Depth::None,
            ..self.goal.clone()
        };
        add(format!("{:?}", goal.words()));
        let build = self.build;
        add(format!(
            "{:?}",
            (
                &build.wheelhouse,
                &build.drop,
                &build.installer,
                build.link_mode
            )
        ));
        add(format!("{:?} {:?}", python, state));
        add(format!("{described:?}"));
        let prefix = found
            .observed
            .as_ref()
            .map(|observed| &observed.real_prefix);
        for foreign in described.iter().flat_map(|described| described.portable()) {
            let meta = prefix.and_then(|prefix| prefix.join(&foreign.path).symlink_metadata().ok());
            add(format!(
                "{:?}",
                meta.map(|meta| (meta.len(), meta.modified().ok()))
            ));
        }
        hex(&hasher.finalize())
    }
}

pub fn minor(found: &Assessment) -> Option<String> {
    let python = found.observed.as_ref()?.environment.python?;
    Some(python.minor_text())
}

/// The interpreter that the environment has now, by a name that outlives the file: the
/// environment's own, or python3.
fn default_python(venv: &Path, environment: Option<&Environment>) -> PathBuf {
    let own = || {
        let environment = environment?;
        let interpreter = environment
            .interpreter
            .as_ref()
            .filter(|own| own.executable)?;
        let real = interpreter.real.clone()?;
        if venv.canonicalize().is_ok_and(|venv| real.starts_with(venv)) {
            return None;
        }
        let home = environment.config.home.as_ref()?;
        // The name below `home` outlives the file that it leads to today (3.11.2, 3.11.3).
        let named = interpreter
            .named
            .map(|version| home.join(format!("python{}", version.minor_text())));
        named.filter(|path| path.exists()).or(Some(real))
    };
    own().unwrap_or_else(|| PathBuf::from("python3"))
}

fn found_on_path(program: &Path) -> Option<PathBuf> {
    let is_program = |path: &Path| {
        path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    if program.components().count() > 1 || program.is_absolute() {
        return is_program(program).then(|| crate::request::absolute(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|path| is_program(path))
}
