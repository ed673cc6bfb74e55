//! The text of `--diff`: the environment as `pip freeze` would write the list, with the findings as
//! comments.

use std::collections::BTreeMap;
use std::path::Path;

use base::report::Diff;

use crate::findings::{Finding, Kind};

/// What is installed, by name, a line each.
fn installed(venv: &Path) -> BTreeMap<String, String> {
    let environment = pydist::Environment::open(venv).ok();
    let dists = environment
        .and_then(|environment| environment.distributions().ok())
        .unwrap_or_default();
    dists
        .iter()
        .map(|dist| {
            (
                dist.key.to_string(),
                format!("{}=={}\n", dist.key, dist.version),
            )
        })
        .collect()
}

/// As it is: what is installed, and what is wrong beyond names and versions.
pub fn as_is(venv: &Path, findings: &[Finding]) -> String {
    let other = |finding: &&Finding| !is_about_versions(finding.kind);
    let notes = findings
        .iter()
        .filter(other)
        .map(|finding| format!("# {}\n", finding.msg));
    installed(venv).into_values().chain(notes).collect()
}

/// As a new release would be, as far as that can be told without building it.
fn as_wanted(venv: &Path, findings: &[Finding]) -> String {
    let mut lines = installed(venv);
    for finding in findings {
        let Some(name) = &finding.name else { continue };
        let key = pydist::name::normalize(name);
        match (finding.kind, &finding.required) {
            (Kind::Extraneous, _) => drop(lines.remove(&key)),
            (kind, Some(required)) if is_about_versions(kind) => {
                // A wrong version is shown with the right one, without the name.
                let name = if required.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                    ""
                } else {
                    key.as_str()
                };
                let line = format!("{name}{required}\n");
                lines.insert(key, line);
            }
            _ => {}
        }
    }
    lines.into_values().collect()
}

fn is_about_versions(kind: Kind) -> bool {
    use Kind::{
        DepConflict, DepMissing, Extraneous, Missing, SourceMismatch, WrongPython, WrongVersion,
    };
    matches!(
        kind,
        Missing
            | WrongPython
            | WrongVersion
            | SourceMismatch
            | Extraneous
            | DepMissing
            | DepConflict
    )
}

/// Before a release is built.
pub fn planned(venv: &Path, findings: &[Finding]) -> Option<Diff> {
    Diff::of(
        venv.display().to_string(),
        as_is(venv, findings),
        as_wanted(venv, findings),
    )
}

/// From what was live to a release, each with its name.
pub fn between(before: (String, String), release: &str, path: &Path) -> Diff {
    let (before_header, before) = before;
    Diff {
        before_header,
        before,
        after_header: release.to_owned(),
        after: as_is(path, &[]),
    }
}
