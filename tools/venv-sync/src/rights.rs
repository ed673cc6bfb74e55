//! Whose files decide what is installed: a requirements file is a list of programs to be run. Root
//! installs for a user what root wrote, or that user; nobody else's file decides what runs with
//! that user's rights.

use base::child::Identity;
use base::error::Result;
use base::trust::Rights;
use std::path::Path;

use crate::assess;
use crate::releases::Store;
use crate::request::{Build, Goal};
use crate::requirements::Requirements;

/// Refuses to build an environment by what another user can change. The paths themselves are
/// judged: a path that leads through another user's directory is that user's, whatever stands at
/// its end at the moment.
///
/// # Errors
/// Input, with the user and the file.
pub fn demand(goal: &Goal, build: &Build) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = Store::beside(&goal.venv)?.owner();
    let user = Identity::of_uid(uid, gid)?;
    let user = user.name.unwrap_or_else(|| uid.to_string());
    let demand = |path: &Path, what: &str| match Rights::of(path) {
        Ok(rights) if !rights.allow(uid) => {
            let what = format!("{what} in an environment of '{user}'");
            Err(rights.refusal(&path.display().to_string(), &what))
        }
        // What cannot be looked at is the error of whoever reads the file.
        _ => Ok(()),
    };
    // The same, where the files cannot be read.
    let requirements = assess::requirements(goal).unwrap_or_default();
    for path in inputs(&requirements) {
        demand(path, "an installation")?;
    }
    for path in goal.vendor.iter().chain(&build.wheelhouse) {
        demand(path, "an installation")?;
    }
    let python = goal.venv.join("bin/python");
    demand(build.python.as_deref().unwrap_or(&python), "an interpreter")
}

/// Whether every file is the caller's own word: only such a file is given the caller's variables.
pub fn are_callers(requirements: &Requirements) -> bool {
    inputs(requirements).all(|path| Rights::of(path).is_ok_and(|rights| rights.are_callers()))
}

/// The files that were read, but for the caller's own descriptors.
fn inputs(requirements: &Requirements) -> impl Iterator<Item = &Path> {
    let all = requirements.inputs.iter().map(|input| input.path.as_path());
    all.filter(|path| !path.starts_with("/dev"))
}
