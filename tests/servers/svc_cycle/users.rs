//! Several users and one service: root beside a deploy user, and the units of a user's own systemd.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use harness::machine::Machine;
use harness::supervisor::{self, Supervisor};
use harness::{Person, scratch, tool, wait_until};

use super::host::run;
use super::site::service;

#[test]
fn root_and_a_deploy_user_exclude_each_other_and_a_stranger_does_not() {
    if !supervisor::available() || !harness::need_root() {
        return;
    }
    let Some(person) = Person::new() else { return };
    let supervisor = Supervisor::start("[program:web]\ncommand = /bin/sleep 600\nstartsecs = 0\n");
    supervisor.wait_running(&["web"]);
    let open = |mode: u32| {
        fs::set_permissions(supervisor.socket(), fs::Permissions::from_mode(mode)).unwrap();
    };
    let config = supervisor.config().display().to_string();
    fs::set_permissions(supervisor.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(supervisor.config(), fs::Permissions::from_mode(0o644)).unwrap();
    let home = fs::metadata(&person.home).unwrap();
    let (uid, gid) = (
        std::os::unix::fs::MetadataExt::uid(&home),
        std::os::unix::fs::MetadataExt::gid(&home),
    );
    let work = scratch();
    chown(work.path(), Some(uid), Some(gid)).unwrap();
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = work.path().join("svc-cycle");
    fs::copy(harness::bin("svc-cycle"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let state = work.path().join("state");
    let began = work.path().join("began");

    chown(supervisor.socket(), None, Some(gid)).unwrap();
    open(0o770);
    let script = format!("touch {}; exec sleep 60", began.display());
    let mut deploy = std::process::Command::new(&program)
        .args([
            "cycle",
            "-c",
            &config,
            "supervisor:web",
            "--",
            "sh",
            "-c",
            &script,
        ])
        .env("HOME", work.path())
        .env("XDG_STATE_HOME", &state)
        .env_remove("XDG_RUNTIME_DIR")
        .uid(uid)
        .gid(gid)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("COMMAND runs", || began.exists());
    let start = || {
        tool("svc-cycle")
            .args(["start", "-c", &config, "supervisor:web"])
            .run()
    };
    start().expect_code(75).expect_err("another user");
    assert_eq!(supervisor.state_of("web"), "STOPPED");
    // Who cannot write to the socket has no say: the name that such a user holds stops nobody.
    open(0o700);
    start().expect_code(0);
    let leader = nix::unistd::Pid::from_raw(deploy.id() as i32);
    open(0o770);
    nix::sys::signal::kill(leader, nix::sys::signal::Signal::SIGTERM).unwrap();
    deploy.wait().unwrap();
    wait_until("the lock is free", || start().code() == 0);
}

#[test]
fn units_of_a_user_s_own_systemd() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    machine.must(&["useradd", "--create-home", "--uid", "1777", "reef"]);
    let unit = "[Service]\nExecStart=/bin/sleep 600\n[Install]\nWantedBy=default.target\n";
    machine.write("/home/reef/.config/systemd/user/worker.service", unit);
    machine.must(&["chown", "-R", "reef:", "/home/reef"]);
    machine.must(&[
        "sh",
        "-c",
        "mkdir -p -m 700 /run/user/1777 && chown reef: /run/user/1777",
    ]);
    // logind is masked in the machine, so the user's manager is started as logind would start it.
    machine.unit(
        "reef-manager.service",
        "[Service]\nType=notify\nUser=reef\nPAMName=systemd-user\nEnvironment=XDG_RUNTIME_DIR=/run/user/1777\nExecStart=/lib/systemd/systemd --user\nKillMode=mixed\nDelegate=yes\n",
    );
    machine.must(&["systemctl", "start", "reef-manager"]);
    machine.write(
        "/root/set.toml",
        "[service.worker]\nbackend = \"systemd-user\"\nuser = \"reef\"\nexpect = { user = \"reef\" }\n",
    );
    let report = run(&machine, &["start", "-f", "/root/set.toml"], 0);
    let worker = service(&report, "worker");
    assert_eq!(worker["id"]["manager"], "user:1777");
    let first = worker["pids"].clone();
    let report = run(
        &machine,
        &["cycle", "-f", "/root/set.toml", "--", "true"],
        0,
    );
    assert_ne!(service(&report, "worker")["pids"], first);
    run(&machine, &["check", "-f", "/root/set.toml"], 0);
    // The system's manager knows no such unit.
    run(&machine, &["status", "-f", "/root/set.toml"], 0);
    let refused = machine
        .tool("svc-cycle")
        .args(["status", "systemd:worker"])
        .run();
    refused
        .expect_code(2)
        .expect_err("systemd knows no such unit");
    run(&machine, &["stop", "-f", "/root/set.toml"], 0);
    run(&machine, &["status", "-f", "/root/set.toml"], 1);
}
