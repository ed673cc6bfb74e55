//! The demo's site, standing: PostgreSQL, redis, gunicorn and a worker under
//! supervisor, nginx in front, a real Django project at version 1.
//!
//! It is brought up by the demo's own scripts, so that the tests and `make demo`
//! cannot drift apart. It refuses to outlive the test: the site falls when the pipe
//! to its standard input closes, however the test ends. Run by root it stands in a process
//! namespace of its own, so that no other test's servers are taken for the site's.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;

use crate::run::Output;

/// A process namespace with a /proc of its own, gone with unshare(1).
const UNSHARE: &[&str] = &["--pid", "--fork", "--kill-child", "--mount-proc", "sh"];

/// A running site, and the user it belongs to.
#[derive(Debug)]
pub struct Site {
    /// The directory in which everything is, and the user's home.
    pub home: PathBuf,
    user: String,
    namespace: Option<String>,
    script: Child,
    held_by: Option<ChildStdin>,
    errors: Option<JoinHandle<String>>,
}

impl Site {
    /// Brings a site up; ten seconds or so, its packages come from PyPI.
    #[must_use]
    pub fn up() -> Self {
        let alone = nix::unistd::geteuid().is_root();
        let mut script = Command::new(if alone { "unshare" } else { "sh" })
            .args(if alone { UNSHARE } else { &[] })
            .arg(crate::source_root().join("tests/demo/run.sh"))
            .arg("--hold")
            .env("RUNBOOK_TOOLS", crate::run::tools())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh");
        let held_by = script.stdin.take();
        let mut stderr = script.stderr.take().expect("stderr");
        let mut stdout = BufReader::new(script.stdout.take().expect("stdout"));
        let errors = std::thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said);
            said
        });
        let mut line = String::new();
        stdout.read_line(&mut line).expect("the script's output");
        let mut words = line.split_whitespace();
        let (Some("ready"), Some(home), Some(user)) = (words.next(), words.next(), words.next())
        else {
            drop(held_by);
            let _ = script.wait();
            panic!(
                "the site did not come up: {line}{}",
                errors.join().unwrap_or_default()
            );
        };
        let namespace = alone.then(|| only_child(script.id()));
        Self {
            home: PathBuf::from(home),
            user: user.to_owned(),
            namespace,
            script,
            held_by,
            errors: Some(errors),
        }
    }

    /// A shell command line of root's on the site's host, with the tools on PATH and nothing
    /// of the site's environment. Only where root runs the test.
    #[must_use]
    pub fn root_command(&self, line: &str) -> Command {
        let first = self.namespace.as_ref().expect("root runs the test");
        let mut command = self.entered(first);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(["sh", "-ec", line])
            .env(
                "PATH",
                format!("{}/bin:{path}:/usr/sbin:/sbin", self.home.display()),
            )
            .stdin(Stdio::null());
        command
    }

    fn entered(&self, first: &str) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter
            .args(["--target", first, "--pid", "--mount", "--root"])
            .arg(format!("--wd={}", self.home.display()));
        nsenter
    }

    /// A shell command line in the site's directory, as the site's user, with the
    /// environment that `etc/env.sh` sets up and the tools on PATH.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        let mut command = match &self.namespace {
            Some(first) => {
                let mut nsenter = self.entered(first);
                nsenter.args([
                    "setpriv",
                    "--reuid",
                    &self.user,
                    "--regid",
                    &self.group(),
                    "--init-groups",
                    "--inh-caps=-all",
                    "--no-new-privs",
                    "sh",
                ]);
                nsenter
            }
            None => Command::new("sh"),
        };
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(["-ec", &format!(". etc/env.sh\n{line}")])
            .current_dir(&self.home)
            .env("HOME", &self.home)
            .env("USER", &self.user)
            .env("LOGNAME", &self.user)
            .env(
                "PATH",
                format!("{}/bin:{path}:/usr/sbin:/sbin", self.home.display()),
            )
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line to its end.
    #[must_use]
    pub fn run(&self, line: &str) -> Output {
        Output::of(line.to_owned(), self.command(line).output().expect("sh"))
    }

    /// Visitors who keep asking until they are called off.
    #[must_use]
    pub fn visitors(&self) -> Visitors<'_> {
        let line =
            "python3 demo/client.py \"${web##*:}\" log/client.json & cat; kill -TERM $!; wait $!";
        let script = self
            .command(line)
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh");
        Visitors { site: self, script }
    }

    fn group(&self) -> String {
        nix::unistd::User::from_name(&self.user)
            .ok()
            .flatten()
            .map_or_else(|| "65534".to_owned(), |user| user.gid.to_string())
    }
}

/// The process that a process began with.
fn only_child(pid: u32) -> String {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .expect("unshare's child");
    children
        .split_whitespace()
        .next()
        .expect("unshare's child")
        .to_owned()
}

impl Drop for Site {
    fn drop(&mut self) {
        self.held_by = None;
        let ended = self.script.wait().expect("the script");
        if !std::thread::panicking() && !ended.success() {
            let errors = self
                .errors
                .take()
                .and_then(|errors| errors.join().ok())
                .unwrap_or_default();
            panic!("the site did not go down cleanly: {ended}\n{errors}");
        }
    }
}

/// The demo's client, asking in the background.
#[derive(Debug)]
pub struct Visitors<'a> {
    site: &'a Site,
    script: Child,
}

impl Visitors<'_> {
    /// Calls them off; how often they were told what, by kind. Kinds that begin with
    /// `wrong` were neither the site nor the whole maintenance page.
    #[must_use]
    pub fn told(mut self) -> serde_json::Map<String, serde_json::Value> {
        drop(self.script.stdin.take());
        let ended = self.script.wait().expect("client.py");
        assert!(ended.success(), "client.py: {ended}");
        let told = std::fs::read(self.site.home.join("log/client.json")).expect("client.json");
        serde_json::from_slice(&told).expect("client.json")
    }
}
