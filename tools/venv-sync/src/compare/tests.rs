//! Small environments, made of directories, against small files.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use pydist::Environment;

use super::{Comparison, Policy, compare};
use crate::findings::Kind;
use crate::observe::observe;
use crate::request::{Depth, Goal, Level};
use crate::requirements::Reader;

struct Venv(tempfile::TempDir);

impl Venv {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("lib/python3.11/site-packages")).unwrap();
        fs::create_dir_all(dir.path().join("bin")).unwrap();
        std::os::unix::fs::symlink("/bin/sh", dir.path().join("bin/python")).unwrap();
        fs::write(
            dir.path().join("pyvenv.cfg"),
            "home = /nonexistent/bin\nversion = 3.11.2\n",
        )
        .unwrap();
        Venv(dir)
    }

    fn site(&self) -> std::path::PathBuf {
        self.0.path().join("lib/python3.11/site-packages")
    }

    fn with(self, name: &str, version: &str, metadata: &str) -> Self {
        let dir = self.site().join(format!("{name}-{version}.dist-info"));
        fs::create_dir(&dir).unwrap();
        fs::write(
            dir.join("METADATA"),
            format!("Name: {name}\nVersion: {version}\n{metadata}\n"),
        )
        .unwrap();
        fs::write(dir.join("RECORD"), "").unwrap();
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        let path = self.site().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn compare(&self, requirements: &str) -> Comparison {
        self.compare_with(requirements, &[])
    }

    fn compare_with(&self, requirements: &str, allow: &[&str]) -> Comparison {
        let file = self.0.path().join("r.txt");
        fs::write(&file, requirements).unwrap();
        let reader = Reader {
            cwd: Path::new("/"),
            extras: &[],
            groups: &[],
            variable: &|_| None,
        };
        let wanted = reader.read(&[file], &[]).unwrap();
        let environment = Environment::open(self.0.path()).unwrap();
        let observed = observe(environment, &wanted, &[]).unwrap();
        let goal = Goal {
            venv: self.0.path().to_owned(),
            requirements: Vec::new(),
            constraints: Vec::new(),
            extras: Vec::new(),
            groups: Vec::new(),
            extraneous: Level::Fail,
            allow: allow.iter().map(|name| (*name).to_owned()).collect(),
            verify: Depth::None,
            vendor: Vec::new(),
        };
        let policy = Policy {
            extraneous: Level::Fail,
            allow: goal.allowed(),
            vendor: Vec::new(),
            apply: goal.apply("build a release", "root", &[]),
            actor: "root".to_owned(),
            goal,
            more: Vec::new(),
        };
        compare(&wanted, &observed, &policy)
    }

    fn kinds(&self, requirements: &str) -> Vec<(Kind, Option<String>)> {
        self.compare(requirements)
            .findings
            .into_iter()
            .map(|f| (f.kind, f.name))
            .collect()
    }
}

fn of(kind: Kind, name: &str) -> (Kind, Option<String>) {
    (kind, Some(name.to_owned()))
}

#[test]
fn in_sync_is_silence() {
    let venv = Venv::new()
        .with("Django", "4.2", "Requires-Dist: asgiref>=3")
        .with("asgiref", "3.7", "")
        .with("pip", "23.0", "");
    assert_eq!(venv.kinds("django==4.2\n"), []);
}

#[test]
fn requirements_dependencies_and_what_nobody_asked_for() {
    let venv = Venv::new()
        .with(
            "Django",
            "4.1",
            "Requires-Dist: asgiref>=3\nRequires-Dist: sqlparse",
        )
        .with("asgiref", "2.0", "")
        .with("six", "1.0", "");
    let expected = [
        of(Kind::Missing, "gunicorn"),
        of(Kind::WrongVersion, "Django"),
        of(Kind::Extraneous, "six"),
        of(Kind::DepMissing, "sqlparse"),
        of(Kind::DepConflict, "asgiref"),
    ];
    assert_eq!(
        venv.kinds("django==4.2\ngunicorn\nnothing; python_version < '3'\n"),
        expected
    );
}

