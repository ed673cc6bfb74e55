//! Root, over somebody else's environment.
//!
//! Whatever an installer runs there (a `setup.py`, a line of a `.pth` file, the interpreter itself) the other user could have planted, so
//! all of it runs as that user: this program starts itself again as the owner and passes the report on. What only root can see, who
//! runs which release, it looks up before and tells.

use base::child::{Identity, Run};
use base::error::{Error, Kind, Result};
use base::report::{Diff, Report, Status};
use base::tool::Context;
use serde::Deserialize;

use crate::cli::{Build, Request, Wanted};
use crate::compare::Level;
use crate::processes::{self, User};
use crate::releases::Store;
use crate::report::Body;
use crate::verify::Depth;

/// Tells the program that runs as the owner which releases are in use: `PID=ID,…`.
const TOLD: &str = "VENV_SYNC_IN_USE";

/// What an installer is configured by. Nothing else of root's environment reaches the owner's programs.
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

/// Does it all as the environment's owner, where that is not who asks; `None` where this process may do it itself.
pub fn to_owner(request: &Request, context: &Context) -> Result<Option<Report<Body>>> {
    let venv = match request {
        Request::Apply(wanted, _) => &wanted.venv,
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
    let users = processes::users(&store);
    let told: Vec<String> = users
        .iter()
        .filter_map(|user| Some(format!("{}={}", user.pid, user.release.as_ref()?)))
        .collect();
    let who = owner.name.clone().unwrap_or_else(|| uid.to_string());
    let mut run = Run::new("/proc/self/exe")
        .args(arguments(request, context))
        .cap(64 << 20)
        .deadline(context.deadline);
    run = run.pass(PASSED).env(TOLD, told.join(","));
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
            let users = processes::users(store);
            body.stale_processes =
                processes::stale(&users, body.release.as_deref(), store.link_changed());
            body.restart_required = Some(!body.stale_processes.is_empty());
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

/// What root told, if this process was started by [`to_owner`].
pub fn told() -> Vec<User> {
    let told = std::env::var(TOLD).unwrap_or_default();
    let pairs = told.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .filter_map(|(pid, id)| {
            Some(User {
                pid: pid.parse().ok()?,
                release: Some(id.to_owned()),
                started: None,
            })
        })
        .collect()
}

/// The request as arguments again: paths made absolute, and a report that can be read.
fn arguments(request: &Request, context: &Context) -> Vec<std::ffi::OsString> {
    let mut out = Words::default();
    match request {
        Request::Apply(wanted, build) => {
            out.word("apply");
            out.wanted(wanted);
            out.build(build);
        }
        Request::Rollback { venv, to } => {
            out.word("rollback");
            out.path(venv);
            if let Some(to) = to {
                out.option("--to", to);
            }
        }
        Request::Check(_) | Request::List { .. } => {}
    }
    if context.dry_run {
        out.word("--dry-run");
    }
    if context.diff {
        out.word("--diff");
    }
    out.option("--output", "json");
    out.option(
        "--lock-wait",
        &format!("{}ms", context.lock_wait.as_millis()),
    );
    out.0
}

#[derive(Default)]
struct Words(Vec<std::ffi::OsString>);

impl Words {
    fn word(&mut self, word: &str) {
        self.0.push(word.into());
    }

    fn path(&mut self, path: &std::path::Path) {
        self.0.push(
            std::path::absolute(path)
                .unwrap_or_else(|_| path.to_owned())
                .into(),
        );
    }

    fn option(&mut self, name: &str, value: &str) {
        self.word(name);
        self.word(value);
    }

    fn paths(&mut self, name: &str, paths: &[std::path::PathBuf]) {
        for path in paths {
            self.word(name);
            self.path(path);
        }
    }

    fn wanted(&mut self, wanted: &Wanted) {
        self.path(&wanted.venv);
        self.paths("--requirement", &wanted.requirements);
        self.paths("--constraint", &wanted.constraints);
        self.paths("--vendor", &wanted.vendor);
        for name in &wanted.allow {
            self.option("--allow", name);
        }
        let extraneous = match wanted.extraneous {
            Level::Fail => "fail",
            Level::Warn => "warn",
            Level::Ignore => "ignore",
        };
        self.option("--extraneous", extraneous);
        let verify = match wanted.verify {
            Depth::None => "none",
            Depth::Size => "size",
            Depth::Hash => "hash",
        };
        self.option("--verify", verify);
    }

    fn build(&mut self, build: &Build) {
        if let Some(python) = &build.python {
            self.0.extend(["--python".into(), python.clone().into()]);
        }
        if let Some(installer) = &build.installer {
            self.option("--installer", installer);
        }
        self.paths("--wheelhouse", build.wheelhouse.as_slice());
        self.option("--keep", &build.keep.to_string());
        if build.adopt {
            self.word("--adopt");
        }
        for check in &build.post_checks {
            self.option("--post-check", check);
        }
    }
}
