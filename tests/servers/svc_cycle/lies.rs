//! The lies that a status of supervisord can tell: a program that is gone a moment later, an answer
//! of another process.

use std::fs;

use harness::supervisor::{self, Supervisor};
use harness::{free_port, tool};
use serde_json::json;

use super::site::{Site, service, steps};

#[test]
fn a_program_that_ends_at_once_is_no_success() {
    if !supervisor::available() {
        return;
    }
    let supervisor = Supervisor::start(
        "[program:false]\ncommand = /bin/false\nautostart = false\nstartsecs = 0\nautorestart = false\n\n\
         [program:loop]\ncommand = /bin/sh -c 'sleep 0.3; exit 3'\nautostart = false\nstartsecs = 0\nautorestart = true\n\n\
         [program:retry]\ncommand = /bin/false\nautostart = false\nstartretries = 1\n\n\
         [program:missing]\ncommand = /no/such/program\nautostart = false\n",
    );
    let config = supervisor.config();
    for name in ["false", "loop", "retry", "missing"] {
        // supervisorctl's own verdict on the first two is that they were started.
        let report = tool("svc-cycle")
            .args([
                "start",
                "-c",
                config.to_str().unwrap(),
                &format!("supervisor:{name}"),
            ])
            .run()
            .expect_code(3)
            .json();
        assert_eq!(report["outcome"], "not_ready", "{name}: {report}");
        assert_eq!(report["status"], "failed");
    }
}

#[test]
fn dying_after_ready_within_stable_is_seen() {
    let Some(site) = Site::with("autorestart = false\n") else {
        return;
    };
    let text = fs::read_to_string(site.file())
        .unwrap()
        .replace("stable = \"100ms\"", "stable = \"3s\"\npreflight = []");
    site.set(&text);
    // It answers, and dies a second after.
    let app = super::site::APP.replace(
        "import os\n",
        "import os, threading\nthreading.Timer(1.0, lambda: os.kill(os.getppid(), 9)).start()\n",
    );
    fs::write(site.dir().join("app.py"), app).unwrap();
    let report = site
        .cycle("restart", &["gunicorn"])
        .run()
        .expect_code(3)
        .json();
    assert_eq!(
        service(&report, "gunicorn")["ready"][0]["attempts"]
            .as_u64()
            .map(|attempts| attempts > 0),
        Some(true)
    );
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("was ready, and then"),
        "{report}"
    );
}

#[test]
fn a_port_held_by_another_program_is_not_ready() {
    let Some(site) = Site::start() else { return };
    site.cycle("stop", &["gunicorn"]).run().expect_code(0);
    let other = std::net::TcpListener::bind(("127.0.0.1", site.port)).unwrap();
    let report = site
        .cycle("start", &["gunicorn"])
        .run()
        .expect_code(3)
        .json();
    let message = report["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!(
            "port {} is held by process {}",
            site.port,
            std::process::id()
        )),
        "{message}"
    );
    drop(other);
    site.cycle("start", &["gunicorn"]).run().expect_code(0);
}

#[test]
fn a_worker_that_outlives_its_master_is_told() {
    if !supervisor::available() {
        return;
    }
    // The child ignores TERM, and supervisord signals only its parent.
    let supervisor = Supervisor::start(
        "[program:master]\ncommand = /bin/sh -c '(trap \"\" TERM; sleep 600) & sleep 600'\nstartsecs = 0\nstopwaitsecs = 2\n",
    );
    supervisor.wait_running(&["master"]);
    let set = supervisor.dir().join("set.toml");
    let write = |more: &str| {
        let text = format!(
            "[service.master]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nstop_timeout = \"1s\"\nstable = \"50ms\"\n{more}"
        );
        fs::write(&set, text).unwrap();
    };
    write("");
    let report = tool("svc-cycle")
        .args(["stop", "-f", set.to_str().unwrap()])
        .run()
        .expect_code(3)
        .json();
    assert_eq!(report["outcome"], "not_stopped");
    let left = report["leftovers"][0].as_i64().unwrap();
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("still run"),
        "{report}"
    );
    assert!(fs::exists(format!("/proc/{left}")).unwrap());
    // Said again for a new one, and then ended, because the set says so.
    supervisor.ctl(&["start", "master"]);
    supervisor.wait_running(&["master"]);
    write("kill = \"escalate\"\n");
    let report = tool("svc-cycle")
        .args(["stop", "-f", set.to_str().unwrap()])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(steps(&report, "master"), ["kill", "stop"]);
    assert_eq!(report["leftovers"], json!([]));
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(left as i32),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
}