#[test]
fn extras_are_asked_for_through_dependencies_and_loops_end() {
    let venv = Venv::new()
        .with(
            "a",
            "1",
            "Requires-Dist: b[x]\nProvides-Extra: y\nRequires-Dist: c; extra == 'y'",
        )
        .with(
            "b",
            "1",
            "Requires-Dist: a[y]\nRequires-Dist: d; extra == 'x'",
        )
        .with("d", "1", "");
    assert_eq!(venv.kinds("a\n"), [of(Kind::DepMissing, "c")]);
}

#[test]
fn the_condition_of_directories() {
    let venv = Venv::new()
        .with("a", "1.0", "")
        .with("a", "2.0", "")
        .file("~b-1.0.dist-info/METADATA", "");
    let venv = venv
        .file("c-1.0.dist-info/METADATA", "Name: c\nVersion: 1.1\n")
        .file("d-1.0.dist-info/RECORD", "");
    let expected = [
        of(Kind::DuplicateDist, "a"),
        of(Kind::GhostDist, "b-1.0.dist-info"),
        of(Kind::MetadataUnreadable, "d"),
        of(Kind::MetadataVersionMismatch, "c"),
        of(Kind::RecordMissing, "c"),
    ];
    assert_eq!(venv.kinds("a\nc\nd\n"), expected);
}

#[test]
fn pth_files_that_lead_out_or_run_something() {
    let venv = Venv::new()
        .with("setuptools", "66", "")
        .file("evil.pth", "import os\n/usr\n/nowhere\n./inside\n");
    let venv = venv
        .file("inside/x.py", "")
        .file("distutils-precedence.pth", "import os; x\n");
    let venv = venv.file(
        "setuptools-66.dist-info/RECORD",
        "distutils-precedence.pth,sha256=x,1\n",
    );
    let found = venv.compare("");
    let kinds: Vec<_> = found
        .findings
        .iter()
        .map(|f| (f.kind, f.origin.clone().unwrap()))
        .collect();
    let evil = venv.site().join("evil.pth").display().to_string();
    assert_eq!(
        kinds,
        [
            (Kind::LeakPth, format!("{evil}:2")),
            (Kind::PthExecutes, format!("{evil}:1"))
        ]
    );
}

#[test]
fn constraints_limit_only_what_is_asked_for() {
    let venv = Venv::new()
        .with("a", "1", "Requires-Dist: b")
        .with("b", "1", "");
    let c = venv.0.path().join("c.txt");
    fs::write(&c, "b>1\nzzz>1\n").unwrap();
    assert_eq!(
        venv.kinds(&format!("a\n-c {}\n", c.display())),
        [of(Kind::WrongVersion, "b")]
    );
}

#[test]
fn an_interpreter_that_is_gone_and_a_python_that_is_another() {
    let venv = Venv::new();
    fs::remove_file(venv.0.path().join("bin/python")).unwrap();
    assert_eq!(venv.compare("").findings[0].kind, Kind::InterpreterBroken);
    std::os::unix::fs::symlink("/gone/python3.11", venv.0.path().join("bin/python")).unwrap();
    assert_eq!(venv.compare("").findings[0].kind, Kind::InterpreterBroken);
    let other = venv.0.path().join("python3.12");
    fs::copy("/bin/true", &other).unwrap();
    fs::remove_file(venv.0.path().join("bin/python")).unwrap();
    std::os::unix::fs::symlink(other, venv.0.path().join("bin/python")).unwrap();
    assert_eq!(venv.compare("").findings[0].kind, Kind::LibVersionMismatch);
}

#[test]
fn an_editable_install_stands_for_its_directory() {
    let app = tempfile::tempdir().unwrap();
    fs::write(app.path().join("setup.py"), "").unwrap();
    let url = format!(
        r#"{{"url": "file://{}", "dir_info": {{"editable": true}}}}"#,
        app.path().display()
    );
    let pth = format!("{}\n", app.path().display());
    let venv = Venv::new()
        .with("app", "1", "")
        .file("app-1.dist-info/direct_url.json", &url)
        .file("__editable__.app.pth", &pth);
    let line = app.path().display();
    assert_eq!(venv.kinds(&format!("-e {line}\n")), []);
    assert_eq!(
        venv.kinds(&format!("{line}\n")),
        [of(Kind::SourceMismatch, "app")]
    );
    assert_eq!(venv.kinds("app==1\n"), [of(Kind::SourceMismatch, "app")]);
    assert!(venv.compare_with("", &["app"]).findings.is_empty());
}
