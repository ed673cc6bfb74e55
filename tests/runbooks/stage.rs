//! A host for a site's runbook: a machine of its own with the seven tools in /usr/bin, the site's
//! directory in /root/SITE (that is where the administrator keeps the runbook and its files) and
//! the packages it may install in /srv/wheels, since nothing reaches the network.
//!
//! A runbook is held to two things here. Every step, which is what follows a line `step 'Title'`,
//! has a line `# before: …` that says what the guide would have typed. And every table of the site
//! file, site.toml, names one journal: every report that a run adds there is checked against its
//! schema.

pub use crate::visitors::Answer;
use harness::machine::Machine;
use harness::{TOOLS, bin, schema, source_root, test_venv};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What starts the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// A real systemd.
    Systemd,
    /// Init scripts, and no systemd anywhere.
    Plain,
}

/// The host.
pub struct Stage {
    /// For what these methods do not offer.
    pub machine: Machine,
    site: String,
    journal: String,
}

/// What a fresh login has, or cron: no more than this.
const ENVIRONMENT: [&str; 6] = [
    "HOME=/root",
    "USER=root",
    "LOGNAME=root",
    "LANG=C.UTF-8",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM=xterm",
];

impl Stage {
    /// Sets it. `None` only where servers may be skipped and a machine cannot be had. Where the
    /// site has a `wheels.txt`, the packages it names (and theirs) are in /srv/wheels: fetched
    /// once, and kept under target/.
    pub fn set(site: &str, init: Init) -> Option<Stage> {
        harness::need("systemd-nspawn")?;
        let from = source_root().join("tests/runbooks").join(site);
        let runbook = fs::read_to_string(from.join("runbook.sh")).expect("runbook.sh");
        every_step_says_what_it_replaces(&runbook);
        let facts = fs::read_to_string(from.join("site.toml")).expect("site.toml");
        let journals: BTreeSet<&str> = facts
            .lines()
            .filter_map(|line| line.strip_prefix("journal = \"")?.strip_suffix('"'))
            .collect();
        assert_eq!(journals.len(), 1, "{site}: one journal: {journals:?}");
        let journal = journals.first().copied().unwrap_or_default();
        let mut binds: Vec<String> = TOOLS
            .iter()
            .map(|tool| format!("--bind-ro={}:/usr/bin/{tool}", bin(tool).display()))
            .collect();
        if from.join("wheels.txt").exists() {
            binds.push(format!(
                "--bind-ro={}:/srv/wheels",
                wheelhouse(site, &from.join("wheels.txt")).display()
            ));
        }
        let options: Vec<&str> = binds.iter().map(String::as_str).collect();
        let machine = match init {
            Init::Systemd => Machine::with_systemd_and(&options)?,
            Init::Plain => Machine::with_plain_init_and(&options)?,
        };
        let stage = Stage {
            machine,
            site: site.to_owned(),
            journal: journal.to_owned(),
        };
        stage.copy("", &format!("/root/{site}"));
        Some(stage)
    }

    /// Copies a directory or file of the site's own (beside its mod.rs) to a path of the host,
    /// without the tests themselves. A directory is laid over what is there.
    pub fn copy(&self, from: &str, to: &str) {
        let from = source_root()
            .join("tests/runbooks")
            .join(&self.site)
            .join(from);
        copy_tree(&from, &self.machine.path(to));
    }

    /// Commits a directory of the site's own to the branch `main` of a repository of the host,
    /// which is made if it is not there: `git clone` and `git pull` work on it.
    pub fn commit(&self, repository: &str, from: &str, message: &str) {
        let git = |words: &[&str]| {
            let who = [
                "git",
                "-C",
                repository,
                "-c",
                "user.name=site",
                "-c",
                "user.email=site@example.org",
            ];
            self.must(&[&who[..], words].concat());
        };
        if !self.machine.path(&format!("{repository}/.git")).exists() {
            self.must(&["git", "init", "-q", "-b", "main", repository]);
        }
        self.copy(from, repository);
        git(&["add", "-A"]);
        git(&["commit", "-q", "-m", message]);
        self.must(&[
            "git",
            "config",
            "--system",
            "--replace-all",
            "safe.directory",
            "*",
        ]);
    }

