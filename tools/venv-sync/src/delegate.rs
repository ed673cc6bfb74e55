//! Root, over somebody else's environment.
//!
//! Whatever an installer runs there (a `setup.py`, a line of a `.pth` file, the interpreter itself)
//! the other user could have planted, so all of it runs as that user: this program starts itself
//! again as the owner and passes the report on. What only root can see, who runs which release, it
//! looks up before and tells.

use base::RunAs;
use base::child::{Identity, Run};
use base::error::{Error, Kind, Result};
use base::report::{Diff, Report, Status};
use base::tool::Context;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

use crate::environ::{self, Given};
use crate::releases::Store;
use crate::report::Body;
use crate::request::{Request, absolute};
use crate::users::{self, By, Seen, User};

/// Tells the program that runs as the owner which releases are in use: `PID=ID,…`.
const TOLD: &str = "VENV_SYNC_IN_USE";

/// What an installer is configured by. Nothing else of root's environment reaches the owner's
/// programs.
const PASSED: &[&str] = &[
    "PATH",
    "PIP_*",
    "UV_*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SOURCE_DATE_EPOCH",
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "LDFLAGS",
    "MAKEFLAGS",
    "PKG_CONFIG_PATH",
];

/// Says that variables and a directory stand on standard input, as [`Handed`]: root alone may have
/// been able to read them.
const HANDED: &str = "VENV_SYNC_HANDED";

/// Names and values of variables.
type Variables = Vec<(OsString, OsString)>;

/// What root read for the process that works as the owner.
#[derive(Default, Serialize, Deserialize)]
struct Handed {
    given: Variables,
    post_checks: Option<(Variables, Option<PathBuf>)>,
}

/// The variables for builds and post-checks, and for post-checks alone, that root hands over;
/// `None` where root hands over nothing.
///
/// # Errors
/// Standard input cannot be read.
pub fn handed() -> Result<Option<(Given, Option<RunAs>)>> {
    if std::env::var_os(HANDED).is_none() {
        return Ok(None);
    }
    let mut text = Vec::new();
    let read = std::io::stdin().take(16 << 20).read_to_end(&mut text);
    read.map_err(|error| Error::io("standard input", &error))?;
    let handed: Handed = serde_json::from_slice(&text)
        .map_err(|error| Error::input(format!("standard input: {error}")))?;
    let checks = handed.post_checks.as_ref().map(|(env, _)| env.as_slice());
    for (name, value) in handed.given.iter().chain(checks.unwrap_or_default()) {
        base::mask::register_variable(&name.to_string_lossy(), &value.to_string_lossy());
    }
    let run_as = handed
        .post_checks
        .map(|(env, dir)| RunAs::of_parts(env, dir));
    Ok(Some((Given::ByRoot(handed.given), run_as)))
}

/// What to hand over; nothing where the options give nothing.
fn to_hand(request: &Request, owner: &Identity, who: &str) -> Result<Option<Vec<u8>>> {
    let build = match request {
        Request::Prepare(_, build) | Request::Apply(_, build) => build,
        _ => return Ok(None),
    };
    if let Some(user) = build.run_as.as_ref().and_then(RunAs::user) {
        if user.uid != owner.uid {
            let name = user.name.clone().unwrap_or_else(|| user.uid.to_string());
            return Err(Error::usage(format!(
                "post-checks cannot run as '{name}': the environment belongs to '{who}'"
            ))
            .hint(format!("give --as {who}, or let root own the environment")));
        }
    }
    let given = build.given.variables(owner.uid)?;
    let post_checks = build.run_as.as_ref().map(|run_as| {
        let dir = run_as.dir().map(std::path::Path::to_path_buf);
        (run_as.variables().to_vec(), dir)
    });
    if given.is_empty() && post_checks.is_none() {
        return Ok(None);
    }
    serde_json::to_vec(&Handed { given, post_checks })
        .map(Some)
        .map_err(|error| Error::failed(format!("cannot hand over the variables: {error}")))
}

/// What the report that is passed on is read as.
#[derive(Deserialize)]
struct Passed {
    status: String,
    changed: bool,
    msg: String,
    #[serde(flatten)]
    body: Body,
    warnings: Vec<String>,
    error: Option<PassedError>,
    #[serde(default)]
    diff: Option<Diff>,
}

#[derive(Deserialize)]
struct PassedError {
    kind: String,
    message: String,
    hint: Option<String>,
}

