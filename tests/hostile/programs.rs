//! Programs on paths of another user: whose they are when they are looked at, and whose when they run.

use crate::user::{DEP, Host, Racer, rounds};
use harness::tool;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// `bin` is the user's directory at one moment and a link to root's at the next.
const FLIPPER: &str = "
roots = open('roots').read()
os.symlink(roots, 'link')
while True:
    try:
        os.rename('bin', 'own')
        os.rename('link', 'bin')
        os.rename('bin', 'link')
        os.rename('own', 'bin')
    except OSError:
        pass
";

#[test]
fn a_program_that_is_exchanged_runs_as_its_user_or_not_at_all() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let marks = host.site().parent().unwrap().join("marks");
    fs::create_dir(&marks).unwrap();
    fs::set_permissions(&marks, fs::Permissions::from_mode(0o777)).unwrap();
    // Root's directory, where everybody may look, has a program of that name.
    let public = host.site().parent().unwrap().join("public");
    fs::create_dir(&public).unwrap();
    let program = |path: &std::path::Path, words: &str| {
        fs::write(
            path,
            format!("#!/bin/sh\n{words}\necho 'git version 2.40.0'\n"),
        )
        .unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program(&public.join("git"), "true");
    let bin = host.site().join("bin");
    fs::create_dir(&bin).unwrap();
    program(
        &bin.join("git"),
        &format!("id -u >> {0}/$(id -u)", marks.display()),
    );
    host.give(&bin);
    host.give(&bin.join("git"));
    fs::write(host.site().join("roots"), public.to_str().unwrap()).unwrap();
    let racer = Racer::start(&host.site(), FLIPPER);
    let need = format!("cmd:{}/git>=1", bin.display());
    for round in 0..rounds() {
        tool("check-reqs").args([&need, "--timeout", "10s"]).run();
        assert!(
            !marks.join("0").exists(),
            "round {round}: root ran the user's program"
        );
    }
    drop(racer);
    // The race was one: the user's program ran, as that user.
    assert!(marks.join(DEP.to_string()).exists());
}

/// A pid file is honest when it is looked at, and names root's process when it is read.
const SWAPPER: &str = "
victim = open('victim').read()
own = str(os.getpid())
while True:
    for text in (own, victim):
        with open('next', 'w') as f:
            f.write(text)
        os.rename('next', 'app.pid')
";

#[test]
fn a_pid_file_that_is_exchanged_ends_no_process_of_roots() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let mut victim = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .unwrap();
    fs::write(host.site().join("victim"), victim.id().to_string()).unwrap();
    let pid_file = format!("pidfile:{}/app.pid", host.site().display());
    for round in 0..rounds() / 5 {
        // Its own process may be ended by the stop: that is what it asked for.
        let racer = Racer::start(&host.site(), SWAPPER);
        tool("svc-cycle")
            .args(["stop", &pid_file, "--timeout", "2s"])
            .run();
        drop(racer);
        assert!(
            victim.try_wait().unwrap().is_none(),
            "round {round}: root's process was ended"
        );
    }
    let _ = victim.kill();
    let _ = victim.wait();
}
