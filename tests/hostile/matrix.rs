//! Who owns a thing × who runs a tool over the thing: what happens stands in the table of
//! SECURITY.md, and here each cell is tried.

use crate::user::{DEP, Host};
use harness::{bin, source_root};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Another unprivileged user.
const OTHER: u32 = DEP + 1;

const OWNERS: [u32; 3] = [0, DEP, OTHER];

/// A place where each of the users could do something, with a directory of the owner's.
struct Cell {
    host: Host,
    owner: u32,
    runner: u32,
}

impl Cell {
    fn new(owner: u32, runner: u32) -> Cell {
        let cell = Cell {
            host: Host::new(),
            owner,
            runner,
        };
        chown(cell.host.site(), Some(owner), Some(owner)).unwrap();
        // What a run does shows in a directory that everybody may write.
        let marks = cell.marks();
        fs::create_dir(&marks).unwrap();
        fs::set_permissions(&marks, fs::Permissions::from_mode(0o1777)).unwrap();
        cell
    }

    fn marks(&self) -> PathBuf {
        self.host.site().parent().unwrap().join("marks")
    }

    /// A file of the owner's.
    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.host.site().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        chown(&path, Some(self.owner), Some(self.owner)).unwrap();
        path
    }

    /// A directory of the owner's.
    fn dir(&self, name: &str) -> PathBuf {
        let path = self.host.site().join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(self.owner), Some(self.owner)).unwrap();
        path
    }

    fn run(&self, tool: &str, args: &[&str]) -> Output {
        let mut command = Command::new("setpriv");
        if self.runner != 0 {
            let id = self.runner.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        } else {
            command.args(["--reuid", "0"]);
        }
        command
            .arg(bin(tool))
            .args(args)
            .args(["--timeout", "60s"])
            .env("HOME", self.marks())
            .current_dir(self.marks())
            .output()
            .unwrap()
    }

    /// The words for a file that the run made: as whom.
    fn as_whom(&self, made: &Path, done: &Output) -> String {
        let code = done.status.code().unwrap_or(-1);
        let uid = match fs::metadata(made) {
            Ok(meta) => meta.uid(),
            Err(_) if code == 2 => return "refused (2)".to_owned(),
            Err(_) => return format!("not done ({code})"),
        };
        match uid {
            uid if uid == self.runner => "as the caller".to_owned(),
            uid if uid == self.owner => "as the owner".to_owned(),
            uid => format!("as uid {uid}"),
        }
    }
}