/// Does it all as the environment's owner, where that is not who asks; `None` where this process
/// may do it itself.
pub fn to_owner(request: &Request, context: &Context) -> Result<Option<Report<Body>>> {
    let venv = match request {
        Request::Prepare(goal, _) | Request::Apply(goal, _) => &goal.venv,
        Request::Rollback { venv, .. } => venv,
        Request::Check(_) | Request::List { .. } => return Ok(None),
    };
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let store = Store::beside(venv)?;
    let (uid, gid) = store.owner();
    if uid == 0 {
        return Ok(None);
    }
    let owner = Identity::of_uid(uid, gid)?;
    let seen = users::observe(&store, None);
    let told: Vec<String> = seen
        .users
        .iter()
        .filter_map(|user| match &user.by {
            By::Release(id) => Some(format!("{}={id}", user.pid)),
            By::Link => None,
        })
        .collect();
    let who = owner.name.clone().unwrap_or_else(|| uid.to_string());
    let handed = to_hand(request, &owner, &who)?;
    let mut run = Run::new("/proc/self/exe")
        .args(arguments(request, context))
        .clean()
        .default_env(environ::passed(&named(request)))
        .cap(8 << 20)
        .deadline(context.deadline);
    run = run.pass(PASSED).env(TOLD, told.join(","));
    if let Some(handed) = handed {
        run = run.env(HANDED, "1").input(handed);
    }
    let watch = std::sync::Arc::new(base::signals::Watch::begin()?);
    let done = run.user(Some(owner)).watch(Some(watch)).run()?;
    if done.timed_out {
        return Err(
            Error::deadline(format!("the time was up while {who} worked for us"))
                .hint("give --timeout more"),
        );
    }
    let Ok(passed) = serde_json::from_slice::<Passed>(&done.stdout) else {
        return Err(without_report(&who, &done));
    };
    Ok(Some(passed.into_report(&store)))
}

/// The variables that the caller's own requirements files name: they are meant for whoever
/// installs.
fn named(request: &Request) -> std::collections::BTreeSet<String> {
    let goal = match request {
        Request::Prepare(goal, _) | Request::Apply(goal, _) => goal,
        _ => return Default::default(),
    };
    match crate::assess::requirements(goal) {
        Ok(requirements) if crate::rights::are_callers(&requirements) => requirements.variables,
        _ => Default::default(),
    }
}

/// Nothing on standard output: what was said on standard error is the error.
fn without_report(who: &str, done: &base::child::Finished) -> Error {
    let said = done.err();
    let mut lines = said.lines();
    let message = lines.next().unwrap_or_default();
    let message = message.strip_prefix("venv-sync: ").unwrap_or(message);
    let kind = match done.ending {
        base::child::Ending::Exit(2) => Kind::Input,
        base::child::Ending::Exit(75) => Kind::Locked,
        _ => Kind::Failed,
    };
    let error = Error::new(kind, format!("as {who}: {message}"));
    match lines.find_map(|line| line.strip_prefix("hint: ")) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

impl Passed {
    fn into_report(self, store: &Store) -> Report<Body> {
        let status = match self.status.as_str() {
            "ok" => Status::Ok,
            "no" => Status::No,
            "retry" => Status::Retry,
            _ => Status::Failed,
        };
        let mut body = self.body;
        if body.restart_required.is_some() {
            let seen = users::observe(store, None);
            users::report(&mut body, store, &seen);
        }
        let mut report = Report::new(status, self.msg, body)
            .changed(self.changed)
            .warnings(self.warnings)
            .diff(self.diff);
        if let Some(error) = self.error {
            let kind = match error.kind.as_str() {
                "unreachable" => Kind::Unreachable,
                "locked" => Kind::Locked,
                "deadline" => Kind::Deadline,
                _ => Kind::Failed,
            };
            report.error = Some(Error {
                kind,
                message: error.message,
                hint: error.hint,
            });
        }
        report
    }
}

/// Whether root started this process to work as the environment's owner.
pub fn is_delegated() -> bool {
    std::env::var_os(TOLD).is_some()
}

/// What root told, if this process was started by [`to_owner`].
pub fn told() -> Seen {
    let told = std::env::var(TOLD).unwrap_or_default();
    let pairs = told.split(',').filter_map(|pair| pair.split_once('='));
    let users = pairs.filter_map(|(pid, id)| {
        Some(User {
            pid: pid.parse().ok()?,
            start: 0,
            by: By::Release(id.to_owned()),
            python: false,
        })
    });
    Seen {
        users: users.collect(),
        unknown: Vec::new(),
    }
}

/// The request as arguments again: paths made absolute, and a report that can be read.
fn arguments(request: &Request, context: &Context) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    match request {
        Request::Prepare(goal, build) | Request::Apply(goal, build) => {
            let is_apply = matches!(request, Request::Apply(..));
            out.push(if is_apply { "apply" } else { "prepare" }.into());
            out.extend(goal.words());
            out.extend(build.words());
        }
        Request::Rollback { venv, to } => {
            out.push("rollback".into());
            out.push(absolute(venv).into_os_string());
            if let Some(to) = to {
                out.extend(["--to".into(), to.into()]);
            }
        }
        Request::Check(_) | Request::List { .. } => {}
    }
    for (flag, given) in [("--dry-run", context.dry_run), ("--diff", context.diff)] {
        if given {
            out.push(flag.into());
        }
    }
    out.extend(["--output".into(), "json".into(), "--lock-wait".into()]);
    out.push(format!("{}ms", context.lock_wait.as_millis()).into());
    out
}