    /// Runs a command to its end and fails the test unless it exits 0. Gives both its streams.
    #[track_caller]
    pub fn must(&self, argv: &[&str]) -> String {
        self.machine.must(argv)
    }

    /// A line for the host's shell, the same way.
    #[track_caller]
    pub fn sh(&self, line: &str) -> String {
        self.machine.must(&["sh", "-ec", line])
    }

    /// One of the seven, as root would type it here, with the site file.
    pub fn tool(&self, name: &str, args: &[&str]) -> harness::Tool {
        let site = format!("RUNBOOK_SITE=/root/{}/site.toml", self.site);
        self.with(&site, name, args)
    }

    /// The same, without the site file.
    pub fn bare(&self, name: &str, args: &[&str]) -> harness::Tool {
        self.with("RUNBOOK_SITE=", name, args)
    }

    fn with(&self, variable: &str, name: &str, args: &[&str]) -> harness::Tool {
        let mut tool = harness::tool(name);
        let around = [&["env", "-i"], &ENVIRONMENT[..], &[variable, name], args];
        *tool.command() = self.machine.command(&around.concat());
        tool
    }

    /// A file of the host.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let bytes = fs::read(self.machine.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Writes one.
    pub fn write(&self, path: &str, text: &str) {
        self.machine.write(path, text);
    }

    /// Runs /root/SITE/runbook.sh as root, from a file: no terminal, hardly an environment.
    pub fn runbook(&self, args: &[&str]) -> Night {
        let before = self.journal_lines().len();
        let done = self
            .machine
            .command(&self.argv(args))
            .output()
            .expect("nsenter");
        let code = code_of(done.status);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Night {
            code,
            stdout: text(&done.stdout),
            stderr: text(&done.stderr),
            journal: self.journal_since(before),
        }
    }

    /// Starts it on a terminal of its own (script(1)), where Ctrl-C can be pressed.
    pub fn runbook_on_terminal(&self, args: &[&str]) -> Typed<'_> {
        let before = self.journal_lines().len();
        let line = self
            .argv(args)
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" ");
        let mut child = self
            .machine
            .command(&["script", "-q", "-e", "-f", "-c", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("script");
        let keyboard = child.stdin.take();
        let mut output = child.stdout.take().expect("a pipe");
        let screen = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                written
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        Typed {
            stage: self,
            child,
            keyboard,
            screen,
            reader: Some(reader),
            before,
        }
    }

    fn argv<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let shell = "cd /root && exec sh \"/root/$0/runbook.sh\" \"$@\"";
        // Ends the test where a runbook would wait for ever.
        [
            &["timeout", "--foreground", "180", "env", "-i"],
            &ENVIRONMENT[..],
            &["sh", "-c", shell, &self.site],
            args,
        ]
        .concat()
    }

    fn journal_lines(&self) -> Vec<String> {
        fs::read_to_string(self.machine.path(&self.journal))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn journal_since(&self, before: usize) -> Vec<Value> {
        let lines = self.journal_lines();
        lines[before..]
            .iter()
            .map(|line| {
                let report: Value = serde_json::from_str(line)
                    .unwrap_or_else(|e| panic!("{}: {e}: {line}", self.journal));
                schema::check(
                    report["tool"].as_str().expect("a tool"),
                    &report,
                    &self.journal,
                );
                report
            })
            .collect()
    }
}

/// One run of the runbook.
#[derive(Debug)]
pub struct Night {
    /// Its exit code.
    pub code: i32,
    /// What it printed; on a terminal both streams.
    pub stdout: String,
    /// Its errors.
    pub stderr: String,
    /// The reports it added to its journal, each true to its schema.
    pub journal: Vec<Value>,
}

impl Night {
    /// Fails the test unless it ended with this code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Night {
        assert_eq!(self.code, code, "the runbook ended otherwise\n{self}");
        self
    }

    /// The reports of one tool, in order.
    pub fn of(&self, tool: &str) -> Vec<&Value> {
        self.journal
            .iter()
            .filter(|report| report["tool"] == tool)
            .collect()
    }

    /// The tools and messages of the reports that say that something was changed.
    pub fn changes(&self) -> Vec<String> {
        let changed = self
            .journal
            .iter()
            .filter(|report| report["changed"] == true);
        changed
            .map(|report| {
                format!(
                    "{}: {}",
                    report["tool"].as_str().unwrap(),
                    report["msg"].as_str().unwrap()
                )
            })
            .collect()
    }
}

