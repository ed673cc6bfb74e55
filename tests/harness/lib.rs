//! What every end-to-end test needs: the real programs of this workspace, run as a user runs them,
//! and a scratch directory, free ports and servers that are gone when the test is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

pub mod disk;
pub mod docker;
pub mod fix;
pub mod fleet;
pub mod golden;
pub mod gunicorn;
pub mod machine;
pub mod namespace;
pub mod nginx;
pub mod person;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod redis;
pub mod run;
pub mod schema;
pub mod site;
pub mod supervisor;
pub mod venvs;

pub use person::Person;
pub use ports::{free_port, wait_for, wait_until};
pub use process::Server;
pub use run::{
    Output, Tool, bin, copy_program, from_a_terminal, program, tool, tool_copied_to, tools,
};
pub use tempfile::TempDir;

/// The names of all seven tools.
pub const TOOLS: [&str; 7] = [
    "check-reqs",
    "pg-ext-ensure",
    "venv-sync",
    "maint-page",
    "svc-cycle",
    "cron-render",
    "log-paths",
];

/// A directory that is gone at the end of the test.
pub fn scratch() -> TempDir {
    tempfile::Builder::new()
        .prefix("runbook-test-")
        .tempdir()
        .expect("a scratch directory")
}

/// The top of the source tree.
pub fn source_root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ has a parent")
        .to_path_buf()
}

/// Whether tests that need a server may be left out: only where `SKIP_SERVERS=1` says so.
/// Everything else that is missing fails the test.
pub fn skip_servers() -> bool {
    std::env::var_os("SKIP_SERVERS").is_some_and(|v| v == "1")
}

/// The path of a program a test needs; the test fails where it is missing, unless `SKIP_SERVERS=1`:
/// then `None`.
pub fn need(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(Into::into))
        .map(|dir| dir.join(program))
        .find(|p| p.is_file());
    match found {
        Some(path) => Some(path),
        None if skip_servers() => None,
        None => panic!(
            "{program} is missing: run tests/setup.sh, or set SKIP_SERVERS=1 to leave out what needs it"
        ),
    }
}

/// Whether this is root, which a test needs that makes users, mounts or namespaces; the test fails
/// where it is not, unless `SKIP_SERVERS=1`: then false.
pub fn need_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    assert!(
        root || skip_servers(),
        "this test needs root: run it as root, or set SKIP_SERVERS=1 to leave it out"
    );
    root
}

/// The Python environment that tests/setup.sh makes for the differential tests and the servers
/// written in Python.
pub fn test_venv() -> std::path::PathBuf {
    let venv = std::env::var_os("RUNBOOK_TEST_VENV")
        .map_or_else(|| source_root().join("target/test-venv"), Into::into);
    assert!(
        venv.join("bin/python").exists(),
        "{} is missing: run tests/setup.sh",
        venv.display()
    );
    venv
}

/// A Python environment in `dir` with these distributions' packages out of [`test_venv`], for a
/// user who may not enter the source tree.
pub fn venv_copied_to(dir: &std::path::Path, packages: &[&str]) -> std::path::PathBuf {
    let venv = dir.join("venv");
    let made = std::process::Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "python3 -m venv {}",
        venv.display()
    );
    let site_packages = |venv: &std::path::Path| {
        let lib = std::fs::read_dir(venv.join("lib"))
            .expect("lib")
            .flatten()
            .next()
            .expect("lib/python3.N");
        lib.path().join("site-packages")
    };
    let from = packages
        .iter()
        .map(|package| site_packages(&test_venv()).join(package));
    let copied = std::process::Command::new("cp")
        .arg("-R")
        .args(from)
        .arg(site_packages(&venv))
        .status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "cp {packages:?}"
    );
    venv
}

/// Whether the long form of a sweep was asked for.
pub fn full_sweep() -> bool {
    std::env::var_os("RUNBOOK_SWEEP").is_some_and(|v| v == "full")
}
