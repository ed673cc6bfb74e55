//! A small site for the tests: gunicorn under a supervisord of the test's own, and the set file
//! that describes it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use harness::supervisor::{self, Supervisor};
use harness::{TempDir, Tool, free_port, scratch, test_venv, tool};
use serde_json::Value;

/// A page that says which code it runs and in which process, and what PRODUCTION it sees.
pub const APP: &str = r#"
import os
def app(environ, start_response):
    text = "code 1 pid %d production %s" % (os.getpid(), os.environ.get("PRODUCTION"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
"#;

/// gunicorn with two workers, and beside it a group of three.
pub struct Site {
    /// Its supervisord.
    pub supervisor: Supervisor,
    /// gunicorn's.
    pub port: u16,
    state: TempDir,
}

impl Site {
    /// Starts it; None where supervisord may be left out.
    pub fn start() -> Option<Self> {
        Self::with("")
    }

    /// The same with lines added to gunicorn's section.
    pub fn with(more: &str) -> Option<Self> {
        if !supervisor::available() {
            return None;
        }
        let dir = scratch();
        let port = free_port();
        fs::write(dir.path().join("app.py"), APP).unwrap();
        let gunicorn = test_venv().join("bin/gunicorn");
        let supervisor = Supervisor::start_in(
            dir,
            &format!(
                "[program:gunicorn]\ncommand = {gunicorn} --chdir %(here)s -w 2 -b 127.0.0.1:{port} --pid %(here)s/gunicorn.pid --graceful-timeout 5 -t 4 app:app\n\
                 startsecs = 0\n{more}\n\n\
                 [program:worker]\ncommand = /bin/sh -c 'sleep 600 & wait'\nnumprocs = 3\nprocess_name = %(program_name)s_%(process_num)d\n\
                 startsecs = 0\nstopasgroup = true\nkillasgroup = true\n\n\
                 [program:spare]\ncommand = /bin/sleep 600\nautostart = false\nstartsecs = 0\n",
                gunicorn = gunicorn.display(),
            ),
        );
        let site = Self {
            supervisor,
            port,
            state: scratch(),
        };
        site.set(&format!(
            "[service.gunicorn]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nafter = [\"worker\"]\n\
             ready = [{{ http = \"http://127.0.0.1:{port}/\", status = [200], contains = \"code 1\" }}, {{ port = {port} }}]\n\
             stopped = [{{ port = {port} }}]\nstable = \"100ms\"\nstart_timeout = \"20s\"\n\
             [service.worker]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nname = \"worker:*\"\nstable = \"50ms\"\n\
             [service.spare]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nstable = \"50ms\"\n"
        ));
        site.supervisor.wait_running(&[
            "gunicorn",
            "worker:worker_0",
            "worker:worker_1",
            "worker:worker_2",
        ]);
        Some(site)
    }

    /// Writes the set file.
    pub fn set(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    /// The set file.
    pub fn file(&self) -> String {
        self.dir().join("services.toml").display().to_string()
    }

    /// Where all of it is.
    pub fn dir(&self) -> &Path {
        self.supervisor.dir()
    }

    /// svc-cycle over the site's set, with locks and journals of its own.
    pub fn cycle(&self, verb: &str, arguments: &[&str]) -> Tool {
        let mut command = private("svc-cycle", self.state.path());
        command = command.args([verb, "-f", &self.file()]).args(arguments);
        command
    }

    /// `svc-cycle recover`, over this site's journals alone.
    pub fn recover(&self) -> Tool {
        private("svc-cycle", self.state.path()).arg("recover")
    }

    /// Starts svc-cycle and leaves it running.
    pub fn spawn(&self, verb: &str, arguments: &[&str]) -> Child {
        let mut tool = self.cycle(verb, arguments);
        tool.command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// What the page says.
    pub fn page(&self) -> Option<String> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.rsplit_once("\r\n\r\n")
            .map(|(_, body)| body.to_owned())
    }

    /// The processes that run, by supervisord: name and pid.
    pub fn running(&self) -> Vec<(String, i32)> {
        let output = self.supervisor.ctl(&["status"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines()
            .filter(|line| line.contains(" RUNNING "))
            .filter_map(|line| {
                let words: Vec<&str> = line.split_ascii_whitespace().collect();
                Some((
                    words.first()?.to_string(),
                    words.get(3)?.trim_end_matches(',').parse().ok()?,
                ))
            })
            .collect()
    }

    /// How many gunicorn masters and workers listen: a doubled service would show here.
    pub fn gunicorns(&self) -> usize {
        let mark = format!("127.0.0.1:{}", self.port);
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter(|entry| {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains("gunicorn") && line.contains(&mark)
            })
            .count()
    }
}

/// A tool whose state directory is `state` and nobody else's: recover looks at all journals there
/// are.
pub fn private(name: &str, state: &Path) -> Tool {
    if !nix::unistd::geteuid().is_root() {
        return tool(name)
            .env("XDG_RUNTIME_DIR", state)
            .env("XDG_STATE_HOME", state);
    }
    let script = "for dir in run var/lib; do mkdir -p -m 700 /$dir/runbook-tools && mount --bind \"$0\" /$dir/runbook-tools || exit; done; exec \"$@\"";
    let mut wrapped = tool(name);
    let program = wrapped.command().get_program().to_owned();
    *wrapped.command() = harness::from_a_terminal(Command::new("unshare"));
    fs::set_permissions(state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    wrapped
        .args(["--mount", "sh", "-c", script])
        .arg(state)
        .arg(program)
}

/// A service of a report.
pub fn service<'a>(report: &'a Value, name: &str) -> &'a Value {
    let services = report["services"].as_array().unwrap();
    services
        .iter()
        .find(|service| service["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {report}"))
}

/// The names of the steps of a service.
pub fn steps(report: &Value, name: &str) -> Vec<String> {
    service(report, name)["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["op"].as_str().unwrap().to_owned())
        .collect()
}