fn by_code(done: &Output) -> String {
    match done.status.code() {
        Some(0 | 1) => "done".to_owned(),
        Some(2) => "refused (2)".to_owned(),
        code => format!("not done ({})", code.unwrap_or(-1)),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn start_of_a_set(cell: &Cell) -> String {
    let made = cell.marks().join("made");
    let set = cell.file(
        "set.toml",
        &format!(
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"app.pid\"\nstart_timeout = \"1s\"\n\
             start = [\"/bin/sh\", \"-c\", \"echo > {}\"]\n",
            made.display()
        ),
        0o644,
    );
    let done = cell.run("svc-cycle", &["start", "--file", text(&set), "app"]);
    cell.as_whom(&made, &done)
}

fn root_in_a_set(cell: &Cell) -> String {
    let made = cell.marks().join("made");
    let set = cell.file(
        "set.toml",
        &format!(
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"app.pid\"\nuser = \"root\"\nstart_timeout = \"1s\"\n\
             start = [\"/bin/sh\", \"-c\", \"echo > {}\"]\n",
            made.display()
        ),
        0o644,
    );
    let done = cell.run("svc-cycle", &["start", "--file", text(&set), "app"]);
    cell.as_whom(&made, &done)
}

fn log_of_a_service(cell: &Cell) -> String {
    let log = cell.host.site().join("app.log");
    let set = cell.host.site().parent().unwrap().join("set.toml");
    fs::write(
        &set,
        format!(
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"{}/app.pid\"\nstart_timeout = \"1s\"\nlog = \"{}\"\n\
             start = [\"/bin/sh\", \"-c\", \"true\"]\n",
            cell.marks().display(),
            log.display()
        ),
    )
    .unwrap();
    let done = cell.run("svc-cycle", &["start", "--file", text(&set), "app"]);
    cell.as_whom(&log, &done)
}

/// A pid file that names a process of root's.
fn stop_by_pid_file(cell: &Cell) -> String {
    let mut victim = Command::new("sleep").arg("60").spawn().unwrap();
    let file = cell.file("app.pid", &format!("{}\n", victim.id()), 0o644);
    let done = cell.run(
        "svc-cycle",
        &["stop", &format!("pidfile:{}", file.display())],
    );
    let alive = victim.try_wait().unwrap().is_none();
    let _ = victim.kill();
    let _ = victim.wait();
    match alive {
        true => format!("not signalled ({})", done.status.code().unwrap_or(-1)),
        false => "ended".to_owned(),
    }
}

/// A log in a directory that is root's alone.
fn log_of_roots(cell: &Cell) -> String {
    let log = cell.host.roots().join("app.log");
    let set = cell.file(
        "set.toml",
        &format!(
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"app.pid\"\nstart_timeout = \"1s\"\nlog = \"{}\"\n\
             start = [\"/bin/sh\", \"-c\", \"true\"]\n",
            log.display()
        ),
        0o644,
    );
    let done = cell.run("svc-cycle", &["start", "--file", text(&set), "app"]);
    cell.as_whom(&log, &done)
}

/// A pid file of root's, with a process of root's.
fn stop_by_a_set(cell: &Cell) -> String {
    let mut victim = Command::new("sleep").arg("60").spawn().unwrap();
    let public = cell.marks().parent().unwrap().join("run");
    fs::create_dir(&public).unwrap();
    let pid_file = public.join("app.pid");
    fs::write(&pid_file, format!("{}\n", victim.id())).unwrap();
    let set = cell.file(
        "set.toml",
        &format!(
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"{}\"\n",
            pid_file.display()
        ),
        0o644,
    );
    let done = cell.run("svc-cycle", &["stop", "--file", text(&set)]);
    let alive = victim.try_wait().unwrap().is_none();
    let _ = victim.kill();
    let _ = victim.wait();
    match alive {
        true => format!("not signalled ({})", done.status.code().unwrap_or(-1)),
        false => "ended".to_owned(),
    }
}

fn list_of_requirements(cell: &Cell) -> String {
    let made = cell.marks().join("made");
    let list = cell.file(
        "needs.toml",
        &format!(
            "[[check]]\ntype = \"command\"\nname = \"sh\"\nversion = \">=1\"\nargs = [\"-c\", \"echo > {}; echo 1.2\"]\n",
            made.display()
        ),
        0o644,
    );
    let done = cell.run("check-reqs", &["-f", text(&list)]);
    cell.as_whom(&made, &done)
}

fn requirements_for_root(cell: &Cell) -> String {
    let venv = cell.marks().parent().unwrap().join("venv");
    crate::peers::venv(&venv);
    let file = cell.file("requirements.txt", "# nothing\n", 0o644);
    let args = ["apply", "-n", "--adopt", "-r", text(&file), text(&venv)];
    by_code(&cell.run("venv-sync", &args))
}

fn program_of_a_check(cell: &Cell) -> String {
    let made = cell.marks().join("made");
    let script = format!("#!/bin/sh\necho > {}\necho 'x 1.2'\n", made.display());
    let program = cell.file("program", &script, 0o755);
    let done = cell.run("check-reqs", &[&format!("cmd:{}>=1", program.display())]);
    cell.as_whom(&made, &done)
}

fn check_of_a_venv(cell: &Cell) -> String {
    let venv = venv(cell);
    by_code(&cell.run("venv-sync", &["check", "-r", "/dev/null", text(&venv)]))
}

fn apply_to_a_venv(cell: &Cell) -> String {
    let venv = venv(cell);
    let args = [
        "apply",
        "--adopt",
        "--rebuild",
        "-r",
        "/dev/null",
        text(&venv),
    ];
    let done = cell.run("venv-sync", &args);
    let link = fs::symlink_metadata(&venv).unwrap();
    match (link.is_symlink(), link.uid()) {
        (false, _) => format!("not done ({})", done.status.code().unwrap_or(-1)),
        (true, uid) if uid == cell.runner => "as the caller".to_owned(),
        (true, uid) if uid == cell.owner => "as the owner".to_owned(),
        (true, uid) => format!("as uid {uid}"),
    }
}

fn venv(cell: &Cell) -> PathBuf {
    let venv = cell.dir("venv");
    let made = Command::new("setpriv")
        .args([
            "--reuid",
            &cell.owner.to_string(),
            "--regid",
            &cell.owner.to_string(),
            "--clear-groups",
        ])
        .args(["/usr/bin/python3", "-m", "venv", "--without-pip"])
        .arg(&venv)
        .env("HOME", "/")
        .status()
        .unwrap();
    assert!(made.success());
    venv
}

fn page_template(cell: &Cell) -> String {
    let template = cell.dir("template");
    let page = cell.file("template/page.html", "<p>{{message}}</p>", 0o644);
    assert!(page.exists());
    let dir = cell.marks().join("page");
    by_code(&cell.run(
        "maint-page",
        &["on", "--dir", text(&dir), "--template", text(&template)],
    ))
}

fn maintenance_directory(cell: &Cell) -> String {
    let dir = cell.dir("maintenance");
    let done = cell.run("maint-page", &["on", "--dir", text(&dir)]);
    let flag = fs::read_dir(&dir).ok().and_then(|mut dir| dir.next()?.ok());
    let path = flag.map_or(dir.join("none"), |entry| entry.path());
    cell.as_whom(&path, &done)
}

fn cron_template(cell: &Cell) -> String {
    let template = cell.file("cron.txt", "0 4 * * * /bin/true\n", 0o644);
    by_code(&cell.run(
        "cron-render",
        &[
            "install",
            "-n",
            text(&template),
            "--name",
            "x",
            "--user",
            "root",
        ],
    ))
}

fn journal(cell: &Cell) -> String {
    let journal = cell.host.site().join("journal");
    let done = cell.run(
        "check-reqs",
        &["file:/etc/fstab", "--journal", text(&journal)],
    );
    cell.as_whom(&journal, &done)
}

type Try = fn(&Cell) -> String;

/// Builds environments, seven seconds each: only RUNBOOK_SWEEP=full tries all of its cells.
const SLOW: &str = "virtual environment, `venv-sync apply`";

const ROWS: &[(&str, Try)] = &[
    ("set file, `svc-cycle start`", start_of_a_set),
    (
        "set file with `user = \"root\"`, `svc-cycle start`",
        root_in_a_set,
    ),
    ("log of a service, `svc-cycle start`", log_of_a_service),
    (
        "pid file that names root's process, `svc-cycle stop`",
        stop_by_pid_file,
    ),
    (
        "log in root's directory, named by a set file, `svc-cycle start`",
        log_of_roots,
    ),
    (
        "pid file of root's, named by a set file, `svc-cycle stop`",
        stop_by_a_set,
    ),
    (
        "list of requirements, `check-reqs -f`",
        list_of_requirements,
    ),
    (
        "requirements file for root's environment, `venv-sync apply -n`",
        requirements_for_root,
    ),
    ("program, `check-reqs cmd:`", program_of_a_check),
    ("virtual environment, `venv-sync check`", check_of_a_venv),
    (SLOW, apply_to_a_venv),
    ("page template, `maint-page on`", page_template),
    (
        "maintenance directory, `maint-page on`",
        maintenance_directory,
    ),
    (
        "cron template for root, `cron-render install -n`",
        cron_template,
    ),
    ("journal, `--journal`", journal),
];

#[test]
fn what_happens_is_what_the_table_says() {
    if !harness::need_root() {
        return;
    }
    let page = fs::read_to_string(source_root().join("SECURITY.md")).unwrap();
    let mut found = String::new();
    for (what, attempt) in ROWS {
        if *what == SLOW && !harness::full_sweep() {
            let cell = attempt(&Cell::new(DEP, 0));
            assert_eq!(cell, "as the owner", "{what}");
            continue;
        }
        for (runner, who) in [(0, "root"), (DEP, "a user")] {
            let cells: Vec<String> = OWNERS
                .iter()
                .map(|owner| attempt(&Cell::new(*owner, runner)))
                .collect();
            found.push_str(&format!("| {what} | {who} | {} |\n", cells.join(" | ")));
        }
    }
    let missing: Vec<&str> = found.lines().filter(|row| !page.contains(row)).collect();
    assert!(
        missing.is_empty(),
        "SECURITY.md lacks these rows:\n{}",
        missing.join("\n")
    );
}