#[test]
fn reload_is_believed_when_the_workers_changed() {
    let Some(site) = Site::start() else { return };
    let before = site.running();
    fs::write(
        site.dir().join("app.py"),
        super::site::APP.replace("text = \"code 1", "text = \"code 1 and 2"),
    )
    .unwrap();
    let report = site
        .cycle("reload", &["gunicorn"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&report["outcome"], &report["changed"]),
        (&json!("done"), &json!(true))
    );
    assert!(
        site.page().unwrap().starts_with("code 1 and 2"),
        "{:?}",
        site.page()
    );
    assert_eq!(site.running(), before);
}

#[test]
fn a_second_master_beside_the_first_is_no_reload() {
    let Some(site) = Site::start() else { return };
    let text = fs::read_to_string(site.file()).unwrap();
    site.set(&text.replace(
        "[service.gunicorn]\n",
        "[service.gunicorn]\nreload_signal = \"USR2\"\n",
    ));
    let report = site.cycle("reload", &["gunicorn"]).run().expect_code(3);
    // The second one is no child of supervisord's that the test's end would take along.
    let second = fs::read_to_string(site.dir().join("gunicorn.pid.2")).unwrap();
    let second = nix::unistd::Pid::from_raw(second.trim().parse().unwrap());
    nix::sys::signal::kill(second, nix::sys::signal::Signal::SIGQUIT).unwrap();
    let report = report.json();
    let why = report["error"]["message"].as_str().unwrap();
    assert!(why.contains("second main process"), "{report}");
    harness::wait_until("the second one is gone", || site.gunicorns() == 3);
}

#[test]
fn a_hup_with_broken_code_kills_gunicorn_and_is_caught() {
    let Some(site) = Site::with("autorestart = false\n") else {
        return;
    };
    fs::write(site.dir().join("app.py"), "import no_such_module\n").unwrap();
    // The preflight says so before anything happens.
    let text = fs::read_to_string(site.file()).unwrap();
    let gunicorn = harness::test_venv().join("bin/gunicorn");
    site.set(&text.replace(
        "stable = \"100ms\"",
        &format!(
            "stable = \"100ms\"\npreflight = [\"{}\", \"--check-config\", \"app:app\"]",
            gunicorn.display()
        ),
    ));
    let report = site
        .cycle("reload", &["gunicorn"])
        .run()
        .expect_code(3)
        .json();
    assert_eq!(
        (&report["changed"], steps(&report, "gunicorn")),
        (&json!(false), vec!["preflight".to_owned()])
    );
    assert!(site.page().is_some());
    // So it does where it is to be started.
    site.cycle("stop", &["gunicorn"]).run().expect_code(0);
    let report = site
        .cycle("start", &["gunicorn"])
        .run()
        .expect_code(3)
        .json();
    assert_eq!(
        (&report["changed"], steps(&report, "gunicorn")),
        (&json!(false), vec!["preflight".to_owned()])
    );
    fs::write(site.dir().join("app.py"), super::site::APP).unwrap();
    site.cycle("start", &["gunicorn"]).run().expect_code(0);
    fs::write(site.dir().join("app.py"), "import no_such_module\n").unwrap();
    // Without one, the HUP ends the master, and that is said.
    site.set(&text.replace("stable = \"100ms\"", "stable = \"3s\"\npreflight = []"));
    let report = site
        .cycle("reload", &["gunicorn"])
        .run()
        .expect_code(3)
        .json();
    assert_eq!(report["outcome"], "not_reloaded");
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("ended its main process"),
        "{report}"
    );
}

#[test]
fn readiness_answered_by_the_old_process_is_none() {
    if !supervisor::available() {
        return;
    }
    let port = free_port();
    // The server survives its parent's stop; the next one cannot have its port and dies, unseen.
    let supervisor = Supervisor::start(&format!(
        "[program:web]\ncommand = /bin/sh -c '(exec setsid python3 -m http.server -b 127.0.0.1 {port} >/dev/null 2>&1) & exec sleep 600'\nstartsecs = 0\n"
    ));
    supervisor.wait_running(&["web"]);
    harness::wait_until("it answers", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let set = supervisor.dir().join("set.toml");
    let text = format!(
        "[service.web]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nstopped = [{{ tree = false }}]\nstart_timeout = \"1s\"\n\
         ready = [{{ http = \"http://127.0.0.1:{port}/\" }}]\n"
    );
    fs::write(&set, text).unwrap();
    let report = tool("svc-cycle")
        .args(["restart", "-f", set.to_str().unwrap()])
        .run()
        .expect_code(3)
        .json();
    assert_eq!(report["outcome"], "not_ready");
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("is answered by the old process"),
        "{report}"
    );
    let Ok(probe::port::Holders::Processes(left)) = probe::port::holders(port) else {
        panic!("nobody holds {port}")
    };
    left.iter().for_each(|pid| {
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(*pid),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
    });
}
