//! Programs under a real supervisord: a real gunicorn, groups, and the lies that a status can tell.

use std::fs;

use harness::supervisor::{self, Supervisor};
use harness::{free_port, tool};
use serde_json::json;

use super::site::{Site, service, steps};

#[test]
fn stop_start_restart_status_in_order() {
    let Some(site) = Site::start() else { return };
    let status = site
        .cycle("status", &["gunicorn", "worker"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        service(&status, "worker")["pids"].as_array().unwrap().len(),
        3
    );
    site.cycle("status", &[]).run().expect_code(1);

    let dry = site.cycle("stop", &["-n"]).run().expect_code(1).json();
    assert_eq!(dry["outcome"], "planned");
    assert_eq!(site.running().len(), 4);
    let stopped = site.cycle("stop", &[]).run().expect_code(0).json();
    assert_eq!(
        (&stopped["outcome"], &stopped["leftovers"]),
        (&json!("done"), &json!([]))
    );
    assert_eq!(service(&stopped, "spare")["changed"], false);
    assert_eq!((site.running().len(), site.gunicorns()), (0, 0));
    assert_eq!(
        site.cycle("stop", &[]).run().expect_code(0).json()["changed"],
        false
    );

    let started = site
        .cycle("start", &["gunicorn", "worker"])
        .run()
        .expect_code(0)
        .json();
    assert!(site.page().unwrap().starts_with("code 1"));
    assert_eq!(service(&started, "gunicorn")["ready"][0]["ok"], true);
    assert_eq!(steps(&started, "gunicorn"), ["start", "ready"]);
    assert_eq!(
        site.cycle("start", &["gunicorn", "worker"])
            .run()
            .expect_code(0)
            .json()["changed"],
        false
    );

    let before = site.running();
    let restarted = site
        .cycle("restart", &["gunicorn", "worker"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        steps(&restarted, "gunicorn"),
        ["preflight", "stop", "start", "ready"]
    );
    assert!(site.running().iter().all(|each| !before.contains(each)));
    assert!(restarted["downtime_ms"].as_u64().is_some());
}

#[test]
fn what_was_down_stays_down() {
    let Some(site) = Site::start() else { return };
    site.supervisor.ctl(&["stop", "worker:worker_1"]);
    let report = site
        .cycle("cycle", &["--", "true"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (&report["outcome"], &report["restored"]),
        (&json!("done"), &json!(true))
    );
    let names: Vec<String> = site.running().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["gunicorn", "worker:worker_0", "worker:worker_2"]);
}

#[test]
fn a_login_over_tcp_is_found_in_the_configuration() {
    if !supervisor::available() {
        return;
    }
    let port = free_port();
    let supervisor = Supervisor::start(&format!(
        "[inet_http_server]\nport = 127.0.0.1:{port}\nusername = admin\npassword = {{SHA}}40bd001563085fc35165329ea1ff5c5ecbdbbeef\n\n\
         [program:web]\ncommand = /bin/sleep 600\n"
    ));
    supervisor.wait_running(&["web"]);
    let text = fs::read_to_string(supervisor.config()).unwrap();
    let only_tcp = supervisor.dir().join("tcp.conf");
    fs::write(
        &only_tcp,
        text.replace("[unix_http_server]\n", "[ignored]\n").replace(
            "[supervisorctl]",
            "[supervisorctl]\nusername = admin\npassword = 123",
        ),
    )
    .unwrap();
    let run = |config: &std::path::Path| {
        tool("svc-cycle")
            .args(["status", "-c", config.to_str().unwrap(), "supervisor:web"])
            .run()
    };
    run(&only_tcp).expect_code(0);
    let wrong = fs::read_to_string(&only_tcp)
        .unwrap()
        .replace("password = 123", "password = 124");
    fs::write(&only_tcp, wrong).unwrap();
    let refused = run(&only_tcp).expect_code(3);
    assert!(
        refused.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("password"),
        "{}",
        refused.out()
    );
    assert!(!refused.out().contains("124"));
}

#[test]
fn what_is_just_starting_is_waited_for() {
    if !supervisor::available() {
        return;
    }
    let programs = "[program:slow]\ncommand = /bin/sleep 600\nstartsecs = 2\n\n\
                    [program:broken]\ncommand = /bin/sh -c 'sleep 1; exit 1'\nstartsecs = 2\nstartretries = 1\n";
    let supervisor = Supervisor::start(programs);
    let config = supervisor.config();
    let start = |name: &str| {
        tool("svc-cycle")
            .args(["start", "-c", config.to_str().unwrap(), name])
            .run()
    };
    let report = start("supervisor:slow").expect_code(0).json();
    let slow = service(&report, "supervisor:slow");
    assert_eq!(
        (&slow["before"], &slow["after"], &slow["changed"]),
        (&json!("starting"), &json!("running"), &json!(false))
    );
    let report = start("supervisor:broken").expect_code(3).json();
    assert_ne!(service(&report, "supervisor:broken")["after"], "running");
}

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
fn expect_reads_the_running_process() {
    let Some(site) = Site::with("environment = PRODUCTION=\"1\",SECRET_KEY=\"hunter2\"\n") else {
        return;
    };
    let text = fs::read_to_string(site.file()).unwrap();
    let with = |expect: &str| {
        site.set(&text.replace(
            "stable = \"100ms\"",
            &format!("stable = \"100ms\"\nexpect = {{ {expect} }}"),
        ));
    };
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .unwrap()
        .unwrap()
        .name;
    with(&format!(
        "env = [\"PRODUCTION=1\", \"SECRET_KEY=hunter2\", \"!DEBUG\"], user = \"{user}\", exe = \"/*/python*\""
    ));
    let check = site.cycle("check", &["gunicorn"]).run().expect_code(0);
    assert_eq!(
        service(&check.json(), "gunicorn")["expect"][0],
        json!({"key": "env PRODUCTION", "ok": true})
    );
    assert!(!check.out().contains("hunter2"));
    // Set in the shell, absent in the daemon.
    with("env = [\"DJANGO_SETTINGS_MODULE\"]");
    let check = site
        .cycle("check", &["gunicorn"])
        .env("DJANGO_SETTINGS_MODULE", "tracks.settings")
        .run()
        .expect_code(1)
        .json();
    assert_eq!(
        (
            &check["outcome"],
            &service(&check, "gunicorn")["expect"][0]["ok"]
        ),
        (&json!("drifted"), &json!(false))
    );
    with("user = \"nobody\"");
    site.cycle("check", &["gunicorn"]).run().expect_code(1);
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
fn rolling_keeps_answering() {
    let Some(site) = Site::start() else { return };
    let before = site.running();
    let report = site
        .cycle("restart", &["--rolling", "worker"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        steps(&report, "worker"),
        [
            "stop", "start", "ready", "stop", "start", "ready", "stop", "start", "ready"
        ]
    );
    let after = site.running();
    assert_eq!(after.len(), 4);
    assert_eq!(after.iter().filter(|each| before.contains(each)).count(), 1);
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
fn an_unreachable_supervisord_is_75() {
    let Some(mut site) = Site::start() else {
        return;
    };
    site.supervisor.crash();
    for verb in ["status", "stop", "start", "restart"] {
        site.cycle(verb, &["gunicorn"]).run().expect_code(75);
    }
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

#[test]
fn a_command_that_supervisord_has_not_read_is_named_with_its_fix() {
    if !supervisor::available() {
        return;
    }
    let supervisor = Supervisor::start("[program:old]\ncommand = /bin/sleep 3600\n");
    let config = supervisor.config().display().to_string();
    let look = || {
        tool("svc-cycle")
            .args(["restart", "-n", "-c", &config, "supervisor:old"])
            .run()
            .json()
    };
    assert_eq!(look()["services"][0].get("fix"), None);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("sleep 3600", "sleep 3601")).unwrap();
    let report = look();
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .contains("says another command"),
        "{report}"
    );
    harness::fix::apply(&report["services"][0]["fix"]);
    let report = look();
    assert_eq!(report["warnings"], json!([]), "{report}");
    assert_eq!(report["services"][0].get("fix"), None);
    let pid = report["services"][0]["pids"][0].as_i64().unwrap();
    let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(String::from_utf8(argv).unwrap().contains("3601"));
}

#[test]
fn celery_and_redis_as_coralnet_has_them() {
    if !supervisor::available() || harness::need("redis-server").is_none() {
        return;
    }
    let port = free_port();
    let dir = harness::scratch();
    fs::write(
        dir.path().join("tasks.py"),
        format!("from celery import Celery\napp = Celery('tasks', broker='redis://127.0.0.1:{port}/0')\n\n@app.task\ndef add(a, b):\n    return a + b\n"),
    )
    .unwrap();
    let celery = harness::test_venv().join("bin/celery");
    let supervisor = Supervisor::start_in(
        dir,
        &format!(
            "[program:celeryworker]\ncommand = {celery} -A tasks worker -c 2 -l info -n w{port}@%%h\ndirectory = %(here)s\nautostart = false\nstartsecs = 0\nstopwaitsecs = 20\n\
             environment = C_FORCE_ROOT=\"1\"\n\n\
             [program:celerybeat]\ncommand = {celery} -A tasks beat -s %(here)s/schedule --pidfile %(here)s/beat.pid\ndirectory = %(here)s\nautostart = false\nstartsecs = 1\n",
            celery = celery.display()
        ),
    );
    let set = supervisor.dir().join("set.toml");
    fs::write(
        &set,
        format!(
            "[service.redis]\nbackend = \"command\"\nname = \"redis-server\"\nstart = [\"redis-server\", \"--port\", \"{port}\", \"--bind\", \"127.0.0.1\", \"--save\", \"\"]\n\
             match = \"127.0.0.1:{port}\"\npolicy = \"ensure\"\nready = [{{ port = {port} }}]\n\
             [service.celeryworker]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nafter = [\"redis\"]\n\
             ready = [{{ log = \"celeryworker-stderr.log\", line = \"ready.\" }}]\n\
             [service.celerybeat]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nafter = [\"redis\"]\n"
        ),
    )
    .unwrap();
    let conf = fs::read_to_string(supervisor.config()).unwrap();
    fs::write(
        supervisor.config(),
        conf.replace(
            "[program:celeryworker]\n",
            "[program:celeryworker]\nstderr_logfile = %(here)s/celeryworker-stderr.log\n",
        ),
    )
    .unwrap();
    supervisor.ctl(&["reread"]);
    supervisor.ctl(&["update"]);
    let run = |arguments: &[&str], code: i32| {
        tool("svc-cycle")
            .args(arguments)
            .args(["-f", set.to_str().unwrap()])
            .dir(supervisor.dir())
            .run()
            .expect_code(code)
            .json()
    };
    let started = run(&["start"], 0);
    let redis = service(&started, "redis")["pids"].clone();
    // A cycle leaves redis alone, and the whole prefork tree of the worker is a new one.
    let report = tool("svc-cycle")
        .args(["cycle", "-f", set.to_str().unwrap(), "--", "true"])
        .dir(supervisor.dir())
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (
            &service(&report, "redis")["pids"],
            &service(&report, "redis")["changed"]
        ),
        (&redis, &json!(false))
    );
    assert_eq!(steps(&report, "celeryworker"), ["stop", "start", "ready"]);
    assert_eq!(report["leftovers"], json!([]));
    // Not running: started, and only then what waits for it.
    run(&["stop", "redis"], 0);
    let started = run(&["start"], 0);
    assert_eq!(service(&started, "redis")["changed"], true);
    run(&["stop", "redis", "celeryworker", "celerybeat"], 0);
}

#[test]
fn a_terminal_shows_progress_and_a_pipe_does_not() {
    if !supervisor::available() || harness::need("script").is_none() {
        return;
    }
    let supervisor = Supervisor::start("[program:web]\ncommand = /bin/sleep 600\nstartsecs = 0\n");
    supervisor.wait_running(&["web"]);
    let words = format!(
        "{} restart -c {} supervisor:web",
        harness::bin("svc-cycle").display(),
        supervisor.config().display()
    );
    let output = std::process::Command::new("script")
        .args(["-qec", &words, "/dev/null"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "supervisor:web: stopping",
        "supervisor:web: stopped in",
        "supervisor:web: starting",
        "supervisor:web: ready",
        "down for",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let piped = tool("svc-cycle")
        .args([
            "restart",
            "-c",
            supervisor.config().to_str().unwrap(),
            "supervisor:web",
        ])
        .run()
        .expect_code(0);
    assert_eq!(piped.err(), "");
}

/// A set file from what runs: check passes with it, a cycle works with it, and nothing has to be typed.
#[test]
fn a_snapshot_is_a_set_that_works() {
    let Some(site) = Site::start() else { return };
    let config = site.supervisor.config();
    let state = harness::scratch();
    let output = super::site::private("svc-cycle", state.path())
        .args(["snapshot", "-o", "text", "-c"])
        .arg(&config)
        .run()
        .expect_code(0);
    let text = output.out();
    assert!(text.contains("[service.gunicorn]"), "{text}");
    assert!(text.contains(&format!("port = {}", site.port)), "{text}");
    // What does not run is left out, and that is said.
    assert!(!text.contains("[service.spare]"), "{text}");
    site.set(&text);
    site.cycle("check", &[]).run().expect_code(0);
    let before = site.running();
    site.cycle("cycle", &["--", "true"]).run().expect_code(0);
    assert!(site.running().iter().all(|each| !before.contains(each)));
}