impl std::fmt::Display for Night {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let people = |text: &str| {
            text.lines()
                .filter(|line| !line.starts_with("{\"schema\""))
                .collect::<Vec<_>>()
                .join("\n")
        };
        writeln!(
            f,
            "exit code {}\n{}\n{}",
            self.code,
            people(&self.stdout),
            people(&self.stderr)
        )?;
        self.journal
            .iter()
            .try_for_each(|report| writeln!(f, "{report}"))
    }
}

/// A runbook on a terminal, still running.
pub struct Typed<'a> {
    stage: &'a Stage,
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    before: usize,
}

impl Typed<'_> {
    /// What the terminal shows so far.
    pub fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Waits until the terminal shows this.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let began = Instant::now();
        while !self.screen().contains(text) {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            assert!(
                !ended && began.elapsed() < Duration::from_secs(60),
                "the terminal never showed {text:?}:\n{}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Presses Ctrl-C: the terminal sends SIGINT to its foreground process group.
    pub fn ctrl_c(&mut self) {
        // Gone is what the key is pressed for.
        let _ = self
            .keyboard
            .as_mut()
            .expect("a keyboard")
            .write_all(b"\x03");
    }

    /// Waits for its end.
    pub fn end(mut self) -> Night {
        let status = self.child.wait().expect("script");
        self.reader
            .take()
            .expect("a reader")
            .join()
            .expect("the terminal's output");
        let night_stdout = self.screen();
        Night {
            code: code_of(status),
            stdout: night_stdout,
            stderr: String::new(),
            journal: self.stage.journal_since(self.before),
        }
    }
}

impl Drop for Typed<'_> {
    fn drop(&mut self) {
        self.keyboard = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn code_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn every_step_says_what_it_replaces(runbook: &str) {
    let unindented: String = runbook
        .lines()
        .map(|line| format!("\n{}", line.trim_start()))
        .collect();
    let steps: Vec<&str> = unindented.split("\nstep ").skip(1).collect();
    assert!(!steps.is_empty(), "the runbook has no line `step 'Title'`");
    for step in steps {
        assert!(
            step.contains("# before: "),
            "a step does not say what the guide would have typed:\n{step}"
        );
    }
}

fn copy_tree(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
        for entry in fs::read_dir(from).expect("a directory").flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().ends_with(".rs") && name != "__pycache__" {
                copy_tree(&entry.path(), &to.join(name));
            }
        }
    } else {
        fs::create_dir_all(to.parent().expect("a parent")).expect("a directory");
        fs::copy(from, to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
    }
}

/// The packages that `wheels.txt` names, with what they need: `target/wheels/SITE-HASH`. Complete
/// or not there. Each paragraph is resolved by itself, so that two versions of a package can be
/// had.
fn wheelhouse(site: &str, list: &Path) -> PathBuf {
    let wanted = fs::read_to_string(list).expect("wheels.txt");
    let sum = wanted.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let all = source_root().join("target/wheels");
    fs::create_dir_all(&all).expect("target/wheels");
    let done = all.join(format!("{site}-{sum:016x}"));
    if !done.exists() {
        let part = tempfile::Builder::new()
            .prefix(site)
            .tempdir_in(&all)
            .expect("a directory");
        for paragraph in wanted.split("\n\n") {
            let names = paragraph
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            let pip = Command::new(test_venv().join("bin/python"))
                .args([
                    "-m",
                    "pip",
                    "--disable-pip-version-check",
                    "-q",
                    "download",
                    "--only-binary=:all:",
                    "-d",
                ])
                .arg(part.path())
                .args(names)
                .output()
                .expect("pip");
            assert!(
                pip.status.success(),
                "pip download, for {}: {}",
                list.display(),
                String::from_utf8_lossy(&pip.stderr)
            );
        }
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(part.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        // Another test may have been quicker; its copy is as good.
        if fs::rename(part.path(), &done).is_ok() {
            let _ = part.keep();
        }
    }
    done
}
