//! check: read the files, look at the environment, compare. The other commands use this module,
//! too.

use std::path::{Path, PathBuf};

use base::error::{Error, Result};
use pydist::Environment;

use crate::compare::{Policy, compare};
use crate::findings::{Finding, Kind};
use crate::observe::{Observed, observe};
use crate::plan;
use crate::releases::{State, Store};
use crate::report::{Body, Input, Interpreter};
use crate::request::{Depth, Goal};
use crate::requirements::{Problem, Reader, Requirements};
use crate::verify::verify;

/// What an environment was found to be.
#[derive(Debug, Default)]
pub struct Assessment {
    /// The drift.
    pub findings: Vec<Finding>,
    /// What is worth a word and no drift.
    pub warnings: Vec<String>,
    /// The report's other parts.
    pub body: Body,
    /// The environment, where there is one.
    pub observed: Option<Observed>,
    /// What the files ask for, directly or by a dependency.
    pub reached: std::collections::BTreeSet<String>,
}

impl Assessment {
    /// Whether a new release would be no better.
    pub fn in_sync(&self) -> bool {
        self.findings
            .iter()
            .all(|finding| plan::is_lasting(finding.kind))
    }
}

/// Reads the requirements files.
pub fn requirements(wanted: &Goal) -> Result<Requirements> {
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let reader = Reader {
        cwd: &cwd,
        extras: &wanted.extras,
        groups: &wanted.groups,
        variable: &|name| std::env::var(name).ok(),
    };
    reader
        .read(&wanted.requirements, &wanted.constraints)
        .map_err(|problem| {
            let Problem { message, hint, .. } = problem;
            let message = base::mask::text(&message);
            if problem.shortage {
                return Error::new(base::Kind::Unknown, message).hint(base::error::SHORTAGE);
            }
            let error = Error::input(message);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
}

/// Looks at the environment at `venv` and compares it.
pub fn assess(
    venv: &Path,
    requirements: &Requirements,
    wanted: &Goal,
    depth: Depth,
) -> Result<Assessment> {
    let inputs = requirements.inputs.iter();
    let mut out = Assessment {
        body: Body {
            inputs: inputs
                .map(|i| Input {
                    path: base::bytes::lossy(i.path.as_os_str()),
                    sha256: i.sha256.clone(),
                })
                .collect(),
            ..Body::default()
        },
        ..Assessment::default()
    };
    if venv
        .metadata()
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    {
        let finding = Finding::new(
            Kind::EnvironmentMissing,
            format!("'{}': there is no environment", venv.display()),
        );
        let policy = policy(wanted, Vec::new());
        out.findings.push(finding.path(venv).fix(policy.apply));
        return Ok(out);
    }
    let environment = open(venv)?;
    out.body.interpreter = interpreter(&environment);
    let vendor: Vec<PathBuf> = wanted
        .vendor
        .iter()
        .map(|dir| dir.canonicalize().unwrap_or_else(|_| dir.clone()))
        .collect();
    let observed = observe(environment, requirements, &vendor).map_err(cannot_tell)?;
    let policy = policy(wanted, vendor);
    let compared = compare(requirements, &observed, &policy);
    let verified = verify(&observed, depth, &policy)
        .map_err(|error| Error::io(format!("cannot look into {}", venv.display()), &error))?;
    let allowed = |finding: &Finding| {
        let names = [&finding.name, &finding.required];
        finding.kind == Kind::FileClaimedTwice
            && names
                .into_iter()
                .flatten()
                .any(|name| policy.allow.contains(&pydist::name::normalize(name)))
    };
    out.findings = compared.findings;
    out.findings.extend(
        verified
            .findings
            .into_iter()
            .filter(|finding| !allowed(finding)),
    );
    out.warnings = compared.warnings;
    out.warnings.extend(verified.warnings);
    out.body.counts.required = compared.required;
    out.body.counts.installed = observed.installed.len();
    out.body.counts.files = verified.files;
    out.reached = compared.reached;
    out.observed = Some(observed);
    Ok(out)
}

/// What the caller thinks of as drift, and the command that mends it here.
fn policy(goal: &Goal, vendor: Vec<PathBuf>) -> Policy {
    let store = Store::beside(&goal.venv).ok();
    let owner = store.as_ref().map_or((0, 0), Store::owner);
    let actor = base::child::Identity::of_uid(owner.0, owner.1)
        .ok()
        .and_then(|identity| identity.name)
        .unwrap_or_else(|| owner.0.to_string());
    let state = store.and_then(|store| store.state().ok());
    let more = match state {
        Some(State::Directory | State::ForeignLink(_)) => vec!["--adopt"],
        _ => Vec::new(),
    };
    Policy {
        extraneous: goal.extraneous,
        allow: goal.allowed(),
        vendor,
        apply: goal.apply(
            "build a release that is what the files ask for",
            &actor,
            &more,
        ),
        actor,
        goal: goal.clone(),
        more,
    }
}

/// Opens a virtual environment; a whole Python is refused, since nobody wants it rebuilt.
fn open(venv: &Path) -> Result<Environment> {
    let environment = Environment::open(venv).map_err(cannot_tell)?;
    match environment.kind {
        pydist::Kind::Virtual => Ok(environment),
        pydist::Kind::Prefix => Err(Error::failed(format!(
            "{}: no pyvenv.cfg: the directory is a whole Python, not a virtual environment",
            venv.display()
        ))
        .hint("name a directory that python -m venv, virtualenv or uv venv made")),
    }
}

fn cannot_tell(error: pydist::Error) -> Error {
    match &error.source {
        Some(source) => Error::io(format!("cannot read {}", error.path.display()), source),
        None => Error::failed(error.to_string())
            .hint("name a directory that python -m venv, virtualenv or uv venv made"),
    }
}

fn interpreter(environment: &Environment) -> Option<Interpreter> {
    let interpreter = environment.interpreter.as_ref()?;
    let (version, source) = match (
        environment.config.version,
        interpreter.named,
        environment.python,
    ) {
        // The name of the real file is newer than what was written when the environment was made.
        (Some(config), Some(named), _)
            if (config.major, config.minor) != (named.major, named.minor) =>
        {
            (Some(named), "name")
        }
        (Some(config), ..) => (Some(config), "pyvenv.cfg"),
        (None, Some(named), _) => (Some(named), "name"),
        (None, None, library) => (library, "lib"),
    };
    Some(Interpreter {
        path: base::bytes::lossy(interpreter.path.as_os_str()),
        version: version.map(|version| version.to_string()),
        source: source.to_owned(),
        ok: interpreter.executable,
    })
}

/// `2 missing, 1 wrong_version`, for a report's msg.
pub fn summary(body: &Body) -> String {
    let parts: Vec<String> = body
        .counts
        .kinds
        .iter()
        .map(|(kind, count)| format!("{count} {}", kind.text()))
        .collect();
    match parts.len() {
        0 => format!(
            "in sync: {} installed, {} required",
            body.counts.installed, body.counts.required
        ),
        _ => parts.join(", "),
    }
}
